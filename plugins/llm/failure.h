// What it means that a provider did not answer, or not well.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/errors.h>

#include "upstream/upstream.h"

namespace sallyport::plugins::llm {

/// A provider's own words, for a client that understands them.
struct Relayed {
    int status;
    std::string contentType;
    std::string body;
};

/// What is said of a try that failed.
struct Failure {
    RequestError error;          ///< for the client, should it be the last
    bool again = false;          ///< whether the same provider may do better in a while
    bool elsewhere = false;      ///< whether another provider may do better
    bool blamesProvider = true;  ///< whether the circuit breaker counts it
    std::optional<std::chrono::milliseconds> retryAfter{};
    std::optional<Relayed> relayed{};
};

/// The first header of that name in lower case; empty if there is none.
[[nodiscard]] std::string_view headerOf(const UpstreamHead& head, std::string_view name);

/// `502`, with a machine word and a sentence.
[[nodiscard]] RequestError badGateway(const char* code, const std::string& message);

/// For a `Retry-After`.
[[nodiscard]] std::chrono::seconds atLeastASecond(std::chrono::milliseconds delay);

/// An answer came that makes no sense.
[[nodiscard]] Failure badAnswer();
/// No whole answer came. @param problem any but `none`
[[nodiscard]] Failure failureOf(UpstreamProblem problem);
/// An answer came with another status than 2xx.
/// @param relays whether the client can be told in the provider's own words
[[nodiscard]] Failure refusalOf(const UpstreamHead& head, const std::string& body, bool relays);

}  // namespace sallyport::plugins::llm
