// What becomes of a request, decided by its head alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <sallyport/errors.h>
#include <sallyport/reply.h>

#include "host/auth/filter.h"
#include "host/http/request_head.h"
#include "host/http/router.h"
#include "host/http/transport.h"

// The checks come in the order of the contract; each is a function of what it is given. [any thread]
namespace sallyport::host::http {

/// The host's own answers, which need no token: `/health` and `OPTIONS *`. Nothing for any other request.
[[nodiscard]] std::optional<Reply> publicAnswer(const RequestHead& head);

/// The path below the realm's mount point, beginning with `/`. Nothing outside of it.
[[nodiscard]] std::optional<std::string_view> pathInside(Realm realm, std::string_view path);

/// A request that passed the filter.
struct Authenticated {
    auth::Identity identity;
    std::string subpath;  ///< what the router is asked for
};

/// Who asks. @param inside see pathInside. @return what the filter said otherwise.
[[nodiscard]] std::variant<Authenticated, RequestError> authenticate(const auth::Filter& filter, Realm realm,
                                                                     const RequestHead& head,
                                                                     std::string_view inside,
                                                                     const Transport& transport);

/// Why the operator door does not show its public files for that request, if it is meant for another host.
[[nodiscard]] std::optional<RequestError> misdirected(const auth::Filter& filter, const RequestHead& head);

/// Whether a request is for the proxy, and which kind of route answers it. One in absolute form is only while
/// somebody answers those. @param realm of the door.
[[nodiscard]] std::optional<RouteKind> proxyKind(const RequestHead& head, Realm realm,
                                                 const RouteTable& routes);

/// Who asks a proxy.
[[nodiscard]] std::variant<Authenticated, RequestError> authenticateProxy(const auth::Filter& filter,
                                                                          const RequestHead& head);

/// The refusal of a request to a proxy that would carry its caller's own token on to the target.
[[nodiscard]] std::optional<RequestError> tokenGivenAway(const RequestHead& head,
                                                         const auth::Identity& identity);

/// Where a request goes, or the answer if it goes nowhere.
struct Routed {
    RouteTable::Match match;
    std::optional<Reply> answer;
};
[[nodiscard]] Routed route(const RouteTable& routes, Realm realm, std::string_view method,
                           const Authenticated& who);

/// The same for one to the proxy. @param realm of the door; only workers have one.
[[nodiscard]] Routed routeProxy(const RouteTable& routes, Realm realm, RouteKind kind);

/// Whether requests to it count towards what a job may make in a second. Those do not without which a worker
/// cannot begin, go on or end: they are never slowed or refused for their rate.
[[nodiscard]] bool isPaced(const Route& route);

/// Whether a request's body is read.
struct BodyAdmission {
    std::uint64_t limit = 0;              ///< bytes of content, if it is
    std::optional<RequestError> refusal;  ///< why it is not
};
[[nodiscard]] BodyAdmission admitBody(const RequestHead& head, const Route& route, std::uint64_t maxBody);

/// The answer for a refusal: with the challenge that a 401 needs.
[[nodiscard]] Reply refusal(const RequestError& error);

}  // namespace sallyport::host::http
