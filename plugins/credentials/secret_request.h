// Secrets as operators send and see them.
#pragma once

#include <cstddef>
#include <string>

#include <sallyport/call.h>
#include <sallyport/errors.h>
#include <sallyport/json_writer.h>
#include <sallyport/secret_text.h>

#include "audit_log.h"
#include "secret_table.h"

namespace sallyport::plugins {

/// The body of `PUT /secrets/{name}`.
struct SecretRequest {
    SecretInfo info;
    SecretText value;
};

/// An operator who is no administrator named another user: 404 for one that it looks at, 403 for one that it
/// wants to store something for.
class OtherUser final : public RequestError {
public:
    OtherUser(std::string user, const RequestError& refusal);

    [[nodiscard]] const std::string& user() const noexcept { return user_; }

private:
    std::string user_;
};

/// @throws RequestError 422 naming the field, 413 for a value of more than `maxSize` bytes, 403 for a user
///         that the caller may not act for (OtherUser)
[[nodiscard]] SecretRequest readSecretRequest(const Call& call, std::size_t maxSize);

/// Whose secrets a request without a body is about: the query's `user_id`, or the one whose secrets the
/// caller's jobs get. @throws OtherUser, RequestError 400 for what can be nobody's name
[[nodiscard]] std::string secretsOwner(const Call& call);

/// Adds the members of a secret, without its value, to an object.
void addSecret(json::Writer& json, const SecretInfo& info);

/// Adds the members of an entry of the audit trail to an object.
void addAuditEntry(json::Writer& json, const StoredAuditEntry& stored);

}  // namespace sallyport::plugins
