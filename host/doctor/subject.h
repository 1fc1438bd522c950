// What is examined.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <sallyport/secret_text.h>
#include <sallyport/settings.h>

#include "host/client/client.h"
#include "host/config/configuration.h"
#include "host/daemon/configuration_inspection.h"
#include "host/daemon/host_options.h"
#include "host/doctor/account.h"
#include "host/trust/trust.h"

namespace sallyport::host::doctor {

/// What was known before the first look, and what the checks learn for those after them.
struct Subject {
    const config::Configuration& configuration;
    HostOptions options;
    trust::Trust trust;                      ///< of the daemon in files
    std::optional<Account> owner;            ///< of the data directory, and so the daemon's user
    Account self;                            ///< whom this process runs as
    std::optional<std::string> tokenFile{};  ///< instead of the one in the data directory
    std::optional<SecretText> handedOver{};  ///< a master key that systemd gives to the service
    bool handedOverUnseen = false;           ///< perhaps, in a way that only systemd or root can see
    std::optional<std::set<std::string>>
        variables{};  ///< that the daemon's environment has, if it can be seen
    InspectedConfiguration inspection{};
    std::optional<pid_t> process{};           ///< the daemon's, if one runs
    std::optional<client::Answer> plugins{};  ///< its list of plugins

    /// Whether this process may do what the daemon may.
    [[nodiscard]] bool asDaemon() const noexcept { return !owner || owner->uid == self.uid || self.isRoot(); }

    [[nodiscard]] std::string dataFile(const char* name) const { return options.dataDirectory + "/" + name; }

    /// A plugin's settings; null if it is not there to be loaded.
    [[nodiscard]] std::shared_ptr<const Settings> settingsOf(std::string_view plugin) const {
        return inspection.settingsOf(configuration, plugin);
    }

    /// What the running daemon says of a plugin; nothing if it does not run or does not tell.
    [[nodiscard]] std::optional<json::Object> told(std::string_view plugin) const;
};

}  // namespace sallyport::host::doctor
