#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include "host/cli/command.h"
#include "host/cli/new_plugin.h"
#include "host/cli/plugin_verify.h"
#include "host/cli/table.h"

namespace sallyport::host::cli {

namespace {

/// What people want to know next: what is wrong, or else what the plugin is for.
Span remarkOf(const json::Object& plugin) {
    for (const char* member : {"error", "trouble"}) {
        if (const auto problem = optionalText(plugin, member)) {
            return {*problem, Style::red};
        }
    }
    if (const auto slow = slowCallOf(plugin)) {
        return {*slow, Style::red};
    }
    if (const std::vector<json::Value> crashes = elementsOf(plugin, "crashes"); !crashes.empty()) {
        const json::Object last = crashes.back().object();
        const std::string route = textOf(last, "route");
        return {"crashed with " + textOf(last, "signal") + " at " + textOf(last, "crashed_at") +
                    (route.empty() ? "" : " in " + route) + "; sallyport plugin acknowledge " +
                    textOf(plugin, "name"),
                Style::red};
    }
    return {textOf(plugin, "summary")};
}

void printRoutes(const json::Object& plugin, Terminal& out) {
    const std::vector<json::Value> routes = elementsOf(plugin, "routes");
    if (routes.empty()) {
        return;
    }
    out.line({});
    out.line({{textOf(plugin, "name"), Style::bold}});
    for (const json::Value& element : routes) {
        const json::Object route = element.object();
        std::string method = textOf(route, "method");
        method.resize(std::max<std::size_t>(method.size(), 6), ' ');
        out.line({{"  " + method + " ", Style::cyan}, {textOf(route, "path")}});
    }
}

ExitCode listPlugins(Context& context, bool verbose) {
    const Answer answer = context.connect().get(Target("/api/plugins"));
    if (context.options.json) {
        context.out.json(answer.text());
        return ExitCode::ok;
    }
    const std::vector<json::Value> plugins = elementsOf(answer.object(), "plugins");
    Table table({"NAME", "VERSION", "STATE", "SUMMARY"});
    for (const json::Value& element : plugins) {
        const json::Object plugin = element.object();
        const std::string state = textOf(plugin, "state");
        const std::string name = textOf(plugin, "name");
        table.row({{name.empty() ? textOf(plugin, "file") : name},
                   {textOf(plugin, "version")},
                   {state, state == "running" ? Style::green : Style::red},
                   remarkOf(plugin)});
    }
    table.print(context.out);
    for (const json::Value& element : plugins) {
        if (verbose) {
            printRoutes(element.object(), context.out);
        }
    }
    return ExitCode::ok;
}

void printReload(const json::Object& answer, Context& context) {
    struct Outcome {
        const char* member;
        Style style;
    };
    for (const Outcome& outcome : {Outcome{"loaded", Style::green}, Outcome{"reloaded", Style::green},
                                   Outcome{"unloaded", Style::yellow}, Outcome{"unchanged", Style::dim}}) {
        for (const json::Value& name : elementsOf(answer, outcome.member)) {
            context.out.line({{outcome.member, outcome.style}, {" " + name.string().value_or("")}});
        }
    }
    for (const json::Value& element : elementsOf(answer, "refused")) {
        const json::Object refused = element.object();
        context.out.line(
            {{"refused", Style::red}, {" " + textOf(refused, "file") + ": " + textOf(refused, "reason")}});
    }
}

ExitCode acknowledge(Context& context, const std::string& plugin) {
    const Answer answer =
        context.connect().post(Target("/api/plugins").segment(plugin).segment("acknowledge"));
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        context.out.line({{"Acknowledged crashes of " + plugin + ": " +
                           std::to_string(numberOf(answer.object(), "crashes"))}});
    }
    return ExitCode::ok;
}

ExitCode reload(Context& context) {
    const Answer answer = context.connect().post(Target("/api/plugins/reload"));
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        printReload(answer.object(), context);
    }
    return elementsOf(answer.object(), "refused").empty() ? ExitCode::ok : ExitCode::refused;
}

