#include "host/cli/plugin_verify.h"

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "host/cli/table.h"
#include "host/config/configuration.h"
#include "host/config/host_settings.h"
#include "host/plugins/inspection.h"

namespace sallyport::host::cli {

namespace {

using plugins::Inspected;

struct VerifyOptions {
    std::vector<std::string> files;
    bool sums = false;
};

std::string stateOf(const Inspected& plugin) {
    if (!plugin.problems.empty()) {
        return "refused";
    }
    return plugin.disabled ? "disabled" : "good";
}

std::string problemsOf(const Inspected& plugin) {
    std::string text;
    for (const std::string& problem : plugin.problems) {
        text += (text.empty() ? "" : "; ") + problem;
    }
    return text;
}

/// What the daemon's configuration names, or the files that the command line does.
std::vector<Inspected> inspectAll(const Context& context, const VerifyOptions& wanted) {
    config::Configuration::Overrides overrides;
    if (context.options.locate.dataDir) {
        overrides.emplace_back("data.dir", *context.options.locate.dataDir);
    }
    try {
        const config::Configuration configuration(
            configurationFile(context.options.locate, context.environment), overrides, std::nullopt);
        const auto settings = configuration.settings("", config::hostSettings());
        const trust::Trust trust(trust::daemonUser(settings->text("data.dir")));
        plugins::PluginSources sources = plugins::readPluginSources(*settings);
        if (!wanted.sums) {
            sources.trusted = plugins::readTrustedSums(configuration, *settings, trust);
        }
        if (wanted.files.empty()) {
            return plugins::inspect(sources, trust);
        }
        std::vector<Inspected> inspected;
        for (const std::string& file : wanted.files) {
            inspected.push_back(plugins::inspectFile(file, sources, trust));
        }
        return inspected;
    } catch (const config::BadValue& problem) {
        throw UsageError(problem.what());
    }
}

void printTable(const std::vector<Inspected>& inspected, Terminal& out) {
    Table table({"NAME", "VERSION", "STATE", "FILE"});
    for (const Inspected& plugin : inspected) {
        const bool good = plugin.problems.empty();
        table.row({{plugin.declaration ? plugin.declaration->name : ""},
                   {plugin.declaration ? plugin.declaration->version : ""},
                   {stateOf(plugin), good ? Style::green : Style::red},
                   {plugin.file}});
    }
    table.print(out);
    for (const Inspected& plugin : inspected) {
        for (const std::string& problem : plugin.problems) {
            out.line({{plugin.file, Style::bold}, {": " + problem}});
        }
    }
}

/// Who has built a plugin owns it, and wants to know what is wrong with it otherwise.
void printWherePlacesMatter(const std::vector<Inspected>& inspected, Terminal& out) {
    if (std::any_of(inspected.begin(), inspected.end(),
                    [](const Inspected& plugin) { return plugin.untrusted; })) {
        out.line({});
        out.line(
            {{"Whose a file is counts where it lies. Put into the daemon's folder by root, as "
              "`sudo cmake --install` does,"}});
        out.line({{"it is root's, and nobody else may write to it."}});
    }
}

void printJson(const std::vector<Inspected>& inspected, Terminal& out) {
    Poco::JSON::Array plugins;
    for (const Inspected& plugin : inspected) {
        Poco::JSON::Array problems;
        for (const std::string& problem : plugin.problems) {
            problems.add(problem);
        }
        Poco::JSON::Object entry(Poco::JSON_PRESERVE_KEY_ORDER);
        entry.set("file", plugin.file);
        entry.set("name",
                  plugin.declaration ? Poco::Dynamic::Var(plugin.declaration->name) : Poco::Dynamic::Var());
        entry.set("version", plugin.declaration ? Poco::Dynamic::Var(plugin.declaration->version)
                                                : Poco::Dynamic::Var());
        entry.set("sha256", plugin.sha256.empty() ? Poco::Dynamic::Var() : Poco::Dynamic::Var(plugin.sha256));
        entry.set("state", stateOf(plugin));
        entry.set("problems", problems);
        plugins.add(entry);
    }
    Poco::JSON::Object document;
    document.set("plugins", plugins);
    std::ostringstream text;
    document.stringify(text);
    out.json(text.str());
}

/// As sha256sum(1) writes a line.
std::string sumLine(const Inspected& plugin) {
    std::string name;
    for (const char c : plugin.file) {
        name += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
    }
    return (name == plugin.file ? "" : "\\") + plugin.sha256 + "  " + name;
}

void printSums(const std::vector<Inspected>& inspected, Context& context) {
    for (const Inspected& plugin : inspected) {
        if (!plugin.problems.empty()) {
            context.err.line({{plugin.file + ": " + problemsOf(plugin)}});
        } else if (!plugin.disabled) {
            context.out.line({{sumLine(plugin)}});
        }
    }
}

ExitCode verify(Context& context, const VerifyOptions& wanted) {
    const std::vector<Inspected> inspected = inspectAll(context, wanted);
    if (wanted.sums) {
        printSums(inspected, context);
    } else if (context.options.json) {
        printJson(inspected, context.out);
    } else {
        printTable(inspected, context.out);
        if (!wanted.files.empty()) {
            printWherePlacesMatter(inspected, context.out);
        }
    }
    for (const Inspected& plugin : inspected) {
        if (!plugin.problems.empty()) {
            return ExitCode::refused;
        }
    }
    return ExitCode::ok;
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
