#include "host/cli/job_commands.h"

#include <csignal>
#include <cstdint>
#include <istream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Object.h>

#include "host/cli/client_names.h"
#include "host/cli/event_display.h"
#include "host/cli/grant_argument.h"
#include "host/cli/job_event.h"
#include "host/cli/job_reference.h"
#include "host/cli/text_input.h"

namespace sallyport::host::cli {

namespace {

struct GrantOptions {
    std::string job;
    std::vector<std::string> grants;
    bool none = false;
};

struct PromptOptions {
    std::string job;
    std::string text;
    bool done = false;
};

ExitCode prompt(Context& context, const PromptOptions& options) {
    // With --done alone there is nothing to say but that nothing more will come.
    const std::string content =
        options.text.empty() && options.done ? std::string() : textFrom(options.text, context.in, "prompt");
    const Client client = context.connect();
    const JobId job = resolveJob(client, options.job);
    Poco::JSON::Object body(Poco::JSON_PRESERVE_KEY_ORDER);
    body.set("content", content).set("done", options.done);
    const Answer answer = client.post(Target("/api/jobs").segment(job.str()).segment("prompt"), body);
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        context.out.line({{"Queued for job " + job.str()}});
    }
    return ExitCode::ok;
}

ExitCode grant(Context& context, const GrantOptions& options) {
    if (options.none != options.grants.empty()) {
        throw UsageError("name the secrets that the job shall have, or --none");
    }
    Poco::JSON::Object body;
    body.set("credentials", grantsFrom(options.grants));
    const Client client = context.connect();
    const JobId job = resolveJob(client, options.job);
    const Answer answer = client.put(Target("/api/jobs").segment(job.str()).segment("credentials"), body);
    if (context.options.json) {
        context.out.json(answer.text());
        return ExitCode::ok;
    }
    const std::vector<json::Value> granted = elementsOf(answer.object(), "credentials");
    context.out.line({{"Job " + job.str() + (granted.empty() ? " is granted no secrets" : " is granted")}});
    for (const json::Value& element : granted) {
        const json::Object one = element.object();
        context.out.line({{"  " + textOf(one, "secret_name") + " as " + textOf(one, "env_var")}});
    }
    return ExitCode::ok;
}

ExitCode release(Context& context, const std::string& reference) {
    const Client client = context.connect();
    const JobId job = resolveJob(client, reference);
    const Answer answer = client.post(Target("/api/jobs").segment(job.str()).segment("release"));
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        context.out.line({{"Job " + job.str() + " is released: its requests are answered again"}});
    }
    return ExitCode::ok;
}

ExitCode watch(Context& context, const std::string& reference, EventDisplay::Options options) {
    Interruption interruption;
    const InterruptOnSignal ctrlC(interruption, SIGINT);
    const JobId job = resolveJob(context.connect(), reference);
    options.json = context.options.json;
    EventDisplay display([&] { return context.connect(); }, job, options, context.out, context.err,
                         interruption);
    return display.run();
}

}  // namespace

void addJobCommands(CLI::App& app, Command& chosen) {
    CLI::App& job = *app.add_subcommand(
        "job", "Jobs: create, list, show, watch, prompt, grant, limits, cancel, finish, restart, release");
    job.require_subcommand(1);
    addJobCreate(job, chosen);
    addJobList(job, chosen);
    addJobShow(job, chosen);
    addJobWatch(job, chosen);
    addJobPrompt(job, chosen);
    addJobGrant(job, chosen);
    addJobLimits(job, chosen);
    addJobCancel(job, chosen);
    addJobFinish(job, chosen);
    addJobRestart(job, chosen);
    addJobRelease(job, chosen);
}

void addJobRelease(CLI::App& job, Command& chosen) {
    CLI::App& command =
        *job.add_subcommand("release", "Answer a job's requests again that crashed the daemon twice");
    const auto reference = std::make_shared<std::string>();
    command.add_option("JOB", *reference, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command.callback([&chosen, reference] {
        chosen = [reference](Context& context) { return release(context, *reference); };
    });
}

void addJobGrant(CLI::App& job, Command& chosen) {
    CLI::App& command = *job.add_subcommand("grant", "Say which secrets a job's worker may have");
    command.footer(
        "What was granted before and is not named again is revoked.\n"
        "Examples:\n"
        "  sallyport job grant 3f2b8c1e github=GITHUB_TOKEN openai=OPENAI_API_KEY\n"
        "  sallyport job grant 3f2b8c1e --none");
    const auto options = std::make_shared<GrantOptions>();
    command.add_option("JOB", options->job, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command.add_option("GRANT", options->grants, "SECRET=ENV_VAR: a secret, and the variable it goes into")
        ->type_name("");
    command.add_flag("--none", options->none, "Revoke all grants of the job");
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return grant(context, *options); }; });
}

void addJobWatch(CLI::App& job, Command& chosen) {
    CLI::App& command = *job.add_subcommand("watch", "Show a job's events as they come, until it is over");
    command.footer("Ends with 0 if the job completed, 4 if it ended otherwise, 130 after Ctrl-C.");
    const auto reference = std::make_shared<std::string>();
    const auto options = std::make_shared<EventDisplay::Options>();
    command.add_option("JOB", *reference, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command.add_option("--since", options->since, "Leave out events up to this number")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()).description(""));
    command.add_flag_callback(
        "--no-follow", [options] { options->follow = false; }, "Show what there is, and stop");
    command.callback([&chosen, reference, options] {
        chosen = [reference, options](Context& context) { return watch(context, *reference, *options); };
    });
}

void addJobPrompt(CLI::App& job, Command& chosen) {
    CLI::App& command = *job.add_subcommand("prompt", "Send a follow-up prompt to a running job");
    command.footer(
        "Examples:\n"
        "  sallyport job prompt 3f2b8c1e \"Also cover the command line\"\n"
        "  sallyport job prompt 3f2b8c1e - < notes.txt\n"
        "  sallyport job prompt 3f2b8c1e --done \"That is all, finish up\"");
    const auto options = std::make_shared<PromptOptions>();
    command.add_option("JOB", options->job, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command
        .add_option("TEXT", options->text,
                    "The prompt, or '-' to read it from standard input; may be left out with --done")
        ->type_name("");
    command.add_flag("--done", options->done, "Tell the worker that this is the last prompt");
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return prompt(context, *options); }; });
}

}  // namespace sallyport::host::cli
