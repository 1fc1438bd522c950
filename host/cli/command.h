// What every command is given, and how commands are declared.
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

#include <sallyport/timestamp.h>

#include "host/cli/client_names.h"
#include "host/cli/new_plugin.h"
#include "host/cli/terminal.h"

namespace CLI {
class App;
}

namespace sallyport::host::cli {

/// The options that every command takes.
struct GlobalOptions {
    LocateOptions locate;
    bool json = false;
    std::chrono::seconds timeout{30};
};

/// A command's surroundings while it runs.
struct Context {
    const GlobalOptions& options;
    const Environment& environment;
    const Installation& installation;
    std::istream& in;
    bool inIsTerminal;
    Terminal& out;
    Terminal& err;
    Timestamp now;

    /// Finds the daemon. @throws Failure
    [[nodiscard]] Client connect() const { return {locate(options.locate, environment), options.timeout}; }
};

using Command = std::function<ExitCode(Context&)>;

/// Each declares the commands of one noun. The one that the command line names ends up in `chosen`, to
/// be run when all of the line has been read.
void addAuditCommands(CLI::App& app, Command& chosen);
void addBackupCommands(CLI::App& app, Command& chosen);
void addDoctorCommand(CLI::App& app, Command& chosen);
void addJobCommands(CLI::App& app, Command& chosen);
void addPluginCommands(CLI::App& app, Command& chosen);
void addSecretCommands(CLI::App& app, Command& chosen);
void addStatusCommand(CLI::App& app, Command& chosen);
void addTokenCommands(CLI::App& app, Command& chosen);
void addUsageCommand(CLI::App& app, Command& chosen);

}  // namespace sallyport::host::cli
