#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "expect.h"
#include "plugins/llm/dialect.h"
#include "recorded.h"

namespace sallyport::plugins::llm {
namespace {

const Dialect& openai() {
    return dialect(ProviderType::openai);
}

std::string bodyOf(const std::string& request, const BodyOptions& options = {.model = "m"},
                   bool withTools = false) {
    return openai().body(parseChatRequest(request, withTools), options);
}

/// The body's messages when the request has these.
std::string messagesOf(const std::string& messages) {
    const std::string body = bodyOf(R"({"messages":)" + messages + "}");
    const std::string before = R"({"model":"m","messages":)";
    CPPUNIT_ASSERT_EQUAL(before, body.substr(0, before.size()));
    return body.substr(before.size(), body.size() - before.size() - 1);
}

Completion parsed(const std::string& name) {
    return openai().parse(recorded(name));
}

std::string event(const std::string& data) {
    return "data: " + data + "\n\n";
}

class OpenAiDialectTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpenAiDialectTest);
    CPPUNIT_TEST(testRequestLineAndHeaders);
    CPPUNIT_TEST(testMessages);
    CPPUNIT_TEST(testParts);
    CPPUNIT_TEST(testToolCalls);
    CPPUNIT_TEST(testArgumentsThatAreNoObject);
    CPPUNIT_TEST(testOrphans);
    CPPUNIT_TEST(testParameters);
    CPPUNIT_TEST(testDroppedParameters);
    CPPUNIT_TEST(testTools);
    CPPUNIT_TEST(testStream);
    CPPUNIT_TEST(testText);
    CPPUNIT_TEST(testToolAnswer);
    CPPUNIT_TEST(testReasoning);
    CPPUNIT_TEST(testCacheUsage);
    CPPUNIT_TEST(testRefusal);
    CPPUNIT_TEST(testFinishReasons);
    CPPUNIT_TEST(testOddAnswers);
    CPPUNIT_TEST(testUsageThatIsNone);
    CPPUNIT_TEST(testBadAnswers);
    CPPUNIT_TEST(testStreamedText);
    CPPUNIT_TEST(testStreamedTools);
    CPPUNIT_TEST(testOddStreams);
    CPPUNIT_TEST(testBrokenStreams);
    CPPUNIT_TEST(testUsageOfAStreamThatIsCut);
    CPPUNIT_TEST(testErrorText);
    CPPUNIT_TEST_SUITE_END();

    static void testRequestLineAndHeaders() {
        CPPUNIT_ASSERT_EQUAL(std::string("/chat/completions"), openai().path());
        CPPUNIT_ASSERT_EQUAL(std::string("Authorization: Bearer "), std::string(openai().keyHeader()));
        CPPUNIT_ASSERT(openai().headers().empty());
    }

