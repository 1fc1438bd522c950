// What the database counts, read as the daemon's metrics are.
#include "host/store/store_metrics.h"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/testing/recording_log.h>

#include "host/metrics/registry.h"
#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class StoreMetricsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StoreMetricsTest);
    CPPUNIT_TEST(testCountsWhatBecomesOfWrites);
    CPPUNIT_TEST(testCountsGroups);
    CPPUNIT_TEST(testShowsHowManyWait);
    CPPUNIT_TEST(testShowsReadsInProgress);
    CPPUNIT_TEST_SUITE_END();

    TemporaryDirectory directory_;
    testing::RecordingLog log_;
    metrics::Registry registry_;
    std::unique_ptr<Metrics> metrics_ = registry_.of({});
    Database database_{{.file = directory_.file(), .queue = 4}, log_, metrics_.get()};

    /// How a number stands.
    [[nodiscard]] std::int64_t number(const std::string& name,
                                      const std::vector<std::string>& values = {}) const {
        for (const auto& metric : registry_.read()) {
            for (const auto& reading : metric.readings) {
                if (metric.name == "sallyport_store_" + name && reading.values == values) {
                    return reading.number;
                }
            }
        }
        throw std::out_of_range(name);
    }

public:
    void setUp() override { createTable(database_); }

    void testCountsWhatBecomesOfWrites() {
        const auto before = number("writes_total", {"stored"});
        database_.write(insertion(std::int64_t{1}));
        CPPUNIT_ASSERT_THROW(database_.write([](Transaction&) { throw std::runtime_error("no"); }),
                             std::runtime_error);
        {
            Blockade blockade(database_);
            std::vector<std::shared_ptr<Outcome>> outcomes;
            for (int i = 0; i < 4; ++i) {
                outcomes.push_back(submitted(database_, insertion(std::int64_t{i})));
            }
            CPPUNIT_ASSERT_THROW(database_.submit(insertion(std::int64_t{9}), [](const auto&) {}),
                                 StoreError);
            blockade.lift();
            for (const auto& outcome : outcomes) {
                outcome->await();
            }
        }
        // The blockade is a write, too.
        CPPUNIT_ASSERT_EQUAL(before + 6, number("writes_total", {"stored"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, number("writes_total", {"failed"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, number("writes_total", {"refused"}));
    }

    void testCountsGroups() {
        const auto groups = number("groups_total");
        const auto settled = number("commit_seconds");
        {
            Blockade blockade(database_);
            const auto one = submitted(database_, insertion(std::int64_t{1}));
            const auto other = submitted(database_, insertion(std::int64_t{2}));
            blockade.lift();
            one->await();
            other->await();
        }
        CPPUNIT_ASSERT_EQUAL(groups + 2, number("groups_total"));
        CPPUNIT_ASSERT_EQUAL(settled + 2, number("commit_seconds"));
    }

    void testShowsHowManyWait() {
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("writes_waiting"));
        Blockade blockade(database_);
        const auto one = submitted(database_, insertion(std::int64_t{1}));
        const auto other = submitted(database_, insertion(std::int64_t{2}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, number("writes_waiting"));
        blockade.lift();
        one->await();
        other->await();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("writes_waiting"));
    }

    void testShowsReadsInProgress() {
        const auto before = number("reads_total");
        std::atomic<bool> over{false};
        bool seen = false;
        std::thread reader([&] {
            static_cast<void>(
                database_.query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
                                "WHERE x < 3000000) SELECT count(*) FROM c"));
            over = true;
        });
        while (!over && !seen) {
            seen = number("reads_running") == 1;
        }
        reader.join();
        CPPUNIT_ASSERT(seen);
        CPPUNIT_ASSERT_EQUAL(before + 1, number("reads_total"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("reads_running"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StoreMetricsTest);

}  // namespace sallyport::host::store
