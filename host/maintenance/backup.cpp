// `sallyport backup`.
#include "host/store/backup.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

#include "host/client/interruption.h"
#include "host/doctor/bytes.h"
#include "host/maintenance/database_place.h"
#include "host/maintenance/tasks.h"

namespace sallyport::host::maintenance {

namespace {

namespace fs = std::filesystem;

using client::ExitCode;
using client::Failure;

std::string readableDatabase(const std::string& directory) {
    std::string database = directory + "/sallyport.db";
    if (::access(database.c_str(), R_OK) != 0) {
        const bool hidden = errno == EACCES;
        throw Failure(
            ExitCode::refused, "cannot read " + database + ": " + std::strerror(errno),
            hidden ? sudoHints()
                   : std::vector<std::string>{"Are the data elsewhere? --data-dir DIR, or --config FILE."});
    }
    return database;
}

store::Contents copy(const std::string& database, const FileTask& task) {
    client::Interruption interruption;
    const client::InterruptOnSignal whenAsked(interruption, SIGTERM);
    return store::backUp(database, task.file,
                         {.replace = task.force,
                          .progress = [&](std::int64_t, std::int64_t) { return !interruption.requested(); }});
}

Outcome told(const FileTask& task, const store::Contents& contents) {
    const std::uintmax_t size = fs::file_size(task.file);
    auto document = orderedObject();
    document->set("file", fs::absolute(task.file).string());
    document->set("size", static_cast<std::uint64_t>(size));
    document->set("master_key_included", false);
    addContents(*document, contents);
    const std::string key = masterKeyFile(task);
    std::error_code unseen;
    auto notes = orderedObject();
    notes->set("size", doctor::bytes(size));
    notes->set("master_key_file", fs::exists(key, unseen) ? Poco::Dynamic::Var(key) : Poco::Dynamic::Var());
    return {.document = document, .notes = notes};
}

}  // namespace

Outcome backUp(Arguments& arguments) {
    const FileTask task = fileTaskIn(arguments);
    const std::string database = readableDatabase(task.directory);
    if (fs::is_directory(task.file)) {
        throw client::UsageError(task.file + " is a directory: name the file in it");
    }
    if (!task.force && fs::exists(fs::symlink_status(task.file))) {
        throw Failure(ExitCode::refused, task.file + " is there already",
                      {"Name another file, or replace it with --force."});
    }
    try {
        return told(task, translating({}, [&] { return copy(database, task); }));
    } catch (const store::BackupStopped&) {
        return {.code = ExitCode::interrupted};
    }
}

}  // namespace sallyport::host::maintenance