    static void testMessages() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"([{"role":"system","content":"s\u0065"},{"role":"user","content":"u"},{"role":"assistant","content":""}])"),
            messagesOf(R"([{"role":"system","content":"s\u0065"},{"content":"u","role":"user","name":"x"},
                            {"role":"assistant","content":""}])"));
        CPPUNIT_ASSERT_EQUAL(std::string("[]"), messagesOf("[]"));
    }

    static void testParts() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"([{"role":"user","content":[{"type":"text","text":"look"},{"type":"text","text":"t"},)"
                R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AA","detail":"low"}},)"
                R"({"type":"image_url","image_url":{"url":"https://x"}}]}])"),
            messagesOf(R"([{"role":"user","content":"look","content_parts":[{"type":"text","text":"t"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AA","detail":"low"}},
                {"type":"image_url","image_url":{"url":"https://x"}}]}])"));
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"([{"role":"user","content":[{"type":"text","text":"t"}]}])"),
            messagesOf(R"([{"role":"user","content":"","content_parts":[{"type":"text","text":"t"}]}])"));
    }

    static void testToolCalls() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"([{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",)"
                        R"("function":{"name":"f","arguments":"{\"a\":\n\t\"x\\\"y\"}"}}]},)"
                        R"({"role":"tool","content":"out","tool_call_id":"1"}])"),
            messagesOf(
                "[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"1\",\"name\":\"f\","
                "\"arguments\":{\"a\":\n\t\"x\\\"y\"}}]},"
                "{\"role\":\"tool\",\"content\":\"out\",\"tool_call_id\":\"1\",\"name\":\"f\"}]"));
        CPPUNIT_ASSERT(messagesOf(R"([{"role":"assistant","content":"x","tool_calls":[
                                      {"id":"1","name":"f","arguments":{}}]}])")
                           .starts_with(R"([{"role":"assistant","content":"x","tool_calls":)"));
    }

    static void testArgumentsThatAreNoObject() {
        const auto arguments = [](const std::string& value) {
            return messagesOf(R"([{"role":"assistant","content":"","tool_calls":[
                                  {"id":"1","name":"f","arguments":)" +
                              value + "}]}]");
        };
        CPPUNIT_ASSERT(arguments("null").find(R"("arguments":"null"})") != std::string::npos);
        // A worker that kept the text as it came from a model.
        CPPUNIT_ASSERT(arguments(R"("{\"a\":1}")").find(R"("arguments":"{\"a\":1}"})") != std::string::npos);
    }

    static void testOrphans() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"([{"role":"user","content":"[Tool `f` returned: a\nb]"}])"),
            messagesOf(R"([{"role":"tool","content":"a\nb","tool_call_id":"1","name":"f"}])"));
    }

    static void testParameters() {
        const std::string request =
            R"({"messages":[],"max_tokens":5,"temperature":0.10,"stop_sequences":["a","b"]})";
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"model":"g\"x","messages":[],"max_tokens":5,"temperature":0.10,"stop":["a","b"]})"),
            bodyOf(request, {.model = "g\"x"}));
        CPPUNIT_ASSERT(bodyOf(request, {.model = "m", .maxTokensName = "max_completion_tokens"})
                           .find(R"("max_completion_tokens":5)") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"m","messages":[]})"), bodyOf(R"({"messages":[]})"));
    }

    static void testDroppedParameters() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"model":"m","messages":[],"max_tokens":5,"stream":true})"),
            bodyOf(R"({"messages":[],"max_tokens":5,"temperature":0.1,"stop_sequences":["a"]})",
                   {.model = "m", .stream = true, .dropped = {"temperature", "stop", "stream_options"}}));
    }

    static void testTools() {
        const std::string tool = R"({"name":"f","description":"d","parameters":{"type": "object"}})";
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"model":"m","messages":[],"tools":[{"type":"function","function":)") + tool +
                R"(},{"type":"function","function":)" + tool + R"(}],"tool_choice":"auto"})",
            bodyOf(R"({"messages":[],"tools":[)" + tool + "," + tool + R"(],"tool_choice":"auto"})",
                   {.model = "m"}, true));
        for (const char* choice : {"required", "none"}) {
            const std::string member = R"("tool_choice":")" + std::string(choice) + '"';
            std::string request = R"({"messages":[],"tools":[)" + tool;
            request += "]," + member + "}";
            CPPUNIT_ASSERT(bodyOf(request, {.model = "m"}, true).find(member) != std::string::npos);
        }
        // OpenAI refuses an empty list, and a choice among none.
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"model":"m","messages":[]})"),
            bodyOf(R"({"messages":[],"tools":[],"tool_choice":"auto"})", {.model = "m"}, true));
    }

    static void testStream() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}})"),
            bodyOf(R"({"messages":[]})", {.model = "m", .stream = true}));
    }

    static void testText() {
        const Completion completion = parsed("openai_text.json");
        CPPUNIT_ASSERT_EQUAL(std::string("Hello! How can I assist you today? \xe2\x80\x94 \xf0\x9f\x99\x82"),
                             completion.content.value());
        CPPUNIT_ASSERT(completion.toolCalls.empty());
        CPPUNIT_ASSERT_EQUAL(std::string("gpt-4.1-2025-04-14"), completion.model);
        expectUsage(19, 10, 0, 0, completion.usage);
        expectFinish("stop", completion.finish);
    }

    static void testToolAnswer() {
        const Completion completion = parsed("openai_tools.json");
        CPPUNIT_ASSERT(!completion.content);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, completion.toolCalls.size());
        CPPUNIT_ASSERT_EQUAL(std::string("call_abc123"), completion.toolCalls[0].id);
        CPPUNIT_ASSERT_EQUAL(std::string("get_current_weather"), completion.toolCalls[0].name);
        CPPUNIT_ASSERT_EQUAL(std::string("{\n\"location\": \"Boston, MA\"\n}"),
                             completion.toolCalls[0].arguments);
        CPPUNIT_ASSERT_EQUAL(std::string("{}"), completion.toolCalls[1].arguments);
        expectFinish("tool_use", completion.finish);
    }

    static void testReasoning() {
        const Completion completion = parsed("openai_reasoning.json");
        CPPUNIT_ASSERT_EQUAL(std::string("9.8 is greater."), completion.content.value());
        expectUsage(17, 152, 12, 0, completion.usage);
    }

    static void testCacheUsage() {
        const Completion completion = parsed("openai_cache.json");
        expectUsage(2006, 300, 1920, 0, completion.usage);
        expectFinish("length", completion.finish);
    }

    static void testRefusal() {
        const Completion completion = parsed("openai_refusal.json");
        CPPUNIT_ASSERT_EQUAL(std::string("I'm sorry, I cannot assist with that request."),
                             completion.content.value());
    }

    static void testFinishReasons() {
        const std::vector<std::pair<std::string, std::string>> table = {
            {"\"stop\"", "stop"},
            {"\"length\"", "length"},
            {"\"tool_calls\"", "tool_use"},
            {"\"content_filter\"", "content_filter"},
            {"\"function_call\"", "unknown"},
            {"null", "unknown"},
        };
        for (const auto& [reason, word] : table) {
            expectFinish(word, openai()
                                   .parse(R"({"choices":[{"message":{"content":"a"},"finish_reason":)" +
                                          reason + "}]}")
                                   .finish);
        }
    }

    static void testOddAnswers() {
        const auto content = [](const std::string& message) {
            return openai().parse(R"({"choices":[{"message":)" + message + "}]}");
        };
        CPPUNIT_ASSERT_EQUAL(std::string(), content("{}").content.value());
        // Mistral's thinking models answer with parts.
        CPPUNIT_ASSERT_EQUAL(
            std::string("ab"),
            content(R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},
                        {"type":"text","text":"a"},{"type":"text","text":"b"}]})")
                .content.value());
        // Others leave out the identifier, and do not print arguments into a string.
        const Completion completion = content(
            R"({"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}},{"function":{"name":"g","arguments":""}}]})");
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a":1})"), completion.toolCalls[0].arguments);
        CPPUNIT_ASSERT_EQUAL(std::string("{}"), completion.toolCalls[1].arguments);
        CPPUNIT_ASSERT(completion.toolCalls[0].id.starts_with("call_"));
        CPPUNIT_ASSERT(completion.toolCalls[0].id != completion.toolCalls[1].id);
    }

    static void testUsageThatIsNone() {
        const auto usage = [](const std::string& members) {
            return openai().parse(R"({"choices":[{"message":{"content":"12345678"}}])" + members + "}").usage;
        };
        expectUsage(0, 2, 0, 0, usage(""));
        expectUsage(0, 0, 0, 0, usage(R"(,"usage":{"prompt_tokens":-5,"completion_tokens":"7"})"));
        expectUsage(4294967295, 0, 0, 0, usage(R"(,"usage":{"prompt_tokens":99999999999999})"));
    }

    static void testBadAnswers() {
        expectBadAnswer("<html>", [] { static_cast<void>(openai().parse("<html>Bad gateway</html>")); });
        expectBadAnswer("JSON", [] { static_cast<void>(openai().parse("")); });
        expectBadAnswer("JSON", [] { static_cast<void>(openai().parse("[]")); });
        expectBadAnswer("message", [] { static_cast<void>(openai().parse("{}")); });
        expectBadAnswer("message", [] { static_cast<void>(openai().parse(R"({"choices":[]})")); });
        expectBadAnswer("message",
                        [] { static_cast<void>(openai().parse(R"({"choices":[{"message":1}]})")); });
        // OpenRouter tells of errors with status 200.
        expectBadAnswer("Rate limit reached",
                        [] { static_cast<void>(openai().parse(recorded("openai_error.json"))); });
        for (const char* arguments : {"\"{\\\"a\\\":\"", "\"[]\"", "\"7\""}) {
            expectBadAnswer("arguments", [&] {
                static_cast<void>(openai().parse(
                    R"({"choices":[{"message":{"tool_calls":[{"id":"1","function":{"name":"f","arguments":)" +
                    std::string(arguments) + "}}]}}]}"));
            });
        }
    }

    static void testStreamedText() {
        const std::string stream = recorded("openai_stream_text.sse");
        for (const std::size_t size : {std::size_t{1}, std::size_t{7}, stream.size()}) {
            const auto [pieces, completion] = decode(openai(), stream, size);
            CPPUNIT_ASSERT_EQUAL(std::string("Hello|, w\xc3\xb6rld|"), pieces);
            CPPUNIT_ASSERT_EQUAL(std::string("Hello, w\xc3\xb6rld"), completion.content.value());
            CPPUNIT_ASSERT_EQUAL(std::string("gpt-4o-mini"), completion.model);
            expectUsage(9, 3, 4, 0, completion.usage);
            expectFinish("stop", completion.finish);
        }
    }

    static void testStreamedTools() {
        const std::string stream = recorded("openai_stream_tools.sse");
        const auto [pieces, completion] = decode(openai(), stream, 11);
        CPPUNIT_ASSERT_EQUAL(std::string("<0 call_DdmO9pD3xa9XTPNJ32zg2hcA get_weather><0 {\"loc>"
                                         "<0 ation\":\"Paris\"}><1 call_2 get_time><1 {}>"),
                             pieces);
        CPPUNIT_ASSERT(!completion.content);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"location":"Paris"})"), completion.toolCalls.at(0).arguments);
        CPPUNIT_ASSERT_EQUAL(std::string("get_time"), completion.toolCalls.at(1).name);
        expectUsage(60, 24, 0, 0, completion.usage);
        expectFinish("tool_use", completion.finish);
    }

    // Calls that have no numbers and come whole, and no end but a reason.
    static void testOddStreams() {
        const auto call = [](const std::string& id, const std::string& after) {
            return event(R"({"choices":[{"delta":{"tool_calls":[{"id":")" + id +
                         R"(","function":{"name":"f","arguments":"{}"}}]})" + after + "}]}");
        };
        const std::string stream =
            ": hello\n\n" + call("a", "") + call("b", R"(,"finish_reason":"tool_calls")");
        const auto [pieces, completion] = decode(openai(), stream, 5);
        CPPUNIT_ASSERT_EQUAL(std::string("<0 a f><0 {}><1 b f><1 {}>"), pieces);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, completion.toolCalls.size());
    }

    static void testBrokenStreams() {
        const auto decodeAll = [](const std::string& stream) {
            static_cast<void>(decode(openai(), stream, stream.size()));
        };
        expectBadAnswer("ended before",
                        [&] { decodeAll(event(R"({"choices":[{"delta":{"content":"a"}}]})")); });
        expectBadAnswer("ended before", [&] { decodeAll(""); });
        expectBadAnswer("invalid JSON", [&] { decodeAll(event("{")); });
        expectBadAnswer("no JSON object", [&] { decodeAll(event("[]")); });
        expectBadAnswer("overloaded", [&] { decodeAll(event(R"({"error":{"message":"overloaded"}})")); });
        expectBadAnswer("more than", [&] { decodeAll("data: " + std::string(maxEventSize, 'x')); });
        std::string calls;
        for (int i = 0; i <= 512; ++i) {
            calls += R"({"index":)" + std::to_string(i) + "},";
        }
        calls.back() = ']';
        expectBadAnswer(
            "512", [&] { decodeAll(event(R"({"choices":[{"delta":{"tool_calls":[)" + calls + "}}]}")); });
    }

    static void testUsageOfAStreamThatIsCut() {
        const auto decoder = openai().decoder();
        decoder->feed(event(R"({"choices":[{"delta":{"content":"12345678"}}]})"), [](const Delta&) {});
        expectUsage(0, 2, 0, 0, decoder->usage());
    }

    static void testErrorText() {
        CPPUNIT_ASSERT(upstreamErrorText(recorded("openai_error.json")).starts_with("Rate limit reached"));
        CPPUNIT_ASSERT_EQUAL(std::string("Overloaded"), upstreamErrorText(recorded("anthropic_error.json")));
        CPPUNIT_ASSERT_EQUAL(std::string("model 'llama9' not found"),
                             upstreamErrorText(recorded("ollama_error.json")));
        CPPUNIT_ASSERT_EQUAL(std::string("<html>\\x0a\\x1b[0m"), upstreamErrorText("<html>\n\x1b[0m"));
        CPPUNIT_ASSERT_EQUAL(std::string(500, 'x') + "…", upstreamErrorText(std::string(9999, 'x')));
        CPPUNIT_ASSERT_EQUAL(std::string(), upstreamErrorText(""));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OpenAiDialectTest);

}  // namespace
}  // namespace sallyport::plugins::llm
