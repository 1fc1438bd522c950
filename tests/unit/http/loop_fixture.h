// A loop with one connection, without a socket.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/http/connection.h"
#include "host/http/event_loop.h"
#include "host/metrics/registry.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/auth/database_fixture.h"
#include "tests/unit/http/memory_transport.h"

namespace sallyport::tests {

using namespace host;
using namespace host::http;

/// What a connection needs of the host, and an operator of role viewer.
class LoopFixture : public CppUnit::TestFixture {
public:
    explicit LoopFixture(Realm realm = Realm::operators)
        : door_(
              std::make_unique<Door>(Door::Options{.realm = realm, .maxBody = 1000, .maxConnections = 10})) {}

    void tearDown() override {
        loop_.reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, door_->connections());
    }

protected:
    TemporaryDirectory directory_;
    TestStore store_{(directory_ / "sallyport.db").string()};
    SilentLog log_;
    auth::WorkerTokens workers_;
    auth::Operators operators_{store_};
    const auth::Filter filter_{workers_, operators_};
    const auth::Operators::Created made_ = operators_.create("t", "ann", Role::viewer);
    const std::string& token_ = made_.secret;
    WorkerPool pool_{{}, log_};
    Topics topics_;
    bus::LiveHub hub_{std::size_t{1024} * 1024};
    BodyBudget bodies_{std::size_t{1024} * 1024};
    Crowd crowd_;
    metrics::Registry registry_;
    std::unique_ptr<Metrics> metrics_ = registry_.of({});
    RequestMetrics counted_{*metrics_};
    LoopMetrics loops_{*metrics_};
    Services services_{{}, filter_, {}, pool_, topics_, hub_, bodies_, crowd_, counted_, loops_, log_};
    std::unique_ptr<Door> door_;
    MemoryPeer peer_;
    std::unique_ptr<EventLoop> loop_;
    std::shared_ptr<Gate> gate_ = std::make_shared<Gate>("test");
    RouteTable::Routes routes_;

    void addRoute(std::string method, std::string pattern, Handler handler, Run run = Run::loop) {
        auto route = std::make_shared<Route>();
        route->gate = gate_;
        route->realm = door_->options().realm;
        route->method = std::move(method);
        route->pattern = std::move(pattern);
        route->run = run;
        route->handler = std::move(handler);
        routes_.push_back(std::move(route));
    }

    /// Starts the loop with the routes, and a connection on it.
    void connect(std::size_t piece = std::string::npos) {
        loop_ = std::make_unique<EventLoop>(services_);
        loop_->start();
        loop_->post(
            [this, routes = std::make_shared<const RouteTable>(routes_)] { loop_->setRoutes(routes); });
        loop_->adopt(std::make_unique<MemoryTransport>(peer_, piece), door_->enter("memory"), *door_);
    }

    /// Returns when the loop has done what it was given before.
    void letTurn() {
        std::promise<void> turned;
        loop_->post([&turned] { turned.set_value(); });
        turned.get_future().wait();
    }

    void revokeToken() {
        operators_.revoke(made_.token.id);
        // By its address: a test that is over takes `loop_` back while the loop still runs what was posted.
        loop_->post([loop = loop_.get()] { loop->endRevoked(std::nullopt); });
    }
};

}  // namespace sallyport::tests
