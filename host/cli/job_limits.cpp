// `job limits`: what one job may use up.
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Object.h>

#include "host/cli/job_commands.h"
#include "host/cli/job_reference.h"
#include "host/cli/limit_argument.h"
#include "host/cli/table.h"

namespace sallyport::host::cli {

namespace {

struct LimitOptions {
    std::string job;
    std::vector<std::string> limits;
};

ExitCode limits(Context& context, const LimitOptions& options) {
    const Poco::JSON::Object changes = limitsFrom(options.limits);
    const Client client = context.connect();
    const JobId job = resolveJob(client, options.job);
    const Target target = Target("/api/jobs").segment(job.str()).segment("limits");
    const Answer answer = changes.size() == 0 ? client.get(target) : client.patch(target, changes);
    if (context.options.json) {
        context.out.json(answer.text());
        return ExitCode::ok;
    }
    const json::Object inForce = objectOf(answer.object(), "limits");
    Fields fields;
    for (const json::Object::Member& limit : inForce.members()) {
        const std::int64_t amount = limit.value.integer().value_or(0);
        fields.add(limit.name.c_str(), {amount == 0 ? "any" : std::to_string(amount)});
    }
    fields.print(context.out);
    return ExitCode::ok;
}

}  // namespace

void addJobLimits(CLI::App& job, Command& chosen) {
    CLI::App& command = *job.add_subcommand("limits", "Show or change what a job may use up");
    command.footer(
        "Names: requests_per_second, event_bytes_per_second, events, event_bytes. A value is a number, also\n"
        "with KiB, MiB or GiB; 0 for any amount; or default, for what the daemon's configuration says.\n"
        "Examples:\n"
        "  sallyport job limits 3f2b8c1e\n"
        "  sallyport job limits 3f2b8c1e event_bytes=4GiB events=default");
    const auto options = std::make_shared<LimitOptions>();
    command.add_option("JOB", options->job, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command
        .add_option("LIMIT", options->limits, "NAME=VALUE: a limit to change; the others stay as they are")
        ->type_name("");
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return limits(context, *options); }; });
}

}  // namespace sallyport::host::cli
