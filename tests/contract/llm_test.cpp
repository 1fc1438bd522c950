// CONTRACT §3 `llm/complete` and `llm/complete_with_tools`: one language for the worker, whatever the
// provider speaks.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/jobs.h"
#include "tests/support/streamed_answer.h"

namespace sallyport::tests {

namespace {

constexpr const char* greeting = R"({"messages":[{"role":"user","content":"hi there"}]})";

/// Chat Completions, with what varies.
std::string openaiAnswer(const std::string& finish, const std::string& message = R"("content":"hello")") {
    return R"({"id":"c","object":"chat.completion","model":"gpt-x","choices":[{"index":0,"message":{"role":)"
           R"("assistant",)" +
           message + R"(},"finish_reason":")" + finish +
           R"("}],"usage":{"prompt_tokens":20,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":8}}})";
}

std::string anthropicAnswer(const std::string& stop,
                            const std::string& content = R"({"type":"text","text":"hello"})") {
    return R"({"id":"m","type":"message","role":"assistant","model":"claude-x","content":[)" + content +
           R"(],"stop_reason":")" + stop +
           R"(","usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":8,)"
           R"("cache_creation_input_tokens":2}})";
}

/// The request that has its answer streamed.
Request streaming(const Client& worker, const std::string& path, const std::string& body) {
    return worker.request("POST", path).header("Accept", "text/event-stream").json(body);
}

}  // namespace

class LlmTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LlmTest);
    CPPUNIT_TEST(testEchoNeedsNoConfiguration);
    CPPUNIT_TEST(testEchoPlaysItsScript);
    CPPUNIT_TEST(testOpenaiIsAskedInItsOwnWords);
    CPPUNIT_TEST(testOpenaiToolsGoBothWays);
    CPPUNIT_TEST(testOpenaiFinishReasonsAreMapped);
    CPPUNIT_TEST(testAnthropicIsAskedInItsOwnWords);
    CPPUNIT_TEST(testAnthropicToolsGoBothWays);
    CPPUNIT_TEST(testAnthropicFinishReasonsAreMapped);
    CPPUNIT_TEST(testOllamaIsAskedInItsOwnWords);
    CPPUNIT_TEST(testOrphanedToolResultsAreRewritten);
    CPPUNIT_TEST(testTextAndImagesGoThroughUnchanged);
    CPPUNIT_TEST(testContentIsNullOnlyBesideToolCalls);
    CPPUNIT_TEST(testTheWorkersTokenStaysHere);
    CPPUNIT_TEST(testStreamsComeAsTheyAreMade);
    CPPUNIT_TEST(testStreamsOfToolCalls);
    CPPUNIT_TEST(testLargeConversations);
    CPPUNIT_TEST(testModelIsRequiredWhereTheProviderHasNone);
    CPPUNIT_TEST(testBadRequestsAreRefused);
    CPPUNIT_TEST_SUITE_END();

