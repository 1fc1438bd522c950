#include "host/http/task_queue.h"

#include <chrono>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;
using namespace std::chrono_literals;

class TaskQueueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TaskQueueTest);
    CPPUNIT_TEST(testOneAccountsTasksKeepTheirOrder);
    CPPUNIT_TEST(testAccountsTakeTurns);
    CPPUNIT_TEST(testLanesTakeTurns);
    CPPUNIT_TEST(testAPluginRunsNoMoreThanItsShare);
    CPPUNIT_TEST(testAJobRunsNoMoreThanItsShare);
    CPPUNIT_TEST(testAnOperatorMayRunWhatHisPluginsMay);
    CPPUNIT_TEST(testWhatMayNotRunHoldsUpNothingBehindIt);
    CPPUNIT_TEST(testSharesAreCountedOverAllLanes);
    CPPUNIT_TEST(testAFloodLeavesPlacesForOthers);
    CPPUNIT_TEST(testAPluginsFloodLeavesPlacesForOthers);
    CPPUNIT_TEST(testARefusedTaskStaysWithItsOwner);
    CPPUNIT_TEST(testAJobThatUsedItsShareRests);
    CPPUNIT_TEST(testAJobAloneDoesNotRest);
    CPPUNIT_TEST(testNobodyRestsInAHurry);
    CPPUNIT_TEST(testOnlyJobsRest);
    CPPUNIT_TEST(testJobsAreForgotten);
    CPPUNIT_TEST_SUITE_END();

    std::string ran_;
    TaskQueue::Clock::time_point now_{1000s};
    TaskQueue::Clock::duration used_{};
    Crowd crowd_;

    bool push(TaskQueue& queue, const Origin& origin, const std::string& name) {
        Task task([this, name] { ran_ += name; });
        return queue.push(origin, task);
    }

    /// Runs the next task. @return its origin; an account without a name when none may run.
    Origin begin(TaskQueue& queue) {
        auto taken = queue.take(now_);
        CPPUNIT_ASSERT_EQUAL(taken.has_value(), taken && !taken->origin.account.empty());
        if (!taken) {
            return {};
        }
        taken->task();
        return taken->origin;
    }

    void runAll(TaskQueue& queue) {
        while (queue.ready(now_)) {
            queue.ended(begin(queue), used_, now_);
        }
    }

    static Origin worker(const std::string& account, const std::string& plugin = "p") {
        return {Lane::worker, account, plugin};
    }

    /// There is one at present.
    const Crowd& crowd() {
        crowd_.had(1, now_);
        crowd_.had(2, now_);
        return crowd_;
    }

    /// Has a task run that uses so much of the processor's time.
    void use(TaskQueue& queue, const Origin& origin, TaskQueue::Clock::duration time) {
        CPPUNIT_ASSERT(push(queue, origin, ""));
        queue.ended(begin(queue), time, now_);
    }

