#include "host/store/store_metrics.h"

#include <cstdint>
#include <vector>

namespace sallyport::host::store {

namespace {

/// From a group in memory to a disk that has much else to do.
const std::vector<double> commitBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                       0.1,    0.25,  0.5,    1,     2.5,  5,     10};

}  // namespace

StoreMetrics::StoreMetrics(Metrics* metrics) {
    if (metrics == nullptr) {
        return;
    }
    waiting_ = &metrics->gauges("store_writes_waiting", "Writes that wait for the writer", {}).of({});
    auto& writes = metrics->counters("store_writes_total", "Writes by what became of them",
                                     {{"outcome", {"stored", "failed", "refused"}}});
    stored_ = &writes.of({"stored"});
    failed_ = &writes.of({"failed"});
    refused_ = &writes.of({"refused"});
    groups_ =
        &metrics->counters("store_groups_total", "Transactions that committed a group of writes", {}).of({});
    seconds_ = &metrics
                    ->histograms("store_commit_seconds", "Time in which a group of writes was settled",
                                 commitBounds, {})
                    .of({});
    running_ = &metrics->gauges("store_reads_running", "Reads in progress", {}).of({});
    reads_ = &metrics->counters("store_reads_total", "Reads that were begun", {}).of({});
}

void StoreMetrics::waiting(std::size_t writes) noexcept {
    if (waiting_ != nullptr) {
        waiting_->set(static_cast<std::int64_t>(writes));
    }
}

void StoreMetrics::refused() noexcept {
    if (refused_ != nullptr) {
        refused_->add();
    }
}

void StoreMetrics::committed() noexcept {
    if (groups_ != nullptr) {
        groups_->add();
    }
}

void StoreMetrics::settled(std::size_t stored, std::size_t failed,
                           std::chrono::steady_clock::duration took) noexcept {
    if (seconds_ != nullptr) {
        stored_->add(stored);
        failed_->add(failed);
        seconds_->observe(std::chrono::duration<double>(took).count());
    }
}

void StoreMetrics::readBegan() noexcept {
    if (reads_ != nullptr) {
        reads_->add();
        running_->add(1);
    }
}

void StoreMetrics::readEnded() noexcept {
    if (running_ != nullptr) {
        running_->add(-1);
    }
}

}  // namespace sallyport::host::store
