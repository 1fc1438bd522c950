#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "host/cli/age.h"
#include "host/cli/command.h"
#include "host/cli/listing.h"
#include "host/cli/secret_input.h"
#include "host/cli/table.h"
#include "host/cli/text_input.h"

namespace sallyport::host::cli {

namespace {

/// One secret, and whose it is.
struct SecretOptions {
    std::string name;
    std::optional<std::string> user;
    std::optional<std::string> provider;
    std::optional<std::string> expires;
};

Target targetOf(const SecretOptions& options) {
    Target target("/api/secrets");
    target.segment(checkedText(options.name, "name"));
    if (options.user) {
        target.query("user_id", *options.user);
    }
    return target;
}

/// The body with the secret in it, which the caller wipes.
std::string bodyOf(const SecretOptions& options, const SecretText& secret) {
    std::string value = json::quote(secret.reveal());
    const WipedAtExit wiped(value);
    std::string rest;
    const auto add = [&](const char* name, const std::optional<std::string>& text) {
        if (text) {
            rest += std::string(",\"") + name + "\":" + json::quote(checkedText(*text, name));
        }
    };
    add("provider", options.provider);
    add("expires_at", options.expires);
    add("user_id", options.user);
    std::string body;
    body.reserve(value.size() + rest.size() + 16);
    return body.append(R"({"value":)").append(value).append(rest).append("}");
}

ExitCode set(Context& context, const SecretOptions& options) {
    closeMemory();
    const Client client = context.connect();
    const SecretText secret = readSecret(context.in, context.inIsTerminal, context.err);
    std::string body = bodyOf(options, secret);
    const WipedAtExit wiped(body);
    const Answer answer = client.put(Target("/api/secrets").segment(checkedText(options.name, "name")), body);
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        context.out.line({{"Secret " + textOf(answer.object(), "name") + " of user " +
                           textOf(answer.object(), "user_id") + " is stored"}});
    }
    return ExitCode::ok;
}

Span moment(const json::Object& secret, const char* name, Timestamp now) {
    const std::string time = textOf(secret, name);
    return {time.empty() ? "-" : age(time, now)};
}

/// Whether it can still be delivered. Both are written in the one form that answers use.
bool hasExpired(const json::Object& secret, Timestamp now) {
    const auto expiry = optionalText(secret, "expires_at");
    return expiry && *expiry <= rfc3339(now);
}

ExitCode listSecrets(Context& context, const std::optional<std::string>& user) {
    Target target("/api/secrets");
    if (user) {
        target.query("user_id", *user);
    }
    const Listing listing = readListing(context.connect(), target, "secrets", {.all = true});
    if (context.options.json) {
        context.out.json(jsonOf(listing));
        return ExitCode::ok;
    }
    if (listing.elements.empty()) {
        context.err.line({{"No secrets."}});
        return ExitCode::ok;
    }
    Table table({"NAME", "USER", "USED", "LAST USED", "CHANGED", "EXPIRES", "PROVIDER"});
    for (const json::Value& element : listing.elements) {
        const json::Object secret = element.object();
        const bool expired = hasExpired(secret, context.now);
        table.row(
            {{textOf(secret, "name")},
             {textOf(secret, "user_id")},
             {std::to_string(numberOf(secret, "usage_count"))},
             moment(secret, "last_used_at", context.now),
             moment(secret, "updated_at", context.now),
             {expired ? "expired" : textOf(secret, "expires_at", "-"), expired ? Style::red : Style::plain},
             {textOf(secret, "provider", "-")}});
    }
    table.print(context.out);
    return ExitCode::ok;
}

ExitCode show(Context& context, const SecretOptions& options) {
    const Answer answer = context.connect().get(targetOf(options));
    if (context.options.json) {
        context.out.json(answer.text());
        return ExitCode::ok;
    }
    const json::Object& secret = answer.object();
    const bool expired = hasExpired(secret, context.now);
    Fields fields;
    fields.add("name", {textOf(secret, "name"), Style::bold});
    fields.add("user", {textOf(secret, "user_id")});
    fields.add("provider", {textOf(secret, "provider", "-")});
    fields.add("expires", {textOf(secret, "expires_at", "never") + (expired ? " (expired)" : ""),
                           expired ? Style::red : Style::plain});
    fields.add("used", {std::to_string(numberOf(secret, "usage_count")) + " times"});
    fields.add("last used", {textOf(secret, "last_used_at", "-")});
    fields.add("created", {textOf(secret, "created_at")});
    fields.add("changed", {textOf(secret, "updated_at")});
    fields.print(context.out);
    return ExitCode::ok;
}

ExitCode remove(Context& context, const SecretOptions& options) {
    const Answer answer = context.connect().remove(targetOf(options));
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        context.out.line({{"Secret " + textOf(answer.object(), "name") + " of user " +
                           textOf(answer.object(), "user_id") + " is deleted"}});
    }
    return ExitCode::ok;
}