void printNextSteps(const NewPlugin& plugin, Terminal& out) {
    out.line({{"Wrote the plugin "},
              {plugin.name, Style::bold},
              {" to " + plugin.directory.string() + ". Next:"}});
    out.line({});
    for (const std::string& step :
         {"cd " + plugin.directory.string(),
          std::string("cmake -B build && cmake --build build && ctest --test-dir build"),
          std::string("sudo cmake --install build"), std::string("sudo sallyport plugin reload")}) {
        out.line({{"  " + step, Style::cyan}});
    }
    out.line({});
    out.line({{"README.md there says more; sallyport-plugin(7) says how plugins work."}});
}

/// Asks no daemon.
ExitCode make(Context& context, const NewPlugin& plugin) {
    const std::vector<std::string> files = write(plugin, context.installation);
    if (!context.options.json) {
        printNextSteps(plugin, context.out);
        return ExitCode::ok;
    }
    Poco::JSON::Array names;
    for (const std::string& file : files) {
        names.add(file);
    }
    Poco::JSON::Object answer(Poco::JSON_PRESERVE_KEY_ORDER);
    answer.set("name", plugin.name);
    answer.set("directory", plugin.directory.string());
    answer.set("files", names);
    std::ostringstream text;
    answer.stringify(text);
    context.out.json(text.str());
    return ExitCode::ok;
}

void addNew(CLI::App& plugin, Command& chosen) {
    CLI::App& making =
        *plugin.add_subcommand("new", "Write a plugin to begin with; needs sallyport-dev, and no daemon");
    struct Arguments {
        std::string name;
        std::optional<std::string> directory;
    };
    const auto arguments = std::make_shared<Arguments>();
    making.add_option("name", arguments->name, "Its name: [a-z][a-z0-9_]*")->required()->type_name("NAME");
    making
        .add_option("--directory", arguments->directory, "Where to write it (./NAME); must be new or empty")
        ->type_name("DIR");
    making.footer(
        "Writes CMakeLists.txt, the plugin's source, a test of it that runs without a daemon, and "
        "README.md.");
    making.callback([&chosen, arguments] {
        chosen = [arguments](Context& context) {
            return make(context, {arguments->name, arguments->directory.value_or(arguments->name)});
        };
    });
}

}  // namespace

void addPluginCommands(CLI::App& app, Command& chosen) {
    CLI::App& plugin = *app.add_subcommand("plugin", "Plugins: list, new, reload, verify, acknowledge");
    plugin.require_subcommand(1);
    CLI::App& listing = *plugin.add_subcommand("list", "List what is loaded, and what was refused and why");
    const auto verbose = std::make_shared<bool>(false);
    listing.add_flag("-v,--verbose", *verbose, "Show the routes, too");
    listing.callback([&chosen, verbose] {
        chosen = [verbose](Context& context) { return listPlugins(context, *verbose); };
    });
    addNew(plugin, chosen);
    CLI::App& reloading =
        *plugin.add_subcommand("reload", "Load new and changed plugins, unload those that are gone");
    reloading.footer("Ends with 1 if a plugin was refused; the others are loaded all the same.");
    reloading.callback([&chosen] { chosen = reload; });
    addPluginVerify(plugin, chosen);
    CLI::App& acknowledging = *plugin.add_subcommand(
        "acknowledge", "Say that a plugin's crashes are known; list and doctor are silent about them then");
    const auto name = std::make_shared<std::string>();
    acknowledging.add_option("name", *name, "The plugin, or sallyportd for crashes of no plugin's code")
        ->required()
        ->type_name("NAME");
    acknowledging.callback(
        [&chosen, name] { chosen = [name](Context& context) { return acknowledge(context, *name); }; });
}

}  // namespace sallyport::host::cli
