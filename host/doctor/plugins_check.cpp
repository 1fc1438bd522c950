#include <set>
#include <string>

#include "host/doctor/checks.h"
#include "host/doctor/plugin_findings.h"

namespace sallyport::host::doctor {

namespace {

constexpr const char* check = pluginsCheck;

std::string counted(std::size_t number, const char* what) {
    return std::to_string(number) + (number == 1 ? " plugin " : " plugins ") + what;
}

/// What the daemon says. @return the files that it refused, with which that is done.
std::set<std::string> checkRunning(const Subject& subject, Report& report) {
    std::set<std::string> refused;
    std::size_t well = 0;
    for (const json::Value& element : client::elementsOf(subject.plugins->object(), "plugins")) {
        const json::Object plugin = element.object();
        const std::string name = client::textOf(plugin, "name");
        if (client::textOf(plugin, "state") != "running") {
            refused.insert(client::textOf(plugin, "file"));
            report.fail(check,
                        client::textOf(plugin, "file") + " was refused: " + client::textOf(plugin, "error") +
                            (client::isTrue(plugin, "retried") ? "; it is tried again by itself"
                                                               : "; then run sallyport plugin reload"));
        } else if (const auto trouble = client::optionalText(plugin, "trouble")) {
            if (!hasTold(subject, name, *trouble)) {
                report.fail(check, name + ": " + *trouble);
            }
        } else if (const auto slow = client::slowCallOf(plugin)) {
            report.fail(check, name + ": " + *slow + "; a restart of the daemon ends that");
        } else {
            ++well;
        }
    }
    if (well > 0) {
        report.ok(check, counted(well, "running without trouble"));
    }
    return refused;
}

}  // namespace

void checkPlugins(const Subject& subject, Report& report) {
    const std::set<std::string> done =
        subject.plugins ? checkRunning(subject, report) : std::set<std::string>();
    std::size_t loadable = 0;
    for (const plugins::Inspected& inspected : subject.inspection.plugins) {
        if (inspected.disabled) {
            continue;
        }
        loadable += inspected.problems.empty() ? 1 : 0;
        if (done.contains(inspected.file)) {
            continue;
        }
        for (const std::string& problem : inspected.problems) {
            // Another user may read less.
            report.add(check, subject.asDaemon() ? Verdict::failed : Verdict::warning,
                       inspected.file + " would be refused: " + problem);
        }
    }
    report.add(findingsOf(subject, check));
    if (!subject.plugins && loadable > 0) {
        report.ok(check, counted(loadable, "can be loaded"));
    }
    if (!subject.plugins && loadable == 0) {
        report.fail(check,
                    "there is none to be loaded, and without them nothing is answered: see plugins.dir");
    }
}

}  // namespace sallyport::host::doctor
