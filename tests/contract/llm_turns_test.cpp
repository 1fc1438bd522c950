// The LLM gateway when more calls come than it may make at once.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/llm_gateway.h"

namespace sallyport::tests {

namespace {

using namespace std::chrono_literals;

}  // namespace

class LlmTurnsTest : public LlmGatewayTest {
    CPPUNIT_TEST_SUITE(LlmTurnsTest);
    CPPUNIT_TEST(testFullQueueIsRefused);
    CPPUNIT_TEST(testWaitingForATurnEnds);
    CPPUNIT_TEST(testTurnsGoRoundTheJobs);
    CPPUNIT_TEST(testJobWhoseCallsHangLeavesRoomForOthers);
    CPPUNIT_TEST(testCallsOverTheLimitOfAJobWait);
    CPPUNIT_TEST(testWhateverIsAskedTakesATurn);
    CPPUNIT_TEST(testLargeCallsThatWaitAreBounded);
    CPPUNIT_TEST_SUITE_END();

public:
    void testFullQueueIsRefused() {
        start({{"llm.concurrency", "1"}, {"llm.queue.max", "1"}});
        const auto permits = holdAll();
        Connection first = begin();
        awaitAsked(1);
        for (const Api api : allApis) {
            Connection one = begin(api);
            Connection other = begin(api);
            Connection& refused = awaitEither(one, other);
            const Response response = refused.receive();
            ASSERT_GATEWAY_ERROR(503, "overloaded", response);
            CPPUNIT_ASSERT(std::stoi(response.header("Retry-After")) > 0);
            ASSERT_TELLS_NOTHING(response);
            // The other one waits until the job is out of the way, and its place is free again then.
            const std::size_t before = asked();
            permits->grant();
            ASSERT_STATUS(200, first.receive());
            awaitAsked(before + 1);
            first = std::move(&refused == &one ? other : one);
        }
        permits->grant();
        ASSERT_STATUS(200, first.receive());
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, asked());
    }

    void testWaitingForATurnEnds() {
        start({{"llm.concurrency", "1"}, {"llm.queue.timeout", "1ms"}});
        const auto permits = holdAll();
        Connection first = begin();
        awaitAsked(1);
        for (const Api api : allApis) {
            const Response response = ask(api);
            ASSERT_GATEWAY_ERROR(503, "overloaded", response);
            CPPUNIT_ASSERT(std::stoi(response.header("Retry-After")) > 0);
        }
        permits->grant();
        ASSERT_STATUS(200, first.receive());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, asked());
    }

    void testTurnsGoRoundTheJobs() {
        start({{"llm.concurrency", "1"}, {"http.loops", "1"}});
        answerAll();
        const CreatedJob greedy = createJob(daemon());
        const CreatedJob modest = createJob(daemon());
        for (const CreatedJob& job : {greedy, modest}) {
            ASSERT_STATUS(200, workerClient(daemon(), job).post(pathOf(Api::seed), question(Api::seed)));
        }
        const auto permits = holdAll();
        std::vector<Connection> waiting;
        for (const auto& [job, text] :
             std::vector<std::pair<const CreatedJob*, std::string>>{{&greedy, "first"},
                                                                    {&greedy, "second"},
                                                                    {&greedy, "third"},
                                                                    {&greedy, "fourth"},
                                                                    {&modest, "alone"}}) {
            waiting.push_back(begin(workerClient(daemon(), *job), Api::seed, text));
            // The first one has its turn, and the others wait.
            awaitAsked(3);
            awaitReceived();
        }
        permits->grant(5);
        for (Connection& connection : waiting) {
            ASSERT_STATUS(200, connection.receive());
        }
        std::string order;
        for (const SeenRequest& request : upstream().requests()) {
            order += jsonAt(request.body, "messages.0.content") + " ";
        }
        CPPUNIT_ASSERT_EQUAL(std::string("hello hello first second alone third fourth "), order);
    }

    void testJobWhoseCallsHangLeavesRoomForOthers() {
        for (const char* limit : {"0", "3", "64"}) {
            start({{"llm.concurrency", "8"}, {"llm.limit.concurrency", limit}});
            const std::size_t share = std::string(limit) == "3" ? 3 : 4;
            upstream().on(upstreamPathOf(Api::openai), scripts::silence());
            const std::size_t before = asked();
            std::vector<Connection> hanging;
            for (int i = 0; i < 16; ++i) {
                hanging.push_back(begin(Api::openai));
            }
            awaitAsked(before + share);
            awaitReceived();
            for (const Api api : allApis) {
                newJob();
                answerNext(api);
                ASSERT_STATUS(200, ask(api));
            }
            CPPUNIT_ASSERT_EQUAL(before + share + std::size(allApis), asked());
        }
    }

    void testCallsOverTheLimitOfAJobWait() {
        start({{"llm.limit.concurrency", "2"}});
        const auto permits = holdAll();
        std::vector<Connection> calls;
        for (const Api api : allApis) {
            calls.push_back(begin(api));
        }
        awaitAsked(2);
        awaitReceived();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked());
        // Of others nobody waits.
        newJob();
        answerNext();
        ASSERT_STATUS(200, ask());
        permits->grant(3);
        for (Connection& call : calls) {
            ASSERT_STATUS(200, call.receive());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, asked());
    }

    void testWhateverIsAskedTakesATurn() {
        start({{"llm.concurrency", "1"}, {"llm.queue.timeout", "1ms"}});
        const auto permits = holdAll();
        Connection first = begin();
        awaitAsked(1);
        for (const char* path : {"/openai/v1/models", "/openai/v1/models/model-x", "/anthropic/v1/models"}) {
            ASSERT_GATEWAY_ERROR(503, "overloaded", worker().get(path));
        }
        for (const char* path : {"/openai/v1/embeddings", "/openai/v1/responses"}) {
            const Response response = worker().post(path, R"({"model":"model-x","input":"hello"})");
            ASSERT_GATEWAY_ERROR(503, "overloaded", response);
        }
        ASSERT_GATEWAY_ERROR(503, "overloaded",
                             worker().post("/anthropic/v1/messages/count_tokens", question(Api::anthropic)));
        ASSERT_GATEWAY_ERROR(503, "overloaded", exchange(daemon().worker(), streamRequest(Api::seed)));
        permits->grant();
        ASSERT_STATUS(200, first.receive());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, asked());
    }

    void testLargeCallsThatWaitAreBounded() {
        start({{"llm.concurrency", "1"}, {"llm.queue.memory", "8KiB"}});
        const auto permits = holdAll();
        Connection first = begin();
        awaitAsked(1);
        Connection waiting = begin(Api::seed, std::string(6000, 'x'));
        awaitReceived();
        ASSERT_GATEWAY_ERROR(503, "overloaded", ask(Api::openai, std::string(6000, 'y')));
        // Who has less of the queue takes it from who has more.
        newJob();
        Connection modest = begin(Api::seed, std::string(3000, 'z'));
        ASSERT_GATEWAY_ERROR(503, "overloaded", waiting.receive());
        permits->grant(2);
        ASSERT_STATUS(200, first.receive());
        ASSERT_STATUS(200, modest.receive());
    }

private:
    /// The one of the two that is answered first.
    static Connection& awaitEither(Connection& one, Connection& other) {
        const Deadline deadline;
        while (!one.readable() && !other.readable()) {
            CPPUNIT_ASSERT_MESSAGE("neither was answered", deadline.pollTimeout() > 0);
            std::this_thread::yield();
        }
        return one.readable() ? one : other;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmTurnsTest);

}  // namespace sallyport::tests
