// The extension `io`: the threads that serve connections, for plugins that talk to sockets of their own
// without blocking.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace sallyport {

/// What is so of a descriptor, one or more joined with `|`. The values are those of epoll(7).
enum class IoEvents : std::uint32_t {
    none = 0,
    readable = 0x0001,  ///< there is something to read, or the end of it (EPOLLIN)
    writable = 0x0004,  ///< it takes bytes; of a socket that is connecting: that is over (EPOLLOUT)
    failed = 0x0008,    ///< it has an error, which SO_ERROR names (EPOLLERR)
    closed = 0x0010,    ///< both directions are shut (EPOLLHUP)
    ended = 0x2000,     ///< the peer sends nothing more than what can be read now (EPOLLRDHUP)
};

/// All of both.
[[nodiscard]] constexpr IoEvents operator|(IoEvents one, IoEvents other) noexcept {
    return static_cast<IoEvents>(static_cast<std::uint32_t>(one) | static_cast<std::uint32_t>(other));
}
/// What both have.
[[nodiscard]] constexpr IoEvents operator&(IoEvents one, IoEvents other) noexcept {
    return static_cast<IoEvents>(static_cast<std::uint32_t>(one) & static_cast<std::uint32_t>(other));
}
/// Joins more to what there is.
constexpr IoEvents& operator|=(IoEvents& events, IoEvents more) noexcept {
    return events = events | more;
}
/// Whether any of `which` is among the events.
[[nodiscard]] constexpr bool has(IoEvents events, IoEvents which) noexcept {
    return (events & which) != IoEvents::none;
}

/// When a watch is told of what is so.
enum class IoTrigger {
    level,  ///< again and again for as long as it is so
    edge,   ///< once when it becomes so: read or write until that would block, or it is not told again
};

/// A timer of a loop. It rests until it is armed. One that is destroyed is cancelled; that happens on the
/// loop's thread, or anywhere once the plugin has stopped. [the loop's thread] @throws std::logic_error
/// elsewhere
class IoTimer {
public:
    using Clock = std::chrono::steady_clock;  ///< goes on whatever becomes of the time of day

    virtual ~IoTimer() = default;

    /// Has the timer expire once, not before `deadline` and about a millisecond after it at the latest,
    /// unless the loop has more to do. In place of the deadline that it had, if it was armed. Takes no memory
    /// and no system call. A deadline that has passed is for the loop's next turn, also from within the
    /// timer's own callback.
    virtual void arm(Clock::time_point deadline) = 0;

    /// Has it not expire, also if it is due already. Nothing happens if it is not armed.
    virtual void cancel() = 0;

    /// Whether it is to expire. No more so while its callback runs, unless that arms it again.
    [[nodiscard]] virtual bool isArmed() const = 0;
};

/// One of the host's event loops. A handler that runs on it (Run::loop) can begin input and output there and
/// answer its request without another thread having to wake up. What is called here must not block: other
/// connections wait for the same thread. What it throws is logged.
///
/// Callbacks of watches and timers have a fraction of a millisecond of each turn together; those that are
/// left over have the next one. So what a watch is told may be over by then.
class IoLoop {
public:
    virtual ~IoLoop() = default;

    /// Whether the caller is on this loop's thread. [any thread]
    [[nodiscard]] virtual bool isCurrent() const noexcept = 0;

    /// Runs `task` on the loop's thread soon, in the order of posting, never before `post` has returned.
    /// Posting from the loop's own thread costs no system call. [any thread]
    virtual void post(std::function<void()> task) = 0;

    /// Calls `ready` with what is so of `descriptor`: a socket, a pipe, an eventfd(2) or whatever else
    /// epoll(7) takes. In place of the watch that the plugin has of it on this loop, if there is one. [the
    /// loop's thread]
    /// @param descriptor stays the caller's, and open until `unwatch`.
    /// @param interest   `readable`, `writable`, both, or `none`. `failed` and `closed` are told besides
    ///                   unless it is `none`, and `ended` if it has `readable`.
    /// @param trigger    see there.
    /// @param ready      may change or end this watch, and any other.
    /// @throws std::system_error when it cannot be watched, std::logic_error on another thread.
    virtual void watch(int descriptor, IoEvents interest, IoTrigger trigger,
                       std::function<void(IoEvents)> ready) = 0;

    /// Watches for something else from now on. Costs a system call if that is something else, and no memory.
    /// What is so already is told, also by an edge. [the loop's thread]
    /// @throws std::logic_error if the descriptor is not watched, and on another thread; std::system_error.
    virtual void change(int descriptor, IoEvents interest) = 0;

    /// Ends a watch: its callback is not called any more. To be done before the descriptor is closed. Nothing
    /// happens if the descriptor is not watched. [the loop's thread] @throws std::logic_error elsewhere
    virtual void unwatch(int descriptor) = 0;

    /// Makes a timer that calls `expired` whenever it does, on the loop's thread. [the loop's thread]
    /// @param expired may arm, cancel and destroy the timer.
    /// @throws std::logic_error elsewhere.
    [[nodiscard]] virtual std::unique_ptr<IoTimer> timer(std::function<void()> expired) = 0;

    /// Calls `readable` for as long as there is something to read. As the other `watch`.
    void watch(int descriptor, std::function<void()> readable) {
        watch(descriptor, IoEvents::readable, IoTrigger::level,
              [readable = std::move(readable)](IoEvents) { readable(); });
    }
};

/// The extension: `host.extension<IoLoops>()`.
class IoLoops {
public:
    static constexpr const char* extensionName = "io";    ///< for Host::extension
    static constexpr std::uint32_t extensionVersion = 1;  ///< likewise

    virtual ~IoLoops() = default;

    /// The event loops that serve connections, at least one, and always the same. They run until the plugin
    /// has stopped; nothing is watched any more then, and no timer expires. [any thread]
    [[nodiscard]] virtual std::vector<std::shared_ptr<IoLoop>> loops() = 0;
};

}  // namespace sallyport
