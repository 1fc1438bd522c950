#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include <sqlite3.h>

#include <sallyport/errors.h>

#include "host/doctor/bytes.h"
#include "host/doctor/checks.h"
#include "host/doctor/database.h"
#include "host/jobs/schema.h"
#include "host/store/database.h"

namespace sallyport::host::doctor {

namespace {

constexpr const char* check = "database";

/// A large database is not read to its end: while it is being read, its log cannot be used anew.
constexpr std::chrono::seconds patience{20};

/// The daemon keeps it at 16 MiB, but for bursts.
constexpr std::uintmax_t longLog = std::uintmax_t{256} << 20U;

std::uintmax_t sizeOf(const std::string& file) {
    std::error_code none;
    const std::uintmax_t size = std::filesystem::file_size(file, none);
    return none ? 0 : size;
}

std::string restoreIt() {
    return ": stop the daemon and restore a backup (sallyport restore FILE)";
}

/// Whether this version can open it, as far as that can be told without its plugins being started.
void checkSchema(store::DatabaseFile& database, Report& report) {
    const auto schema = store::schemaOf(database);
    const auto jobs = schema.find("jobs");
    const auto known = static_cast<std::int64_t>(jobs::migrations().size());
    if (jobs != schema.end() && jobs->second > known) {
        report.fail(check, "it was written by a newer version (jobs schema " + std::to_string(jobs->second) +
                               ", this version knows " + std::to_string(known) +
                               "): install that version, or restore a backup of this one");
    }
}

void checkPages(store::DatabaseFile& database, Report& report) {
    database.limitTime(patience);
    try {
        const std::string verdict = database.run("PRAGMA quick_check(1)").at(0).text(0);
        if (verdict == "ok") {
            report.ok(check, database.file() + " is whole (" + bytes(sizeOf(database.file())) + ")");
        } else {
            report.fail(check, database.file() + " is damaged (" + verdict + ")" + restoreIt());
        }
    } catch (const store::EngineError& error) {
        if (error.code() != SQLITE_INTERRUPT) {
            throw;
        }
        report.warn(check, database.file() + " (" + bytes(sizeOf(database.file())) +
                               ") was not read to its end within " + std::to_string(patience.count()) +
                               " s, and was good so far: sallyport backup reads all of it");
    }
}

void explain(const store::EngineError& error, const std::string& file, Report& report) {
    switch (error.code()) {
        case SQLITE_NOTADB:
            report.fail(check, file + " is not an SQLite database" + restoreIt());
            break;
        case SQLITE_CORRUPT:
            report.fail(check, file + " is damaged (" + error.detail() + ")" + restoreIt());
            break;
        default:
            report.fail(check, file + " cannot be read (" + error.detail() +
                                   "): see that its disk is well and that the daemon's user may read it");
    }
}

void checkLog(const std::string& file, Report& report) {
    if (const std::uintmax_t size = sizeOf(file + "-wal"); size > longLog) {
        report.warn(check,
                    file + "-wal has " + bytes(size) +
                        ", more than it should: something reads the database all the time, or its disk is "
                        "full; end that, and restart the daemon");
    }
}

}  // namespace

store::DatabaseFile::Access accessTo(const Subject& subject) {
    // SQLite would make a log beside it. If there is one, of a daemon that runs or was killed, it belongs to
    // it.
    const bool still = !subject.process && sizeOf(subject.options.database.file + "-wal") == 0;
    return still ? store::DatabaseFile::Access::still : store::DatabaseFile::Access::read;
}

void checkDatabase(const Subject& subject, Report& report) {
    const std::string& file = subject.options.database.file;
    std::error_code unseen;
    const auto status = std::filesystem::status(file, unseen);
    if (status.type() == std::filesystem::file_type::not_found) {
        if (subject.process) {
            report.fail(check, file + " is gone while the daemon runs: stop it and restore a backup");
        } else {
            report.ok(check, "there is none yet; the first start makes it");
        }
        return;
    }
    if (!subject.asDaemon()) {
        report.warn(check, "what is in it cannot be looked at as " + subject.self.name);
        return;
    }
    try {
        store::DatabaseFile database(file, accessTo(subject));
        checkSchema(database, report);
        checkPages(database, report);
    } catch (const store::EngineError& error) {
        if (!subject.process && store::DirectoryLock::holder(subject.options.dataDirectory)) {
            report.warn(check, "a daemon was started while it was being read: run this again");
            return;
        }
        explain(error, file, report);
    } catch (const StoreError& error) {
        report.fail(check, error.detail() + ": move it away, or let data.dir be another");
    }
    checkLog(file, report);
}

}  // namespace sallyport::host::doctor
