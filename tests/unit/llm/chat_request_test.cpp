#include "plugins/llm/chat_request.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "expect.h"

namespace sallyport::plugins::llm {
namespace {

std::string str(Raw raw) {
    return std::string(raw);
}

class ChatRequestTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ChatRequestTest);
    CPPUNIT_TEST(testSmallest);
    CPPUNIT_TEST(testEverything);
    CPPUNIT_TEST(testWhatIsKeptIsWhatWasWritten);
    CPPUNIT_TEST(testNullCountsAsAbsent);
    CPPUNIT_TEST(testUnknownFieldsAreIgnored);
    CPPUNIT_TEST(testOrphans);
    CPPUNIT_TEST(testOrphanText);
    CPPUNIT_TEST(testNotJson);
    CPPUNIT_TEST(testWrongShapeNamesTheField);
    CPPUNIT_TEST(testWrongShapeOfTools);
    CPPUNIT_TEST(testNotJsonComesFirst);
    CPPUNIT_TEST(testToolsAreForOneEndpointOnly);
    CPPUNIT_TEST(testImageSources);
    CPPUNIT_TEST(testRequiredImages);
    CPPUNIT_TEST(testEstimate);
    CPPUNIT_TEST_SUITE_END();

    static void testSmallest() {
        const ChatRequest request = parseChatRequest(R"({"messages":[]})", false);
        CPPUNIT_ASSERT(request.messages.empty());
        CPPUNIT_ASSERT(!request.model && !request.maxTokens && request.temperature.empty());
        CPPUNIT_ASSERT(request.stopSequences.empty() && request.tools.empty() && !request.toolChoice);
    }

