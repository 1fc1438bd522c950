// What is counted of the database.
#pragma once

#include <chrono>
#include <cstddef>

#include <sallyport/ext/metrics.h>

namespace sallyport::host::store {

/// `store_writes_waiting`, `store_writes_total` by what became of them, `store_groups_total`,
/// `store_commit_seconds`, `store_reads_running` and `store_reads_total`. [any thread]
class StoreMetrics {
public:
    /// @param metrics null: nothing is counted.
    explicit StoreMetrics(Metrics* metrics);

    /// So many writes wait.
    void waiting(std::size_t writes) noexcept;
    /// A write was not taken.
    void refused() noexcept;
    /// A transaction was committed.
    void committed() noexcept;
    /// A group has come to its end. @param took since the writer took it.
    void settled(std::size_t stored, std::size_t failed, std::chrono::steady_clock::duration took) noexcept;

    void readBegan() noexcept;
    void readEnded() noexcept;

private:
    Gauge* waiting_ = nullptr;
    Counter* stored_ = nullptr;
    Counter* failed_ = nullptr;
    Counter* refused_ = nullptr;
    Counter* groups_ = nullptr;
    Histogram* seconds_ = nullptr;
    Gauge* running_ = nullptr;
    Counter* reads_ = nullptr;
};

}  // namespace sallyport::host::store
