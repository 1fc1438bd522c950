#include "host/store/sql_connection.h"

#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/SQLite/Utility.h>
#include <Poco/Exception.h>
#include <sqlite3.h>

namespace sallyport::host::store {

namespace {

Poco::Data::Session openSession(const std::string& file) {
    static const bool registered = [] {
        Poco::Data::SQLite::Connector::registerConnector();
        return true;
    }();
    static_cast<void>(registered);
    try {
        // No login timeout: Poco would try for that long to open a file that cannot be opened.
        return {Poco::Data::SQLite::Connector::KEY, file, 0};
    } catch (const Poco::Exception& error) {
        throw EngineError(SQLITE_CANTOPEN, error.displayText());
    }
}

}  // namespace

SqlConnection::SqlConnection(const std::string& file, std::chrono::milliseconds lockWait)
    : session_(openSession(file)),
      handle_(Poco::Data::SQLite::Utility::dbHandle(session_)),
      statements_(handle_) {
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, static_cast<int>(lockWait.count()));
}

std::size_t SqlConnection::execute(std::string_view sql, const std::vector<SqlValue>& values) {
    // SQLite keeps the count of the last statement that changed rows until the next one does.
    const auto before = sqlite3_total_changes64(handle_);
    statements_.run(sql, values);
    return sqlite3_total_changes64(handle_) == before ? 0
                                                      : static_cast<std::size_t>(sqlite3_changes64(handle_));
}

std::int64_t SqlConnection::lastKey() const {
    return sqlite3_last_insert_rowid(handle_);
}

bool SqlConnection::inTransaction() const {
    return sqlite3_get_autocommit(handle_) == 0;
}

bool SqlConnection::readOnly() const {
    return sqlite3_db_readonly(handle_, "main") == 1;
}

}  // namespace sallyport::host::store
