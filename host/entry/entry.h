// The one guard through which the host enters a plugin's code, and leaves it.
//
// Whatever of a plugin the host calls (a handler, a callback, a destructor) is called inside an Entry, mostly
// by `guarded`. For as long as the call lasts the Entry says whose code runs, in which callback, and for
// which request. Three readers want to know:
//
//   the log             what comes out of the code is caught and becomes one line that names plugin and
//   callback; the slow calls      SlowCalls looks through all threads for entries that last too long, and
//   tells of each
//                       once; `GET /api/plugins` shows them;
//   the crash handler   finds the thread's innermost entry in a signal handler.
//
// Entries nest: a handler publishes a message, and another plugin's subscriber runs inside it. An entry that
// was given no request takes the one of the entry around it, so that a job's crash is known for its own
// however far from its handler it happens. What a plugin leaves with the host to be called later carries the
// request along (plugins::Kept).
//
// Leaving counts as entering: the destructor of a closure is the plugin's code, too. It runs inside an Entry,
// and never while the host holds one of its mutexes, because it may call the host. What a destructor throws
// nobody can catch once it is inside of a std::function, which ends the process; the crash handler names the
// plugin then.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/job_id.h>
#include <sallyport/log.h>

namespace sallyport::host::entry {

/// Whose code it is. It outlives every entry into it.
struct Plugin {
    std::string name;
    std::string version;
    Logger* log = nullptr;  ///< is told what its code does wrong; null: nobody is
};

/// The request for which code runs.
struct Request {
    std::shared_ptr<const void> route;  ///< keeps what `label` refers to
    std::string_view label;             ///< method and path of the route: `GET /api/jobs/{job_id}`
    std::string id;
    std::optional<JobId> job;  ///< whose worker sent it
};
using Origin = std::shared_ptr<const Request>;

/// A call from the host into a plugin's code, on the stack of the thread that makes it.
class Entry {
public:
    using Clock = std::chrono::steady_clock;

    /// @param callback what is entered: `handler`, `Stream::onClosed`, … It lives for ever.
    /// @param origin   for which request; null: for the same as the entry around this one.
    Entry(const Plugin& plugin, const char* callback, Origin origin = nullptr) noexcept;
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    [[nodiscard]] const Plugin& plugin() const noexcept { return plugin_; }
    [[nodiscard]] const char* callback() const noexcept { return callback_; }
    /// Null when it is for no request.
    [[nodiscard]] const Origin& origin() const noexcept { return origin_; }

    /// The innermost entry of this thread; null outside of all plugins. [any thread, signal handlers]
    [[nodiscard]] static const Entry* innermost() noexcept;
    /// The request for which this thread works; null when there is none.
    [[nodiscard]] static Origin currentOrigin();

private:
    friend class Threads;

    const Plugin& plugin_;
    const char* const callback_;
    const Entry* const outer_;
    const Origin origin_;
    const Clock::time_point began_;
    mutable bool told_ = false;  ///< that it is slow. Under the lock of its thread
};

/// An entry that goes on, as somebody on another thread saw it.
struct Running {
    std::string plugin;
    std::string version;
    std::string callback;
    std::string route;    ///< empty when it is for no request
    std::string request;  ///< the request's id; empty as above
    std::optional<JobId> job;
    std::chrono::milliseconds time;  ///< for how long by now
};

/// The entries, on whatever thread, that have lasted at least so long. [any thread]
[[nodiscard]] std::vector<Running> running(std::chrono::milliseconds atLeast);

/// The same without those that an earlier call has told of. Their ends are logged. [any thread]
[[nodiscard]] std::vector<Running> newlySlow(std::chrono::milliseconds atLeast);

/// Tells the plugin's log what came out of its code. Never throws.
void logFailure(const Entry& entry, const std::exception_ptr& error) noexcept;

/// Runs `function`, which calls the plugin's code, and lets nothing out.
/// @return whether it came to its end.
template <class F>
bool guarded(const Plugin& plugin, const char* callback, Origin origin, F&& function) noexcept {
    const Entry entry(plugin, callback, std::move(origin));
    try {
        std::forward<F>(function)();
        return true;
    } catch (...) {
        logFailure(entry, std::current_exception());
        return false;
    }
}

/// Destroys what `holder` (a std::function, a smart pointer, an optional) has of the plugin. Not under a
/// mutex.
template <class T>
void destroy(const Plugin& plugin, const char* callback, T& holder) noexcept {
    if (!holder) {
        return;
    }
    guarded(plugin, callback, nullptr, [&holder] {
        // Assigning is no way for all: a closure need not be assignable.
        if constexpr (requires { holder.reset(); }) {
            holder.reset();
        } else {
            holder = nullptr;
        }
    });
}

}  // namespace sallyport::host::entry
