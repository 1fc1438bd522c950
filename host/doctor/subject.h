// What is examined.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/ext/examination.h>

#include "host/client/client.h"
#include "host/config/configuration.h"
#include "host/daemon/configuration_inspection.h"
#include "host/daemon/host_options.h"
#include "host/doctor/account.h"
#include "host/doctor/daemon_environment.h"
#include "host/plugins/examiner.h"
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
    DaemonEnvironment environment{};
    InspectedConfiguration inspection{};
    std::optional<pid_t> process{};                   ///< the daemon's, if one runs
    std::optional<client::Answer> plugins{};          ///< its list of plugins
    std::vector<host::plugins::Examined> examined{};  ///< what the plugins have found

    /// Whether this process may do what the daemon may.
    [[nodiscard]] bool asDaemon() const noexcept { return !owner || owner->uid == self.uid || self.isRoot(); }

    [[nodiscard]] std::string dataFile(const char* name) const { return options.dataDirectory + "/" + name; }

    /// What the running daemon says of a plugin that it runs; nothing if it does not or cannot be asked.
    [[nodiscard]] std::optional<Examination::Running> told(std::string_view plugin) const;
};

}  // namespace sallyport::host::doctor
