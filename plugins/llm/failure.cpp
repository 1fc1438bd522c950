#include "failure.h"

#include <algorithm>
#include <utility>

#include <sallyport/timestamp.h>

#include "backoff.h"
#include "dialect.h"

namespace sallyport::plugins::llm {

namespace {

/// Of a refusal that is handed on.
constexpr std::size_t relayedRefusal = std::size_t{64} * 1024;

/// Whether the answer may be better in a while (RFC 9110; 529 is Anthropic's word for overloaded).
bool isPassing(int status) {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504 || status == 529;
}

/// Whether the client can do something about it, so that another provider would say the same. 407 is of a
/// proxy between here and the provider.
bool isClients(int status) {
    return status >= 400 && status < 500 && status != 401 && status != 402 && status != 403 &&
           status != 404 && status != 407 && !isPassing(status);
}

const char* sentence(UpstreamProblem problem) {
    switch (problem) {
        case UpstreamProblem::resolve:
        case UpstreamProblem::connect:
        case UpstreamProblem::connectTimeout:
            return "the provider cannot be reached";
        case UpstreamProblem::tls:
            return "there is no trusted connection to the provider";
        case UpstreamProblem::firstByteTimeout:
        case UpstreamProblem::idleTimeout:
        case UpstreamProblem::totalTimeout:
            return "the provider took too long to answer";
        case UpstreamProblem::tooLarge:
            return "the provider's answer is too large";
        case UpstreamProblem::none:
        case UpstreamProblem::broken:
        case UpstreamProblem::cancelled:
            break;
    }
    return "the provider's answer broke off";
}

}  // namespace

std::string_view headerOf(const UpstreamHead& head, std::string_view name) {
    for (const auto& [key, value] : head.headers) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

RequestError badGateway(const char* code, const std::string& message) {
    return {502, code, message};
}

std::chrono::seconds atLeastASecond(std::chrono::milliseconds delay) {
    return std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(delay));
}

Failure badAnswer() {
    return {.error = badGateway("bad_answer", "the provider's answer is not what it should be"),
            .elsewhere = true};
}

Failure failureOf(UpstreamProblem problem) {
    // What was too large, or took the whole time, would be so again.
    const bool again = problem != UpstreamProblem::tooLarge && problem != UpstreamProblem::totalTimeout &&
                       problem != UpstreamProblem::tls;
    return {.error = badGateway(name(problem), sentence(problem)), .again = again, .elsewhere = true};
}

Failure refusalOf(const UpstreamHead& head, const std::string& body, bool relays) {
    const int status = head.status;
    Failure failure{
        .error = badGateway("provider_error", "the provider answered with status " + std::to_string(status)),
        .again = isPassing(status),
        .elsewhere = !isClients(status),
        .blamesProvider = !isClients(status) && status != 404};
    if (status == 401 || status == 403) {
        failure.error = badGateway("provider_key", "the provider does not accept its key");
    } else if (status == 429) {
        failure.error = badGateway("provider_busy", "the provider takes no more requests for now");
    } else if (isClients(status)) {
        failure.error =
            badGateway("provider_refused", "the provider refused the request: " + upstreamErrorText(body));
    }
    failure.retryAfter = parseRetryAfter(headerOf(head, "retry-after"), now());
    if (failure.retryAfter) {
        failure.error.retryAfter(atLeastASecond(*failure.retryAfter));
    }
    // Its words about the key may quote it.
    if (relays && status >= 400 && status < 500 && status != 401 && status != 402 && status != 403 &&
        status != 407 && body.size() <= relayedRefusal) {
        failure.relayed = Relayed{status, std::string(headerOf(head, "content-type")), body};
    }
    return failure;
}

}  // namespace sallyport::plugins::llm
