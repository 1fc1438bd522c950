#include "host/plugins/route_collector.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "host/auth/permissions.h"

namespace sallyport::host::plugins {

namespace {

/// What the plugin's header did not have yet is as by default.
RouteOptions whole(const RouteOptions& given) {
    static_assert(std::is_trivially_copyable_v<RouteOptions>);
    RouteOptions options;
    std::memcpy(&options, &given, std::min(given.size, sizeof options));
    return options;
}

}  // namespace

RouteCollector::RouteCollector(std::shared_ptr<void> code, std::shared_ptr<http::Gate> gate, Taken taken,
                               std::shared_ptr<const entry::StartPhase> starting)
    : code_(std::move(code)),
      gate_(std::move(gate)),
      taken_(std::move(taken)),
      starting_(std::move(starting)) {}

void RouteCollector::worker(std::string_view method, std::string_view pattern, Handler handler,
                            const RouteOptions& options) {
    add(Realm::worker, method, pattern, std::move(handler), whole(options));
}

void RouteCollector::operators(std::string_view method, std::string_view pattern, Handler handler,
                               const RouteOptions& options) {
    add(Realm::operators, method, pattern, std::move(handler), whole(options));
}

void RouteCollector::checkPermission(Realm realm, std::string_view permission) const {
    if (permission.empty()) {
        return;
    }
    if (realm == Realm::worker) {
        throw std::invalid_argument("a route of workers needs no permission: they have none");
    }
    if (!auth::isPermission(permission, gate_->plugin())) {
        throw std::invalid_argument(
            "\"" + std::string(permission) +
            "\" is neither a permission of Sallyport's nor one of the plugin's own: " +
            auth::permissionOf(gate_->plugin(), "verb"));
    }
}

void RouteCollector::connect(ProxyHandler handler, Run run) {
    addProxy(http::RouteKind::connect, "CONNECT", "{host}:{port}", std::move(handler), run);
}

void RouteCollector::forward(ProxyHandler handler, Run run) {
    addProxy(http::RouteKind::forward, "*", "http://{host}/{path...}", std::move(handler), run);
}

void RouteCollector::add(Realm realm, std::string_view method, std::string_view pattern, Handler handler,
                         const RouteOptions& options) {
    starting_->require(realm == Realm::worker ? "Routes::worker" : "Routes::operators");
    constexpr std::array<std::string_view, 5> methods{"GET", "POST", "PUT", "PATCH", "DELETE"};
    if (std::find(methods.begin(), methods.end(), method) == methods.end()) {
        throw std::invalid_argument("\"" + std::string(method) + "\" is not GET, POST, PUT, PATCH or DELETE");
    }
    if (!handler) {
        throw std::invalid_argument("a route needs a handler");
    }
    http::checkPattern(pattern);
    checkPermission(realm, options.permission);

    auto route = made(realm, method, pattern);
    route->label = route->method + " " + http::mountedPath(*route);
    route->run = options.run;
    const bool reads = method == "GET";
    route->body = options.body.value_or(reads || method == "DELETE" ? Body::none : Body::json);
    if (realm == Realm::operators) {
        route->permission = options.permission.empty()
                                ? auth::permissionOf(gate_->plugin(), reads ? "read" : "write")
                                : std::string(options.permission);
    }
    route->head = options.head;
    route->secret = options.secret;
    route->loopBody = options.loopBody;
    route->handler = std::move(handler);
    collect(std::move(route));
}

void RouteCollector::addProxy(http::RouteKind kind, const char* method, const char* pattern,
                              ProxyHandler handler, Run run) {
    starting_->require(kind == http::RouteKind::connect ? "Tunnels::connect" : "Tunnels::forward");
    if (!handler) {
        throw std::invalid_argument("a proxy needs a handler");
    }
    auto route = made(Realm::worker, method, pattern);
    route->kind = kind;
    route->label = route->method + " " + http::mountedPath(*route);
    route->run = run;
    route->proxy = std::move(handler);
    collect(std::move(route));
}

std::shared_ptr<http::Route> RouteCollector::made(Realm realm, std::string_view method,
                                                  std::string_view pattern) const {
    auto route = std::make_shared<http::Route>();
    route->gate = gate_;
    route->code = code_;
    route->realm = realm;
    route->method = method;
    route->pattern = pattern;
    return route;
}

void RouteCollector::collect(std::shared_ptr<http::Route> route) {
    if (const auto owner = taken_(*route); !owner.empty()) {
        throw std::invalid_argument(route->label + " is already a route of " + owner);
    }
    // The collected routes among themselves: the table refuses two of the same.
    auto extended = routes_;
    extended.push_back(std::move(route));
    static_cast<void>(http::RouteTable(extended));
    routes_ = std::move(extended);
}

}  // namespace sallyport::host::plugins
