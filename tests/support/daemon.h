// The real daemon, started for a test.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/http_client.h"
#include "tests/support/notify_socket.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

/// sallyportd with a directory of its own. Both doors listen on free loopback ports unless the settings
/// say otherwise. The constructor returns when the daemon is ready; the destructor ends it, and a daemon
/// that did not end well (a sanitizer's finding, a crash) is remembered by `failures()`.
///
/// Start it on a thread that lives on: it dies with the thread that started it.
class Daemon {
public:
    struct Options {
        std::map<std::string, std::string> settings{};  ///< given as `-Dkey=value`
        std::map<std::string, std::string> environment{};
        std::vector<std::string> arguments{};
        /// A program that turns into the daemon, such as prlimit(1), and its own arguments.
        std::vector<std::string> wrapper{};
        /// Whether its sockets are kept for the next start, as systemd does.
        bool keepsSockets = false;
    };

    /// @throws std::runtime_error with the daemon's log when it ends before it is ready.
    Daemon();
    explicit Daemon(Options options);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    [[nodiscard]] Endpoint worker() const;
    [[nodiscard]] Endpoint operators() const;
    /// The admin token that the daemon wrote at its first start.
    [[nodiscard]] std::string operatorToken() const;

    [[nodiscard]] std::filesystem::path dataDirectory() const { return directory_ / "data"; }
    /// Where tests may put files beside the data directory.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_.path(); }
    [[nodiscard]] const Options& options() const noexcept { return options_; }
    [[nodiscard]] Options& options() noexcept { return options_; }

    /// SIGTERM. @return the exit status, which is not 0 when a sanitizer found something.
    int terminate();
    /// SIGTERM without awaiting the end.
    void beginTermination();
    /// Awaits the end. @return the exit status.
    int awaitExit();
    /// SIGKILL, and awaits the end.
    void kill();
    /// Starts it again on the same data directory, after terminate or kill.
    void start();
    /// SIGHUP, and awaits the end of the reload.
    void reload();

    /// Awaits a notification such as `WATCHDOG=1`. @throws TimedOut
    void awaitNotification(std::string_view line);

    /// Awaits that its log has `text`, behind the first `from` bytes. @throws TimedOut
    void awaitLog(std::string_view text, std::size_t from = 0) const;

    /// Everything it has written to standard error so far.
    [[nodiscard]] std::string log() const;
    /// Threads at this moment.
    [[nodiscard]] std::size_t threads() const;
    [[nodiscard]] pid_t pid() const;

    /// What it has left with its service manager.
    [[nodiscard]] NotifySocket& notifications() noexcept { return notifications_; }

    /// What it is started with: for tests that start it another way.
    [[nodiscard]] Command command() const;

    /// One line for each daemon of this test run that did not end well.
    [[nodiscard]] static std::vector<std::string> failures();

private:
    TemporaryDirectory directory_;
    Options options_;
    NotifySocket notifications_;
    std::unique_ptr<Process> process_;
};

/// A daemon with these settings, for all tests of this process that ask for the same.
[[nodiscard]] Daemon& sharedDaemon(const std::map<std::string, std::string>& settings = {});
/// Ends those that were started.
void endSharedDaemons();

}  // namespace sallyport::tests
