// A configuration and the plugins that it names, looked at without running anything.
#pragma once

#include <string>
#include <vector>

#include "host/config/configuration.h"
#include "host/daemon/host_options.h"
#include "host/plugins/inspection.h"
#include "host/trust/trust.h"

namespace sallyport::host {

struct InspectedConfiguration {
    std::vector<plugins::Inspected> plugins;  ///< disabled ones, too
    std::vector<std::string> badValues;       ///< of plugins' settings: a sentence each
    std::vector<std::string> unknownKeys;     ///< a sentence each
};

/// Looks at the plugins and checks their settings. @param trust of the daemon, whoever runs this.
[[nodiscard]] InspectedConfiguration inspectConfiguration(const config::Configuration& configuration,
                                                          const HostOptions& options,
                                                          const trust::Trust& trust);

}  // namespace sallyport::host
