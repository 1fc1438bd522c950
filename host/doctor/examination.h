// Looking a Sallyport over: what `sallyport doctor` does.
#pragma once

#include <optional>
#include <string>

#include "host/config/configuration.h"
#include "host/doctor/report.h"

namespace sallyport::host::doctor {

struct Request {
    std::string file;  ///< the configuration; empty: defaults
    config::Configuration::Overrides overrides{};
    std::optional<std::string> tokenFile{};  ///< an operator token; nothing: the one in the data directory
    bool offline = false;                    ///< nobody else's computer is spoken to
};

/// Looks at everything that a daemon with that configuration needs, whether it runs or not. Nothing of it is
/// changed, no lock is taken, and no secret is in the report.
///
/// Run by root it goes on with the rights of the data directory's owner, for good, because it is for that
/// user that all must be as it should be.
[[nodiscard]] Report examine(const Request& request);

}  // namespace sallyport::host::doctor
