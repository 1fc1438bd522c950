#include "plugins/jobs/job_request.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins {
namespace {

class JobRequestTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobRequestTest);
    CPPUNIT_TEST(testCutAt);
    CPPUNIT_TEST(testRestartSaysWhatHappened);
    CPPUNIT_TEST(testRestartKeepsTheRest);
    CPPUNIT_TEST(testRestartsDoNotPileUp);
    CPPUNIT_TEST(testMarkInTheFirstTaskStays);
    CPPUNIT_TEST_SUITE_END();

    static Job failedJob() {
        Job job;
        job.id = JobId::random();
        job.user = "alice";
        job.title = "Job " + job.id.str();
        job.task = "build it";
        job.state = JobState::failed;
        job.result = JobResult{false, "no compiler", 3};
        return job;
    }

    void testCutAt() {
        CPPUNIT_ASSERT_EQUAL(std::string("abc"), cutAt("abc", 3));
        CPPUNIT_ASSERT_EQUAL(std::string("ab"), cutAt("abc", 2));
        CPPUNIT_ASSERT_EQUAL(std::string("a\xC3\xA9"), cutAt("a\xC3\xA9\xE2\x82\xAC", 5));
        CPPUNIT_ASSERT_EQUAL(std::string("a\xC3\xA9"), cutAt("a\xC3\xA9\xE2\x82\xAC", 3));
        CPPUNIT_ASSERT_EQUAL(std::string("a"), cutAt("a\xC3\xA9", 2));
        CPPUNIT_ASSERT_EQUAL(std::string(), cutAt("\x80\x80\x80", 2));
    }

    void testRestartSaysWhatHappened() {
        Job job = failedJob();
        CPPUNIT_ASSERT_EQUAL(
            std::string("build it\n\n[Restart] An earlier run of this job failed: no compiler"),
            restartOf(job).task);
        job.result->message.reset();
        CPPUNIT_ASSERT_EQUAL(
            std::string("build it\n\n[Restart] An earlier run of this job failed and did not say why."),
            restartOf(job).task);
        job.result.reset();
        job.state = JobState::interrupted;
        CPPUNIT_ASSERT_EQUAL(std::string("build it\n\n[Restart] An earlier run of this job was interrupted."),
                             restartOf(job).task);
        job.state = JobState::cancelled;
        job.result = JobResult{false, "cancelled by alice", 0};
        CPPUNIT_ASSERT_EQUAL(
            std::string("build it\n\n[Restart] An earlier run of this job was cancelled: cancelled by alice"),
            restartOf(job).task);
        job.result->message = std::string(100'000, 'x');
        CPPUNIT_ASSERT(restartOf(job).task.size() < 3000);
    }

    void testRestartKeepsTheRest() {
        Job job = failedJob();
        job.mode = JobMode::claudeCode;
        job.projectDir = "/srv/project";
        const NewJob unnamed = restartOf(job);
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), unnamed.user);
        CPPUNIT_ASSERT(unnamed.mode == JobMode::claudeCode);
        CPPUNIT_ASSERT_EQUAL(std::string("/srv/project"), unnamed.projectDir.value());
        CPPUNIT_ASSERT(unnamed.restartOf == job.id);
        // A title that only names the old job is not passed on.
        CPPUNIT_ASSERT(!unnamed.title);
        job.title = "Build";
        CPPUNIT_ASSERT_EQUAL(std::string("Build"), restartOf(job).title.value());
    }

    void testRestartsDoNotPileUp() {
        Job second = failedJob();
        second.task = restartOf(failedJob()).task;
        second.restartOf = JobId::random();
        second.result->message = "no linker";
        CPPUNIT_ASSERT_EQUAL(
            std::string("build it\n\n[Restart] An earlier run of this job failed: no linker"),
            restartOf(second).task);
    }

    void testMarkInTheFirstTaskStays() {
        Job job = failedJob();
        job.task = "explain\n\n[Restart] to me";
        const std::string task = restartOf(job).task;
        CPPUNIT_ASSERT(task.starts_with("explain\n\n[Restart] to me\n\n[Restart] An earlier"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobRequestTest);

}  // namespace
}  // namespace sallyport::plugins