public:
    void tearDown() override {
        daemon_.reset();
        upstream_.reset();
    }

    void testEchoNeedsNoConfiguration() {
        startDaemon({});
        Client client = worker();
        const Response plain = client.post("/llm/complete", greeting);
        ASSERT_STATUS(200, plain);
        ASSERT_FIELD("[echo] hi there", plain, "content");
        ASSERT_FIELD("stop", plain, "finish_reason");
        ASSERT_FIELD("2", plain, "input_tokens");
        ASSERT_FIELD("3", plain, "output_tokens");
        ASSERT_FIELD("0", plain, "cache_read_input_tokens");
        ASSERT_FIELD("0", plain, "cache_creation_input_tokens");
        ASSERT_FIELD("(absent)", plain, "tool_calls");
        const Response tools = client.post(
            "/llm/complete_with_tools", R"({"messages":[{"role":"user","content":"hi there"}],"tools":[]})");
        ASSERT_STATUS(200, tools);
        ASSERT_FIELD("[echo] hi there", tools, "content");
        ASSERT_FIELD("[]", tools, "tool_calls");
        ASSERT_STATUS(200, client.post("/complete", R"({"success":true,"iterations":1})"));
        ASSERT_UNAUTHORIZED(client.post("/llm/complete", greeting));
    }

    void testEchoPlaysItsScript() {
        const TemporaryDirectory directory;
        const std::string script = (directory / "script.jsonl").string();
        writeFile(script,
                  "# a tool, then a word\n"
                  R"({"tool_calls":[{"name":"ls","arguments":{"path":"."},"id":"call_7"}]})"
                  "\n\n"
                  R"({"content":"done"})"
                  "\n");
        startDaemon({{"llm.providers", "e"},
                     {"llm.provider.e.type", "echo"},
                     {"llm.provider.e.model", "any"},
                     {"llm.provider.e.script", script}});
        Client client = worker();
        const std::string body = R"({"messages":[{"role":"user","content":"go"}],"tools":[]})";
        const Response first = client.post("/llm/complete_with_tools", body);
        ASSERT_FIELD("tool_use", first, "finish_reason");
        ASSERT_FIELD("call_7", first, "tool_calls.0.id");
        ASSERT_FIELD("ls", first, "tool_calls.0.name");
        ASSERT_FIELD(".", first, "tool_calls.0.arguments.path");
        ASSERT_FIELD("done", client.post("/llm/complete_with_tools", body), "content");
        ASSERT_FIELD("[echo] go", client.post("/llm/complete_with_tools", body), "content");
        Client other = worker();
        ASSERT_FIELD("call_7", other.post("/llm/complete_with_tools", body), "tool_calls.0.id");
    }

    void testOpenaiIsAskedInItsOwnWords() {
        startWith("openai", "/v1");
        upstream_->on("/v1/chat/completions", scripts::answer(200, openaiAnswer("stop")));
        const Response answer = worker().post(
            "/llm/complete",
            R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],)"
            R"("model":"gpt-9","max_tokens":77,"temperature":0.25,"stop_sequences":["END"]})");
        ASSERT_STATUS(200, answer);
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"content":"hello","input_tokens":20,"output_tokens":5,"finish_reason":)"
                        R"("stop","cache_read_input_tokens":8,"cache_creation_input_tokens":0})"),
            answer.body);
        const SeenRequest seen = upstream_->awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("POST"), seen.method);
        CPPUNIT_ASSERT_EQUAL(std::string("Bearer the-key"), seen.header("authorization"));
        CPPUNIT_ASSERT_EQUAL(std::string("gpt-9"), jsonAt(seen.body, "model"));
        CPPUNIT_ASSERT_EQUAL(std::string("77"), jsonAt(seen.body, "max_tokens"));
        CPPUNIT_ASSERT_EQUAL(std::string("0.25"), jsonAt(seen.body, "temperature"));
        CPPUNIT_ASSERT_EQUAL(std::string("END"), jsonAt(seen.body, "stop.0"));
        CPPUNIT_ASSERT_EQUAL(std::string("system"), jsonAt(seen.body, "messages.0.role"));
        CPPUNIT_ASSERT_EQUAL(std::string("hi"), jsonAt(seen.body, "messages.1.content"));
    }

    void testOpenaiToolsGoBothWays() {
        startWith("openai", "/v1");
        upstream_->on(
            "/v1/chat/completions",
            scripts::answer(
                200, openaiAnswer("tool_calls", R"("content":null,"tool_calls":[{"id":"call_1","type":)"
                                                R"("function","function":{"name":"ls","arguments":)"
                                                R"("{\"path\":\".\"}"}}])")));
        const Response answer = worker().post("/llm/complete_with_tools", conversationWithTools());
        ASSERT_STATUS(200, answer);
        ASSERT_FIELD("null", answer, "content");
        ASSERT_FIELD("tool_use", answer, "finish_reason");
        ASSERT_FIELD("call_1", answer, "tool_calls.0.id");
        ASSERT_FIELD("ls", answer, "tool_calls.0.name");
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"path":"."})"), answer.raw("tool_calls.0.arguments"));
        const std::string asked = upstream_->awaitRequest(0).body;
        CPPUNIT_ASSERT_EQUAL(std::string("ls"), jsonAt(asked, "tools.0.function.name"));
        CPPUNIT_ASSERT_EQUAL(std::string("object"), jsonAt(asked, "tools.0.function.parameters.type"));
        CPPUNIT_ASSERT_EQUAL(std::string("required"), jsonAt(asked, "tool_choice"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"path":"/"})"),
                             jsonAt(asked, "messages.1.tool_calls.0.function.arguments"));
        CPPUNIT_ASSERT_EQUAL(std::string("tool"), jsonAt(asked, "messages.2.role"));
        CPPUNIT_ASSERT_EQUAL(std::string("t1"), jsonAt(asked, "messages.2.tool_call_id"));
    }

    void testOpenaiFinishReasonsAreMapped() {
        startWith("openai", "/v1");
        Client client = worker();
        for (const auto& [theirs, ours] :
             std::vector<std::pair<std::string, std::string>>{{"stop", "stop"},
                                                              {"length", "length"},
                                                              {"content_filter", "content_filter"},
                                                              {"new", "unknown"}}) {
            upstream_->next(scripts::answer(200, openaiAnswer(theirs)));
            ASSERT_FIELD(ours, client.post("/llm/complete", greeting), "finish_reason");
        }
    }

    void testAnthropicIsAskedInItsOwnWords() {
        startWith("anthropic", "");
        upstream_->on("/v1/messages", scripts::answer(200, anthropicAnswer("end_turn")));
        const Response answer = worker().post(
            "/llm/complete",
            R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],)"
            R"("stop_sequences":["END"]})");
        ASSERT_STATUS(200, answer);
        ASSERT_FIELD("hello", answer, "content");
        ASSERT_FIELD("20", answer, "input_tokens");
        ASSERT_FIELD("5", answer, "output_tokens");
        ASSERT_FIELD("8", answer, "cache_read_input_tokens");
        ASSERT_FIELD("2", answer, "cache_creation_input_tokens");
        const SeenRequest seen = upstream_->awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("the-key"), seen.header("x-api-key"));
        CPPUNIT_ASSERT_EQUAL(std::string("2023-06-01"), seen.header("anthropic-version"));
        CPPUNIT_ASSERT_EQUAL(std::string("model-x"), jsonAt(seen.body, "model"));
        CPPUNIT_ASSERT_EQUAL(std::string("4096"), jsonAt(seen.body, "max_tokens"));
        CPPUNIT_ASSERT_EQUAL(std::string("Be brief."), jsonAt(seen.body, "system.0.text"));
        CPPUNIT_ASSERT_EQUAL(std::string("user"), jsonAt(seen.body, "messages.0.role"));
        CPPUNIT_ASSERT_EQUAL(std::string("END"), jsonAt(seen.body, "stop_sequences.0"));
    }

    void testAnthropicToolsGoBothWays() {
        startWith("anthropic", "");
        upstream_->on(
            "/v1/messages",
            scripts::answer(
                200, anthropicAnswer("tool_use", R"({"type":"text","text":"I look."},{"type":"tool_use",)"
                                                 R"("id":"call_1","name":"ls","input":{"path":"."}})")));
        const Response answer = worker().post("/llm/complete_with_tools", conversationWithTools());
        ASSERT_STATUS(200, answer);
        ASSERT_FIELD("I look.", answer, "content");
        ASSERT_FIELD("tool_use", answer, "finish_reason");
        ASSERT_FIELD("call_1", answer, "tool_calls.0.id");
        ASSERT_FIELD(".", answer, "tool_calls.0.arguments.path");
        const std::string asked = upstream_->awaitRequest(0).body;
        CPPUNIT_ASSERT_EQUAL(std::string("ls"), jsonAt(asked, "tools.0.name"));
        CPPUNIT_ASSERT_EQUAL(std::string("object"), jsonAt(asked, "tools.0.input_schema.type"));
        CPPUNIT_ASSERT_EQUAL(std::string("any"), jsonAt(asked, "tool_choice.type"));
        ASSERT_CONTAINS(R"("type":"tool_use","id":"t1","name":"ls","input":{"path":"/"})", asked);
        ASSERT_CONTAINS(R"("tool_use_id":"t1")", asked);
    }

    void testAnthropicFinishReasonsAreMapped() {
        startWith("anthropic", "");
        Client client = worker();
        for (const auto& [theirs, ours] :
             std::vector<std::pair<std::string, std::string>>{{"end_turn", "stop"},
                                                              {"stop_sequence", "stop"},
                                                              {"max_tokens", "length"},
                                                              {"refusal", "content_filter"},
                                                              {"pause_turn", "unknown"}}) {
            upstream_->next(scripts::answer(200, anthropicAnswer(theirs)));
            ASSERT_FIELD(ours, client.post("/llm/complete", greeting), "finish_reason");
        }
    }

    void testOllamaIsAskedInItsOwnWords() {
        startWith("ollama", "");
        upstream_->on("/api/chat",
                      scripts::answer(
                          200, R"({"model":"llama","message":{"role":"assistant","content":"hello"},)"
                               R"("done":true,"done_reason":"stop","prompt_eval_count":11,"eval_count":4})"));
        const Response answer = worker().post("/llm/complete", greeting);
        ASSERT_STATUS(200, answer);
        ASSERT_FIELD("hello", answer, "content");
        ASSERT_FIELD("11", answer, "input_tokens");
        ASSERT_FIELD("4", answer, "output_tokens");
        CPPUNIT_ASSERT_EQUAL(std::string("false"), jsonAt(upstream_->awaitRequest(0).body, "stream"));
    }

    void testOrphanedToolResultsAreRewritten() {
        startWith("openai", "/v1");
        upstream_->on("/v1/chat/completions", scripts::answer(200, openaiAnswer("stop")));
        ASSERT_STATUS(
            200, worker().post("/llm/complete",
                               R"({"messages":[{"role":"user","content":"hi"},{"role":"tool",)"
                               R"("tool_call_id":"lost","name":"ls","content":"a \"b\""},{"role":"tool",)"
                               R"("tool_call_id":"lost","content":"c"}]})"));
        const std::string asked = upstream_->awaitRequest(0).body;
        CPPUNIT_ASSERT_EQUAL(std::string("user"), jsonAt(asked, "messages.1.role"));
        CPPUNIT_ASSERT_EQUAL(std::string("[Tool `ls` returned: a \"b\"]"),
                             jsonAt(asked, "messages.1.content"));
        CPPUNIT_ASSERT_EQUAL(std::string("[Tool `unknown` returned: c]"),
                             jsonAt(asked, "messages.2.content"));
    }

    void testTextAndImagesGoThroughUnchanged() {
        startWith("openai", "/v1");
        upstream_->on("/v1/chat/completions", scripts::answer(200, openaiAnswer("stop")));
        const std::string text = R"("\u00e4 \ud83d\ude00 \/ \n ä")";
        const std::string image = R"("data:image/png;base64,iVBORw0KGgo=")";
        ASSERT_STATUS(
            200, worker().post("/llm/complete",
                               R"({"messages":[{"role":"user","content":)" + text +
                                   R"(,"content_parts":[{"type":"text","text":"look"},{"type":"image_url",)"
                                   R"("image_url":{"url":)" +
                                   image + R"(,"detail":"low"}}]}]})"));
        const std::string asked = upstream_->awaitRequest(0).body;
        ASSERT_CONTAINS(text, asked);
        ASSERT_CONTAINS(image, asked);
        CPPUNIT_ASSERT_EQUAL(std::string("look"), jsonAt(asked, "messages.0.content.1.text"));
        CPPUNIT_ASSERT_EQUAL(std::string("low"), jsonAt(asked, "messages.0.content.2.image_url.detail"));
    }

    void testContentIsNullOnlyBesideToolCalls() {
        startWith("openai", "/v1");
        upstream_->on("/v1/chat/completions",
                      scripts::answer(200, openaiAnswer("stop", R"("content":null)")));
        Client client = worker();
        const std::string tools = R"({"messages":[{"role":"user","content":"hi"}],"tools":[]})";
        CPPUNIT_ASSERT_EQUAL(std::string("\"\""), client.post("/llm/complete", greeting).raw("content"));
        CPPUNIT_ASSERT_EQUAL(std::string("\"\""),
                             client.post("/llm/complete_with_tools", tools).raw("content"));
    }

    void testTheWorkersTokenStaysHere() {
        startWith("openai", "/v1");
        upstream_->on("/v1/chat/completions", scripts::answer(200, openaiAnswer("stop")));
        const CreatedJob job = createJob(*daemon_);
        Client client = workerClient(*daemon_, job);
        ASSERT_STATUS(200, client.exchange(client.request("POST", "/llm/complete")
                                               .header("X-Custom", "from the sandbox")
                                               .header("Cookie", "a=b")
                                               .header("OpenAI-Organization", "mine")
                                               .json(greeting)));
        const SeenRequest seen = upstream_->awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, seen.count("authorization"));
        for (const auto& [name, value] : seen.headers) {
            CPPUNIT_ASSERT_MESSAGE(name, name != "x-custom" && name != "cookie" &&
                                             name != "openai-organization" && name != "x-request-id");
            ASSERT_LACKS(job.token, value);
        }
        ASSERT_LACKS(job.token, seen.body);
    }

    void testStreamsComeAsTheyAreMade() {
        startWith("openai", "/v1");
        const auto permits = std::make_shared<Permits>();
        upstream_->on(
            "/v1/chat/completions",
            scripts::stream({piece(R"({"content":"one"})"), piece(R"({"content":" two"})"),
                             piece("{}", R"("stop")") + R"(data: {"choices":[],"usage":{"prompt_tokens":3,)"
                                                        R"("completion_tokens":2}})"
                                                        "\n\n",
                             "data: [DONE]\n\n"},
                            permits));
        Client client = worker();
        permits->grant();
        StreamedAnswer events(client.endpoint(), streaming(client, "/llm/complete", greeting));
        CPPUNIT_ASSERT_EQUAL(200, events.head().status);
        CPPUNIT_ASSERT_EQUAL(std::string("text/event-stream"), events.head().header("Content-Type"));
        CPPUNIT_ASSERT_EQUAL(std::string("event: delta\ndata: {\"content\":\"one\"}\n\n"), events.next());
        permits->grant();  // the second is made only after the first was seen
        CPPUNIT_ASSERT_EQUAL(std::string("event: delta\ndata: {\"content\":\" two\"}\n\n"), events.next());
        permits->grant(3);
        CPPUNIT_ASSERT_EQUAL(std::string(R"(event: completion)"
                                         "\n"
                                         R"(data: {"content":"one two","input_tokens":3,"output_tokens":2,)"
                                         R"("finish_reason":"stop","cache_read_input_tokens":0,)"
                                         R"("cache_creation_input_tokens":0})"
                                         "\n\n"),
                             events.next());
        CPPUNIT_ASSERT_EQUAL(std::string(), events.next());
        CPPUNIT_ASSERT_EQUAL(std::string("true"), jsonAt(upstream_->awaitRequest(0).body, "stream"));
    }

    void testStreamsOfToolCalls() {
        startWith("openai", "/v1");
        const auto permits = std::make_shared<Permits>();
        permits->grant(5);
        upstream_->on(
            "/v1/chat/completions",
            scripts::stream(
                {piece(R"({"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"ls",)"
                       R"("arguments":""}}]})"),
                 piece(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"path\":"}}]})"),
                 piece(R"({"tool_calls":[{"index":0,"function":{"arguments":"\".\"}"}}]})"),
                 piece("{}", R"("tool_calls")") + "data: [DONE]\n\n"},
                permits));
        Client client = worker();
        StreamedAnswer events(client.endpoint(),
                              streaming(client, "/llm/complete_with_tools", conversationWithTools()));
        std::string arguments;
        std::string last;
        for (std::string event = events.next(); !event.empty(); event = events.next()) {
            last = event.substr(event.find("data: ") + 6);
            const std::string piece = jsonAt(last, "tool_call.arguments");
            arguments += piece == "(absent)" ? "" : piece;
        }
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"path":"."})"), arguments);
        CPPUNIT_ASSERT_EQUAL(std::string("tool_use"), jsonAt(last, "finish_reason"));
        CPPUNIT_ASSERT_EQUAL(std::string("."), jsonAt(last, "tool_calls.0.arguments.path"));
    }

    void testLargeConversations() {
        startWith("openai", "/v1");
        upstream_->on("/v1/chat/completions", scripts::answer(200, openaiAnswer("stop")));
        const std::string image =
            "\"data:image/png;base64," + std::string(std::size_t{5} * 1024 * 1024, 'A') + "\"";
        ASSERT_STATUS(200,
                      worker().post("/llm/complete",
                                    R"({"messages":[{"role":"user","content":"","content_parts":[{"type":)"
                                    R"("image_url","image_url":{"url":)" +
                                        image + "}}]}]}"));
        ASSERT_CONTAINS(image, upstream_->awaitRequest(0).body);
    }

    void testModelIsRequiredWhereTheProviderHasNone() {
        upstream_ = std::make_unique<FakeUpstream>();
        startDaemon({{"llm.providers", "main"},
                     {"llm.provider.main.type", "openai"},
                     {"llm.provider.main.base_url", upstream_->url("/v1")}});
        ASSERT_INVALID_FIELD("model", worker().post("/llm/complete", greeting));
    }

    void testBadRequestsAreRefused() {
        startDaemon({});
        Client client = worker();
        ASSERT_REFUSED(400, client.post("/llm/complete", "{"));
        ASSERT_REFUSED(400, client.post("/llm/complete", R"({"messages":[{"role":"user","content":"\x"}]})"));
        ASSERT_REFUSED(415,
                       client.exchange(client.request("POST", "/llm/complete").body("text/plain", greeting)));
        ASSERT_REFUSED(405, client.get("/llm/complete"));
        ASSERT_INVALID_FIELD("messages", client.post("/llm/complete", "{}"));
        ASSERT_INVALID_FIELD("messages", client.post("/llm/complete", R"({"messages":7})"));
        ASSERT_INVALID_FIELD("messages[0].role",
                             client.post("/llm/complete", R"({"messages":[{"content":"a"}]})"));
        ASSERT_INVALID_FIELD("messages[0].role",
                             client.post("/llm/complete", R"({"messages":[{"role":"boss","content":"a"}]})"));
        ASSERT_INVALID_FIELD("messages[0].content",
                             client.post("/llm/complete", R"({"messages":[{"role":"user","content":{}}]})"));
        ASSERT_INVALID_FIELD(
            "max_tokens",
            client.post("/llm/complete", R"({"messages":[{"role":"user","content":"a"}],"max_tokens":-1})"));
        ASSERT_INVALID_FIELD("tools", client.post("/llm/complete_with_tools", greeting));
        ASSERT_INVALID_FIELD("tool_choice",
                             client.post("/llm/complete_with_tools",
                                         R"({"messages":[{"role":"user","content":"a"}],"tools":[],)"
                                         R"("tool_choice":"maybe"})"));
    }

