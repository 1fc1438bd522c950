// Finding the daemon, and a token for it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "host/client/address.h"

namespace sallyport::host::client {

/// Looks up a variable of the environment; nothing when it is not set or empty.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// What the command line says about where to look.
struct LocateOptions {
    std::optional<std::string> url;
    std::optional<std::string> tokenFile;
    std::optional<std::string> config;
    std::optional<std::string> dataDir;
};

/// Where to look when nothing is said.
struct DefaultPlaces {
    std::string config = "/etc/sallyport/sallyport.properties";
    std::string dataDir = "/var/lib/sallyport";
    std::string socket = "/run/sallyport/operator.sock";
};

/// The daemon's configuration file: `--config`, else SALLYPORT_CONFIG, else the installed one. Empty if
/// nobody named one and that is not there.
[[nodiscard]] std::string configurationFile(const LocateOptions& options, const Environment& environment,
                                            const DefaultPlaces& places = {});

/// Where to ask, and what to prove with. The origins are for sentences.
struct Access {
    Address address;
    std::string addressOrigin;
    std::string token;  ///< empty: none is shown
    std::string tokenOrigin;
    /// Users of whom one must have the process that answers at a Unix socket; none: anybody may.
    std::vector<uid_t> peers{};
    std::string dataDir{};  ///< whose owner is among the peers
};

/// Address: `--url`, else SALLYPORT_URL, else the daemon's own socket: the one that `operator.socket` in the
/// data directory names, or that of the default places if nobody named another daemon's data. Token:
/// `--token-file`, else SALLYPORT_TOKEN, else `operator.token` in the data directory. Data directory:
/// `--data-dir`, else SALLYPORT_DATA_DIR, else `data.dir` in the configuration file (`--config`, else
/// SALLYPORT_CONFIG, else the installed one), else the default.
///
/// What was found and not given is not trusted blindly: after a crash anybody may listen on the daemon's
/// port. A socket that was found must be root's or that of the data directory's owner. The token of the data
/// directory goes through such a socket and nowhere else. A token that somebody gave goes where they said;
/// if they did not say where, and the daemon has no socket, to `operator.address` in the data directory.
///
/// SALLYPORT_URL and SALLYPORT_TOKEN are passed over when they are a worker's: the two programs'
/// variables have the same names, and the shell that starts a worker is often the operator's.
///
/// @throws UsageError for an address that is none, Unreachable when something is not found, saying what
/// was looked for, where, and what to do.
[[nodiscard]] Access locate(const LocateOptions& options, const Environment& environment,
                            const DefaultPlaces& places = {});

/// The data directory alone, found as above. @throws Unreachable for a configuration file that cannot be
/// read.
[[nodiscard]] std::string locateDataDirectory(const LocateOptions& options, const Environment& environment,
                                              const DefaultPlaces& places = {});

}  // namespace sallyport::host::client
