// How fast a request's body must come.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "host/http/limits.h"

namespace sallyport::host::http {

/// The deadlines of one body: all of it within `http.body_timeout`, and in every span of some seconds so much
/// of it as `http.min_body_rate` says, so that whoever stops sending gives back the memory that others wait
/// for. [one thread at a time]
class BodyPace {
public:
    using Clock = std::chrono::steady_clock;

    enum class Verdict { goesOn, tooLate, tooSlow };

    BodyPace() = default;
    /// A body that begins now.
    BodyPace(const Limits& limits, Clock::time_point now)
        : end_(now + limits.bodyTimeout),
          next_(limits.minBodyRate == 0 ? Clock::time_point::max() : now + span),
          perSpan_(limits.minBodyRate * static_cast<std::size_t>(span.count())) {}

    /// When to look again.
    [[nodiscard]] Clock::time_point deadline() const noexcept { return std::min(end_, next_); }

    /// The deadline has passed. @param bytes of the body that have come in all.
    [[nodiscard]] Verdict judge(Clock::time_point now, std::size_t bytes) {
        if (now >= end_) {
            return Verdict::tooLate;
        }
        if (now < next_) {
            return Verdict::goesOn;
        }
        if (bytes - seen_ < perSpan_) {
            return Verdict::tooSlow;
        }
        seen_ = bytes;
        next_ = now + span;
        return Verdict::goesOn;
    }

private:
    static constexpr std::chrono::seconds span{5};

    Clock::time_point end_;
    Clock::time_point next_;
    std::size_t perSpan_ = 0;
    std::size_t seen_ = 0;
};

}  // namespace sallyport::host::http
