#include "host/http/load_metrics.h"

#include <cstdint>
#include <vector>

namespace sallyport::host::http {

namespace {

/// From a turn with one request to what a person notices.
const std::vector<double> turnBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                     0.025,  0.05,    0.1,    0.25,  0.5,    1,     5};

}  // namespace

Gauge& openConnections(Metrics& metrics, Realm door) {
    return metrics.gauges("http_connections", "Connections that are open", {{"door", {"worker", "operator"}}})
        .of({door == Realm::worker ? "worker" : "operator"});
}

LoopMetrics::LoopMetrics(Metrics& metrics)
    : tasks_(metrics.counters("http_loop_tasks_total", "Tasks that were posted to loops", {}).of({})),
      seconds_(metrics
                   .histograms("http_loop_turn_seconds",
                               "Time of a loop's turn, for which whoever comes has to wait", turnBounds, {})
                   .of({})) {}

PoolMetrics::PoolMetrics(Metrics* metrics) {
    if (metrics == nullptr) {
        return;
    }
    waiting_ = &metrics->gauges("pool_tasks_waiting", "Tasks that wait for a thread", {}).of({});
    busy_ = &metrics->gauges("pool_threads_busy", "Threads that run a task", {}).of({});
    refused_ =
        &metrics->counters("pool_tasks_refused_total", "Tasks for which there was no place", {}).of({});
}

void PoolMetrics::waiting(std::size_t tasks) noexcept {
    if (waiting_ != nullptr) {
        waiting_->set(static_cast<std::int64_t>(tasks));
    }
}

void PoolMetrics::began() noexcept {
    if (busy_ != nullptr) {
        busy_->add(1);
    }
}

void PoolMetrics::ended() noexcept {
    if (busy_ != nullptr) {
        busy_->add(-1);
    }
}

void PoolMetrics::refused() noexcept {
    if (refused_ != nullptr) {
        refused_->add();
    }
}

}  // namespace sallyport::host::http
