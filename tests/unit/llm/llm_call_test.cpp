#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>
#include <sallyport/testing/recorded_stream.h>

#include "plugins/llm/chat_translation.h"
#include "plugins/llm/gateway.h"
#include "plugins/llm/llm_plugin.h"
#include "plugins/llm/native_translation.h"

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

/// A host whose pool runs what it was asked for when the test says so.
class PoolHost final : public Host {
public:
    [[nodiscard]] Routes& routes() override { return host_.routes(); }
    [[nodiscard]] Jobs& jobs() override { return host_.jobs(); }
    [[nodiscard]] EventHub& events() override { return host_.events(); }
    [[nodiscard]] Bus& bus() override { return host_.bus(); }
    [[nodiscard]] Store& store() override { return host_.store(); }
    [[nodiscard]] const Settings& settings() const override { return host_.settings(); }
    [[nodiscard]] Logger& log() override { return host_.log(); }
    [[nodiscard]] std::string workerUrl(const JobId& job) const override { return host_.workerUrl(job); }
    [[nodiscard]] std::string dataDirectory() const override { return host_.dataDirectory(); }
    bool run(std::function<void()> task) override {
        pool_.push_back(std::move(task));
        return true;
    }
    void every(std::chrono::milliseconds interval, std::function<void()> task) override {
        host_.every(interval, std::move(task));
    }

    [[nodiscard]] testing::FakeHost& fake() noexcept { return host_; }
    [[nodiscard]] bool hasWork() const noexcept { return !pool_.empty(); }
    /// Runs all that it was asked for. @return whether there was anything
    bool work() {
        const bool any = hasWork();
        while (hasWork()) {
            const auto task = std::move(pool_.front());
            pool_.pop_front();
            task();
        }
        return any;
    }

private:
    [[nodiscard]] void* extensionRaw(std::string_view /*name*/, std::uint32_t /*version*/) override {
        return nullptr;
    }
    void provideRaw(std::string_view /*service*/, std::shared_ptr<void> /*provider*/) override {}
    [[nodiscard]] std::shared_ptr<void> findRaw(std::string_view /*service*/) const override {
        return nullptr;
    }

    testing::FakeHost host_{"llm", llmSettings};
    std::deque<std::function<void()>> pool_;
};

/// Providers that answer what the test says.
class ToldUpstream final : public Upstream {
public:
    Id start(UpstreamRequest request, std::shared_ptr<UpstreamListener> listener) override {
        requests.push_back(std::move(request));
        listeners.push_back(std::move(listener));
        return requests.size();
    }
    void cancel(Id /*call*/) override { ++cancelled; }
    void pause(Id /*call*/) override { paused = true; }
    void resume(Id /*call*/) override { paused = false; }
    void after(std::chrono::milliseconds /*delay*/, std::function<void()> /*task*/) override {}

    /// The last call's.
    [[nodiscard]] UpstreamListener& listener() { return *listeners.back(); }

    std::vector<UpstreamRequest> requests;
    std::vector<std::shared_ptr<UpstreamListener>> listeners;
    int cancelled = 0;
    bool paused = false;
};

