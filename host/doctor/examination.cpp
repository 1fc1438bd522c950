#include "host/doctor/examination.h"

#include <exception>

#include <sallyport/errors.h>

#include "host/config/host_settings.h"
#include "host/doctor/checks.h"
#include "host/doctor/plugin_findings.h"

namespace sallyport::host::doctor {

namespace {

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

/// What the plugins find is told where it belongs, and depends on what is found out later than that.
void examineAll(Subject& subject, bool offline, Report& report) {
    // Root sees more of it.
    attempt("user", subject, report,
            [&] { subject.environment = DaemonEnvironment::around(subject.options.dataDirectory); });
    attempt("user", subject, report, [&] { takeRights(subject, report); });
    Report later;
    attempt(configurationCheck, subject, report, [&] { lookAtConfiguration(subject); });
    attempt("doors", subject, later, [&] { checkDoors(subject, later); });
    attempt(pluginsCheck, subject, later, [&] { examinePlugins(subject, offline); });
    attempt(configurationCheck, subject, report, [&] { checkConfiguration(subject, report); });
    attempt("permissions", subject, report, [&] { checkPermissions(subject, report); });
    attempt("disk", subject, report, [&] { checkDisk(subject, report); });
    report.add(later);
    attempt(pluginsCheck, subject, report, [&] { checkPlugins(subject, report); });
    attempt("crashes", subject, report, [&] { checkCrashes(subject, report); });
    attempt("database", subject, report, [&] { checkDatabase(subject, report); });
    addFindings(subject, report);
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
