#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "expect.h"
#include "plugins/llm/dialect.h"
#include "recorded.h"

namespace sallyport::plugins::llm {
namespace {

const Dialect& ollama() {
    return dialect(ProviderType::ollama);
}

std::string bodyOf(const std::string& request, const BodyOptions& options = {.model = "m"},
                   bool withTools = false) {
    return ollama().body(parseChatRequest(request, withTools), options);
}

std::string messagesOf(const std::string& messages) {
    const std::string body = bodyOf(R"({"messages":)" + messages + "}");
    const std::string before = R"({"model":"m","messages":)";
    const std::string after = R"(,"stream":false})";
    CPPUNIT_ASSERT(body.starts_with(before) && body.ends_with(after));
    return body.substr(before.size(), body.size() - before.size() - after.size());
}

class OllamaDialectTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OllamaDialectTest);
    CPPUNIT_TEST(testMessages);
    CPPUNIT_TEST(testImages);
    CPPUNIT_TEST(testParameters);
    CPPUNIT_TEST(testTools);
    CPPUNIT_TEST(testText);
    CPPUNIT_TEST(testToolAnswer);
    CPPUNIT_TEST(testFinishReasons);
    CPPUNIT_TEST(testBadAnswers);
    CPPUNIT_TEST(testStream);
    CPPUNIT_TEST(testBrokenStreams);
    CPPUNIT_TEST(testEchoHasNoDialect);
    CPPUNIT_TEST_SUITE_END();

    static void testMessages() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"([{"role":"system","content":"s"},{"role":"user","content":"say \"\nt"},)"
                R"({"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},)"
                R"({"role":"tool","content":"out","tool_name":"f"},)"
                R"({"role":"user","content":"[Tool `unknown` returned: x]"}])"),
            messagesOf(R"([{"role":"system","content":"s"},
                {"role":"user","content":"say \"","content_parts":[{"type":"text","text":"t"}]},
                {"role":"assistant","content":"","tool_calls":[{"id":"1","name":"f","arguments":{"a":1}}]},
                {"role":"tool","content":"out","tool_call_id":"1","name":"f"},
                {"role":"tool","content":"x","tool_call_id":"2"}])"));
    }

    static void testImages() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"role":"user","content":"look","images":["AA","BB\/"]}])"),
                             messagesOf(R"([{"role":"user","content":"look","content_parts":[
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,BB\/"}}]}])"));
        // It would have to be fetched, which nobody does.
        expectRefused(422, "messages[0].content_parts[0].image_url.url", [] {
            static_cast<void>(messagesOf(R"([{"role":"user","content":"","content_parts":[
                {"type":"image_url","image_url":{"url":"https://x/y.png"}}]}])"));
        });
    }

    static void testParameters() {
        const std::string request =
            R"({"messages":[],"max_tokens":5,"temperature":0.10,"stop_sequences":["a","b"]})";
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"model":"m","messages":[],)"
                        R"("options":{"num_predict":5,"temperature":0.10,"stop":["a","b"]},"stream":true})"),
            bodyOf(request, {.model = "m", .stream = true}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"model":"m","messages":[],"stream":false})"),
            bodyOf(request, {.model = "m", .dropped = {"num_predict", "temperature", "stop"}}));
    }

    static void testTools() {
        const std::string request =
            R"({"messages":[],"tools":[{"name":"f","description":"d","parameters":{}}],"tool_choice":")";
        const std::string tools =
            R"("tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{}}}])";
        CPPUNIT_ASSERT_EQUAL(R"({"model":"m","messages":[],)" + tools + R"(,"stream":false})",
                             bodyOf(request + "auto\"}", {.model = "m"}, true));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"m","messages":[],"stream":false})"),
                             bodyOf(request + "none\"}", {.model = "m"}, true));
    }

    static void testText() {
        const Completion completion = ollama().parse(recorded("ollama_text.json"));
        CPPUNIT_ASSERT_EQUAL(std::string("Hello! How are you today?"), completion.content.value());
        CPPUNIT_ASSERT_EQUAL(std::string("llama3.2"), completion.model);
        expectUsage(26, 298, 0, 0, completion.usage);
        expectFinish("stop", completion.finish);
    }

    static void testToolAnswer() {
        const Completion completion = ollama().parse(recorded("ollama_tools.json"));
        CPPUNIT_ASSERT(!completion.content);
        const ToolCall& call = completion.toolCalls.at(0);
        CPPUNIT_ASSERT_EQUAL(std::string("get_current_weather"), call.name);
        CPPUNIT_ASSERT(call.id.starts_with("call_") && call.id.size() > 20);
        CPPUNIT_ASSERT_EQUAL('{', call.arguments.front());
        expectFinish("tool_use", completion.finish);
    }

    static void testFinishReasons() {
        const auto finish = [](const std::string& reason) {
            return ollama().parse(R"({"message":{"content":"12345"},"done_reason":)" + reason + "}");
        };
        expectFinish("length", finish("\"length\"").finish);
        expectFinish("unknown", finish("\"load\"").finish);
        expectFinish("unknown", finish("null").finish);
        expectUsage(0, 2, 0, 0, finish("null").usage);
    }

    static void testBadAnswers() {
        expectBadAnswer("not found",
                        [] { static_cast<void>(ollama().parse(recorded("ollama_error.json"))); });
        expectBadAnswer("message", [] { static_cast<void>(ollama().parse("{}")); });
        expectBadAnswer("JSON", [] { static_cast<void>(ollama().parse("404 page not found")); });
    }

    static void testStream() {
        const std::string stream = recorded("ollama_stream.ndjson");
        for (const std::size_t size : {std::size_t{1}, std::size_t{100}, stream.size()}) {
            const auto [pieces, completion] = decode(ollama(), stream, size);
            CPPUNIT_ASSERT(pieces.starts_with("The| sky|<0 call_"));
            CPPUNIT_ASSERT(pieces.ends_with(R"( look><0 {"at":"sky"}>)"));
            CPPUNIT_ASSERT_EQUAL(std::string("The sky"), completion.content.value());
            CPPUNIT_ASSERT_EQUAL(std::string(R"({"at":"sky"})"), completion.toolCalls.at(0).arguments);
            CPPUNIT_ASSERT_EQUAL(std::string("qwen3"), completion.model);
            expectUsage(26, 282, 0, 0, completion.usage);
            expectFinish("tool_use", completion.finish);
        }
    }

    static void testBrokenStreams() {
        const std::string piece = R"({"message":{"content":"12345678"},"done":false})";
        const auto decodeAll = [](const std::string& stream) {
            static_cast<void>(decode(ollama(), stream, stream.size()));
        };
        expectBadAnswer("ended before", [&] { decodeAll(piece + "\n"); });
        expectBadAnswer("ended before", [&] { decodeAll("\n\n"); });
        expectBadAnswer("too weak", [&] { decodeAll(piece + "\n{\"error\":\"too weak\"}\n"); });
        expectBadAnswer("too long", [&] { decodeAll(std::string(maxEventSize + 1, 'x')); });
        const auto decoder = ollama().decoder();
        decoder->feed(piece + "\n", [](const Delta&) {});
        expectUsage(0, 2, 0, 0, decoder->usage());
    }

    static void testEchoHasNoDialect() {
        CPPUNIT_ASSERT_THROW(static_cast<void>(dialect(ProviderType::echo)), std::invalid_argument);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OllamaDialectTest);

}  // namespace
}  // namespace sallyport::plugins::llm
