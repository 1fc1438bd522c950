#include "host/http/router.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>

namespace sallyport::host::http {

namespace {

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        path.remove_prefix(1);
        const auto slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
    }
    return segments;
}

bool isParameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool isRest(std::string_view segment) {
    return isParameter(segment) && segment.size() > 5 && segment.ends_with("...}");
}

std::string_view parameterName(std::string_view segment) {
    return segment.substr(1, segment.size() - (isRest(segment) ? 5 : 2));
}

bool isName(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

/// What a literal segment may consist of: unreserved characters (RFC 3986 section 2.3), which no client
/// spells with percent signs. A dot segment would look as if it led elsewhere.
bool isLiteral(std::string_view text) {
    return !text.empty() && text != "." && text != ".." && std::all_of(text.begin(), text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_' ||
               c == '~';
    });
}

}  // namespace

void checkPattern(std::string_view pattern) {
    if (pattern.empty() || pattern.front() != '/') {
        throw std::invalid_argument("a pattern begins with /");
    }
    const auto segments = split(pattern);
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const auto segment = segments[i];
        if (!isParameter(segment)) {
            if (!isLiteral(segment)) {
                throw std::invalid_argument("\"" + std::string(segment) +
                                            "\" cannot be a segment of a pattern");
            }
            continue;
        }
        if (isRest(segment) && i + 1 != segments.size()) {
            throw std::invalid_argument("{name...} can only be the last segment");
        }
        const auto name = parameterName(segment);
        if (!isName(name) || !names.insert(name).second) {
            throw std::invalid_argument("a parameter's name is [a-z0-9_]+ and used once");
        }
    }
}

std::optional<std::string> percentDecode(std::string_view text) {
    const auto hex = [](char c) {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'a' && c <= 'f') {
            return c - 'a' + 10;
        }
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (text.size() - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) {
            return std::nullopt;
        }
        decoded += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
        i += 2;
    }
    return decoded;
}

Route::~Route() {
    if (gate) {
        entry::destroy(gate->owner(), "destructor of a handler", handler);
        entry::destroy(gate->owner(), "destructor of a handler", proxy);
    }
}

std::optional<RequestError> denial(const Route& route, const Caller& caller) {
    if (route.realm == Realm::worker || route.permission.empty() || caller.may(route.permission)) {
        return std::nullopt;
    }
    return lacksPermission(route.permission);
}

std::string mountedPath(const Route& route) {
    if (route.kind != RouteKind::path) {
        return route.pattern;
    }
    return (route.realm == Realm::worker ? "/worker/{job_id}" : "/api") + route.pattern;
}

/// A tree of segments; literals before parameters before the rest.
struct RouteTable::Node {
    std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals;
    std::unique_ptr<Node> parameter;
    std::unique_ptr<Node> rest;
    std::vector<std::shared_ptr<const Route>> routes;  ///< that end here, one a method

    [[nodiscard]] Node* literal(std::string_view segment) const {
        for (const auto& [name, node] : literals) {
            if (name == segment) {
                return node.get();
            }
        }
        return nullptr;
    }

    Node& descend(std::string_view segment) {
        if (isParameter(segment)) {
            auto& child = isRest(segment) ? rest : parameter;
            if (!child) {
                child = std::make_unique<Node>();
            }
            return *child;
        }
        if (auto* node = literal(segment)) {
            return *node;
        }
        return *literals.emplace_back(segment, std::make_unique<Node>()).second;
    }

    /// The node for `path`, filling `values` with what parameters stand for.
    [[nodiscard]] const Node* find(std::string_view path, std::vector<std::string_view>& values) const {
        if (path.empty()) {
            return routes.empty() ? nullptr : this;
        }
        const auto slash = path.find('/', 1);
        const auto segment = path.substr(1, slash == std::string_view::npos ? slash : slash - 1);
        const auto remaining = slash == std::string_view::npos ? std::string_view{} : path.substr(slash);
        if (const auto* next = literal(segment)) {
            if (const auto* found = next->find(remaining, values)) {
                return found;
            }
        }
        if (parameter && !segment.empty()) {
            values.push_back(segment);
            if (const auto* found = parameter->find(remaining, values)) {
                return found;
            }
            values.pop_back();
        }
        if (rest && path.size() > 1) {
            values.push_back(path.substr(1));
            return rest.get();
        }
        return nullptr;
    }
};

RouteTable::RouteTable(Routes routes, std::size_t awaited, AssetTrees assets)
    : routes_(std::move(routes)), awaited_(awaited), assets_(std::move(assets)) {
    roots_[Realm::worker] = std::make_unique<Node>();
    roots_[Realm::operators] = std::make_unique<Node>();
    for (const auto& route : routes_) {
        if (route->kind == RouteKind::path) {
            insert(route);
        } else if (const auto other = proxy(route->kind).route; other != route) {
            throw std::invalid_argument(route->label + " is already a route of " + other->gate->plugin());
        }
    }
}

RouteTable::~RouteTable() = default;

RouteTable::Proxy RouteTable::proxy(RouteKind kind) const {
    const auto found = std::find_if(routes_.begin(), routes_.end(),
                                    [kind](const auto& route) { return route->kind == kind; });
    return found == routes_.end() ? Proxy{nullptr, awaited_ > 0} : Proxy{*found, false};
}

std::optional<Reply> RouteTable::asset(const AssetRequest& request) const {
    for (const auto& tree : assets_) {
        if (auto reply = tree->answer(request)) {
            return reply;
        }
    }
    return std::nullopt;
}

void RouteTable::insert(const std::shared_ptr<const Route>& route) {
    checkPattern(route->pattern);
    Node* node = roots_[route->realm].get();
    for (const auto segment : split(route->pattern)) {
        node = &node->descend(segment);
    }
    for (const auto& other : node->routes) {
        if (other->method == route->method) {
            throw std::invalid_argument(route->method + " " + mountedPath(*route) +
                                        " is already a route of " + other->gate->plugin());
        }
    }
    node->routes.push_back(route);
}

RouteTable::Match RouteTable::match(Realm realm, std::string_view method, std::string_view path) const {
    Match match;
    std::vector<std::string_view> values;
    const Node* node = roots_.at(realm)->find(path, values);
    if (node == nullptr) {
        match.awaited = awaited_ > 0;
        return match;
    }

    for (const auto& route : node->routes) {
        if (route->method == method || (method == "HEAD" && route->method == "GET" && route->head)) {
            match.route = route;
        }
    }
    if (!match.route) {
        for (const auto& route : node->routes) {
            match.allow += route->method + (route->method == "GET" && route->head ? ", HEAD, " : ", ");
        }
        match.allow += "OPTIONS";
        match.awaited = awaited_ > 0;
        return match;
    }

    auto value = values.begin();
    for (const auto segment : split(match.route->pattern)) {
        if (!isParameter(segment)) {
            continue;
        }
        auto decoded = percentDecode(*value++);
        match.badEncoding |= !decoded;
        match.params.emplace_back(parameterName(segment), std::move(decoded).value_or(std::string()));
    }
    return match;
}

}  // namespace sallyport::host::http
