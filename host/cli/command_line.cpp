#include "host/cli/command_line.h"

#include <algorithm>
#include <exception>
#include <ostream>

#include <CLI/CLI.hpp>

#include "host/cli/command.h"

namespace sallyport::host::cli {

namespace {

constexpr const char* description = "Steers the jobs of a Sallyport daemon.";

constexpr const char* footer = R"(Examples:
  sallyport status
  sallyport job create --title "Docs" "Write the user guide"
  sallyport job create --file task.md --env-file worker.env
  sallyport job watch 3f2b8c1e
  sallyport job prompt 3f2b8c1e "Also cover the command line"
  sallyport job list --state running --json
  sallyport secret set github
  sallyport job create --grant github=GITHUB_TOKEN "Triage the issues"
  sallyport usage --by day
  sallyport doctor
  sallyport backup /var/backups/sallyport.db

On the daemon's own host the address and the token are found by themselves. Elsewhere give --url and
--token-file, or SALLYPORT_URL and SALLYPORT_TOKEN.

Exit codes: 0 done; 1 refused, or (audit verify) not as it was written, or (doctor) something failed;
2 wrong usage; 3 cannot reach the daemon, or no token; 4 (job watch) the job ended other than completed;
130 (job watch, backup) stopped with Ctrl-C.
sallyport(1) says more.)";

/// Of the commands that have none of their own.
constexpr const char* shortFooter =
    "sallyport --help has the options of all commands; sallyport(1) says more.";

struct Parsed {
    GlobalOptions options;
    std::string colour = "auto";
    Command chosen;
};

void addGlobalOptions(CLI::App& app, Parsed& parsed) {
    LocateOptions& locate = parsed.options.locate;
    app.add_option("--url", locate.url, "Address of the operator door: http://HOST:PORT or unix:/PATH")
        ->type_name("URL");
    app.add_option("--token-file", locate.tokenFile, "File with the operator token on its first line")
        ->type_name("FILE");
    app.add_option("--config", locate.config, "The daemon's configuration file, for its data.dir")
        ->type_name("FILE");
    app.add_option("--data-dir", locate.dataDir, "The daemon's data directory, with its address and token")
        ->type_name("DIR");
    app.add_flag("--json", parsed.options.json, "Print the daemon's answer as JSON");
    app.add_option("--color", parsed.colour, "Colours: auto, always or never")
        ->type_name("WHEN")
        ->check(CLI::IsMember({"auto", "always", "never"}).description(""));
    app.add_option_function<int>(
           "--timeout", [&parsed](int seconds) { parsed.options.timeout = std::chrono::seconds(seconds); },
           "Seconds to wait for the daemon (30)")
        ->type_name("SECONDS")
        ->check(CLI::Range(1, 86400).description(""));
    app.set_version_flag("--version", "sallyport " SALLYPORT_VERSION, "Print the version");
}

void declare(CLI::App& app, Parsed& parsed) {
    app.name("sallyport");
    // From here on: commands inherit it.
    app.footer(shortFooter);
    app.require_subcommand(1);
    addGlobalOptions(app, parsed);
    // An option of all commands may stand behind the command, too.
    app.fallthrough();
    addJobCommands(app, parsed.chosen);
    addSecretCommands(app, parsed.chosen);
    addAuditCommands(app, parsed.chosen);
    addPluginCommands(app, parsed.chosen);
    addStatusCommand(app, parsed.chosen);
    addTokenCommands(app, parsed.chosen);
    addUsageCommand(app, parsed.chosen);
    addDoctorCommand(app, parsed.chosen);
    addBackupCommands(app, parsed.chosen);
    app.footer(footer);
}

/// https://no-color.org: set and not empty means no colours, unless the command line wants them.
bool wantsColour(const std::string& choice, bool isTerminal, const Environment& environment) {
    if (choice != "auto") {
        return choice == "always";
    }
    return isTerminal && !environment("NO_COLOR") && environment("TERM").value_or("dumb") != "dumb";
}

void complain(Terminal& err, const std::string& message, const std::vector<std::string>& hints) {
    err.line({{"sallyport: ", Style::red}, {message}});
    for (const std::string& hint : hints) {
        err.line({{"  " + hint}});
    }
    err.flush();
}

ExitCode execute(const Command& chosen, Context& context) {
    try {
        return chosen(context);
    } catch (const Failure& failure) {
        context.out.flush();
        complain(context.err, failure.what(), failure.hints());
        return failure.code();
    } catch (const std::exception& problem) {
        context.out.flush();
        complain(context.err, problem.what(), {});
        return ExitCode::refused;
    }
}

/// A result that did not get out is no success. When the reader has gone (`| head`) it is also no news.
ExitCode afterWriting(ExitCode code, Terminal& out, Terminal& err) {
    out.flush();
    if (!out.failed()) {
        return code;
    }
    if (!out.readerGone()) {
        complain(err, "cannot write the result", {});
    }
    return code == ExitCode::ok ? ExitCode::refused : code;
}

/// Help and the version are no errors, though CLI11 throws them.
int answerParseError(const CLI::App& app, const CLI::ParseError& error, const Invocation& invocation,
                     Terminal& err) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
        return app.exit(error, invocation.out, invocation.err);
    }
    complain(err, error.what(), {"sallyport --help, and sallyport COMMAND --help, say what there is."});
    return static_cast<int>(ExitCode::usage);
}

}  // namespace

int run(const Invocation& invocation) {
    Parsed parsed;
    CLI::App app(description);
    declare(app, parsed);
    Terminal plainErr(invocation.err,
                      {.interactive = invocation.errIsTerminal, .colour = false, .columns = {}});
    try {
        std::vector<std::string> reversed(invocation.arguments.rbegin(), invocation.arguments.rend());
        app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        return answerParseError(app, error, invocation, plainErr);
    }
    const auto colour = [&](bool isTerminal) {
        return wantsColour(parsed.colour, isTerminal, invocation.environment);
    };
    Terminal out(invocation.out, {.interactive = invocation.outIsTerminal,
                                  .colour = colour(invocation.outIsTerminal),
                                  .columns = invocation.outIsTerminal ? invocation.columns : std::nullopt});
    Terminal err(
        invocation.err,
        {.interactive = invocation.errIsTerminal, .colour = colour(invocation.errIsTerminal), .columns = {}});
    Context context{.options = parsed.options,
                    .environment = invocation.environment,
                    .installation = invocation.installation,
                    .in = invocation.in,
                    .inIsTerminal = invocation.inIsTerminal,
                    .out = out,
                    .err = err,
                    .now = now()};
    return static_cast<int>(afterWriting(execute(parsed.chosen, context), out, err));
}

}  // namespace sallyport::host::cli
