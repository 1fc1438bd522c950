// Errors that a handler may throw and the host turns into an answer.
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sallyport/export.h>

namespace sallyport {

/// A refusal with an HTTP status, a machine word and a sentence for a person.
///
/// Thrown out of a handler it becomes `{"error":{"code","message"}}` with that status. The sentence
/// reaches the client as it is: never put a path, an SQL text, a token or a secret into it.
class SALLYPORT_API RequestError : public std::runtime_error {
public:
    /// @param status  HTTP status, 400 to 599 (RFC 9110 section 15).
    /// @param code    machine word, `[a-z0-9_]+`, stable across releases.
    /// @param message one sentence.
    RequestError(int status, std::string code, const std::string& message);
    ~RequestError() override;

    /// The HTTP status.
    [[nodiscard]] int status() const noexcept { return status_; }
    /// The machine word.
    [[nodiscard]] const std::string& code() const noexcept { return code_; }

    /// Seconds for a `Retry-After` header (RFC 9110 section 10.2.3), when waiting helps.
    [[nodiscard]] std::optional<std::chrono::seconds> retryAfter() const noexcept { return retryAfter_; }
    /// Sets it. @return this error, to be thrown.
    RequestError& retryAfter(std::chrono::seconds delay);

private:
    int status_;
    std::string code_;
    std::optional<std::chrono::seconds> retryAfter_;
};

/// `400 bad_request`: the request cannot be understood.
[[nodiscard]] SALLYPORT_API RequestError badRequest(const std::string& message);
/// `403 forbidden`: the caller is known, and may not.
[[nodiscard]] SALLYPORT_API RequestError forbidden(const std::string& message);
/// `403 forbidden`, naming the permission that the caller lacks (see Caller::may).
/// @param what what it is needed for, as the subject of the sentence.
[[nodiscard]] SALLYPORT_API RequestError lacksPermission(std::string_view permission,
                                                         std::string_view what = "this");
/// `404 not_found`.
[[nodiscard]] SALLYPORT_API RequestError notFound(const std::string& message);
/// `409` with a code that says what stands in the way.
[[nodiscard]] SALLYPORT_API RequestError conflict(std::string code, const std::string& message);
/// `413 too_large`.
[[nodiscard]] SALLYPORT_API RequestError tooLarge(const std::string& message);
/// `422 invalid_field`: well-formed, but the named field is missing or has a value that cannot be.
[[nodiscard]] SALLYPORT_API RequestError invalidField(std::string_view field, const std::string& problem);
/// `503` with a code that says what is missing.
[[nodiscard]] SALLYPORT_API RequestError unavailable(std::string code, const std::string& message);

/// The database could not take or give the data: `503 storage_unavailable`. What was asked for did
/// not happen.
class SALLYPORT_API StoreError : public RequestError {
public:
    /// @param detail what the engine said. It goes to the log and never to a client.
    explicit StoreError(std::string detail);
    ~StoreError() override;

    /// What the engine said, for the log.
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }

private:
    std::string detail_;
};

}  // namespace sallyport
