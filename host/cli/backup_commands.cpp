// `backup` and `restore`.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "host/cli/command.h"
#include "host/cli/daemon_program.h"
#include "host/cli/table.h"

namespace sallyport::host::cli {

namespace {

struct FileOptions {
    std::string file;
    bool force = false;
};

Maintained maintain(const Context& context, const std::string& task, const FileOptions& options) {
    std::vector<std::string> arguments{
        "--data-dir=" + locateDataDirectory(context.options.locate, context.environment),
        "--file=" + options.file};
    addConfiguration(arguments, context);
    if (options.force) {
        arguments.emplace_back("--force");
    }
    return maintain(context, task, std::move(arguments));
}

std::string schemaOf(const json::Object& contents) {
    std::string text;
    for (const json::Object schema = objectOf(contents, "schema"); const auto& component : schema.members()) {
        text += (text.empty() ? "" : ", ") + component.name + " " + std::string(component.value.raw());
    }
    return text;
}

std::string rowsOf(const json::Object& contents) {
    const json::Object tables = objectOf(contents, "rows");
    std::int64_t rows = 0;
    for (const auto& table : tables.members()) {
        rows += table.value.integer().value_or(0);
    }
    return std::to_string(rows) + " rows in " + std::to_string(tables.members().size()) + " tables";
}

void printBackup(const FileOptions& options, const Maintained& made, Terminal& out) {
    const json::Object document = made.document();
    const json::Object notes = made.notes();
    Fields fields;
    fields.add("backup", {options.file + ", " + textOf(notes, "size") + ", checked", Style::bold});
    fields.add("holds", {rowsOf(document)});
    fields.add("schema", {schemaOf(document)});
    fields.print(out);
    out.line({});
    const auto key = optionalText(notes, "master_key_file");
    const std::string where = key ? "in " + *key : "where you keep it for the daemon";
    out.line({{"The master key is not in it. It is " + where + ": keep a copy, apart from the backups."}});
    out.line({{"Without it the secrets in the backup are lost; with it, whoever has both can read them."}});
}

ExitCode backup(Context& context, const FileOptions& options) {
    const Maintained made = maintain(context, "backup", options);
    if (made.code() == ExitCode::interrupted) {
        context.err.line({{"Stopped; there is no backup."}});
    } else if (context.options.json) {
        context.out.json(made.text());
    } else {
        printBackup(options, made, context.out);
    }
    return made.code();
}

void printRestored(const json::Object& restored, Terminal& out) {
    const auto former = optionalText(restored, "former");
    Fields fields;
    fields.add("restored", {textOf(restored, "database"), Style::bold});
    fields.add("holds", {rowsOf(restored)});
    fields.add("schema", {schemaOf(restored) + "; what is older is brought up to date at the start"});
    if (former) {
        fields.add("former", {*former + "/; delete it when you no longer want it"});
    }
    fields.print(out);
    out.line({});
    if (const auto trouble = optionalText(restored, "key_trouble")) {
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
    if (former) {
        out.line({{"To undo this, restore " + *former + "/sallyport.db in the same way."}});
    }
}

ExitCode restore(Context& context, const FileOptions& options) {
    const Maintained restored = maintain(context, "restore", options);
    context.options.json ? context.out.json(restored.text())
                         : printRestored(restored.document(), context.out);
    return restored.code();
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
