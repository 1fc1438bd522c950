#include <cstddef>
#include <map>
#include <string>

#include "host/doctor/checks.h"
#include "host/entry/crash_journal.h"

namespace sallyport::host::doctor {

namespace {

constexpr const char* check = "crashes";

/// `boom 1.0 crashed with SIGSEGV at 2026-… in its handler of GET /api/boom`.
std::string sentence(const entry::Crash& crash) {
    std::string text = crash.plugin + (crash.version.empty() ? "" : " " + crash.version) + " crashed with " +
                       crash.signal + " at " + crash.time;
    if (!crash.callback.empty()) {
        text += " in its " + crash.callback;
    }
    if (!crash.route.empty()) {
        text += " of " + crash.route;
    }
    return crash.error.empty() ? text : text + ": " + crash.error;
}

}  // namespace

void checkCrashes(const Subject& subject, Report& report) {
    const auto history = entry::CrashHistory::in(subject.options.dataDirectory);
    std::map<std::string, std::size_t> counts;
    std::map<std::string, const entry::Crash*> last;
    for (const auto& crash : history.crashes) {
        ++counts[crash.plugin];
        last[crash.plugin] = &crash;
    }
    for (const auto& [plugin, count] : counts) {
        report.fail(check, sentence(*last[plugin]) +
                               (count == 1 ? "" : ", the last of " + std::to_string(count) + " crashes") +
                               "; once you know why, run sallyport plugin acknowledge " + plugin);
    }
    for (const auto& job : history.quarantined) {
        report.warn(check, "the requests of job " + job.str() +
                               " crashed the daemon twice and are refused; cancel it, or run sallyport job "
                               "release " +
                               job.str());
    }
    if (counts.empty() && history.quarantined.empty()) {
        report.ok(check, "none that has not been acknowledged");
    }
}

}  // namespace sallyport::host::doctor
