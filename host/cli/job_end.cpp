// `job cancel` and `job finish`: how an operator ends a job.
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Object.h>

#include "host/cli/job_commands.h"
#include "host/cli/job_event.h"
#include "host/cli/job_reference.h"
#include "host/cli/text_input.h"

namespace sallyport::host::cli {

namespace {

struct FinishOptions {
    std::string job;
    std::optional<std::string> failed;
    bool success = false;
};

ExitCode cancel(Context& context, const std::string& reference) {
    const Client client = context.connect();
    const JobId job = resolveJob(client, reference);
    const Answer answer = client.post(Target("/api/jobs").segment(job.str()).segment("cancel"));
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        context.out.line({{"Job " + job.str() + " is "}, {"cancelled", styleOfState("cancelled")}});
    }
    if (const auto caveat = caveatOf(answer.object())) {
        context.err.line({{*caveat, Style::yellow}});
    }
    return ExitCode::ok;
}

ExitCode finish(Context& context, const FinishOptions& options) {
    if (options.success == options.failed.has_value()) {
        throw UsageError("say how the job ended: --failed REASON or --success");
    }
    Poco::JSON::Object body(Poco::JSON_PRESERVE_KEY_ORDER);
    body.set("success", options.success);
    if (options.failed) {
        body.set("message", checkedText(*options.failed, "reason"));
    }
    const Client client = context.connect();
    const JobId job = resolveJob(client, options.job);
    const Answer answer = client.post(Target("/api/jobs").segment(job.str()).segment("finish"), body);
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        const std::string state = textOf(answer.object(), "status");
        context.out.line({{"Job " + job.str() + " is "}, {state, styleOfState(state)}});
    }
    return ExitCode::ok;
}

}  // namespace

void addJobCancel(CLI::App& job, Command& chosen) {
    CLI::App& command = *job.add_subcommand("cancel", "Cancel a job; its worker's token dies at once");
    const auto reference = std::make_shared<std::string>();
    command.add_option("JOB", *reference, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command.callback([&chosen, reference] {
        chosen = [reference](Context& context) { return cancel(context, *reference); };
    });
}

void addJobFinish(CLI::App& job, Command& chosen) {
    CLI::App& command =
        *job.add_subcommand("finish", "Say how a job ended whose worker cannot tell any more");
    command.footer(
        "The worker's token dies at once. Examples:\n"
        "  sallyport job finish 3f2b8c1e --failed \"The machine lost its power\"\n"
        "  sallyport job finish 3f2b8c1e --success");
    const auto options = std::make_shared<FinishOptions>();
    command.add_option("JOB", options->job, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command.add_option("--failed", options->failed, "The job failed, and why")->type_name("REASON");
    command.add_flag("--success", options->success, "The job did what it was to do");
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return finish(context, *options); }; });
}

}  // namespace sallyport::host::cli
