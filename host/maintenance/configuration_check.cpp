#include "host/maintenance/configuration_check.h"

#include <exception>
#include <optional>
#include <string_view>

#include "host/config/host_settings.h"
#include "host/daemon/configuration_inspection.h"
#include "host/doctor/account.h"
#include "host/doctor/daemon_environment.h"
#include "host/plugins/examiner.h"

namespace sallyport::host::maintenance {

namespace {

/// Whose files the daemon believes, whoever asks.
trust::Trust trustOfDaemon(const Daemon::Source& source) {
    const config::Configuration configuration(source.file, source.overrides, std::nullopt);
    return trust::Trust(
        trust::daemonUser(configuration.settings("", config::hostSettings())->text("data.dir")));
}

/// What the plugins find wrong.
std::vector<std::string> problemsOfPlugins(const InspectedConfiguration& inspection,
                                           const config::Configuration& configuration,
                                           const std::string& dataDirectory) {
    const auto owner = doctor::ownerOf(dataDirectory);
    const auto environment = doctor::DaemonEnvironment::around(dataDirectory);
    if (owner) {
        doctor::become(*owner);
    }
    const doctor::Account self = doctor::currentAccount();
    const plugins::Surroundings surroundings{
        .scope = Examination::Scope::configuration,
        .dataDirectory = dataDirectory,
        .daemonsRights = !owner || owner->uid == self.uid || self.isRoot(),
        .user = self.name,
        .credential = [&](std::string_view name) { return environment.credential(name); },
        .variable = [&](const std::string& name) { return environment.variable(name, false); },
        .running = [](const std::string&) { return std::nullopt; }};
    std::vector<std::string> sentences;
    for (const auto& plugin : plugins::examine(inspection.plugins, configuration, surroundings)) {
        for (const Finding& finding : plugin.findings) {
            if (finding.verdict != Verdict::ok) {
                sentences.push_back(finding.sentence);
            }
        }
    }
    return sentences;
}

}  // namespace

std::vector<std::string> checkConfiguration(const Daemon::Source& source) {
    const auto trust = trustOfDaemon(source);
    const config::Configuration configuration(source.file, source.overrides, trust);
    const HostOptions options = readHostOptions(configuration, trust);
    const InspectedConfiguration inspection = inspectConfiguration(configuration, options, trust);
    if (!inspection.badValues.empty()) {
        throw config::BadValue(inspection.badValues.front());
    }
    std::vector<std::string> sentences;
    for (const auto& inspected : inspection.plugins) {
        for (const std::string& problem : inspected.problems) {
            sentences.push_back(inspected.file + ": " + problem);
        }
    }
    sentences.insert(sentences.end(), inspection.unknownKeys.begin(), inspection.unknownKeys.end());
    try {
        const auto problems = problemsOfPlugins(inspection, configuration, options.dataDirectory);
        sentences.insert(sentences.end(), problems.begin(), problems.end());
    } catch (const std::exception& problem) {
        sentences.push_back(std::string("the plugins could not be asked: ") + problem.what());
    }
    return sentences;
}

}  // namespace sallyport::host::maintenance
