// `job list` and `job show`.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "host/cli/age.h"
#include "host/cli/job_commands.h"
#include "host/cli/job_event.h"
#include "host/cli/job_reference.h"
#include "host/cli/listing.h"
#include "host/cli/table.h"
#include "host/cli/usage_view.h"

namespace sallyport::host::cli {

namespace {

struct ListOptions {
    std::optional<std::string> state;
    std::optional<std::string> user;
    ListingLimit limit;
};

/// The title, or the beginning of the task for a job that was given none.
std::string titleOf(const json::Object& job) {
    const std::string title = textOf(job, "title");
    return title.empty() || title == "Job " + textOf(job, "job_id") ? textOf(job, "task") : title;
}

void printList(const Listing& listing, const Context& context) {
    if (listing.elements.empty()) {
        context.err.line({{"No jobs."}});
        return;
    }
    Table table({"JOB", "STATE", "USER", "CREATED", "TITLE"});
    for (const json::Value& element : listing.elements) {
        const json::Object job = element.object();
        const std::string state = textOf(job, "state");
        table.row({{textOf(job, "job_id")},
                   {state, styleOfState(state)},
                   {textOf(job, "user_id")},
                   {age(textOf(job, "created_at"), context.now)},
                   {titleOf(job)}});
    }
    table.print(context.out);
    if (!listing.nextCursor.empty()) {
        context.err.line({{"There are more: --limit N or --all."}});
    }
}

ExitCode listJobs(Context& context, const ListOptions& options) {
    Target target("/api/jobs");
    if (options.state) {
        target.query("state", *options.state);
    }
    if (options.user) {
        target.query("user_id", *options.user);
    }
    const Listing listing = readListing(context.connect(), target, "jobs", options.limit);
    if (context.options.json) {
        context.out.json(jsonOf(listing));
    } else {
        printList(listing, context);
    }
    return ExitCode::ok;
}

Span moment(const json::Object& job, const char* name, Timestamp now) {
    const std::string time = textOf(job, name);
    return {time.empty() ? "-" : time + " (" + age(time, now) + ")"};
}

Span resultOf(const json::Object& job) {
    const json::Object result = objectOf(job, "result");
    if (result.members().empty()) {
        return {"-"};
    }
    const bool success = isTrue(result, "success");
    const std::string message = textOf(result, "message");
    return {std::string(success ? "success" : "failure") + " after " +
                std::to_string(numberOf(result, "iterations")) + " iterations" +
                (message.empty() ? "" : ": " + message),
            success ? Style::green : Style::red};
}

Fields fieldsOf(const json::Object& job, Timestamp now) {
    Fields fields;
    const auto add = [&](const char* name, const char* member) {
        if (std::string value = textOf(job, member); !value.empty()) {
            fields.add(name, {std::move(value)});
        }
    };
    const std::string state = textOf(job, "state");
    fields.add("job", {textOf(job, "job_id"), Style::bold});
    add("title", "title");
    fields.add("state", {state, styleOfState(state)});
    if (isTrue(job, "quarantined")) {
        fields.add(
            "quarantined",
            {"its requests crashed the daemon twice and are refused; sallyport job release", Style::red});
    }
    add("user", "user_id");
    add("mode", "mode");
    add("project", "project_dir");
    add("restart of", "restart_of");
    fields.add("created", moment(job, "created_at", now));
    fields.add("started", moment(job, "started_at", now));
    fields.add("finished", moment(job, "finished_at", now));
    add("deadline", "deadline");
    fields.add("iteration", {std::to_string(numberOf(job, "iteration"))});
    add("status", "status_message");
    fields.add("result", resultOf(job));
    for (const json::Value& element : elementsOf(job, "credentials")) {
        const json::Object grant = element.object();
        fields.add("grant", {textOf(grant, "secret_name") + " as " + textOf(grant, "env_var")});
    }
    if (const json::Object usage = objectOf(job, "usage"); !usage.members().empty()) {
        fields.add("usage", {usageText(usage)});
    }
    return fields;
}

/// Text of several lines keeps them; each is indented, so that none can pass for a field.
void printBlock(const std::string& text, Terminal& out) {
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        out.line({{"    " + text.substr(begin, end - begin)}});
        begin = end + 1;
    }
}

ExitCode show(Context& context, const std::string& reference) {
    const Client client = context.connect();
    const JobId id = resolveJob(client, reference);
    const Answer answer = client.get(Target("/api/jobs").segment(id.str()));
    if (context.options.json) {
        context.out.json(answer.text());
        return ExitCode::ok;
    }
    fieldsOf(answer.object(), context.now).print(context.out);
    context.out.line({{"task", Style::dim}});
    printBlock(textOf(answer.object(), "task"), context.out);
    return ExitCode::ok;
}

}  // namespace

void addJobList(CLI::App& job, Command& chosen) {
    CLI::App& command = *job.add_subcommand("list", "List jobs, newest first");
    command.footer(
        "Examples:\n"
        "  sallyport job list --state running\n"
        "  sallyport job list --user '*' --all --json");
    const auto options = std::make_shared<ListOptions>();
    command
        .add_option("--state", options->state,
                    "Only pending, running, completed, failed, cancelled or interrupted ones")
        ->type_name("STATE");
    command.add_option("--user", options->user, "Only this user's; '*' for everybody's (admins)")
        ->type_name("USER");
    CLI::Option* const limit = command.add_option("--limit", options->limit.limit, "At most so many (50)")
                                   ->type_name("N")
                                   ->check(CLI::Range(1, 1000000).description(""));
    command.add_flag("--all", options->limit.all, "All there are")->excludes(limit);
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return listJobs(context, *options); }; });
}

void addJobShow(CLI::App& job, Command& chosen) {
    CLI::App& command = *job.add_subcommand("show", "Show everything about one job");
    const auto reference = std::make_shared<std::string>();
    command.add_option("JOB", *reference, "Id of the job, or its first six or more characters")
        ->required()
        ->type_name("");
    command.callback([&chosen, reference] {
        chosen = [reference](Context& context) { return show(context, *reference); };
    });
}

}  // namespace sallyport::host::cli
