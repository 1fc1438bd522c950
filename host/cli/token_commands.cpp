#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <Poco/JSON/Object.h>

#include "host/cli/age.h"
#include "host/cli/command.h"
#include "host/cli/table.h"
#include "host/cli/text_input.h"

namespace sallyport::host::cli {

namespace {

struct NewToken {
    std::string name;
    std::optional<std::string> user;
    std::optional<std::string> role;
};

/// The daemon's own socket may be closed to who is to have the token.
std::string addressForOthers(const Client& client) {
    if (client.address().unixSocket) {
        const Answer status = client.get(Target("/api/status"));
        for (const json::Value& element : elementsOf(status.object(), "listeners")) {
            const json::Object listener = element.object();
            std::string address = textOf(listener, "address");
            if (textOf(listener, "realm") == "operator" && address.starts_with("http")) {
                return address;
            }
        }
    }
    return client.address().text;
}

ExitCode createToken(Context& context, const NewToken& options) {
    Poco::JSON::Object body(Poco::JSON_PRESERVE_KEY_ORDER);
    body.set("name", checkedText(options.name, "name"));
    if (options.user) {
        body.set("user_id", checkedText(*options.user, "user"));
    }
    if (options.role) {
        body.set("role", checkedText(*options.role, "role"));
    }
    const Client client = context.connect();
    const Answer answer = client.post(Target("/api/tokens"), body);
    if (context.options.json) {
        context.out.json(answer.text());
        return ExitCode::ok;
    }
    Fields fields;
    fields.add("id", {idOf(answer.object(), "token_id"), Style::bold});
    fields.add("name", {textOf(answer.object(), "name")});
    fields.add("user", {textOf(answer.object(), "user_id")});
    fields.add("role", {textOf(answer.object(), "role")});
    const std::string token = textOf(answer.object(), "token");
    fields.add("token", {token});
    fields.print(context.out);
    context.out.line({});
    context.out.line(
        {{"The token is shown this once. Who has it uses it so, or with --token-file:", Style::dim}});
    context.out.line({{"export SALLYPORT_URL=" + addressForOthers(client) + " SALLYPORT_TOKEN=" + token}});
    return ExitCode::ok;
}

ExitCode listTokens(Context& context) {
    const Answer answer = context.connect().get(Target("/api/tokens"));
    if (context.options.json) {
        context.out.json(answer.text());
        return ExitCode::ok;
    }
    Table table({"ID", "ROLE", "USER", "CREATED", "NAME"});
    for (const json::Value& element : elementsOf(answer.object(), "tokens")) {
        const json::Object token = element.object();
        table.row({{idOf(token, "token_id")},
                   {textOf(token, "role")},
                   {textOf(token, "user_id")},
                   {age(textOf(token, "created_at"), context.now)},
                   {textOf(token, "name")}});
    }
    table.print(context.out);
    return ExitCode::ok;
}

ExitCode revoke(Context& context, const std::string& id) {
    const Answer answer = context.connect().remove(Target("/api/tokens").segment(id));
    if (context.options.json) {
        context.out.json(answer.text());
    } else {
        context.out.line({{"Token " + id + " is revoked"}});
    }
    if (const auto caveat = caveatOf(answer.object())) {
        context.err.line({{*caveat, Style::yellow}});
    }
    return ExitCode::ok;
}

}  // namespace

void addTokenCommands(CLI::App& app, Command& chosen) {
    CLI::App& token = *app.add_subcommand("token", "Operator tokens: create, list, revoke");
    token.require_subcommand(1);

    CLI::App& creating = *token.add_subcommand("create", "Create an operator token, and show it once");
    creating.footer("Example:\n  sallyport token create dashboard --user alice --role viewer");
    const auto options = std::make_shared<NewToken>();
    creating.add_option("NAME", options->name, "What it is for")->required()->type_name("");
    creating.add_option("--user", options->user, "The user it acts for (default)")->type_name("USER");
    creating
        .add_option("--role", options->role, "What it may do: viewer, user, admin, auditor or runner (user)")
        ->type_name("ROLE");
    creating.callback([&chosen, options] {
        chosen = [options](Context& context) { return createToken(context, *options); };
    });

    token.add_subcommand("list", "List the operator tokens, not what they are")->callback([&chosen] {
        chosen = listTokens;
    });

    CLI::App& revoking = *token.add_subcommand("revoke", "Revoke a token at once, everywhere");
    const auto id = std::make_shared<std::string>();
    revoking.add_option("ID", *id, "Id of the token, as the list shows it")->required()->type_name("");
    revoking.callback([&chosen, id] { chosen = [id](Context& context) { return revoke(context, *id); }; });
}

}  // namespace sallyport::host::cli