public:
    void testOneAccountsTasksKeepTheirOrder() {
        TaskQueue queue({1, 10});
        for (const char* name : {"a", "b", "c"}) {
            CPPUNIT_ASSERT(push(queue, worker("one"), name));
        }
        runAll(queue);
        CPPUNIT_ASSERT_EQUAL(std::string("abc"), ran_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue.waiting());
    }

    void testAccountsTakeTurns() {
        TaskQueue queue({1, 100});
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT(push(queue, worker("greedy"), "g"));
        }
        CPPUNIT_ASSERT(push(queue, worker("modest"), "m"));
        CPPUNIT_ASSERT(push(queue, worker("other"), "o"));
        runAll(queue);
        CPPUNIT_ASSERT_EQUAL(std::string("gmoggg"), ran_);
    }

    void testLanesTakeTurns() {
        TaskQueue queue({1, 100});
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT(push(queue, worker("job" + std::to_string(i)), "w"));
        }
        CPPUNIT_ASSERT(push(queue, {Lane::operators, "ann", "p"}, "o"));
        CPPUNIT_ASSERT(push(queue, {Lane::background, "p", "p"}, "b"));
        runAll(queue);
        CPPUNIT_ASSERT_EQUAL(std::string("obwwww"), ran_);
    }

    void testAPluginRunsNoMoreThanItsShare() {
        TaskQueue queue({2, 100});
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT(push(queue, worker("job" + std::to_string(i), "bad"), "b"));
        }
        const auto first = begin(queue);
        begin(queue);
        CPPUNIT_ASSERT(!queue.ready(now_));
        CPPUNIT_ASSERT(!queue.take(now_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue.waiting());
        queue.ended(first, used_, now_);
        CPPUNIT_ASSERT(queue.ready(now_));
        begin(queue);
        CPPUNIT_ASSERT_EQUAL(std::string("bbb"), ran_);
    }

    void testAJobRunsNoMoreThanItsShare() {
        TaskQueue queue({2, 100});
        for (const char* plugin : {"a", "b", "c"}) {
            CPPUNIT_ASSERT(push(queue, worker("greedy", plugin), plugin));
        }
        begin(queue);
        begin(queue);
        CPPUNIT_ASSERT(!queue.ready(now_));
        CPPUNIT_ASSERT(push(queue, worker("modest", "c"), "m"));
        begin(queue);
        CPPUNIT_ASSERT_EQUAL(std::string("abm"), ran_);
    }

    void testAnOperatorMayRunWhatHisPluginsMay() {
        TaskQueue queue({1, 100});
        for (const char* plugin : {"a", "b", "c"}) {
            CPPUNIT_ASSERT(push(queue, {Lane::operators, "ann", plugin}, plugin));
            begin(queue);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("abc"), ran_);
    }

    void testWhatMayNotRunHoldsUpNothingBehindIt() {
        TaskQueue queue({1, 100});
        CPPUNIT_ASSERT(push(queue, worker("one", "bad"), "1"));
        begin(queue);
        CPPUNIT_ASSERT(push(queue, worker("two", "bad"), "2"));
        CPPUNIT_ASSERT(push(queue, worker("two", "good"), "3"));
        CPPUNIT_ASSERT(push(queue, worker("three", "good"), "4"));
        queue.ended(begin(queue), used_, now_);
        begin(queue);
        CPPUNIT_ASSERT_EQUAL(std::string("134"), ran_);
        CPPUNIT_ASSERT(!queue.ready(now_));
    }

    void testSharesAreCountedOverAllLanes() {
        TaskQueue queue({1, 100});
        CPPUNIT_ASSERT(push(queue, {Lane::operators, "ann", "bad"}, "o"));
        begin(queue);
        CPPUNIT_ASSERT(push(queue, {Lane::background, "bad", "bad"}, "b"));
        CPPUNIT_ASSERT(push(queue, worker("job", "bad"), "w"));
        CPPUNIT_ASSERT(!queue.ready(now_));
    }

    void testAFloodLeavesPlacesForOthers() {
        TaskQueue queue({1, 100});
        const auto fill = [&](const Origin& origin) {
            std::size_t count = 0;
            while (push(queue, origin, "")) {
                ++count;
            }
            return count;
        };
        CPPUNIT_ASSERT_EQUAL(std::size_t{50}, fill(worker("first", "a")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{25}, fill(worker("second", "b")));
        CPPUNIT_ASSERT(push(queue, worker("third", "c"), ""));
        CPPUNIT_ASSERT_MESSAGE("another lane is its own", push(queue, {Lane::operators, "ann", "d"}, ""));
    }

    void testAPluginsFloodLeavesPlacesForOthers() {
        TaskQueue queue({1, 100});
        std::size_t count = 0;
        while (push(queue, worker("job" + std::to_string(count), "bad"), "")) {
            ++count;
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{50}, count);
        CPPUNIT_ASSERT(push(queue, worker("job", "good"), ""));
    }

    void testARefusedTaskStaysWithItsOwner() {
        TaskQueue queue({1, 1});
        CPPUNIT_ASSERT(push(queue, worker("one"), "1"));
        Task task([this] { ran_ += "2"; });
        CPPUNIT_ASSERT(!queue.push(worker("two"), task));
        task();
        CPPUNIT_ASSERT_EQUAL(std::string("2"), ran_);
    }

    void testAJobThatUsedItsShareRests() {
        TaskQueue queue({2, 100, 20, &crowd()});
        use(queue, worker("one"), 20ms);
        CPPUNIT_ASSERT(push(queue, worker("one"), "a"));
        CPPUNIT_ASSERT(!queue.ready(now_));
        CPPUNIT_ASSERT(!queue.take(now_));
        CPPUNIT_ASSERT(queue.rested(now_) == now_ + 90ms);
        CPPUNIT_ASSERT(push(queue, worker("two"), "b"));
        queue.ended(begin(queue), used_, now_);
        CPPUNIT_ASSERT_EQUAL(std::string("b"), ran_);
        now_ += 90ms;
        CPPUNIT_ASSERT(queue.ready(now_));
        CPPUNIT_ASSERT(queue.rested(now_) == TaskQueue::Clock::time_point::max());
        CPPUNIT_ASSERT_EQUAL(std::string("one"), begin(queue).account);
    }

    void testAJobAloneDoesNotRest() {
        TaskQueue queue({2, 100, 20, &crowd()});
        use(queue, worker("one"), 1s);
        CPPUNIT_ASSERT(push(queue, worker("one"), "a"));
        CPPUNIT_ASSERT(!queue.ready(now_));
        now_ += 500ms;  // without others
        CPPUNIT_ASSERT(queue.ready(now_));
        CPPUNIT_ASSERT_EQUAL(std::string("one"), begin(queue).account);
    }

    void testNobodyRestsInAHurry() {
        TaskQueue queue({2, 100, 20, &crowd()});
        use(queue, worker("one"), 1s);
        CPPUNIT_ASSERT(push(queue, worker("one"), "a"));
        CPPUNIT_ASSERT(!queue.ready(now_));
        queue.hurry(true);
        CPPUNIT_ASSERT(queue.ready(now_));
        queue.hurry(false);
        CPPUNIT_ASSERT(!queue.ready(now_));
    }

    void testOnlyJobsRest() {
        TaskQueue queue({2, 100, 20, &crowd()});
        const Origin user{Lane::operators, "ada", "p"};
        use(queue, user, 1s);
        CPPUNIT_ASSERT(push(queue, user, "a"));
        CPPUNIT_ASSERT(queue.ready(now_));
    }

    void testJobsAreForgotten() {
        TaskQueue queue({2, 100, 20, &crowd()});
        for (int i = 0; i < 1000; ++i) {
            use(queue, worker(std::to_string(i)), 1ms);
            now_ += 10ms;
        }
        CPPUNIT_ASSERT(queue.jobs() < 200);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TaskQueueTest);

}  // namespace sallyport::tests
