// The providers' own APIs, passed through: agents and SDKs that know nothing of Sallyport.
#include <memory>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/jobs.h"
#include "tests/support/streamed_answer.h"

namespace sallyport::tests {

namespace {

constexpr const char* chat = "/openai/v1/chat/completions";
constexpr const char* messages = "/anthropic/v1/messages";

/// Written as nobody's library writes it, so that only the very bytes can be the same.
constexpr const char* oddChat =
    "{ \"messages\" :[ {\"role\":\"user\" ,\"content\":\"\\u00e4\\/ \\n\"}],\n \"model\":\"gpt-x\" , "
    "\"n\":1.0e0,"
    "\"unknown\":[{}] }\n";

constexpr const char* chatAnswer =
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hello\"},"
    "\"finish_reason\":\"stop\"}], \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}";

constexpr const char* chunkOne =
    "data: "
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one\"},\"finish_reason\":null}]}\n\n";
constexpr const char* chunkStop =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
constexpr const char* chunkUsage =
    "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n";
constexpr const char* chunkDone = "data: [DONE]\n\n";

}  // namespace

class LlmNativeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LlmNativeTest);
    CPPUNIT_TEST(testTheBodyGoesThroughByteForByte);
    CPPUNIT_TEST(testTheAnswerComesBackByteForByte);
    CPPUNIT_TEST(testEveryEndpointHasItsPath);
    CPPUNIT_TEST(testSdksSendTheTokenTheirOwnWay);
    CPPUNIT_TEST(testOnlyNamedHeadersAreForwarded);
    CPPUNIT_TEST(testStreamsAreRelayedAsTheyCome);
    CPPUNIT_TEST(testUsageThatWasNotAskedForIsTakenOut);
    CPPUNIT_TEST(testUsageThatWasAskedForStays);
    CPPUNIT_TEST(testAnthropicStreamsAreRelayed);
    CPPUNIT_TEST(testRefusalsOfTheProviderAreHandedOn);
    CPPUNIT_TEST(testOwnErrorsSpeakTheProvidersLanguage);
    CPPUNIT_TEST(testProvidersOfTheOtherKindAreNotAsked);
    CPPUNIT_TEST(testModelsAreListed);
    CPPUNIT_TEST(testModelsThatMayNotBeUsedAreNotListed);
    CPPUNIT_TEST(testAmbiguousBodiesAreRefused);
    CPPUNIT_TEST(testOtherPathsAreNotThere);
    CPPUNIT_TEST(testEchoSpeaksBothLanguages);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { upstream_ = std::make_unique<FakeUpstream>(); }
    void tearDown() override {
        daemon_.reset();
        upstream_.reset();
    }

    void testTheBodyGoesThroughByteForByte() {
        start();
        upstream_->on("/v1/chat/completions", scripts::answer(200, chatAnswer));
        ASSERT_STATUS(200, worker().post(chat, oddChat));
        const SeenRequest seen = upstream_->awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string(oddChat), seen.body);
        CPPUNIT_ASSERT_EQUAL(std::string("Bearer openai-key"), seen.header("authorization"));
        CPPUNIT_ASSERT_EQUAL(std::string("application/json"), seen.header("content-type"));
    }

    void testTheAnswerComesBackByteForByte() {
        start();
        upstream_->on("/v1/chat/completions", scripts::answer(200, chatAnswer,
                                                              {{"x-should-retry", "false"},
                                                               {"openai-organization", "org-1"},
                                                               {"set-cookie", "a=b"}}));
        const Response answer = worker().post(chat, oddChat);
        CPPUNIT_ASSERT_EQUAL(std::string(chatAnswer), answer.body);
        CPPUNIT_ASSERT_EQUAL(std::string("false"), answer.header("x-should-retry"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, answer.count("openai-organization"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, answer.count("set-cookie"));
    }

    void testEveryEndpointHasItsPath() {
        start();
        const auto any = scripts::answer(200, R"({"id":"x"})");
        Client client = worker();
        for (const char* path : {"/v1/responses", "/v1/embeddings"}) {
            upstream_->on(path, any);
            ASSERT_STATUS(200, client.post("/openai" + std::string(path), R"({"model":"m","input":"a"})"));
        }
        for (const char* path : {"/v1/messages", "/v1/messages/count_tokens"}) {
            upstream_->on("/anthropic" + std::string(path), any);
            ASSERT_STATUS(200, client.post("/anthropic" + std::string(path),
                                           R"({"model":"m","max_tokens":1,"messages":[]})"));
        }
    }

    void testSdksSendTheTokenTheirOwnWay() {
        start();
        upstream_->on("/anthropic/v1/messages", scripts::answer(200, R"({"id":"x"})"));
        const CreatedJob job = createJob(*daemon_);
        const Response answer =
            exchange(daemon_->worker(), Request("POST", "/worker/" + job.id + messages)
                                            .header("x-api-key", job.token)
                                            .json(R"({"model":"m","max_tokens":1,"messages":[]})"));
        ASSERT_STATUS(200, answer);
        const SeenRequest seen = upstream_->awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("anthropic-key"), seen.header("x-api-key"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, seen.count("x-api-key"));
        CPPUNIT_ASSERT_EQUAL(std::string("2023-06-01"), seen.header("anthropic-version"));
    }

    void testOnlyNamedHeadersAreForwarded() {
        start();
        upstream_->on("/anthropic/v1/messages", scripts::answer(200, R"({"id":"x"})"));
        Client client = worker();
        ASSERT_STATUS(200, client.exchange(client.request("POST", messages)
                                               .header("Anthropic-Version", "2024-01-01")
                                               .header("anthropic-beta", "tools-2024, files")
                                               .header("X-Stainless-Lang", "js")
                                               .header("Proxy-Connection", "x")
                                               .json(R"({"model":"m","max_tokens":1,"messages":[]})")));
        const SeenRequest seen = upstream_->awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("2024-01-01"), seen.header("anthropic-version"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, seen.count("anthropic-version"));
        CPPUNIT_ASSERT_EQUAL(std::string("tools-2024, files"), seen.header("anthropic-beta"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, seen.count("x-stainless-lang"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, seen.count("proxy-connection"));
        ASSERT_STATUS(200, client.exchange(client.request("POST", messages)
                                               .header("anthropic-beta", "a@b<script>")
                                               .json(R"({"model":"m","max_tokens":1,"messages":[]})")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, upstream_->awaitRequest(1).count("anthropic-beta"));
    }

    void testStreamsAreRelayedAsTheyCome() {
        start();
        const auto permits = std::make_shared<Permits>();
        const std::string half = std::string(chunkStop).substr(0, 20);
        upstream_->on(
            "/v1/chat/completions",
            scripts::stream({chunkOne, half, std::string(chunkStop).substr(20), chunkDone}, permits));
        permits->grant();
        StreamedAnswer answer = stream(chat, R"({"model":"m","stream":true,"messages":[]})");
        CPPUNIT_ASSERT_EQUAL(200, answer.head().status);
        CPPUNIT_ASSERT_EQUAL(std::string("text/event-stream"), answer.head().header("Content-Type"));
        CPPUNIT_ASSERT_EQUAL(std::string(chunkOne), answer.next());
        permits->grant(2);
        CPPUNIT_ASSERT_EQUAL(std::string(chunkStop), answer.next());
        permits->grant(2);
        CPPUNIT_ASSERT_EQUAL(std::string(chunkDone), answer.rest());
    }

    void testUsageThatWasNotAskedForIsTakenOut() {
        start();
        upstream_->on("/v1/chat/completions", streamed({chunkOne, chunkStop, chunkUsage, chunkDone}));
        const std::string body = R"({"model":"m","stream":true,"messages":[]})";
        CPPUNIT_ASSERT_EQUAL(std::string(chunkOne) + chunkStop + chunkDone, stream(chat, body).rest());
        const std::string asked = upstream_->awaitRequest(0).body;
        CPPUNIT_ASSERT_EQUAL(std::string("true"), jsonAt(asked, "stream_options.include_usage"));
    }

    void testUsageThatWasAskedForStays() {
        start();
        upstream_->on("/v1/chat/completions", streamed({chunkOne, chunkStop, chunkUsage, chunkDone}));
        const std::string body =
            R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]})";
        CPPUNIT_ASSERT_EQUAL(std::string(chunkOne) + chunkStop + chunkUsage + chunkDone,
                             stream(chat, body).rest());
        CPPUNIT_ASSERT_EQUAL(body, upstream_->awaitRequest(0).body);
    }

    void testAnthropicStreamsAreRelayed() {
        start();
        const std::string whole =
            "event: message_start\ndata: "
            "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude\","
            "\"usage\":{\"input_tokens\":4,\"output_tokens\":1}}}\n\n"
            "event: ping\ndata: {\"type\":\"ping\"}\n\n"
            "event: content_block_delta\ndata: "
            "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
            "\"text_delta\",\"text\":\"hi\"}}\n\n"
            "event: message_delta\ndata: "
            "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
            "\"usage\":{\"output_tokens\":2}}\n\n"
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        upstream_->on("/anthropic/v1/messages", streamed({whole.substr(0, 100), whole.substr(100)}));
        CPPUNIT_ASSERT_EQUAL(
            whole, stream(messages, R"({"model":"m","max_tokens":9,"stream":true,"messages":[]})").rest());
    }

    void testRefusalsOfTheProviderAreHandedOn() {
        start();
        const std::string refusal =
            R"({"error":{"message":"This model's maximum context length is 5","code":null}})";
        upstream_->on("/v1/chat/completions", scripts::answer(400, refusal));
        const Response answer = worker().post(chat, oddChat);
        ASSERT_STATUS(400, answer);
        CPPUNIT_ASSERT_EQUAL(refusal, answer.body);
    }

    void testOwnErrorsSpeakTheProvidersLanguage() {
        start({{"llm.allowed_models", "good"}});
        Client client = worker();
        const Response openai = client.post(chat, oddChat);
        ASSERT_STATUS(403, openai);
        ASSERT_FIELD("model_not_allowed", openai, "error.code");
        CPPUNIT_ASSERT_MESSAGE(openai.describe(), openai.at("error.type") != "(absent)");
        const Response anthropic = client.post(messages, R"({"model":"bad","max_tokens":1,"messages":[]})");
        ASSERT_STATUS(403, anthropic);
        ASSERT_FIELD("error", anthropic, "type");
        ASSERT_FIELD("permission_error", anthropic, "error.type");
        ASSERT_STATUS(400, client.post(chat, "{"));
        CPPUNIT_ASSERT(upstream_->requests().empty());
    }

    void testProvidersOfTheOtherKindAreNotAsked() {
        start({{"llm.providers", "a"}});
        ASSERT_STATUS(503, worker().post(chat, oddChat));
        CPPUNIT_ASSERT(upstream_->requests().empty());
    }

    void testModelsAreListed() {
        start();
        const std::string list = R"({"object":"list","data":[{"id":"gpt-x"},{"id":"gpt-y"}]})";
        upstream_->on("/v1/models", scripts::answer(200, list));
        upstream_->on("/v1/models/gpt-x", scripts::answer(200, R"({"id":"gpt-x"})"));
        Client client = worker();
        CPPUNIT_ASSERT_EQUAL(list, client.get("/openai/v1/models").body);
        ASSERT_FIELD("gpt-x", client.get("/openai/v1/models/gpt-x"), "id");
        CPPUNIT_ASSERT_EQUAL(std::string("GET"), upstream_->awaitRequest(0).method);
        ASSERT_STATUS(404, client.get("/openai/v1/models/..%2Ffiles"));
        ASSERT_STATUS(404, client.get("/openai/v1/models/a%0Ab"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, upstream_->requests().size());
    }

    void testModelsThatMayNotBeUsedAreNotListed() {
        start({{"llm.allowed_models", "gpt-y"}});
        upstream_->on("/v1/models",
                      scripts::answer(200, R"({"data":[{"id":"gpt-x"},{"id":"gpt-y"}],"object":"list"})"));
        Client client = worker();
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"data":[{"id":"gpt-y"}],"object":"list"})"),
                             client.get("/openai/v1/models").body);
        ASSERT_STATUS(403, client.get("/openai/v1/models/gpt-x"));
    }

    void testAmbiguousBodiesAreRefused() {
        start();
        Client client = worker();
        for (const char* body :
             {R"({"model":"a","model":"b","messages":[]})", R"({"model":"a","Model":"b","messages":[]})",
              R"({"model":"a","stream":false,"stream":true,"messages":[]})", R"({"model":7,"messages":[]})",
              "[]"}) {
            const Response answer = client.post(chat, body);
            CPPUNIT_ASSERT_MESSAGE(body + answer.describe(), answer.status == 400 || answer.status == 422);
        }
        CPPUNIT_ASSERT(upstream_->requests().empty());
    }

    void testOtherPathsAreNotThere() {
        start();
        Client client = worker();
        for (const char* path : {"/openai/v1/files", "/openai/v1/fine_tuning/jobs", "/anthropic/v1/complete",
                                 "/openai/v1/chat/completions/../files", "/openai/v2/chat/completions"}) {
            const Response answer = client.post(path, "{}");
            CPPUNIT_ASSERT_MESSAGE(path + answer.describe(), answer.status == 404 || answer.status == 400);
        }
        ASSERT_STATUS(405, client.get(chat));
        CPPUNIT_ASSERT(upstream_->requests().empty());
    }

    void testEchoSpeaksBothLanguages() {
        daemon_ = std::make_unique<Daemon>();
        Client client = worker();
        const std::string said = R"("messages":[{"role":"user","content":"hi"}])";
        ASSERT_FIELD("[echo] hi", client.post(chat, R"({"model":"m",)" + said + "}"),
                     "choices.0.message.content");
        ASSERT_FIELD("[echo] hi", client.post(messages, R"({"model":"m","max_tokens":9,)" + said + "}"),
                     "content.0.text");
        ASSERT_CONTAINS(chunkDone, stream(chat, R"({"model":"m","stream":true,)" + said + "}").rest());
        ASSERT_CONTAINS(
            "event: message_stop",
            stream(messages, R"({"model":"m","max_tokens":9,"stream":true,)" + said + "}").rest());
        ASSERT_STATUS(200, client.get("/openai/v1/models"));
    }

