// A database's file that appears whole or not at all.
#pragma once

#include <string>

#include <unistd.h>

#include <sallyport/new_file.h>

namespace sallyport::host::store {

/// A new file (mode 0600) beside the database that it is to become, for SQLite to write. It goes with this
/// unless it was published, and with it what SQLite may have left beside it.
struct NewDatabase {
    /// @throws FileError
    explicit NewDatabase(const std::string& target) : file(target, {.unique = true}) {}
    ~NewDatabase() {
        for (const char* suffix : {"-journal", "-wal", "-shm"}) {
            ::unlink((file.path() + suffix).c_str());
        }
    }
    NewDatabase(const NewDatabase&) = delete;
    NewDatabase& operator=(const NewDatabase&) = delete;

    NewFile file;
};

}  // namespace sallyport::host::store
