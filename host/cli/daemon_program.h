// What the daemon's program does for a command, without a daemon that runs.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/json.h>

#include "host/cli/command.h"

namespace sallyport::host::cli {

/// What came of a task of `sallyportd --maintain`, which is described in host/maintenance/maintenance.h.
class Maintained {
public:
    /// @param answer that is no failure.
    Maintained(ExitCode code, Answer answer) : code_(code), answer_(std::move(answer)) {}

    /// What this program is to end with.
    [[nodiscard]] ExitCode code() const noexcept { return code_; }
    /// What is for programs. It refers to this.
    [[nodiscard]] json::Object document() const { return objectOf(answer_.object(), "document"); }
    /// The same as it was written.
    [[nodiscard]] std::string_view text() const;
    /// What people are told besides. It refers to this.
    [[nodiscard]] json::Object notes() const { return objectOf(answer_.object(), "notes"); }

private:
    ExitCode code_;
    Answer answer_;
};

/// Has a task done, and waits for that. @param arguments `--name=value` or `--name`.
/// @throws Failure if it failed, or could not be done at all.
[[nodiscard]] Maintained maintain(const Context& context, const std::string& task,
                                  std::vector<std::string> arguments);

/// `--config=FILE` for the daemon's configuration, if there is one.
void addConfiguration(std::vector<std::string>& arguments, const Context& context);

}  // namespace sallyport::host::cli
