#include "host/auth/pacer.h"

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::auth {
namespace {

using namespace std::chrono_literals;

class PacerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PacerTest);
    CPPUNIT_TEST(testHalfAMinutesWorthAtOnce);
    CPPUNIT_TEST(testSlowsInTheOrderOfAsking);
    CPPUNIT_TEST(testRefusesWhoWouldWaitTooLong);
    CPPUNIT_TEST(testRefusedTakeNothing);
    CPPUNIT_TEST(testFillsUpAgain);
    CPPUNIT_TEST(testLargeAmounts);
    CPPUNIT_TEST(testAnyAmount);
    CPPUNIT_TEST(testOtherRate);
    CPPUNIT_TEST(testClockThatStandsStill);
    CPPUNIT_TEST_SUITE_END();

    static constexpr auto longest = 10s;
    Pacer::Clock::time_point now_{1000s};
    Pacer pacer_{10};

    Pacer::Verdict take(std::int64_t amount = 1) { return pacer_.take(amount, now_, longest); }
    void useUp() {
        for (int i = 0; i < 300; ++i) {
            const auto verdict = take();
            CPPUNIT_ASSERT(!verdict.refused);
            CPPUNIT_ASSERT(verdict.wait == 0ms);
        }
    }

    void testHalfAMinutesWorthAtOnce() {
        useUp();
        CPPUNIT_ASSERT(take().wait == 0ms);
        CPPUNIT_ASSERT(take().wait == 100ms);
    }

    void testSlowsInTheOrderOfAsking() {
        useUp();
        for (int i = 0; i <= 100; ++i) {
            const auto verdict = take();
            CPPUNIT_ASSERT(!verdict.refused);
            CPPUNIT_ASSERT(verdict.wait == i * 100ms);
        }
        CPPUNIT_ASSERT(take().refused);
    }

    void testRefusesWhoWouldWaitTooLong() {
        useUp();
        CPPUNIT_ASSERT(take(125).wait == 0ms);
        const auto verdict = take();
        CPPUNIT_ASSERT(verdict.refused);
        CPPUNIT_ASSERT(verdict.retryAfter == 3s);
        now_ += verdict.retryAfter;
        CPPUNIT_ASSERT(take().wait == 9500ms);
    }

    void testRefusedTakeNothing() {
        useUp();
        static_cast<void>(take(101));
        for (int i = 0; i < 1000; ++i) {
            CPPUNIT_ASSERT(take().refused);
        }
        now_ += 100ms;
        CPPUNIT_ASSERT(take().wait == 10s);
    }

    void testFillsUpAgain() {
        useUp();
        now_ += 1s;
        for (int i = 0; i < 10; ++i) {
            CPPUNIT_ASSERT(take().wait == 0ms);
        }
        now_ += 1h;
        useUp();
        CPPUNIT_ASSERT(take().wait == 0ms);
        CPPUNIT_ASSERT(take().wait > 0ms);
    }

    /// More than may be used at once goes through all the same, and makes others wait.
    void testLargeAmounts() {
        CPPUNIT_ASSERT(take(350).wait == 0ms);
        CPPUNIT_ASSERT(take().wait == 5s);
    }

    void testAnyAmount() {
        Pacer free;
        for (int i = 0; i < 1000; ++i) {
            CPPUNIT_ASSERT(free.take(1'000'000'000, now_, 0ms).wait == 0ms);
        }
    }

    void testOtherRate() {
        useUp();
        pacer_.setRate(20, now_);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{20}, pacer_.rate());
        static_cast<void>(take());
        CPPUNIT_ASSERT(take().wait == 50ms);
        pacer_.setRate(0, now_);
        CPPUNIT_ASSERT(take(1'000'000).wait == 0ms);
        pacer_.setRate(1, now_);
        for (int i = 0; i < 30; ++i) {
            CPPUNIT_ASSERT(take().wait == 0ms);
        }
        static_cast<void>(take());
        CPPUNIT_ASSERT(take().wait == 1s);
    }

    void testClockThatStandsStill() {
        useUp();
        now_ -= 1h;
        static_cast<void>(take());
        CPPUNIT_ASSERT(take().wait == 100ms);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PacerTest);

}  // namespace
}  // namespace sallyport::host::auth
