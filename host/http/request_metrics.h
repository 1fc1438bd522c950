// What is counted of requests.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include <sallyport/caller.h>
#include <sallyport/ext/metrics.h>

namespace sallyport::host::http {

/// `http_answers_total` by door and class of status, `http_answer_seconds` by door; `http_tunnels` that are
/// open by door, and `http_tunnel_bytes_total` by door and direction. [any thread]
class RequestMetrics {
public:
    explicit RequestMetrics(Metrics& metrics);

    /// A request's answer begins.
    /// @param took since its head was there, whatever it waited for in between.
    void answered(Realm door, int status, std::chrono::steady_clock::duration took) noexcept;

    /// What is counted of the tunnels at one door.
    struct Tunnels {
        Gauge* open = nullptr;
        Counter* received = nullptr;  ///< bytes from clients
        Counter* sent = nullptr;      ///< bytes for clients
    };
    [[nodiscard]] const Tunnels& tunnels(Realm door) const noexcept;

private:
    static constexpr std::size_t doors = 2;
    static constexpr std::size_t classes = 5;

    std::array<std::array<Counter*, classes>, doors> answers_{};
    std::array<Histogram*, doors> seconds_{};
    std::array<Tunnels, doors> tunnels_{};
};

}  // namespace sallyport::host::http
