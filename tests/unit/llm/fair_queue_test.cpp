#include "plugins/llm/fair_queue.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

class FairQueueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FairQueueTest);
    CPPUNIT_TEST(testFreeSlotIsGivenAtOnce);
    CPPUNIT_TEST(testOthersWaitForATurn);
    CPPUNIT_TEST(testTurnsGoRoundTheJobs);
    CPPUNIT_TEST(testOneJobIsServedInOrder);
    CPPUNIT_TEST(testWhoLeavesIsNotCalled);
    CPPUNIT_TEST(testLeavingAfterTheTurnCameIsTooLate);
    CPPUNIT_TEST(testFullQueueRefuses);
    CPPUNIT_TEST(testGreedyJobGivesWay);
    CPPUNIT_TEST(testEqualsDoNotGiveWay);
    CPPUNIT_TEST(testDeadline);
    CPPUNIT_TEST(testClose);
    CPPUNIT_TEST(testSlotIsGivenBackOnce);
    CPPUNIT_TEST(testLongChainDoesNotNest);
    CPPUNIT_TEST(testNeverMoreThanTheSlots);
    CPPUNIT_TEST_SUITE_END();

    using Slot = FairQueue::Slot;

    const JobId a_ = JobId::random();
    const JobId b_ = JobId::random();
    const JobId c_ = JobId::random();
    const FairQueue::Time begin_{1000s};

    std::string said_;  ///< who was called, in order
    std::map<std::string, Slot> slots_;
    std::map<std::string, int> retryAfter_;
    FairQueue queue_{2, 4};

public:
    void tearDown() override {
        queue_.close();
        slots_.clear();
    }