/// What of a call is done where: on the thread that it happens on, which may be an event loop, or on the
/// pool.
class LlmCallTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LlmCallTest);
    CPPUNIT_TEST(testRoutesTakeSmallBodiesOnTheLoop);
    CPPUNIT_TEST(testSmallRequestIsSentAtOnce);
    CPPUNIT_TEST(testLargeRequestIsWrittenByItsHandler);
    CPPUNIT_TEST(testRequestOfManyPartsIsReadOnThePool);
    CPPUNIT_TEST(testRequestOfTooManyPartsIsRefused);
    CPPUNIT_TEST(testNoRequestIsRefusedInTheClientsLanguage);
    CPPUNIT_TEST(testClientThatLeavesWhileItsRequestIsRead);
    CPPUNIT_TEST(testStopWhileARequestIsRead);
    CPPUNIT_TEST(testSmallEchoAnswersAtOnce);
    CPPUNIT_TEST(testLargeEchoAnswersFromThePool);
    CPPUNIT_TEST(testLargeEchoStreamsFromThePool);
    CPPUNIT_TEST(testRefusalOfALargeRequest);
    CPPUNIT_TEST(testSmallAnswerIsReadAtOnce);
    CPPUNIT_TEST(testLargeAnswerIsReadOnThePool);
    CPPUNIT_TEST(testLargeRefusalIsReadOnThePool);
    CPPUNIT_TEST(testSmallPiecesOfAStreamAreReadAtOnce);
    CPPUNIT_TEST(testLargePieceOfAStreamIsReadOnThePool);
    CPPUNIT_TEST(testLargeEventInSmallPiecesIsReadOnThePool);
    CPPUNIT_TEST(testBadPieceOnThePool);
    CPPUNIT_TEST(testEndOfALongStreamIsReadOnThePool);
    CPPUNIT_TEST(testClientThatLeavesWhileThePoolWorks);
    CPPUNIT_TEST(testClientThatLeavesAStreamWhileThePoolWorks);
    CPPUNIT_TEST(testUpstreamThatFailsWhileThePoolWorks);
    CPPUNIT_TEST(testStopWhileThePoolWorks);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::size_t large = std::size_t{100} * 1024;

    PoolHost host_;
    ToldUpstream upstream_;
    CallLog log_{host_.fake().store(), host_.fake().log()};
    CallMetrics metrics_{host_.fake().require<Metrics>()};
    JobLedger ledger_{{}, [](const JobId&) { return UsageTotals{}; }};
    const Models models_{Models::Rules{}};
    const Prices prices_{std::vector<std::string>{}};
    const ChatOptions chat_{};
    const ForwardedHeaders forwarded_{};
    const Asking chatAsking_{[this](const Call& call, const json::Limits& limits) {
                                 return std::make_unique<ChatTranslation>(call, limits, false, chat_);
                             },
                             &Reply::error};
    const Asking nativeAsking_{
        [this](const Call& call, const json::Limits& limits) {
            return std::make_unique<NativeTranslation>(call, limits, NativeEndpoint::chatCompletions,
                                                       forwarded_);
        },
        [](const RequestError& error) { return nativeRefusal(ProviderType::openai, error); }};
    std::optional<Gateway> gateway_;

    std::optional<Reply> answer_;
    std::shared_ptr<Abandonment> client_;
    std::shared_ptr<testing::RecordedStream> stream_;

public:
    void setUp() override {
        Provider openai;
        openai.name = "main";
        openai.type = ProviderType::openai;
        openai.baseUrl = "http://127.0.0.1:1/v1";
        openai.model = "model-x";
        use(openai);
    }

    /// What holds a call goes before the gateway.
    void tearDown() override {
        host_.work();
        answer_.reset();
        stream_.reset();
        upstream_.listeners.clear();
    }

