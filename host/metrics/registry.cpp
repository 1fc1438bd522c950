#include "host/metrics/registry.h"

#include <stdexcept>
#include <utility>

#include <sallyport/plugin_name.h>

namespace sallyport::host::metrics {

namespace {

constexpr std::string_view totalSuffix = "_total";

std::string shownName(const std::string& owner, std::string_view name, Kind kind) {
    // A plugin's name is made of the same characters.
    if (!isPluginName(name)) {
        throw std::invalid_argument("\"" + std::string(name) + "\" cannot be the name of a metric");
    }
    if (name.ends_with(totalSuffix) != (kind == Kind::counter)) {
        throw std::invalid_argument("the name of a counter, and of no other metric, ends in _total: " +
                                    std::string(name));
    }
    return "sallyport_" + (owner.empty() ? "" : owner + "_") + std::string(name);
}

}  // namespace

class Registry::View final : public Metrics {
public:
    View(Registry& registry, std::string owner) : registry_(registry), owner_(std::move(owner)) {}

    [[nodiscard]] MetricFamily<Counter>& counters(std::string_view name, std::string_view help,
                                                  const std::vector<MetricLabel>& labels) override {
        return registry_.family<Counter, CounterCell>(owner_, name,
                                                      {Kind::counter, std::string(help), labels});
    }
    [[nodiscard]] MetricFamily<Gauge>& gauges(std::string_view name, std::string_view help,
                                              const std::vector<MetricLabel>& labels) override {
        return registry_.family<Gauge, GaugeCell>(owner_, name, {Kind::gauge, std::string(help), labels});
    }
    [[nodiscard]] MetricFamily<Histogram>& histograms(std::string_view name, std::string_view help,
                                                      const std::vector<double>& bounds,
                                                      const std::vector<MetricLabel>& labels) override {
        return registry_.family<Histogram, HistogramCell>(
            owner_, name, {Kind::histogram, std::string(help), labels, bounds});
    }

private:
    Registry& registry_;
    const std::string owner_;
};

std::unique_ptr<Metrics> Registry::of(std::string owner) {
    return std::make_unique<View>(*this, std::move(owner));
}

template <class T, class Cell>
MetricFamily<T>& Registry::family(const std::string& owner, std::string_view name, Shape shape) {
    const std::string shown = shownName(owner, name, shape.kind);
    shape.check();
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(shown);
    if (found != entries_.end()) {
        const auto& [itsOwner, family] = found->second;
        if (itsOwner != owner || !family->shape().matches(shape)) {
            throw std::invalid_argument("the metric " + shown +
                                        " is there with other labels or of another kind");
        }
        return static_cast<FamilyOf<T, Cell>&>(*family);
    }
    auto& count = owned_[owner];
    if (count == Metrics::mostMetrics) {
        throw std::invalid_argument("there are " + std::to_string(count) + " metrics already");
    }
    auto family = std::make_unique<FamilyOf<T, Cell>>(std::move(shape));
    auto& result = *family;
    entries_.emplace(shown, Entry{owner, std::move(family)});
    ++count;
    return result;
}

std::vector<Registry::Metric> Registry::read() const {
    const std::lock_guard lock(mutex_);
    std::vector<Metric> metrics;
    for (const auto& [name, entry] : entries_) {
        metrics.push_back({name, &entry.family->shape(), entry.family->read()});
    }
    return metrics;
}

}  // namespace sallyport::host::metrics
