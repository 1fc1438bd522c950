// One authenticated request, as a handler sees it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/caller.h>
#include <sallyport/json.h>

namespace sallyport {

/// An HTTP request that passed the filter, was routed, and whose body is complete and within limits.
///
/// The headers that carry credentials (`Authorization`, `Cookie`, `Proxy-Authorization`, `X-Api-Key`)
/// are not in it. A handler gets it by reference for the duration of the call; it may be kept longer
/// only by holding on to the shared pointer that `share()` gives. [any thread; immutable]
class Call : public std::enable_shared_from_this<Call> {
public:
    /// Names and values, in the order in which they came.
    using Pairs = std::vector<std::pair<std::string, std::string>>;

    /// What the host knows of a request. A struct of parts, so that a test can write one down.
    struct Parts {
        std::string method;     ///< `GET`, `POST`, …
        std::string path;       ///< the request's path, undecoded, without the query
        std::string query;      ///< what stood after `?`, undecoded
        Pairs params;           ///< the route's `{name}` segments, percent-decoded
        Pairs headers;          ///< names in lower case, without those that carry credentials
        std::string body;       ///< as it was sent
        std::string requestId;  ///< also answered as `X-Request-Id`
        std::size_t maxJsonDepth = json::defaultDepth;  ///< how deep JSON in the body may nest
        bool secret = false;  ///< whether the body is overwritten when the call ends
        std::size_t maxJsonMembers = json::defaultValues;  ///< elements and members of JSON in the body
    };

    /// @param caller must outlive the call; the host keeps both together.
    /// @param parts  taken over.
    Call(const Caller& caller, Parts parts);
    virtual ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    /// Who is calling, as the filter found.
    [[nodiscard]] const Caller& caller() const noexcept { return caller_; }
    /// `GET`, `POST`, …
    [[nodiscard]] const std::string& method() const noexcept { return parts_.method; }
    /// The whole path, undecoded, without the query.
    [[nodiscard]] const std::string& path() const noexcept { return parts_.path; }
    /// Names the request in the log, and in the answer's `X-Request-Id`.
    [[nodiscard]] const std::string& requestId() const noexcept { return parts_.requestId; }
    /// The body as it was sent; empty on a route of Body::none.
    [[nodiscard]] const std::string& body() const noexcept { return parts_.body; }

    /// How deep its JSON may nest, for a handler with a parser of its own.
    [[nodiscard]] std::size_t maxJsonDepth() const noexcept { return parts_.maxJsonDepth; }
    /// All limits for its JSON, for a handler that reads it with json::Reader or json::Value::parse.
    [[nodiscard]] json::Limits jsonLimits() const noexcept {
        return {parts_.maxJsonDepth, parts_.maxJsonMembers};
    }

    /// The undecoded query string, without `?`.
    [[nodiscard]] const std::string& rawQuery() const noexcept { return parts_.query; }

    /// A `{name}` segment of the route, percent-decoded. Empty if the route has no such segment.
    [[nodiscard]] std::string_view param(std::string_view name) const;

    /// The `{job_id}` segment of an operator route, or the worker's own job.
    /// @throws RequestError 400 if the segment is no UUID.
    [[nodiscard]] JobId jobId() const;

    /// The first query parameter of that name, percent-decoded, `+` read as a space.
    [[nodiscard]] std::optional<std::string> query(std::string_view name) const;

    /// A query parameter that must be an integer from `low` to `high`; `fallback` when absent.
    /// @throws RequestError 400 naming the parameter.
    [[nodiscard]] std::int64_t queryInteger(std::string_view name, std::int64_t low, std::int64_t high,
                                            std::int64_t fallback) const;

    /// The first header of that name, in any letter case.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;

    /// The body as a JSON object, referring to this call's body.
    /// @throws RequestError 415 if the content type is not JSON, 400 if it does not parse, 422 if it has more
    ///         elements and members than are accepted, or is JSON but no object.
    [[nodiscard]] json::Object json() const;

    /// The same, for a route whose body may be left out: nothing when the body is empty.
    [[nodiscard]] std::optional<json::Object> optionalJson() const;

    /// Keeps the call alive beyond the handler's return. Only for calls that are held in a shared
    /// pointer, as those from the host are.
    [[nodiscard]] std::shared_ptr<const Call> share() const { return shared_from_this(); }

private:
    const Caller& caller_;
    Parts parts_;
};

}  // namespace sallyport