private:
    /// A chunk of Chat Completions.
    static std::string piece(const std::string& delta, const std::string& finish = "null") {
        return R"(data: {"id":"c","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":)" +
               delta + R"(,"finish_reason":)" + finish + "}]}\n\n";
    }

    static std::string conversationWithTools() {
        return R"({"messages":[{"role":"user","content":"what is here?"},{"role":"assistant","content":"",)"
               R"("tool_calls":[{"id":"t1","name":"ls","arguments":{"path":"/"}}]},{"role":"tool","content":"etc",)"
               R"("tool_call_id":"t1","name":"ls"}],"tools":[{"name":"ls","description":"lists","parameters":)"
               R"({"type":"object","properties":{"path":{"type":"string"}}}}],"tool_choice":"required"})";
    }

    void startWith(const std::string& type, const std::string& path) {
        upstream_ = std::make_unique<FakeUpstream>();
        startDaemon({{"llm.providers", "main"},
                     {"llm.provider.main.type", type},
                     {"llm.provider.main.base_url", upstream_->url(path)},
                     {"llm.provider.main.model", "model-x"},
                     {"llm.provider.main.key", "env:TEST_PROVIDER_KEY"}});
    }

    void startDaemon(const std::map<std::string, std::string>& settings) {
        daemon_ = std::make_unique<Daemon>(
            Daemon::Options{.settings = settings, .environment = {{"TEST_PROVIDER_KEY", "the-key"}}});
    }

    Client worker() { return workerClient(*daemon_, createJob(*daemon_)); }

    std::unique_ptr<FakeUpstream> upstream_;
    std::unique_ptr<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmTest);

}  // namespace sallyport::tests
