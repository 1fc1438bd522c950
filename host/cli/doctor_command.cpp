#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "host/cli/command.h"
#include "host/cli/daemon_program.h"

namespace sallyport::host::cli {

namespace {

struct DoctorOptions {
    bool offline = false;
    std::vector<std::string> definitions;
};

/// What stands at the beginning of a line.
Span wordOf(const std::string& status) {
    if (status == "ok") {
        return {"ok     ", Style::green};
    }
    return status == "warning" ? Span{"warning", Style::yellow} : Span{"FAILED ", Style::red};
}

std::string counted(std::int64_t number, const std::string& what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

void print(const json::Object& report, Terminal& out) {
    const std::vector<json::Value> checks = elementsOf(report, "checks");
    std::size_t width = 0;
    for (const json::Value& element : checks) {
        width = std::max(width, textOf(element.object(), "check").size());
    }
    for (const json::Value& element : checks) {
        const json::Object finding = element.object();
        std::string check = textOf(finding, "check");
        check.resize(width, ' ');
        out.line({wordOf(textOf(finding, "status")),
                  {"  " + check + "  ", Style::dim},
                  {textOf(finding, "message")}});
    }
    const std::int64_t failures = numberOf(report, "failures");
    const std::int64_t warnings = numberOf(report, "warnings");
    if (failures + warnings > 0) {
        out.line({});
        out.line({{counted(failures, "failure") + ", " + counted(warnings, "warning") + ".", Style::bold}});
    }
}

/// As sallyportd takes them, and the data directory that the command line was told.
std::vector<std::string> argumentsFor(const Context& context, const DoctorOptions& options) {
    std::vector<std::string> arguments;
    addConfiguration(arguments, context);
    for (const std::string& definition : options.definitions) {
        arguments.push_back("--define=" + definition);
    }
    if (context.options.locate.dataDir || context.environment("SALLYPORT_DATA_DIR")) {
        arguments.push_back("--define=data.dir=" +
                            locateDataDirectory(context.options.locate, context.environment));
    }
    if (context.options.locate.tokenFile) {
        arguments.push_back("--token-file=" + *context.options.locate.tokenFile);
    }
    if (options.offline) {
        arguments.emplace_back("--offline");
    }
    return arguments;
}

ExitCode examine(Context& context, const DoctorOptions& options) {
    if (context.options.locate.url) {
        throw UsageError("doctor looks at the machine it runs on: it takes no --url");
    }
    const Maintained report = maintain(context, "doctor", argumentsFor(context, options));
    context.options.json ? context.out.json(report.text()) : print(report.document(), context.out);
    return report.code();
}

}  // namespace

void addDoctorCommand(CLI::App& app, Command& chosen) {
    CLI::App& command =
        *app.add_subcommand("doctor", "Look this machine's Sallyport over, and say what to do");
    const auto options = std::make_shared<DoctorOptions>();
    command.add_flag("--offline", options->offline, "Do not try to reach the model providers");
    command
        .add_option("-D,--define", options->definitions,
                    "Override a key of the configuration, as for sallyportd")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    command.footer(
        "Whether the daemon runs or not. Changes nothing. Run it as root or as the daemon's user; others "
        "see\n"
        "less. Ends with 1 if something FAILED.");
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return examine(context, *options); }; });
}

}  // namespace sallyport::host::cli