ExitCode rekey(Context& context) {
    const Answer answer = context.connect().post(Target("/api/vault/rekey"));
    if (context.options.json) {
        context.out.json(answer.text());
        return ExitCode::ok;
    }
    context.out.line({{"The master key is changed; secrets encrypted anew: " +
                       std::to_string(numberOf(answer.object(), "secrets"))}});
    context.out.line(
        {{"Keep a copy of the new key file; backups from before need the old one.", Style::dim}});
    return ExitCode::ok;
}

/// An option that says whose secrets a command is about.
void addUser(CLI::App& command, std::optional<std::string>& user) {
    command.add_option("--user", user, "Whose secret it is, if not your jobs' owner's")->type_name("USER");
}

using OneSecretCommand = ExitCode (*)(Context&, const SecretOptions&);

CLI::App& addOneSecretCommand(CLI::App& secret, Command& chosen, const char* name, const char* help,
                              OneSecretCommand run, const std::shared_ptr<SecretOptions>& options) {
    CLI::App& command = *secret.add_subcommand(name, help);
    command.add_option("NAME", options->name, "Name of the secret, in any letter case")
        ->required()
        ->type_name("");
    addUser(command, options->user);
    command.callback([&chosen, run, options] {
        chosen = [run, options](Context& context) { return run(context, *options); };
    });
    return command;
}

}  // namespace

void addSecretCommands(CLI::App& app, Command& chosen) {
    CLI::App& secret = *app.add_subcommand("secret", "Secrets: set, list, show, delete, rekey");
    secret.require_subcommand(1);

    const auto setting = std::make_shared<SecretOptions>();
    CLI::App& setCommand =
        addOneSecretCommand(secret, chosen, "set",
                            "Store a secret, typed without being shown or from standard input", set, setting);
    setCommand.footer(
        "Examples:\n"
        "  sallyport secret set github\n"
        "  sallyport secret set openai --provider OpenAI --expires 2027-01-31T00:00:00Z < key.txt");
    setCommand.add_option("--provider", setting->provider, "Whom it is for")->type_name("TEXT");
    setCommand.add_option("--expires", setting->expires, "When it ends: 2027-01-31T12:00:00Z")
        ->type_name("TIME");

    CLI::App& listing = *secret.add_subcommand("list", "List secrets, not what they are");
    const auto user = std::make_shared<std::optional<std::string>>();
    listing.add_option("--user", *user, "Whose secrets, if not your jobs' owner's")->type_name("USER");
    listing.callback(
        [&chosen, user] { chosen = [user](Context& context) { return listSecrets(context, *user); }; });

    addOneSecretCommand(secret, chosen, "show", "Show what is known of a secret, not what it is", show,
                        std::make_shared<SecretOptions>());
    addOneSecretCommand(secret, chosen, "delete", "Delete a secret; jobs that were granted it get none",
                        remove, std::make_shared<SecretOptions>());
    secret.add_subcommand("rekey", "Encrypt all secrets anew under a new master key")->callback([&chosen] {
        chosen = rekey;
    });
}

}  // namespace sallyport::host::cli
