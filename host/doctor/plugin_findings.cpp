#include "host/doctor/plugin_findings.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include "host/doctor/checks.h"
#include "host/doctor/database.h"

namespace sallyport::host::doctor {

namespace {

bool isThere(const std::string& file) {
    std::error_code unseen;
    return std::filesystem::exists(file, unseen);
}

plugins::Surroundings surroundingsOf(const Subject& subject, bool offline) {
    plugins::Surroundings surroundings{
        .scope = Examination::Scope::everything,
        .network = !offline,
        .dataDirectory = subject.options.dataDirectory,
        .daemonsRights = subject.asDaemon(),
        .user = subject.self.name,
        .credential = [&subject](std::string_view name) { return subject.environment.credential(name); },
        .variable =
            [&subject](const std::string& name) {
                return subject.environment.variable(name, subject.process.has_value());
            },
        .running = [&subject](const std::string& plugin) { return subject.told(plugin); }};
    const std::string& file = subject.options.database.file;
    if (subject.asDaemon() && isThere(file)) {
        surroundings.openDatabase = [&subject, file] {
            return std::make_unique<store::DatabaseFile>(file, accessTo(subject));
        };
    }
    return surroundings;
}

}  // namespace

void examinePlugins(Subject& subject, bool offline) {
    if (subject.self.isRoot() && subject.owner && !subject.owner->isRoot()) {
        throw std::runtime_error("root's rights could not be given up, and no plugin's code is to have them");
    }
    subject.examined =
        plugins::examine(subject.inspection.plugins, subject.configuration, surroundingsOf(subject, offline));
}

Report findingsOf(const Subject& subject, std::string_view check) {
    Report report;
    for (const auto& plugin : subject.examined) {
        for (const Finding& finding : plugin.findings) {
            if (finding.check == check) {
                report.add(finding.check, finding.verdict, finding.sentence);
            }
        }
    }
    return report;
}

bool hasTold(const Subject& subject, std::string_view plugin, std::string_view trouble) {
    return std::any_of(subject.examined.begin(), subject.examined.end(), [&](const auto& examined) {
        return examined.plugin == plugin &&
               std::any_of(examined.findings.begin(), examined.findings.end(), [&](const Finding& finding) {
                   return finding.sentence.find(trouble) != std::string::npos;
               });
    });
}

void addFindings(const Subject& subject, Report& report) {
    for (const auto& plugin : subject.examined) {
        for (const Finding& finding : plugin.findings) {
            if (finding.check != configurationCheck && finding.check != pluginsCheck) {
                report.add(finding.check, finding.verdict, finding.sentence);
            }
        }
    }
}

}  // namespace sallyport::host::doctor
