#include "host/http/admission.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <sallyport/media_type.h>

#include "host/http/proxy_request.h"

namespace sallyport::host::http {

namespace {

/// A body that a route has no use for is read nevertheless, up to this size.
constexpr std::uint64_t unwantedBody = std::uint64_t{64} * 1024;

constexpr std::string_view healthMethods = "GET, HEAD, OPTIONS";

/// What of the headers the filter looks at.
auth::Presented presented(const RequestHead& head) {
    using Field = std::optional<std::string_view> auth::Presented::*;
    struct Known {
        std::string_view name;
        Field field;
        bool auth::Presented::*repeated;
    };
    using auth::Presented;
    static constexpr Known known[] = {
        {"authorization", &Presented::authorization, &Presented::repeated},
        {"x-api-key", &Presented::apiKey, &Presented::repeated},
        {"cookie", &Presented::cookie, &Presented::browserRepeated},
        {"host", &Presented::host, &Presented::browserRepeated},
        {"origin", &Presented::origin, &Presented::browserRepeated},
        {"sec-fetch-site", &Presented::fetchSite, &Presented::browserRepeated},
        {"x-csrf-token", &Presented::csrfToken, &Presented::browserRepeated},
    };
    Presented found;
    found.method = head.method;
    found.upgrade = head.find("upgrade") != nullptr;
    for (const auto& [name, value] : head.headers) {
        for (const auto& [wanted, field, repeated] : known) {
            if (name == wanted) {
                found.*repeated |= (found.*field).has_value();
                found.*field = value;
            }
        }
    }
    return found;
}

/// The one request that is answered without a token, and not by the host alone.
bool isSignIn(const RequestHead& head, std::string_view inside) {
    return head.method == "POST" && inside == "/session";
}

std::variant<auth::Identity, RequestError> authenticateOperator(const auth::Filter& filter,
                                                                const RequestHead& head,
                                                                std::string_view inside,
                                                                const Transport& transport) {
    auto shown = presented(head);
    shown.secure = transport.isSecure();
    if (!isSignIn(head, inside)) {
        return filter.operators(shown);
    }
    std::string peer = transport.peer();
    peer.resize(std::min(peer.rfind(':'), peer.size()));
    shown.peer = peer;
    return filter.stranger(shown);
}

/// What says who asks the proxy; all else is the target's.
auth::Presented presentedToProxy(const RequestHead& head) {
    auth::Presented found;
    for (const auto& [name, value] : head.headers) {
        if (name == "proxy-authorization") {
            found.repeated |= found.proxyAuthorization.has_value();
            found.proxyAuthorization = value;
        }
    }
    return found;
}

RequestError notStarted() {
    return unavailable("not_started", "what may answer this has not started yet")
        .retryAfter(std::chrono::seconds(5));
}

}  // namespace

std::optional<Reply> publicAnswer(const RequestHead& head) {
    if (head.path == "*") {
        return Reply::empty(204).header("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    }
    if (head.path != "/health") {
        return std::nullopt;
    }
    if (head.method == "GET" || head.method == "HEAD") {
        return Reply::text(200, "text/plain; charset=utf-8", "ok");
    }
    if (head.method == "OPTIONS") {
        return Reply::empty(204).header("Allow", std::string(healthMethods));
    }
    return Reply::error(RequestError(405, "method_not_allowed", "/health is only read."))
        .header("Allow", std::string(healthMethods));
}

std::optional<std::string_view> pathInside(Realm realm, std::string_view path) {
    const std::string_view prefix = realm == Realm::worker ? "/worker" : "/api";
    if (!path.starts_with(prefix) || path.size() <= prefix.size() || path[prefix.size()] != '/') {
        return std::nullopt;
    }
    return path.substr(prefix.size());
}

std::variant<Authenticated, RequestError> authenticate(const auth::Filter& filter, Realm realm,
                                                       const RequestHead& head, std::string_view inside,
                                                       const Transport& transport) {
    std::string_view subpath = inside;
    auto result = [&] {
        if (realm == Realm::operators) {
            return authenticateOperator(filter, head, inside, transport);
        }
        const auto end = inside.find('/', 1);
        subpath = end == std::string_view::npos ? std::string_view{} : inside.substr(end);
        // What cannot be decoded is no UUID either.
        const auto job = percentDecode(inside.substr(1, end == std::string_view::npos ? end : end - 1));
        return filter.worker(job.value_or(std::string()), presented(head));
    }();
    if (auto* denied = std::get_if<RequestError>(&result)) {
        return std::move(*denied);
    }
    return Authenticated{std::move(std::get<auth::Identity>(result)), std::string(subpath)};
}

std::optional<RequestError> misdirected(const auth::Filter& filter, const RequestHead& head) {
    return filter.misdirected(presented(head));
}

std::optional<RouteKind> proxyKind(const RequestHead& head, Realm realm, const RouteTable& routes) {
    if (head.asksForTunnel()) {
        return RouteKind::connect;
    }
    if (head.target && realm == Realm::worker && routes.proxy(RouteKind::forward).route) {
        return RouteKind::forward;
    }
    return std::nullopt;
}

std::variant<Authenticated, RequestError> authenticateProxy(const auth::Filter& filter,
                                                            const RequestHead& head) {
    auto result = filter.proxy(presentedToProxy(head));
    if (auto* denied = std::get_if<RequestError>(&result)) {
        return std::move(*denied);
    }
    return Authenticated{std::move(std::get<auth::Identity>(result)), {}};
}

std::optional<RequestError> tokenGivenAway(const RequestHead& head, const auth::Identity& identity) {
    if (!givesTokenAway(head, identity.lease->digest)) {
        return std::nullopt;
    }
    return badRequest(
        "the job's token was sent for the target: it is for the proxy, in Proxy-Authorization, alone");
}

Routed routeProxy(const RouteTable& routes, Realm realm, RouteKind kind) {
    auto [proxy, awaited] = routes.proxy(kind);
    Routed routed;
    if (realm != Realm::worker) {
        routed.answer = refusal(RequestError(405, "no_proxy", "this door is no proxy")).header("Allow", "");
    } else if (awaited) {
        routed.answer = refusal(notStarted());
    } else if (!proxy) {
        routed.answer = refusal(RequestError(405, "no_proxy", "no proxy is served here")).header("Allow", "");
    }
    routed.match.route = std::move(proxy);
    return routed;
}

Routed route(const RouteTable& routes, Realm realm, std::string_view method, const Authenticated& who) {
    Routed routed{routes.match(realm, method, who.subpath), std::nullopt};
    const auto& match = routed.match;
    if (match.awaited && (method != "OPTIONS" || match.allow.empty())) {
        routed.answer = refusal(notStarted());
    } else if (!match.route && match.allow.empty()) {
        routed.answer = refusal(notFound("there is nothing at this path"));
    } else if (!match.route && method == "OPTIONS") {
        routed.answer = Reply::empty(204).header("Allow", match.allow);
    } else if (!match.route) {
        routed.answer =
            Reply::error(RequestError(405, "method_not_allowed", "the method is not one of: " + match.allow))
                .header("Allow", match.allow);
    } else if (const auto denied = denial(*match.route, *who.identity.caller)) {
        routed.answer = refusal(*denied);
    } else if (match.badEncoding) {
        routed.answer = refusal(badRequest("the path's percent-encoding is malformed"));
    }
    return routed;
}

bool isPaced(const Route& route) {
    constexpr std::array<std::string_view, 5> free{"/job", "/credentials", "/prompt", "/status", "/complete"};
    if (route.kind != RouteKind::path) {
        return true;
    }
    return route.realm == Realm::worker && std::find(free.begin(), free.end(), route.pattern) == free.end();
}

BodyAdmission admitBody(const RequestHead& head, const Route& route, std::uint64_t maxBody) {
    const bool wanted = route.body != Body::none;
    const std::uint64_t wantedBody =
        route.maxBody != 0 ? std::min<std::uint64_t>(route.maxBody, maxBody) : maxBody;
    BodyAdmission admission{wanted ? wantedBody : unwantedBody, std::nullopt};
    if (head.framing == Framing::length && head.length > admission.limit) {
        admission.refusal = tooLarge("the request body is larger than is accepted here");
        return admission;
    }
    if (!wanted || head.framing == Framing::none) {
        return admission;
    }
    const auto* encoding = head.find("content-encoding");
    if (encoding != nullptr && *encoding != "identity") {
        admission.refusal =
            RequestError(415, "unsupported_encoding", "the body must not have a content coding");
        return admission;
    }
    const auto* type = head.find("content-type");
    if (route.body == Body::json && (type == nullptr || !isJsonType(*type))) {
        admission.refusal = RequestError(415, "unsupported_media_type", "the body must be application/json");
    }
    return admission;
}

Reply refusal(const RequestError& error) {
    auto reply = Reply::error(error);
    if (error.status() == 401) {
        reply.header("WWW-Authenticate", "Bearer");
    } else if (error.status() == 407) {
        reply.header("Proxy-Authenticate", R"(Basic realm="sallyport", Bearer realm="sallyport")");
    }
    return reply;
}

}  // namespace sallyport::host::http
