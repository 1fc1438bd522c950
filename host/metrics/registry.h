// All metrics of the daemon.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/ext/metrics.h>

#include "host/metrics/family.h"

namespace sallyport::host::metrics {

/// Keeps what the host and plugins count, until it goes: a plugin's numbers outlast its reload. [any thread]
class Registry {
public:
    Registry() = default;
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    /// The metrics of one owner, under whose name they are shown.
    /// @param owner a plugin's name; empty for the host.
    [[nodiscard]] std::unique_ptr<Metrics> of(std::string owner);

    /// How all numbers of a metric stand.
    struct Metric {
        std::string name;  ///< as it is shown
        const Shape* shape;
        std::vector<Reading> readings;
    };
    /// By name.
    [[nodiscard]] std::vector<Metric> read() const;

private:
    class View;

    /// Of that name and shape. @throws std::invalid_argument as Metrics.
    template <class T, class Cell>
    [[nodiscard]] MetricFamily<T>& family(const std::string& owner, std::string_view name, Shape shape);

    struct Entry {
        std::string owner;
        std::unique_ptr<Family> family;
    };

    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;      ///< by the name that is shown; none is ever removed
    std::map<std::string, std::size_t> owned_;  ///< metrics of each owner
};

}  // namespace sallyport::host::metrics
