// How a command fails, and what the program's exit code says about it.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace sallyport::host::client {

/// What the program exits with. Scripts rely on the numbers; the man page lists them.
enum class ExitCode {
    ok = 0,
    refused = 1,          ///< the daemon refused, or something failed, such as writing the result
    usage = 2,            ///< the command line, or a file it names, is wrong
    unreachable = 3,      ///< no address or token found, or nothing answers there
    jobNotCompleted = 4,  ///< `job watch`: the job failed, or was cancelled or interrupted
    interrupted = 130,    ///< `job watch`, `backup`: stopped with Ctrl-C
};

/// Ends the command: one sentence on what went wrong, and lines that say what to do about it. Both may
/// carry text from elsewhere; whoever shows them escapes it.
class Failure : public std::runtime_error {
public:
    Failure(ExitCode code, const std::string& message, std::vector<std::string> hints = {})
        : std::runtime_error(message), code_(code), hints_(std::move(hints)) {}

    [[nodiscard]] ExitCode code() const noexcept { return code_; }
    [[nodiscard]] const std::vector<std::string>& hints() const noexcept { return hints_; }

private:
    ExitCode code_;
    std::vector<std::string> hints_;
};

/// The command line is wrong, or a file that it names.
class UsageError : public Failure {
public:
    explicit UsageError(const std::string& message, std::vector<std::string> hints = {})
        : Failure(ExitCode::usage, message, std::move(hints)) {}
};

/// Nothing answers, or what was needed to ask was not found. Trying again later may help.
class Unreachable : public Failure {
public:
    explicit Unreachable(const std::string& message, std::vector<std::string> hints = {})
        : Failure(ExitCode::unreachable, message, std::move(hints)) {}
};

/// An answer is longer than this program takes into memory. Asking for less helps.
class AnswerTooLong : public Failure {
public:
    explicit AnswerTooLong(const std::string& message) : Failure(ExitCode::refused, message) {}
};

/// The daemon answered, and refused.
class Refused : public Failure {
public:
    Refused(int status, const std::string& message, std::vector<std::string> hints = {})
        : Failure(ExitCode::refused, message, std::move(hints)), status_(status) {}

    /// The HTTP status it answered with.
    [[nodiscard]] int status() const noexcept { return status_; }

private:
    int status_;
};

}  // namespace sallyport::host::client
