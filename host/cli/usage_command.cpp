#include <algorithm>
#include <cctype>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "host/cli/command.h"
#include "host/cli/job_reference.h"
#include "host/cli/listing.h"
#include "host/cli/table.h"
#include "host/cli/usage_view.h"

namespace sallyport::host::cli {

namespace {

struct UsageOptions {
    std::string by = "job";
    std::optional<std::string> job;
    std::optional<std::string> user;
    std::optional<std::string> since;
    std::optional<std::string> until;
    ListingLimit limit;
};

Target targetOf(const Client& client, const UsageOptions& options) {
    Target target("/api/usage");
    target.query("by", options.by);
    if (options.job) {
        target.query("job_id", resolveJob(client, *options.job).str());
    }
    const auto add = [&](const char* name, const std::optional<std::string>& value) {
        if (value) {
            target.query(name, *value);
        }
    };
    add("user_id", options.user);
    add("since", options.since);
    add("until", options.until);
    return target;
}

Line rowOf(const json::Object& totals, const std::string& name, Style style) {
    const auto number = [&](const char* member) {
        return Span{std::to_string(numberOf(totals, member)), style};
    };
    return {number("requests"),
            number("failed"),
            number("input_tokens"),
            number("cache_read_input_tokens"),
            number("output_tokens"),
            {costText(totals), style},
            {name, style}};
}

std::string upperCase(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

/// The daemon names a group by what it is.
std::string memberOf(const std::string& by) {
    return by == "job" || by == "user" ? by + "_id" : by;
}

void print(const Listing& listing, const std::string& by, const Context& context) {
    if (listing.elements.empty()) {
        context.err.line({{"No calls of models."}});
        return;
    }
    Table table({"REQUESTS", "FAILED", "INPUT", "CACHED", "OUTPUT", "COST", upperCase(by)});
    for (const json::Value& element : listing.elements) {
        const json::Object group = element.object();
        table.row(rowOf(group, textOf(group, memberOf(by), "(deleted jobs)"), Style::plain));
    }
    table.row(rowOf(objectOf(listing.pages.front().object(), "total"), "total", Style::bold));
    table.print(context.out);
    if (!listing.nextCursor.empty()) {
        context.err.line({{"There are more: --limit N or --all. The total is that of all."}});
    }
}

ExitCode usage(Context& context, const UsageOptions& options) {
    const Client client = context.connect();
    const Listing listing = readListing(client, targetOf(client, options), "groups", options.limit);
    if (context.options.json) {
        context.out.json(jsonOf(listing));
    } else {
        print(listing, options.by, context);
    }
    return ExitCode::ok;
}

}  // namespace

void addUsageCommand(CLI::App& app, Command& chosen) {
    CLI::App& command = *app.add_subcommand("usage", "Show what jobs used of language models");
    command.footer(
        "Examples:\n"
        "  sallyport usage --by day --since 2026-01-01\n"
        "  sallyport usage --by model --job 3f2b8c1e");
    const auto options = std::make_shared<UsageOptions>();
    command.add_option("--by", options->by, "A row for each job, user, model or day (job)")
        ->type_name("WHAT")
        ->check(CLI::IsMember({"job", "user", "model", "day"}).description(""));
    command.add_option("--job", options->job, "Only this job")->type_name("JOB");
    command.add_option("--user", options->user, "Only this user's jobs")->type_name("USER");
    command.add_option("--since", options->since, "Only calls begun at this time, or on this day, or later")
        ->type_name("TIME");
    command.add_option("--until", options->until, "Only calls begun before this time or day")
        ->type_name("TIME");
    CLI::Option* const limit =
        command.add_option("--limit", options->limit.limit, "At most so many rows (50)")
            ->type_name("N")
            ->check(CLI::Range(std::size_t{1}, std::numeric_limits<std::size_t>::max()).description(""));
    command.add_flag("--all", options->limit.all, "All there are")->excludes(limit);
    command.callback(
        [&chosen, options] { chosen = [options](Context& context) { return usage(context, *options); }; });
}

}  // namespace sallyport::host::cli
