#include "secret_request.h"

#include <algorithm>
#include <utility>

#include <sallyport/permission.h>
#include <sallyport/user_id.h>

#include "grant_rules.h"

namespace sallyport::plugins {

namespace {

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

std::optional<std::string> unlessEmpty(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

std::optional<std::string> timeText(const std::optional<Timestamp>& time) {
    return time ? std::optional(rfc3339(*time)) : std::nullopt;
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

void addSecret(json::Writer& json, const SecretInfo& info) {
    json.member("name", info.name);
    json.member("user_id", info.user);
    json.member("provider", info.provider);
    json.member("expires_at", timeText(info.expiresAt));
    json.member("usage_count", info.usageCount);
    json.member("last_used_at", timeText(info.lastUsedAt));
    json.member("created_at", rfc3339(info.createdAt));
    json.member("updated_at", rfc3339(info.updatedAt));
}

void addAuditEntry(json::Writer& json, const StoredAuditEntry& stored) {
    const AuditEntry& entry = stored.entry;
    json.member("number", stored.number);
    json.member("at", rfc3339(stored.at));
    json.member("actor", entry.by.actor);
    json.member("action", entry.action);
    json.member("outcome", entry.outcome);
    json.member("reason", unlessEmpty(entry.reason));
    json.member("user_id", unlessEmpty(entry.user));
    json.member("job_id", entry.job ? std::optional(entry.job->str()) : std::nullopt);
    json.member("secret_name", unlessEmpty(entry.secret));
    json.member("env_var", unlessEmpty(entry.variable));
    json.member("request_id", unlessEmpty(entry.by.requestId));
    json.member("hash", hex(stored.hash));
}

}  // namespace sallyport::plugins
