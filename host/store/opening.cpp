#include "host/store/opening.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

namespace sallyport::host::store {

namespace {

/// Larger files are not read whole at every start, which must be quick.
constexpr std::uintmax_t checkedAtMost = 8U << 20U;

[[noreturn]] void refuse(const std::string& sentence) {
    throw StoreError(sentence);
}

std::string inQuotes(const std::filesystem::path& path) {
    return "\"" + path.string() + "\"";
}

void checkDirectory(const std::filesystem::path& directory) {
    std::error_code error;
    if (!std::filesystem::is_directory(directory, error)) {
        refuse("the directory " + inQuotes(directory) + " for the database does not exist");
    }
    // SQLite keeps its log beside the file, so that the directory must be writable, too.
    if (faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        refuse("the directory " + inQuotes(directory) + " for the database cannot be written (" +
               std::generic_category().message(errno) + "); give it to the user that the daemon runs as");
    }
}

void checkFile(const std::filesystem::path& file) {
    if (!std::filesystem::is_regular_file(file)) {
        refuse("the database " + inQuotes(file) + " is no regular file");
    }
    if (faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) != 0) {
        refuse("the database " + inQuotes(file) + " cannot be read (" +
               std::generic_category().message(errno) + "); give it to the user that the daemon runs as");
    }
    if (faccessat(AT_FDCWD, file.c_str(), W_OK, AT_EACCESS) != 0) {
        refuse("the database " + inQuotes(file) + " is read-only (" + std::generic_category().message(errno) +
               "); make it writable for the user that the daemon runs as");
    }
}

/// Before SQLite does, which would give it the mode that the umask leaves. The files beside it inherit
/// the mode. An existing file is not opened here: closing it would drop the locks of other connections
/// of this process.
void createFile(const std::filesystem::path& file) {
    const int descriptor = open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        refuse("the database " + inQuotes(file) + " cannot be created (" +
               std::generic_category().message(errno) + ")");
    }
    close(descriptor);
}

/// Refuses a database that some other application wrote, before anything in it is changed.
/// @return whether it is new and empty.
bool identify(SqlConnection& connection, const std::string& file) {
    const std::int64_t found = connection.run("PRAGMA application_id").at(0).integer(0);
    if (found == applicationId) {
        return false;
    }
    if (found != 0 || connection.run("SELECT count(*) FROM sqlite_schema").at(0).integer(0) != 0) {
        refuse("the database " + inQuotes(file) +
               " belongs to another application; move it away or choose another data.dir");
    }
    return true;
}

void configure(SqlConnection& connection, const SqlDialect& dialect, std::size_t maxBytes) {
    for (const std::string& statement : dialect.writer) {
        connection.run(statement);
    }
    if (maxBytes > 0) {
        const std::int64_t pageSize = connection.run("PRAGMA page_size").at(0).integer(0);
        const auto pages = std::max<std::int64_t>(1, static_cast<std::int64_t>(maxBytes) / pageSize);
        connection.run("PRAGMA max_page_count = " + std::to_string(pages));
    }
}

/// Takes and gives back the right to write: finds at start what the first write would find.
void proveWritable(SqlConnection& connection, const SqlDialect& dialect, bool isNew) {
    connection.run(dialect.begin);
    if (isNew) {
        connection.run("PRAGMA application_id = " + std::to_string(applicationId));
    }
    connection.run("COMMIT");
}

void checkWhole(SqlConnection& connection, const std::string& file) {
    std::error_code error;
    if (std::filesystem::file_size(file, error) > checkedAtMost || error) {
        return;
    }
    const std::string verdict = connection.run("PRAGMA quick_check(1)").at(0).text(0);
    if (verdict != "ok") {
        throw EngineError(SQLITE_CORRUPT, verdict);
    }
}

[[noreturn]] void explainUnopened(const EngineError& error, const std::string& file) {
    const std::string name = "the database " + inQuotes(file);
    switch (error.code()) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            refuse(name + " is locked by another process; end that process and start again");
        case SQLITE_NOTADB:
            refuse(name + " is not an SQLite database; move it away or choose another data.dir");
        case SQLITE_CORRUPT:
            refuse(name + " is damaged (" + error.detail() + "); restore it from a backup");
        case SQLITE_READONLY:
            refuse(name + " is read-only (" + error.detail() + "); make it writable for the daemon");
        case SQLITE_FULL:
            refuse(name + " cannot be written: no space is left for it (" + error.detail() + ")");
        default:
            refuse(name + " cannot be opened: " + error.detail());
    }
}

}  // namespace

std::unique_ptr<SqlConnection> openDatabase(const std::string& file, const SqlDialect& dialect,
                                            std::size_t maxBytes, std::chrono::milliseconds lockWait) {
    checkDirectory(std::filesystem::path(file).parent_path());
    std::error_code error;
    if (std::filesystem::exists(std::filesystem::symlink_status(file, error))) {
        checkFile(file);
    } else {
        createFile(file);
    }
    try {
        auto connection = std::make_unique<SqlConnection>(file, lockWait);
        if (connection->readOnly()) {
            throw EngineError(SQLITE_READONLY, "opened for reading only");
        }
        const bool isNew = identify(*connection, file);
        configure(*connection, dialect, maxBytes);
        proveWritable(*connection, dialect, isNew);
        checkWhole(*connection, file);
        return connection;
    } catch (const EngineError& failure) {
        explainUnopened(failure, file);
    }
}

}  // namespace sallyport::host::store
