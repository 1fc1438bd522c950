// Numbered changes of the tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sallyport/store.h>

#include "host/store/sql_dialect.h"

namespace sallyport::host::store {

/// Applies those of `steps` that the database has not seen, within the transaction that is given.
/// @param file the database's name, for sentences.
/// @throws StoreError if the database has seen more than these; std::logic_error if they are not numbered
///         1, 2, 3, …
void applyMigrations(Transaction& transaction, const SqlDialect& dialect, const std::string& file,
                     std::string_view component, const std::vector<Migration>& steps);

}  // namespace sallyport::host::store
