// A disk that takes nothing keeps nobody in: what is ended and revoked is so at once, and stays so.
#include <filesystem>
#include <string>

#include <sys/resource.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class FullDiskTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FullDiskTest);
    CPPUNIT_TEST(testACancellationHoldsAtOnceAndAfterAKill);
    CPPUNIT_TEST(testACancellationThatNothingCanBeNotedOfSaysSo);
    CPPUNIT_TEST(testACompletionIsKept);
    CPPUNIT_TEST(testACompletionThatWouldBeLostIsRefused);
    CPPUNIT_TEST(testACompletionFitsNoMoreIntoTheDatabase);
    CPPUNIT_TEST(testAnOperatorsTokenIsRevokedAtOnceAndAfterAKill);
    CPPUNIT_TEST(testARevocationIsWrittenBeforeAnOrderlyEnd);
    CPPUNIT_TEST(testADeletedDatabaseIsNoticed);
    CPPUNIT_TEST(testPluginsAreReloadedAllTheSame);
    CPPUNIT_TEST(testLinesAboutItNameTheJobAndAreCountedByIt);
    CPPUNIT_TEST_SUITE_END();

public:
    void testACancellationHoldsAtOnceAndAfterAKill() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        Client worker = fill(daemon, job);
        Client operators = operatorClient(daemon);
        const Response answer = operators.post("/jobs/" + job.id + "/cancel", "{}");
        CPPUNIT_ASSERT_EQUAL(R"({"status":"cancelled","job_id":")" + job.id + R"("})", answer.body);
        ASSERT_UNAUTHORIZED(worker.get("/job"));
        ASSERT_UNAUTHORIZED(workerClient(daemon, job).post("/event", event(1)));
        ASSERT_FIELD("cancelled", operators.get("/jobs/" + job.id), "state");
        ASSERT_STATUS(200, operators.post("/jobs/" + job.id + "/cancel", "{}"));
        ASSERT_REFUSED(409, operators.post("/jobs/" + job.id + "/prompt", R"({"content":"x"})"));
        const Response status = operators.get("/status");
        ASSERT_FIELD("false", status, "store.healthy");
        ASSERT_FIELD("1", status, "store.unwritten");
        ASSERT_FIELD("1", status, "jobs.cancelled");
        ASSERT_FIELD("0", status, "jobs.running");
        daemon.kill();
        daemon.start();
        ASSERT_UNAUTHORIZED(workerClient(daemon, job).get("/job"));
        Client again = operatorClient(daemon);
        ASSERT_FIELD("cancelled", again.get("/jobs/" + job.id), "state");
        awaitField(again, "/status", "store.unwritten", "0");
        ASSERT_FIELD("cancelled", again.get("/jobs?state=cancelled"), "jobs.0.state");
        ASSERT_UNAUTHORIZED(workerClient(daemon, job).get("/job"));
    }

    void testACancellationThatNothingCanBeNotedOfSaysSo() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.post("/event", event(1)));
        limitFiles(daemon, 0);
        Client operators = operatorClient(daemon);
        ASSERT_FIELD("false", operators.post("/jobs/" + job.id + "/cancel", "{}"), "durable");
        ASSERT_FIELD("false", operators.post("/jobs/" + job.id + "/cancel", "{}"), "durable");
        ASSERT_UNAUTHORIZED(worker.get("/job"));
        limitFiles(daemon, RLIM_INFINITY);
        awaitField(operators, "/status", "store.unwritten", "0");
        ASSERT_FIELD("true", operators.get("/status"), "store.healthy");
        ASSERT_LACKS("durable", operators.post("/jobs/" + job.id + "/cancel", "{}").body);
        daemon.kill();
        daemon.start();
        ASSERT_UNAUTHORIZED(workerClient(daemon, job).get("/job"));
    }

    void testACompletionIsKept() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        Client worker = fill(daemon, job);
        const Response answer = worker.post("/complete", completion);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"status":"ok"})"), answer.body);
        ASSERT_UNAUTHORIZED(worker.get("/job"));
        daemon.kill();
        daemon.start();
        Client operators = operatorClient(daemon);
        awaitField(operators, "/status", "store.unwritten", "0");
        const Response detail = operators.get("/jobs/" + job.id);
        ASSERT_FIELD("completed", detail, "state");
        ASSERT_FIELD("all done", detail, "result.message");
        ASSERT_FIELD("3", detail, "result.iterations");
        ASSERT_UNAUTHORIZED(workerClient(daemon, job).get("/job"));
    }

    void testACompletionThatWouldBeLostIsRefused() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.post("/event", event(1)));
        limitFiles(daemon, 0);
        ASSERT_ERROR(503, "storage_unavailable", worker.post("/complete", completion));
        limitFiles(daemon, RLIM_INFINITY);
        ASSERT_STATUS(200, worker.post("/complete", completion));
        ASSERT_UNAUTHORIZED(worker.get("/job"));
    }

    void testACompletionFitsNoMoreIntoTheDatabase() {
        Daemon daemon({.settings = {{"store.max_size", "512KiB"}}});
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        while (worker.post("/event", event(20)).status == 200) {
        }
        const std::string message(100'000, 'm');
        ASSERT_STATUS(
            200, worker.post("/complete", R"({"success":true,"iterations":1,"message":")" + message + "\"}"));
        ASSERT_UNAUTHORIZED(worker.get("/job"));
        Client operators = operatorClient(daemon);
        ASSERT_FIELD("completed", operators.get("/jobs/" + job.id), "state");
        ASSERT_FIELD(message, operators.get("/jobs/" + job.id), "result.message");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        daemon.options().settings["store.max_size"] = "8MiB";
        daemon.start();
        Client again = operatorClient(daemon);
        awaitField(again, "/status", "store.unwritten", "0");
        ASSERT_FIELD("completed", again.get("/jobs?state=completed"), "jobs.0.state");
        ASSERT_UNAUTHORIZED(workerClient(daemon, job).get("/job"));
    }

    void testAnOperatorsTokenIsRevokedAtOnceAndAfterAKill() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        const std::string token = createToken(daemon, "eve", "user");
        Client operators = operatorClient(daemon);
        const std::string id = operators.get("/tokens").at("tokens.1.token_id");
        Client eve = operatorClient(daemon, token);
        ASSERT_STATUS(200, eve.get("/jobs"));
        static_cast<void>(fill(daemon, job));
        const Response answer = operators.remove("/tokens/" + id);
        ASSERT_STATUS(200, answer);
        ASSERT_LACKS("durable", answer.body);
        ASSERT_UNAUTHORIZED(eve.get("/jobs"));
        daemon.kill();
        daemon.start();
        ASSERT_UNAUTHORIZED(operatorClient(daemon, token).get("/jobs"));
        Client again = operatorClient(daemon);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, again.get("/tokens").size("tokens"));
        awaitField(again, "/status", "store.unwritten", "0");
    }

    void testARevocationIsWrittenBeforeAnOrderlyEnd() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        limitFiles(daemon, 0);
        ASSERT_FIELD("false", operatorClient(daemon).post("/jobs/" + job.id + "/cancel", "{}"), "durable");
        limitFiles(daemon, RLIM_INFINITY);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        std::filesystem::remove(daemon.dataDirectory() / "sallyport.intents");
        daemon.start();
        ASSERT_UNAUTHORIZED(workerClient(daemon, job).get("/job"));
        ASSERT_FIELD("cancelled", operatorClient(daemon).get("/jobs/" + job.id), "state");
    }

    /// What is written to a file that nobody will find again must not be acknowledged.
    void testADeletedDatabaseIsNoticed() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        Client operators = operatorClient(daemon);
        ASSERT_STATUS(200, worker.post("/event", event(1)));
        const auto file = daemon.dataDirectory() / "sallyport.db";
        const auto aside = daemon.dataDirectory() / "aside.db";
        std::filesystem::rename(file, aside);
        ASSERT_ERROR(503, "storage_unavailable", worker.post("/event", event(1)));
        const Response status = operators.get("/status");
        ASSERT_FIELD("false", status, "store.healthy");
        ASSERT_CONTAINS("was deleted while the daemon runs", status.at("store.trouble"));
        ASSERT_CONTAINS("was deleted while the daemon runs", daemon.log());
        CPPUNIT_ASSERT(!std::filesystem::exists(file));
        // Another in its place is as bad.
        std::filesystem::copy_file(aside, file);
        ASSERT_ERROR(503, "storage_unavailable", worker.post("/event", event(1)));
        // Back where it was, all goes on.
        std::filesystem::rename(aside, file);
        ASSERT_STATUS(200, worker.post("/event", event(1)));
        ASSERT_FIELD("true", operators.get("/status"), "store.healthy");
    }

    /// Its keys have changed, so that it starts anew.
    void testPluginsAreReloadedAllTheSame() {
        Daemon daemon;
        Client operators = operatorClient(daemon);
        ASSERT_STATUS(201, operators.send("PUT", "/secrets/s", R"({"value":"v"})"));
        const CreatedJob job = createJob(operators);
        static_cast<void>(fill(daemon, job));
        writeFile(daemon.directory() / "sallyport.properties", "credentials.rate = 7\n");
        const Response reloaded = operators.post("/plugins/reload", "");
        ASSERT_STATUS(200, reloaded);
        ASSERT_FIELD("credentials", reloaded, "reloaded.0");
        ASSERT_STATUS(200, operators.get("/secrets/s"));
        limitFiles(daemon, RLIM_INFINITY);
    }

    void testLinesAboutItNameTheJobAndAreCountedByIt() {
        Daemon daemon({.settings = {{"credentials.rate", "1000000"}}});
        Client operators = operatorClient(daemon);
        ASSERT_STATUS(201, operators.send("PUT", "/secrets/s", R"({"value":"v"})"));
        const std::string granted = R"({"task":"t","credentials":[{"secret_name":"s","env_var":"S"}]})";
        const CreatedJob job = createJob(operators, granted);
        const CreatedJob other = createJob(operators, granted);
        // That it has begun is written before anything of it is answered.
        ASSERT_STATUS(200, workerClient(daemon, other).get("/job"));
        Client worker = fill(daemon, job);
        ASSERT_ERROR(503, "storage_unavailable", workerClient(daemon, other).get("/credentials"));
        daemon.awaitLog("the store failed plugin=credentials job=" + other.id + " request=");
        // Of more than ten in a second only the number is told, and of which job.
        const std::string counted = "the store failed, and more like it more=";
        const Deadline deadline;
        while (daemon.log().find(counted) == std::string::npos) {
            CPPUNIT_ASSERT_MESSAGE(daemon.log(), deadline.pollTimeout() > 0);
            ASSERT_ERROR(503, "storage_unavailable", worker.get("/credentials"));
        }
        const std::string log = daemon.log();
        const std::size_t line = log.find(counted);
        ASSERT_CONTAINS("plugin=credentials job=" + job.id, log.substr(line, log.find('\n', line) - line));
        limitFiles(daemon, RLIM_INFINITY);
    }

