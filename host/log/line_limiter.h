// Which log lines are written, and which are only counted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <sallyport/log.h>

#include "host/log/line.h"

namespace sallyport::host::log {

/// Keeps a flood of lines of one kind from filling the disk. A kind is a component's message about one job
/// and one plugin's callback. Of lines that a peer causes (they name a request, a job or a peer) ten of a
/// kind are written in a second, of others, which may be about many things, 256; the rest is counted. While a
/// flood goes on, one and ten are written in each further second. Lines for who looks for a fault (debug) are
/// not limited. [one thread at a time]
class LineLimiter {
public:
    using Clock = std::chrono::steady_clock;

    /// Kinds that are told apart in one second. Beyond it, jobs and plugins are not.
    static constexpr std::size_t mostKinds = 4096;

    /// Lines of one kind that were not written.
    struct Held {
        LogLevel level;
        std::string component;
        std::string message;
        std::string plugin;    ///< empty: none was named
        std::string callback;  ///< of that plugin; empty: none was named
        std::string job;       ///< empty: none was named
        std::uint64_t lines;
    };

    /// @return whether the line is to be written. If not, it has been counted.
    [[nodiscard]] bool admit(const Entry& entry, Clock::time_point now);

    /// What was held back in seconds that are over.
    [[nodiscard]] std::vector<Held> take(Clock::time_point now);

    /// What was held back up to now.
    [[nodiscard]] std::vector<Held> takeAll();

private:
    struct Kind {
        Clock::time_point since;    ///< the beginning of its second
        std::uint64_t written = 0;  ///< in that second
        bool flooding = false;      ///< whether lines were held back in the second before
        Held held;
    };

    Kind& kindOf(const Entry& entry, Clock::time_point now);

    std::unordered_map<std::string, Kind> kinds_;
    Clock::time_point lookedAt_{};  ///< when seconds that are over were last looked for
};

}  // namespace sallyport::host::log
