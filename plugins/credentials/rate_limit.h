// How often a job may ask.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include <sallyport/job_id.h>
#include <sallyport/token_bucket.h>

namespace sallyport::plugins {

/// A token bucket for each job that has asked: full it allows a minute's worth at once. Who finds it empty is
/// told how long to wait, in the order of asking; nobody is refused. [any thread]
class RateLimit {
public:
    using Time = TokenBucket::Time;

    /// Nobody waits for longer: what a job has waiting is bounded by its connections alone.
    static constexpr std::chrono::seconds longestWait{10};

    explicit RateLimit(std::int64_t perMinute) : perMinute_(static_cast<double>(perMinute)) {}

    /// @return after how long the job may go on; 0: at once.
    [[nodiscard]] std::chrono::milliseconds take(const JobId& job, Time time);
    /// For a job that is over.
    void forget(const JobId& job);

private:
    const double perMinute_;
    std::mutex mutex_;
    std::unordered_map<JobId, TokenBucket> buckets_;
};

}  // namespace sallyport::plugins
