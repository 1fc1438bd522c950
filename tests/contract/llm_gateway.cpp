#include "tests/contract/llm_gateway.h"

#include <algorithm>

#include <sallyport/json.h>

namespace sallyport::tests {

namespace {

std::string quoted(std::string_view text) {
    return json::quote(text);
}

std::string openAiChunk(const std::string& delta, const std::string& finish) {
    return R"(data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"model-x","choices":[)"
           R"({"index":0,"delta":)" +
           delta + R"(,"finish_reason":)" + finish + "}]}\n\n";
}

std::string anthropicEvent(const std::string& type, const std::string& members) {
    return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + members + "}\n\n";
}

}  // namespace

std::string pathOf(Api api) {
    switch (api) {
        case Api::openai:
            return "/openai/v1/chat/completions";
        case Api::anthropic:
            return "/anthropic/v1/messages";
        case Api::seed:
            break;
    }
    return "/llm/complete";
}

std::string upstreamPathOf(Api api) {
    return api == Api::anthropic ? "/anthropic/v1/messages" : "/v1/chat/completions";
}

std::string question(Api api, std::string_view text, std::string_view model, bool stream) {
    if (model.empty() && api == Api::anthropic) {
        model = "claude-x";
    }
    std::string body = R"({"messages":[{"role":"user","content":)" + quoted(text) + "}]";
    if (!model.empty()) {
        body += R"(,"model":)" + quoted(model);
    }
    if (api == Api::anthropic) {
        body += R"(,"max_tokens":100)";
    }
    if (stream && api != Api::seed) {
        body += R"(,"stream":true)";
    }
    return body + '}';
}

std::string answerOf(Api api, std::string_view text) {
    if (api == Api::anthropic) {
        return R"({"id":"m1","type":"message","role":"assistant","model":"claude-x","content":[)"
               R"({"type":"text","text":)" +
               quoted(text) +
               R"(}],"stop_reason":"end_turn","stop_sequence":null,)"
               R"("usage":{"input_tokens":10,"output_tokens":5}})";
    }
    return R"({"id":"c1","object":"chat.completion","created":1,"model":"model-x","choices":[)"
           R"({"index":0,"message":{"role":"assistant","content":)" +
           quoted(text) +
           R"(},"finish_reason":"stop"}],)"
           R"("usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}})";
}

std::string beginningOf(Api api) {
    if (api != Api::anthropic) {
        return openAiChunk(R"({"role":"assistant","content":""})", "null");
    }
    return anthropicEvent(
               "message_start",
               R"(,"message":{"id":"m1","type":"message","role":"assistant","model":"claude-x",)"
               R"("content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}})") +
           anthropicEvent("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})");
}

std::string pieceOf(Api api, std::string_view text) {
    if (api != Api::anthropic) {
        return openAiChunk(R"({"content":)" + quoted(text) + "}", "null");
    }
    return anthropicEvent("content_block_delta",
                          R"(,"index":0,"delta":{"type":"text_delta","text":)" + quoted(text) + "}");
}

std::string endOf(Api api) {
    if (api != Api::anthropic) {
        return openAiChunk("{}", R"("stop")") +
               R"(data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"model-x",)"
               R"("choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}})"
               "\n\ndata: [DONE]\n\n";
    }
    return anthropicEvent("content_block_stop", R"(,"index":0)") +
           anthropicEvent("message_delta", R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},)"
                                           R"("usage":{"output_tokens":5})") +
           anthropicEvent("message_stop", "");
}

std::string streamOf(Api api, std::string_view text) {
    return beginningOf(api) + pieceOf(api, text) + endOf(api);
}

void LlmGatewayTest::setUp() {
    files_.emplace();
    upstream_.emplace();
}

void LlmGatewayTest::tearDown() {
    daemon_.reset();
    upstream_.reset();
    files_.reset();
}