private:
    static constexpr const char* completion = R"({"success":true,"message":"all done","iterations":3})";

    /// Lets none of the daemon's files grow beyond that size.
    static void limitFiles(const Daemon& daemon, rlim_t bytes) {
        rlimit limit{};
        CPPUNIT_ASSERT_EQUAL(0, ::prlimit(daemon.pid(), RLIMIT_FSIZE, nullptr, &limit));
        limit.rlim_cur = bytes;
        CPPUNIT_ASSERT_EQUAL(0, ::prlimit(daemon.pid(), RLIMIT_FSIZE, &limit, nullptr));
    }

    static std::string event(std::size_t kilobytes) {
        return R"({"event_type":"n","data":{"message":")" + std::string(kilobytes * 1000, 'e') + "\"}}";
    }

    /// Has the database take nothing more, as on a full disk: what was reserved beforehand can be used.
    /// @return the job's worker, which has found that out.
    static Client fill(const Daemon& daemon, const CreatedJob& job) {
        Client worker = workerClient(daemon, job);
        const auto log = daemon.dataDirectory() / "sallyport.db-wal";
        const auto reserved = std::filesystem::file_size(daemon.dataDirectory() / "sallyport.intents");
        while (std::filesystem::file_size(log) <= reserved) {
            ASSERT_STATUS(200, worker.post("/event", event(60)));
        }
        limitFiles(daemon, std::filesystem::file_size(log));
        ASSERT_ERROR(503, "storage_unavailable", worker.post("/event", event(60)));
        return worker;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FullDiskTest);

}  // namespace sallyport::tests
