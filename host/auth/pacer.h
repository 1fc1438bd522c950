// How fast something may be used up.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

#include <sallyport/token_bucket.h>

namespace sallyport::host::auth {

/// A token bucket, half a minute's worth large: who finds it empty is told how long to wait, in the order of
/// asking, and is refused if that were too long. It lives in memory alone; a restart fills it. [any thread]
class Pacer {
public:
    using Clock = std::chrono::steady_clock;

    /// The time whose worth may be used at once.
    static constexpr std::chrono::seconds burst{30};

    struct Verdict {
        std::chrono::milliseconds wait{0};   ///< after this it goes on; 0: at once
        bool refused = false;                ///< nothing was taken
        std::chrono::seconds retryAfter{0};  ///< when refused: by then it would not be
    };

    /// @param perSecond 0: any amount.
    explicit Pacer(std::int64_t perSecond = 0) : perSecond_(perSecond), bucket_(full(), burst) {}

    /// Another rate from now on. The share that is left stays the same.
    void setRate(std::int64_t perSecond, Clock::time_point now);
    [[nodiscard]] std::int64_t rate() const;

    /// Takes `amount`, also where it is more than is left: who comes next waits for it.
    /// @param longest whoever would have to wait longer is refused.
    [[nodiscard]] Verdict take(std::int64_t amount, Clock::time_point now, std::chrono::milliseconds longest);

private:
    [[nodiscard]] double full() const { return static_cast<double>(perSecond_ * burst.count()); }

    mutable std::mutex mutex_;
    std::int64_t perSecond_;
    TokenBucket bucket_;
};

}  // namespace sallyport::host::auth
