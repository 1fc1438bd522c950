// What is counted of the doors, the loops and the pool: how much they have to do.
#pragma once

#include <chrono>
#include <cstddef>

#include <sallyport/caller.h>
#include <sallyport/ext/metrics.h>

namespace sallyport::host::http {

/// `http_connections` of one door. [any thread]
[[nodiscard]] Gauge& openConnections(Metrics& metrics, Realm door);

/// `http_loop_turn_seconds` and `http_loop_tasks_total`, of all loops. [any thread]
class LoopMetrics {
public:
    explicit LoopMetrics(Metrics& metrics);

    /// A loop has taken so many tasks that were posted to it.
    void took(std::size_t tasks) noexcept { tasks_.add(tasks); }
    /// A turn of a loop has ended. @param took since it woke up: so long, whoever came had to wait.
    void turned(std::chrono::steady_clock::duration took) noexcept {
        seconds_.observe(std::chrono::duration<double>(took).count());
    }

private:
    Counter& tasks_;
    Histogram& seconds_;
};

/// `pool_tasks_waiting`, `pool_threads_busy` and `pool_tasks_refused_total`. [any thread]
class PoolMetrics {
public:
    /// @param metrics null: nothing is counted.
    explicit PoolMetrics(Metrics* metrics);

    void waiting(std::size_t tasks) noexcept;
    void began() noexcept;
    void ended() noexcept;
    void refused() noexcept;

private:
    Gauge* waiting_ = nullptr;
    Gauge* busy_ = nullptr;
    Counter* refused_ = nullptr;
};

}  // namespace sallyport::host::http
