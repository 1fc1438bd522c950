#include "plugins/llm/backoff.h"

#include <chrono>
#include <set>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

class BackoffTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BackoffTest);
    CPPUNIT_TEST(testDoublesUpToTheGreatest);
    CPPUNIT_TEST(testJitterIsFull);
    CPPUNIT_TEST(testProvidersWishIsHonoured);
    CPPUNIT_TEST(testProvidersWishIsCapped);
    CPPUNIT_TEST(testRandomIsInRange);
    CPPUNIT_TEST(testRetryAfterInSeconds);
    CPPUNIT_TEST(testRetryAfterAsDate);
    CPPUNIT_TEST(testMalformedRetryAfter);
    CPPUNIT_TEST_SUITE_END();

    const Backoff backoff_{1s, 30s};
    /// 1994-11-06T08:49:07Z, half a minute before the date that RFC 9110 has for an example.
    const Timestamp now_ = std::chrono::sys_days(1994y / 11 / 6) + 8h + 49min + 7s;

    void testDoublesUpToTheGreatest() {
        CPPUNIT_ASSERT(backoff_.delay(0, {}, 1) == 1s);
        CPPUNIT_ASSERT(backoff_.delay(1, {}, 1) == 2s);
        CPPUNIT_ASSERT(backoff_.delay(4, {}, 1) == 16s);
        CPPUNIT_ASSERT(backoff_.delay(5, {}, 1) == 30s);
        CPPUNIT_ASSERT(backoff_.delay(4'000'000'000, {}, 1) == 30s);
    }

    void testJitterIsFull() {
        CPPUNIT_ASSERT(backoff_.delay(3, {}, 0) == 0s);
        CPPUNIT_ASSERT(backoff_.delay(3, {}, 0.25) == 2s);
    }

    void testProvidersWishIsHonoured() {
        CPPUNIT_ASSERT(backoff_.delay(0, 7s, 0) == 7s);
        CPPUNIT_ASSERT(backoff_.delay(9, 7s, 0.5) == 7500ms);
    }

    void testProvidersWishIsCapped() { CPPUNIT_ASSERT(backoff_.delay(0, 24h, 1) == 30s); }

    void testRandomIsInRange() {
        std::set<double> values;
        for (int i = 0; i < 1000; ++i) {
            const double value = Backoff::random();
            CPPUNIT_ASSERT(value >= 0 && value <= 1);
            values.insert(value);
        }
        CPPUNIT_ASSERT(values.size() > 900);
    }

    void testRetryAfterInSeconds() {
        CPPUNIT_ASSERT(parseRetryAfter("120", now_) == 2min);
        CPPUNIT_ASSERT(parseRetryAfter(" 0\t", now_) == 0s);
        // Too large a number is a long time, and no overflow.
        CPPUNIT_ASSERT(parseRetryAfter("99999999999999999999999999", now_) == 999'999'999s);
    }

    void testRetryAfterAsDate() {
        CPPUNIT_ASSERT(parseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", now_) == 30s);
        CPPUNIT_ASSERT(parseRetryAfter("Sunday, 06-Nov-94 08:49:37 GMT", now_) == 30s);
        CPPUNIT_ASSERT(parseRetryAfter("Sun Nov  6 08:49:37 1994", now_) == 30s);
        CPPUNIT_ASSERT(parseRetryAfter("Sun, 06 Nov 1994 08:49:00 GMT", now_) == 0s);
    }

    void testMalformedRetryAfter() {
        for (const char* text :
             {"", " ", "-5", "1.5", "5s", "soon", "Sun, 06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT",
              "Sun, 06 Nov 1994 08:49:37 GMT and more", "1994-11-06T08:49:37Z"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !parseRetryAfter(text, now_));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BackoffTest);

}  // namespace
}  // namespace sallyport::plugins::llm
