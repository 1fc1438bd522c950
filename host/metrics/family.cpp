#include "host/metrics/family.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>

#include <sallyport/job_id.h>
#include <sallyport/plugin_name.h>

namespace sallyport::host::metrics {

namespace {

constexpr std::size_t mostBounds = 50;
constexpr std::size_t longestValue = 128;
constexpr std::size_t uuidLength = 36;

/// There is no end to jobs, and a number is kept for each value until the daemon ends.
bool namesAJob(std::string_view value) {
    if (JobId::parse(value)) {
        return true;
    }
    for (std::size_t at = 0; at + uuidLength <= value.size(); ++at) {
        if (JobId::parse(value.substr(at, uuidLength))) {
            return true;
        }
    }
    return false;
}

void checkValue(const MetricLabel& label, std::string_view value) {
    if (value.size() > longestValue) {
        throw std::invalid_argument("a value of the label " + label.name + " has more than " +
                                    std::to_string(longestValue) + " bytes");
    }
    if (namesAJob(value)) {
        throw std::invalid_argument("a value of the label " + label.name +
                                    " names a job, of which there is no end");
    }
}

void checkLabels(const std::vector<MetricLabel>& labels) {
    std::size_t series = 1;
    std::set<std::string_view> names;
    for (const auto& label : labels) {
        // A plugin's name is made of the same characters. `le` is what the bounds of a histogram are called.
        if (!isPluginName(label.name) || label.name == "le") {
            throw std::invalid_argument("\"" + label.name + "\" cannot be the name of a label");
        }
        if (!names.insert(label.name).second) {
            throw std::invalid_argument("the label " + label.name + " is there twice");
        }
        for (const auto& value : label.values) {
            checkValue(label, value);
        }
        series *= label.values.empty() ? MetricLabel::mostValues + 1 : label.values.size();
        if (series > Metrics::mostSeries) {
            throw std::invalid_argument("the labels have more than " + std::to_string(Metrics::mostSeries) +
                                        " combinations of values");
        }
    }
}

}  // namespace

const char* name(Kind kind) {
    switch (kind) {
        case Kind::counter:
            return "counter";
        case Kind::gauge:
            return "gauge";
        case Kind::histogram:
            break;
    }
    return "histogram";
}

void Shape::check() const {
    checkLabels(labels);
    if (kind != Kind::histogram) {
        return;
    }
    const bool finite =
        std::all_of(bounds.begin(), bounds.end(), [](double bound) { return std::isfinite(bound); });
    const bool rising =
        std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end();
    if (bounds.empty() || bounds.size() > mostBounds || !finite || !rising) {
        throw std::invalid_argument("a histogram has 1 to " + std::to_string(mostBounds) + " rising bounds");
    }
}

bool Shape::matches(const Shape& other) const {
    return kind == other.kind && bounds == other.bounds &&
           std::equal(labels.begin(), labels.end(), other.labels.begin(), other.labels.end(),
                      [](const MetricLabel& a, const MetricLabel& b) {
                          return a.name == b.name && a.values == b.values;
                      });
}

void CounterCell::read(Reading& reading) const {
    reading.number = static_cast<std::int64_t>(number_.load(std::memory_order_relaxed));
}

void GaugeCell::read(Reading& reading) const {
    reading.number = number_.load(std::memory_order_relaxed);
}

void HistogramCell::observe(double value) noexcept {
    const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    counts_[static_cast<std::size_t>(bound - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

void HistogramCell::read(Reading& reading) const {
    for (const auto& count : counts_) {
        reading.counts.push_back(count.load(std::memory_order_relaxed));
        reading.number += static_cast<std::int64_t>(reading.counts.back());
    }
    reading.sum = sum_.load(std::memory_order_relaxed);
}

std::vector<std::string> LabelValues::admit(const std::vector<std::string_view>& values) {
    if (values.size() != labels_.size()) {
        throw std::invalid_argument("the metric has " + std::to_string(labels_.size()) + " labels, not " +
                                    std::to_string(values.size()));
    }
    std::vector<std::string> admitted;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto& label = labels_[i];
        const std::string_view value = values[i];
        if (!label.values.empty()) {
            if (std::find(label.values.begin(), label.values.end(), value) == label.values.end()) {
                throw std::invalid_argument("the label " + label.name + " has no value \"" +
                                            std::string(value) + "\"");
            }
            admitted.emplace_back(value);
            continue;
        }
        checkValue(label, value);
        auto& taken = taken_[i];
        if (!taken.contains(value) && taken.size() == MetricLabel::mostValues) {
            admitted.emplace_back(MetricLabel::otherValue);
        } else {
            admitted.push_back(*taken.emplace(value).first);
        }
    }
    return admitted;
}

}  // namespace sallyport::host::metrics
