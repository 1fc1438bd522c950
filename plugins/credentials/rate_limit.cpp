#include "rate_limit.h"

#include <algorithm>

namespace sallyport::plugins {

std::chrono::milliseconds RateLimit::take(const JobId& job, Time time) {
    using Minutes = std::chrono::duration<double, std::ratio<60>>;
    const std::lock_guard lock(mutex_);
    Bucket& bucket = buckets_.try_emplace(job, Bucket{perMinute_, time}).first->second;
    bucket.left = std::min(perMinute_, bucket.left + Minutes(time - bucket.filledAt).count() * perMinute_);
    bucket.filledAt = time;
    const auto wait =
        std::chrono::round<std::chrono::milliseconds>(Minutes(std::max(1 - bucket.left, 0.0) / perMinute_));
    if (wait > longestWait) {
        return longestWait;  // and owes nothing, or the job would pay for it for ever
    }
    bucket.left -= 1;
    return wait;
}

void RateLimit::forget(const JobId& job) {
    const std::lock_guard lock(mutex_);
    buckets_.erase(job);
}

}  // namespace sallyport::plugins
