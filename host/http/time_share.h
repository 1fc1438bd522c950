// How the processor's time is shared among those who ask for something.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sallyport::host::http {

/// Among whom time is shared: a job, the operators, whoever has not made a request yet, or an address from
/// which requests come without a token that counts.
using Account = std::uint64_t;
inline constexpr Account operatorsAccount = 0;
inline constexpr Account newcomersAccount = 1;

/// @param hash of the job's id.
[[nodiscard]] constexpr Account accountOfJob(std::uint64_t hash) noexcept {
    return hash & ~(std::uint64_t{1} << 63U);
}
/// @param hash of the address.
[[nodiscard]] constexpr Account accountOfStrangers(std::uint64_t hash) noexcept {
    return hash | (std::uint64_t{1} << 63U);
}
[[nodiscard]] constexpr bool isOfStrangers(Account account) noexcept {
    return account >> 63U != 0;
}

/// Whether more than one account has asked for something lately. While there is only one, it may have all of
/// the time. [any thread]
class Crowd {
public:
    using Clock = std::chrono::steady_clock;

    /// An account has its turn.
    void had(Account account, Clock::time_point now) noexcept {
        if (last_.exchange(account, std::memory_order_relaxed) != account) {
            changed_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
        }
    }

    [[nodiscard]] bool isThere(Clock::time_point now) const noexcept {
        return now.time_since_epoch().count() - changed_.load(std::memory_order_relaxed) < memory.count();
    }

private:
    static constexpr Clock::duration memory = std::chrono::milliseconds(500);

    std::atomic<Account> last_{operatorsAccount};
    std::atomic<Clock::rep> changed_{-memory.count()};
};

/// Holds one account to a share of one thread's time. [one thread at a time]
class TimeShare {
public:
    using Clock = Crowd::Clock;

    /// It has used that much of the time up to now. @param percent of the time that is its share.
    void used(Clock::duration time, Clock::time_point now, unsigned percent) noexcept {
        paid_ = std::max(paid_, now) + time * 100 / percent;
    }

    /// From when on it may use more: somewhat before it has made up for what it has used.
    [[nodiscard]] Clock::time_point due() const noexcept { return paid_ - ahead; }

    /// Whether it is as if it had never used any.
    [[nodiscard]] bool isFresh(Clock::time_point now) const noexcept { return paid_ <= now; }

private:
    /// So much may come at once.
    static constexpr Clock::duration ahead = std::chrono::milliseconds(10);

    Clock::time_point paid_{};
};

}  // namespace sallyport::host::http
