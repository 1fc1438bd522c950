// What a test says about the surroundings of a plugin that looks itself over.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <sallyport/ext/examination.h>

namespace sallyport::testing {

/// A line about a finding, to be compared in a test: `failed keys: there is none`.
[[nodiscard]] inline std::string describe(const Finding& finding) {
    const char* const verdict = finding.verdict == Verdict::ok        ? "ok"
                                : finding.verdict == Verdict::warning ? "warning"
                                                                      : "failed";
    return std::string(verdict) + " " + finding.check + ": " + finding.sentence;
}

/// For FakeHost::examine. Unless something else is said, the plugin is asked for everything, by somebody with
/// the daemon's rights, where no daemon runs, and nothing is in the environment.
struct ExaminationOptions {
    Examination::Scope scope = Examination::Scope::everything;  ///< how much is asked
    bool network = false;                                       ///< whether other machines may be spoken to
    bool daemonsRights = true;                                  ///< Examination::hasDaemonsRights
    bool store = true;  ///< whether there is a database: that of FakeHost::store
    std::map<std::string, std::string> credentials{};  ///< of systemd, by name
    std::map<std::string, std::string> variables{};    ///< of the daemon's environment
    std::set<std::string> unseen{};                 ///< names of those that may be there, and cannot be seen
    std::optional<Examination::Running> running{};  ///< what a daemon that runs says of the plugin
    /// Called when the plugin has come to its end, while its object is still there: what it provides can be
    /// found.
    std::function<void(Examination&)> then{};
};

}  // namespace sallyport::testing
