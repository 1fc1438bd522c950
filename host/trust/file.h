// Reading a file that somebody configured.
#pragma once

#include <optional>
#include <string>

#include "host/trust/trust.h"

namespace sallyport::host::trust {

/// The whole file. @param trust nothing when anybody's will do.
/// @throws std::system_error if it cannot be read, Untrusted.
[[nodiscard]] std::string contentsOf(const std::string& file, const std::optional<Trust>& trust);

}  // namespace sallyport::host::trust
