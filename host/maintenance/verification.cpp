// `sallyport plugin verify`.
#include <algorithm>
#include <string>
#include <vector>

#include <Poco/JSON/Array.h>

#include "host/config/configuration.h"
#include "host/config/host_settings.h"
#include "host/maintenance/tasks.h"
#include "host/plugins/inspection.h"

namespace sallyport::host::maintenance {

namespace {

using plugins::Inspected;

struct Wanted {
    std::string configuration;
    config::Configuration::Overrides overrides;
    std::vector<std::string> files;  ///< none: what the configuration names
    bool unlisted = false;
};

Wanted wantedIn(Arguments& arguments) {
    Wanted wanted{.configuration = arguments.take("config").value_or(""),
                  .overrides = {},
                  .files = arguments.takeAll("file"),
                  .unlisted = arguments.takeFlag("unlisted")};
    if (auto directory = arguments.take("data-dir")) {
        wanted.overrides.emplace_back("data.dir", *std::move(directory));
    }
    arguments.requireAllTaken();
    return wanted;
}

std::vector<Inspected> inspectAll(const Wanted& wanted) {
    try {
        const config::Configuration configuration(wanted.configuration, wanted.overrides, std::nullopt);
        const auto settings = configuration.settings("", config::hostSettings());
        const trust::Trust trust(trust::daemonUser(settings->text("data.dir")));
        plugins::PluginSources sources = plugins::readPluginSources(*settings);
        if (!wanted.unlisted) {
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
        throw client::UsageError(problem.what());
    }
}

const char* stateOf(const Inspected& plugin) {
    if (!plugin.problems.empty()) {
        return "refused";
    }
    return plugin.disabled ? "disabled" : "good";
}

Poco::JSON::Object::Ptr documentOf(const std::vector<Inspected>& inspected) {
    Poco::JSON::Array plugins;
    for (const Inspected& plugin : inspected) {
        Poco::JSON::Array problems;
        for (const std::string& problem : plugin.problems) {
            problems.add(problem);
        }
        auto entry = orderedObject();
        entry->set("file", plugin.file);
        entry->set("name",
                   plugin.declaration ? Poco::Dynamic::Var(plugin.declaration->name) : Poco::Dynamic::Var());
        entry->set("version", plugin.declaration ? Poco::Dynamic::Var(plugin.declaration->version)
                                                 : Poco::Dynamic::Var());
        entry->set("sha256",
                   plugin.sha256.empty() ? Poco::Dynamic::Var() : Poco::Dynamic::Var(plugin.sha256));
        entry->set("state", stateOf(plugin));
        entry->set("problems", problems);
        plugins.add(entry);
    }
    auto document = orderedObject();
    document->set("plugins", plugins);
    return document;
}

}  // namespace

Outcome verifyPlugins(Arguments& arguments) {
    const std::vector<Inspected> inspected = inspectAll(wantedIn(arguments));
    auto notes = orderedObject();
    // Who has built a plugin owns it, and wants to know what is wrong with it otherwise.
    notes->set("untrusted", std::any_of(inspected.begin(), inspected.end(),
                                        [](const Inspected& plugin) { return plugin.untrusted; }));
    const bool good = std::all_of(inspected.begin(), inspected.end(),
                                  [](const Inspected& plugin) { return plugin.problems.empty(); });
    return {.code = good ? client::ExitCode::ok : client::ExitCode::refused,
            .document = documentOf(inspected),
            .notes = notes};
}

}  // namespace sallyport::host::maintenance
