#include "plugins/llm/echo.h"

#include <stdexcept>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "expect.h"

namespace sallyport::plugins::llm {
namespace {

JobId job(int number) {
    return JobId::parse("00000000-0000-4000-8000-00000000000" + std::to_string(number)).value();
}

Completion ask(Echo& echo, const std::string& messages, int number = 1) {
    const std::string body = R"({"messages":)" + messages + "}";
    return echo.answer(job(number), parseChatRequest(body, false));
}

Completion askNative(Echo& echo, NativeEndpoint endpoint, const std::string& body) {
    return echo.answer(job(1), inspect(endpoint, body));
}

/// What the script line says when it is played.
Completion played(const std::string& line) {
    Echo echo(EchoScript::parse(line));
    return ask(echo, "[]");
}

const char* const twoTools = R"({"content":"a b","tool_calls":[{"name":"f","arguments":{"x": [1, 2]}},)"
                             R"({"id":"mine","name":"g"}]})";

std::string joined(const std::vector<std::string>& events) {
    std::string text;
    for (const std::string& event : events) {
        text += event;
    }
    return text;
}

class EchoTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EchoTest);
    CPPUNIT_TEST(testEcho);
    CPPUNIT_TEST(testScript);
    CPPUNIT_TEST(testScriptsThatAreNone);
    CPPUNIT_TEST(testPieces);
    CPPUNIT_TEST(testLongTextHasFewPieces);
    CPPUNIT_TEST(testNativeRequests);
    CPPUNIT_TEST(testChatAnswer);
    CPPUNIT_TEST(testChatStream);
    CPPUNIT_TEST(testMessagesAnswer);
    CPPUNIT_TEST(testMessagesStream);
    CPPUNIT_TEST(testResponses);
    CPPUNIT_TEST(testModels);
    CPPUNIT_TEST_SUITE_END();

