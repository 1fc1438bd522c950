// How the doctor opens the database.
#pragma once

#include "host/doctor/subject.h"
#include "host/store/database_file.h"

namespace sallyport::host::doctor {

/// So that nothing is changed, whether the daemon runs or not, and nothing made, unless it was killed: then
/// SQLite makes what the next start needs, too.
[[nodiscard]] store::DatabaseFile::Access accessTo(const Subject& subject);

}  // namespace sallyport::host::doctor
