// A database file by itself, without a daemon or beside one.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/store.h>

#include "host/store/statement.h"

struct sqlite3;

namespace sallyport::host::store {

/// A connection of its own to a database file, for looking at it and copying it. [one thread at a time]
class DatabaseFile {
public:
    enum class Access {
        write,  ///< the log that a crash left is brought in, too
        read,   ///< nothing is changed; a daemon may be at work on it
        still,  ///< nothing is changed or made beside it; nobody else may be at work on it
    };

    /// @throws EngineError
    DatabaseFile(std::string file, Access access);
    DatabaseFile(const DatabaseFile&) = delete;
    DatabaseFile& operator=(const DatabaseFile&) = delete;

    /// Runs one statement. @return its rows. @throws EngineError
    Rows run(std::string_view sql, const std::vector<SqlValue>& values = {}) {
        return statements_.run(sql, values);
    }

    /// From now on a statement that is still running after that time ends with the code SQLITE_INTERRUPT.
    void limitTime(std::chrono::milliseconds time);

    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] sqlite3* handle() const noexcept { return handle_.get(); }

private:
    struct Close {
        void operator()(sqlite3* handle) const;
    };

    std::string file_;
    std::unique_ptr<sqlite3, Close> handle_;
    Statements statements_;
    std::chrono::steady_clock::time_point deadline_{};
};

/// What a database holds.
struct Contents {
    std::map<std::string, std::int64_t> schema;  ///< the version of each component's tables
    std::map<std::string, std::int64_t> rows;    ///< by table

    [[nodiscard]] std::int64_t totalRows() const;
    bool operator==(const Contents&) const = default;
};

/// Whether there is a table of that name. @throws EngineError
[[nodiscard]] bool hasTable(DatabaseFile& database, std::string_view name);

/// Contents::schema alone, which takes no time. @throws EngineError; StoreError if it is not Sallyport's
[[nodiscard]] std::map<std::string, std::int64_t> schemaOf(DatabaseFile& database);

/// @throws EngineError; StoreError if it is not Sallyport's
[[nodiscard]] Contents contentsOf(DatabaseFile& database);

/// Reads all of a file that nobody writes to, and makes sure that it is a whole database of Sallyport's.
/// @throws StoreError whose detail() is a sentence that names the file.
[[nodiscard]] Contents verify(const std::string& file);

}  // namespace sallyport::host::store
