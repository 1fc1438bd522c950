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
    CPPUNIT_TEST(testNoJobHasAllSlots);
    CPPUNIT_TEST(testSharesShrinkAsOthersCome);
    CPPUNIT_TEST(testFreedSlotGoesToWhomItIsDue);
    CPPUNIT_TEST(testLimitOfOneJob);
    CPPUNIT_TEST(testOthersPassAJobAtItsLimit);
    CPPUNIT_TEST(testMemoryIsBounded);
    CPPUNIT_TEST(testLargeGiveWay);
    CPPUNIT_TEST(testLargeOneAloneMayWait);
    CPPUNIT_TEST(testDeadline);
    CPPUNIT_TEST(testDeadlineOfAJobAtItsLimit);
    CPPUNIT_TEST(testClose);
    CPPUNIT_TEST(testSlotIsGivenBackOnce);
    CPPUNIT_TEST(testLongChainDoesNotNest);
    CPPUNIT_TEST(testNeverMoreThanTheSlots);
    CPPUNIT_TEST_SUITE_END();

    using Slot = FairQueue::Slot;

    const JobId a_ = JobId::random();
    const JobId b_ = JobId::random();
    const JobId c_ = JobId::random();
    const JobId d_ = JobId::random();
    const FairQueue::Time begin_{1000s};

    std::string said_;  ///< who was called, in order
    std::map<std::string, Slot> slots_;
    std::map<std::string, int> retryAfter_;
    std::optional<FairQueue> own_{std::in_place, FairQueue::Bounds{.slots = 2, .places = 4}};

public:
    void tearDown() override {
        own_->close();
        slots_.clear();
    }

