// Following a job's events, from the first to the last.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <sallyport/job_id.h>

#include "host/cli/client_names.h"
#include "host/cli/job_event.h"
#include "host/cli/terminal.h"

namespace sallyport::host::cli {

/// Shows what is stored, then what comes, each event once and in order, until the job is over. When the
/// connection is lost it comes back, after pauses that grow, and goes on where it was.
class EventDisplay {
public:
    struct Options {
        std::uint64_t since = 0;  ///< show only what came after the event of this number
        bool follow = true;       ///< go on with what comes
        bool json = false;
        /// Without a sign of life for three heartbeats the connection is dead.
        std::chrono::milliseconds idle = std::chrono::seconds(3 * 15);
        std::chrono::milliseconds firstPause = std::chrono::milliseconds(250);
        std::chrono::milliseconds longestPause = std::chrono::seconds(10);
    };

    /// Finds the daemon anew for each connection: one that restarted may have another address.
    using Connect = std::function<Client()>;

    EventDisplay(Connect connect, const JobId& job, const Options& options, Terminal& out, Terminal& err,
                 Interruption& interruption)
        : connect_(std::move(connect)),
          job_(job),
          options_(options),
          out_(out),
          err_(err),
          interruption_(interruption),
          last_(options.since) {}

    /// @throws Failure when the daemon cannot be reached at the beginning, or refuses.
    [[nodiscard]] ExitCode run();

private:
    void begin();
    void follow();
    [[nodiscard]] std::optional<std::string> attempt(const std::function<void()>& talk);
    void followOnce(const Client& client);
    void take(const JobEvent& event, const Client& client);
    void catchUp(const Client& client);
    [[nodiscard]] bool showPage(const Client& client, std::size_t limit);
    void endIfOver(const Client& client);
    void present(const JobEvent& event);
    [[nodiscard]] bool pause(const std::string& why);
    [[nodiscard]] bool done() const;

    Connect connect_;
    JobId job_;
    Options options_;
    Terminal& out_;
    Terminal& err_;
    Interruption& interruption_;
    std::uint64_t last_;                 ///< the number of the last event shown
    bool reached_ = false;               ///< whether the daemon has answered
    std::string shownState_;             ///< the last state shown
    std::string endState_;               ///< how the job ended; empty while it runs
    std::chrono::milliseconds pause_{};  ///< before the next attempt; none when the last one went well
};

}  // namespace sallyport::host::cli
