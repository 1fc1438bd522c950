#include <string>

#include "host/doctor/checks.h"
#include "host/doctor/plugin_findings.h"

namespace sallyport::host::doctor {

void lookAtConfiguration(Subject& subject) {
    subject.inspection = inspectConfiguration(subject.configuration, subject.options, subject.trust);
}

void checkConfiguration(const Subject& subject, Report& report) {
    constexpr const char* check = configurationCheck;
    for (const std::string& sentence : subject.inspection.badValues) {
        report.fail(check, sentence);
    }
    for (const std::string& sentence : subject.inspection.unknownKeys) {
        report.warn(check, sentence + (sentence.ends_with('?') ? "" : "; nothing reads it: remove it"));
    }
    const Report ofPlugins = findingsOf(subject, check);
    report.add(ofPlugins);
    const bool good = subject.inspection.badValues.empty() && ofPlugins.count(Verdict::failed) == 0;
    if (good && subject.inspection.unknownKeys.empty()) {
        const std::string& file = subject.configuration.file();
        report.ok(check, (file.empty() ? std::string("there is no file: the defaults are") : file + " is") +
                             " good");
    }
    if (!subject.options.portWarning.empty()) {
        report.warn(check, "ORCHESTRATOR_PORT is \"" + subject.options.portWarning +
                               "\", which is no port, and is ignored: unset it");
    }
}

}  // namespace sallyport::host::doctor
