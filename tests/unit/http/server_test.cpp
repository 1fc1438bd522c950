#include "host/http/server.h"

#include <future>
#include <memory>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recording_log.h>

#include "host/metrics/registry.h"
#include "tests/support/deadline.h"
#include "tests/unit/auth/database_fixture.h"

namespace sallyport::tests {

using namespace host;
using namespace std::chrono_literals;

class ServerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ServerTest);
    CPPUNIT_TEST(testAStuckPoolMakesItUnresponsive);
    CPPUNIT_TEST(testTasksLeftBehindAreDestroyedWithoutTheLock);
    CPPUNIT_TEST_SUITE_END();

    TemporaryDirectory directory_;
    TestStore store_{(directory_ / "sallyport.db").string()};
    auth::WorkerTokens workers_;
    auth::Operators operators_{store_};
    auth::Filter filter_{workers_, operators_};
    bus::LiveHub hub_{1024};
    metrics::Registry registry_;
    std::unique_ptr<Metrics> metrics_ = registry_.of({});
    testing::RecordingLog log_;

public:
    void testAStuckPoolMakesItUnresponsive() {
        http::Server::Options options;
        options.pool = {.threads = 1, .patience = 1ms, .stuckAfter = 10ms};
        http::Server server(options, filter_, nullptr, hub_, *metrics_, log_);
        CPPUNIT_ASSERT(server.responsive(failureLimit()));
        std::promise<void> release;
        const auto released = release.get_future().share();
        for (const char* plugin : {"one", "two", "three"}) {
            CPPUNIT_ASSERT(server.pool().submit({http::Lane::background, plugin, plugin},
                                                [released] { released.wait(); }));
        }
        const Deadline deadline;
        while (server.responsive(failureLimit())) {
            CPPUNIT_ASSERT(deadline.pollTimeout() > 0);
        }
        release.set_value();
        while (!server.responsive(failureLimit())) {
            CPPUNIT_ASSERT(deadline.pollTimeout() > 0);
        }
    }

    /// There is always one left, and it posts another when it is destroyed.
    void testTasksLeftBehindAreDestroyedWithoutTheLock() {
        struct Posts {
            http::EventLoop& loop;
            ~Posts() {
                loop.post([] {});
            }
        };
        struct Again {
            http::EventLoop& loop;
            std::shared_ptr<Posts> posts;
            void operator()() const { loop.post(Again{loop, std::make_shared<Posts>(Posts{loop})}); }
        };
        http::Server server({}, filter_, nullptr, hub_, *metrics_, log_);
        Again{*server.loops().front(), nullptr}();
        server.stop();
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ServerTest);

}  // namespace sallyport::tests
