// How fast something may be used up.
#pragma once

#include <algorithm>
#include <chrono>

namespace sallyport {

/// A token bucket: it holds so much, is full at first and fills up again evenly. What it is asked for may be
/// taken also where it is not there: then it owes, and who comes next waits for longer, so that those who
/// wait go on in the order of asking. Whether to wait or to be refused is the caller's choice. It reads no
/// clock and lives in memory alone. [one thread at a time]
class TokenBucket {
public:
    /// Of a clock that does not run backwards; an earlier time than the last one counts as that one.
    using Time = std::chrono::steady_clock::time_point;

    /// Without bounds: nobody ever waits.
    TokenBucket() noexcept = default;
    /// @param size     how much may be taken at once; 0: any amount.
    /// @param fillTime how long an empty one takes to be full, more than 0.
    TokenBucket(double size, std::chrono::seconds fillTime) noexcept
        : size_(size), fillTime_(static_cast<double>(fillTime.count())), left_(size) {}

    /// After how long there is as much as is `needed`: 0 at once.
    /// @param needed at most the size, or it is never there.
    /// @param now    until when it has filled up.
    [[nodiscard]] std::chrono::microseconds wait(double needed, Time now) noexcept {
        if (size_ == 0) {
            return {};
        }
        refill(now);
        // Rounded, so that an error of the arithmetic does not become a whole unit where a caller rounds up.
        const std::chrono::duration<double> missing(std::max(needed - left_, 0.0) * fillTime_ / size_);
        return std::chrono::round<std::chrono::microseconds>(missing);
    }

    /// Takes it, whether it is there or not, at the time of the last wait().
    void take(double amount) noexcept { left_ -= amount; }

    /// Another size from now on, which takes as long to fill. What is left, or owed, stays the same share.
    void resize(double size, Time now) noexcept {
        refill(now);
        const double share = size_ == 0 ? 1 : left_ / size_;
        size_ = size;
        left_ = size * share;
    }

private:
    void refill(Time now) noexcept {
        if (now > filledAt_) {
            const double passed = std::chrono::duration<double>(now - filledAt_).count();
            left_ = std::min(size_, left_ + passed * size_ / fillTime_);
            filledAt_ = now;
        }
    }

    double size_ = 0;
    double fillTime_ = 1;  ///< seconds
    double left_ = 0;      ///< below 0: owed
    Time filledAt_{};
};

}  // namespace sallyport