private:
    void use(const Provider& provider) {
        const GatewayOptions options{.queue = {.slots = 8, .places = 8, .bytes = 1U << 20U},
                                     .patience = 1min};
        std::vector<std::unique_ptr<ProviderState>> providers;
        providers.push_back(std::make_unique<ProviderState>(provider, options, EchoScript()));
        gateway_.reset();
        gateway_.emplace(Gateway::Parts{host_, ledger_, log_, metrics_, models_, prices_, upstream_}, options,
                         std::move(providers));
    }

    void useEcho() {
        Provider echo;
        echo.name = "echo";
        echo.model = "echo";
        use(echo);
    }

    /// A call with that text, as far as it comes by itself.
    void begin(const std::string& text, bool streams = false, bool native = false) {
        beginWith(R"({"messages":[{"role":"user","content":")" + text + '"' +
                      (native ? R"(}],"model":"model-x","stream":true})" : "}]}"),
                  streams, native);
    }

    /// The same with a body of so many elements.
    void beginWithParts(std::size_t count, bool native, const std::string& more = R"("model":"model-x")") {
        std::string body = "{" + more + R"(,"messages":[],"other":[0)";
        for (std::size_t i = 0; i < count; ++i) {
            body += ",0";
        }
        beginWith(body + "]}", false, native);
    }

    void beginWith(std::string body, bool streams, bool native) {
        const auto caller = host_.fake().callerOf(host_.fake().makeJob());
        ledger_.load(caller->job());
        Call::Parts parts;
        parts.method = "POST";
        parts.path = "/llm/complete";
        parts.requestId = "1";
        parts.body = std::move(body);
        if (streams) {
            parts.headers.emplace_back("accept", "text/event-stream");
        }
        const auto call = testing::FakeHost::call(caller, std::move(parts));
        Reply reply = gateway_->answer(*call, native ? nativeAsking_ : chatAsking_);
        client_ = std::make_shared<Abandonment>();
        answer_.reset();
        stream_ = std::make_shared<testing::RecordedStream>();
        const auto* const deferred = std::get_if<Reply::Deferred>(&reply.content());
        if (deferred == nullptr) {
            answer_ = std::move(reply);
            return;
        }
        deferred->start(Promise(
            [this](Reply answer) {
                answer_ = std::move(answer);
                if (const auto* const streamed = std::get_if<Reply::Streamed>(&answer_->content())) {
                    streaming_ = streamed->producer;
                }
            },
            client_));
    }

    /// The connection has sent the head of a stream.
    void attach() { std::exchange(streaming_, nullptr)(stream_); }

    void head(int status, const char* type) {
        upstream_.listener().onHead({.status = status, .headers = {{"content-type", type}}});
    }
    void answer(int status, const std::string& body) {
        head(status, "application/json");
        upstream_.listener().onBody(body);
        upstream_.listener().onDone(UpstreamProblem::none, "");
    }
    [[nodiscard]] static std::string completion(std::size_t size) {
        return R"({"choices":[{"message":{"content":")" + std::string(size, 'a') +
               R"("},"finish_reason":"stop"}]})";
    }
    [[nodiscard]] static std::string chunk(std::size_t size) {
        return R"(data: {"choices":[{"index":0,"delta":{"content":")" + std::string(size, 'a') + "\"}}]}\n\n";
    }
    static constexpr std::string_view end_ =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

    [[nodiscard]] std::string body() const {
        CPPUNIT_ASSERT_MESSAGE("no answer", answer_.has_value());
        return std::get<Reply::Whole>(answer_->content()).body;
    }

    std::function<void(std::shared_ptr<Stream>)> streaming_;

