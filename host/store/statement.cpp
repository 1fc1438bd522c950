#include "host/store/statement.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <sqlite3.h>

namespace sallyport::host::store {

namespace {

/// More than the host and its plugins say; a plugin that writes values into its SQL must not make the
/// cache grow.
constexpr std::size_t keptAtMost = 64;

/// Leaves a statement as if it had never run, however its run ends: a statement that is not reset holds
/// on to its snapshot of the database.
class Run {
public:
    explicit Run(sqlite3_stmt* statement) : statement_(statement) {}
    ~Run() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

private:
    sqlite3_stmt* statement_;
};

/// What the system said, where it was the system.
std::string causeOf(sqlite3* handle, int code) {
    const bool ofSystem = code == SQLITE_IOERR || code == SQLITE_FULL || code == SQLITE_CANTOPEN;
    const int error = ofSystem ? sqlite3_system_errno(handle) : 0;
    return error == 0 ? std::string() : ": " + std::generic_category().message(error);
}

[[noreturn]] void fail(sqlite3* handle, int code) {
    throw EngineError(code & 0xff, std::string(sqlite3_errmsg(handle)) + " (SQLite code " +
                                       std::to_string(sqlite3_extended_errcode(handle)) +
                                       causeOf(handle, code & 0xff) + ")");
}

/// Binds one value. It must outlive the run.
struct Bind {
    sqlite3_stmt* statement;
    int index;

    int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
    int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
    int operator()(double value) const { return sqlite3_bind_double(statement, index, value); }
    int operator()(const std::string& value) const {
        return sqlite3_bind_text64(statement, index, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    int operator()(const Bytes& value) const {
        // An empty vector may point nowhere, which SQLite would take for NULL.
        return value.empty()
                   ? sqlite3_bind_zeroblob(statement, index, 0)
                   : sqlite3_bind_blob64(statement, index, value.data(), value.size(), SQLITE_STATIC);
    }
};

void bind(sqlite3* handle, sqlite3_stmt* statement, const std::vector<SqlValue>& values) {
    if (std::cmp_not_equal(values.size(), sqlite3_bind_parameter_count(statement))) {
        throw std::invalid_argument("a statement needs " +
                                    std::to_string(sqlite3_bind_parameter_count(statement)) +
                                    " values and got " + std::to_string(values.size()));
    }
    int index = 0;
    for (const SqlValue& value : values) {
        const int code = std::visit(Bind{statement, ++index}, value);
        if (code != SQLITE_OK) {
            fail(handle, code);
        }
    }
}

SqlValue column(sqlite3_stmt* statement, int index) {
    const auto size = [&] { return static_cast<std::size_t>(sqlite3_column_bytes(statement, index)); };
    switch (sqlite3_column_type(statement, index)) {
        case SQLITE_INTEGER:
            return sqlite3_column_int64(statement, index);
        case SQLITE_FLOAT:
            return sqlite3_column_double(statement, index);
        case SQLITE_TEXT: {
            // The length, not the first NUL, says where a text ends.
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
            return text == nullptr ? std::string() : std::string(text, size());
        }
        case SQLITE_BLOB: {
            const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement, index));
            return bytes == nullptr ? Bytes() : Bytes(bytes, bytes + size());
        }
        default:
            return {};
    }
}

Row row(sqlite3_stmt* statement) {
    const int count = sqlite3_column_count(statement);
    std::vector<SqlValue> columns;
    columns.reserve(static_cast<std::size_t>(count));
    for (int index = 0; index < count; ++index) {
        columns.push_back(column(statement, index));
    }
    return Row(std::move(columns));
}

}  // namespace

EngineError::EngineError(int code, const std::string& detail) : StoreError(detail), code_(code) {}
EngineError::~EngineError() = default;

bool EngineError::ofDatabase() const noexcept {
    switch (code_) {
        case SQLITE_BUSY:
        case SQLITE_NOMEM:
        case SQLITE_READONLY:
        case SQLITE_IOERR:
        case SQLITE_CORRUPT:
        case SQLITE_FULL:
        case SQLITE_CANTOPEN:
        case SQLITE_PROTOCOL:
        case SQLITE_NOTADB:
            return true;
        default:
            return false;
    }
}

void Statements::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

Rows Statements::run(std::string_view sql, const std::vector<SqlValue>& values) {
    sqlite3_stmt* statement = prepared(sql);
    const Run run(statement);
    bind(handle_, statement, values);
    Rows rows;
    for (;;) {
        const int code = sqlite3_step(statement);
        if (code == SQLITE_DONE) {
            return rows;
        }
        if (code != SQLITE_ROW) {
            fail(handle_, code);
        }
        rows.push_back(row(statement));
    }
}

sqlite3_stmt* Statements::prepared(std::string_view sql) {
    const auto found = kept_.find(sql);
    if (found != kept_.end()) {
        found->second.lastUse = ++uses_;
        return found->second.statement.get();
    }
    if (kept_.size() >= keptAtMost) {
        evict();
    }
    Prepared statement = prepare(sql);
    return kept_.emplace(std::string(sql), Kept{std::move(statement), ++uses_}).first->second.statement.get();
}

Statements::Prepared Statements::prepare(std::string_view sql) {
    if (sql.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw std::invalid_argument("a statement is too long");
    }
    sqlite3_stmt* first = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &first, &rest);
    Prepared statement(first);
    if (code != SQLITE_OK) {
        fail(handle_, code);
    }
    const std::string_view tail = sql.substr(static_cast<std::size_t>(rest - sql.data()));
    if (statement == nullptr || tail.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
        throw std::invalid_argument("a call runs exactly one statement");
    }
    return statement;
}

void Statements::evict() {
    const auto oldest = std::min_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
        return a.second.lastUse < b.second.lastUse;
    });
    kept_.erase(oldest);
}

}  // namespace sallyport::host::store
