// Deleting rows that are no longer wanted, a few at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/host.h>
#include <sallyport/job_id.h>
#include <sallyport/store.h>
#include <sallyport/timestamp.h>

namespace sallyport {

/// How much a Sweep does at once.
struct SweepPace {
    std::size_t rows = 500;               ///< that one write deletes at the most
    std::chrono::milliseconds write{5};   ///< after so long a write deletes no further row
    std::chrono::milliseconds pause{5};   ///< between two writes at the least
    std::chrono::milliseconds turn{250};  ///< after so long no further write is begun
};

/// One turn of deleting: small writes, and pauses between them that are three times as long, so that the
/// writes of others wait for one of these at the most and the store is hardly slower for them. What a turn
/// leaves is for the next. [one thread, that may block]
class Sweep {
public:
    /// Keys of rows.
    using Keys = std::vector<std::int64_t>;
    /// Finds rows to delete, `most` at the most; none when nothing is left.
    using Find = std::function<Keys(std::size_t most)>;
    /// Deletes the row of that key. As Store::Work it may run more than once.
    using Remove = std::function<void(Transaction&, std::int64_t key)>;

    /// @param store must outlive this.
    /// @param pace  how much is done at once.
    explicit Sweep(Store& store, const SweepPace& pace = {});

    /// What stands in the first column.
    [[nodiscard]] static Keys keysIn(const Rows& rows);

    /// Whether the turn goes on. Pauses first, if something was deleted since the last time.
    [[nodiscard]] bool goesOn();

    /// Deletes the first of these rows in one write, and returns when that is durable.
    /// @return how many; at least one, if there are any.
    /// @throws StoreError, or what `remove` throws
    std::size_t remove(const Keys& keys, const Remove& remove);

    /// Finds and deletes for as long as the turn goes on. @return whether nothing is left.
    /// @throws StoreError, or what `find` or `remove` throws
    bool run(const Find& find, const Remove& remove);

    /// Rows that one write deletes at the most.
    [[nodiscard]] std::size_t most() const noexcept { return pace_.rows; }
    /// Rows deleted in this turn.
    [[nodiscard]] std::size_t removed() const noexcept { return removed_; }

private:
    using Clock = std::chrono::steady_clock;

    Store& store_;
    const SweepPace pace_;
    const Clock::time_point end_;
    Clock::duration pause_{0};  ///< that is due
    std::size_t removed_ = 0;
};

/// Says when to look for rows that have been kept for long enough: every tenth of that time, but at least
/// every ten minutes and at most every second.
class Aging {
public:
    /// @param keep 0: for ever.
    explicit Aging(std::chrono::milliseconds keep) : keep_(keep) {}

    /// How long rows are kept.
    [[nodiscard]] std::chrono::milliseconds keep() const noexcept { return keep_; }

    /// The time before which rows are too old; nothing when it is not time to look, or rows are kept for
    /// ever. The same time until `done`.
    [[nodiscard]] std::optional<Timestamp> due();
    /// All from before that time is gone; the next time to look is set.
    void done();

private:
    std::chrono::milliseconds keep_;  ///< 0: for ever
    std::optional<Timestamp> before_;
    std::chrono::steady_clock::time_point next_{};
};

/// A plugin's rows of jobs, as Retention sees them. [one pool thread at a time]
class KeptRows {
public:
    virtual ~KeptRows() = default;

    /// Of the jobs that there are rows of, in an order that does not change: the first one after `job`, or
    /// the first of all. @throws StoreError
    [[nodiscard]] virtual std::optional<JobId> jobAfter(const std::optional<JobId>& job) = 0;

    /// Deletes the rows of a job that is no more. @return false when the turn ended before that was done.
    /// @throws StoreError
    virtual bool removeJob(const JobId& job, Sweep& sweep) = 0;

    /// Deletes rows from before that time. @return as above. @throws StoreError
    virtual bool removeBefore(Timestamp /*time*/, Sweep& /*sweep*/) { return true; }

    /// Deletes rows of which a job has more than is kept. Called in every turn: what there is to do is to be
    /// found without reading all. @return as above. @throws StoreError
    virtual bool removeSurplus(Sweep& /*sweep*/) { return true; }
};

/// Deletes what a plugin has of jobs that were deleted, and what it has kept for long enough. Make one at the
/// plugin's start.
///
/// Which jobs are no more is told by JobDeleted. What was missed of that, as by a plugin that was not loaded
/// or by a daemon that was killed before all was done, is found again after each start: every job that there
/// are rows of is looked up.
class Retention {
public:
    /// What a plugin decides.
    struct Options {
        const char* line;                         ///< logged when something was deleted, with the numbers
        std::chrono::milliseconds keep{0};        ///< age at which rows are deleted; 0: never
        std::chrono::milliseconds settle{2'000};  ///< nothing is deleted for so long after the start
    };

    /// @param host    outlives this.
    /// @param rows    outlives this.
    /// @param options what to delete, and what to say of it.
    /// [during start]
    Retention(Host& host, KeptRows& rows, const Options& options);
    Retention(const Retention&) = delete;
    Retention& operator=(const Retention&) = delete;

    /// Deletes for a fraction of a second, if there is anything to delete. The host's timer calls it.
    void turn();

private:
    using Clock = std::chrono::steady_clock;

    void told(const JobId& job);
    [[nodiscard]] std::optional<JobId> firstTold();
    void forgetFirstTold();
    bool removeTold(Sweep& sweep);
    bool removeLeftovers(Sweep& sweep);
    bool removeOld(Sweep& sweep);
    void report();

    Host& host_;
    KeptRows& rows_;
    const std::string line_;
    Aging aging_;
    Clock::time_point restsUntil_;

    std::mutex mutex_;
    std::deque<JobId> told_;          ///< deleted jobs whose rows may still be there
    std::atomic<bool> missed_{true};  ///< there may be more of them than were told

    bool searching_ = false;  ///< for those, job by job
    std::optional<JobId> searchedUpTo_{};
    std::size_t removed_ = 0;  ///< rows, since it was last reported
    std::size_t jobs_ = 0;     ///< deleted jobs, likewise
};

}  // namespace sallyport
