// Where plugins come from.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sallyport/settings.h>

#include "host/config/configuration.h"
#include "host/plugins/trusted_sums.h"
#include "host/trust/trust.h"

namespace sallyport::host::plugins {

/// What the configuration says about plugins, and what its reader adds.
struct PluginSources {
    std::vector<std::string> directories;        ///< in order; `*.so` in each, by name
    std::string assets;                          ///< each plugin's files to serve, in a folder of its name
    std::vector<std::string> disabled;           ///< names
    std::shared_ptr<const TrustedSums> trusted;  ///< no others are loaded; null: any
    bool watch = false;                          ///< notice by itself what comes and goes
    std::string workspace;                       ///< for private copies; emptied at start
    std::chrono::milliseconds grace{10'000};     ///< how long a replaced plugin's calls may take
    /// Whether a file is known not to be complete. Empty: nothing is known.
    std::function<bool(const std::string& file)> beingWritten;

    [[nodiscard]] bool isDisabled(const std::string& name) const;
};

/// The `plugins.…` keys but for `plugins.trusted`. @param settings the host's own.
[[nodiscard]] PluginSources readPluginSources(const Settings& settings);

/// The file of `plugins.trusted`; null when it is not set. @throws config::BadValue
[[nodiscard]] std::shared_ptr<const TrustedSums> readTrustedSums(const config::Configuration& configuration,
                                                                 const Settings& settings,
                                                                 const trust::Trust& trust);

}  // namespace sallyport::host::plugins
