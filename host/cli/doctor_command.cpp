#include <algorithm>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "host/cli/command.h"
#include "host/doctor/examination.h"

namespace sallyport::host::cli {

namespace {

using doctor::Finding;
using doctor::Report;
using doctor::Verdict;

struct DoctorOptions {
    bool offline = false;
    std::vector<std::string> definitions;
};

/// What stands at the beginning of a line, and its word in JSON.
struct Word {
    const char* shown;
    Style style;
    const char* json;
};

Word wordOf(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return {"ok     ", Style::green, "ok"};
        case Verdict::warning:
            return {"warning", Style::yellow, "warning"};
        case Verdict::failed:
            break;
    }
    return {"FAILED ", Style::red, "failed"};
}

std::string counted(std::size_t number, const std::string& what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

void print(const Report& report, Terminal& out) {
    std::size_t width = 0;
    for (const Finding& finding : report.findings()) {
        width = std::max(width, finding.check.size());
    }
    for (const Finding& finding : report.findings()) {
        const Word word = wordOf(finding.verdict);
        std::string check = finding.check;
        check.resize(width, ' ');
        out.line({{word.shown, word.style}, {"  " + check + "  ", Style::dim}, {finding.sentence}});
    }
    const std::size_t failures = report.count(Verdict::failed);
    const std::size_t warnings = report.count(Verdict::warning);
    if (failures + warnings > 0) {
        out.line({});
        out.line({{counted(failures, "failure") + ", " + counted(warnings, "warning") + ".", Style::bold}});
    }
}

void printJson(const Report& report, Terminal& out) {
    Poco::JSON::Array checks;
    for (const Finding& finding : report.findings()) {
        Poco::JSON::Object check(Poco::JSON_PRESERVE_KEY_ORDER);
        check.set("check", finding.check);
        check.set("status", wordOf(finding.verdict).json);
        check.set("message", finding.sentence);
        checks.add(check);
    }
    Poco::JSON::Object document(Poco::JSON_PRESERVE_KEY_ORDER);
    document.set("failures", static_cast<std::uint64_t>(report.count(Verdict::failed)));
    document.set("warnings", static_cast<std::uint64_t>(report.count(Verdict::warning)));
    document.set("checks", checks);
    std::ostringstream text;
    document.stringify(text);
    out.json(text.str());
}

/// As sallyportd takes them, and the data directory that the command line was told.
config::Configuration::Overrides overridesOf(const std::vector<std::string>& definitions,
                                             const Context& context) {
    config::Configuration::Overrides overrides;
    for (const std::string& definition : definitions) {
        const auto equals = definition.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw UsageError("--define takes KEY=VALUE, not '" + definition + "'");
        }
        overrides.emplace_back(definition.substr(0, equals), definition.substr(equals + 1));
    }
    if (context.options.locate.dataDir || context.environment("SALLYPORT_DATA_DIR")) {
        overrides.emplace_back("data.dir", locateDataDirectory(context.options.locate, context.environment));
    }
    return overrides;
}

ExitCode examine(Context& context, const DoctorOptions& options) {
    if (context.options.locate.url) {
        throw UsageError("doctor looks at the machine it runs on: it takes no --url");
    }
    const Report report =
        doctor::examine({.file = configurationFile(context.options.locate, context.environment),
                         .overrides = overridesOf(options.definitions, context),
                         .tokenFile = context.options.locate.tokenFile,
                         .offline = options.offline});
    context.options.json ? printJson(report, context.out) : print(report, context.out);
    return report.count(Verdict::failed) == 0 ? ExitCode::ok : ExitCode::refused;
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
