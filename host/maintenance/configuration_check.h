// `sallyportd --check-config`.
#pragma once

#include <string>
#include <vector>

#include "host/daemon/daemon.h"

namespace sallyport::host::maintenance {

/// Reads and checks a configuration as a start would, and has the plugins that it names look at theirs. Run
/// by root it goes on with the rights of the data directory's owner, for good, before it runs any of their
/// code.
/// @return one sentence for each thing that a start would complain of and go on: a plugin that would be
/// refused, a
///         key that is not known, what a plugin finds wrong.
/// @throws config::BadValue
[[nodiscard]] std::vector<std::string> checkConfiguration(const Daemon::Source& source);

}  // namespace sallyport::host::maintenance
