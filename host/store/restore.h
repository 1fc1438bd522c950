// Putting a backup in the place of the database.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/store/database_file.h"

namespace sallyport::host::store {

struct RestoreOptions {
    /// Files of the data directory that belong to the former database alone, and go out of the way with it.
    std::vector<std::string> companions{};
    /// Whether a backup with newer tables than the present database has is taken all the same.
    bool allowNewer = false;
    /// Told what has just been done: `copied`, `checked`, `set aside`, `restored`.
    std::function<void(std::string_view step)> progress{};
};

struct Restored {
    Contents contents;
    std::string former;  ///< the directory with the database that was there before; empty if there was none
};

/// Puts the backup in the place of `<directory>/sallyport.db`, with the directory locked against a daemon.
/// The backup is checked in all its parts first. Whenever this is cut short, by a power failure too, the
/// former database is in place or the restored one, whole and without what was written to the other.
/// @param backup  an open file, so that it can be one that the directory's owner may not open.
/// @param name    the backup's, for sentences.
/// @throws StoreError (its detail() is a sentence), std::runtime_error (a sentence; of a daemon that runs,
/// too)
Restored restore(int backup, const std::string& name, const std::string& directory,
                 const RestoreOptions& options = {});

}  // namespace sallyport::host::store