private:
    [[nodiscard]] FairQueue& queue() { return *own_; }
    void with(const FairQueue::Bounds& bounds) {
        tearDown();
        own_.emplace(bounds);
    }
    FairQueue::Ticket enter(const JobId& job, const std::string& who, FairQueue::Time deadline,
                            std::size_t bytes = 0) {
        return queue().enter(job, deadline,
                             {[this, who](Slot slot) {
                                  said_ += who + " ";
                                  slots_.emplace(who, std::move(slot));
                              },
                              [this, who](const RequestError& error) {
                                  said_ += who + ":" + error.code() + " ";
                                  retryAfter_[who] =
                                      static_cast<int>(error.retryAfter().value_or(0s).count());
                              },
                              bytes});
    }
    FairQueue::Ticket enter(const JobId& job, const std::string& who, std::size_t bytes = 0) {
        return enter(job, who, begin_ + 1h, bytes);
    }
    /// Has the job come so many times. @return how many of them got a slot
    std::size_t enterMany(const JobId& job, const std::string& prefix, int times) {
        const std::size_t before = queue().running();
        for (int i = 0; i < times; ++i) {
            enter(job, prefix + std::to_string(i));
        }
        return queue().running() - before;
    }
    /// Gives a slot up. Out of the map first, which the next one goes into meanwhile.
    void finish(const std::string& who) { const auto node = slots_.extract(who); }
    /// Takes both slots.
    void fill() {
        enter(a_, "x");
        enter(d_, "y");
        said_.clear();
    }

    void testFreeSlotIsGivenAtOnce() {
        enter(a_, "1");
        enter(b_, "2");
        CPPUNIT_ASSERT_EQUAL(std::string("1 2 "), said_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue().running());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue().waiting());
    }

    void testOthersWaitForATurn() {
        fill();
        enter(b_, "1");
        CPPUNIT_ASSERT_EQUAL(std::string(), said_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue().waiting());
        finish("x");
        CPPUNIT_ASSERT_EQUAL(std::string("1 "), said_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue().running());
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
        finish("1");
        CPPUNIT_ASSERT_EQUAL(std::string("1 2 "), said_);
    }

    void testWhoLeavesIsNotCalled() {
        fill();
        const auto first = enter(b_, "1");
        const auto second = enter(c_, "2");
        CPPUNIT_ASSERT(queue().leave(first));
        CPPUNIT_ASSERT(!queue().leave(first));
        finish("x");
        CPPUNIT_ASSERT_EQUAL(std::string("2 "), said_);
        CPPUNIT_ASSERT(!queue().leave(second));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue().waiting());
    }

    void testLeavingAfterTheTurnCameIsTooLate() { CPPUNIT_ASSERT(!queue().leave(enter(a_, "1"))); }

    void testFullQueueRefuses() {
        fill();
        for (const char* who : {"1", "2", "3", "4"}) {
            enter(b_, who);
        }
        enter(b_, "5");
        CPPUNIT_ASSERT_EQUAL(std::string("5:overloaded "), said_);
        CPPUNIT_ASSERT_EQUAL(1, retryAfter_["5"]);
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, queue().waiting());
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
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, queue().waiting());
    }

    void testNoJobHasAllSlots() {
        with({.slots = 16, .places = 100});
        CPPUNIT_ASSERT_EQUAL(std::size_t{8}, enterMany(a_, "a", 16));
        // As long as it has half of them, another one never waits.
        enter(b_, "b");
        finish("b");
        enter(b_, "b");
        CPPUNIT_ASSERT(slots_.contains("b"));
        // Two cannot be shared but by one each, and one not at all.
        with({.slots = 2, .places = 100});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, enterMany(a_, "two", 2));
        with({.slots = 1, .places = 100});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, enterMany(a_, "one", 2));
    }

    void testSharesShrinkAsOthersCome() {
        with({.slots = 16, .places = 100});
        CPPUNIT_ASSERT_EQUAL(std::size_t{8}, enterMany(a_, "a", 16));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, enterMany(b_, "b", 16));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, enterMany(c_, "c", 16));
        // The last two are for those who have none.
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, enterMany(d_, "d", 16));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, enterMany(JobId::random(), "e", 16));
        CPPUNIT_ASSERT_EQUAL(std::size_t{16}, queue().running());
    }

    void testFreedSlotGoesToWhomItIsDue() {
        with({.slots = 16, .places = 100});
        enterMany(a_, "a", 16);
        enterMany(b_, "b", 16);
        said_.clear();
        // Five are free, two of them kept back: both jobs have more than the rest.
        finish("a0");
        CPPUNIT_ASSERT_EQUAL(std::string(), said_);
        finish("b0");
        CPPUNIT_ASSERT_EQUAL(std::string("b4 "), said_);
    }

    void testLimitOfOneJob() {
        with({.slots = 16, .perJob = 3, .places = 100});
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, enterMany(a_, "a", 5));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue().waiting());
        finish("a1");
        CPPUNIT_ASSERT(slots_.contains("a3"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, enterMany(b_, "b", 5));
    }

    void testOthersPassAJobAtItsLimit() {
        with({.slots = 16, .perJob = 2, .places = 100});
        enterMany(a_, "a", 100);
        for (const JobId& job : {b_, c_, d_}) {
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, enterMany(job, job.str(), 1));
        }
    }

    void testMemoryIsBounded() {
        with({.slots = 1, .places = 100, .bytes = 10});
        enter(a_, "x", 1000);
        enter(b_, "1", 6);
        enter(b_, "2", 4);
        enter(b_, "3", 1);
        CPPUNIT_ASSERT_EQUAL(std::string("x 3:overloaded "), said_);
        finish("x");
        enter(b_, "4", 6);
        CPPUNIT_ASSERT_EQUAL(std::string("x 3:overloaded 1 "), said_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue().waiting());
    }

    void testLargeGiveWay() {
        with({.slots = 1, .places = 100, .bytes = 10});
        enter(a_, "x");
        enter(b_, "1", 4);
        enter(b_, "2", 3);
        enter(b_, "3", 3);
        enter(c_, "c1", 5);
        // As many of the greedy job as it takes, its last ones first.
        CPPUNIT_ASSERT_EQUAL(std::string("x 3:overloaded 2:overloaded "), said_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue().waiting());
    }

    void testLargeOneAloneMayWait() {
        with({.slots = 1, .places = 100, .bytes = 10});
        enter(a_, "x");
        enter(b_, "1", 1000);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue().waiting());
        enter(c_, "2", 1);
        CPPUNIT_ASSERT_EQUAL(std::string("x 1:overloaded "), said_);
    }

    void testDeadlineOfAJobAtItsLimit() {
        with({.slots = 16, .perJob = 1, .places = 100});
        enter(a_, "1");
        enter(a_, "2", begin_ + 10s);
        queue().expire(begin_ + 10s);
        CPPUNIT_ASSERT_EQUAL(std::string("1 2:concurrency_limit "), said_);
        CPPUNIT_ASSERT_EQUAL(1, retryAfter_["2"]);
    }

    void testDeadline() {
        fill();
        enter(b_, "1", begin_ + 10s);
        enter(b_, "2", begin_ + 20s);
        enter(c_, "3", begin_ + 10s);
        queue().expire(begin_ + 9s);
        CPPUNIT_ASSERT_EQUAL(std::string(), said_);
        queue().expire(begin_ + 10s);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue().waiting());
        CPPUNIT_ASSERT(said_.find("1:overloaded") != std::string::npos);
        CPPUNIT_ASSERT(said_.find("3:overloaded") != std::string::npos);
        said_.clear();
        finish("x");
        CPPUNIT_ASSERT_EQUAL(std::string("2 "), said_);
    }

    void testClose() {
        fill();
        enter(b_, "1");
        queue().close();
        enter(b_, "2");
        CPPUNIT_ASSERT_EQUAL(std::string("1:stopping 2:stopping "), said_);
        slots_.clear();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue().running());
    }

    void testSlotIsGivenBackOnce() {
        fill();
        Slot moved = std::move(slots_.at("x"));
        finish("x");  // nothing of it is left there
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue().running());
        moved.end();
        moved.end();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue().running());
        moved = std::move(slots_.at("y"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue().running());
    }

    void testLongChainDoesNotNest() {
        // Each gives its slot up at once; if that served the next from within, the stack would end.
        constexpr int many = 100'000;
        FairQueue queue({.slots = 1, .places = many});
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
        FairQueue queue({.slots = 3, .places = 8});
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
