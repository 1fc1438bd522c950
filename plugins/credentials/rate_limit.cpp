#include "rate_limit.h"

namespace sallyport::plugins {

std::chrono::milliseconds RateLimit::take(const JobId& job, Time time) {
    const std::lock_guard lock(mutex_);
    TokenBucket& bucket = buckets_.try_emplace(job, perMinute_, std::chrono::minutes(1)).first->second;
    const auto wait = std::chrono::round<std::chrono::milliseconds>(bucket.wait(1, time));
    if (wait > longestWait) {
        return longestWait;  // and owes nothing, or the job would pay for it for ever
    }
    bucket.take(1);
    return wait;
}

void RateLimit::forget(const JobId& job) {
    const std::lock_guard lock(mutex_);
    buckets_.erase(job);
}

}  // namespace sallyport::plugins
