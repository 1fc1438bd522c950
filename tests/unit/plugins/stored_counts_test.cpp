#include "plugins/events/stored_counts.h"

#include <memory>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins {
namespace {

class StoredCountsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StoredCountsTest);
    CPPUNIT_TEST(testLimitOfEvents);
    CPPUNIT_TEST(testLimitOfBytes);
    CPPUNIT_TEST(testAnyAmount);
    CPPUNIT_TEST(testWhatIsNotStoredIsGivenBack);
    CPPUNIT_TEST(testWhatWasStoredBefore);
    CPPUNIT_TEST(testJobsAreCountedApart);
    CPPUNIT_TEST(testTotalsAreNotedNowAndThen);
    CPPUNIT_TEST(testForgotten);
    CPPUNIT_TEST_SUITE_END();

    StoredCounts counts_;
    const JobId job_ = JobId::random();

    /// Stores an event, if there is a place for it.
    bool store(std::int64_t bytes, const StoredTotals& limits, const StoredTotals& before = {}) {
        const auto place = counts_.reserve(job_, bytes, limits);
        if (!place || (!place->known() && !place->fits(before, limits))) {
            return false;
        }
        place->learn(before);
        place->keep();
        return true;
    }

    void testLimitOfEvents() {
        CPPUNIT_ASSERT(store(10, {2, 0}));
        CPPUNIT_ASSERT(store(10, {2, 0}));
        CPPUNIT_ASSERT(!store(10, {2, 0}));
        CPPUNIT_ASSERT(store(10, {3, 0}));
    }

    void testLimitOfBytes() {
        CPPUNIT_ASSERT(store(60, {0, 100}));
        CPPUNIT_ASSERT(!store(41, {0, 100}));
        CPPUNIT_ASSERT(store(40, {0, 100}));
        CPPUNIT_ASSERT(!store(1, {0, 100}));
    }

    void testAnyAmount() {
        for (int i = 0; i < 1000; ++i) {
            CPPUNIT_ASSERT(store(std::int64_t{1} << 40, {}));
        }
    }

    void testWhatIsNotStoredIsGivenBack() {
        auto first = counts_.reserve(job_, 10, {1, 0});
        CPPUNIT_ASSERT(!counts_.reserve(job_, 10, {1, 0}));
        first.reset();
        CPPUNIT_ASSERT(counts_.reserve(job_, 10, {1, 0}));
    }

    void testWhatWasStoredBefore() {
        const StoredTotals before{3, 300};
        const auto first = counts_.reserve(job_, 100, {4, 400});
        CPPUNIT_ASSERT(!first->known());
        CPPUNIT_ASSERT(first->fits(before, {4, 400}));
        CPPUNIT_ASSERT(!first->fits(before, {3, 400}));
        CPPUNIT_ASSERT(!first->fits(before, {4, 399}));
        const auto second = counts_.reserve(job_, 100, {0, 0});
        CPPUNIT_ASSERT(!second->known());
        first->learn(before);
        second->learn(before);  // who was told twice has not stored twice as much
        first->keep();
        second->keep();
        CPPUNIT_ASSERT(!counts_.reserve(job_, 100, {5, 0}));
        CPPUNIT_ASSERT(!counts_.reserve(job_, 100, {0, 599}));
        const auto third = counts_.reserve(job_, 100, {6, 600});
        CPPUNIT_ASSERT(third->known());
    }

    void testJobsAreCountedApart() {
        CPPUNIT_ASSERT(store(10, {1, 0}));
        CPPUNIT_ASSERT(counts_.reserve(JobId::random(), 10, {1, 0}));
    }

    void testTotalsAreNotedNowAndThen() {
        int noted = 0;
        for (int i = 1; i <= 1024; ++i) {
            const auto place = counts_.reserve(job_, 10, {});
            noted += place->toBeNoted() ? 1 : 0;
            place->learn({});
            place->keep();
        }
        CPPUNIT_ASSERT_EQUAL(4, noted);
    }

    void testForgotten() {
        CPPUNIT_ASSERT(store(10, {1, 0}));
        counts_.forget(job_);
        const auto place = counts_.reserve(job_, 10, {1, 0});
        CPPUNIT_ASSERT(place && !place->known());
        counts_.forgetAll();
        CPPUNIT_ASSERT(place->fits({}, {1, 0}));
        place->learn({5, 50});  // of a job that is over
        place->keep();
        CPPUNIT_ASSERT(store(10, {1, 0}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StoredCountsTest);

}  // namespace
}  // namespace sallyport::plugins
