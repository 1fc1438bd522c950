// How much is stored of each job, kept at hand.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include <sallyport/job_id.h>

namespace sallyport::plugins {

/// Of one job, stored or allowed.
struct StoredTotals {
    std::int64_t events = 0;
    std::int64_t bytes = 0;  ///< of data, and `eventOverhead` for each
};

/// What an event takes beside its data: its row, and its places in two indexes.
inline constexpr std::int64_t eventOverhead = 256;

/// A cache of the table, for jobs that have reported since the start. What is on its way into the table
/// counts, too. [any thread]
class StoredCounts {
public:
    /// What one event takes. Given back when it goes away, unless the event has been stored.
    class Place {
    public:
        Place(StoredCounts& counts, const JobId& job, std::int64_t bytes, bool known, bool noted);
        ~Place();
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

        /// Whether it was known what is stored of the job from before; else `learn` and `fits` are to be
        /// told.
        [[nodiscard]] bool known() const noexcept { return known_; }
        /// Whether the table should note the job's totals together with this event: now and then it does, so
        /// that few rows have to be counted after a start.
        [[nodiscard]] bool toBeNoted() const noexcept { return toBeNoted_; }
        /// Whether the job stays within these limits, given what is stored of it from before.
        [[nodiscard]] bool fits(const StoredTotals& before, const StoredTotals& limits) const;
        /// What is stored of the job from before, whether the event is or not.
        void learn(const StoredTotals& before);
        /// The event has been stored.
        void keep() { kept_ = true; }

    private:
        StoredCounts& counts_;
        const JobId job_;
        const std::int64_t bytes_;
        const bool known_;
        const bool toBeNoted_;
        bool kept_ = false;
    };

    /// A place for an event of so many bytes. 0 as a limit: any amount.
    /// @return null if the job would exceed the limits, as far as is known.
    [[nodiscard]] std::shared_ptr<Place> reserve(const JobId& job, std::int64_t bytes,
                                                 const StoredTotals& limits);

    /// For a job that is over.
    void forget(const JobId& job);
    /// After rows were deleted: what is stored is to be read again.
    void forgetAll();

private:
    struct Count {
        bool known = false;  ///< whether `totals` has what is stored from before
        StoredTotals totals;
    };

    std::mutex mutex_;
    std::unordered_map<JobId, Count> counts_;
};

}  // namespace sallyport::plugins
