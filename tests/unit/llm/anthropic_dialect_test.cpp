#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "expect.h"
#include "plugins/llm/dialect.h"
#include "recorded.h"

namespace sallyport::plugins::llm {
namespace {

const Dialect& anthropic() {
    return dialect(ProviderType::anthropic);
}

std::string bodyOf(const std::string& request, const BodyOptions& options = {.model = "m"},
                   bool withTools = false) {
    return anthropic().body(parseChatRequest(request, withTools), options);
}

/// What follows the model and the limit when the request has these messages.
std::string restOf(const std::string& messages) {
    const std::string body = bodyOf(R"({"messages":)" + messages + "}");
    const std::string before = R"({"model":"m","max_tokens":4096,)";
    CPPUNIT_ASSERT_EQUAL(before, body.substr(0, before.size()));
    return body.substr(before.size(), body.size() - before.size() - 1);
}

Completion parsed(const std::string& name) {
    return anthropic().parse(recorded(name));
}

class AnthropicDialectTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AnthropicDialectTest);
    CPPUNIT_TEST(testRequestLineAndHeaders);
    CPPUNIT_TEST(testMessages);
    CPPUNIT_TEST(testBlankText);
    CPPUNIT_TEST(testImages);
    CPPUNIT_TEST(testToolsAndResults);
    CPPUNIT_TEST(testResultsComeFirst);
    CPPUNIT_TEST(testArgumentsThatAreNoObject);
    CPPUNIT_TEST(testParameters);
    CPPUNIT_TEST(testToolDefinitions);
    CPPUNIT_TEST(testCachedPrompts);
    CPPUNIT_TEST(testText);
    CPPUNIT_TEST(testToolAnswer);
    CPPUNIT_TEST(testThinking);
    CPPUNIT_TEST(testCacheUsage);
    CPPUNIT_TEST(testRefusal);
    CPPUNIT_TEST(testBadAnswers);
    CPPUNIT_TEST(testStreamedText);
    CPPUNIT_TEST(testStreamedTools);
    CPPUNIT_TEST(testToolsOfTheProviderAreNotTheWorkers);
    CPPUNIT_TEST(testBrokenStreams);
    CPPUNIT_TEST(testUsageOfAStreamThatIsCut);
    CPPUNIT_TEST_SUITE_END();

    static void testRequestLineAndHeaders() {
        CPPUNIT_ASSERT_EQUAL(std::string("/v1/messages"), anthropic().path());
        CPPUNIT_ASSERT_EQUAL(std::string("x-api-key: "), std::string(anthropic().keyHeader()));
        CPPUNIT_ASSERT_EQUAL(std::string("anthropic-version: 2023-06-01"), anthropic().headers().at(0));
    }

