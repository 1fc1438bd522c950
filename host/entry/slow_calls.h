// Noticing plugins whose code does not return.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>

#include <sallyport/job_id.h>
#include <sallyport/log.h>

#include "host/entry/entry.h"

namespace sallyport::host::entry {

/// Logs a line about a call that goes on, with what it is for as far as it is for a request.
void logRunning(Logger& log, LogLevel level, std::string_view message, const Running& call);

/// A slow call, in a form that a signal handler can read.
struct StuckCall {
    using Text = std::array<char, 128>;

    Text plugin{};
    Text version{};
    Text callback{};
    Text route{};
    Text request{};
    std::optional<JobId> job;
};

/// Looks at what runs of plugins, and logs once for each call that has lasted longer than a limit: whose it
/// is, which callback, and for which request. Nothing is done to it: no thread can be stopped in the middle
/// of its work. [any thread]
class SlowCalls {
public:
    /// @param log outlives this.
    SlowCalls(std::chrono::milliseconds limit, Logger& log);

    /// The one that had lasted for longest when it was last looked: what a watchdog that ends the daemon may
    /// be about. Null when none was slow. [any thread, signal handlers]
    [[nodiscard]] static const StuckCall* longest() noexcept;

private:
    void run(const std::stop_token& stopping);
    void look();
    void keepLongest();

    const std::chrono::milliseconds limit_;
    Logger& log_;
    std::jthread thread_;
};

}  // namespace sallyport::host::entry
