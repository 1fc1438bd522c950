// CONTRACT §3 `GET /prompt` and §4 `POST /api/jobs/{id}/prompt`: the queue between operator and worker.
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/deadline.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

class PromptsTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(PromptsTest);
    CPPUNIT_TEST(testEmptyQueueAnswersNoContent);
    CPPUNIT_TEST(testOldestComesFirstAndOnce);
    CPPUNIT_TEST(testContentComesAsItWentIn);
    CPPUNIT_TEST(testQueuesOfJobsAreApart);
    CPPUNIT_TEST(testManyPollersGetEachPromptOnce);
    CPPUNIT_TEST(testSurvivesARestart);
    CPPUNIT_TEST(testWaitingEndsWhenAPromptArrives);
    CPPUNIT_TEST(testWaitingEndsAtItsLimit);
    CPPUNIT_TEST(testWaitingFindsWhatIsThere);
    CPPUNIT_TEST(testOneWaiterGetsOnePrompt);
    CPPUNIT_TEST(testWaitersCostNoThreads);
    CPPUNIT_TEST(testWaiterThatWentAwayTakesNothing);
    CPPUNIT_TEST(testPromptThatWasNotDeliveredComesFirstAgain);
    CPPUNIT_TEST(testWaiterIsRefusedWhenTheJobIsCancelled);
    CPPUNIT_TEST(testWaiterIsRefusedWhenTheJobCompletes);
    CPPUNIT_TEST(testQueueIsDroppedWithTheJob);
    CPPUNIT_TEST(testWaiterIsAnsweredWhenTheDaemonStops);
    CPPUNIT_TEST(testTooLongAPromptIsRefused);
    CPPUNIT_TEST(testFullQueueIsRefused);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        SharedDaemonTest::setUp();
        job_ = createJob(admin());
    }

    void testEmptyQueueAnswersNoContent() {
        const Response response = worker().get("/prompt");
        ASSERT_STATUS(204, response);
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.body.empty());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("RFC 9110 8.6: no Content-Length with 204\n" + response.describe(),
                                     std::size_t{0}, response.count("Content-Length"));
    }

    void testOldestComesFirstAndOnce() {
        for (int i = 0; i < 10; ++i) {
            push(std::to_string(i), i == 9);
        }
        Client client = worker();
        for (int i = 0; i < 10; ++i) {
            const Response response = client.get("/prompt");
            ASSERT_STATUS(200, response);
            ASSERT_FIELD(std::to_string(i), response, "content");
            ASSERT_FIELD(i == 9 ? "true" : "false", response, "done");
        }
        ASSERT_STATUS(204, client.get("/prompt"));
    }

    void testContentComesAsItWentIn() {
        ASSERT_STATUS(200, admin().post("/jobs/" + job_.id + "/prompt",
                                        R"({"content":"\u0000\"\\\n\u2028\ud83d\ude00 ä","done":null})"));
        const Response response = worker().get("/prompt");
        ASSERT_FIELD(std::string("\0\"\\\n\u2028\U0001F600 ä", 14), response, "content");
        ASSERT_FIELD("false", response, "done");
    }

    void testQueuesOfJobsAreApart() {
        const CreatedJob other = createJob(admin());
        push("mine");
        ASSERT_STATUS(204, workerClient(daemon(), other).get("/prompt"));
        ASSERT_FIELD("mine", worker().get("/prompt"), "content");
    }

    void testManyPollersGetEachPromptOnce() {
        constexpr int prompts = 120;
        std::mutex mutex;
        std::map<std::string, int> taken;
        std::atomic<int> left = prompts;
        // Whatever goes wrong, they end.
        const Deadline deadline;
        std::vector<std::jthread> pollers;
        for (int i = 0; i < 8; ++i) {
            pollers.emplace_back([&, client = worker(), wait = i % 2 == 0]() mutable {
                while (left > 0 && deadline.pollTimeout() > 0) {
                    const Response response = client.get(wait ? "/prompt?wait=1" : "/prompt");
                    if (response.status == 200) {
                        const std::lock_guard lock(mutex);
                        ++taken[response.at("content")];
                        --left;
                    }
                }
            });
        }
        for (int i = 0; i < prompts; ++i) {
            push(std::to_string(i));
        }
        pollers.clear();
        CPPUNIT_ASSERT_EQUAL(std::size_t{prompts}, taken.size());
        for (const auto& [content, times] : taken) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE("prompt " + content, 1, times);
        }
        ASSERT_STATUS(204, worker().get("/prompt"));
    }

    void testSurvivesARestart() {
        Daemon own;
        const CreatedJob job = createJob(own);
        for (const std::string content : {"one", "two", "three"}) {
            ASSERT_STATUS(200, operatorClient(own).post("/jobs/" + job.id + "/prompt",
                                                        R"({"content":")" + content + "\"}"));
        }
        ASSERT_FIELD("one", workerClient(own, job).get("/prompt"), "content");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(own.log(), 0, own.terminate());
        own.start();
        Client client = workerClient(own, job);
        ASSERT_FIELD("two", client.get("/prompt"), "content");
        ASSERT_FIELD("three", client.get("/prompt"), "content");
        ASSERT_STATUS(204, client.get("/prompt"));
    }

    void testWaitingEndsWhenAPromptArrives() {
        Connection waiting = wait(60);
        push("wake up");
        const Response response = waiting.receive();
        ASSERT_STATUS(200, response);
        ASSERT_FIELD("wake up", response, "content");
    }

    void testWaitingEndsAtItsLimit() { ASSERT_STATUS(204, worker().get("/prompt?wait=1")); }

    void testWaitingFindsWhatIsThere() {
        push("already here");
        ASSERT_FIELD("already here", worker().get("/prompt?wait=60"), "content");
    }

    void testOneWaiterGetsOnePrompt() {
        std::vector<Connection> waiting;
        for (int i = 0; i < 5; ++i) {
            waiting.push_back(wait(60));
        }
        for (int i = 0; i < 5; ++i) {
            push(std::to_string(i));
        }
        std::map<std::string, int> taken;
        for (Connection& connection : waiting) {
            const Response response = connection.receive();
            ASSERT_STATUS(200, response);
            ++taken[response.at("content")];
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, taken.size());
    }

    void testWaitersCostNoThreads() {
        const std::size_t before = daemon().threads();
        std::vector<Connection> waiting;
        for (int i = 0; i < 200; ++i) {
            waiting.push_back(wait(60));
        }
        // Nobody is in the way of this one.
        ASSERT_STATUS(200, worker().get("/job"));
        CPPUNIT_ASSERT_EQUAL(before, daemon().threads());
        ASSERT_STATUS(200, admin().post("/jobs/" + job_.id + "/cancel", "{}"));
        for (Connection& connection : waiting) {
            ASSERT_UNAUTHORIZED(connection.receive());
        }
    }

    void testWaiterThatWentAwayTakesNothing() {
        Daemon& own = sharedDaemon({{"prompts.max_size", "7MiB"}});
        const CreatedJob job = createJob(own);
        Client operators = operatorClient(own);
        const Request request = workerClient(own, job).request("GET", "/prompt?wait=60");
        for (int i = 0; i < 20; ++i) {
            Connection gone(own.worker());
            gone.send(request.bytes());
            if (i % 2 == 0) {
                gone.reset();
            }
        }
        // Whoever went away is noticed, though nothing was to be sent.
        awaitField(operators, "/status", "connections", "1");
        ASSERT_STATUS(200, operators.post("/jobs/" + job.id + "/prompt", R"({"content":"still here"})"));
        ASSERT_FIELD("still here", workerClient(own, job).get("/prompt?wait=60"), "content");
    }

    /// The client resets while a prompt larger than all buffers is on its way. What was queued meanwhile
    /// does not overtake it.
    void testPromptThatWasNotDeliveredComesFirstAgain() {
        const std::string big(6'000'000, 'p');
        Daemon& own = sharedDaemon({{"prompts.max_size", "7MiB"}});
        const CreatedJob job = createJob(own);
        Client operators = operatorClient(own);
        Client client = workerClient(own, job);
        const std::string path = "/jobs/" + job.id + "/prompt";
        ASSERT_STATUS(200, operators.post(path, R"({"content":")" + big + "\"}"));
        for (int i = 0; i < 3; ++i) {
            Connection broken(own.worker(), 4096);
            broken.send(client.request("GET", "/prompt?wait=60").bytes());
            ASSERT_STATUS(200, broken.receiveHead());
            if (i == 0) {
                ASSERT_STATUS(200, operators.post(path, R"({"content":"second"})"));
            }
            broken.reset();
            awaitField(operators, "/status", "connections", "1");
        }
        const Response again = client.get("/prompt?wait=60");
        ASSERT_STATUS(200, again);
        CPPUNIT_ASSERT_MESSAGE(again.describe(), again.at("content") == big);
        ASSERT_FIELD("second", client.get("/prompt"), "content");
        ASSERT_STATUS(204, client.get("/prompt"));
    }

    void testWaiterIsRefusedWhenTheJobIsCancelled() {
        Connection waiting = wait(60);
        ASSERT_STATUS(200, admin().post("/jobs/" + job_.id + "/cancel", "{}"));
        ASSERT_UNAUTHORIZED(waiting.receive());
    }

    void testWaiterIsRefusedWhenTheJobCompletes() {
        Connection waiting = wait(60);
        ASSERT_STATUS(200, worker().post("/complete", R"({"success":true,"iterations":1})"));
        ASSERT_UNAUTHORIZED(waiting.receive());
    }

    void testQueueIsDroppedWithTheJob() {
        push("too late");
        ASSERT_STATUS(200, worker().post("/complete", R"({"success":false,"iterations":1})"));
        const Response restarted = admin().post("/jobs/" + job_.id + "/restart", "{}");
        ASSERT_STATUS(
            204, workerClient(daemon(), {restarted.at("new_job_id"), restarted.at("token")}).get("/prompt"));
    }

    void testWaiterIsAnsweredWhenTheDaemonStops() {
        Daemon own;
        const CreatedJob job = createJob(own);
        Connection waiting(own.worker());
        waiting.send(workerClient(own, job).request("GET", "/prompt?wait=60").bytes());
        // Its first call has started the job, so that the daemon has the request in hand.
        Client operators = operatorClient(own);
        awaitField(operators, "/jobs/" + job.id, "state", "running");
        own.beginTermination();
        const Response response = waiting.receive();
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.status == 204 || response.status == 503);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(own.log(), 0, own.awaitExit());
    }

    void testTooLongAPromptIsRefused() {
        Daemon& own = sharedDaemon({{"prompts.max_size", "1KiB"}, {"prompts.max_queued", "4"}});
        const CreatedJob job = createJob(own);
        const auto pushTo = [&](std::size_t length) {
            return operatorClient(own).post("/jobs/" + job.id + "/prompt",
                                            R"({"content":")" + std::string(length, 'x') + "\"}");
        };
        ASSERT_STATUS(200, pushTo(1024));
        ASSERT_REFUSED(413, pushTo(1025));
    }

    void testFullQueueIsRefused() {
        Daemon& own = sharedDaemon({{"prompts.max_size", "1KiB"}, {"prompts.max_queued", "4"}});
        const CreatedJob job = createJob(own);
        Client operators = operatorClient(own);
        const std::string path = "/jobs/" + job.id + "/prompt";
        for (int i = 0; i < 4; ++i) {
            ASSERT_STATUS(200, operators.post(path, R"({"content":"x"})"));
        }
        ASSERT_REFUSED(429, operators.post(path, R"({"content":"x"})"));
        Client worker = workerClient(own, job);
        ASSERT_STATUS(200, worker.get("/prompt"));
        // The next request of the same connection is read after the delivery has been noted.
        ASSERT_STATUS(200, worker.get("/job"));
        ASSERT_STATUS(200, operators.post(path, R"({"content":"x"})"));
    }

private:
    Client worker() { return workerClient(daemon(), job_); }

    void push(const std::string& content, bool done = false) {
        ASSERT_STATUS(
            200, admin().post("/jobs/" + job_.id + "/prompt", R"({"content":")" + content + R"(","done":)" +
                                                                  (done ? "true" : "false") + "}"));
    }

    /// A connection whose request for a prompt is waiting.
    Connection wait(int seconds) {
        Connection connection(daemon().worker());
        Client client = worker();
        connection.send(client.request("GET", "/prompt?wait=" + std::to_string(seconds)).bytes());
        return connection;
    }

    CreatedJob job_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(PromptsTest);

}  // namespace sallyport::tests
