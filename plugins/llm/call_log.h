// The table of calls.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/log.h>
#include <sallyport/store.h>

#include "call_record.h"

namespace sallyport::plugins::llm {

/// Stores calls without making anybody wait. At most one write is queued at a time, with all the records that
/// came in meanwhile. What cannot be stored is kept in memory for a later try, up to a bound, and without its
/// content; so is content when the disk is too slow for it. [any thread]
class CallLog {
public:
    /// Records kept at the most while the store does not take them.
    static constexpr std::size_t maxKept = 10'000;

    /// Brings the tables up to date. @throws StoreError
    CallLog(Store& store, Logger& log);
    /// Stores what is left, if that is possible.
    ~CallLog();
    CallLog(const CallLog&) = delete;
    CallLog& operator=(const CallLog&) = delete;

    /// Never blocks.
    void record(CallRecord record);

    /// Runs a task after a while. It must neither run it at once nor call back into this.
    using Later = std::function<void(std::function<void()>)>;
    /// Has records wait a while for others that can be stored together with them, so that the disk is not
    /// asked for each. Null, as at the beginning: they do not wait. A task that was given to a `later`
    /// before is not to be run any more.
    void delayBy(Later later);

    /// Tries to store what is kept, and returns when all that was recorded before is durable or could not be
    /// stored. Not from the store's thread.
    void flush();

    /// Nothing while every record is stored.
    [[nodiscard]] std::optional<std::string> trouble() const;

private:
    using Batch = std::vector<CallRecord>;

    [[nodiscard]] std::shared_ptr<Batch> takeBatchIfDue();
    [[nodiscard]] std::shared_ptr<Batch> takeBatch();
    void submit(const std::shared_ptr<Batch>& batch);
    void finished(Batch& batch, const std::exception_ptr& problem);
    void putBack(Batch& batch, const std::exception_ptr& problem);
    void dropSurplus();

    Store& store_;
    Logger& log_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<CallRecord> waiting_;
    std::size_t waitingContent_ = 0;  ///< bytes
    bool submitting_ = false;         ///< a batch is on its way
    Later later_;
    bool scheduled_ = false;    ///< a task has been given to it
    std::uint64_t wanted_ = 0;  ///< so many of those recorded are waited for
    std::uint64_t recorded_ = 0;
    std::uint64_t handled_ = 0;  ///< of these, how many are stored or lost
    std::uint64_t lost_ = 0;
    bool failing_ = false;  ///< whether the last write failed
};

}  // namespace sallyport::plugins::llm