    static void testEverything() {
        const std::string body = R"( {
            "model": "m\u00f6", "max_tokens": 4294967295, "temperature": 0.70, "stop_sequences": ["a", "\n"],
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "u", "content_parts": [{"type": "text", "text": "t"},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}]},
                {"content": "", "role": "assistant",
                 "tool_calls": [{"id": "1", "name": "f", "arguments": {"a": [1, 2]}, "reasoning": "r"}]},
                {"role": "tool", "content": "out", "tool_call_id": "1", "name": "f"}],
            "tools": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
            "tool_choice": "required" } )";
        const ChatRequest request = parseChatRequest(body, true);
        CPPUNIT_ASSERT_EQUAL(std::string("m\xc3\xb6"), request.model.value());
        CPPUNIT_ASSERT_EQUAL(4294967295U, request.maxTokens.value());
        CPPUNIT_ASSERT_EQUAL(std::string("0.70"), str(request.temperature));
        CPPUNIT_ASSERT_EQUAL(std::string("\"\\n\""), str(request.stopSequences.at(1)));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, request.messages.size());
        CPPUNIT_ASSERT(ChatRole::system == request.messages[0].role);
        const ChatMessage& user = request.messages[1];
        CPPUNIT_ASSERT_EQUAL(std::string("\"u\""), str(user.content));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, user.parts.size());
        CPPUNIT_ASSERT_EQUAL(std::string("\"t\""), str(user.parts[0].value));
        CPPUNIT_ASSERT(ContentPart::Kind::image == user.parts[1].kind);
        CPPUNIT_ASSERT_EQUAL(std::string("\"https://x/y.png\""), str(user.parts[1].value));
        CPPUNIT_ASSERT_EQUAL(std::string("\"low\""), str(user.parts[1].detail));
        const PastToolCall& call = request.messages[2].toolCalls.at(0);
        CPPUNIT_ASSERT_EQUAL(std::string("\"1\""), str(call.id));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a": [1, 2]})"), str(call.arguments));
        CPPUNIT_ASSERT_EQUAL(std::string("\"f\""), str(request.messages[3].name));
        CPPUNIT_ASSERT_EQUAL(std::string("\"1\""), str(request.messages[3].toolCallId));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"type": "object"})"), str(request.tools.at(0).parameters));
        CPPUNIT_ASSERT_EQUAL(std::string("\"d\""), str(request.tools[0].description));
        CPPUNIT_ASSERT(ToolChoice::required == request.toolChoice);
    }

    static void testWhatIsKeptIsWhatWasWritten() {
        const std::string body = R"({"messages":[{"role":"us\u0065r","content":"\u0041\/\ud83d\ude42"}]})";
        const ChatRequest request = parseChatRequest(body, false);
        CPPUNIT_ASSERT(ChatRole::user == request.messages[0].role);
        CPPUNIT_ASSERT_EQUAL(std::string(R"("\u0041\/\ud83d\ude42")"), str(request.messages[0].content));
        CPPUNIT_ASSERT(request.messages[0].content.data() > body.data() &&
                       request.messages[0].content.data() < body.data() + body.size());
    }

    // A worker in Rust sends its options so.
    static void testNullCountsAsAbsent() {
        const ChatRequest request = parseChatRequest(
            R"({"messages":[{"role":"user","content":"a","content_parts":null,"tool_call_id":null,"name":null,
                "tool_calls":null}],"model":null,"max_tokens":null,"temperature":null,"stop_sequences":null,
                "tools":[],"tool_choice":null})",
            true);
        CPPUNIT_ASSERT(!request.model && !request.maxTokens && request.temperature.empty());
        CPPUNIT_ASSERT(!request.toolChoice);
        CPPUNIT_ASSERT(request.messages[0].parts.empty() && request.messages[0].toolCallId.empty());
    }

    static void testUnknownFieldsAreIgnored() {
        const ChatRequest request = parseChatRequest(
            R"({"x":{"y":[1]},"messages":[{"role":"user","z":[],"content":"a"}],"metadata":{}})", false);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, request.messages.size());
    }

    static void testOrphans() {
        const ChatRequest request = parseChatRequest(
            R"({"messages":[
                {"role":"tool","content":"too early","tool_call_id":"a"},
                {"role":"assistant","content":"","tool_calls":[{"id":"\u0061","name":"f","arguments":{}}]},
                {"role":"tool","content":"ok","tool_call_id":"a"},
                {"role":"tool","content":"other","tool_call_id":"b"},
                {"role":"tool","content":"none"},
                {"role":"user","content":"x","tool_calls":[{"id":"c","name":"f","arguments":{}}]},
                {"role":"tool","content":"called by a user","tool_call_id":"c"}]})",
            false);
        std::string orphans;
        for (const ChatMessage& message : request.messages) {
            orphans += message.orphan ? 'o' : '.';
        }
        CPPUNIT_ASSERT_EQUAL(std::string("o..oo.o"), orphans);
    }

    static void testOrphanText() {
        ChatMessage message;
        message.content = R"("a\n\"b\"")";
        CPPUNIT_ASSERT_EQUAL(std::string(R"("[Tool `unknown` returned: a\n\"b\"]")"), orphanText(message));
        message.name = R"("f\u0065")";
        CPPUNIT_ASSERT_EQUAL(std::string("[Tool `fe` returned: a\n\"b\"]"), decoded(orphanText(message)));
    }

    static void testNotJson() {
        for (const char* body : {"", "{", R"({"messages":[})", R"({"messages":[]}})",
                                 R"({"messages":[],"x":[}]})", R"({"messages":[],"x":"\q"})", "\xff"}) {
            expectRefused(400, "invalid JSON", [&] { static_cast<void>(parseChatRequest(body, false)); });
        }
        const std::string deep =
            R"({"messages":[],"x":)" + std::string(100, '[') + std::string(100, ']') + '}';
        expectRefused(400, "nested", [&] { static_cast<void>(parseChatRequest(deep, false)); });
        CPPUNIT_ASSERT_NO_THROW(static_cast<void>(parseChatRequest(deep, false, {.depth = 101})));
    }

    static void testWrongShapeNamesTheField() {
        const auto refused = [](const std::string& body, const std::string& part) {
            expectRefused(422, part, [&] { static_cast<void>(parseChatRequest(body, false)); });
        };
        const auto message = [&](const std::string& members, const std::string& part) {
            refused(R"({"messages":[{"role":"user","content":""},{)" + members + "}]}", part);
        };
        refused("[]", "the body must be a JSON object, not an array");
        refused("{}", "messages");
        refused(R"({"messages":null})", "messages");
        refused(R"({"messages":{}})", "must be an array, not an object");
        refused(R"({"messages":[1]})", "messages[0]");
        refused(R"({"messages":[],"messages":[]})", "more than once");
        refused(R"({"messages":[],"model":5})", "model");
        refused(R"({"messages":[],"model":"a\u0000b"})", "model");
        refused(R"({"messages":[],"model":")" + std::string(257, 'm') + "\"}", "model");
        refused(R"({"messages":[],"max_tokens":-1})", "max_tokens");
        refused(R"({"messages":[],"max_tokens":4294967296})", "max_tokens");
        refused(R"({"messages":[],"max_tokens":1.5})", "max_tokens");
        refused(R"({"messages":[],"max_tokens":"1"})", "max_tokens");
        refused(R"({"messages":[],"max_tokens":1,"max_tokens":2})", "max_tokens");
        refused(R"({"messages":[],"temperature":"hot"})", "temperature");
        refused(R"({"messages":[],"stop_sequences":"a"})", "stop_sequences");
        refused(R"({"messages":[],"stop_sequences":["a",null]})", "stop_sequences[1]");
        message(R"("content":"")", "messages[1].role");
        message(R"("role":"user")", "messages[1].content");
        message(R"("role":"user","content":null)", "messages[1].content");
        message(R"("role":"User","content":"")", "messages[1].role");
        message(R"("role":1,"content":"")", "messages[1].role");
        message(R"("role":"user","role":"user","content":"")", "messages[1].role");
        message(R"("role":"user","content":"","name":1)", "messages[1].name");
        message(R"("role":"user","content":"","content_parts":{})", "messages[1].content_parts");
        message(R"("role":"user","content":"","content_parts":["a"])", "messages[1].content_parts[0]");
        message(R"("role":"user","content":"","content_parts":[{}])", "messages[1].content_parts[0].type");
        message(R"("role":"user","content":"","content_parts":[{"type":"audio"}])",
                "messages[1].content_parts[0].type");
        message(R"("role":"user","content":"","content_parts":[{"type":"text"}])",
                "messages[1].content_parts[0].text");
        message(R"("role":"user","content":"","content_parts":[{"type":"image_url"}])",
                "messages[1].content_parts[0].image_url");
        message(R"("role":"user","content":"","content_parts":[{"type":"image_url","image_url":"x"}])",
                "messages[1].content_parts[0].image_url");
        message(R"("role":"user","content":"","content_parts":[{"type":"image_url","image_url":{}}])",
                "messages[1].content_parts[0].image_url.url");
        message(R"("role":"assistant","content":"","tool_calls":[{"name":"f","arguments":{}}])",
                "messages[1].tool_calls[0].id");
        message(R"("role":"assistant","content":"","tool_calls":[{"id":"1","arguments":{}}])",
                "messages[1].tool_calls[0].name");
        message(R"("role":"assistant","content":"","tool_calls":[{"id":"1","name":"f"}])",
                "messages[1].tool_calls[0].arguments");
        message(R"("role":"assistant","content":"","tool_calls":[{"id":"1","name":"f","arguments":{},
                "reasoning":5}])",
                "messages[1].tool_calls[0].reasoning");
    }

    static void testWrongShapeOfTools() {
        const auto refused = [](const std::string& members, const std::string& part) {
            expectRefused(422, part, [&] {
                static_cast<void>(parseChatRequest(R"({"messages":[])" + members + "}", true));
            });
        };
        refused("", "tools");
        refused(R"(,"tools":null)", "tools");
        refused(R"(,"tools":[{"description":"","parameters":{}}])", "tools[0].name");
        refused(R"(,"tools":[{"name":"f","parameters":{}}])", "tools[0].description");
        refused(R"(,"tools":[{"name":"f","description":""}])", "tools[0].parameters");
        refused(R"(,"tools":[],"tool_choice":"any")", "tool_choice");
        refused(R"(,"tools":[],"tool_choice":{})", "tool_choice");
    }

    static void testNotJsonComesFirst() {
        expectRefused(400, "invalid JSON",
                      [] { static_cast<void>(parseChatRequest(R"({"messages":5,"x":})", false)); });
    }

    static void testToolsAreForOneEndpointOnly() {
        const ChatRequest request =
            parseChatRequest(R"({"messages":[],"tools":"whatever","tool_choice":7})", false);
        CPPUNIT_ASSERT(request.tools.empty() && !request.withTools);
    }

    static void testImageSources() {
        const auto png = imageSource(R"("data:image\/png;base64,iVBOR\/w0==")");
        CPPUNIT_ASSERT_EQUAL(std::string("image/png"), png.value().mediaType);
        CPPUNIT_ASSERT_EQUAL(std::string(R"(iVBOR\/w0==)"), str(png->base64));
        CPPUNIT_ASSERT(imageSource(R"("https://x/a,b.png")").value().mediaType.empty());
        CPPUNIT_ASSERT(imageSource(R"("http://x")").value().mediaType.empty());
        for (const char* url : {R"("file:///etc/passwd")", R"("data:image/png,abc")", R"("data:;base64,abc")",
                                R"("data:image/png;base64")", R"("")", R"("ftp://x,y")"}) {
            CPPUNIT_ASSERT_MESSAGE(url, !imageSource(url));
        }
    }

    static void testRequiredImages() {
        const std::string body =
            R"({"messages":[{"role":"user","content":"","content_parts":[{"type":"text","text":"a"},
                {"type":"image_url","image_url":{"url":"https://x/y"}}]}]})";
        const ChatRequest request = parseChatRequest(body, false);
        CPPUNIT_ASSERT_NO_THROW(requireImages(request, true));
        expectRefused(422, "messages[0].content_parts[1].image_url.url",
                      [&] { requireImages(request, false); });
    }

    static void testEstimate() {
        const std::string text(400, ' ');
        const std::int64_t tokens =
            parseChatRequest(R"({"messages":[{"role":"user","content":")" + text + "\"}]}", false)
                .estimatedInput;
        CPPUNIT_ASSERT(tokens >= 100 && tokens < 110);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ChatRequestTest);

}  // namespace
}  // namespace sallyport::plugins::llm
