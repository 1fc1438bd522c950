#include "host/doctor/examination.h"

#include <exception>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <sallyport/errors.h>

#include "host/config/host_settings.h"
#include "host/doctor/checks.h"
#include "host/store/database.h"

namespace sallyport::host::doctor {

namespace {

/// Where the packaged unit has the master key from, and the data directory of that unit.
constexpr const char* credentialStore = "/etc/credstore";
constexpr const char* encryptedCredential = "/etc/credstore.encrypted/sallyport-master-key";
constexpr const char* unitsDirectory = "/var/lib/sallyport";

constexpr std::streamsize longestKey = 4096;

std::optional<SecretText> read(const std::string& file) {
    std::ifstream input(file, std::ios::binary);
    if (!input) {
        return std::nullopt;
    }
    SecretText buffer(longestKey);
    input.read(buffer.bytes().data(), longestKey);
    return SecretText::copyOf(buffer.reveal().substr(0, static_cast<std::size_t>(input.gcount())));
}

/// The names alone: the values may be keys. Only root sees them, because the daemon closes its memory.
std::optional<std::set<std::string>> variablesOf(pid_t process) {
    std::ifstream input("/proc/" + std::to_string(process) + "/environ", std::ios::binary);
    if (!input) {
        return std::nullopt;
    }
    std::set<std::string> names;
    std::string entry;
    while (std::getline(input, entry, '\0')) {
        names.insert(entry.substr(0, entry.find('=')));
        wipe(entry);
    }
    return names;
}

/// What the unit's credential is, as far as that can be seen.
void readCredential(Subject& subject) {
    std::error_code unseen;
    if (subject.self.isRoot()) {
        subject.handedOver = read(std::string(credentialStore) + "/sallyport-master-key");
        subject.handedOverUnseen = std::filesystem::exists(encryptedCredential, unseen);
    } else {
        subject.handedOverUnseen = std::filesystem::exists(credentialStore, unseen);
    }
}

/// What only root can read, before its rights are given up.
void readAsRoot(Subject& subject) {
    if (subject.options.dataDirectory == unitsDirectory) {
        readCredential(subject);
    }
    if (!subject.self.isRoot()) {
        return;
    }
    if (const auto process = store::DirectoryLock::holder(subject.options.dataDirectory)) {
        subject.variables = variablesOf(*process);
    }
}

void takeRights(Subject& subject, Report& report) {
    const Account before = subject.self;
    if (!subject.owner) {
        report.ok("user", "run as " + before.name + "; there is no data directory " +
                              subject.options.dataDirectory + " that says who runs the daemon");
        return;
    }
    become(*subject.owner);
    subject.self = currentAccount();
    const std::string daemons = subject.owner->name + ", who owns " + subject.options.dataDirectory;
    if (subject.self.uid != before.uid) {
        report.ok("user", "run as " + before.name + "; goes on as " + daemons);
    } else if (subject.self.uid == subject.owner->uid) {
        report.ok("user", "run as " + daemons);
    } else {
        report.warn("user", "run as " + before.name + " and not as " + daemons +
                                ": much of what follows only that user can see; run sudo sallyport doctor");
    }
}

Subject subjectOf(const config::Configuration& configuration, const std::optional<std::string>& tokenFile) {
    const auto settings = configuration.settings("", config::hostSettings());
    const trust::Trust trust(trust::daemonUser(settings->text("data.dir")));
    Subject subject{.configuration = configuration,
                    .options = readHostOptions(configuration, trust),
                    .trust = trust,
                    .owner = std::nullopt,
                    .self = currentAccount(),
                    .tokenFile = tokenFile};
    subject.owner = ownerOf(subject.options.dataDirectory);
    return subject;
}

/// One check that cannot be made keeps none of the others away.
template <class Check>
void attempt(const char* name, const Subject& subject, Report& report, Check check) {
    try {
        check();
    } catch (const StoreError& problem) {
        report.warn(name, "could not be looked at as " + subject.self.name + ": " + problem.detail());
    } catch (const std::exception& problem) {
        report.warn(name, "could not be looked at as " + subject.self.name + ": " + problem.what());
    }
}

void examineAll(Subject& subject, bool offline, Report& report) {
    attempt("user", subject, report, [&] {
        readAsRoot(subject);
        takeRights(subject, report);
    });
    attempt("configuration", subject, report, [&] { checkConfiguration(subject, report); });
    attempt("permissions", subject, report, [&] { checkPermissions(subject, report); });
    attempt("disk", subject, report, [&] { checkDisk(subject, report); });
    attempt("doors", subject, report, [&] { checkDoors(subject, report); });
    attempt("plugins", subject, report, [&] { checkPlugins(subject, report); });
    attempt("crashes", subject, report, [&] { checkCrashes(subject, report); });
    attempt("database", subject, report, [&] { checkDatabase(subject, report); });
    attempt("keys", subject, report, [&] { checkKeys(subject, report); });
    if (!offline) {
        attempt("upstream", subject, report, [&] { checkUpstreams(subject, report); });
    }
}

}  // namespace

Report examine(const Request& request) {
    Report report;
    try {
        // Whoever's it is: whether the daemon would trust it is told with the permissions.
        const config::Configuration configuration(request.file, request.overrides, std::nullopt);
        Subject subject = subjectOf(configuration, request.tokenFile);
        examineAll(subject, request.offline, report);
    } catch (const config::BadValue& bad) {
        report.fail("configuration",
                    std::string(bad.what()) + "; mend it and run this again: all else depends on it");
    }
    return report;
}

}  // namespace sallyport::host::doctor
