#include "rate_limit.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sallyport::plugins {

std::optional<RateLimit::Refusal> RateLimit::take(const JobId& job, Time time) {
    using Minutes = std::chrono::duration<double, std::ratio<60>>;
    const std::lock_guard lock(mutex_);
    Bucket& bucket = buckets_.try_emplace(job, Bucket{perMinute_, time}).first->second;
    bucket.left = std::min(perMinute_, bucket.left + Minutes(time - bucket.filledAt).count() * perMinute_);
    bucket.filledAt = time;
    if (bucket.left >= 1) {
        bucket.left -= 1;
        bucket.refusing = false;
        return std::nullopt;
    }
    const auto wait = std::chrono::ceil<std::chrono::seconds>(Minutes((1 - bucket.left) / perMinute_));
    return Refusal{std::max(wait, std::chrono::seconds(1)), !std::exchange(bucket.refusing, true)};
}

void RateLimit::forget(const JobId& job) {
    const std::lock_guard lock(mutex_);
    buckets_.erase(job);
}

}  // namespace sallyport::plugins
