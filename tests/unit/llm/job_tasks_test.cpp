#include "plugins/llm/job_tasks.h"

#include <deque>
#include <functional>
#include <string>
#include <utility>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

class JobTasksTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobTasksTest);
    CPPUNIT_TEST(testTasksOfOneJobBeginInOrder);
    CPPUNIT_TEST(testJobsTakeTurns);
    CPPUNIT_TEST(testPoolIsAskedForFewAtATime);
    CPPUNIT_TEST(testPoolThatRunsAtOnce);
    CPPUNIT_TEST(testTaskMayGiveAnother);
    CPPUNIT_TEST(testPoolWithoutAPlaceIsAskedAgain);
    CPPUNIT_TEST_SUITE_END();

    const JobId a_ = JobId::random();
    const JobId b_ = JobId::random();
    const JobId c_ = JobId::random();

    std::deque<std::function<void()>> pool_;  ///< what it was asked to run
    bool full_ = false;                       ///< it drops that
    std::string said_;
    JobTasks tasks_{[this](std::function<void()> task) {
        if (!full_) {
            pool_.push_back(std::move(task));
        }
    }};

    void add(const JobId& job, const std::string& name) {
        tasks_.run(job, [this, name] { said_ += name; });
    }

    void runAll() {
        while (!pool_.empty()) {
            const auto task = std::move(pool_.front());
            pool_.pop_front();
            task();
        }
    }

public:
    void testTasksOfOneJobBeginInOrder() {
        for (const char* name : {"1", "2", "3"}) {
            add(a_, name);
        }
        CPPUNIT_ASSERT_EQUAL(std::string(), said_);
        runAll();
        CPPUNIT_ASSERT_EQUAL(std::string("123"), said_);
    }

    void testJobsTakeTurns() {
        for (const char* name : {"1", "2", "3", "4"}) {
            add(a_, name);
        }
        add(b_, "b");
        add(c_, "c");
        add(c_, "d");
        runAll();
        CPPUNIT_ASSERT_EQUAL(std::string("1bc2d34"), said_);
    }

    /// It has places for others, and one of its threads that is free takes a task of the next job.
    void testPoolIsAskedForFewAtATime() {
        for (int i = 0; i < 1000; ++i) {
            add(a_, "a");
        }
        CPPUNIT_ASSERT(!pool_.empty() && pool_.size() < 50);
        add(b_, "b");
        runAll();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, said_.find('b'));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1001}, said_.size());
    }

    static void testPoolThatRunsAtOnce() {
        std::string said;
        JobTasks tasks([](const std::function<void()>& task) { task(); });
        const JobId job = JobId::random();
        tasks.run(job, [&said] { said += '1'; });
        tasks.run(job, [&said] { said += '2'; });
        CPPUNIT_ASSERT_EQUAL(std::string("12"), said);
    }

    void testTaskMayGiveAnother() {
        tasks_.run(a_, [this] {
            said_ += '1';
            add(a_, "2");
            add(b_, "3");
        });
        runAll();
        CPPUNIT_ASSERT_EQUAL(std::string("123"), said_);
    }

    void testPoolWithoutAPlaceIsAskedAgain() {
        full_ = true;
        add(a_, "1");
        tasks_.retry();
        full_ = false;
        CPPUNIT_ASSERT(pool_.empty());
        tasks_.retry();
        tasks_.retry();
        runAll();
        CPPUNIT_ASSERT_EQUAL(std::string("1"), said_);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(JobTasksTest);

}  // namespace
}  // namespace sallyport::plugins::llm
