#include "secret_request.h"

#include <algorithm>
#include <utility>

#include <sallyport/permission.h>
#include <sallyport/user_id.h>

#include "grant_rules.h"

namespace sallyport::plugins {

namespace {

using Poco::Dynamic::Var;

constexpr std::size_t maxProvider = 128;

std::string ownerIn(const json::Object& body, const Caller& caller) {
    auto named = userIn(body);
    if (named && !caller.mayAccess(*named)) {
        throw OtherUser(*std::move(named),
                        lacksPermission(permission::usersAll, "storing secrets of another user"));
    }
    return named ? *std::move(named) : ownerByDefault(caller);
}

std::optional<std::string> readProvider(const json::Object& body) {
    auto provider = body.optionalString("provider");
    if (provider && (provider->empty() || provider->size() > maxProvider ||
                     std::any_of(provider->begin(), provider->end(),
                                 [](unsigned char c) { return c < 0x20 || c == 0x7f; }))) {
        throw invalidField(
            "provider", "must have 1 to " + std::to_string(maxProvider) + " bytes and no control characters");
    }
    return provider;
}

std::optional<Timestamp> readExpiry(const json::Object& body) {
    const auto text = body.optionalString("expires_at");
    if (!text) {
        return std::nullopt;
    }
    const auto time = parseRfc3339(*text);
    if (!time) {
        throw invalidField("expires_at", "must be a time such as 2027-01-31T12:00:00Z (RFC 3339)");
    }
    return time;
}

SecretText readValue(const json::Object& body, std::size_t maxSize) {
    std::string text = body.string("value");
    SecretText value = SecretText::taken(text);
    if (value.empty()) {
        throw invalidField("value", "must not be empty");
    }
    if (value.size() > maxSize) {
        throw tooLarge("the secret has more than " + std::to_string(maxSize) + " bytes");
    }
    if (value.reveal().find('\0') != std::string_view::npos) {
        throw invalidField("value", "must not contain a NUL character: no environment variable can hold it");
    }
    return value;
}

Var textOrNull(const std::string& text) {
    return text.empty() ? Var() : Var(text);
}

Var textOrNull(const std::optional<std::string>& text) {
    return text ? Var(*text) : Var();
}

Var timeOrNull(const std::optional<Timestamp>& time) {
    return time ? Var(rfc3339(*time)) : Var();
}

}  // namespace

OtherUser::OtherUser(std::string user, const RequestError& refusal)
    : RequestError(refusal), user_(std::move(user)) {}

SecretRequest readSecretRequest(const Call& call, std::size_t maxSize) {
    const json::Object body = call.json();
    SecretRequest request;
    request.info.name = normalisedName(call.param("name"), "name");
    request.info.user = ownerIn(body, call.caller());
    request.info.provider = readProvider(body);
    request.info.expiresAt = readExpiry(body);
    request.info.createdAt = now();
    request.info.updatedAt = request.info.createdAt;
    request.value = readValue(body, maxSize);
    return request;
}

std::string secretsOwner(const Call& call) {
    const auto named = call.query("user_id");
    if (named && !isUserId(*named)) {
        throw badRequest("query parameter 'user_id' must name one user");
    }
    try {
        return userInQuery(call).value_or(ownerByDefault(call.caller()));
    } catch (const RequestError& refusal) {
        throw OtherUser(*named, refusal);
    }
}

Poco::JSON::Object::Ptr orderedObject() {
    return new Poco::JSON::Object(Poco::JSON_PRESERVE_KEY_ORDER);
}

Poco::JSON::Object::Ptr secretJson(const SecretInfo& info) {
    auto json = orderedObject();
    json->set("name", info.name);
    json->set("user_id", info.user);
    json->set("provider", textOrNull(info.provider));
    json->set("expires_at", timeOrNull(info.expiresAt));
    json->set("usage_count", info.usageCount);
    json->set("last_used_at", timeOrNull(info.lastUsedAt));
    json->set("created_at", rfc3339(info.createdAt));
    json->set("updated_at", rfc3339(info.updatedAt));
    return json;
}

Poco::JSON::Object::Ptr auditJson(const StoredAuditEntry& stored) {
    const AuditEntry& entry = stored.entry;
    auto json = orderedObject();
    json->set("number", stored.number);
    json->set("at", rfc3339(stored.at));
    json->set("actor", entry.by.actor);
    json->set("action", entry.action);
    json->set("outcome", entry.outcome);
    json->set("reason", textOrNull(entry.reason));
    json->set("user_id", textOrNull(entry.user));
    json->set("job_id", entry.job ? Var(entry.job->str()) : Var());
    json->set("secret_name", textOrNull(entry.secret));
    json->set("env_var", textOrNull(entry.variable));
    json->set("request_id", textOrNull(entry.by.requestId));
    json->set("hash", hex(stored.hash));
    return json;
}

}  // namespace sallyport::plugins
