// How a command line says what a job may use up.
#pragma once

#include <string>
#include <vector>

#include <Poco/JSON/Object.h>

namespace sallyport::host::cli {

/// The limits that the arguments name, each of the form `NAME=VALUE`: a number, with KiB, MiB or GiB for
/// bytes; 0 for any amount; `default` for what the daemon's configuration says.
/// @throws UsageError
[[nodiscard]] Poco::JSON::Object limitsFrom(const std::vector<std::string>& arguments);

}  // namespace sallyport::host::cli
