#include "plugins/credentials/rate_limit.h"

#include <chrono>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins {
namespace {

using namespace std::chrono_literals;

class RateLimitTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RateLimitTest);
    CPPUNIT_TEST(testAMinutesWorthAtOnce);
    CPPUNIT_TEST(testThoseWhoWaitDoSoInTurn);
    CPPUNIT_TEST(testComesBackWithTime);
    CPPUNIT_TEST(testNobodyWaitsForLong);
    CPPUNIT_TEST(testJobsAreApart);
    CPPUNIT_TEST(testForgottenJobBeginsAnew);
    CPPUNIT_TEST_SUITE_END();

    RateLimit limit_{12};
    const JobId job_ = JobId::random();
    const RateLimit::Time begin_{1000s};

    void drain() {
        for (int i = 0; i < 12; ++i) {
            CPPUNIT_ASSERT(limit_.take(job_, begin_) == 0ms);
        }
    }

    void testAMinutesWorthAtOnce() {
        drain();
        CPPUNIT_ASSERT(limit_.take(job_, begin_) == 5s);
    }

    void testThoseWhoWaitDoSoInTurn() {
        drain();
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 2s) == 3s);
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 2s) == 8s);
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 8s) == 7s);
    }

    void testComesBackWithTime() {
        drain();
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 5s) == 0ms);
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 5s) == 5s);
        // Never more than a minute's worth, however long nobody asked.
        for (int i = 0; i < 12; ++i) {
            CPPUNIT_ASSERT(limit_.take(job_, begin_ + 24h) == 0ms);
        }
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 24h) == 5s);
    }

    void testNobodyWaitsForLong() {
        drain();
        for (int i = 0; i < 1000; ++i) {
            CPPUNIT_ASSERT(limit_.take(job_, begin_) <= RateLimit::longestWait);
        }
        // However many have asked, the next minute is as good as any.
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 60s) == 0ms);
    }

    void testJobsAreApart() {
        drain();
        CPPUNIT_ASSERT(limit_.take(JobId::random(), begin_) == 0ms);
    }

    void testForgottenJobBeginsAnew() {
        drain();
        limit_.forget(job_);
        CPPUNIT_ASSERT(limit_.take(job_, begin_) == 0ms);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RateLimitTest);

}  // namespace
}  // namespace sallyport::plugins
