// The keys that the daemon itself reads.
#pragma once

#include <span>

#include <sallyport/settings.h>

namespace sallyport::host::config {

/// All of them, declared whole: `configuration.settings("", hostSettings())`.
[[nodiscard]] std::span<const Setting> hostSettings();

}  // namespace sallyport::host::config
