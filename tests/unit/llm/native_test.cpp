#include "plugins/llm/native.h"

#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "expect.h"

namespace sallyport::plugins::llm {
namespace {

constexpr auto chat = NativeEndpoint::chatCompletions;

std::string rewrittenChat(const std::string& body, const Rewrite& rewrite) {
    return rewritten(inspect(chat, body), rewrite);
}

class NativeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(NativeTest);
    CPPUNIT_TEST(testEndpoints);
    CPPUNIT_TEST(testInspection);
    CPPUNIT_TEST(testStreamsAreForSomeEndpoints);
    CPPUNIT_TEST(testNotJson);
    CPPUNIT_TEST(testWrongShape);
    CPPUNIT_TEST(testAmbiguousModels);
    CPPUNIT_TEST(testUnchanged);
    CPPUNIT_TEST(testModel);
    CPPUNIT_TEST(testDropped);
    CPPUNIT_TEST(testDroppedAndAdded);
    CPPUNIT_TEST(testUsage);
    CPPUNIT_TEST(testEveryRewriteIsJson);
    CPPUNIT_TEST(testErrors);
    CPPUNIT_TEST(testStreamErrors);
    CPPUNIT_TEST_SUITE_END();

    static void testEndpoints() {
        CPPUNIT_ASSERT(ProviderType::openai == providerType(NativeEndpoint::responses));
        CPPUNIT_ASSERT(ProviderType::anthropic == providerType(NativeEndpoint::countTokens));
        CPPUNIT_ASSERT_EQUAL(std::string("/embeddings"), std::string(path(NativeEndpoint::embeddings)));
        CPPUNIT_ASSERT_EQUAL(std::string("/v1/messages/count_tokens"),
                             std::string(path(NativeEndpoint::countTokens)));
    }

    static void testInspection() {
        const std::string body =
            R"( {"mod\u0065l": "g\u0070t", "messages": [], "stream": true, "stream_options": {"include_usage": true}} )";
        const NativeRequest request = inspect(chat, body);
        CPPUNIT_ASSERT_EQUAL(std::string("gpt"), request.model.value());
        CPPUNIT_ASSERT(request.stream && request.usageAsked);
        const NativeRequest bare = inspect(chat, R"({"model":null,"stream":null,"stream_options":null})");
        CPPUNIT_ASSERT(!bare.model && !bare.stream && !bare.usageAsked);
        CPPUNIT_ASSERT(!inspect(chat, R"({"stream_options":{"include_usage":false}})").usageAsked);
        CPPUNIT_ASSERT(
            !inspect(NativeEndpoint::responses, R"({"stream_options":{"include_usage":true}})").usageAsked);
        CPPUNIT_ASSERT(inspect(chat, R"({"messages":")" + std::string(400, ' ') + "\"}").estimatedInput >=
                       100);
    }

    static void testStreamsAreForSomeEndpoints() {
        CPPUNIT_ASSERT(inspect(NativeEndpoint::messages, R"({"stream":true})").stream);
        CPPUNIT_ASSERT(inspect(NativeEndpoint::responses, R"({"stream":true})").stream);
        CPPUNIT_ASSERT(!inspect(NativeEndpoint::embeddings, R"({"stream":true})").stream);
        CPPUNIT_ASSERT(!inspect(NativeEndpoint::countTokens, R"({"stream":true})").stream);
    }

    static void testNotJson() {
        for (const char* body : {"", "{", R"({"model":"a"}x)", R"({"x":[}})", R"({"stream":5,"x":})"}) {
            expectRefused(400, "invalid JSON", [&] { static_cast<void>(inspect(chat, body)); });
        }
    }

    static void testWrongShape() {
        const auto refused = [](const std::string& body, const std::string& part) {
            expectRefused(422, part, [&] { static_cast<void>(inspect(chat, body)); });
        };
        refused("[]", "the body must be a JSON object");
        refused(R"({"model":5})", "model");
        refused(R"({"model":"a\nb"})", "model");
        refused(R"({"stream":"yes"})", "stream");
        refused(R"({"stream_options":true})", "stream_options");
        refused(R"({"stream_options":{"include_usage":1}})", "include_usage");
        std::string many = "{";
        for (int i = 0; i <= 1000; ++i) {
            many += '"' + std::to_string(i) + "\":0,";
        }
        many.back() = '}';
        refused(many, "members");
    }

    // What counts is what the upstream understands, and there are many upstreams.
    static void testAmbiguousModels() {
        for (const char* body :
             {R"({"model":"a","model":"b"})", R"({"model":"a","mod\u0065l":"b"})",
              R"({"model":"a","Model":"b"})", R"({"MODEL":"b"})", R"({"stream":false,"stream":true})",
              R"({"Stream":true})", R"({"stream_options":{},"stream_options":{}})",
              R"({"stream_options":{"include_usage":true,"include_usage":false}})"}) {
            expectRefused(422, "", [&] { static_cast<void>(inspect(chat, body)); });
        }
    }

    static void testUnchanged() {
        const std::string body =
            "\n{ \"a\" :1,\t\"model\": \"x\\u0061\" , \"b\":[1.0, 2e0],\"b\":\"\\/\"}\r\n ";
        CPPUNIT_ASSERT_EQUAL(body, rewrittenChat(body, {}));
        CPPUNIT_ASSERT_EQUAL(body, rewrittenChat(body, {.model = "xa", .dropped = {"c"}, .addUsage = true}));
    }

