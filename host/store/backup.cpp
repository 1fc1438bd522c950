#include "host/store/backup.h"

#include <cerrno>
#include <memory>
#include <system_error>

#include <unistd.h>

#include <sqlite3.h>

#include "host/store/new_database.h"

namespace sallyport::host::store {

namespace {

using Access = DatabaseFile::Access;

/// Four MiB with the usual pages: often enough to say how far it is, and to be stopped.
constexpr int pagesAtOnce = 1024;

struct Finish {
    void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};

/// Who may write to the database opens it for that, because SQLite then leaves nothing behind beside it.
std::unique_ptr<DatabaseFile> openSource(const std::string& file) {
    const bool mayWrite = ::access(file.c_str(), W_OK) == 0 && ::access(directoryOf(file).c_str(), W_OK) == 0;
    auto source = std::make_unique<DatabaseFile>(file, mayWrite ? Access::write : Access::read);
    source->run("PRAGMA query_only = ON");
    return source;
}

/// @param source with a transaction open, so that what is written meanwhile does not begin it anew.
void copyPages(DatabaseFile& source, DatabaseFile& copy, const BackupOptions& options) {
    const std::unique_ptr<sqlite3_backup, Finish> backup(
        sqlite3_backup_init(copy.handle(), "main", source.handle(), "main"));
    if (!backup) {
        throw EngineError(sqlite3_errcode(copy.handle()), sqlite3_errmsg(copy.handle()));
    }
    for (;;) {
        const int code = sqlite3_backup_step(backup.get(), pagesAtOnce);
        if (code == SQLITE_DONE) {
            return;
        }
        if (code != SQLITE_OK) {
            throw EngineError(code & 0xff, sqlite3_errstr(code));
        }
        const std::int64_t all = sqlite3_backup_pagecount(backup.get());
        if (options.progress && !options.progress(all - sqlite3_backup_remaining(backup.get()), all)) {
            throw BackupStopped();
        }
    }
}

/// What is at rest needs no log beside it, and can be read from where nothing can be written.
void leaveWriteAheadMode(const std::string& file) {
    DatabaseFile(file, Access::write).run("PRAGMA journal_mode = DELETE");
}

[[noreturn]] void explain(const EngineError& error, const std::string& database, const std::string& target) {
    switch (error.code()) {
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
            throw StoreError("the database \"" + database + "\" is damaged (" + error.detail() +
                             "): a backup of it would be, too, and none was made");
        case SQLITE_FULL:
            throw StoreError("\"" + target + "\" cannot be written: no space is left for it (" +
                             error.detail() + ")");
        case SQLITE_CANTOPEN:
            throw StoreError("the database \"" + database + "\" cannot be opened (" + error.detail() + ")");
        default:
            throw StoreError("the database \"" + database + "\" cannot be copied to \"" + target +
                             "\": " + error.detail());
    }
}

Contents copyTo(const std::string& file, const std::string& database, const BackupOptions& options) {
    const auto source = openSource(database);
    source->run("BEGIN");
    Contents held = contentsOf(*source);
    {
        DatabaseFile copy(file, Access::write);
        // It is brought to the disk as a whole, and of no use before.
        copy.run("PRAGMA journal_mode = OFF");
        copy.run("PRAGMA synchronous = OFF");
        copyPages(*source, copy, options);
    }
    leaveWriteAheadMode(file);
    return held;
}

}  // namespace

Contents backUp(const std::string& database, const std::string& target, const BackupOptions& options) {
    if (!options.replace && ::access(target.c_str(), F_OK) == 0) {
        throw std::runtime_error("\"" + target + "\" is there already");
    }
    NewDatabase copy(target);
    try {
        Contents held = copyTo(copy.file.path(), database, options);
        if (verify(copy.file.path()) != held) {
            throw EngineError(SQLITE_CORRUPT, "the copy does not hold what the database does");
        }
        copy.file.publish(options.replace ? NewFile::Existing::replace : NewFile::Existing::refuse);
        return held;
    } catch (const EngineError& error) {
        explain(error, database, target);
    }
}

}  // namespace sallyport::host::store
