#include "host/auth/pacer.h"

#include <algorithm>

namespace sallyport::host::auth {

namespace {

using Seconds = std::chrono::duration<double>;

}  // namespace

void Pacer::setRate(std::int64_t perSecond, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    refill(now);
    const double share = perSecond_ == 0 ? 1 : left_ / full();
    perSecond_ = perSecond;
    left_ = full() * share;
}

std::int64_t Pacer::rate() const {
    const std::lock_guard lock(mutex_);
    return perSecond_;
}

Pacer::Verdict Pacer::take(std::int64_t amount, Clock::time_point now, std::chrono::milliseconds longest) {
    const std::lock_guard lock(mutex_);
    if (perSecond_ == 0) {
        return {};
    }
    refill(now);
    const auto wait =
        left_ > 0
            ? std::chrono::milliseconds(0)
            : std::chrono::ceil<std::chrono::milliseconds>(Seconds(-left_ / static_cast<double>(perSecond_)));
    if (wait > longest) {
        return {.refused = true,
                .retryAfter = std::max(std::chrono::ceil<std::chrono::seconds>(wait - longest),
                                       std::chrono::seconds(1))};
    }
    left_ -= static_cast<double>(amount);
    return {.wait = wait};
}

void Pacer::refill(Clock::time_point now) {
    if (now > filledAt_) {
        left_ = std::min(full(), left_ + Seconds(now - filledAt_).count() * static_cast<double>(perSecond_));
        filledAt_ = now;
    }
}

}  // namespace sallyport::host::auth
