// The extension `io`: the threads that serve connections, for plugins that talk to sockets of their own
// without blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace sallyport {

/// One of the host's event loops. A handler that runs on it (Run::loop) can begin input and output there and
/// answer its request without another thread having to wake up. What is called here must not block: other
/// connections wait for the same thread. What it throws is logged.
class IoLoop {
public:
    virtual ~IoLoop() = default;

    /// Whether the caller is on this loop's thread. [any thread]
    [[nodiscard]] virtual bool isCurrent() const noexcept = 0;

    /// Runs `task` on the loop's thread soon, in the order of posting, never before `post` has returned.
    /// Posting from the loop's own thread costs no system call. [any thread]
    virtual void post(std::function<void()> task) = 0;

    /// Calls `readable` whenever there is something to read from `descriptor`, and again as long as there is:
    /// a socket, a timerfd(2), an eventfd(2), or an epoll(7) with any number of them. The descriptor stays
    /// the caller's, and open until `unwatch`. [the loop's thread]
    /// @throws std::system_error when it cannot be watched.
    virtual void watch(int descriptor, std::function<void()> readable) = 0;

    /// Ends that: `readable` is not called any more. Nothing happens if the descriptor is not watched.
    /// [the loop's thread]
    virtual void unwatch(int descriptor) = 0;
};

/// The extension: `host.extension<IoLoops>()`.
class IoLoops {
public:
    static constexpr const char* extensionName = "io";    ///< for Host::extension
    static constexpr std::uint32_t extensionVersion = 1;  ///< likewise

    virtual ~IoLoops() = default;

    /// The event loops that serve connections, at least one, and always the same. They run until the plugin
    /// has stopped; what is watched then is not watched any more. [any thread]
    [[nodiscard]] virtual std::vector<std::shared_ptr<IoLoop>> loops() = 0;
};

}  // namespace sallyport
