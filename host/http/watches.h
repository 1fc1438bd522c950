// Descriptors on an event loop that are not connections.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>

#include <sallyport/ext/io.h>

namespace sallyport::host::http {

/// Descriptors that an epoll(7) set watches, and what has been reported of them. Each has a number that none
/// had before, so that nothing is told to the watch of a later descriptor with the same value. [the loop's
/// thread]
class Watches {
public:
    using Clock = std::chrono::steady_clock;
    using Ready = std::function<void(IoEvents)>;

    /// @param epoll in which they are, under their numbers. It outlives this.
    explicit Watches(int epoll) : epoll_(epoll) {}
    Watches(const Watches&) = delete;
    Watches& operator=(const Watches&) = delete;

    /// As IoLoop::watch. @param number unique in the set.
    void add(std::uint64_t number, int descriptor, IoEvents interest, IoTrigger trigger, Ready ready);
    /// As IoLoop::change; nothing happens if there is no such watch.
    void change(std::uint64_t number, IoEvents interest);
    /// After it nothing is told to it any more.
    void remove(std::uint64_t number) noexcept;

    /// The set has reported something. @return whether that is a watch's number.
    bool report(std::uint64_t number, std::uint32_t events) noexcept;

    /// Whether something was reported that has not been told.
    [[nodiscard]] bool pending() const noexcept { return !reported_.empty(); }

    /// Tells what was reported, in that order, with `call`.
    /// @param end after which the rest is left for the next time. One is told in any case.
    template <class F>
    void tell(Clock::time_point end, F call) {
        // Not those that are reported meanwhile.
        for (auto left = reported_.size(); left > 0 && pending(); --left) {
            if (const auto [ready, events] = take(); ready) {
                call(*ready, events);
                if (Clock::now() >= end) {
                    return;
                }
            }
        }
    }

private:
    struct Watch {
        int descriptor;
        IoEvents interest;
        IoTrigger trigger;
        std::shared_ptr<const Ready> ready;
        IoEvents reported = IoEvents::none;
        std::list<std::uint64_t> place{};  ///< its number, unless that is in reported_
    };
    struct Told {
        std::shared_ptr<const Ready> ready;  ///< shared, because it may end its own watch
        IoEvents events;
    };

    /// The next one that was reported; without `ready` if nobody is to be told.
    [[nodiscard]] Told take() noexcept;
    void control(int operation, const Watch& watch, IoEvents interest, std::uint64_t number) const;

    const int epoll_;
    std::unordered_map<std::uint64_t, Watch> watches_;
    std::list<std::uint64_t> reported_;  ///< takes the places of watches, so that to report takes no memory
};

}  // namespace sallyport::host::http
