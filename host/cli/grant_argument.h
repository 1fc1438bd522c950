// Grants, as a command line names them.
#pragma once

#include <string>
#include <vector>

#include <Poco/JSON/Array.h>

namespace sallyport::host::cli {

/// From `SECRET=ENV_VAR` each, what the daemon takes as `credentials`.
/// @throws UsageError
[[nodiscard]] Poco::JSON::Array grantsFrom(const std::vector<std::string>& arguments);

}  // namespace sallyport::host::cli
