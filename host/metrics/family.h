// One metric: a number for each combination of its labels' values.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/ext/metrics.h>

namespace sallyport::host::metrics {

enum class Kind { counter, gauge, histogram };

/// As OpenMetrics has it.
[[nodiscard]] const char* name(Kind kind);

/// What a metric is, besides its name.
struct Shape {
    Kind kind;
    std::string help;
    std::vector<MetricLabel> labels;
    std::vector<double> bounds{};  ///< of a histogram

    /// @throws std::invalid_argument unless such a metric can be.
    void check() const;
    /// Whether both are divided and counted in the same way. What they say of themselves may differ.
    [[nodiscard]] bool matches(const Shape& other) const;
};

/// How one number stands.
struct Reading {
    std::vector<std::string> values;  ///< of the labels
    std::int64_t number = 0;          ///< of a counter or gauge; of a histogram: of values observed
    std::vector<std::uint64_t>
        counts{};    ///< of a histogram: up to each bound, without those up to the one before
    double sum = 0;  ///< of a histogram's values
};

class CounterCell final : public Counter {
public:
    explicit CounterCell(const Shape& /*shape*/) {}

    void add(std::uint64_t amount) noexcept override { number_.fetch_add(amount, std::memory_order_relaxed); }
    void read(Reading& reading) const;

private:
    std::atomic<std::uint64_t> number_{0};
};

class GaugeCell final : public Gauge {
public:
    explicit GaugeCell(const Shape& /*shape*/) {}

    void set(std::int64_t value) noexcept override { number_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t difference) noexcept override {
        number_.fetch_add(difference, std::memory_order_relaxed);
    }
    void read(Reading& reading) const;

private:
    std::atomic<std::int64_t> number_{0};
};

class HistogramCell final : public Histogram {
public:
    explicit HistogramCell(const Shape& shape) : bounds_(shape.bounds), counts_(shape.bounds.size() + 1) {}

    void observe(double value) noexcept override;
    void read(Reading& reading) const;

private:
    const std::vector<double> bounds_;
    std::vector<std::atomic<std::uint64_t>> counts_;
    std::atomic<double> sum_{0};
};

/// Decides which combinations of values there are. [one thread at a time]
class LabelValues {
public:
    explicit LabelValues(const std::vector<MetricLabel>& labels) : labels_(labels), taken_(labels.size()) {}

    /// The values to count under. @throws std::invalid_argument as MetricFamily::of.
    [[nodiscard]] std::vector<std::string> admit(const std::vector<std::string_view>& values);

private:
    const std::vector<MetricLabel>& labels_;
    std::vector<std::set<std::string, std::less<>>> taken_;  ///< as they came, for each label
};

/// A metric as the registry has it. [any thread]
class Family {
public:
    explicit Family(Shape shape) : shape_(std::move(shape)) {}
    virtual ~Family() = default;
    Family(const Family&) = delete;
    Family& operator=(const Family&) = delete;

    [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
    [[nodiscard]] virtual std::vector<Reading> read() const = 0;

private:
    const Shape shape_;
};

template <class T, class Cell>
class FamilyOf final : public Family, public MetricFamily<T> {
public:
    explicit FamilyOf(Shape shape) : Family(std::move(shape)), labels_(this->shape().labels) {}

    [[nodiscard]] T& of(const std::vector<std::string_view>& values) override {
        const std::lock_guard lock(mutex_);
        return cells_.try_emplace(labels_.admit(values), shape()).first->second;
    }

    [[nodiscard]] std::vector<Reading> read() const override {
        const std::lock_guard lock(mutex_);
        std::vector<Reading> readings;
        for (const auto& [values, cell] : cells_) {
            readings.push_back({.values = values});
            cell.read(readings.back());
        }
        return readings;
    }

private:
    mutable std::mutex mutex_;
    LabelValues labels_;
    std::map<std::vector<std::string>, Cell> cells_;  ///< none is ever removed
};

}  // namespace sallyport::host::metrics
