// The tests of the API that Sallyport stands in for, under their own names. What they looked up inside the
// process is looked up through the operator door.
#include <string>

#include <Poco/UUIDGenerator.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/shared_daemon_test.h"
#include "tests/support/sse_client.h"

namespace sallyport::tests {

class SeedTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(SeedTest);
    CPPUNIT_TEST(testHealth_requires_no_auth);
    CPPUNIT_TEST(testWorker_route_rejects_missing_token);
    CPPUNIT_TEST(testWorker_route_rejects_wrong_token);
    CPPUNIT_TEST(testWorker_route_accepts_valid_token);
    CPPUNIT_TEST(testToken_for_job_a_rejected_on_job_b);
    CPPUNIT_TEST(testPrompt_returns_204_when_queue_empty);
    CPPUNIT_TEST(testPrompt_returns_queued_prompt);
    CPPUNIT_TEST(testCredentials_returns_204_when_no_grants);
    CPPUNIT_TEST(testCredentials_returns_503_when_no_secrets_store);
    CPPUNIT_TEST(testCredentials_returns_secrets_when_store_configured);
    CPPUNIT_TEST(testJob_event_broadcasts_message);
    CPPUNIT_TEST(testJob_event_handles_tool_use);
    CPPUNIT_TEST(testJob_event_handles_unknown_type);
    CPPUNIT_TEST(testReport_status_updates_handle);
    CPPUNIT_TEST_SUITE_END();

public:
    void testHealth_requires_no_auth() {
        const Response response = exchange(daemon().worker(), Request("GET", "/health"));
        ASSERT_STATUS(200, response);
    }

    void testWorker_route_rejects_missing_token() {
        ASSERT_UNAUTHORIZED(exchange(daemon().worker(), Request("GET", "/worker/" + anyId() + "/job")));
    }

    void testWorker_route_rejects_wrong_token() {
        Request request("GET", "/worker/" + anyId() + "/job");
        ASSERT_UNAUTHORIZED(exchange(daemon().worker(), request.bearer("totally-bogus")));
    }

    /// There it was a 404, because that test made a token without a job.
    void testWorker_route_accepts_valid_token() {
        ASSERT_STATUS(200, workerClient(daemon(), createJob(daemon())).get("/job"));
    }

    void testToken_for_job_a_rejected_on_job_b() {
        const CreatedJob a = createJob(daemon());
        const CreatedJob b = createJob(daemon());
        ASSERT_UNAUTHORIZED(workerClient(daemon(), {b.id, a.token}).get("/job"));
    }

    void testPrompt_returns_204_when_queue_empty() {
        ASSERT_STATUS(204, workerClient(daemon(), createJob(daemon())).get("/prompt"));
    }

    void testPrompt_returns_queued_prompt() {
        const CreatedJob job = createJob(daemon());
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/prompt",
                                        R"({"content":"What is the status?","done":false})"));
        const Response response = workerClient(daemon(), job).get("/prompt");
        ASSERT_STATUS(200, response);
        ASSERT_FIELD("What is the status?", response, "content");
        ASSERT_FIELD("false", response, "done");
    }

    void testCredentials_returns_204_when_no_grants() {
        ASSERT_STATUS(204, workerClient(daemon(), createJob(daemon())).get("/credentials"));
    }

    /// Here a store that lacks its key: what it holds is of no use.
    void testCredentials_returns_503_when_no_secrets_store() {
        Daemon own;
        const CreatedJob job = createJobWithSecret(own);
        own.terminate();
        writeFile(own.dataDirectory() / "credentials.key", std::string(64, '0'));
        own.start();
        ASSERT_STATUS(503, workerClient(own, job).get("/credentials"));
    }

    void testCredentials_returns_secrets_when_store_configured() {
        const Response response = workerClient(daemon(), createJobWithSecret(daemon())).get("/credentials");
        ASSERT_STATUS(200, response);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, response.size(""));
        ASSERT_FIELD("MY_SECRET", response, "0.env_var");
        ASSERT_FIELD("supersecretvalue", response, "0.value");
    }

    void testJob_event_broadcasts_message() {
        const CreatedJob job = createJob(daemon());
        const StreamedEvent event = broadcastOf(
            job, R"({"event_type":"message","data":{"role":"assistant","content":"Hello from worker"}})");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::string("job_message"), event.type);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), job.id, event.at("job_id"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::string("assistant"), event.at("role"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::string("Hello from worker"), event.at("content"));
    }

    void testJob_event_handles_tool_use() {
        const StreamedEvent event =
            broadcastOf(createJob(daemon()),
                        R"({"event_type":"tool_use","data":{"tool_name":"shell","input":{"command":"ls"}}})");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::string("job_tool_use"), event.type);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::string("shell"), event.at("tool_name"));
    }

    void testJob_event_handles_unknown_type() {
        const StreamedEvent event = broadcastOf(
            createJob(daemon()), R"({"event_type":"custom_thing","data":{"message":"something custom"}})");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::string("job_status"), event.type);
    }

    void testReport_status_updates_handle() {
        const CreatedJob job = createJob(daemon());
        ASSERT_STATUS(
            200, workerClient(daemon(), job)
                     .post("/status", R"({"state":"in_progress","message":"Iteration 5","iteration":5})"));
        const Response response = admin().get("/jobs/" + job.id);
        ASSERT_FIELD("5", response, "iteration");
        ASSERT_FIELD("Iteration 5", response, "status_message");
    }

private:
    static std::string anyId() { return Poco::UUIDGenerator::defaultGenerator().createRandom().toString(); }

    static CreatedJob createJobWithSecret(const Daemon& daemon) {
        Client operators = operatorClient(daemon);
        const Response stored = operators.put("/secrets/test_secret", R"({"value":"supersecretvalue"})");
        CPPUNIT_ASSERT_MESSAGE(stored.describe(), stored.status == 200 || stored.status == 201);
        return createJob(
            operators, R"({"task":"t","credentials":[{"secret_name":"test_secret","env_var":"MY_SECRET"}]})");
    }

    /// Posts an event and @return what a subscriber sees of it.
    StreamedEvent broadcastOf(const CreatedJob& job, const std::string& event) {
        SseClient subscriber(daemon().operators(), daemon().operatorToken(),
                             {.target = "/api/events?job_id=" + job.id});
        ASSERT_STATUS(200, subscriber.head());
        ASSERT_STATUS(200, workerClient(daemon(), job).post("/event", event));
        return subscriber.nextNumbered();
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SeedTest);

}  // namespace sallyport::tests