    static void testModel() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"({ "a":1, "model" : "n\"w" ,"b":2})"),
                             rewrittenChat(R"({ "a":1, "model" : "old" ,"b":2})", {.model = "n\"w"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"x","a":1})"),
                             rewrittenChat(R"({"a":1})", {.model = "x"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"x"})"), rewrittenChat("{}", {.model = "x"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"x"})"),
                             rewrittenChat(R"({"model":null})", {.model = "x"}));
    }

    static void testDropped() {
        const auto dropping = [](const std::string& body) {
            return rewrittenChat(body, {.dropped = {"x", "y", "model", "stream"}});
        };
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a":1, "b":2})"), dropping(R"({"a":1,"x":[{}], "b":2})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a":1, "b":2})"),
                             dropping(R"({"a":1 , "x":0,"y":{"a":1}, "b":2})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({ "b":2})"), dropping(R"({"x":1, "b":2})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({ "b":2 })"), dropping(R"({"x":1,"y":2,"x":3, "b":2 })"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a":1 })"), dropping(R"({"a":1,"x":2 })"));
        CPPUNIT_ASSERT_EQUAL(std::string("{}"), dropping(R"({"x":1,"y":2})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a":{"x":1}})"), dropping(R"({"a":{"x":1}})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"m","stream":true})"),
                             dropping(R"({"model":"m","stream":true})"));
    }

    static void testDroppedAndAdded() {
        const auto both = [](const std::string& body) {
            return rewrittenChat(body, {.model = "m", .dropped = {"x"}});
        };
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"m"})"), both(R"({"x":1})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"m", "a":2})"), both(R"({"x":1, "a":2})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"m","a":2})"), both(R"({"a":2,"x":1})"));
    }

    static void testUsage() {
        const auto asking = [](const std::string& body) { return rewrittenChat(body, {.addUsage = true}); };
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"stream_options":{"include_usage":true},"stream":true,"a":1})"),
                             asking(R"({"stream":true,"a":1})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"stream":true,"stream_options":{"include_usage":true}})"),
                             asking(R"({"stream":true,"stream_options":null})"));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}})"),
            asking(
                R"({"stream":true,"stream_options":{"include_obfuscation":false,"include_usage":false}})"));
        for (const char* same : {R"({"a":1})", R"({"stream":false})",
                                 R"({"stream":true,"stream_options":{"include_usage":true}})"}) {
            CPPUNIT_ASSERT_EQUAL(std::string(same), asking(same));
        }
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"stream":true})"),
            rewrittenChat(R"({"stream":true})", {.dropped = {"stream_options"}, .addUsage = true}));
        const std::string message = R"({"stream":true})";
        CPPUNIT_ASSERT_EQUAL(message,
                             rewritten(inspect(NativeEndpoint::messages, message), {.addUsage = true}));
    }

    static void testEveryRewriteIsJson() {
        const std::vector<std::string> members = {R"("a":1)", R"( "x" : [1] )", R"("model":"o")",
                                                  R"("stream":true)", R"("stream_options":{ })"};
        for (unsigned chosen = 0; chosen < 32; ++chosen) {
            std::string body = "{";
            for (unsigned i = 0; i < members.size(); ++i) {
                if ((chosen >> i & 1) != 0) {
                    body += (body.size() > 1 ? "," : "") + members[i];
                }
            }
            body += '}';
            for (const Rewrite& rewrite : {Rewrite{.model = "m", .dropped = {"x"}, .addUsage = true},
                                           Rewrite{.model = "m", .dropped = {"a", "x", "stream_options"}},
                                           Rewrite{.dropped = {"a"}, .addUsage = true}}) {
                const std::string text = rewrittenChat(body, rewrite);
                CPPUNIT_ASSERT_NO_THROW_MESSAGE(text, static_cast<void>(json::Value::parse(text)));
            }
        }
    }

    static void testErrors() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"error":{"message":"no \"m\"","type":"invalid_request_error","param":null,"code":"w"}})"),
            nativeError(ProviderType::openai, 404, "w", "no \"m\""));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"type":"error","error":{"type":"rate_limit_error","message":"slow","code":"budget"}})"),
            nativeError(ProviderType::anthropic, 429, "budget", "slow"));
        CPPUNIT_ASSERT(nativeError(ProviderType::anthropic, 502, "w", "x").find("api_error") !=
                       std::string::npos);
        CPPUNIT_ASSERT(nativeError(ProviderType::openai, 502, "w", "x").find("server_error") !=
                       std::string::npos);
    }

    static void testStreamErrors() {
        CPPUNIT_ASSERT_EQUAL(std::string("data: "
                                         "{\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"param\":"
                                         "null,\"code\":\"c\"}}\n\n"),
                             streamError(chat, "c", "m"));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "event: error\ndata: "
                "{\"type\":\"error\",\"code\":\"c\",\"message\":\"m\",\"param\":null,"
                "\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"param\":null,\"code\":\"c\"}}\n\n"),
            streamError(NativeEndpoint::responses, "c", "m"));
        CPPUNIT_ASSERT_EQUAL(
            std::string("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
                        "\"message\":\"m\",\"code\":\"c\"}}\n\n"),
            streamError(NativeEndpoint::messages, "c", "m"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(NativeTest);

}  // namespace
}  // namespace sallyport::plugins::llm
