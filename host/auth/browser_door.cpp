#include "host/auth/browser_door.h"

#include <string>

#include <sallyport/ascii.h>

#include "host/auth/cookie.h"

namespace sallyport::host::auth {

namespace {

RequestError misdirectedRequest(const char* message) {
    return {421, "misdirected", message};
}

RequestError otherPages(const char* message) {
    return {403, "cross_origin", message};
}

RequestError noSession(const char* message) {
    return {401, "unauthorized", message};
}

std::vector<std::string_view> secretsIn(const Presented& presented) {
    return presented.cookie ? cookieValues(*presented.cookie, cookieName(presented.secure))
                            : std::vector<std::string_view>();
}

bool isSafe(std::string_view method) {
    return method == "GET" || method == "HEAD";
}

/// Whether the page is of the name and port that it asks for. In front of a daemon that speaks no TLS
/// something else may.
bool isOwnOrigin(std::string_view origin, const Presented& presented) {
    const auto scheme = origin.find("://");
    if (scheme == std::string_view::npos || !presented.host) {
        return false;
    }
    const auto word = origin.substr(0, scheme);
    return (word == "https" || (word == "http" && !presented.secure)) &&
           ascii::equalsIgnoringCase(origin.substr(scheme + 3), *presented.host);
}

/// Why a page must not have sent it. Browsers tell the origin of every request that may change something.
std::optional<RequestError> pageRefusal(const Presented& presented, bool originNeeded) {
    if (presented.browserRepeated) {
        return otherPages("a header that tells where the request comes from was sent more than once");
    }
    const auto& site = presented.fetchSite;
    if (site && *site != "same-origin" && *site != "none") {
        return otherPages("the request comes from a page of another origin");
    }
    if (presented.origin ? !isOwnOrigin(*presented.origin, presented) : originNeeded) {
        return otherPages("the header Origin must name the page's own host and port, as Host does");
    }
    return std::nullopt;
}

}  // namespace

bool BrowserDoor::isBrowsers(const Presented& presented) {
    return presented.origin || presented.fetchSite;
}

std::optional<RequestError> BrowserDoor::misdirected(const Presented& presented) const {
    if (names_.answersTo(presented.host.value_or(std::string_view()))) {
        return std::nullopt;
    }
    return misdirectedRequest(
        "the host that was asked for is not this one: names by which browsers reach it are set with "
        "operator.hosts");
}

/// Also of those that are the door's own, but not its alone.
std::optional<RequestError> BrowserDoor::wrongName(const Presented& presented) const {
    if (auto refusal = misdirected(presented)) {
        return refusal;
    }
    if (names_.takesCookies(presented.host.value_or(std::string_view()))) {
        return std::nullopt;
    }
    return misdirectedRequest(
        "browsers sign in under the name sallyport.localhost, or one of operator.hosts: cookies know no "
        "ports, and what else listens under this one would get them");
}

std::variant<std::shared_ptr<const Session>, RequestError> BrowserDoor::session(const Presented& presented,
                                                                                Clock::time_point now) {
    const auto values = secretsIn(presented);
    if (values.empty()) {
        return nullptr;
    }
    if (auto refusal = wrongName(presented)) {
        return *std::move(refusal);
    }
    if (values.size() > 1 || presented.browserRepeated) {
        return noSession("the session's cookie was sent more than once");
    }
    // Pages can send no header of theirs with the handshake of a WebSocket, and browsers always tell its
    // origin.
    if (auto refusal = pageRefusal(presented, !isSafe(presented.method) || presented.upgrade)) {
        return *std::move(refusal);
    }
    auto found = sessions_.use(digest(values.front()), now);
    if (!found) {
        return noSession("the session is over: sign in again");
    }
    if (!isSafe(presented.method) &&
        (!presented.csrfToken || !equal(digest(*presented.csrfToken), digest(found->csrfToken)))) {
        return RequestError(403, "csrf_token",
                            "the header X-CSRF-Token must have the session's token, which GET /api/session "
                            "tells");
    }
    return found;
}

std::shared_ptr<const Session> BrowserDoor::replaced(const Presented& presented, Clock::time_point now) {
    const auto values = secretsIn(presented);
    return values.size() == 1 ? sessions_.use(digest(values.front()), now) : nullptr;
}

std::optional<RequestError> BrowserDoor::signInRefusal(const Presented& presented, Clock::time_point now) {
    if (auto refusal = wrongName(presented)) {
        return refusal;
    }
    if (auto refusal = pageRefusal(presented, true)) {
        return refusal;
    }
    const auto verdict = pace_.take(presented.peer, now);
    if (!verdict.refused) {
        return std::nullopt;
    }
    RequestError error(429, "rate_limited", "there were too many attempts to sign in");
    error.retryAfter(verdict.retryAfter);
    return error;
}

}  // namespace sallyport::host::auth
