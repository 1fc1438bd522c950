// The routes that a plugin names while it starts.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/ext/tunnels.h>
#include <sallyport/route.h>

#include "host/entry/rules.h"
#include "host/http/gate.h"
#include "host/http/router.h"

namespace sallyport::host::plugins {

/// Checks routes as they are named, and fills in the defaults.
class RouteCollector final : public sallyport::Routes, public Tunnels {
public:
    /// Tells which plugin has a route of the same realm, method and shape; empty for none.
    using Taken = std::function<std::string(const http::Route&)>;

    /// @param code keeps the plugin's code loaded.
    RouteCollector(std::shared_ptr<void> code, std::shared_ptr<http::Gate> gate, Taken taken,
                   std::shared_ptr<const entry::StartPhase> starting);

    void worker(std::string_view method, std::string_view pattern, Handler handler,
                const RouteOptions& options) override;
    void operators(std::string_view method, std::string_view pattern, Handler handler,
                   const RouteOptions& options) override;

    void connect(ProxyHandler handler, Run run) override;
    void forward(ProxyHandler handler, Run run) override;

    /// The routes that were named. [after the start, once]
    [[nodiscard]] std::vector<std::shared_ptr<const http::Route>> take() { return std::move(routes_); }

private:
    void add(Realm realm, std::string_view method, std::string_view pattern, Handler handler,
             const RouteOptions& options);
    void checkPermission(Realm realm, std::string_view permission) const;
    void addProxy(http::RouteKind kind, const char* method, const char* pattern, ProxyHandler handler,
                  Run run);
    [[nodiscard]] std::shared_ptr<http::Route> made(Realm realm, std::string_view method,
                                                    std::string_view pattern) const;
    void collect(std::shared_ptr<http::Route> route);

    std::shared_ptr<void> code_;
    std::shared_ptr<http::Gate> gate_;
    Taken taken_;
    const std::shared_ptr<const entry::StartPhase> starting_;
    std::vector<std::shared_ptr<const http::Route>> routes_;
};

}  // namespace sallyport::host::plugins
