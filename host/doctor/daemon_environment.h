// What the daemon is given by its surroundings, seen from beside it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <sallyport/ext/examination.h>
#include <sallyport/secret_text.h>

namespace sallyport::host::doctor {

/// Credentials of systemd, and variables of the environment. Root sees more: it looks before it gives up its
/// rights.
class DaemonEnvironment {
public:
    using Given = Examination::Given;

    /// Looks for what the daemon with that data directory is given: as its unit says it, if it is that of the
    /// package, or as it was handed to this very process. @throws std::runtime_error if the data directory
    /// cannot be looked into.
    [[nodiscard]] static DaemonEnvironment around(const std::string& dataDirectory);

    /// Only names that begin with `sallyport-` are known.
    [[nodiscard]] Given credential(std::string_view name) const;
    /// @param runs whether a daemon does: then its environment counts, else that of this process.
    [[nodiscard]] Given variable(const std::string& name, bool runs) const;

private:
    void lookIntoStores();

    std::map<std::string, SecretText, std::less<>> credentials_;
    std::set<std::string, std::less<>> encrypted_;    ///< names of credentials that only systemd can decrypt
    bool credentialsHidden_ = false;                  ///< there may be some
    std::optional<std::set<std::string>> variables_;  ///< of the daemon that runs, if they can be seen
};

}  // namespace sallyport::host::doctor
