// The LLM gateway when the daemon stops, or its plugin is replaced.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/llm_gateway.h"

namespace sallyport::tests {

namespace {

using namespace std::chrono_literals;

}  // namespace

class LlmEndingsTest : public LlmGatewayTest {
    CPPUNIT_TEST_SUITE(LlmEndingsTest);
    CPPUNIT_TEST(testStopLetsStreamsEnd);
    CPPUNIT_TEST(testStopCutsStreamsAfterItsGrace);
    CPPUNIT_TEST(testReloadLetsCallsEnd);
    CPPUNIT_TEST(testReloadLetsStreamsEnd);
    CPPUNIT_TEST_SUITE_END();

public:
    void testStopLetsStreamsEnd() {
        start({{"shutdown.grace", "1h"}});
        const auto permits = std::make_shared<Permits>();
        upstream().next(scripts::stream({beginningOf(Api::seed) + pieceOf(Api::seed, "so far"),
                                         pieceOf(Api::seed, "the rest") + endOf(Api::seed)},
                                        permits));
        permits->grant();
        StreamedAnswer stream = beginStream(Api::seed);
        ASSERT_CONTAINS("so far", stream.next());
        daemon().beginTermination();
        permits->grant(2);
        const std::string rest = stream.rest();
        ASSERT_CONTAINS("the rest", rest);
        ASSERT_CONTAINS("event: completion", rest);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon().log(), 0, daemon().awaitExit());
        // What was used is in the books.
        daemon().start();
        ASSERT_FIELD("10", awaitCalls(1), "total.input_tokens");
    }

    void testStopCutsStreamsAfterItsGrace() {
        start({{"shutdown.grace", "10ms"}, {"llm.retry.max", "5"}, {"llm.retry.max_delay", "2h"}});
        std::vector<StreamedAnswer> streams;
        for (const Api api : allApis) {
            const auto permits = std::make_shared<Permits>();
            upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, "so far"), ""}, permits));
            permits->grant();
            streams.push_back(beginStream(api));
        }
        upstream().next(scripts::silence());
        Connection whole = begin();
        awaitAsked(4);
        upstream().next(scripts::answer(429, "{}", {{"Retry-After", "3600"}}));
        Connection retrying = begin();
        awaitAsked(5);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon().log(), 0, daemon().terminate());
        for (StreamedAnswer& stream : streams) {
            CPPUNIT_ASSERT_THROW(static_cast<void>(stream.rest()), ConnectionLost);
        }
        CPPUNIT_ASSERT_THROW(whole.receive(), ConnectionLost);
        CPPUNIT_ASSERT_THROW(retrying.receive(), ConnectionLost);
        upstream().awaitOpen(0);
        daemon().start();
        ASSERT_FIELD("0", awaitCalls(5), "total.failed");
    }

    void testReloadLetsCallsEnd() {
        startWithOwnPlugins();
        const auto permits = holdAll();
        Connection whole = begin();
        awaitAsked(1);
        renewPlugin();
        Connection reloading(daemon().operators());
        reloading.send(operators().request("POST", "/plugins/reload").json("{}").bytes());
        permits->grant();
        ASSERT_STATUS(200, whole.receive());
        const Response report = reloading.receive();
        ASSERT_STATUS(200, report);
        ASSERT_FIELD("llm", report, "reloaded.0");
        // What the job has used it has used.
        permits->grant();
        ASSERT_STATUS(200, ask());
        ASSERT_GATEWAY_ERROR(429, "request_limit", ask());
    }

    /// They go on with the version that they began with.
    void testReloadLetsStreamsEnd() {
        startWithOwnPlugins();
        for (const Api api : allApis) {
            newJob();
            const auto permits = std::make_shared<Permits>();
            upstream().next(scripts::stream(
                {beginningOf(api) + pieceOf(api, "so far"), pieceOf(api, "the rest") + endOf(api)}, permits));
            permits->grant();
            StreamedAnswer stream = beginStream(api);
            renewPlugin();
            const Response report = operators().post("/plugins/reload", "{}");
            ASSERT_FIELD("llm", report, "reloaded.0");
            answerNext(api);
            ASSERT_STATUS(200, ask(api));
            permits->grant(2);
            const std::string rest = stream.rest();
            ASSERT_CONTAINS("so far", rest);
            ASSERT_CONTAINS("the rest", rest);
            ASSERT_LACKS("error", rest);
            ASSERT_FIELD("20", awaitCalls(2), "total.input_tokens");
        }
        // What has outlived its use is gone: the last version keeps one connection.
        ASSERT_STATUS(200, operators().post("/plugins/reload", "{}"));
        upstream().awaitOpen(1);
    }

private:
    /// With copies of the plugins, so that one of them can be renewed. A job may make two calls.
    void startWithOwnPlugins() {
        for (const std::string name : {"jobs", "llm"}) {
            std::filesystem::copy_file(SALLYPORT_PLUGIN_PATH "/" + name + ".so", files() / (name + ".so"));
        }
        start({{"plugins.dir", files().path().string()}, {"llm.limit.requests", "2"}});
    }

    void renewPlugin() {
        std::filesystem::copy_file(SALLYPORT_PLUGIN_PATH "/llm.so", files() / "fresh");
        std::filesystem::rename(files() / "fresh", files() / "llm.so");
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmEndingsTest);

}  // namespace sallyport::tests
