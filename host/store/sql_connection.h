// One connection to the database file.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <Poco/Data/Session.h>

#include <sallyport/store.h>

#include "host/store/statement.h"

namespace sallyport::host::store {

/// A Poco::Data session on the database file, and its prepared statements. [one thread at a time]
class SqlConnection {
public:
    /// @param lockWait how long a statement waits for a lock that another process holds.
    /// @throws EngineError
    SqlConnection(const std::string& file, std::chrono::milliseconds lockWait);

    /// Runs one statement. @return its rows. @throws EngineError
    Rows run(std::string_view sql, const std::vector<SqlValue>& values = {}) {
        return statements_.run(sql, values);
    }

    /// Runs one statement. @return how many rows it changed itself. @throws EngineError
    std::size_t execute(std::string_view sql, const std::vector<SqlValue>& values = {});

    /// The integer key of the last row that was inserted.
    [[nodiscard]] std::int64_t lastKey() const;
    /// Whether a transaction is open. SQLite ends one by itself on some errors.
    [[nodiscard]] bool inTransaction() const;
    /// Whether the file could be opened for reading only.
    [[nodiscard]] bool readOnly() const;

private:
    Poco::Data::Session session_;
    sqlite3* handle_;
    Statements statements_;
};

}  // namespace sallyport::host::store
