#include "plugins/events/event_log.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

namespace sallyport::plugins {
namespace {

using namespace std::chrono_literals;

/// What is deleted of the table of events.
class EventLogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EventLogTest);
    CPPUNIT_TEST(testOldEventsGo);
    CPPUNIT_TEST(testNothingIsOld);
    CPPUNIT_TEST(testNumbersWithGaps);
    CPPUNIT_TEST(testClockThatWasAhead);
    CPPUNIT_TEST(testClockThatWasBehind);
    CPPUNIT_TEST(testEventsOfAJobGo);
    CPPUNIT_TEST(testJobsInTurn);
    CPPUNIT_TEST(testTheLastNumberIsKnownForEver);
    CPPUNIT_TEST(testNumbersAreNotUsedAgain);
    CPPUNIT_TEST(testNothingIsFoundByReadingAll);
    CPPUNIT_TEST_SUITE_END();

    testing::FakeHost host_{"events", {}};
    EventLog log_{host_.store()};
    const JobId job_ = JobId::random();
    Sweep sweep_{host_.store(), {.pause = 0ms, .turn = 1h}};

    std::uint64_t add(std::int64_t at, const JobId& job) {
        std::uint64_t id = 0;
        host_.store().write([&](Transaction& transaction) {
            id = EventLog::insert(transaction, EventLog::row(job, "alice", "message", "{}",
                                                             Timestamp(std::chrono::milliseconds(at))));
        });
        return id;
    }
    void add(const std::vector<std::int64_t>& times) {
        for (const std::int64_t at : times) {
            add(at, job_);
        }
    }
    void removeBefore(std::int64_t time) {
        CPPUNIT_ASSERT(log_.removeBefore(Timestamp(std::chrono::milliseconds(time)), sweep_));
    }
    /// Numbers of the events that are there.
    std::string left() {
        std::string text;
        for (const Row& row : host_.store().query("SELECT id FROM events ORDER BY id")) {
            text += row.text(0) + ' ';
        }
        return text;
    }

    void testOldEventsGo() {
        add({100, 200, 200, 300, 400});
        removeBefore(300);
        CPPUNIT_ASSERT_EQUAL(std::string("4 5 "), left());
        removeBefore(1000);
        CPPUNIT_ASSERT_EQUAL(std::string(), left());
        removeBefore(1000);
    }

    void testNothingIsOld() {
        removeBefore(100);
        add({100, 200});
        removeBefore(100);
        CPPUNIT_ASSERT_EQUAL(std::string("1 2 "), left());
    }

    void testNumbersWithGaps() {
        for (int i = 0; i < 50; ++i) {
            add(i, i % 7 == 3 ? job_ : JobId::random());
        }
        host_.store().write(
            [&](Transaction& transaction) { transaction.execute("DELETE FROM events WHERE id % 7 <> 4"); });
        removeBefore(30);
        CPPUNIT_ASSERT_EQUAL(std::string("32 39 46 "), left());
    }

    void testClockThatWasAhead() {
        // What came meanwhile is kept until its own time; it does not hold up what came later.
        add({100, 900, 910, 200, 210, 220, 230, 500});
        removeBefore(300);
        CPPUNIT_ASSERT_EQUAL(std::string("2 3 8 "), left());
        removeBefore(1000);
        CPPUNIT_ASSERT_EQUAL(std::string(), left());
    }

    void testClockThatWasBehind() {
        // What came before is not taken for old.
        add({500, 510, 1, 2, 520, 530});
        removeBefore(300);
        CPPUNIT_ASSERT(left().starts_with("1 2 "));
        CPPUNIT_ASSERT(left().ends_with("5 6 "));
    }

    void testEventsOfAJobGo() {
        const JobId other = JobId::random();
        for (int i = 0; i < 600; ++i) {
            add(i, job_);
        }
        add(1, other);
        CPPUNIT_ASSERT(log_.removeJob(job_, sweep_));
        CPPUNIT_ASSERT_EQUAL(std::string("601 "), left());
        CPPUNIT_ASSERT_EQUAL(std::size_t{600}, sweep_.removed());
        CPPUNIT_ASSERT(log_.removeJob(job_, sweep_));
    }

    void testJobsInTurn() {
        const JobId low = *JobId::parse("00000000-0000-4000-8000-000000000000");
        const JobId high = *JobId::parse("ff000000-0000-4000-8000-000000000000");
        CPPUNIT_ASSERT(!log_.jobAfter(std::nullopt));
        add(1, high);
        add(1, low);
        add(1, high);
        CPPUNIT_ASSERT(log_.jobAfter(std::nullopt) == low);
        CPPUNIT_ASSERT(log_.jobAfter(low) == high);
        CPPUNIT_ASSERT(!log_.jobAfter(high));
    }

    void testTheLastNumberIsKnownForEver() {
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, log_.last());
        add({1, 2, 900, 3});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, log_.last());
        removeBefore(500);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, log_.last());
        CPPUNIT_ASSERT(log_.removeJob(job_, sweep_));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, log_.last());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, EventLog(host_.store()).last());
    }

    void testNumbersAreNotUsedAgain() {
        add({1, 2, 3});
        CPPUNIT_ASSERT(log_.removeJob(job_, sweep_));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, add(4, job_));
    }

    void testNothingIsFoundByReadingAll() {
        for (const char* const query :
             {"SELECT id FROM events WHERE job_id = ? ORDER BY id LIMIT 500",
              "SELECT id FROM events WHERE id <= ? AND created_at < 1 ORDER BY id LIMIT 500",
              "SELECT MIN(job_id) FROM events WHERE job_id > ?"}) {
            const Rows plan =
                host_.store().query("EXPLAIN QUERY PLAN " + std::string(query), {std::int64_t{1}});
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, plan.size());
            CPPUNIT_ASSERT_MESSAGE(plan.at(0).text(3), plan.at(0).text(3).starts_with("SEARCH events"));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(EventLogTest);

}  // namespace
}  // namespace sallyport::plugins
