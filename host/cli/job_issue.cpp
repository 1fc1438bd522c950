// `job create` and `job restart`: the two that hand out a worker's token.
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Object.h>

#include "host/cli/env_file.h"
#include "host/cli/grant_argument.h"
#include "host/cli/job_commands.h"
#include "host/cli/job_reference.h"
#include "host/cli/limit_argument.h"
#include "host/cli/table.h"
#include "host/cli/text_input.h"

namespace sallyport::host::cli {

namespace {

struct CreateOptions {
    std::optional<std::string> task;
    std::optional<std::string> file;
    std::optional<std::string> title;
    std::optional<std::string> user;
    std::optional<std::string> projectDir;
    std::optional<std::string> mode;
    std::vector<std::string> grants;
    std::optional<std::string> timeout;
    std::vector<std::string> limits;
    std::optional<std::string> envFile;
};

struct RestartOptions {
    std::string job;
    std::optional<std::string> envFile;
};

std::string taskOf(const CreateOptions& options, std::istream& in) {
    if (options.task && options.file) {
        throw UsageError("give the task as an argument or with --file, not both");
    }
    if (options.file) {
        return textFromFile(*options.file, "task");
    }
    if (!options.task) {
        throw UsageError("there is no task",
                         {"Give it as an argument, '-' to read it from standard input, or --file FILE."});
    }
    return textFrom(*options.task, in, "task");
}

Poco::JSON::Object bodyOf(const CreateOptions& options, std::istream& in) {
    Poco::JSON::Object body(Poco::JSON_PRESERVE_KEY_ORDER);
    const auto set = [&](const char* name, const std::optional<std::string>& value) {
        if (value) {
            body.set(name, checkedText(*value, name));
        }
    };
    body.set("task", taskOf(options, in));
    set("title", options.title);
    set("user_id", options.user);
    set("project_dir", options.projectDir);
    set("mode", options.mode);
    if (!options.grants.empty()) {
        body.set("credentials", grantsFrom(options.grants));
    }
    set("timeout", options.timeout);
    if (!options.limits.empty()) {
        body.set("limits", limitsFrom(options.limits));
    }
    return body;
}

/// The answer without its token, which is then in a file instead.
std::string withoutToken(const json::Object& answer) {
    std::string text;
    for (const json::Object::Member& member : answer.members()) {
        if (member.name != "token") {
            text += (text.empty() ? "{" : ",") + json::quote(member.name) + ":";
            text += member.value.raw();
        }
    }
    return text + "}";
}

/// What was handed out for a job just made.
struct Issued {
    std::string job;
    std::string token;
    std::string url;
};

/// Shows where the worker must go and what it proves itself with. The token is shown here or nowhere.
void printIssued(const Issued& issued, const std::optional<std::string>& envFile, Terminal& out) {
    Fields fields;
    fields.add("job", {issued.job, Style::bold});
    fields.add("worker URL", {issued.url});
    if (!envFile) {
        fields.add("token", {issued.token});
    }
    fields.print(out);
    out.line({});
    if (envFile) {
        out.line({{"Address and token of the worker are in " + *envFile}});
        return;
    }
    out.line({{"The token is shown this once. Give both to the worker:", Style::dim}});
    out.line({{"export SALLYPORT_URL=" + issued.url + " SALLYPORT_TOKEN=" + issued.token}});
}

void deliver(Context& context, const Answer& answer, const char* idMember, EnvFile* envFile) {
    const json::Object& object = answer.object();
    const Issued issued{.job = textOf(object, idMember),
                        .token = textOf(object, "token"),
                        .url = textOf(object, "worker_url")};
    if (envFile != nullptr) {
        try {
            envFile->write(issued.url, issued.token);
        } catch (const Failure& failure) {
            throw Failure(failure.code(), failure.what(),
                          {"Job " + issued.job + " was created, but its token is lost.",
                           "sallyport job cancel " + issued.job + " takes it back."});
        }
    }
    if (context.options.json) {
        context.out.json(envFile != nullptr ? withoutToken(object) : answer.text());
        return;
    }
    printIssued(issued, envFile != nullptr ? std::optional(envFile->path()) : std::nullopt, context.out);
}

ExitCode create(Context& context, const CreateOptions& options) {
    const Poco::JSON::Object body = bodyOf(options, context.in);
    const Client client = context.connect();
    std::optional<EnvFile> envFile;
    if (options.envFile) {
        envFile.emplace(*options.envFile);
    }
    const Answer answer = client.post(Target("/api/jobs"), body);
    deliver(context, answer, "job_id", envFile ? &*envFile : nullptr);
    return ExitCode::ok;
}

ExitCode restart(Context& context, const RestartOptions& options) {
    const Client client = context.connect();
    const JobId job = resolveJob(client, options.job);
    std::optional<EnvFile> envFile;
    if (options.envFile) {
        envFile.emplace(*options.envFile);
    }
    const Answer answer = client.post(Target("/api/jobs").segment(job.str()).segment("restart"));
    deliver(context, answer, "new_job_id", envFile ? &*envFile : nullptr);
    return ExitCode::ok;
}

constexpr const char* envFileHelp =
    "Write the worker's address and token to this new file, not to the screen";

}  // namespace

void addJobCreate(CLI::App& job, Command& chosen) {
    CLI::App& command = *job.add_subcommand("create", "Create a job, and show its worker's token once");
    command.footer(
        "Examples:\n"
        "  sallyport job create --title Docs \"Write the user guide\"\n"
        "  sallyport job create --file task.md --env-file worker.env --grant github=GITHUB_TOKEN\n"
        "  git log -1 | sallyport job create -");
    const auto options = std::make_shared<CreateOptions>();
    command.add_option("TASK", options->task, "What to do, or '-' to read it from standard input")
        ->type_name("");
    command.add_option("--file", options->file, "Read the task from this file")->type_name("FILE");
    command.add_option("--title", options->title, "A name for people")->type_name("TEXT");
    command.add_option("--user", options->user, "Owner of the job")->type_name("USER");
    command
        .add_option("--project-dir", options->projectDir, "Directory of the project, as the worker sees it")
        ->type_name("DIR");
    command.add_option("--mode", options->mode, "What runs in the sandbox: worker, claude_code or acp")
        ->type_name("MODE");
    command
        .add_option("--grant", options->grants,
                    "A secret for the worker, and the variable it gets it in; repeatable")
        ->type_name("SECRET=ENV_VAR")
        ->allow_extra_args(false);
    command
        .add_option("--timeout", options->timeout,
                    "Interrupt the job when it was created so long ago, such as 90m, 2h or 1d")
        ->type_name("TIME");
    command
        .add_option("--limit", options->limits,
                    "What the job may use up, instead of the default; see job limits; repeatable")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
    command.add_option("--env-file", options->envFile, envFileHelp)->type_name("FILE");
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return create(context, *options); }; });
}

void addJobRestart(CLI::App& job, Command& chosen) {
    CLI::App& command =
        *job.add_subcommand("restart", "Make a new job of one that failed, was cancelled or interrupted");
    const auto options = std::make_shared<RestartOptions>();
    command.add_option("JOB", options->job, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command.add_option("--env-file", options->envFile, envFileHelp)->type_name("FILE");
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return restart(context, *options); }; });
}

}  // namespace sallyport::host::cli
