// How often a job may ask.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <sallyport/job_id.h>

namespace sallyport::plugins {

/// A token bucket for each job that has asked: full it allows a minute's worth at once. [any thread]
class RateLimit {
public:
    using Time = std::chrono::steady_clock::time_point;

    struct Refusal {
        std::chrono::seconds wait;  ///< until the next one is allowed, at least a second
        bool first;                 ///< whether the one before was allowed
    };

    explicit RateLimit(std::int64_t perMinute) : perMinute_(static_cast<double>(perMinute)) {}

    /// Nothing when the job may go on.
    [[nodiscard]] std::optional<Refusal> take(const JobId& job, Time time);
    /// For a job that is over.
    void forget(const JobId& job);

private:
    struct Bucket {
        double left;
        Time filledAt;
        bool refusing = false;
    };

    const double perMinute_;
    std::mutex mutex_;
    std::unordered_map<JobId, Bucket> buckets_;
};

}  // namespace sallyport::plugins
