// Deadlines on an event loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

namespace sallyport::host::http {

class Timers;

/// Expires once for each time that it is armed. Destroying it cancels it. [the loop's thread]
class Timer {
public:
    using Clock = std::chrono::steady_clock;

    /// @param timers outlive this. @param expired may do anything with the timer.
    Timer(Timers& timers, std::function<void()> expired);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// In place of the deadline that it had. Takes no memory.
    void arm(Clock::time_point deadline) noexcept;
    void cancel() noexcept;
    [[nodiscard]] bool isArmed() const noexcept { return place_ != nowhere; }

private:
    friend class Timers;

    static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

    Timers& timers_;
    const std::shared_ptr<const std::function<void()>> expired_;
    Clock::time_point deadline_;
    std::uint64_t order_ = 0;      ///< of arming: the first one is the first to expire
    std::size_t place_ = nowhere;  ///< among those that are armed
};

/// The timers of a loop, by their deadlines. Arming and cancelling take a time that grows with the logarithm
/// of how many are armed. [the loop's thread]
class Timers {
public:
    using Clock = Timer::Clock;

    Timers() = default;
    Timers(const Timers&) = delete;
    Timers& operator=(const Timers&) = delete;

    /// When the first one is due; the end of time when none is armed.
    [[nodiscard]] Clock::time_point next() const noexcept;

    /// Calls those that are due, with `call`, in the order of their deadlines. Those that are armed meanwhile
    /// are not among them.
    /// @param end after which the rest is left for the next time. One is called in any case.
    template <class F>
    void expire(Clock::time_point now, Clock::time_point end, F call) {
        now_ = now;
        const auto armed = orders_;
        while (auto expired = take(armed)) {
            call(*expired);
            if (Clock::now() >= end) {
                return;
            }
        }
    }

private:
    friend class Timer;
    using Expired = std::shared_ptr<const std::function<void()>>;

    /// The callback of the first one, if that is due and was not armed later than this; else null.
    [[nodiscard]] Expired take(std::uint64_t order) noexcept;
    void add();
    void place(Timer& timer) noexcept;
    void remove(Timer& timer) noexcept;
    void put(Timer& timer, std::size_t place) noexcept;
    [[nodiscard]] bool rise(Timer& timer) noexcept;
    void sink(Timer& timer) noexcept;
    [[nodiscard]] static bool isBefore(const Timer& one, const Timer& other) noexcept;

    std::vector<Timer*> heap_;  ///< the armed ones, each before its two children
    std::size_t count_ = 0;     ///< armed or not: so many have room
    std::uint64_t orders_ = 0;
    Clock::time_point now_;  ///< when it was last looked for those that are due
};

}  // namespace sallyport::host::http
