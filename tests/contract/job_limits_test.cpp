// What one job may use up, how long it may run, and what it may write to the log.
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

namespace {

constexpr const char* event = R"({"event_type":"x","data":{}})";

}  // namespace

class JobLimitsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobLimitsTest);
    CPPUNIT_TEST(testOverItsRateAJobIsSlowed);
    CPPUNIT_TEST(testFarOverItsRateAJobIsRefused);
    CPPUNIT_TEST(testWhatAWorkerCannotDoWithoutIsNeverRefused);
    CPPUNIT_TEST(testOtherJobsAreNotSlowed);
    CPPUNIT_TEST(testEventsAreRefusedBeyondWhatMayBeStored);
    CPPUNIT_TEST(testHeldRequestsEndWithTheirJob);
    CPPUNIT_TEST(testLimitsOutliveARestart);
    CPPUNIT_TEST(testATimeoutInterruptsTheJob);
    CPPUNIT_TEST(testATimeoutGoesOnWhileTheDaemonIsDown);
    CPPUNIT_TEST(testAnOperatorFinishesAJob);
    CPPUNIT_TEST(testFloodsOfLinesAreCounted);
    CPPUNIT_TEST_SUITE_END();

public:
    /// Half a minute's worth is 30 requests.
    static Daemon& refusing() {
        return sharedDaemon({{"jobs.limit.requests_per_second", "1"}, {"jobs.limit.hold", "0"}});
    }

    void testOverItsRateAJobIsSlowed() {
        Daemon& daemon = sharedDaemon({{"jobs.limit.requests_per_second", "10"}});
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        for (int i = 0; i < 305; ++i) {
            ASSERT_STATUS(200, worker.post("/event", event));
        }
    }

    void testFarOverItsRateAJobIsRefused() {
        const CreatedJob job = createJob(refusing());
        Client worker = workerClient(refusing(), job);
        const Response refused = firstRefusal(worker);
        ASSERT_ERROR(429, "rate_limited", refused);
        ASSERT_CONTAINS("1 requests in a second (jobs.limit.requests_per_second)",
                        refused.at("error.message"));
        CPPUNIT_ASSERT(std::stoi(refused.header("Retry-After")) >= 1);
        // Also before its body is read, and the connection goes on.
        ASSERT_STATUS(200, worker.get("/job"));
    }

    void testWhatAWorkerCannotDoWithoutIsNeverRefused() {
        const CreatedJob job = createJob(refusing());
        Client worker = workerClient(refusing(), job);
        static_cast<void>(firstRefusal(worker));
        for (int i = 0; i < 40; ++i) {
            ASSERT_STATUS(200, worker.get("/job"));
            ASSERT_STATUS(204, worker.get("/prompt"));
            ASSERT_STATUS(200, worker.post("/status", R"({"state":"x","iteration":1})"));
        }
        ASSERT_STATUS(204, worker.get("/credentials"));
        ASSERT_STATUS(200, worker.post("/complete", R"({"success":true,"iterations":1})"));
    }

    void testOtherJobsAreNotSlowed() {
        const CreatedJob busy = createJob(refusing());
        Client worker = workerClient(refusing(), busy);
        static_cast<void>(firstRefusal(worker));
        ASSERT_STATUS(200, workerClient(refusing(), createJob(refusing())).post("/event", event));
    }

    void testEventsAreRefusedBeyondWhatMayBeStored() {
        Daemon& daemon = sharedDaemon();
        Client admin = operatorClient(daemon);
        const CreatedJob job = createJob(admin, R"({"task":"t","limits":{"events":2}})");
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.post("/event", event));
        ASSERT_STATUS(200, worker.post("/event", event));
        const Response refused = worker.post("/event", event);
        ASSERT_ERROR(429, "limit_reached", refused);
        CPPUNIT_ASSERT(!refused.header("Retry-After").empty());
        ASSERT_FIELD("2", admin.get("/jobs/" + job.id), "limits.events");
        ASSERT_STATUS(200, admin.send("PATCH", "/jobs/" + job.id + "/limits", R"({"events":3})"));
        ASSERT_STATUS(200, worker.post("/event", event));
        ASSERT_ERROR(429, "limit_reached", worker.post("/event", event));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, admin.get("/jobs/" + job.id + "/events").size("events"));
    }

    void testHeldRequestsEndWithTheirJob() {
        Daemon& daemon = sharedDaemon({{"jobs.limit.hold", "1m"}});
        Client admin = operatorClient(daemon);
        const CreatedJob job = createJob(admin, R"({"task":"t","limits":{"event_bytes_per_second":10}})");
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.post("/event", event));
        ASSERT_STATUS(200, worker.post("/event", event));
        // This one would have to wait for more than 20 seconds.
        Connection& held = worker.connection();
        held.send(worker.request("POST", "/event").json(event).bytes());
        ASSERT_STATUS(200, admin.post("/jobs/" + job.id + "/cancel", ""));
        ASSERT_UNAUTHORIZED(held.receive());
    }

    void testLimitsOutliveARestart() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon, R"({"task":"t","limits":{"events":2}})");
        {
            Client worker = workerClient(daemon, job);
            ASSERT_STATUS(200, worker.post("/event", event));
            ASSERT_STATUS(200, worker.post("/event", event));
        }
        daemon.kill();
        daemon.start();
        ASSERT_ERROR(429, "limit_reached", workerClient(daemon, job).post("/event", event));
    }

    void testATimeoutInterruptsTheJob() {
        Daemon& daemon = sharedDaemon();
        Client admin = operatorClient(daemon);
        const CreatedJob running = createJob(admin, R"({"task":"t","timeout":"2s"})");
        const CreatedJob pending = createJob(admin, R"({"task":"t","timeout":1})");
        Client worker = workerClient(daemon, running);
        static_cast<void>(worker.get("/job"));
        awaitField(admin, "/jobs/" + pending.id, "state", "interrupted");
        awaitField(admin, "/jobs/" + running.id, "state", "interrupted");
        ASSERT_FIELD("its timeout of 2 s is over", admin.get("/jobs/" + running.id), "result.message");
        ASSERT_UNAUTHORIZED(worker.get("/job"));
        ASSERT_STATUS(201, admin.post("/jobs/" + running.id + "/restart", ""));
    }

    void testATimeoutGoesOnWhileTheDaemonIsDown() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon, R"({"task":"t","timeout":"1s"})");
        daemon.kill();
        daemon.start();
        Client admin = operatorClient(daemon);
        awaitField(admin, "/jobs/" + job.id, "state", "interrupted");
    }

    void testAnOperatorFinishesAJob() {
        Daemon& daemon = sharedDaemon();
        Client admin = operatorClient(daemon);
        const CreatedJob job = createJob(admin);
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.get("/job"));
        const std::string path = "/jobs/" + job.id + "/finish";
        ASSERT_FIELD("failed", admin.post(path, R"({"success":false,"message":"no power"})"), "status");
        ASSERT_UNAUTHORIZED(worker.get("/job"));
        ASSERT_ERROR(409, "job_over", admin.post(path, R"({"success":true})"));
        ASSERT_FIELD("failed", admin.get("/jobs/" + job.id), "state");
        const Response restarted = admin.post("/jobs/" + job.id + "/restart", "");
        ASSERT_CONTAINS("failed: no power", admin.get("/jobs/" + restarted.at("new_job_id")).at("task"));
    }

    void testFloodsOfLinesAreCounted() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        Client stranger = workerClient(daemon, {job.id, std::string(64, '0')});
        for (int i = 0; i < 200; ++i) {
            ASSERT_UNAUTHORIZED(stranger.get("/job"));
        }
        daemon.awaitLog("a request was not authenticated, and more like it more=");
        std::size_t lines = 0;
        const std::string log = daemon.log();
        for (std::size_t at = 0; (at = log.find("a request was not authenticated", at)) != std::string::npos;
             ++at) {
            ++lines;
        }
        CPPUNIT_ASSERT_MESSAGE(log, lines < 100);
    }

private:
    /// Posts events until one is refused.
    static Response firstRefusal(Client& worker) {
        for (int i = 0; i < 1000; ++i) {
            Response response = worker.post("/event", event);
            if (response.status != 200) {
                return response;
            }
        }
        CPPUNIT_FAIL("no request was refused");
        return {};
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobLimitsTest);

}  // namespace sallyport::tests
