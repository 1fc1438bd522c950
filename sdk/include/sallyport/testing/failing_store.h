// A database that can be made to fail.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/store.h>

namespace sallyport::testing {

/// Hands everything on to another store, until it is told to fail. [any thread]
class FailingStore final : public Store {
public:
    /// @param store must outlive this one.
    explicit FailingStore(Store& store) : store_(store) {}

    /// Writes are taken and come to nothing, as when the disk is full.
    void failWrites(bool fail) { failing_ = fail; }
    /// Writes are not taken, as when the queue is full.
    void refuseWrites(bool refuse) { refusing_ = refuse; }
    /// Writes are taken and not begun until they are let go.
    void holdWrites();
    /// Returns when a write is held.
    void awaitHeld();
    /// Begins the writes that were held, in their order, and holds no more.
    void letGo();

    void migrate(std::string_view component, const std::vector<Migration>& steps) override;
    void submit(Work work, Done done) override;
    void write(Work work) override;
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values = {}) override;

private:
    [[nodiscard]] Work failedIfWanted(Work work) const;

    Store& store_;
    std::atomic<bool> failing_{false};
    std::atomic<bool> refusing_{false};
    std::mutex mutex_;
    std::condition_variable held_;
    bool holding_ = false;
    std::vector<std::pair<Work, Done>> waiting_;
};

}  // namespace sallyport::testing
