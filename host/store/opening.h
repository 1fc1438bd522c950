// Opening the database file, and saying plainly why it cannot be.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "host/store/sql_connection.h"
#include "host/store/sql_dialect.h"

namespace sallyport::host::store {

/// "Spor" in the file's header tells our databases from those of others.
inline constexpr std::int64_t applicationId = 0x53706f72;

/// Opens `file` for the writer, creating it with mode 0600 if need be, and makes sure that it is ours,
/// whole and can be written.
/// @param maxBytes size of the file at the most; 0: the disk decides.
/// @throws StoreError whose detail() is a sentence for the operator.
[[nodiscard]] std::unique_ptr<SqlConnection> openDatabase(const std::string& file, const SqlDialect& dialect,
                                                          std::size_t maxBytes,
                                                          std::chrono::milliseconds lockWait);

}  // namespace sallyport::host::store