public:
    static void testRoutesTakeSmallBodiesOnTheLoop() {
        testing::FakeHost host("llm", llmSettings);
        host.start(std::make_unique<LlmPlugin>());
        for (const char* route : {"/llm/complete", "/llm/complete_with_tools", "/openai/v1/chat/completions",
                                  "/anthropic/v1/messages"}) {
            const RouteOptions options = host.options(Realm::worker, "POST", route);
            CPPUNIT_ASSERT(options.run == Run::loop);
            CPPUNIT_ASSERT_EQUAL(loopBody, options.loopBody);
        }
    }

    void testSmallRequestIsSentAtOnce() {
        begin("hello");
        CPPUNIT_ASSERT(!host_.hasWork());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, upstream_.requests.size());
    }

    /// Its handler is on the pool, and begins with what takes long.
    void testLargeRequestIsWrittenByItsHandler() {
        begin(std::string(large, 'a'));
        CPPUNIT_ASSERT(!host_.hasWork());
        CPPUNIT_ASSERT(upstream_.requests.front().body->size() > large);
        answer(200, completion(1));
        CPPUNIT_ASSERT(body().starts_with(R"({"content":"a")"));
    }

    void testRequestOfManyPartsIsReadOnThePool() {
        for (const bool native : {false, true}) {
            upstream_.requests.clear();
            beginWithParts(2000, native);
            CPPUNIT_ASSERT(upstream_.requests.empty());
            host_.work();
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, upstream_.requests.size());
            answer(200, completion(1));
            CPPUNIT_ASSERT_EQUAL(200, answer_->status());
        }
        beginWithParts(500, false);
        CPPUNIT_ASSERT(!host_.hasWork());
    }

    /// The limit for all that is sent is told of, and not the loop's.
    void testRequestOfTooManyPartsIsRefused() {
        beginWithParts(json::defaultValues, false);
        host_.work();
        CPPUNIT_ASSERT_EQUAL(422, answer_->status());
        CPPUNIT_ASSERT(body().find("more than " + std::to_string(json::defaultValues)) != std::string::npos);
    }

    void testNoRequestIsRefusedInTheClientsLanguage() {
        beginWithParts(2000, true, R"("model":7)");
        host_.work();
        CPPUNIT_ASSERT_EQUAL(422, answer_->status());
        CPPUNIT_ASSERT(body().find("invalid_request_error") != std::string::npos);
        beginWithParts(10, true, R"("model":7)");
        CPPUNIT_ASSERT_EQUAL(422, answer_->status());
        CPPUNIT_ASSERT(body().find("invalid_request_error") != std::string::npos);
    }

    void testClientThatLeavesWhileItsRequestIsRead() {
        beginWithParts(2000, false);
        client_->declare();
        host_.work();
        CPPUNIT_ASSERT(upstream_.requests.empty());
    }

    void testStopWhileARequestIsRead() {
        beginWithParts(2000, false);
        gateway_->stop();
        host_.work();
        CPPUNIT_ASSERT(upstream_.requests.empty());
        CPPUNIT_ASSERT_EQUAL(503, answer_->status());
    }

    void testSmallEchoAnswersAtOnce() {
        useEcho();
        begin("hello");
        CPPUNIT_ASSERT(body().starts_with(R"({"content":"[echo] hello")"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.fake().metric("calls_total", {"echo", "ok"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.fake().metric("call_seconds"));
        CPPUNIT_ASSERT(host_.fake().metric("tokens_total", {"output"}) > 0);
        CPPUNIT_ASSERT(!host_.hasWork());
    }

    void testLargeEchoAnswersFromThePool() {
        useEcho();
        begin(std::string(large, 'a'));
        CPPUNIT_ASSERT(!answer_);
        host_.work();
        CPPUNIT_ASSERT(body().size() > large);
    }

    void testLargeEchoStreamsFromThePool() {
        useEcho();
        begin(std::string(5 * large, 'a'), true);
        CPPUNIT_ASSERT(!answer_);
        host_.work();
        attach();
        // So much is not even copied on the connection's thread.
        CPPUNIT_ASSERT(stream_->written().empty());
        host_.work();
        CPPUNIT_ASSERT(stream_->ended());
        CPPUNIT_ASSERT(stream_->written().size() > 5 * large);
    }

    void testRefusalOfALargeRequest() {
        Provider ollama;
        ollama.name = "local";
        ollama.type = ProviderType::ollama;
        ollama.baseUrl = "http://127.0.0.1:1";
        ollama.model = "model-x";
        use(ollama);
        begin(
            std::string(large, 'a') +
            R"(","content_parts":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}],"name":"a)");
        host_.work();
        CPPUNIT_ASSERT(upstream_.requests.empty());
        CPPUNIT_ASSERT_EQUAL(422, answer_->status());
    }

    void testSmallAnswerIsReadAtOnce() {
        begin("hello");
        answer(200, completion(100));
        CPPUNIT_ASSERT(!host_.hasWork());
        CPPUNIT_ASSERT(body().size() > 100);
    }

    void testLargeAnswerIsReadOnThePool() {
        begin("hello");
        head(200, "application/json");
        const std::string text = completion(large);
        for (std::size_t at = 0; at < text.size(); at += 1000) {
            upstream_.listener().onBody(std::string_view(text).substr(at, 1000));
        }
        upstream_.listener().onDone(UpstreamProblem::none, "");
        CPPUNIT_ASSERT(!answer_);
        host_.work();
        CPPUNIT_ASSERT(body().find(std::string(large, 'a')) != std::string::npos);
    }

    void testLargeRefusalIsReadOnThePool() {
        begin("hello");
        answer(400, R"({"error":{"message":")" + std::string(large, 'a') + "\"}}");
        CPPUNIT_ASSERT(!answer_);
        host_.work();
        CPPUNIT_ASSERT_EQUAL(502, answer_->status());
    }

    void testSmallPiecesOfAStreamAreReadAtOnce() {
        begin("hello", true);
        head(200, "text/event-stream");
        upstream_.listener().onBody(chunk(10));
        attach();
        upstream_.listener().onBody(chunk(10));
        upstream_.listener().onBody(end_);
        upstream_.listener().onDone(UpstreamProblem::none, "");
        CPPUNIT_ASSERT(!host_.hasWork());
        CPPUNIT_ASSERT(stream_->ended());
        CPPUNIT_ASSERT(stream_->written().find("event: completion") != std::string::npos);
    }

    void testLargePieceOfAStreamIsReadOnThePool() {
        begin("hello", true);
        head(200, "text/event-stream");
        upstream_.listener().onBody(chunk(10) + chunk(large));
        CPPUNIT_ASSERT(!answer_);
        CPPUNIT_ASSERT(upstream_.paused);
        host_.work();
        CPPUNIT_ASSERT(!upstream_.paused);
        attach();
        CPPUNIT_ASSERT(stream_->written().size() > large);
        upstream_.listener().onBody(end_);
        upstream_.listener().onDone(UpstreamProblem::none, "");
        host_.work();
        CPPUNIT_ASSERT(stream_->ended());
    }

    void testLargeEventInSmallPiecesIsReadOnThePool() {
        begin("hello", false, true);
        head(200, "text/event-stream");
        const std::string text = chunk(large);
        int onPool = 0;
        for (std::size_t at = 0; at < text.size(); at += 1000) {
            upstream_.listener().onBody(std::string_view(text).substr(at, 1000));
            onPool += host_.work() ? 1 : 0;
        }
        CPPUNIT_ASSERT(onPool > 50);
        attach();
        CPPUNIT_ASSERT(stream_->written() == text);
    }

    void testBadPieceOnThePool() {
        begin("hello", true);
        head(200, "text/event-stream");
        upstream_.listener().onBody("data: [" + std::string(large, ',') + "\n\n");
        host_.work();
        CPPUNIT_ASSERT_EQUAL(1, upstream_.cancelled);
        upstream_.listener().onDone(UpstreamProblem::cancelled, "");
        CPPUNIT_ASSERT_EQUAL(502, answer_->status());
    }

    void testEndOfALongStreamIsReadOnThePool() {
        begin("hello", true);
        head(200, "text/event-stream");
        upstream_.listener().onBody(chunk(1));
        attach();
        for (std::size_t sent = 0; sent < large; sent += 1000) {
            upstream_.listener().onBody(chunk(1000));
        }
        upstream_.listener().onBody(end_);
        CPPUNIT_ASSERT(!host_.hasWork());
        upstream_.listener().onDone(UpstreamProblem::none, "");
        CPPUNIT_ASSERT(!stream_->ended());
        host_.work();
        CPPUNIT_ASSERT(stream_->ended());
        // All of the text, once more.
        CPPUNIT_ASSERT(stream_->written().find(std::string(large, 'a')) != std::string::npos);
    }

    void testClientThatLeavesWhileThePoolWorks() {
        begin("hello");
        answer(200, completion(large));
        client_->declare();
        host_.work();
        // Nobody is told; it is what a promise says that nobody kept.
        CPPUNIT_ASSERT_EQUAL(500, answer_->status());
    }

    void testClientThatLeavesAStreamWhileThePoolWorks() {
        begin("hello", true);
        head(200, "text/event-stream");
        upstream_.listener().onBody(chunk(10));
        attach();
        upstream_.listener().onBody(chunk(large));
        stream_->hangUp();
        CPPUNIT_ASSERT_EQUAL(0, upstream_.cancelled);
        host_.work();
        CPPUNIT_ASSERT_EQUAL(1, upstream_.cancelled);
    }

    void testUpstreamThatFailsWhileThePoolWorks() {
        begin("hello", true);
        head(200, "text/event-stream");
        upstream_.listener().onBody(chunk(large));
        upstream_.listener().onDone(UpstreamProblem::totalTimeout, "");
        CPPUNIT_ASSERT(!answer_);
        host_.work();
        attach();
        // What came before the failure comes first.
        CPPUNIT_ASSERT(stream_->written().find("event: error") > large);
        CPPUNIT_ASSERT(stream_->ended());
    }

    void testStopWhileThePoolWorks() {
        begin("hello");
        answer(200, completion(large));
        gateway_->stop();
        host_.work();
        CPPUNIT_ASSERT_EQUAL(503, answer_->status());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LlmCallTest);

}  // namespace
}  // namespace sallyport::plugins::llm
