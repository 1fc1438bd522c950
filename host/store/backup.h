// A copy of the database, taken while it is in use.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

#include "host/store/database_file.h"

namespace sallyport::host::store {

struct BackupOptions {
    bool replace = false;  ///< a file that has the target's name
    /// Told how much of all is copied. @return false to give up.
    std::function<bool(std::int64_t done, std::int64_t all)> progress{};
};

/// Given up because BackupOptions::progress said so.
class BackupStopped : public std::runtime_error {
public:
    BackupStopped() : std::runtime_error("stopped") {}
};

/// Copies the database as it is at one moment, with all that was committed before the call and whether a
/// daemon writes to it or not. The copy is a whole database in one file, checked in all its parts, and on the
/// disk before it is given its name; whatever goes wrong, no half of it has that name.
/// @return what is in it.
/// @throws StoreError (its detail() is a sentence), std::runtime_error (a sentence), BackupStopped
Contents backUp(const std::string& database, const std::string& target, const BackupOptions& options = {});

}  // namespace sallyport::host::store
