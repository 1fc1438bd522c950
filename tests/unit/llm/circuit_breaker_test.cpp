#include "plugins/llm/circuit_breaker.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

class CircuitBreakerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CircuitBreakerTest);
    CPPUNIT_TEST(testOpensAfterFailuresInARow);
    CPPUNIT_TEST(testSuccessBreaksTheRow);
    CPPUNIT_TEST(testAbandonedCallSaysNothing);
    CPPUNIT_TEST(testOneTriesAfterTheWhile);
    CPPUNIT_TEST(testSuccessfulTryCloses);
    CPPUNIT_TEST(testFailedTryOpensAgain);
    CPPUNIT_TEST(testAbandonedTryLeavesItToTheNext);
    CPPUNIT_TEST(testLateEndsChangeNothing);
    CPPUNIT_TEST(testOfManyAtOnceOneTries);
    CPPUNIT_TEST_SUITE_END();

    CircuitBreaker breaker_{3, 10s};
    const CircuitBreaker::Time begin_{1000s};

    void fail(int times) {
        for (int i = 0; i < times; ++i) {
            breaker_.failed(breaker_.pass(begin_).value(), begin_);
        }
    }
    [[nodiscard]] std::string stateAt(CircuitBreaker::Time time) const { return name(breaker_.state(time)); }

    void testOpensAfterFailuresInARow() {
        CPPUNIT_ASSERT(breaker_.wait(begin_) == 0s);
        fail(2);
        CPPUNIT_ASSERT_EQUAL(std::string("closed"), stateAt(begin_));
        fail(1);
        CPPUNIT_ASSERT_EQUAL(std::string("open"), stateAt(begin_));
        CPPUNIT_ASSERT(!breaker_.pass(begin_));
        CPPUNIT_ASSERT(!breaker_.pass(begin_ + 9999ms));
        CPPUNIT_ASSERT(breaker_.wait(begin_ + 4s) == 6s);
    }

    void testSuccessBreaksTheRow() {
        fail(2);
        breaker_.succeeded(breaker_.pass(begin_).value());
        fail(2);
        CPPUNIT_ASSERT_EQUAL(std::string("closed"), stateAt(begin_));
    }

    void testAbandonedCallSaysNothing() {
        fail(2);
        breaker_.abandoned(breaker_.pass(begin_).value());
        fail(1);
        CPPUNIT_ASSERT_EQUAL(std::string("open"), stateAt(begin_));
    }

    void testOneTriesAfterTheWhile() {
        fail(3);
        CPPUNIT_ASSERT_EQUAL(std::string("half_open"), stateAt(begin_ + 10s));
        CPPUNIT_ASSERT(breaker_.wait(begin_ + 20s) == 0s);
        CPPUNIT_ASSERT(breaker_.pass(begin_ + 10s).has_value());
        CPPUNIT_ASSERT(!breaker_.pass(begin_ + 10s));
        CPPUNIT_ASSERT(!breaker_.pass(begin_ + 1h));
        CPPUNIT_ASSERT(breaker_.wait(begin_ + 1h) == 1s);
    }

    void testSuccessfulTryCloses() {
        fail(3);
        breaker_.succeeded(breaker_.pass(begin_ + 10s).value());
        CPPUNIT_ASSERT_EQUAL(std::string("closed"), stateAt(begin_ + 10s));
        // And the row begins anew.
        fail(2);
        CPPUNIT_ASSERT(breaker_.pass(begin_ + 10s).has_value());
    }

    void testFailedTryOpensAgain() {
        fail(3);
        breaker_.failed(breaker_.pass(begin_ + 10s).value(), begin_ + 12s);
        CPPUNIT_ASSERT_EQUAL(std::string("open"), stateAt(begin_ + 21s));
        CPPUNIT_ASSERT(!breaker_.pass(begin_ + 21s));
        CPPUNIT_ASSERT(breaker_.pass(begin_ + 22s).has_value());
    }

    void testAbandonedTryLeavesItToTheNext() {
        fail(3);
        breaker_.abandoned(breaker_.pass(begin_ + 10s).value());
        const auto next = breaker_.pass(begin_ + 10s);
        CPPUNIT_ASSERT(next.has_value());
        breaker_.succeeded(*next);
        CPPUNIT_ASSERT_EQUAL(std::string("closed"), stateAt(begin_ + 10s));
    }

    void testLateEndsChangeNothing() {
        const auto early = breaker_.pass(begin_).value();
        const auto late = breaker_.pass(begin_).value();
        fail(3);
        breaker_.succeeded(early);
        CPPUNIT_ASSERT_EQUAL(std::string("open"), stateAt(begin_));
        const auto tried = breaker_.pass(begin_ + 10s).value();
        breaker_.failed(late, begin_ + 10s);
        breaker_.abandoned(late);
        CPPUNIT_ASSERT(!breaker_.pass(begin_ + 10s));
        breaker_.succeeded(tried);
        CPPUNIT_ASSERT_EQUAL(std::string("closed"), stateAt(begin_ + 10s));
    }

    void testOfManyAtOnceOneTries() {
        fail(3);
        std::atomic<int> passed{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] { passed += breaker_.pass(begin_ + 10s) ? 1 : 0; });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CPPUNIT_ASSERT_EQUAL(1, passed.load());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CircuitBreakerTest);

}  // namespace
}  // namespace sallyport::plugins::llm
