// Having plugins look themselves over.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <sallyport/ext/examination.h>

#include "host/config/configuration.h"
#include "host/plugins/inspection.h"
#include "host/plugins/surroundings.h"

namespace sallyport::host::plugins {

/// What one plugin found.
struct Examined {
    std::string plugin;
    std::vector<Finding> findings;
};

/// How long one plugin may take, by default.
inline constexpr std::chrono::seconds patienceWithExamination{60};

/// Has every plugin that would be loaded look itself over (Plugin::examine), in the order in which they would
/// be started. Their code runs in another process, with the rights of this one and without its descriptors:
/// what crashes there, or does not come to an end, is a finding under the check `plugins`, and the others are
/// examined all the same. What they write to standard output goes to standard error. [the only thread of the
/// process]
/// @param inspected what was read is what is run. Those with problems and the disabled are passed over, and
/// those
///                  whose settings cannot be.
/// @throws std::system_error if there is no process to be had.
[[nodiscard]] std::vector<Examined> examine(const std::vector<Inspected>& inspected,
                                            const config::Configuration& configuration,
                                            const Surroundings& surroundings,
                                            std::chrono::milliseconds patience = patienceWithExamination);

}  // namespace sallyport::host::plugins