private:
    FairQueue::Ticket enter(const JobId& job, const std::string& who, FairQueue::Time deadline) {
        return queue_.enter(job, deadline,
                            {[this, who](Slot slot) {
                                 said_ += who + " ";
                                 slots_.emplace(who, std::move(slot));
                             },
                             [this, who](const RequestError& error) {
                                 said_ += who + ":" + error.code() + " ";
                                 retryAfter_[who] = static_cast<int>(error.retryAfter().value_or(0s).count());
                             }});
    }
    FairQueue::Ticket enter(const JobId& job, const std::string& who) { return enter(job, who, begin_ + 1h); }
    /// Gives a slot up. Out of the map first, which the next one goes into meanwhile.
    void finish(const std::string& who) { const auto node = slots_.extract(who); }
    /// Takes both slots.
    void fill() {
        enter(a_, "x");
        enter(a_, "y");
        said_.clear();
    }

    void testFreeSlotIsGivenAtOnce() {
        enter(a_, "1");
        enter(a_, "2");
        CPPUNIT_ASSERT_EQUAL(std::string("1 2 "), said_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue_.running());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue_.waiting());
    }

    void testOthersWaitForATurn() {
        fill();
        enter(b_, "1");
        CPPUNIT_ASSERT_EQUAL(std::string(), said_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue_.waiting());
        finish("x");
        CPPUNIT_ASSERT_EQUAL(std::string("1 "), said_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue_.running());
    }

    void testTurnsGoRoundTheJobs() {
        fill();
        enter(a_, "a1");
        enter(a_, "a2");
        enter(b_, "b1");
        enter(c_, "c1");
        for (const char* done : {"x", "y", "a1", "b1"}) {
            finish(done);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("a1 b1 c1 a2 "), said_);
    }

    void testOneJobIsServedInOrder() {
        fill();
        enter(b_, "1");
        enter(b_, "2");
        enter(b_, "3");
        finish("x");
        finish("y");
        CPPUNIT_ASSERT_EQUAL(std::string("1 2 "), said_);
    }

    void testWhoLeavesIsNotCalled() {
        fill();
        const auto first = enter(b_, "1");
        const auto second = enter(c_, "2");
        CPPUNIT_ASSERT(queue_.leave(first));
        CPPUNIT_ASSERT(!queue_.leave(first));
        finish("x");
        CPPUNIT_ASSERT_EQUAL(std::string("2 "), said_);
        CPPUNIT_ASSERT(!queue_.leave(second));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue_.waiting());
    }

    void testLeavingAfterTheTurnCameIsTooLate() { CPPUNIT_ASSERT(!queue_.leave(enter(a_, "1"))); }

    void testFullQueueRefuses() {
        fill();
        for (const char* who : {"1", "2", "3", "4"}) {
            enter(b_, who);
        }
        enter(b_, "5");
        CPPUNIT_ASSERT_EQUAL(std::string("5:overloaded "), said_);
        CPPUNIT_ASSERT_EQUAL(1, retryAfter_["5"]);
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, queue_.waiting());
    }

    void testGreedyJobGivesWay() {
        fill();
        for (const char* who : {"1", "2", "3", "4"}) {
            enter(b_, who);
        }
        // Its last one, as it would be served last.
        enter(c_, "c1");
        CPPUNIT_ASSERT_EQUAL(std::string("4:overloaded "), said_);
        enter(c_, "c2");
        CPPUNIT_ASSERT_EQUAL(std::string("4:overloaded 3:overloaded "), said_);
        said_.clear();
        finish("x");
        finish("y");
        CPPUNIT_ASSERT_EQUAL(std::string("1 c1 "), said_);
    }

    void testEqualsDoNotGiveWay() {
        fill();
        enter(b_, "b1");
        enter(b_, "b2");
        enter(c_, "c1");
        enter(c_, "c2");
        enter(c_, "c3");
        CPPUNIT_ASSERT_EQUAL(std::string("c3:overloaded "), said_);
        enter(a_, "a1");
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, queue_.waiting());
    }

    void testDeadline() {
        fill();
        enter(b_, "1", begin_ + 10s);
        enter(b_, "2", begin_ + 20s);
        enter(c_, "3", begin_ + 10s);
        queue_.expire(begin_ + 9s);
        CPPUNIT_ASSERT_EQUAL(std::string(), said_);
        queue_.expire(begin_ + 10s);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue_.waiting());
        CPPUNIT_ASSERT(said_.find("1:overloaded") != std::string::npos);
        CPPUNIT_ASSERT(said_.find("3:overloaded") != std::string::npos);
        said_.clear();
        finish("x");
        CPPUNIT_ASSERT_EQUAL(std::string("2 "), said_);
    }

    void testClose() {
        fill();
        enter(b_, "1");
        queue_.close();
        enter(b_, "2");
        CPPUNIT_ASSERT_EQUAL(std::string("1:stopping 2:stopping "), said_);
        slots_.clear();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue_.running());
    }

    void testSlotIsGivenBackOnce() {
        fill();
        Slot moved = std::move(slots_.at("x"));
        finish("x");  // nothing of it is left there
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue_.running());
        moved.end();
        moved.end();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue_.running());
        moved = std::move(slots_.at("y"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue_.running());
    }

    void testLongChainDoesNotNest() {
        // Each gives its slot up at once; if that served the next from within, the stack would end.
        constexpr int many = 100'000;
        FairQueue queue(1, many);
        int served = 0;
        int depth = 0;
        int deepest = 0;
        std::optional<Slot> first;
        queue.enter(a_, begin_, {[&](Slot slot) { first.emplace(std::move(slot)); }, {}});
        for (int i = 0; i < many; ++i) {
            queue.enter(a_, begin_,
                        {[&](Slot slot) {
                             deepest = std::max(deepest, ++depth);
                             slot.end();
                             --depth;
                             ++served;
                         },
                         {}});
        }
        first.reset();
        CPPUNIT_ASSERT_EQUAL(many, served);
        CPPUNIT_ASSERT_EQUAL(1, deepest);
    }

    void testNeverMoreThanTheSlots() {
        constexpr int threads = 4;
        constexpr int each = 500;
        std::atomic<int> under{0};
        std::atomic<int> most{0};
        std::atomic<int> served{0};
        std::atomic<int> refused{0};
        std::atomic<int> left{0};
        FairQueue queue(3, 8);
        const auto work = [&] {
            const JobId job = JobId::random();
            for (int i = 0; i < each; ++i) {
                const auto ticket =
                    queue.enter(job, begin_,
                                {[&](Slot slot) {
                                     const int now = ++under;
                                     int seen = most;
                                     while (seen < now && !most.compare_exchange_weak(seen, now)) {
                                     }
                                     ++served;
                                     --under;
                                     slot.end();
                                 },
                                 [&](const RequestError&) { ++refused; }});
                if (i % 3 == 0 && queue.leave(ticket)) {
                    ++left;
                }
                if (i % 50 == 0) {
                    queue.expire(begin_);
                }
            }
        };
        std::vector<std::thread> running;
        for (int i = 0; i < threads; ++i) {
            running.emplace_back(work);
        }
        for (std::thread& thread : running) {
            thread.join();
        }
        CPPUNIT_ASSERT(most <= 3);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue.waiting());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue.running());
        CPPUNIT_ASSERT_EQUAL(threads * each, served + refused + left);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FairQueueTest);

}  // namespace
}  // namespace sallyport::plugins::llm
