#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "expect.h"
#include "plugins/llm/native.h"
#include "recorded.h"

namespace sallyport::plugins::llm {
namespace {

/// Feeds a stream in pieces of `size` bytes. @return what was passed on
std::string feedAll(NativeMeter& meter, std::string_view stream, std::size_t size) {
    std::string passed;
    for (; !stream.empty(); stream.remove_prefix(std::min(size, stream.size()))) {
        meter.feed(stream.substr(0, size), [&](std::string_view bytes) { passed += bytes; });
    }
    return passed;
}

class NativeMeterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(NativeMeterTest);
    CPPUNIT_TEST(testStreamsGoThroughUnchanged);
    CPPUNIT_TEST(testChatStream);
    CPPUNIT_TEST(testUsageNobodyAskedFor);
    CPPUNIT_TEST(testResponsesStream);
    CPPUNIT_TEST(testMessagesStream);
    CPPUNIT_TEST(testPassedAtOnce);
    CPPUNIT_TEST(testStreamsThatAreCut);
    CPPUNIT_TEST(testErrorsOfTheProviderEndIt);
    CPPUNIT_TEST(testWhatIsNoJsonGoesThrough);
    CPPUNIT_TEST(testWholeAnswers);
    CPPUNIT_TEST(testWholeAnswersWithoutUsage);
    CPPUNIT_TEST(testWholeAnswersThatAreNone);
    CPPUNIT_TEST(testLargeEmbeddings);
    CPPUNIT_TEST_SUITE_END();

    static void testStreamsGoThroughUnchanged() {
        const std::pair<NativeEndpoint, const char*> streams[] = {
            {NativeEndpoint::chatCompletions, "openai_stream_tools.sse"},
            {NativeEndpoint::responses, "responses_stream.sse"},
            {NativeEndpoint::messages, "anthropic_stream_text.sse"},
        };
        for (const auto& [endpoint, name] : streams) {
            const std::string stream = ": comment\r\n\r\n" + recorded(name);
            for (const std::size_t size : {std::size_t{1}, std::size_t{100}, stream.size()}) {
                NativeMeter meter(endpoint, 0);
                CPPUNIT_ASSERT_EQUAL(stream, feedAll(meter, stream, size));
                CPPUNIT_ASSERT(meter.complete() && !meter.midBlock());
            }
        }
    }

    static void testChatStream() {
        NativeMeter meter(NativeEndpoint::chatCompletions, 777);
        feedAll(meter, recorded("openai_stream_text.sse"), 10);
        expectUsage(9, 3, 4, 0, meter.usage());
        expectFinish("stop", meter.finish());
        CPPUNIT_ASSERT_EQUAL(std::string("gpt-4o-mini"), meter.model());
    }

    static void testUsageNobodyAskedFor() {
        const std::string stream = recorded("openai_stream_text.sse");
        const std::size_t chunk = stream.find("data: ", stream.find("\"stop\""));
        const std::size_t after = stream.find("data: [DONE]");
        NativeMeter meter(NativeEndpoint::chatCompletions, 0, true);
        CPPUNIT_ASSERT_EQUAL(stream.substr(0, chunk) + stream.substr(after), feedAll(meter, stream, 64));
        expectUsage(9, 3, 4, 0, meter.usage());
        // A chunk that has an answer in it as well stays.
        const std::string last = "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1}}\n\n";
        CPPUNIT_ASSERT_EQUAL(last, feedAll(meter, last, last.size()));
    }

    static void testResponsesStream() {
        NativeMeter meter(NativeEndpoint::responses, 0);
        feedAll(meter, recorded("responses_stream.sse"), 10);
        expectUsage(37, 11, 0, 0, meter.usage());
        expectFinish("stop", meter.finish());
        NativeMeter cut(NativeEndpoint::responses, 0);
        feedAll(cut,
                "data: {\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\","
                "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}}\n\n",
                1000);
        expectFinish("length", cut.finish());
        CPPUNIT_ASSERT(cut.complete());
    }

    static void testMessagesStream() {
        NativeMeter meter(NativeEndpoint::messages, 0);
        feedAll(meter, recorded("anthropic_stream_text.sse"), 10);
        expectUsage(1125, 15, 1000, 100, meter.usage());
        expectFinish("stop", meter.finish());
        CPPUNIT_ASSERT_EQUAL(std::string("claude-sonnet-4-5"), meter.model());
    }

    // An event waits for nothing but its own end.
    static void testPassedAtOnce() {
        NativeMeter meter(NativeEndpoint::messages, 0);
        CPPUNIT_ASSERT_EQUAL(std::string(), feedAll(meter, "event: ping\ndata: {}\n", 1000));
        CPPUNIT_ASSERT(meter.midBlock());
        CPPUNIT_ASSERT_EQUAL(std::string("event: ping\ndata: {}\n\n"), feedAll(meter, "\n", 1));
        CPPUNIT_ASSERT(!meter.midBlock());
    }

