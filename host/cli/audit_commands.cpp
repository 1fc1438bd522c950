#include <limits>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "host/cli/command.h"
#include "host/cli/job_reference.h"
#include "host/cli/listing.h"
#include "host/cli/table.h"

namespace sallyport::host::cli {

namespace {

struct AuditQuery {
    std::optional<std::string> user;
    std::optional<std::string> job;
    std::optional<std::string> secret;
    ListingLimit limit;
};

/// `denied: expired`, or just the outcome where there is no reason.
Span outcomeOf(const json::Object& entry) {
    const std::string outcome = textOf(entry, "outcome");
    const std::string reason = textOf(entry, "reason");
    return {reason.empty() ? outcome : outcome + ": " + reason,
            outcome == "denied" ? Style::red : Style::plain};
}

void print(const Listing& listing, const Context& context) {
    if (listing.elements.empty()) {
        context.err.line({{"No entries."}});
        return;
    }
    Table table({"NUMBER", "AT", "ACTOR", "ACTION", "OUTCOME", "USER", "SECRET", "VARIABLE", "JOB"});
    for (const json::Value& element : listing.elements) {
        const json::Object entry = element.object();
        table.row({{std::to_string(numberOf(entry, "number"))},
                   {textOf(entry, "at")},
                   {textOf(entry, "actor")},
                   {textOf(entry, "action")},
                   outcomeOf(entry),
                   {textOf(entry, "user_id", "-")},
                   {textOf(entry, "secret_name", "-")},
                   {textOf(entry, "env_var", "-")},
                   {textOf(entry, "job_id", "-")}});
    }
    table.print(context.out);
    if (!listing.nextCursor.empty()) {
        context.err.line({{"There are more: --limit N or --all."}});
    }
}

ExitCode listEntries(Context& context, const AuditQuery& options) {
    const Client client = context.connect();
    Target target("/api/audit");
    if (options.user) {
        target.query("user_id", *options.user);
    }
    if (options.job) {
        target.query("job_id", resolveJob(client, *options.job).str());
    }
    if (options.secret) {
        target.query("secret_name", *options.secret);
    }
    const Listing listing = readListing(client, target, "entries", options.limit);
    if (context.options.json) {
        context.out.json(jsonOf(listing));
    } else {
        print(listing, context);
    }
    return ExitCode::ok;
}

/// A trail that is not whole is a failure of the command, so that a script notices.
ExitCode verify(Context& context) {
    const Answer answer = context.connect().get(Target("/api/audit/verify"));
    const json::Object& verdict = answer.object();
    const bool ok = isTrue(verdict, "ok");
    if (context.options.json) {
        context.out.json(answer.text());
    } else if (ok) {
        context.out.line({{"The audit trail is whole: ", Style::green},
                          {std::to_string(numberOf(verdict, "entries")) + " entries"}});
        context.out.line({{"The last has the hash " + textOf(verdict, "hash"), Style::dim}});
    } else {
        context.out.line(
            {{"The audit trail is not as it was written: ", Style::red}, {textOf(verdict, "problem")}});
    }
    return ok ? ExitCode::ok : ExitCode::refused;
}

}  // namespace

void addAuditCommands(CLI::App& app, Command& chosen) {
    CLI::App& audit = *app.add_subcommand("audit", "What happened to secrets: list, verify");
    audit.require_subcommand(1);

    CLI::App& listing = *audit.add_subcommand("list", "List the audit trail, newest first");
    const auto options = std::make_shared<AuditQuery>();
    listing.add_option("--user", options->user, "Only this user's secrets")->type_name("USER");
    listing.add_option("--job", options->job, "Only this job")->type_name("JOB");
    listing.add_option("--secret", options->secret, "Only the secret of this name")->type_name("NAME");
    CLI::Option* const limit =
        listing.add_option("--limit", options->limit.limit, "At most so many (50)")
            ->type_name("N")
            ->check(CLI::Range(std::size_t{1}, std::numeric_limits<std::size_t>::max()).description(""));
    listing.add_flag("--all", options->limit.all, "All there are")->excludes(limit);
    listing.callback([&chosen, options] {
        chosen = [options](Context& context) { return listEntries(context, *options); };
    });

    audit.add_subcommand("verify", "Check that no entry was changed, left out or cut off")
        ->callback([&chosen] { chosen = verify; });
}

}  // namespace sallyport::host::cli
