#include "host/cli/plugin_verify.h"

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "host/cli/daemon_program.h"
#include "host/cli/table.h"

namespace sallyport::host::cli {

namespace {

struct VerifyOptions {
    std::vector<std::string> files;
    bool sums = false;
};

std::vector<std::string> argumentsFor(const Context& context, const VerifyOptions& wanted) {
    std::vector<std::string> arguments;
    addConfiguration(arguments, context);
    if (context.options.locate.dataDir) {
        arguments.push_back("--data-dir=" + *context.options.locate.dataDir);
    }
    for (const std::string& file : wanted.files) {
        arguments.push_back("--file=" + file);
    }
    if (wanted.sums) {
        arguments.emplace_back("--unlisted");
    }
    return arguments;
}

std::vector<std::string> problemsOf(const json::Object& plugin) {
    std::vector<std::string> problems;
    for (const json::Value& problem : elementsOf(plugin, "problems")) {
        problems.push_back(problem.string().value_or(""));
    }
    return problems;
}

void printTable(const std::vector<json::Value>& plugins, Terminal& out) {
    Table table({"NAME", "VERSION", "STATE", "FILE"});
    for (const json::Value& element : plugins) {
        const json::Object plugin = element.object();
        const std::string state = textOf(plugin, "state");
        table.row({{textOf(plugin, "name")},
                   {textOf(plugin, "version")},
                   {state, state == "refused" ? Style::red : Style::green},
                   {textOf(plugin, "file")}});
    }
    table.print(out);
    for (const json::Value& element : plugins) {
        const json::Object plugin = element.object();
        for (const std::string& problem : problemsOf(plugin)) {
            out.line({{textOf(plugin, "file"), Style::bold}, {": " + problem}});
        }
    }
}

void printWherePlacesMatter(Terminal& out) {
    out.line({});
    out.line(
        {{"Whose a file is counts where it lies. Put into the daemon's folder by root, as "
          "`sudo cmake --install` does,"}});
    out.line({{"it is root's, and nobody else may write to it."}});
}

/// As sha256sum(1) writes a line.
std::string sumLine(const std::string& file, const std::string& sum) {
    std::string name;
    for (const char c : file) {
        name += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
    }
    return (name == file ? "" : "\\") + sum + "  " + name;
}

void printSums(const std::vector<json::Value>& plugins, Context& context) {
    for (const json::Value& element : plugins) {
        const json::Object plugin = element.object();
        const std::string file = textOf(plugin, "file");
        const std::string state = textOf(plugin, "state");
        if (state == "refused") {
            std::string problems;
            for (const std::string& problem : problemsOf(plugin)) {
                problems += (problems.empty() ? "" : "; ") + problem;
            }
            context.err.line({{file + ": " + problems}});
        } else if (state != "disabled") {
            context.out.line({{sumLine(file, textOf(plugin, "sha256"))}});
        }
    }
}

ExitCode verify(Context& context, const VerifyOptions& wanted) {
    const Maintained verified = maintain(context, "verify", argumentsFor(context, wanted));
    const std::vector<json::Value> plugins = elementsOf(verified.document(), "plugins");
    if (wanted.sums) {
        printSums(plugins, context);
    } else if (context.options.json) {
        context.out.json(verified.text());
    } else {
        printTable(plugins, context.out);
        if (!wanted.files.empty() && isTrue(verified.notes(), "untrusted")) {
            printWherePlacesMatter(context.out);
        }
    }
    return verified.code();
}

}  // namespace

void addPluginVerify(CLI::App& plugin, Command& chosen) {
    CLI::App& verifying = *plugin.add_subcommand(
        "verify",
        "Check the plugins on this machine as the daemon would, without it and without running them");
    const auto wanted = std::make_shared<VerifyOptions>();
    verifying
        .add_option("file", wanted->files,
                    "Plugin files; without, those in the folders that plugins.dir names")
        ->type_name("FILE");
    verifying.add_flag(
        "--sums", wanted->sums,
        "Print the SHA-256 sums of those that are good otherwise, for the file of plugins.trusted");
    verifying.footer("Ends with 1 if one would be refused.");
    verifying.callback(
        [&chosen, wanted] { chosen = [wanted](Context& context) { return verify(context, *wanted); }; });
}

}  // namespace sallyport::host::cli