    static void testStreamsThatAreCut() {
        NativeMeter chat(NativeEndpoint::chatCompletions, 50);
        feedAll(chat,
                "data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}]}\n\n"
                "data: "
                "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"1234\"}}]}}]}\n\n",
                7);
        CPPUNIT_ASSERT(!chat.complete());
        expectUsage(50, 3, 0, 0, chat.usage());

        NativeMeter responses(NativeEndpoint::responses, 50);
        feedAll(responses, "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n", 7);
        CPPUNIT_ASSERT(!responses.complete());
        expectUsage(50, 1, 0, 0, responses.usage());

        const std::string stream = recorded("anthropic_stream_text.sse");
        NativeMeter messages(NativeEndpoint::messages, 50);
        feedAll(messages, stream.substr(0, stream.find("event: message_delta")), 7);
        CPPUNIT_ASSERT(!messages.complete());
        // 11 bytes of thinking, 5 and 1 of text.
        expectUsage(1125, 6, 1000, 100, messages.usage());
    }

    static void testErrorsOfTheProviderEndIt() {
        NativeMeter chat(NativeEndpoint::chatCompletions, 0);
        feedAll(chat, "data: {\"error\":{\"message\":\"x\"}}\n\n", 100);
        CPPUNIT_ASSERT(chat.complete());
        NativeMeter responses(NativeEndpoint::responses, 0);
        feedAll(responses, "event: error\ndata: {\"type\":\"error\",\"message\":\"x\"}\n\n", 100);
        CPPUNIT_ASSERT(responses.complete());
        NativeMeter messages(NativeEndpoint::messages, 0);
        feedAll(messages, "event: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n", 100);
        CPPUNIT_ASSERT(messages.complete());
    }

    static void testWhatIsNoJsonGoesThrough() {
        const std::string stream = "data: <oops>\n\ndata: [1]\n\ndata: {\"choices\":7}\n\n";
        NativeMeter meter(NativeEndpoint::chatCompletions, 0);
        CPPUNIT_ASSERT_EQUAL(stream, feedAll(meter, stream, 5));
        CPPUNIT_ASSERT(!meter.complete());
    }

    static void testWholeAnswers() {
        const auto metered = [](NativeEndpoint endpoint, const std::string& answer) {
            NativeMeter meter(endpoint, 777);
            meter.whole(answer);
            CPPUNIT_ASSERT(meter.complete());
            return meter;
        };
        const NativeMeter chat = metered(NativeEndpoint::chatCompletions, recorded("openai_cache.json"));
        expectUsage(2006, 300, 1920, 0, chat.usage());
        expectFinish("length", chat.finish());
        const NativeMeter messages = metered(NativeEndpoint::messages, recorded("anthropic_cache.json"));
        expectUsage(18209, 393, 18000, 188, messages.usage());
        expectFinish("length", messages.finish());
        const NativeMeter responses = metered(NativeEndpoint::responses, recorded("responses_text.json"));
        expectUsage(36, 87, 20, 0, responses.usage());
        expectFinish("stop", responses.finish());
        CPPUNIT_ASSERT_EQUAL(std::string("gpt-4.1-2025-04-14"), responses.model());
        expectFinish("tool_use", metered(NativeEndpoint::responses,
                                         R"({"status":"completed","output":[{"type":"function_call"}]})")
                                     .finish());
        expectUsage(
            8, 0, 0, 0,
            metered(NativeEndpoint::embeddings,
                    R"({"object":"list","data":[],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}})")
                .usage());
        expectUsage(0, 0, 0, 0, metered(NativeEndpoint::countTokens, R"({"input_tokens":9})").usage());
    }

    static void testWholeAnswersWithoutUsage() {
        NativeMeter meter(NativeEndpoint::messages, 50);
        meter.whole(R"({"content":[{"type":"text","text":"12345678"}]})");
        expectUsage(50, 2, 0, 0, meter.usage());
    }

    static void testWholeAnswersThatAreNone() {
        NativeMeter meter(NativeEndpoint::chatCompletions, 0);
        expectBadAnswer("<html>", [&] { meter.whole("<html>"); });
        expectBadAnswer("JSON", [&] { meter.whole("[]"); });
        std::string wide = R"({"a":0)";
        for (int i = 0; i < 1000; ++i) {
            wide += R"(,"a":0)";
        }
        expectBadAnswer("more than 1000 members", [&] { meter.whole(wide + "}"); });
    }

    // More numbers than a request may have.
    static void testLargeEmbeddings() {
        std::string answer = R"({"data":[{"embedding":[0)";
        for (std::size_t i = 0; i < json::defaultValues; ++i) {
            answer += ",0";
        }
        answer += R"(]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}})";
        NativeMeter meter(NativeEndpoint::embeddings, 0);
        meter.whole(answer);
        expectUsage(8, 0, 0, 0, meter.usage());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(NativeMeterTest);

}  // namespace
}  // namespace sallyport::plugins::llm
