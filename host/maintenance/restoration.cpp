// `sallyport restore`.
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <fcntl.h>

#include <sallyport/file_descriptor.h>

#include "host/config/host_settings.h"
#include "host/doctor/account.h"
#include "host/doctor/daemon_environment.h"
#include "host/maintenance/database_place.h"
#include "host/maintenance/tasks.h"
#include "host/plugins/examiner.h"
#include "host/plugins/inspection.h"
#include "host/store/database.h"
#include "host/store/restore.h"

namespace sallyport::host::maintenance {

namespace {

namespace fs = std::filesystem;

using client::ExitCode;
using client::Failure;

/// From here on with the rights of the daemon's user, so that what is made is that user's.
void becomeOwner(const std::string& directory) {
    const auto owner = translating(sudoHints(), [&] { return doctor::ownerOf(directory); });
    if (!owner) {
        throw Failure(ExitCode::refused, "there is no data directory " + directory,
                      {"Make it for the user that the daemon runs as: install -d -m 700 -o USER " + directory,
                       "Shall the data be elsewhere? --data-dir DIR, or --config FILE."});
    }
    translating({}, [&] { doctor::become(*owner); });
}

void requireStopped(const std::string& directory) {
    if (const auto process = store::DirectoryLock::holder(directory)) {
        throw Failure(ExitCode::refused,
                      "the daemon runs (process " + std::to_string(*process) + "), and has the database open",
                      {"Stop it first: systemctl stop sallyport"});
    }
}

plugins::PluginSources sourcesIn(const config::Configuration& configuration, const trust::Trust& trust) {
    const auto settings = configuration.settings("", config::hostSettings());
    plugins::PluginSources sources = plugins::readPluginSources(*settings);
    sources.trusted = plugins::readTrustedSums(configuration, *settings, trust);
    return sources;
}

/// What keeps the plugins from using what is in the database with what is beside it; empty if nothing does.
std::string troubleWith(const FileTask& task, const doctor::DaemonEnvironment& environment) {
    const auto configuration = configurationFor(task);
    const trust::Trust trust(trust::daemonUser(task.directory));
    const plugins::Surroundings surroundings{
        .scope = Examination::Scope::restored,
        .dataDirectory = task.directory,
        .user = doctor::currentAccount().name,
        .openDatabase =
            [&task] {
                return std::make_unique<store::DatabaseFile>(task.directory + "/sallyport.db",
                                                             store::DatabaseFile::Access::still);
            },
        .credential = [&](std::string_view name) { return environment.credential(name); },
        .variable = [&](const std::string& name) { return environment.variable(name, false); },
        .running = [](const std::string&) { return std::nullopt; }};
    std::string trouble;
    for (const auto& plugin : plugins::examine(plugins::inspect(sourcesIn(configuration, trust), trust),
                                               configuration, surroundings)) {
        for (const Finding& finding : plugin.findings) {
            if (finding.verdict != Verdict::ok) {
                trouble += (trouble.empty() ? "" : "; ") + finding.sentence;
            }
        }
    }
    return trouble;
}

/// The same, whatever keeps the plugins from being asked: the database has been restored.
std::string troubleAfterwards(const FileTask& task, const doctor::DaemonEnvironment& environment) {
    try {
        return troubleWith(task, environment);
    } catch (const std::exception& problem) {
        return std::string("whether it can be used could not be looked at: ") + problem.what();
    }
}

Poco::Dynamic::Var textOrNull(const std::string& text) {
    return text.empty() ? Poco::Dynamic::Var() : Poco::Dynamic::Var(text);
}

}  // namespace

Outcome restore(Arguments& arguments) {
    const FileTask task = fileTaskIn(arguments);
    // Before the rights to read it are given up, perhaps.
    const FileDescriptor file(::open(task.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.open()) {
        throw client::UsageError("cannot read " + task.file + ": " + std::strerror(errno));
    }
    if (fs::is_directory(task.file)) {
        throw client::UsageError(task.file + " is a directory: name the file in it, such as " +
                                 (fs::path(task.file) / "sallyport.db").string());
    }
    // As is this.
    const auto environment = doctor::DaemonEnvironment::around(task.directory);
    becomeOwner(task.directory);
    requireStopped(task.directory);
    // How far the audit trail went is told by a file that belongs to the former database alone.
    const store::RestoreOptions restoring{.companions = {"credentials.audit-head"}, .allowNewer = task.force};
    const store::Restored restored =
        translating({}, [&] { return store::restore(file.get(), task.file, task.directory, restoring); });
    auto document = orderedObject();
    document->set("database", task.directory + "/sallyport.db");
    document->set("former", textOrNull(restored.former));
    document->set("key_trouble", textOrNull(troubleAfterwards(task, environment)));
    addContents(*document, restored.contents);
    return {.document = document};
}

}  // namespace sallyport::host::maintenance
