// The extension `metrics`: numbers for a monitoring system to watch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// A number that only rises, from 0 at the daemon's start. [any thread]
class Counter {
public:
    virtual ~Counter() = default;

    /// Counts so many more. Costs an atomic addition.
    virtual void add(std::uint64_t amount) noexcept = 0;
    /// Counts one more.
    void add() noexcept { add(1); }
};

/// A number that rises and falls. [any thread]
class Gauge {
public:
    virtual ~Gauge() = default;

    /// Says what it is now.
    virtual void set(std::int64_t value) noexcept = 0;
    /// Says by how much it has changed; negative when it has fallen.
    virtual void add(std::int64_t difference) noexcept = 0;
};

/// How measured values are distributed, as counts of those up to each of some bounds, and their sum.
/// [any thread]
class Histogram {
public:
    virtual ~Histogram() = default;

    /// Counts one value, in the unit that the metric's name ends with.
    virtual void observe(double value) noexcept = 0;
};

/// By what a metric is divided.
struct MetricLabel {
    std::string name;  ///< `[a-z][a-z0-9_]*`

    /// All values that it may have. With none, values are taken as they come, `mostValues` of them, and all
    /// further ones are counted together as `other`: for names from a configuration or a provider, such as
    /// models. In neither way can a job's id, or any other UUID, be a value: there is no end to them.
    std::vector<std::string> values{};

    static constexpr std::size_t mostValues = 50;       ///< that come as they are
    static constexpr const char* otherValue = "other";  ///< for those after that
};

/// A metric with its labels: one number for each combination of their values.
template <class T>
class MetricFamily {
public:
    virtual ~MetricFamily() = default;

    /// The number for these values, one for each label in the order in which they were declared. Look it up
    /// once where you can: it takes a lock. It lives as long as the daemon. [any thread]
    /// @throws std::invalid_argument if there are more or fewer values than labels, or one that was not
    /// declared
    ///         or cannot be.
    [[nodiscard]] virtual T& of(const std::vector<std::string_view>& values) = 0;
};

/// The extension: `host.extension<Metrics>()`.
///
/// The name that is shown begins with `sallyport_` and the plugin's name: plugin `notes` counts
/// `stored_total` as `sallyport_notes_stored_total`. It ends with the unit, such as `_seconds` or `_bytes`,
/// and that of a counter with `_total` after that (OpenMetrics 1.0, "Metric Naming"). Whoever asks for the
/// same metric again, as after a reload, gets the one that is there, and it goes on from where it was.
/// Numbers live in memory: they begin anew with the daemon, and a job is never told of them.
///
/// All functions: [any thread, after start has begun]
/// @throws std::invalid_argument for a name, label, value or bound that cannot be; for a metric that is there
///         with other labels, bounds or of another kind; and for more than `mostMetrics` of one plugin.
class Metrics {
public:
    static constexpr const char* extensionName = "metrics";  ///< for Host::extension
    static constexpr std::uint32_t extensionVersion = 1;     ///< likewise
    static constexpr std::size_t mostMetrics = 200;          ///< of one plugin
    static constexpr std::size_t mostSeries = 2000;          ///< combinations of one metric's label values

    virtual ~Metrics() = default;

    /// @param name   `[a-z][a-z0-9_]*_total`.
    /// @param help   one sentence for people.
    /// @param labels what it is divided by; none: it is one number, `counters(…).of({})`.
    [[nodiscard]] virtual MetricFamily<Counter>& counters(std::string_view name, std::string_view help,
                                                          const std::vector<MetricLabel>& labels) = 0;

    /// @param name   `[a-z][a-z0-9_]*`, not ending in `_total`.
    /// @param help   as above.
    /// @param labels as above.
    [[nodiscard]] virtual MetricFamily<Gauge>& gauges(std::string_view name, std::string_view help,
                                                      const std::vector<MetricLabel>& labels) = 0;

    /// @param name   as for gauges.
    /// @param help   as above.
    /// @param bounds rising, at least one and 50 at the most; what is above the last is counted as well.
    /// @param labels as above.
    [[nodiscard]] virtual MetricFamily<Histogram>& histograms(std::string_view name, std::string_view help,
                                                              const std::vector<double>& bounds,
                                                              const std::vector<MetricLabel>& labels) = 0;

    /// A counter without labels.
    [[nodiscard]] Counter& counter(std::string_view name, std::string_view help) {
        return counters(name, help, {}).of({});
    }
    /// A gauge without labels.
    [[nodiscard]] Gauge& gauge(std::string_view name, std::string_view help) {
        return gauges(name, help, {}).of({});
    }
};

}  // namespace sallyport
