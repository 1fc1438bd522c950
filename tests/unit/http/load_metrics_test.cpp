// What doors, loops and the pool count, read as the daemon's metrics are.
#include "host/http/load_metrics.h"

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recording_log.h>

#include "host/http/server.h"
#include "host/metrics/registry.h"
#include "tests/support/deadline.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/auth/database_fixture.h"

namespace sallyport::tests {

using namespace host;
using namespace std::chrono_literals;

class LoadMetricsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LoadMetricsTest);
    CPPUNIT_TEST(testDoorsCountConnections);
    CPPUNIT_TEST(testLoopsCountTasksAndTurns);
    CPPUNIT_TEST(testThePoolShowsWhatItHasToDo);
    CPPUNIT_TEST_SUITE_END();

    metrics::Registry registry_;
    std::unique_ptr<Metrics> metrics_ = registry_.of({});
    testing::RecordingLog log_;

    /// How a number stands.
    [[nodiscard]] std::int64_t number(const std::string& name,
                                      const std::vector<std::string>& values = {}) const {
        for (const auto& metric : registry_.read()) {
            for (const auto& reading : metric.readings) {
                if (metric.name == "sallyport_" + name && reading.values == values) {
                    return reading.number;
                }
            }
        }
        throw std::out_of_range(name);
    }

public:
    void testDoorsCountConnections() {
        http::Door door({.realm = Realm::worker, .maxConnections = 2},
                        &http::openConnections(*metrics_, Realm::worker));
        auto first = door.enter("a");
        auto second = door.enter("a");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, number("http_connections", {"worker"}));
        // One that gives way is open until it has gone.
        auto third = door.enter("b", http::Door::Clock::now() + 1s);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, number("http_connections", {"worker"}));
        first.reset();
        second.reset();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, number("http_connections", {"worker"}));
        third.reset();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("http_connections", {"worker"}));
    }

    void testLoopsCountTasksAndTurns() {
        const TemporaryDirectory directory;
        TestStore store((directory / "sallyport.db").string());
        auth::WorkerTokens workers;
        auth::Operators operators(store);
        const auth::Filter filter(workers, operators);
        bus::LiveHub hub(1024);
        http::Server server({}, filter, nullptr, hub, *metrics_, log_);
        const auto tasks = number("http_loop_tasks_total");
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT(server.responsive(failureLimit()));
        }
        CPPUNIT_ASSERT_EQUAL(tasks + 3, number("http_loop_tasks_total"));
        server.stop();
        CPPUNIT_ASSERT(number("http_loop_turn_seconds") >= 3);
    }

    void testThePoolShowsWhatItHasToDo() {
        using http::Lane;
        std::promise<void> release;
        std::promise<void> begun;
        {
            http::WorkerPool pool({.threads = 1, .places = 2, .patience = 1h}, log_, nullptr, metrics_.get());
            const auto hold = [&begun, released = release.get_future().share()] {
                begun.set_value();
                released.wait();
            };
            CPPUNIT_ASSERT(pool.submit({Lane::background, "a", "a"}, hold));
            begun.get_future().wait();
            CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, number("pool_threads_busy"));
            CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("pool_tasks_waiting"));
            CPPUNIT_ASSERT(pool.submit({Lane::background, "b", "b"}, [] {}));
            CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, number("pool_tasks_waiting"));
            // Who has as many as there are places left gets none.
            CPPUNIT_ASSERT(!pool.submit({Lane::background, "b", "b"}, [] {}));
            CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, number("pool_tasks_refused_total"));
            release.set_value();
            pool.stop();
            CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("pool_threads_busy"));
            CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("pool_tasks_waiting"));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LoadMetricsTest);

}  // namespace sallyport::tests