private:
    /// All pieces at once.
    static scripts::Script streamed(scripts::Pieces pieces) {
        return scripts::chunked(std::move(pieces), {{"Content-Type", "text/event-stream"}});
    }

    void start(const std::map<std::string, std::string>& more = {}) {
        std::map<std::string, std::string> settings = more;
        settings.merge(
            std::map<std::string, std::string>{{"llm.providers", "o, a"},
                                               {"llm.provider.o.type", "openai"},
                                               {"llm.provider.o.base_url", upstream_->url("/v1")},
                                               {"llm.provider.o.key", "env:TEST_OPENAI_KEY"},
                                               {"llm.provider.a.type", "anthropic"},
                                               {"llm.provider.a.base_url", upstream_->url("/anthropic")},
                                               {"llm.provider.a.key", "env:TEST_ANTHROPIC_KEY"},
                                               {"llm.retry.max", "0"}});
        daemon_ = std::make_unique<Daemon>(Daemon::Options{
            .settings = settings,
            .environment = {{"TEST_OPENAI_KEY", "openai-key"}, {"TEST_ANTHROPIC_KEY", "anthropic-key"}}});
    }

    Client worker() { return workerClient(*daemon_, createJob(*daemon_)); }

    StreamedAnswer stream(const std::string& path, const std::string& body) {
        const Client client = worker();
        return {client.endpoint(), client.request("POST", path).json(body)};
    }

    std::unique_ptr<FakeUpstream> upstream_;
    std::unique_ptr<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmNativeTest);

}  // namespace sallyport::tests
