#include <string>

#include <CLI/CLI.hpp>

#include "host/cli/age.h"
#include "host/cli/command.h"
#include "host/cli/table.h"

namespace sallyport::host::cli {

namespace {

std::string jobsOf(const json::Object& status) {
    if (status.optional("jobs") == nullptr) {
        return "unknown: the database cannot be read";
    }
    const json::Object jobs = objectOf(status, "jobs");
    std::string text;
    for (const char* state : {"running", "pending", "completed", "failed", "cancelled", "interrupted"}) {
        text += (text.empty() ? "" : ", ") + std::to_string(numberOf(jobs, state)) + " " + state;
    }
    return text;
}

Span health(bool healthy) {
    return healthy ? Span{"healthy", Style::green} : Span{"in trouble", Style::red};
}

/// Health; size of the database, and how much of that deleted rows have left, or what is wrong.
Span storeOf(const json::Object& status) {
    const json::Object store = objectOf(status, "store");
    Span span = health(isTrue(store, "healthy"));
    const auto mebibytes = [&](const char* member) {
        return std::to_string(numberOf(store, member) / 1024 / 1024) + " MiB";
    };
    if (const auto trouble = optionalText(store, "trouble")) {
        span.text += ": " + *trouble;
    } else {
        span.text += ", " + mebibytes("size_bytes") + ", " + mebibytes("free_bytes") + " of it free";
    }
    if (const auto unwritten = numberOf(store, "unwritten"); unwritten > 0) {
        span.text += "; revocations not written yet: " + std::to_string(unwritten);
    }
    return span;
}

void print(const json::Object& status, const Context& context) {
    Fields fields;
    fields.add("version", {textOf(status, "version"), Style::bold});
    fields.add("process", {std::to_string(numberOf(status, "pid"))});
    fields.add("started", {textOf(status, "started_at") + " (up " +
                           duration(std::chrono::seconds(numberOf(status, "uptime_seconds"))) + ")"});
    for (const json::Value& element : elementsOf(status, "listeners")) {
        const json::Object listener = element.object();
        fields.add(textOf(listener, "realm") + " door", {textOf(listener, "address")});
    }
    fields.add("connections", {std::to_string(numberOf(status, "connections")) + ", " +
                               std::to_string(numberOf(status, "subscribers")) + " following events"});
    fields.add("jobs", {jobsOf(status)});
    fields.add("store", storeOf(status));
    for (const json::Value& element : elementsOf(status, "plugins")) {
        const json::Object plugin = element.object();
        Span state = health(isTrue(plugin, "healthy"));
        state.text = textOf(plugin, "name") + " " + textOf(plugin, "version") + ", " + state.text;
        if (const auto slow = numberOf(plugin, "slow_calls"); slow > 0) {
            state.text += ", " + std::to_string(slow) + " calls that do not return";
        }
        if (const auto crashes = numberOf(plugin, "crashes"); crashes > 0) {
            state.text += ", " + std::to_string(crashes) + " crashes";
            state.style = Style::red;
        }
        fields.add("plugin", std::move(state));
    }
    if (const auto crashes = elementsOf(status, "daemon_crashes").size(); crashes > 0) {
        fields.add("crashes", {std::to_string(crashes) + " of the daemon itself", Style::red});
    }
    for (const json::Value& job : elementsOf(status, "quarantined_jobs")) {
        fields.add("quarantined",
                   {"job " + job.string().value_or("") + ", which crashed the daemon twice", Style::red});
    }
    fields.print(context.out);
}

ExitCode status(Context& context) {
    const Answer answer = context.connect().get(Target("/api/status"));
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        print(answer.object(), context);
    }
    return ExitCode::ok;
}

}  // namespace

void addStatusCommand(CLI::App& app, Command& chosen) {
    app.add_subcommand("status", "Show the daemon's version, doors, load and health")->callback([&chosen] {
        chosen = status;
    });
}

}  // namespace sallyport::host::cli