    static void testEcho() {
        Echo echo;
        const Completion completion =
            ask(echo, R"([{"role":"system","content":"be brief"},{"role":"user","content":"one"},
                          {"role":"user","content":"a \"b\"\nc","content_parts":[{"type":"text","text":"d"}]},
                          {"role":"assistant","content":"never mind"},{"role":"user","content":""}])");
        CPPUNIT_ASSERT_EQUAL(std::string("[echo] a \"b\"\nc\nd"), completion.content.value());
        CPPUNIT_ASSERT_EQUAL(std::string("echo"), completion.model);
        expectUsage(9, 5, 0, 0, completion.usage);
        expectFinish("stop", completion.finish);
        CPPUNIT_ASSERT_EQUAL(std::string("[echo] "), ask(echo, "[]").content.value());
    }

    static void testScript() {
        Echo echo(
            EchoScript::parse("# first\n\n{\"content\":\"one\"}\r\n"
                              "{\"tool_calls\":[{\"name\":\"f\",\"arguments\":{\"a\": 1}}]}\n"
                              "{\"content\":\"two\"}"));
        const std::string question = R"([{"role":"user","content":"?"}])";
        CPPUNIT_ASSERT_EQUAL(std::string("one"), ask(echo, question).content.value());
        const Completion call = ask(echo, question);
        CPPUNIT_ASSERT(!call.content);
        CPPUNIT_ASSERT_EQUAL(std::string("f"), call.toolCalls.at(0).name);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a":1})"), call.toolCalls[0].arguments);
        CPPUNIT_ASSERT_EQUAL(std::string("call_2_1"), call.toolCalls[0].id);
        expectFinish("tool_use", call.finish);
        // Another job starts at the beginning.
        CPPUNIT_ASSERT_EQUAL(std::string("one"), ask(echo, question, 2).content.value());
        CPPUNIT_ASSERT_EQUAL(std::string("two"), ask(echo, question).content.value());
        CPPUNIT_ASSERT_EQUAL(std::string("[echo] ?"), ask(echo, question).content.value());
        echo.forget(job(1));
        CPPUNIT_ASSERT_EQUAL(std::string("one"), ask(echo, question).content.value());
    }

    static void testScriptsThatAreNone() {
        for (const char* line : {"oops", "[]", "{}", R"({"content":5})", R"({"tool_calls":[{}]})",
                                 R"({"tool_calls":[{"name":"f","arguments":"{}"}]})"}) {
            try {
                static_cast<void>(EchoScript::parse(std::string("# comment\n") + line));
                CPPUNIT_FAIL(std::string("accepted: ") + line);
            } catch (const std::invalid_argument& error) {
                CPPUNIT_ASSERT_MESSAGE(error.what(), std::string(error.what()).starts_with("line 2 "));
            }
        }
    }

    static void testPieces() {
        Completion completion = played(twoTools);
        completion.content = "[echo]  a\n b";
        std::string text;
        for (const Delta& delta : pieces(completion)) {
            text += delta.toolCall ? '<' + std::to_string(delta.toolCall->index) + delta.toolCall->name +
                                         delta.toolCall->arguments + '>'
                                   : delta.text + '|';
        }
        CPPUNIT_ASSERT_EQUAL(std::string("[echo]|  a|\n b|<0f><0{\"x\":[1,2]}><1g><1{}>"), text);
        CPPUNIT_ASSERT(pieces({}).empty());
    }

    /// An event for each word would make a hundred times as much of it.
    static void testLongTextHasFewPieces() {
        Completion completion;
        std::string words;
        for (int i = 0; i < 100'000; ++i) {
            words += "a ";
        }
        completion.content = words;
        const std::vector<Delta> parts = pieces(completion);
        CPPUNIT_ASSERT(parts.size() > 100 && parts.size() <= 201);
        std::string text;
        for (const Delta& delta : parts) {
            text += delta.text;
        }
        CPPUNIT_ASSERT(text == words);
    }

    static void testNativeRequests() {
        Echo echo;
        CPPUNIT_ASSERT_EQUAL(std::string("[echo] hi\nyou"),
                             askNative(echo, NativeEndpoint::chatCompletions,
                                       R"( {"messages":[{"role":"user","content":[{"type":"text","text":"hi"},
                           {"type":"image_url"},{"type":"text","text":"you"}]}]} )")
                                 .content.value());
        const Completion message =
            askNative(echo, NativeEndpoint::messages,
                      R"({"system":"be brief","messages":[{"role":"user","content":"hi"},
                {"role":"user","content":[{"type":"tool_result","content":"x"}]}]})");
        CPPUNIT_ASSERT_EQUAL(std::string("[echo] hi"), message.content.value());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, message.usage.input);
        CPPUNIT_ASSERT_EQUAL(std::string("[echo] hi"),
                             askNative(echo, NativeEndpoint::responses, R"({"input":"hi"})").content.value());
        CPPUNIT_ASSERT_EQUAL(
            std::string("[echo] hi"),
            askNative(echo, NativeEndpoint::responses,
                      R"({"input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}]})")
                .content.value());
        const Completion counted = askNative(echo, NativeEndpoint::countTokens,
                                             R"({"messages":[{"role":"user","content":"a b c"}]})");
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"input_tokens":3})"),
                             nativeAnswer(NativeEndpoint::countTokens, counted, "1"));
        expectRefused(422, "messages",
                      [&] { static_cast<void>(askNative(echo, NativeEndpoint::messages, "{}")); });
        expectRefused(404, "embeddings",
                      [&] { static_cast<void>(askNative(echo, NativeEndpoint::embeddings, "{}")); });
    }

    // What comes out is read by the same code that reads the answers of the real providers.
    static void testChatAnswer() {
        const std::string answer = nativeAnswer(NativeEndpoint::chatCompletions, played(twoTools), "7");
        CPPUNIT_ASSERT(answer.find(R"("id":"chatcmpl-7")") != std::string::npos);
        const Completion read = dialect(ProviderType::openai).parse(answer);
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), read.content.value());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"x":[1,2]})"), read.toolCalls.at(0).arguments);
        CPPUNIT_ASSERT_EQUAL(std::string("mine"), read.toolCalls.at(1).id);
        expectUsage(0, 4, 0, 0, read.usage);
        expectFinish("tool_use", read.finish);
    }

    static void testChatStream() {
        const std::string stream =
            joined(nativeStream(NativeEndpoint::chatCompletions, played(twoTools), "7", true));
        const auto [text, read] = decode(dialect(ProviderType::openai), stream, 10);
        CPPUNIT_ASSERT_EQUAL(std::string("a| b|<0 call_1_1 f><0 {\"x\":[1,2]}><1 mine g><1 {}>"), text);
        expectUsage(0, 4, 0, 0, read.usage);
        expectFinish("tool_use", read.finish);
        const std::string without =
            joined(nativeStream(NativeEndpoint::chatCompletions, played(twoTools), "7", false));
        CPPUNIT_ASSERT(without.find("usage") == std::string::npos);
        CPPUNIT_ASSERT(without.ends_with("data: [DONE]\n\n"));
    }

    static void testMessagesAnswer() {
        const Completion read = dialect(ProviderType::anthropic)
                                    .parse(nativeAnswer(NativeEndpoint::messages, played(twoTools), "7"));
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), read.content.value());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"x":[1,2]})"), read.toolCalls.at(0).arguments);
        expectUsage(0, 4, 0, 0, read.usage);
        expectFinish("tool_use", read.finish);
    }

    static void testMessagesStream() {
        const std::string stream =
            joined(nativeStream(NativeEndpoint::messages, played(twoTools), "7", false));
        const auto [text, read] = decode(dialect(ProviderType::anthropic), stream, 10);
        CPPUNIT_ASSERT_EQUAL(std::string("a| b|<0 call_1_1 f><0 {\"x\":[1,2]}><1 mine g><1 {}>"), text);
        expectUsage(0, 4, 0, 0, read.usage);
        NativeMeter meter(NativeEndpoint::messages, 0);
        meter.feed(stream, [](std::string_view) {});
        CPPUNIT_ASSERT(meter.complete());
    }

    static void testResponses() {
        NativeMeter whole(NativeEndpoint::responses, 0);
        whole.whole(nativeAnswer(NativeEndpoint::responses, played(twoTools), "7"));
        expectUsage(0, 4, 0, 0, whole.usage());
        expectFinish("tool_use", whole.finish());
        const auto events =
            nativeStream(NativeEndpoint::responses, played(R"({"content":"a b"})"), "7", false);
        NativeMeter meter(NativeEndpoint::responses, 0);
        std::string types;
        for (const std::string& event : events) {
            CPPUNIT_ASSERT(!meter.complete());
            meter.feed(event, [](std::string_view) {});
            types += event.substr(7, event.find('\n') - 7) + ' ';
        }
        CPPUNIT_ASSERT(meter.complete());
        expectUsage(0, 2, 0, 0, meter.usage());
        CPPUNIT_ASSERT_EQUAL(
            std::string("response.created response.in_progress response.output_item.added "
                        "response.content_part.added response.output_text.delta response.output_text.delta "
                        "response.output_text.done response.content_part.done response.output_item.done "
                        "response.completed "),
            types);
    }

    static void testModels() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"object":"list","data":[{"id":"echo","object":"model","created":0,"owned_by":"sallyport"}]})"),
            nativeModels(ProviderType::openai, {"echo"}));
        const std::string list = nativeModels(ProviderType::anthropic, {"a", "b"});
        CPPUNIT_ASSERT(list.find(R"("has_more":false,"first_id":"a","last_id":"b")") != std::string::npos);
        CPPUNIT_ASSERT(nativeModel(ProviderType::anthropic, "a").find(R"("display_name":"a")") !=
                       std::string::npos);
        CPPUNIT_ASSERT(nativeModels(ProviderType::anthropic, {}).find(R"("first_id":null)") !=
                       std::string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(EchoTest);

}  // namespace
}  // namespace sallyport::plugins::llm
