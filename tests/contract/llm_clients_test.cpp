// The LLM gateway when its clients fail, or are slow: that nothing is left behind.
#include <atomic>
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

class LlmClientsTest : public LlmGatewayTest {
    CPPUNIT_TEST_SUITE(LlmClientsTest);
    CPPUNIT_TEST(testClientThatLeavesEndsTheCall);
    CPPUNIT_TEST(testClientThatLeavesTheQueueIsNotServed);
    CPPUNIT_TEST(testClientThatLeavesBeforeARetryIsNotServed);
    CPPUNIT_TEST(testClientsThatResetAtOnceLeaveNothingBehind);
    CPPUNIT_TEST(testEndOfTheJobEndsItsCalls);
    CPPUNIT_TEST(testSlowReaderSlowsTheProvider);
    CPPUNIT_TEST(testSlowReaderGetsEverything);
    CPPUNIT_TEST_SUITE_END();

public:
    void testClientThatLeavesEndsTheCall() {
        start();
        const auto permits = std::make_shared<Permits>();
        std::size_t connection = 0;
        for (const Api api : allApis) {
            for (const bool reset : {false, true}) {
                // While it waits for a whole answer.
                upstream().next(scripts::silence());
                const std::size_t before = asked();
                {
                    Connection gone = begin(api);
                    connection = awaitAsked(before + 1).connection;
                    leave(gone, reset);
                }
                upstream().awaitClosed(connection);
                // In the middle of a stream.
                upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, "so far"), ""}, permits));
                permits->grant();
                {
                    StreamedAnswer gone = beginStream(api);
                    CPPUNIT_ASSERT(!gone.next().empty());
                    connection = upstream().requests().back().connection;
                    leave(gone.connection(), reset);
                }
                upstream().awaitClosed(connection);
            }
        }
        // None of these is a failure of the provider, nor of the call.
        const Response usage = awaitCalls(12);
        ASSERT_FIELD("0", usage, "total.failed");
        upstream().awaitOpen(0);
    }

    void testClientThatLeavesTheQueueIsNotServed() {
        start({{"llm.concurrency", "1"}, {"llm.queue.max", "1"}, {"http.loops", "1"}});
        const auto permits = holdAll();
        Connection first = begin();
        awaitAsked(1);
        Connection gone = begin(Api::seed, "gone");
        awaitReceived();
        Client client = operators();
        leave(gone, true);
        // Of the two connections that are left one is the operator's own.
        awaitField(client, "/status", "connections", "2");
        Connection second = begin(Api::seed, "second");
        awaitReceived();
        permits->grant(2);
        ASSERT_STATUS(200, first.receive());
        ASSERT_STATUS(200, second.receive());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked());
        ASSERT_CONTAINS("second", upstream().requests().back().body);
    }

    void testClientThatLeavesBeforeARetryIsNotServed() {
        start({{"llm.retry.max", "5"},
               {"llm.retry.max_delay", "2h"},
               {"llm.concurrency", "1"},
               {"llm.limit.concurrency", "1"}});
        upstream().next(scripts::answer(429, "{}", {{"Retry-After", "3600"}}));
        Connection gone = begin();
        awaitAsked(1);
        leave(gone, true);
        // Neither its slot nor its share of the job's is kept.
        awaitCalls(1);
        answerNext();
        ASSERT_STATUS(200, ask());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked());
    }

    /// Whatever the moment at which they go: before the head of the answer, with it, or after.
    void testClientsThatResetAtOnceLeaveNothingBehind() {
        constexpr int clients = 150;
        start({{"llm.concurrency", "4"}});
        for (const Api api : {Api::openai, Api::anthropic}) {
            upstream().on(upstreamPathOf(api), [api](UpstreamExchange& exchange) {
                exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
                exchange.chunk(beginningOf(api) + pieceOf(api, "so far"));
                exchange.awaitClosed();
            });
        }
        for (int i = 0; i < clients; ++i) {
            for (const Api api : allApis) {
                Connection gone(daemon().worker());
                gone.send(streamRequest(api).bytes());
                if (i % 3 == 1) {
                    static_cast<void>(gone.receiveHead());
                } else if (i % 3 == 2) {
                    // About when the answer comes.
                    const std::size_t before = asked();
                    while (asked() == before && !gone.readable()) {
                        std::this_thread::yield();
                    }
                }
                gone.reset();
            }
        }
        upstream().awaitOpen(0);
        // All turns are free again.
        answerAll();
        for (int i = 0; i < 8; ++i) {
            ASSERT_STATUS(200, ask());
        }
    }

    void testEndOfTheJobEndsItsCalls() {
        start();
        const auto permits = std::make_shared<Permits>();
        for (const Api api : allApis) {
            for (const bool cancelled : {true, false}) {
                newJob();
                upstream().next(scripts::silence());
                const std::size_t before = asked();
                Connection whole = begin(api);
                const std::size_t first = awaitAsked(before + 1).connection;
                upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, "so far"), ""}, permits));
                permits->grant();
                StreamedAnswer stream = beginStream(api);
                const std::size_t second = upstream().requests().back().connection;
                if (cancelled) {
                    ASSERT_STATUS(200, operators().post("/jobs/" + job().id + "/cancel", "{}"));
                } else {
                    ASSERT_STATUS(200, worker().post("/complete", R"({"success":true,"iterations":1})"));
                }
                ASSERT_UNAUTHORIZED(whole.receive());
                CPPUNIT_ASSERT_THROW(static_cast<void>(stream.rest()), ConnectionLost);
                upstream().awaitClosed(first);
                upstream().awaitClosed(second);
                ASSERT_UNAUTHORIZED(ask(api));
                awaitCalls(2);
            }
        }
        upstream().awaitOpen(0);
    }

    /// The provider sends as fast as it can, and the client reads nothing until it is cut off for that.
    void testSlowReaderSlowsTheProvider() {
        constexpr std::size_t plenty = std::size_t{48} * 1024 * 1024;
        start({{"http.write_timeout", "1s"}, {"llm.max_response", "100GiB"}});
        const std::size_t memory = peakMemory();
        const auto sent = std::make_shared<std::atomic<std::size_t>>(0);
        for (const Api api : allApis) {
            const std::size_t before = *sent;
            const std::size_t requests = asked();
            const std::string piece = pieceOf(api, std::string(16'000, 'x'));
            upstream().next([sent, piece, api](UpstreamExchange& exchange) {
                exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
                exchange.chunk(beginningOf(api));
                for (;;) {
                    exchange.chunk(piece);
                    *sent += piece.size();
                }
            });
            Connection lazy(daemon().worker(), 4096);
            lazy.send(streamRequest(api).bytes());
            upstream().awaitClosed(awaitAsked(requests + 1).connection);
            CPPUNIT_ASSERT_MESSAGE("the provider could send " + std::to_string(*sent - before) + " bytes",
                                   *sent - before < plenty);
        }
        CPPUNIT_ASSERT_MESSAGE(daemonMemory(), peakMemory() < memory + plenty);
    }

    void testSlowReaderGetsEverything() {
        constexpr int pieces = 2000;
        start();
        answerAll();
        const auto permits = std::make_shared<Permits>();
        permits->grant(3 * (pieces + 3));
        for (const Api api : allApis) {
            std::vector<std::string> script{beginningOf(api)};
            for (int i = 0; i < pieces; ++i) {
                script.push_back(pieceOf(api, std::to_string(i) + std::string(16'000, '.')));
            }
            script.push_back(endOf(api));
            upstream().next(scripts::stream(script, permits));
            Connection slow(daemon().worker(), 64 * 1024);
            slow.send(streamRequest(api).bytes());
            ASSERT_STATUS(200, slow.receiveHead("POST"));
            // It has other things to do before it reads on.
            for (int i = 0; i < 50; ++i) {
                ASSERT_STATUS(200, ask());
            }
            std::string body;
            while (slow.receiveBody(body)) {
            }
            std::size_t at = 0;
            for (int i = 0; i < pieces; ++i) {
                at = body.find("\"" + std::to_string(i) + "...", at);
                CPPUNIT_ASSERT_MESSAGE("piece " + std::to_string(i), at != std::string::npos);
            }
            ASSERT_CONTAINS(api == Api::seed     ? "event: completion"
                            : api == Api::openai ? "data: [DONE]"
                                                 : "event: message_stop",
                            body.substr(at));
        }
    }

private:
    static void leave(Connection& connection, bool reset) {
        if (reset) {
            connection.reset();
        } else {
            const Connection gone = std::move(connection);
        }
    }

    [[nodiscard]] std::string daemonMemory() {
        return readFile("/proc/" + std::to_string(daemon().pid()) + "/status");
    }

    /// The most that it ever had, in bytes.
    [[nodiscard]] std::size_t peakMemory() {
        const std::string status = daemonMemory();
        constexpr std::string_view field = "VmHWM:";
        return std::stoul(status.substr(status.find(field) + field.size())) * 1024;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmClientsTest);

}  // namespace sallyport::tests
