// Leaving a provider alone that fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace sallyport::plugins::llm {

/// Lets calls through to a provider until so many have failed in a row. Then it lets none through for a while
/// (open), then one to try (half-open): as that goes, all again (closed) or none for another while. [any
/// thread]
class CircuitBreaker {
public:
    using Time = std::chrono::steady_clock::time_point;
    enum class State { closed, open, halfOpen };

    /// A call that was let through. What became of it is told exactly once, or no other would be let through
    /// after a try.
    class Pass {
        friend class CircuitBreaker;
        explicit Pass(std::uint64_t period) : period_(period) {}
        std::uint64_t period_;
    };

    /// @param failures in a row that open it, at least 1.
    CircuitBreaker(int failures, std::chrono::milliseconds cooldown)
        : failures_(failures), cooldown_(cooldown) {}

    /// Nothing while no call may go to the provider.
    [[nodiscard]] std::optional<Pass> pass(Time now);

    /// The three ends of a call. One that was let through before the state last changed changes nothing.
    void succeeded(const Pass& pass);
    void failed(const Pass& pass, Time now);
    /// It ended without telling anything of the provider: the client went away, or was to blame.
    void abandoned(const Pass& pass);

    [[nodiscard]] State state(Time now) const;
    /// How long until a call may be tried; zero when one may go now. While one is being tried: a second.
    [[nodiscard]] std::chrono::milliseconds wait(Time now) const;

private:
    void change(State state);

    const int failures_;
    const std::chrono::milliseconds cooldown_;

    mutable std::mutex mutex_;
    State state_ = State::closed;  ///< open also when the while is over and nobody has tried yet
    std::uint64_t period_ = 0;     ///< counts the changes of state
    int inARow_ = 0;
    Time openUntil_{};
};

/// The word for operators: `closed`, `open` or `half_open`.
[[nodiscard]] const char* name(CircuitBreaker::State state);

}  // namespace sallyport::plugins::llm
