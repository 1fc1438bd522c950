#include "host/store/database_file.h"

#include <filesystem>
#include <numeric>
#include <utility>

#include <Poco/URI.h>
#include <sqlite3.h>

#include "host/store/opening.h"

namespace sallyport::host::store {

namespace {

/// How long a lock is waited for that the daemon holds, which it does for moments only.
constexpr int lockWaitMs = 5000;

/// SQLite asks about the time after so many of its own instructions.
constexpr int instructionsBetweenLooks = 10'000;

sqlite3* openHandle(const std::string& file, DatabaseFile::Access access) {
    std::string uri;
    Poco::URI::encode(file, "?#%", uri);
    uri = "file:" + uri + (access == DatabaseFile::Access::still ? "?immutable=1" : "");
    const int mode = access == DatabaseFile::Access::write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    sqlite3* handle = nullptr;
    const int code =
        sqlite3_open_v2(uri.c_str(), &handle, mode | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE, nullptr);
    if (code != SQLITE_OK) {
        const std::string reason = sqlite3_errmsg(handle);
        sqlite3_close(handle);
        throw EngineError(code & 0xff, reason);
    }
    sqlite3_busy_timeout(handle, lockWaitMs);
    return handle;
}

std::string inQuotes(const std::string& text, char quote) {
    std::string result(1, quote);
    for (const char c : text) {
        result.append(c == quote ? 2 : 1, c);
    }
    return result + quote;
}

/// SQLite takes what is missing of the last page for zeros.
void requireWholePages(DatabaseFile& database) {
    const auto number = [&](const char* pragma) { return database.run(pragma).at(0).integer(0); };
    const auto expected =
        static_cast<std::uintmax_t>(number("PRAGMA page_count") * number("PRAGMA page_size"));
    const std::uintmax_t size = std::filesystem::file_size(database.file());
    if (size != expected) {
        throw EngineError(SQLITE_CORRUPT, "it has " + std::to_string(size) + " bytes, and should have " +
                                              std::to_string(expected));
    }
}

[[noreturn]] void explainUnreadable(const EngineError& error, const std::string& file) {
    switch (error.code()) {
        case SQLITE_NOTADB:
            throw StoreError("\"" + file + "\" is not an SQLite database");
        case SQLITE_CORRUPT:
            throw StoreError("\"" + file + "\" is damaged (" + error.detail() + ")");
        default:
            throw StoreError("\"" + file + "\" cannot be read: " + error.detail());
    }
}

}  // namespace

void DatabaseFile::Close::operator()(sqlite3* handle) const {
    sqlite3_close_v2(handle);
}

DatabaseFile::DatabaseFile(std::string file, Access access)
    : file_(std::move(file)), handle_(openHandle(file_, access)), statements_(handle_.get()) {}

void DatabaseFile::limitTime(std::chrono::milliseconds time) {
    deadline_ = std::chrono::steady_clock::now() + time;
    sqlite3_progress_handler(
        handle_.get(), instructionsBetweenLooks,
        [](void* self) {
            return std::chrono::steady_clock::now() > static_cast<const DatabaseFile*>(self)->deadline_ ? 1
                                                                                                        : 0;
        },
        this);
}

std::int64_t Contents::totalRows() const {
    return std::accumulate(rows.begin(), rows.end(), std::int64_t{0},
                           [](std::int64_t sum, const auto& table) { return sum + table.second; });
}

bool hasTable(DatabaseFile& database, std::string_view name) {
    return !database.run("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", {std::string(name)})
                .empty();
}

std::map<std::string, std::int64_t> schemaOf(DatabaseFile& database) {
    if (database.run("PRAGMA application_id").at(0).integer(0) != applicationId) {
        throw StoreError("\"" + database.file() + "\" is no database of Sallyport's");
    }
    std::map<std::string, std::int64_t> schema;
    if (hasTable(database, "schema_migrations")) {
        for (const Row& row :
             database.run("SELECT component, max(version) FROM schema_migrations GROUP BY component")) {
            schema[row.text(0)] = row.integer(1);
        }
    }
    return schema;
}

Contents contentsOf(DatabaseFile& database) {
    Contents contents{schemaOf(database), {}};
    for (const Row& table : database.run("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT "
                                         "LIKE 'sqlite\\_%' ESCAPE '\\'")) {
        const std::string name = table.text(0);
        contents.rows[name] = database.run("SELECT count(*) FROM " + inQuotes(name, '"')).at(0).integer(0);
    }
    return contents;
}

Contents verify(const std::string& file) {
    try {
        DatabaseFile database(file, DatabaseFile::Access::still);
        Contents contents = contentsOf(database);
        requireWholePages(database);
        const std::string verdict = database.run("PRAGMA integrity_check(1)").at(0).text(0);
        if (verdict != "ok") {
            throw EngineError(SQLITE_CORRUPT, verdict);
        }
        return contents;
    } catch (const EngineError& error) {
        explainUnreadable(error, file);
    }
}

}  // namespace sallyport::host::store
