#include "host/store/file_identity.h"

#include <cerrno>
#include <system_error>

#include <sys/stat.h>

#include <sqlite3.h>

#include "host/store/statement.h"

namespace sallyport::host::store {

namespace {

constexpr const char* advice =
    "put it back, or stop the daemon and restore a backup (sallyport restore FILE)";

}  // namespace

FileIdentity::FileIdentity(const std::string& file) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
        struct stat status {};
        if (::stat((file + suffix).c_str(), &status) == 0) {
            files_.push_back({file + suffix, status.st_dev, status.st_ino});
        }
    }
}

std::optional<std::string> FileIdentity::problem() const {
    for (const Known& known : files_) {
        struct stat status {};
        if (::stat(known.name.c_str(), &status) != 0) {
            const int reason = errno;
            return reason == ENOENT || reason == ENOTDIR
                       ? "\"" + known.name + "\" was deleted while the daemon runs; " + advice
                       : "\"" + known.name + "\" cannot be looked at (" +
                             std::generic_category().message(reason) + ")";
        }
        if (status.st_ino != known.inode || status.st_dev != known.device) {
            return "\"" + known.name + "\" was replaced while the daemon runs; " + advice;
        }
    }
    return std::nullopt;
}

void FileIdentity::require() const {
    if (const auto what = problem()) {
        throw EngineError(SQLITE_CANTOPEN, *what);
    }
}

}  // namespace sallyport::host::store
