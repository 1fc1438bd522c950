#include <exception>
#include <stdexcept>
#include <string>

#include "host/doctor/checks.h"

// The plugin's own reading of its settings, so that the doctor and the daemon can never disagree.
#include "plugins/llm/provider.h"

namespace sallyport::host::doctor {

namespace {

/// What only the plugin can judge. @return whether it is good.
bool checkProviders(const Subject& subject, Report& report) {
    const auto settings = subject.settingsOf("llm");
    try {
        if (settings) {
            static_cast<void>(sallyport::plugins::llm::readProviders(*settings));
        }
        return true;
    } catch (const std::invalid_argument& wrong) {
        report.fail("configuration", std::string(wrong.what()) + "; the plugin llm does not start with that");
        return false;
    }
}

}  // namespace

void checkConfiguration(Subject& subject, Report& report) {
    constexpr const char* check = "configuration";
    subject.inspection = inspectConfiguration(subject.configuration, subject.options, subject.trust);
    for (const std::string& sentence : subject.inspection.badValues) {
        report.fail(check, sentence);
    }
    for (const std::string& sentence : subject.inspection.unknownKeys) {
        report.warn(check, sentence + (sentence.ends_with('?') ? "" : "; nothing reads it: remove it"));
    }
    const bool good = subject.inspection.badValues.empty() && checkProviders(subject, report);
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
