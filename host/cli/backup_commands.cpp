// `backup` and `restore`.
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Object.h>

#include <sallyport/errors.h>

#include "host/cli/client_names.h"
#include "host/cli/command.h"
#include "host/cli/table.h"
#include "host/doctor/account.h"
#include "host/doctor/bytes.h"
#include "host/doctor/master_key.h"
#include "host/store/backup.h"
#include "host/store/database.h"
#include "host/store/restore.h"

namespace sallyport::host::cli {

namespace {

namespace fs = std::filesystem;

using store::Contents;

struct FileOptions {
    std::string file;
    bool force = false;
};

/// A file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
};

const std::vector<std::string> sudoHints{"The data belongs to the user that runs the daemon: try sudo."};

/// What the commands' work throws, in the words of this program.
template <class Work>
auto translating(const std::vector<std::string>& hints, Work work) {
    try {
        return work();
    } catch (const StoreError& error) {
        throw Failure(ExitCode::refused, error.detail(), hints);
    } catch (const std::system_error& error) {
        throw Failure(ExitCode::refused, error.what(), hints);
    }
}

/// Where it was, as far as the configuration says; the default where that cannot be read.
std::string masterKeyFile(const Context& context, const std::string& directory) {
    try {
        const config::Configuration configuration(
            configurationFile(context.options.locate, context.environment), {}, std::nullopt);
        return doctor::masterKeyFile(configuration, directory);
    } catch (const config::BadValue&) {
        return directory + "/credentials.key";
    }
}

template <class Map>
Poco::JSON::Object objectOf(const Map& map) {
    Poco::JSON::Object object(Poco::JSON_PRESERVE_KEY_ORDER);
    for (const auto& [key, value] : map) {
        object.set(key, value);
    }
    return object;
}

void printJson(Poco::JSON::Object document, const Contents& contents, Terminal& out) {
    document.set("schema", objectOf(contents.schema));
    document.set("rows", objectOf(contents.rows));
    std::ostringstream text;
    document.stringify(text);
    out.json(text.str());
}

std::string schemaOf(const Contents& contents) {
    std::string text;
    for (const auto& [component, version] : contents.schema) {
        text += (text.empty() ? "" : ", ") + component + " " + std::to_string(version);
    }
    return text;
}

std::string rowsOf(const Contents& contents) {
    return std::to_string(contents.totalRows()) + " rows in " + std::to_string(contents.rows.size()) +
           " tables";
}

std::string readableDatabase(const std::string& directory) {
    std::string database = directory + "/sallyport.db";
    if (::access(database.c_str(), R_OK) != 0) {
        const bool hidden = errno == EACCES;
        throw Failure(
            ExitCode::refused, "cannot read " + database + ": " + std::strerror(errno),
            hidden ? sudoHints
                   : std::vector<std::string>{"Are the data elsewhere? --data-dir DIR, or --config FILE."});
    }
    return database;
}

Contents copy(const std::string& database, const FileOptions& options) {
    Interruption interruption;
    const InterruptOnCtrlC onCtrlC(interruption);
    return store::backUp(database, options.file,
                         {.replace = options.force,
                          .progress = [&](std::int64_t, std::int64_t) { return !interruption.requested(); }});
}

void printBackup(const FileOptions& options, const Contents& contents, const std::string& key,
                 Context& context) {
    const std::uintmax_t size = fs::file_size(options.file);
    if (context.options.json) {
        Poco::JSON::Object document(Poco::JSON_PRESERVE_KEY_ORDER);
        document.set("file", fs::absolute(options.file).string());
        document.set("size", static_cast<std::uint64_t>(size));
        document.set("master_key_included", false);
        printJson(document, contents, context.out);
        return;
    }
    Fields fields;
    fields.add("backup", {options.file + ", " + doctor::bytes(size) + ", checked", Style::bold});
    fields.add("holds", {rowsOf(contents)});
    fields.add("schema", {schemaOf(contents)});
    fields.print(context.out);
    context.out.line({});
    std::error_code unseen;
    const std::string where = fs::exists(key, unseen) ? "in " + key : "where you keep it for the daemon";
    context.out.line(
        {{"The master key is not in it. It is " + where + ": keep a copy, apart from the backups."}});
    context.out.line(
        {{"Without it the secrets in the backup are lost; with it, whoever has both can read them."}});
}

ExitCode backup(Context& context, const FileOptions& options) {
    const std::string directory = locateDataDirectory(context.options.locate, context.environment);
    const std::string database = readableDatabase(directory);
    if (fs::is_directory(options.file)) {
        throw UsageError(options.file + " is a directory: name the file in it");
    }
    if (!options.force && fs::exists(fs::symlink_status(options.file))) {
        throw Failure(ExitCode::refused, options.file + " is there already",
                      {"Name another file, or replace it with --force."});
    }
    try {
        const Contents contents = translating({}, [&] { return copy(database, options); });
        printBackup(options, contents, masterKeyFile(context, directory), context);
        return ExitCode::ok;
    } catch (const store::BackupStopped&) {
        context.err.line({{"Stopped; there is no backup."}});
        return ExitCode::interrupted;
    }
}

/// From here on with the rights of the daemon's user, so that what is made is that user's.
void becomeOwner(const std::string& directory) {
    const auto owner = translating(sudoHints, [&] { return doctor::ownerOf(directory); });
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
std::optional<std::string> keyTrouble(const Context& context, const std::string& directory) {
    store::DatabaseFile database(directory + "/sallyport.db", store::DatabaseFile::Access::still);
    const auto finding = doctor::findMasterKey(
        database,
        {.handedOver = nullptr, .handedOverUnseen = false, .file = masterKeyFile(context, directory)});
    return finding.verdict == doctor::Verdict::ok ? std::nullopt : std::optional(finding.sentence);
}

void printRestored(const store::Restored& restored, const std::optional<std::string>& trouble,
                   const std::string& directory, Context& context) {
    Terminal& out = context.out;
    if (context.options.json) {
        Poco::JSON::Object document(Poco::JSON_PRESERVE_KEY_ORDER);
        document.set("database", directory + "/sallyport.db");
        document.set("former",
                     restored.former.empty() ? Poco::Dynamic::Var() : Poco::Dynamic::Var(restored.former));
        document.set("key_trouble", trouble ? Poco::Dynamic::Var(*trouble) : Poco::Dynamic::Var());
        printJson(document, restored.contents, out);
        return;
    }
    Fields fields;
    fields.add("restored", {directory + "/sallyport.db", Style::bold});
    fields.add("holds", {rowsOf(restored.contents)});
    fields.add("schema",
               {schemaOf(restored.contents) + "; what is older is brought up to date at the start"});
    if (!restored.former.empty()) {
        fields.add("former", {restored.former + "/; delete it when you no longer want it"});
    }
    fields.print(out);
    out.line({});
    if (trouble) {
        out.line({{"Mind: ", Style::yellow}, {*trouble}});
        out.line(
            {{"Until then no secret is taken or delivered. If systemd hands the key over, start the daemon "
              "and see."}});
        out.line({});
    }
    out.line({{"Start the daemon: systemctl start sallyport. Then look at what the backup brought back:"}});
    out.line({{"Tokens, secrets and grants are those of its time, also the ones that were revoked since"}});
    out.line(
        {{"(sallyport token list, secret list, job list). The admin token in operator.token is made anew"}});
    out.line({{"if the backup does not know it. The audit trail gets an entry that tells of the restore."}});
    if (!restored.former.empty()) {
        out.line({{"To undo this, restore " + restored.former + "/sallyport.db in the same way."}});
    }
}

ExitCode restore(Context& context, const FileOptions& options) {
    const std::string directory = locateDataDirectory(context.options.locate, context.environment);
    // Before the rights to read it are given up, perhaps.
    const Descriptor file(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.number() < 0) {
        throw UsageError("cannot read " + options.file + ": " + std::strerror(errno));
    }
    if (fs::is_directory(options.file)) {
        throw UsageError(options.file + " is a directory: name the file in it, such as " +
                         (fs::path(options.file) / "sallyport.db").string());
    }
    becomeOwner(directory);
    requireStopped(directory);
    // How far the audit trail went is told by a file that belongs to the former database alone.
    const store::RestoreOptions restoring{.companions = {"credentials.audit-head"},
                                          .allowNewer = options.force};
    const store::Restored restored =
        translating({}, [&] { return store::restore(file.number(), options.file, directory, restoring); });
    printRestored(restored, keyTrouble(context, directory), directory, context);
    return ExitCode::ok;
}

}  // namespace

void addBackupCommands(CLI::App& app, Command& chosen) {
    CLI::App& backing =
        *app.add_subcommand("backup", "Copy the database to a file, while the daemon runs or not");
    const auto backupOptions = std::make_shared<FileOptions>();
    backing.add_option("file", backupOptions->file, "The file to write")->type_name("FILE")->required();
    backing.add_flag("--force", backupOptions->force, "Replace the file if there is one");
    backing.footer(
        "The copy is checked in all its parts before it gets its name. The master key is not in it.");
    backing.callback([&chosen, backupOptions] {
        chosen = [backupOptions](Context& context) { return backup(context, *backupOptions); };
    });

    CLI::App& restoring =
        *app.add_subcommand("restore", "Put a backup in the database's place; the daemon is stopped");
    const auto restoreOptions = std::make_shared<FileOptions>();
    restoring.add_option("file", restoreOptions->file, "The backup")->type_name("FILE")->required();
    restoring.add_flag("--force", restoreOptions->force, "Take a backup of a newer version all the same");
    restoring.footer(
        "The backup is checked in all its parts first, and the former database is kept beside it. Cut short "
        "at\n"
        "any moment it leaves the one or the other.");
    restoring.callback([&chosen, restoreOptions] {
        chosen = [restoreOptions](Context& context) { return restore(context, *restoreOptions); };
    });
}

}  // namespace sallyport::host::cli
