#include "host/auth/pacer.h"

#include <algorithm>

namespace sallyport::host::auth {

void Pacer::setRate(std::int64_t perSecond, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    perSecond_ = perSecond;
    bucket_.resize(full(), now);
}

std::int64_t Pacer::rate() const {
    const std::lock_guard lock(mutex_);
    return perSecond_;
}

Pacer::Verdict Pacer::take(std::int64_t amount, Clock::time_point now, std::chrono::milliseconds longest) {
    const std::lock_guard lock(mutex_);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(bucket_.wait(0, now));
    if (wait > longest) {
        return {.refused = true,
                .retryAfter = std::max(std::chrono::ceil<std::chrono::seconds>(wait - longest),
                                       std::chrono::seconds(1))};
    }
    bucket_.take(static_cast<double>(amount));
    return {.wait = wait};
}

}  // namespace sallyport::host::auth
