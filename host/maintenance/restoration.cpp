// `sallyport restore`.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include <fcntl.h>

#include <sallyport/file_descriptor.h>

#include "host/doctor/account.h"
#include "host/doctor/master_key.h"
#include "host/maintenance/database_place.h"
#include "host/maintenance/tasks.h"
#include "host/store/database.h"
#include "host/store/restore.h"

namespace sallyport::host::maintenance {

namespace {

namespace fs = std::filesystem;

using client::ExitCode;
using client::Failure;

/// From here on with the rights of the daemon's user, so that what is made is that user's.
void becomeOwner(const std::string& directory) {
    const auto owner = translating(sudoHints(), [&] { return doctor::ownerOf(directory); });
    if (!owner) {
        throw Failure(ExitCode::refused, "there is no data directory " + directory,
                      {"Make it for the user that the daemon runs as: install -d -m 700 -o USER " + directory,
                       "Shall the data be elsewhere? --data-dir DIR, or --config FILE."});
    }
    translating({}, [&] { doctor::become(*owner); });
}

void requireStopped(const std::string& directory) {
    if (const auto process = store::DirectoryLock::holder(directory)) {
        throw Failure(ExitCode::refused,
                      "the daemon runs (process " + std::to_string(*process) + "), and has the database open",
                      {"Stop it first: systemctl stop sallyport"});
    }
}

/// Whether the secrets in it can be read with the key that is there now.
std::optional<std::string> keyTrouble(const FileTask& task) {
    store::DatabaseFile database(task.directory + "/sallyport.db", store::DatabaseFile::Access::still);
    const auto finding = doctor::findMasterKey(
        database, {.handedOver = nullptr, .handedOverUnseen = false, .file = masterKeyFile(task)});
    return finding.verdict == doctor::Verdict::ok ? std::nullopt : std::optional(finding.sentence);
}

template <class Text>
Poco::Dynamic::Var textOrNull(bool there, const Text& text) {
    return there ? Poco::Dynamic::Var(text) : Poco::Dynamic::Var();
}

}  // namespace

Outcome restore(Arguments& arguments) {
    const FileTask task = fileTaskIn(arguments);
    // Before the rights to read it are given up, perhaps.
    const FileDescriptor file(::open(task.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.open()) {
        throw client::UsageError("cannot read " + task.file + ": " + std::strerror(errno));
    }
    if (fs::is_directory(task.file)) {
        throw client::UsageError(task.file + " is a directory: name the file in it, such as " +
                                 (fs::path(task.file) / "sallyport.db").string());
    }
    becomeOwner(task.directory);
    requireStopped(task.directory);
    // How far the audit trail went is told by a file that belongs to the former database alone.
    const store::RestoreOptions restoring{.companions = {"credentials.audit-head"}, .allowNewer = task.force};
    const store::Restored restored =
        translating({}, [&] { return store::restore(file.get(), task.file, task.directory, restoring); });
    const auto trouble = keyTrouble(task);
    auto document = orderedObject();
    document->set("database", task.directory + "/sallyport.db");
    document->set("former", textOrNull(!restored.former.empty(), restored.former));
    document->set("key_trouble", textOrNull(trouble.has_value(), trouble.value_or("")));
    addContents(*document, restored.contents);
    return {.document = document};
}

}  // namespace sallyport::host::maintenance
