// From realm, method and path to a route.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/errors.h>
#include <sallyport/ext/tunnels.h>
#include <sallyport/route.h>

#include "host/http/asset_tree.h"
#include "host/http/gate.h"

namespace sallyport::host::http {

/// What requests a route answers.
enum class RouteKind {
    path,     ///< those for its pattern
    connect,  ///< CONNECT, on the worker door
    forward,  ///< those in absolute form, on the worker door
};

/// One route of one plugin, its options filled in. The gate comes first so that the handler, which is the
/// plugin's code, is destroyed before whatever keeps that code loaded.
struct Route {
    Route() = default;
    Route(const Route&) = delete;
    Route& operator=(const Route&) = delete;
    /// Destroys the handler as the plugin's code that it is.
    ~Route();

    std::shared_ptr<Gate> gate;
    std::shared_ptr<void> code;  ///< keeps the plugin's code loaded
    RouteKind kind = RouteKind::path;
    Realm realm = Realm::worker;
    std::string method;
    std::string pattern;  ///< below the realm's mount point; as people read it, of the other kinds
    std::string label;    ///< method and mounted path, for people
    Run run = Run::pool;
    Body body = Body::none;
    std::string permission;  ///< that an operator needs; empty: none
    bool head = true;
    bool secret = false;
    std::size_t loopBody = 0;
    std::size_t maxBody = 0;  ///< bytes, where the door's own limit is too much; 0: it is not
    Handler handler;
    ProxyHandler proxy;  ///< instead, of the other kinds
};

/// Why that caller, of the route's realm, may not have it: 403, naming the permission. Nothing if it may.
[[nodiscard]] std::optional<RequestError> denial(const Route& route, const Caller& caller);

/// A route as a client sees it: `/worker/{job_id}/prompt`.
[[nodiscard]] std::string mountedPath(const Route& route);

/// An immutable set of routes. Segments of a path are compared as they were sent, undecoded, so that no
/// spelling of a path can mean another route; `.` and `..` mean nothing special. [any thread]
class RouteTable {
public:
    using Routes = std::vector<std::shared_ptr<const Route>>;

    /// Files that need no token, of the operator door.
    using AssetTrees = std::vector<std::shared_ptr<const AssetTree>>;

    /// @param awaited plugins that have yet to start, whose routes nobody knows.
    /// @param assets  files of plugins, at mounts that differ.
    /// @throws std::invalid_argument for a malformed pattern, and two routes that are the same, naming them.
    explicit RouteTable(Routes routes, std::size_t awaited = 0, AssetTrees assets = {});
    ~RouteTable();

    struct Match {
        std::shared_ptr<const Route> route;  ///< null: see `allow`
        std::string allow;                   ///< the methods that the path does have; empty: no such path
        Call::Pairs params;                  ///< percent-decoded
        bool awaited = false;                ///< there is no route, and one may come with a plugin
        bool badEncoding = false;            ///< a parameter's percent-encoding is malformed
    };

    /// @param path below the realm's mount point, beginning with `/`.
    [[nodiscard]] Match match(Realm realm, std::string_view method, std::string_view path) const;

    /// The proxy that answers requests of that kind; null if there is none. @param awaited whether one may
    /// come with a plugin that has yet to start.
    struct Proxy {
        std::shared_ptr<const Route> route;
        bool awaited = false;
    };
    [[nodiscard]] Proxy proxy(RouteKind kind) const;

    /// What everybody may read. Nothing if the path is not that of a plugin's files.
    [[nodiscard]] std::optional<Reply> asset(const AssetRequest& request) const;

    [[nodiscard]] const Routes& routes() const noexcept { return routes_; }

private:
    struct Node;
    using Found = std::pair<const Node*, std::vector<std::string_view>>;

    void insert(const std::shared_ptr<const Route>& route);

    Routes routes_;
    const std::size_t awaited_;
    const AssetTrees assets_;
    std::map<Realm, std::unique_ptr<Node>> roots_;
};

/// @throws std::invalid_argument saying what is wrong with the pattern.
void checkPattern(std::string_view pattern);

/// Decodes `%41`. Nothing if a `%` is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percentDecode(std::string_view text);

}  // namespace sallyport::host::http