    static void testMessages() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"("system":[{"type":"text","text":"s"},{"type":"text","text":"late"}],"messages":[)"
                R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"\u0062"}]},)"
                R"({"role":"assistant","content":[{"type":"text","text":"c"}]},)"
                R"({"role":"user","content":[{"type":"text","text":"d"}]}])"),
            restOf(R"([{"role":"system","content":"s"},{"role":"user","content":"a"},
                       {"role":"system","content":"late"},{"role":"user","content":"\u0062"},
                       {"role":"assistant","content":"c"},{"role":"user","content":"d"}])"));
    }

    // Anthropic refuses text without a word in it, and messages without content.
    static void testBlankText() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"("messages":[{"role":"user","content":[{"type":"text","text":"a"}]}])"),
            restOf(R"([{"role":"system","content":""},{"role":"user","content":"a"},
                       {"role":"user","content":" "},{"role":"assistant","content":" \n\t\r"}])"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"("messages":[])"), restOf("[]"));
    }

    static void testImages() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"("messages":[{"role":"user","content":[{"type":"text","text":"look"},)"
                R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA\/="}},)"
                R"({"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}])"),
            restOf(R"([{"role":"user","content":"look","content_parts":[
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AA\/=","detail":"low"}},
                {"type":"image_url","image_url":{"url":"https://x/y.png"}}]}])"));
        expectRefused(422, "messages[0].content_parts[0].image_url.url", [] {
            static_cast<void>(restOf(R"([{"role":"user","content":"","content_parts":[
                {"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}])"));
        });
    }

    static void testToolsAndResults() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"("messages":[{"role":"assistant","content":[{"type":"text","text":"so"},)"
                R"({"type":"tool_use","id":"1","name":"f","input":{"a": 1}},)"
                R"({"type":"tool_use","id":"2","name":"g","input":{}}]},)"
                R"({"role":"user","content":[)"
                R"({"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"one"}]},)"
                R"({"type":"tool_result","tool_use_id":"2","content":[]}]}])"),
            restOf(R"([{"role":"assistant","content":"so","tool_calls":[
                        {"id":"1","name":"f","arguments":{"a": 1}},{"id":"2","name":"g","arguments":{}}]},
                       {"role":"tool","content":"one","tool_call_id":"1","name":"f"},
                       {"role":"tool","content":"","tool_call_id":"2"}])"));
    }

    static void testResultsComeFirst() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"("messages":[{"role":"assistant","content":[)"
                R"({"type":"tool_use","id":"1","name":"f","input":{}}]},)"
                R"({"role":"user","content":[)"
                R"({"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"one"}]},)"
                R"({"type":"text","text":"[Tool `unknown` returned: lost]"},)"
                R"({"type":"text","text":"go on"}]}])"),
            restOf(R"([{"role":"assistant","content":"","tool_calls":[{"id":"1","name":"f","arguments":{}}]},
                       {"role":"tool","content":"lost","tool_call_id":"9"},
                       {"role":"tool","content":"one","tool_call_id":"1"},
                       {"role":"user","content":"go on"}])"));
    }

    static void testArgumentsThatAreNoObject() {
        CPPUNIT_ASSERT(restOf(R"([{"role":"assistant","content":"","tool_calls":[
                                   {"id":"1","name":"f","arguments":[1]}]}])")
                           .find(R"("input":{"arguments":[1]})") != std::string::npos);
    }

    static void testParameters() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"model":"m","max_tokens":5,"messages":[],"temperature":0.10,)"
                        R"("stop_sequences":["a"],"stream":true})"),
            bodyOf(R"({"messages":[],"max_tokens":5,"temperature":0.10,"stop_sequences":["a"]})",
                   {.model = "m", .stream = true}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"model":"m","max_tokens":77,"messages":[]})"),
            bodyOf(R"({"messages":[],"temperature":1,"stop_sequences":["a"]})",
                   {.model = "m", .dropped = {"temperature", "stop_sequences"}, .defaultMaxTokens = 77}));
    }

    static void testToolDefinitions() {
        const std::string before =
            R"({"messages":[],"tools":[{"name":"f","description":"d","parameters":{"type": "object"}}],"tool_choice":")";
        const std::vector<std::pair<std::string, std::string>> choices = {
            {"auto", "auto"}, {"required", "any"}, {"none", "none"}};
        for (const auto& [seed, native] : choices) {
            std::string request = before;
            request += seed + "\"}";
            CPPUNIT_ASSERT_EQUAL(
                std::string(
                    R"({"model":"m","max_tokens":4096,"messages":[],"tools":[{"name":"f","description":"d",)"
                    R"("input_schema":{"type": "object"}}],"tool_choice":{"type":")") +
                    native + R"("}})",
                bodyOf(request, {.model = "m"}, true));
        }
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"model":"m","max_tokens":4096,"messages":[]})"),
            bodyOf(R"({"messages":[],"tools":[],"tool_choice":"auto"})", {.model = "m"}, true));
    }

    static void testCachedPrompts() {
        const std::string mark = R"("cache_control":{"type":"ephemeral"})";
        CPPUNIT_ASSERT_EQUAL(
            R"({"model":"m","max_tokens":4096,"system":[{"type":"text","text":"a"},{"type":"text","text":"b",)" +
                mark +
                R"(}],"messages":[],"tools":[{"name":"f","description":"","input_schema":{}},)"
                R"({"name":"g","description":"","input_schema":{},)" +
                mark + "}]}",
            bodyOf(R"({"messages":[{"role":"system","content":"a"},{"role":"system","content":"b"}],"tools":[
                       {"name":"f","description":"","parameters":{}},
                       {"name":"g","description":"","parameters":{}}]})",
                   {.model = "m", .cachePrompts = true}, true));
    }

    static void testText() {
        const Completion completion = parsed("anthropic_text.json");
        CPPUNIT_ASSERT_EQUAL(std::string("Hi! My name is Claude."), completion.content.value());
        CPPUNIT_ASSERT_EQUAL(std::string("claude-sonnet-4-5"), completion.model);
        expectUsage(2095, 503, 0, 0, completion.usage);
        expectFinish("stop", completion.finish);
    }

    static void testToolAnswer() {
        const Completion completion = parsed("anthropic_tools.json");
        CPPUNIT_ASSERT(completion.content.value().starts_with("I'll check"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, completion.toolCalls.size());
        CPPUNIT_ASSERT_EQUAL(std::string("toolu_01A09q90qw90lq917835lq9"), completion.toolCalls[0].id);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"location": "San Francisco, CA", "unit": "celsius"})"),
                             completion.toolCalls[0].arguments);
        expectUsage(384, 68, 0, 0, completion.usage);
        expectFinish("tool_use", completion.finish);
    }

    static void testThinking() {
        const Completion completion = parsed("anthropic_thinking.json");
        CPPUNIT_ASSERT_EQUAL(std::string("Based on my analysis, yes."), completion.content.value());
        expectFinish("stop", completion.finish);
    }

    // The provider counts what came from the cache apart; here the input is all of it.
    static void testCacheUsage() {
        const Completion completion = parsed("anthropic_cache.json");
        expectUsage(21 + 188 + 18000, 393, 18000, 188, completion.usage);
        expectFinish("length", completion.finish);
    }

    static void testRefusal() {
        const Completion completion = parsed("anthropic_refusal.json");
        CPPUNIT_ASSERT_EQUAL(std::string(), completion.content.value());
        expectFinish("content_filter", completion.finish);
        expectFinish("unknown", anthropic().parse(R"({"content":[],"stop_reason":"pause_turn"})").finish);
    }

    static void testBadAnswers() {
        expectBadAnswer("<html>", [] { static_cast<void>(anthropic().parse("<html>")); });
        expectBadAnswer("content", [] { static_cast<void>(anthropic().parse("{}")); });
        expectBadAnswer("content", [] { static_cast<void>(anthropic().parse(R"({"content":"a"})")); });
        expectBadAnswer("Overloaded", [] { static_cast<void>(parsed("anthropic_error.json")); });
    }

    static void testStreamedText() {
        const std::string stream = recorded("anthropic_stream_text.sse");
        for (const std::size_t size : {std::size_t{1}, std::size_t{13}, stream.size()}) {
            const auto [pieces, completion] = decode(anthropic(), stream, size);
            CPPUNIT_ASSERT_EQUAL(std::string("Hello|!|"), pieces);
            CPPUNIT_ASSERT_EQUAL(std::string("Hello!"), completion.content.value());
            CPPUNIT_ASSERT_EQUAL(std::string("claude-sonnet-4-5"), completion.model);
            expectUsage(25 + 100 + 1000, 15, 1000, 100, completion.usage);
            expectFinish("stop", completion.finish);
        }
    }

    static void testStreamedTools() {
        const auto [pieces, completion] = decode(anthropic(), recorded("anthropic_stream_tools.sse"), 50);
        CPPUNIT_ASSERT_EQUAL(std::string("Okay|<0 toolu_01T1x1fJ34qAmk2tNTrN7Up6 get_weather>"
                                         "<0 {\"location\":><0  \"San Francisco, CA\"}>"),
                             pieces);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"location": "San Francisco, CA"})"),
                             completion.toolCalls.at(0).arguments);
        expectUsage(472, 89, 0, 0, completion.usage);
        expectFinish("tool_use", completion.finish);
    }

    static void testToolsOfTheProviderAreNotTheWorkers() {
        const std::string stream =
            "data: "
            "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\","
            "\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}\n\n"
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\","
            "\"partial_json\":\"{}\"}}\n\n"
            "data: {\"type\":\"something_new\"}\n\n"
            "data: {\"type\":\"message_stop\"}\n\n";
        const auto [pieces, completion] = decode(anthropic(), stream, 20);
        CPPUNIT_ASSERT_EQUAL(std::string(), pieces);
        CPPUNIT_ASSERT(completion.toolCalls.empty());
    }

    static void testBrokenStreams() {
        const auto decodeAll = [](const std::string& stream) {
            static_cast<void>(decode(anthropic(), stream, stream.size()));
        };
        std::string cut = recorded("anthropic_stream_text.sse");
        cut.resize(cut.find("event: message_stop"));
        expectBadAnswer("ended before", [&] { decodeAll(cut); });
        expectBadAnswer("Overloaded", [&] {
            decodeAll(
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
                "\"message\":\"Overloaded\"}}\n\n");
        });
        expectBadAnswer("invalid JSON", [&] { decodeAll("data: nonsense\n\n"); });
    }

    static void testUsageOfAStreamThatIsCut() {
        const std::string stream = recorded("anthropic_stream_text.sse");
        const auto decoder = anthropic().decoder();
        decoder->feed(stream.substr(0, stream.find("event: message_delta")), [](const Delta&) {});
        expectUsage(1125, 2, 1000, 100, decoder->usage());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AnthropicDialectTest);

}  // namespace
}  // namespace sallyport::plugins::llm
