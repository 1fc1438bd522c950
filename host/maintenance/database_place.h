// The database and what belongs to it, as `backup` and `restore` look for them.
#pragma once

#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include <Poco/JSON/Object.h>

#include <sallyport/errors.h>

#include "host/client/failure.h"
#include "host/config/configuration.h"
#include "host/maintenance/arguments.h"
#include "host/store/database_file.h"

namespace sallyport::host::maintenance {

/// What both are told.
struct FileTask {
    std::string directory;      ///< data.dir
    std::string configuration;  ///< empty: the defaults
    std::string file;           ///< the backup
    bool force = false;
};

/// @throws client::UsageError
[[nodiscard]] FileTask fileTaskIn(Arguments& arguments);

/// Advice for who is not the daemon's user.
[[nodiscard]] const std::vector<std::string>& sudoHints();

/// What the work throws, with advice on what to do.
template <class Work>
auto translating(const std::vector<std::string>& hints, Work work) {
    try {
        return work();
    } catch (const StoreError& error) {
        throw client::Failure(client::ExitCode::refused, error.detail(), hints);
    } catch (const std::system_error& error) {
        throw client::Failure(client::ExitCode::refused, error.what(), hints);
    }
}

/// The configuration, with that data directory; the defaults where it cannot be read.
[[nodiscard]] config::Configuration configurationFor(const FileTask& task);

/// Where the master key is kept, unless it is handed over.
[[nodiscard]] std::string masterKeyFile(const FileTask& task);

/// Adds `schema` and `rows`.
void addContents(Poco::JSON::Object& document, const store::Contents& contents);

}  // namespace sallyport::host::maintenance
