#include "plugins/credentials/rate_limit.h"

#include <chrono>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins {
namespace {

using namespace std::chrono_literals;

class RateLimitTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RateLimitTest);
    CPPUNIT_TEST(testAMinutesWorthAtOnce);
    CPPUNIT_TEST(testComesBackWithTime);
    CPPUNIT_TEST(testOnlyTheFirstRefusalIsMarked);
    CPPUNIT_TEST(testJobsAreApart);
    CPPUNIT_TEST(testForgottenJobBeginsAnew);
    CPPUNIT_TEST_SUITE_END();

    RateLimit limit_{4};
    const JobId job_ = JobId::random();
    const RateLimit::Time begin_{1000s};

    void drain() {
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT(!limit_.take(job_, begin_));
        }
    }

    void testAMinutesWorthAtOnce() {
        drain();
        const auto refusal = limit_.take(job_, begin_);
        CPPUNIT_ASSERT(refusal.has_value());
        CPPUNIT_ASSERT(refusal->wait == 15s);
    }

    void testComesBackWithTime() {
        drain();
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 14s)->wait == 1s);
        CPPUNIT_ASSERT(!limit_.take(job_, begin_ + 15s));
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 15s).has_value());
        // Never more than a minute's worth, however long nobody asked.
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT(!limit_.take(job_, begin_ + 24h));
        }
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 24h).has_value());
    }

    void testOnlyTheFirstRefusalIsMarked() {
        drain();
        CPPUNIT_ASSERT(limit_.take(job_, begin_)->first);
        CPPUNIT_ASSERT(!limit_.take(job_, begin_)->first);
        CPPUNIT_ASSERT(!limit_.take(job_, begin_ + 15s));
        CPPUNIT_ASSERT(limit_.take(job_, begin_ + 15s)->first);
    }

    void testJobsAreApart() {
        drain();
        CPPUNIT_ASSERT(!limit_.take(JobId::random(), begin_));
    }

    void testForgottenJobBeginsAnew() {
        drain();
        limit_.forget(job_);
        CPPUNIT_ASSERT(!limit_.take(job_, begin_));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RateLimitTest);

}  // namespace
}  // namespace sallyport::plugins
