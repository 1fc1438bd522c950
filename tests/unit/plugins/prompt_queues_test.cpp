#include "plugins/prompts/prompt_queues.h"

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins {
namespace {

class PromptQueuesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PromptQueuesTest);
    CPPUNIT_TEST(testOldestFirst);
    CPPUNIT_TEST(testJobsAreApart);
    CPPUNIT_TEST(testPutBackGoesWhereItWas);
    CPPUNIT_TEST(testForgottenDeliveryIsPutBack);
    CPPUNIT_TEST(testPositionCountsAll);
    CPPUNIT_TEST(testCloseDropsAll);
    CPPUNIT_TEST(testCloseWithoutQueue);
    CPPUNIT_TEST(testCloseWhileBeingStored);
    CPPUNIT_TEST(testCloseWhileBeingDelivered);
    CPPUNIT_TEST(testManyTakers);
    CPPUNIT_TEST_SUITE_END();

    PromptQueues queues_;
    const JobId job_ = JobId::random();

    void add(std::int64_t id, const JobId& job) {
        CPPUNIT_ASSERT(queues_.reserve(job)->fill({id, "prompt " + std::to_string(id), false}));
    }
    void add(std::int64_t id) { add(id, job_); }

    /// Takes the next prompt for good. @return its number; 0 when there is none.
    std::int64_t next(const JobId& job) {
        const auto delivery = queues_.take(job);
        if (!delivery) {
            return 0;
        }
        delivery->delivered();
        return delivery->prompt().id;
    }
    std::int64_t next() { return next(job_); }

    void testOldestFirst() {
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, next());
        // Rows may be stored in another order than the one in which their places were taken.
        add(2);
        add(1);
        add(3);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, next());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, next());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, next());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, next());
    }

    void testJobsAreApart() {
        const JobId other = JobId::random();
        add(1);
        add(2, other);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, next(other));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, next(other));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, next());
    }

    void testPutBackGoesWhereItWas() {
        add(1);
        add(2);
        add(3);
        const auto first = queues_.take(job_);
        const auto second = queues_.take(job_);
        CPPUNIT_ASSERT(first->putBack());
        CPPUNIT_ASSERT(second->putBack());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, next());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, next());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, next());
    }

    void testForgottenDeliveryIsPutBack() {
        add(1);
        static_cast<void>(queues_.take(job_));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, next());
    }

    void testPositionCountsAll() {
        add(1);
        add(2);
        const auto delivery = queues_.take(job_);
        const auto stored = queues_.reserve(job_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, stored->position());
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, queues_.reserve(job_)->position());
        delivery->delivered();
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, queues_.reserve(job_)->position());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queues_.reserve(JobId::random())->position());
    }

    void testCloseDropsAll() {
        add(1);
        CPPUNIT_ASSERT(queues_.close(job_));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, next());
        CPPUNIT_ASSERT(!queues_.close(job_));
    }

    void testCloseWithoutQueue() {
        CPPUNIT_ASSERT(!queues_.close(job_));
        // What had a place and gave it up leaves nothing behind.
        static_cast<void>(queues_.reserve(job_));
        CPPUNIT_ASSERT(!queues_.close(job_));
    }

    void testCloseWhileBeingStored() {
        const auto early = queues_.reserve(job_);
        CPPUNIT_ASSERT(queues_.close(job_));
        const auto late = queues_.reserve(job_);
        CPPUNIT_ASSERT(!early->fill({1, "early", false}));
        CPPUNIT_ASSERT(!late->fill({2, "late", false}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, next());
    }

    void testCloseWhileBeingDelivered() {
        add(1);
        add(2);
        const auto first = queues_.take(job_);
        auto second = queues_.take(job_);
        CPPUNIT_ASSERT(queues_.close(job_));
        CPPUNIT_ASSERT(!first->putBack());
        second.reset();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, next());
    }

    /// Takers that fail every so often, and adders: each prompt comes out once.
    void testManyTakers() {
        constexpr int adders = 2;
        constexpr int takers = 4;
        constexpr std::int64_t each = 2000;
        std::atomic<std::int64_t> left{adders * each};
        std::mutex mutex;
        std::multiset<std::int64_t> taken;
        std::vector<std::thread> threads;
        threads.reserve(adders + takers);
        for (int adder = 0; adder < adders; ++adder) {
            threads.emplace_back([&, adder] {
                for (std::int64_t i = 0; i < each; ++i) {
                    static_cast<void>(queues_.reserve(job_)->fill({1 + adder * each + i, "x", false}));
                }
            });
        }
        for (int taker = 0; taker < takers; ++taker) {
            threads.emplace_back([&] {
                for (int round = 0; left > 0; ++round) {
                    const auto delivery = queues_.take(job_);
                    if (!delivery) {
                        std::this_thread::yield();
                    } else if (round % 3 == 0) {
                        delivery->putBack();
                    } else {
                        delivery->delivered();
                        --left;
                        const std::lock_guard lock(mutex);
                        taken.insert(delivery->prompt().id);
                    }
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{adders * each}, taken.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{adders * each},
                             std::set<std::int64_t>(taken.begin(), taken.end()).size());
        CPPUNIT_ASSERT(!queues_.close(job_));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PromptQueuesTest);

}  // namespace
}  // namespace sallyport::plugins
