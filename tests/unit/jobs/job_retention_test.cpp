#include "host/jobs/job_retention.h"

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/bus/message_bus.h"
#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::jobs {

using namespace std::chrono_literals;

class JobRetentionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobRetentionTest);
    CPPUNIT_TEST(testOnlyJobsThatAreLongOverGo);
    CPPUNIT_TEST(testEveryKindOfEndCounts);
    CPPUNIT_TEST(testDeletedJobsAreToldOnceTheyAreGone);
    CPPUNIT_TEST(testWhatATurnLeavesIsForTheNext);
    CPPUNIT_TEST(testNothingGoesWithoutAKeep);
    CPPUNIT_TEST(testNothingGoesRightAfterTheStart);
    CPPUNIT_TEST(testAnotherKeepCountsFromTheNextTurn);
    CPPUNIT_TEST(testARunIsOneLine);
    CPPUNIT_TEST(testARestartOfADeletedJobStays);
    CPPUNIT_TEST(testOldJobsAreFoundByAnIndex);
    CPPUNIT_TEST_SUITE_END();

    store::TemporaryDirectory directory_;
    testing::RecordingLog log_;
    store::Database database_{{.file = directory_.file()}, log_};
    bus::MessageBus messages_{log_};
    std::unique_ptr<Bus> bus_ = messages_.group();
    auth::WorkerTokens tokens_;
    Registry registry_{database_, tokens_, *bus_, log_};

    JobId make() { return registry_.create({.task = "a task"}).job->id; }
    JobId ended(JobState state, std::chrono::milliseconds ago) {
        const JobId id = make();
        registry_.finish(id, state, {}, [](const std::exception_ptr&, bool) {});
        database_.write([&](Transaction& transaction) {
            transaction.execute("UPDATE jobs SET finished_at = finished_at - ? WHERE job_id = ?",
                                {std::int64_t{ago.count()}, id.str()});
        });
        return id;
    }
    bool isThere(const JobId& job) { return registry_.find(job) != nullptr; }
    JobRetention retention(std::chrono::milliseconds keep) { return {registry_, database_, log_, keep, 0ms}; }

public:
    void testOnlyJobsThatAreLongOverGo() {
        const JobId pending = make();
        const JobId running = make();
        registry_.start(running, [](const std::exception_ptr&) {});
        database_.write([](Transaction& transaction) {
            transaction.execute("UPDATE jobs SET created_at = 0, started_at = 0");
        });
        const JobId young = ended(JobState::completed, 23h);
        const JobId old = ended(JobState::completed, 25h);
        JobRetention(registry_, database_, log_, 24h, 0ms).turn();
        CPPUNIT_ASSERT(isThere(pending) && isThere(running) && isThere(young));
        CPPUNIT_ASSERT(!isThere(old));
        CPPUNIT_ASSERT(!registry_.owner(old));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, registry_.list({}).jobs.size());
        CPPUNIT_ASSERT(tokens_.find(pending) != nullptr && tokens_.find(running) != nullptr);
    }

    void testEveryKindOfEndCounts() {
        for (const JobState state :
             {JobState::completed, JobState::failed, JobState::cancelled, JobState::interrupted}) {
            ended(state, 2h);
        }
        retention(1h).turn();
        CPPUNIT_ASSERT(registry_.list({}).jobs.empty());
    }

    void testDeletedJobsAreToldOnceTheyAreGone() {
        const JobId job = ended(JobState::failed, 2h);
        const JobId stays = ended(JobState::failed, 0h);
        std::vector<JobId> told;
        const auto listener = messages_.group();
        listener->subscribe<JobDeleted>([&](const JobDeleted& message) {
            CPPUNIT_ASSERT(!isThere(message.job));
            told.push_back(message.job);
        });
        retention(1h).turn();
        CPPUNIT_ASSERT(told == std::vector<JobId>{job});
        CPPUNIT_ASSERT(isThere(stays));
    }

    void testWhatATurnLeavesIsForTheNext() {
        for (int i = 0; i < 20; ++i) {
            ended(JobState::completed, 2h);
        }
        Sweep sweep(database_, {.rows = 8, .pause = 2h, .turn = 1h});
        CPPUNIT_ASSERT(!registry_.removeEndedBefore(now() - 1h, sweep));
        CPPUNIT_ASSERT_EQUAL(std::size_t{12}, registry_.list({}).jobs.size());
        Sweep next(database_, {.turn = 1h});
        CPPUNIT_ASSERT(registry_.removeEndedBefore(now() - 1h, next));
        CPPUNIT_ASSERT(registry_.list({}).jobs.empty());
    }

    void testNothingGoesWithoutAKeep() {
        const JobId job = ended(JobState::completed, 24h * 3650);
        retention(0ms).turn();
        CPPUNIT_ASSERT(isThere(job));
    }

    void testNothingGoesRightAfterTheStart() {
        const JobId job = ended(JobState::completed, 2h);
        JobRetention(registry_, database_, log_, 1h, 1h).turn();
        CPPUNIT_ASSERT(isThere(job));
    }

    void testAnotherKeepCountsFromTheNextTurn() {
        const JobId job = ended(JobState::completed, 2h);
        JobRetention changed(registry_, database_, log_, 24h, 0ms);
        changed.turn();
        CPPUNIT_ASSERT(isThere(job));
        changed.keep(1h);
        changed.turn();
        CPPUNIT_ASSERT(!isThere(job));
    }

    void testARunIsOneLine() {
        ended(JobState::completed, 2h);
        ended(JobState::completed, 2h);
        JobRetention run(registry_, database_, log_, 1h, 0ms);
        run.turn();
        run.turn();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("old jobs were deleted"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("jobs=2"));
    }

    void testARestartOfADeletedJobStays() {
        const JobId job = ended(JobState::failed, 2h);
        const JobId again = registry_.create({.task = "a task", .restartOf = job}).job->id;
        retention(1h).turn();
        CPPUNIT_ASSERT(!isThere(job));
        CPPUNIT_ASSERT(registry_.find(again)->restartOf == job);
    }

    void testOldJobsAreFoundByAnIndex() {
        const Rows plan = database_.query(
            "EXPLAIN QUERY PLAN SELECT number, job_id FROM jobs WHERE finished_at < ? ORDER BY finished_at"
            " LIMIT ?",
            {std::int64_t{1}, std::int64_t{1}});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, plan.size());
        CPPUNIT_ASSERT_EQUAL(std::string("SEARCH jobs USING INDEX jobs_by_end (finished_at<?)"),
                             plan.at(0).text(3));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobRetentionTest);

}  // namespace sallyport::host::jobs