void LlmGatewayTest::start(const Settings& settings) {
    Daemon::Options options{.settings = {{"llm.providers", "main, claude"},
                                         {"llm.provider.main.type", "openai"},
                                         {"llm.provider.main.base_url", upstream().url("/v1")},
                                         {"llm.provider.main.model", "model-x"},
                                         {"llm.provider.main.models", "model-*"},
                                         {"llm.provider.main.key", "env:PROVIDER_KEY"},
                                         {"llm.provider.claude.type", "anthropic"},
                                         {"llm.provider.claude.base_url", upstream().url("/anthropic")},
                                         {"llm.provider.claude.models", "claude-*"},
                                         {"llm.provider.claude.key", "env:PROVIDER_KEY"},
                                         {"llm.retry.max", "0"},
                                         {"llm.retry.base_delay", "1ms"},
                                         {"llm.breaker.failures", "1000000"},
                                         // So that the order of calls is that of their connections.
                                         {"http.loops", "1"},
                                         {"log.level", "debug"}},
                            .environment = {{"PROVIDER_KEY", std::string(providerKey)},
                                            // A sanitizer that keeps what was freed would hide what is held.
                                            {"ASAN_OPTIONS", "quarantine_size_mb=4"}}};
    for (const auto& [key, value] : settings) {
        options.settings[key] = value;
    }
    daemon_.emplace(std::move(options));
    newJob();
}

void LlmGatewayTest::answerAll() {
    for (const Api api : {Api::openai, Api::anthropic}) {
        upstream().on(upstreamPathOf(api), scripts::answer(200, answerOf(api)));
    }
}

std::shared_ptr<Permits> LlmGatewayTest::holdAll() {
    auto permits = std::make_shared<Permits>();
    for (const Api api : {Api::openai, Api::anthropic}) {
        upstream().on(upstreamPathOf(api), [permits, api](UpstreamExchange& exchange) {
            exchange.await(*permits);
            exchange.answer(200, answerOf(api));
        });
    }
    return permits;
}

void LlmGatewayTest::awaitReceived() {
    ASSERT_STATUS(200, exchange(daemon().worker(), Request("GET", "/health")));
}

Response LlmGatewayTest::ask(Api api, std::string_view text, std::string_view model) {
    return worker().post(pathOf(api), question(api, text, model));
}

Connection LlmGatewayTest::begin(Api api, std::string_view text, std::string_view model) const {
    Connection connection(daemon_->worker());
    connection.send(worker().request("POST", pathOf(api)).json(question(api, text, model)).bytes());
    return connection;
}

Connection LlmGatewayTest::begin(const Client& client, Api api, std::string_view text) const {
    Connection connection(daemon_->worker());
    connection.send(client.request("POST", pathOf(api)).json(question(api, text)).bytes());
    return connection;
}

Request LlmGatewayTest::streamRequest(Api api, std::string_view text) const {
    return worker()
        .request("POST", pathOf(api))
        .header("Accept", "text/event-stream")
        .json(question(api, text, "", true));
}

StreamedAnswer LlmGatewayTest::beginStream(Api api, std::string_view text) const {
    return {daemon_->worker(), streamRequest(api, text)};
}

Response LlmGatewayTest::awaitCalls(std::size_t count) {
    Client client = operators();
    const std::string path = "/usage?job_id=" + job_.id;
    awaitField(client, path, "total.requests", std::to_string(count));
    return client.get(path);
}

void LlmGatewayTest::assertTellsNothing(const Response& response, const CppUnit::SourceLine& line) const {
    const std::string all = response.describe();
    for (const std::string& part :
         {std::string(providerKey), std::to_string(upstream_->port()), std::string("127.0.0.1"),
          daemon_->directory().string(), files_->path().string(), std::string("PROVIDER_KEY")}) {
        assertLacks(part, all, line);
    }
}

std::string dataAt(std::string_view block, std::string_view path) {
    constexpr std::string_view field = "data: ";
    const auto begin = std::min(block.find(field) + field.size(), block.size());
    return jsonAt(block.substr(begin, block.find('\n', begin) - begin), path);
}

void assertGatewayError(int status, std::string_view code, const Response& response,
                        const CppUnit::SourceLine& line) {
    assertStatus(status, response, line);
    assertField(code, response, "error.code", line);
    const std::string message = response.at("error.message");
    CppUnit::Asserter::failIf(message.size() < 10 || message.starts_with('('),
                              CppUnit::Message("no sentence", response.describe()), line);
    CppUnit::Asserter::failIf(!response.header("Content-Type").starts_with("application/json"),
                              CppUnit::Message("not declared as JSON", response.describe()), line);
}

}  // namespace sallyport::tests
