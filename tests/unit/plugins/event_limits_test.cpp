// What a job may report: how fast, and how much in all.
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/job_terms.h>
#include <sallyport/testing/fake_host.h>

#include "plugins/events/events_plugin.h"

namespace sallyport::plugins {
namespace {

using testing::Answer;
using testing::FakeHost;

class EventLimitsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EventLimitsTest);
    CPPUNIT_TEST(testSlowedThenRefused);
    CPPUNIT_TEST(testStoredEvents);
    CPPUNIT_TEST(testStoredBytes);
    CPPUNIT_TEST(testStoredEventsAreCountedAfterARestart);
    CPPUNIT_TEST(testManyStoredEventsAreCountedAfterARestart);
    CPPUNIT_TEST(testWhatFailsIsNotCounted);
    CPPUNIT_TEST(testRaisedLimit);
    CPPUNIT_TEST(testDeletedEventsMakeRoom);
    CPPUNIT_TEST(testNotesGoWithTheJob);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::int64_t small = eventOverhead + 2;  ///< what an event of `{}` takes

    FakeHost host_{"events", eventsSettings, {{"events.keep", "1h"}}};
    EventLog log_{host_.store()};  ///< of the same rows as the plugin's

public:
    void setUp() override { start(); }

private:
    void start() { host_.start(std::make_unique<EventsPlugin>()); }

    CreatedJob create(const JobLimits& limits) {
        return host_.createJob({.user = "alice", .task = "t", .terms = {std::nullopt, limits}});
    }
    Answer post(const CreatedJob& job, const std::string& data = "{}") {
        return host_.worker(job, "POST", "/event", R"({"event_type":"x","data":)" + data + "}");
    }
    int statusOf(const CreatedJob& job, const std::string& data = "{}") { return post(job, data).status(); }

    /// Turn after turn until nothing is left to delete.
    template <class Delete>
    void sweep(Delete deleteSome) {
        for (bool done = false; !done;) {
            Sweep turn(host_.store());
            done = deleteSome(turn);
        }
    }

    static std::string textOf(std::size_t bytes) { return "\"" + std::string(bytes - 2, 'x') + "\""; }

    void testSlowedThenRefused() {
        const CreatedJob job = create({.eventBytesPerSecond = 1000});
        // Half a minute's worth at once, and one that exceeds it.
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job, textOf(29'000)));
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job, textOf(9'000)));
        const Answer slowed = post(job, textOf(9'000));
        CPPUNIT_ASSERT(slowed.parked());
        const Answer refused = post(job);
        CPPUNIT_ASSERT_EQUAL(429, refused.status());
        CPPUNIT_ASSERT_EQUAL(std::string("rate_limited"), refused.code());
        CPPUNIT_ASSERT(refused.message().find("1000 bytes") != std::string::npos);
        CPPUNIT_ASSERT(refused.message().find("jobs.limit.event_bytes_per_second") != std::string::npos);
        CPPUNIT_ASSERT(refused.header("Retry-After").has_value());
        // Another job has its own.
        CPPUNIT_ASSERT_EQUAL(200, statusOf(create({.eventBytesPerSecond = 1000})));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.metric("refused_total", {"rate"}));
    }

    void testStoredEvents() {
        const CreatedJob job = create({.events = 2});
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        const Answer refused = post(job);
        CPPUNIT_ASSERT_EQUAL(429, refused.status());
        CPPUNIT_ASSERT_EQUAL(std::string("limit_reached"), refused.code());
        CPPUNIT_ASSERT(refused.message().find("2 (jobs.limit.events)") != std::string::npos);
        CPPUNIT_ASSERT(refused.header("Retry-After").has_value());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, host_.number("SELECT COUNT(*) FROM events"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, host_.metric("stored_total"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.metric("refused_total", {"stored"}));
        CPPUNIT_ASSERT_EQUAL(200, statusOf(create({.events = 2})));
    }

    void testStoredBytes() {
        const CreatedJob job = create({.eventBytes = 3 * small + 100});
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job, textOf(2 * small + 103)));
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job, textOf(102)));
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
    }

    void testStoredEventsAreCountedAfterARestart() {
        const CreatedJob job = create({.events = 3});
        statusOf(job);
        statusOf(job);
        start();
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
        start();
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, host_.number("SELECT COUNT(*) FROM events"));
    }

    void testManyStoredEventsAreCountedAfterARestart() {
        const CreatedJob job = create({.events = 600, .eventBytes = 600 * small});
        for (int i = 0; i < 599; ++i) {
            CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        }
        // Noted are the first 512 of them.
        CPPUNIT_ASSERT_EQUAL(std::int64_t{512}, host_.number("SELECT events FROM events_stored"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1024}, host_.number("SELECT bytes FROM events_stored"));
        start();
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
    }

    void testWhatFailsIsNotCounted() {
        const CreatedJob job = create({.events = 1});
        host_.store().failWrites(true);
        CPPUNIT_ASSERT_EQUAL(503, statusOf(job));
        host_.store().failWrites(false);
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
    }

    void testRaisedLimit() {
        const CreatedJob job = create({.events = 1});
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
        CPPUNIT_ASSERT(host_.find<JobTermsService>()->setLimits(job.job->id, {.events = 2}));
        CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
    }

    void testDeletedEventsMakeRoom() {
        const CreatedJob job = create({.events = 300});
        for (int i = 0; i < 300; ++i) {
            CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        }
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
        host_.store().write([](Transaction& transaction) {
            transaction.execute("UPDATE events SET created_at = 0 WHERE id <= 100");
        });
        sweep([&](Sweep& turn) { return log_.removeBefore(now() - std::chrono::hours(1), turn); });
        CPPUNIT_ASSERT_EQUAL(std::int64_t{156}, host_.number("SELECT events FROM events_stored"));
        start();
        for (int i = 0; i < 100; ++i) {
            CPPUNIT_ASSERT_EQUAL(200, statusOf(job));
        }
        CPPUNIT_ASSERT_EQUAL(429, statusOf(job));
    }

    void testNotesGoWithTheJob() {
        const CreatedJob job = create({});
        for (int i = 0; i < 300; ++i) {
            statusOf(job);
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.number("SELECT COUNT(*) FROM events_stored"));
        sweep([&](Sweep& turn) { return log_.removeJob(job.job->id, turn); });
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT COUNT(*) FROM events_stored"));
        CPPUNIT_ASSERT(!log_.jobAfter(std::nullopt));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(EventLimitsTest);

}  // namespace
}  // namespace sallyport::plugins
