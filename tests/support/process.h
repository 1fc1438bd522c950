// Child processes that never outlive their test.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <sallyport/file_descriptor.h>

#include "tests/support/deadline.h"

namespace sallyport::tests {

/// A socket as a service manager hands it over (sd_listen_fds(3)). The descriptor stays the caller's.
struct PassedSocket {
    std::string name;
    int descriptor;
};

/// What to start. Of this process's environment only the search path and the settings of the
/// sanitizers are passed on.
struct Command {
    std::string program;
    std::vector<std::string> arguments{};
    std::map<std::string, std::string> environment{};
    /// Both output streams are appended to it. Empty: they are kept for `output()` and `errors()`.
    std::filesystem::path log{};
    /// What standard input is read from. Empty: this process's own.
    std::filesystem::path input{};
    std::vector<PassedSocket> sockets{};
};

/// A running child. Killed when this process or the starting thread ends, and by the destructor.
class Process {
public:
    explicit Process(const Command& command);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// A pidfd: readable once the child has ended.
    [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

    [[nodiscard]] bool running();
    void signal(int number);

    /// Awaits the end. @return the exit status, or 128 + the number of the signal that ended it.
    /// @throws TimedOut
    int wait();

    /// Reads standard output until it has `text`. @throws TimedOut, std::runtime_error when it ends first.
    void awaitOutput(std::string_view text) { awaitText(output_, text); }
    /// The same for standard error.
    void awaitErrors(std::string_view text) { awaitText(errors_, text); }

    /// What it has written so far and was read.
    [[nodiscard]] const std::string& output() const noexcept { return output_.text; }
    [[nodiscard]] const std::string& errors() const noexcept { return errors_.text; }

private:
    struct Captured {
        FileDescriptor pipe;
        std::string text;
    };
    /// Takes what has been written; @return false when no more will come.
    static bool drain(Captured& stream);
    void awaitText(const Captured& stream, std::string_view text);
    void pump(const Deadline& deadline);
    void reap();

    pid_t pid_ = -1;
    FileDescriptor descriptor_;
    Captured output_;
    Captured errors_;
    bool ended_ = false;
    int status_ = 0;
};

/// A child that has ended.
struct Finished {
    int status;
    std::string output;
    std::string errors;

    /// All of it, for the message of an assertion.
    [[nodiscard]] std::string describe() const;
};

/// Runs a command to its end.
[[nodiscard]] Finished run(const Command& command);

}  // namespace sallyport::tests
