#include "host/store/restore.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/DateTime.h>
#include <Poco/DateTimeFormatter.h>
#include <sqlite3.h>

#include "host/store/database.h"
#include "host/store/new_database.h"

namespace sallyport::host::store {

namespace {

namespace fs = std::filesystem;

constexpr const char* databaseName = "sallyport.db";
/// Of the directories that former databases are kept in.
const std::string formerPrefix = "former-";
/// What SQLite keeps beside a database, and would apply to any that has its name.
constexpr std::array logs{"-wal", "-shm", "-journal"};

[[noreturn]] void throwFailure(const std::string& path, const std::string& problem) {
    throw std::runtime_error("\"" + path + "\" " + problem + ": " + std::generic_category().message(errno));
}

bool isThere(const fs::path& path) {
    return fs::exists(fs::symlink_status(path));
}

void move(const fs::path& from, const fs::path& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
        throwFailure(from, "cannot be moved to \"" + to.string() + "\"");
    }
}

/// Copies to the end, from where `source` stands.
void copyAll(int source, const std::string& name, const NewFile& target) {
    constexpr std::size_t atOnce = std::size_t{1} << 30U;
    ssize_t copied = 1;
    while (copied > 0) {
        copied = ::sendfile(target.descriptor(), source, nullptr, atOnce);
    }
    if (copied < 0) {
        throwFailure(name, "cannot be copied to \"" + target.path() + "\"");
    }
}

Contents verifyCopy(const std::string& copy, const std::string& name) {
    try {
        return verify(copy);
    } catch (const StoreError& error) {
        throw StoreError("the backup \"" + name + "\" cannot be used: " + error.detail());
    }
}

void refuseNewer(const Contents& backup, const Contents& present, const std::string& name) {
    for (const auto& [component, version] : backup.schema) {
        const auto known = present.schema.find(component);
        if (known != present.schema.end() && version > known->second) {
            throw StoreError(std::string("the backup \"")
                                 .append(name)
                                 .append("\" was written by a newer version (")
                                 .append(component)
                                 .append(" schema ")
                                 .append(std::to_string(version))
                                 .append(", the database here has ")
                                 .append(std::to_string(known->second))
                                 .append(")"));
        }
    }
}

/// One restore, with the directory locked.
class Restoring {
public:
    Restoring(const std::string& directory, const RestoreOptions& options)
        : directory_(directory), options_(options), database_(directory_ / databaseName) {}

    Restored run(int backup, const std::string& name) {
        removeLeftovers();
        NewDatabase copy(database_);
        copyAll(backup, name, copy.file);
        copy.file.sync();
        tell("copied");
        const Contents contents = verifyCopy(copy.file.path(), name);
        const std::optional<Contents> present = bringToRest();
        if (present && !options_.allowNewer) {
            refuseNewer(contents, *present, name);
        }
        tell("checked");
        const std::string former = setAside();
        tell("set aside");
        copy.file.publish();
        tell("restored");
        return {contents, former};
    }

private:
    void tell(std::string_view step) const {
        if (options_.progress) {
            options_.progress(step);
        }
    }

    void removeLeftovers() const;
    [[nodiscard]] std::optional<Contents> bringToRest() const;
    [[nodiscard]] std::string setAside() const;
    void moveLogs(const fs::path& former) const;
    [[nodiscard]] fs::path makeFormer() const;

    const fs::path directory_;
    const RestoreOptions& options_;
    const fs::path database_;
};

/// Of a restore that was cut short: its copy, and a second name of the database that it was to set aside.
void Restoring::removeLeftovers() const {
    const std::string partial = std::string(databaseName) + NewFile::uniqueMark;
    for (const auto& entry : fs::directory_iterator(directory_)) {
        const std::string name = entry.path().filename();
        if (name.starts_with(partial)) {
            fs::remove(entry.path());
        } else if (name.starts_with(formerPrefix)) {
            std::error_code differs;
            if (fs::equivalent(entry.path() / databaseName, database_, differs)) {
                fs::remove(entry.path() / databaseName);
                fs::remove(entry.path(), differs);  // if nothing else is in it
            }
        }
    }
}

/// Brings what is in the log into the present database, so that the file alone is all of it.
/// @return what is in it; nothing if there is none, or it is too damaged for that.
std::optional<Contents> Restoring::bringToRest() const {
    if (!isThere(database_) || fs::file_size(database_) == 0) {
        return std::nullopt;
    }
    try {
        DatabaseFile present(database_, DatabaseFile::Access::write);
        Contents contents = contentsOf(present);
        if (present.run("PRAGMA wal_checkpoint(TRUNCATE)").at(0).integer(0) != 0) {
            throw EngineError(SQLITE_BUSY, "another process reads it, such as a backup that is being made");
        }
        return contents;
    } catch (const EngineError& error) {
        if (error.code() == SQLITE_CORRUPT || error.code() == SQLITE_NOTADB) {
            return std::nullopt;
        }
        throw StoreError("the present database \"" + database_.string() +
                         "\" cannot be brought to rest: " + error.detail());
    }
}

/// The database keeps its name until the other takes it: there is always one in place.
std::string Restoring::setAside() const {
    const bool present = isThere(database_);
    if (!present && std::none_of(options_.companions.begin(), options_.companions.end(),
                                 [this](const std::string& name) { return isThere(directory_ / name); })) {
        moveLogs({});
        return {};
    }
    const fs::path former = makeFormer();
    if (present && ::link(database_.c_str(), (former / databaseName).c_str()) != 0) {
        throwFailure(database_, "cannot be kept as \"" + (former / databaseName).string() + "\"");
    }
    moveLogs(former);
    for (const std::string& name : options_.companions) {
        if (isThere(directory_ / name)) {
            move(directory_ / name, former / name);
        }
    }
    syncDirectory(former);
    syncDirectory(directory_);
    return former;
}

/// A log that is still there is that of a database too damaged to take it in, or of none: it must not be
/// found beside the restored one.
void Restoring::moveLogs(const fs::path& former) const {
    for (const char* suffix : logs) {
        const fs::path log = database_.string() + suffix;
        if (!isThere(log)) {
            continue;
        }
        if (former.empty() || fs::file_size(log) == 0) {
            fs::remove(log);
        } else {
            move(log, former / log.filename());
        }
    }
}

fs::path Restoring::makeFormer() const {
    const std::string time = Poco::DateTimeFormatter::format(Poco::DateTime(), "%Y%m%dT%H%M%SZ");
    fs::path former = directory_ / (formerPrefix + time);
    for (int number = 2; ::mkdir(former.c_str(), S_IRWXU) != 0; ++number) {
        if (errno != EEXIST) {
            throwFailure(former, "cannot be made");
        }
        former = directory_ / (formerPrefix + time + "-" + std::to_string(number));
    }
    return former;
}

}  // namespace

Restored restore(int backup, const std::string& name, const std::string& directory,
                 const RestoreOptions& options) {
    const DirectoryLock lock(directory);
    return Restoring(directory, options).run(backup, name);
}

}  // namespace sallyport::host::store
