#include "plugins/llm/upstream/http_upstream.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <future>
#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recording_log.h>

#include "host/testing/io_thread.h"
#include "tests/support/connect_proxy.h"
#include "tests/support/deadline.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/llm/two_addresses.h"

/// Shows a problem by its name where an assertion fails.
template <>
struct CppUnit::assertion_traits<sallyport::plugins::llm::UpstreamProblem> {
    using Problem = sallyport::plugins::llm::UpstreamProblem;
    static bool equal(Problem a, Problem b) { return a == b; }
    static std::string toString(Problem problem) { return name(problem); }
};

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;
using namespace tests;

constexpr std::size_t anySize = 1U << 30U;

/// Keeps what it hears, and may do something on hearing it.
class Answer final : public UpstreamListener {
public:
    std::function<void()> atHead = [] {};
    std::function<void()> atBody = [] {};
    std::function<void()> atDone = [] {};

    void onHead(const UpstreamHead& head) override {
        note([&] {
            ++heads_;
            head_ = head;
        });
        atHead();
    }
    void onBody(std::string_view piece) override {
        note([&] { body_.append(piece); });
        atBody();
    }
    void onDone(UpstreamProblem problem, const std::string& detail) override {
        atDone();
        note([&] {
            ++ends_;
            problem_ = problem;
            detail_ = detail;
            thread_ = std::this_thread::get_id();
        });
    }

    /// Waits for the end. @return why
    UpstreamProblem problem() {
        await([this] { return ends_ > 0; });
        return problem_;
    }
    int status() {
        await([this] { return heads_ > 0 || ends_ > 0; });
        return head_.status;
    }
    /// Waits until so much of the body is there.
    void awaitBody(std::size_t size) {
        await([&] { return body_.size() >= size; });
    }
    std::string header(std::string_view wanted) {
        status();
        const std::lock_guard lock(mutex_);
        for (const auto& [headerName, value] : head_.headers) {
            if (headerName == wanted) {
                return value;
            }
        }
        return "(none)";
    }
    std::string body() const {
        const std::lock_guard lock(mutex_);
        return body_;
    }
    int heads() const {
        const std::lock_guard lock(mutex_);
        return heads_;
    }
    int ends() const {
        const std::lock_guard lock(mutex_);
        return ends_;
    }
    std::string detail() const {
        const std::lock_guard lock(mutex_);
        return detail_;
    }
    std::thread::id thread() const {
        const std::lock_guard lock(mutex_);
        return thread_;
    }

private:
    template <class F>
    void note(F change) {
        const std::lock_guard lock(mutex_);
        change();
        changed_.notify_all();
    }
    template <class Condition>
    void await(Condition condition) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, failureLimit(), condition)) {
            throw TimedOut("gave up waiting for a call");
        }
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    int heads_ = 0;
    int ends_ = 0;
    UpstreamHead head_;
    std::string body_;
    UpstreamProblem problem_ = UpstreamProblem::none;
    std::string detail_;
    std::thread::id thread_;
};

/// Follows a call whose body is nothing to keep.
class Discarding final : public UpstreamListener {
public:
    std::promise<void> begun;
    std::atomic<bool> over{false};

    void onHead(const UpstreamHead&) override { begun.set_value(); }
    void onBody(std::string_view) override {}
    void onDone(UpstreamProblem, const std::string&) override { over = true; }
};

std::shared_ptr<const std::string> text(std::string content) {
    return std::make_shared<const std::string>(std::move(content));
}

std::shared_ptr<const SecretText> secret(std::string_view line) {
    return std::make_shared<const SecretText>(SecretText::copyOf(line));
}

UpstreamRequest get(std::string url) {
    UpstreamRequest request;
    request.method = "GET";
    request.url = std::move(url);
    request.endpoint.maxResponse = anySize;
    return request;
}

UpstreamRequest post(std::string url, std::string body) {
    UpstreamRequest request = get(std::move(url));
    request.method = "POST";
    request.headers = {"Content-Type: application/json"};
    request.body = text(std::move(body));
    return request;
}

/// A variable of the environment, for as long as this lives.
class Variable {
public:
    Variable(const char* variable, const std::string& value) : name_(variable) {
        ::setenv(variable, value.c_str(), 1);
    }
    ~Variable() { ::unsetenv(name_); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* name_;
};

class HttpUpstreamTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HttpUpstreamTest);
    CPPUNIT_TEST(testWholeAnswer);
    CPPUNIT_TEST(testBodyIsSentAsItIs);
    CPPUNIT_TEST(testLargeBodyIsSentWithoutAsking);
    CPPUNIT_TEST(testMethods);
    CPPUNIT_TEST(testHeaders);
    CPPUNIT_TEST(testKeyHeaderIsSentOnce);
    CPPUNIT_TEST(testRefusesHeaders);
    CPPUNIT_TEST(testRefusalDoesNotShowTheKey);
    CPPUNIT_TEST(testRefusesAddressesAndMethods);
    CPPUNIT_TEST(testAddressIsSentAsItIs);
    CPPUNIT_TEST(testErrorStatusIsAnAnswer);
    CPPUNIT_TEST(testRedirectIsNotFollowed);
    CPPUNIT_TEST(testCookiesAreNotKept);
    CPPUNIT_TEST(testConnectionIsKept);
    CPPUNIT_TEST(testStaleConnectionIsReplaced);
    CPPUNIT_TEST(testConnectionResetWhileIdleIsReplaced);
    CPPUNIT_TEST(testNewConnectionIsNotTriedAgain);
    CPPUNIT_TEST(testPartOfAnAnswerIsNotTriedAgain);
    CPPUNIT_TEST(testUnresolved);
    CPPUNIT_TEST(testRefused);
    CPPUNIT_TEST(testConnectTimeout);
    CPPUNIT_TEST(testNextAddressOfANameWhoseFirstDoesNotAnswer);
    CPPUNIT_TEST(testTlsHandshakeIsPartOfConnecting);
    CPPUNIT_TEST(testFirstByteTimeout);
    CPPUNIT_TEST(testSendingIsNotWaiting);
    CPPUNIT_TEST(testIdleTimeout);
    CPPUNIT_TEST(testTotalTimeout);
    CPPUNIT_TEST(testBrokenAnswers);
    CPPUNIT_TEST(testOddChunks);
    CPPUNIT_TEST(testBodyUpToTheEndOfTheConnection);
    CPPUNIT_TEST(testEarlyAnswer);
    CPPUNIT_TEST(testAnswerBeforeTheRequest);
    CPPUNIT_TEST(testProvisionalAnswer);
    CPPUNIT_TEST(testBytesBehindAnAnswer);
    CPPUNIT_TEST(testAnswerThatClosesTheConnection);
    CPPUNIT_TEST(testEndlessHead);
    CPPUNIT_TEST(testGzip);
    CPPUNIT_TEST(testCompressedBodyCutShort);
    CPPUNIT_TEST(testEmptyCompressedBody);
    CPPUNIT_TEST(testUnknownCodings);
    CPPUNIT_TEST(testTooLarge);
    CPPUNIT_TEST(testTooLargeWhenDecoded);
    CPPUNIT_TEST(testStreamArrivesInPieces);
    CPPUNIT_TEST(testTls);
    CPPUNIT_TEST(testTlsConnectionIsKept);
    CPPUNIT_TEST(testTlsConnectionCutInABody);
    CPPUNIT_TEST(testBytesBehindAnAnswerWithTls);
    CPPUNIT_TEST(testTlsRefusals);
    CPPUNIT_TEST(testAuthorityIsForItsEndpointOnly);
    CPPUNIT_TEST(testProxy);
    CPPUNIT_TEST(testProxyOfTheEnvironment);
    CPPUNIT_TEST(testProxyThatDoesNotConnect);
    CPPUNIT_TEST(testCallThroughATunnel);
    CPPUNIT_TEST(testTunnelsAreKept);
    CPPUNIT_TEST(testProxyCredentialsAreForTheProxy);
    CPPUNIT_TEST(testProxyWithBadCredentials);
    CPPUNIT_TEST(testNameThatIsLookedUp);
    CPPUNIT_TEST(testStopDuringALookup);
    CPPUNIT_TEST(testFastStreamLeavesRoomForOthers);
    CPPUNIT_TEST(testCancelWhileWaiting);
    CPPUNIT_TEST(testCancelInAStream);
    CPPUNIT_TEST(testCancelWhileConnecting);
    CPPUNIT_TEST(testCancelFromTheListener);
    CPPUNIT_TEST(testCancelAfterTheEnd);
    CPPUNIT_TEST(testOthersGetTheLoopInTheMiddleOfAnAnswer);
    CPPUNIT_TEST(testPauseHoldsTheAnswerBack);
    CPPUNIT_TEST(testPauseHoldsDecodedDataBack);
    CPPUNIT_TEST(testNoIdleTimeoutWhilePaused);
    CPPUNIT_TEST(testTotalTimeoutWhilePaused);
    CPPUNIT_TEST(testTooLargeAfterAPause);
    CPPUNIT_TEST(testListenerThatThrows);
    CPPUNIT_TEST(testTaskThatThrows);
    CPPUNIT_TEST(testDelayedTasks);
    CPPUNIT_TEST(testCallsOfAListenerStayOnItsThread);
    CPPUNIT_TEST(testManyCallsAtOnce);
    CPPUNIT_TEST(testStopCancels);
    CPPUNIT_TEST(testStopCancelsWhatIsBegunMeanwhile);
    CPPUNIT_TEST(testStopDropsDelayedTasks);
    CPPUNIT_TEST_SUITE_END();

    testing::RecordingLog log_;
    FakeUpstream server_;
    std::vector<std::shared_ptr<IoLoop>> loops_;
    std::optional<HttpUpstream> client_;

public:
    void setUp() override { make(1); }

private:
    void make(std::size_t loops) {
        client_.reset();
        loops_ = testing::ioThreads(loops, log_);
        client_.emplace(loops_, log_);
    }

    std::shared_ptr<Answer> begin(UpstreamRequest request) {
        auto answer = std::make_shared<Answer>();
        client_->start(std::move(request), answer);
        return answer;
    }

    /// Asks once and waits for the end.
    std::shared_ptr<Answer> ask(UpstreamRequest request) {
        auto answer = begin(std::move(request));
        answer->problem();
        return answer;
    }

    void assertLogged(const std::string& message) const {
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.lines().size());
        CPPUNIT_ASSERT_EQUAL(message, log_.lines().front().message);
    }

    void assertServed(UpstreamRequest request) {
        const auto answer = ask(std::move(request));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer->detail(), UpstreamProblem::none, answer->problem());
    }

    void assertEnds(UpstreamProblem expected, UpstreamRequest request) {
        const auto answer = ask(std::move(request));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer->detail(), expected, answer->problem());
        CPPUNIT_ASSERT(!answer->detail().empty());
    }

    /// Waits until the client's timers have gone so far.
    void letPass(std::chrono::milliseconds time) {
        std::promise<void> passed;
        client_->after(time, [&] { passed.set_value(); });
        passed.get_future().wait();
    }

    void testWholeAnswer() {
        server_.on("/v1/models", scripts::answer(200, R"({"data":[]})", {{"X-Request-ID", " abc "}}));
        const auto answer = ask(get(server_.url("/v1/models")));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(200, answer->status());
        CPPUNIT_ASSERT_EQUAL(std::string("abc"), answer->header("x-request-id"));
        CPPUNIT_ASSERT_EQUAL(std::string("11"), answer->header("content-length"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"data":[]})"), answer->body());
        CPPUNIT_ASSERT_EQUAL(1, answer->heads());
        CPPUNIT_ASSERT_EQUAL(1, answer->ends());
    }

    void testBodyIsSentAsItIs() {
        const std::string body("{\"a\":\"\0\n\xff\"}", 11);
        server_.on("/", scripts::answer(200, "{}"));
        assertServed(post(server_.url("/"), body));
        const SeenRequest seen = server_.awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("POST"), seen.method);
        CPPUNIT_ASSERT(body == seen.body);
        CPPUNIT_ASSERT_EQUAL(std::string("11"), seen.header("content-length"));
    }

    void testLargeBodyIsSentWithoutAsking() {
        std::string body;
        for (int i = 0; body.size() < 3U << 20U; ++i) {
            body += std::to_string(i);
        }
        server_.on("/", scripts::answer(200, "{}"));
        assertServed(post(server_.url("/"), body));
        const SeenRequest seen = server_.awaitRequest(0);
        CPPUNIT_ASSERT(body == seen.body);
        CPPUNIT_ASSERT_EQUAL(std::string(), seen.header("expect"));
    }

    void testMethods() {
        server_.on("/", scripts::answer(200, "{}"));
        // One after another on one handle, so that each has to get rid of what the one before set.
        UpstreamRequest put = post(server_.url("/"), "content");
        put.method = "PUT";
        assertServed(put);
        assertServed(get(server_.url("/")));
        UpstreamRequest remove = get(server_.url("/"));
        remove.method = "DELETE";
        assertServed(remove);
        UpstreamRequest empty = get(server_.url("/"));
        empty.method = "POST";
        assertServed(empty);
        assertServed(get(server_.url("/")));

        std::string methods;
        std::string lengths;
        for (const SeenRequest& seen : server_.requests()) {
            methods += seen.method + " ";
            lengths += seen.header("content-length") + ",";
        }
        CPPUNIT_ASSERT_EQUAL(std::string("PUT GET DELETE POST GET "), methods);
        CPPUNIT_ASSERT_EQUAL(std::string("7,,,0,,"), lengths);
    }

    void testHeaders() {
        server_.on("/", scripts::answer(200, "{}"));
        UpstreamRequest request = post(server_.url("/"), "{}");
        request.headers = {"X-One: 1", "x-empty:", "X-Tab: a\tb", "Accept: text/event-stream"};
        assertServed(request);
        assertServed(get(server_.url("/")));

        const SeenRequest seen = server_.awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("1"), seen.header("x-one"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, seen.count("x-empty"));
        CPPUNIT_ASSERT_EQUAL(std::string("a\tb"), seen.header("x-tab"));
        CPPUNIT_ASSERT_EQUAL(std::string("text/event-stream"), seen.header("accept"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, seen.count("accept"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, seen.count("content-type"));
        CPPUNIT_ASSERT_EQUAL(std::string("identity"), seen.header("accept-encoding"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, server_.awaitRequest(1).count("x-one"));
    }

    void testKeyHeaderIsSentOnce() {
        server_.on("/", scripts::answer(200, "{}"));
        UpstreamRequest request = get(server_.url("/"));
        request.keyHeader = secret("x-api-key: sk-1");
        assertServed(request);
        assertServed(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(std::string("sk-1"), server_.awaitRequest(0).header("x-api-key"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, server_.awaitRequest(1).count("x-api-key"));
    }

    void testRefusesHeaders() {
        const std::vector<std::string> bad = {"X-A: 1\r\nX-B: 2",
                                              "X-A: 1\nX-B: 2",
                                              std::string("X-A: 1\0", 7),
                                              "X-A: \x7f",
                                              "X-A",
                                              "X A: 1",
                                              ": 1",
                                              "X-A\r\n: 1",
                                              "",
                                              "X-A;",
                                              "Content-Length: 1",
                                              "transfer-encoding: chunked",
                                              "HOST: example.com",
                                              "Connection: close",
                                              "Expect: 100-continue",
                                              "Upgrade: h2c",
                                              "Proxy-Authorization: Basic eA=="};
        for (const std::string& line : bad) {
            UpstreamRequest request = get(server_.url("/"));
            request.headers = {line};
            CPPUNIT_ASSERT_THROW_MESSAGE(line, begin(request), std::invalid_argument);
            request.headers.clear();
            request.keyHeader = secret(line);
            CPPUNIT_ASSERT_THROW_MESSAGE(line, begin(request), std::invalid_argument);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, server_.connections());
    }

    void testRefusalDoesNotShowTheKey() {
        UpstreamRequest request = get(server_.url("/"));
        request.keyHeader = secret("Authorization: Bearer sk-1\n");
        try {
            begin(request);
            CPPUNIT_FAIL("was not refused");
        } catch (const std::invalid_argument& error) {
            CPPUNIT_ASSERT(std::string(error.what()).find("sk-1") == std::string::npos);
        }
    }

    void testRefusesAddressesAndMethods() {
        for (const char* url : {"ftp://127.0.0.1/", "file:///etc/hostname", "127.0.0.1/", "", "http//x",
                                "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX-A: 1"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(url, begin(get(url)), std::invalid_argument);
        }
        for (const char* method : {"", "HEAD", "CONNECT", "GET /x", "GET\r\nX-A: 1"}) {
            UpstreamRequest request = get(server_.url("/"));
            request.method = method;
            CPPUNIT_ASSERT_THROW_MESSAGE(method, begin(request), std::invalid_argument);
        }
    }

    void testAddressIsSentAsItIs() {
        server_.next(scripts::answer(200, "{}"));
        assertServed(get(server_.url("/v1/../models/%2e%2E/x?a=b%20c&d")));
        CPPUNIT_ASSERT_EQUAL(std::string("/v1/../models/%2e%2E/x?a=b%20c&d"), server_.awaitRequest(0).target);
    }

    void testErrorStatusIsAnAnswer() {
        server_.next(scripts::answer(429, R"({"error":"slow down"})", {{"Retry-After", "7"}}));
        const auto answer = ask(post(server_.url("/"), "{}"));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(429, answer->status());
        CPPUNIT_ASSERT_EQUAL(std::string("7"), answer->header("retry-after"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"error":"slow down"})"), answer->body());
    }

    void testRedirectIsNotFollowed() {
        server_.next(scripts::answer(302, "", {{"Location", "/elsewhere"}}));
        CPPUNIT_ASSERT_EQUAL(302, ask(get(server_.url("/")))->status());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server_.requests().size());
    }

    void testCookiesAreNotKept() {
        server_.on("/", scripts::answer(200, "{}", {{"Set-Cookie", "a=b"}}));
        assertServed(get(server_.url("/")));
        assertServed(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, server_.awaitRequest(1).count("cookie"));
    }

    void testConnectionIsKept() {
        server_.on("/", scripts::answer(200, "{}"));
        server_.on("/stream", scripts::chunked({"a", "b"}));
        for (const char* path : {"/", "/stream", "/", "/stream"}) {
            assertServed(post(server_.url(path), "{}"));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server_.connections());
    }

    void testStaleConnectionIsReplaced() {
        // As when the server closes it at the very moment at which it is used again.
        for (const auto& stale : {scripts::hangUp(), scripts::reset()}) {
            const std::size_t before = server_.requests().size();
            server_.next(scripts::answer(200, "{}"));
            server_.next(stale);
            server_.next(scripts::answer(200, "{}"));
            assertServed(post(server_.url("/"), "first"));
            assertServed(post(server_.url("/"), "second"));
            const auto seen = server_.requests();
            CPPUNIT_ASSERT_EQUAL(before + 3, seen.size());
            CPPUNIT_ASSERT_EQUAL(std::string("second"), seen[before + 1].body);
            CPPUNIT_ASSERT_EQUAL(std::string("second"), seen[before + 2].body);
            CPPUNIT_ASSERT_EQUAL(seen[before].connection, seen[before + 1].connection);
            CPPUNIT_ASSERT(seen[before + 1].connection != seen[before + 2].connection);
        }
    }

    void testConnectionResetWhileIdleIsReplaced() {
        server_.next(scripts::answerAndClose(200, "{}"));
        server_.next(scripts::answer(200, "{}"));
        assertServed(get(server_.url("/")));
        assertServed(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, server_.connections());
    }

    void testNewConnectionIsNotTriedAgain() {
        server_.next(scripts::hangUp());
        assertEnds(UpstreamProblem::broken, post(server_.url("/"), "{}"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server_.requests().size());
    }

    void testPartOfAnAnswerIsNotTriedAgain() {
        server_.next(scripts::answer(200, "{}"));
        server_.next([](UpstreamExchange& exchange) {
            exchange.send("HTTP/1.1 200 OK\r\nContent-");
            exchange.close();
        });
        assertServed(post(server_.url("/"), "{}"));
        assertEnds(UpstreamProblem::broken, post(server_.url("/"), "{}"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, server_.requests().size());
    }

    void testUnresolved() {
        // A label that is too long for a name, so that nobody is asked for it.
        assertEnds(UpstreamProblem::resolve, get("http://" + std::string(70, 'a') + ".invalid/"));
    }

    void testRefused() {
        const RefusingPort port;
        assertEnds(UpstreamProblem::connect, get(port.url()));
    }

    void testConnectTimeout() {
        const UnreachablePort port;
        UpstreamRequest request = get(port.url());
        request.endpoint.connect = 50ms;
        assertEnds(UpstreamProblem::connectTimeout, request);
    }

    /// The answer to the lookup sets the time at which the next one is tried.
    void testNextAddressOfANameWhoseFirstDoesNotAnswer() {
        const UnreachablePort unreachable;
        const TwoAddresses name(unreachable.url(), server_.url(""));
        server_.next(scripts::answer(200, "{}"));
        UpstreamRequest request = get(std::string("http://") + TwoAddresses::name + "/");
        request.endpoint.connect = 5s;
        assertServed(request);
    }

    void testTlsHandshakeIsPartOfConnecting() {
        const DeafPort port;
        UpstreamRequest request = get(port.url("https"));
        request.endpoint.connect = 50ms;
        assertEnds(UpstreamProblem::connectTimeout, request);
    }

    void testFirstByteTimeout() {
        server_.next(scripts::silence());
        UpstreamRequest request = post(server_.url("/"), "{}");
        request.endpoint.firstByte = 50ms;
        assertEnds(UpstreamProblem::firstByteTimeout, request);
        server_.awaitClosed(0);
        // A provisional head is no answer.
        server_.next([](UpstreamExchange& exchange) {
            exchange.head(100, {});
            exchange.awaitClosed();
        });
        assertEnds(UpstreamProblem::firstByteTimeout, request);
    }

    void testSendingIsNotWaiting() {
        server_.readSlowly(std::size_t{64} * 1024, 8ms);
        server_.next(scripts::answer(200, "{}"));
        UpstreamRequest request = post(server_.url("/"), std::string(32U << 20U, 'x'));
        // Half of what sending takes, and twice what is on its way when the last of it has been sent.
        request.endpoint.firstByte = 2s;
        assertServed(request);
    }

    void testIdleTimeout() {
        server_.next(scripts::silenceAfterHead());
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.idle = 50ms;
        const auto answer = ask(request);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::idleTimeout, answer->problem());
        CPPUNIT_ASSERT_EQUAL(200, answer->status());
        server_.awaitClosed(0);
    }

    void testTotalTimeout() {
        server_.next(scripts::drip(10ms));
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.idle = failureLimit();
        request.endpoint.total = 200ms;
        const auto answer = ask(request);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::totalTimeout, answer->problem());
        CPPUNIT_ASSERT(!answer->body().empty());
        server_.awaitClosed(0);
    }

    void testBrokenAnswers() {
        for (const auto& script :
             {scripts::hangUp(), scripts::reset(), scripts::resetAfterHead(), scripts::half("0123456789"),
              scripts::notHttp(), scripts::chunkedWithBadSize(), scripts::chunkedCutShort({"a"}),
              scripts::brokenStream({"data: a\n\n"}), scripts::brokenGzip()}) {
            server_.next(script);
            assertEnds(UpstreamProblem::broken, post(server_.url("/"), "{}"));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{9}, server_.requests().size());
    }

    void testOddChunks() {
        server_.next(scripts::chunkedOddly({"{\"a\":", std::string(100'000, '1'), "}"}));
        const auto answer = ask(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(1, answer->heads());
        CPPUNIT_ASSERT_EQUAL(200, answer->status());
        CPPUNIT_ASSERT("{\"a\":" + std::string(100'000, '1') + "}" == answer->body());
        CPPUNIT_ASSERT_EQUAL(std::string("(none)"), answer->header("x-checksum"));
        CPPUNIT_ASSERT_EQUAL(std::string("(none)"), answer->header("link"));
    }

    void testGzip() {
        const std::string body(100'000, 'z');
        server_.next(scripts::gzip(body));
        const auto answer = ask(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT(body == answer->body());
        CPPUNIT_ASSERT_EQUAL(std::string("(none)"), answer->header("content-encoding"));
        CPPUNIT_ASSERT_EQUAL(std::string("(none)"), answer->header("content-length"));
        CPPUNIT_ASSERT_EQUAL(std::string("application/json"), answer->header("content-type"));
    }

    void testCompressedBodyCutShort() {
        server_.next(scripts::gzip(std::string(100, 'z')));
        CPPUNIT_ASSERT_EQUAL(std::string(100, 'z'), ask(get(server_.url("/")))->body());
        const std::string gzipHeader("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
        for (const std::size_t size : {std::size_t{1}, std::size_t{10}}) {
            server_.next(scripts::answer(200, gzipHeader.substr(0, size), {{"Content-Encoding", "gzip"}}));
            assertEnds(UpstreamProblem::broken, get(server_.url("/")));
            server_.next(
                closing("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzipHeader.substr(0, size)));
            assertEnds(UpstreamProblem::broken, get(server_.url("/")));
        }
    }

    void testEmptyCompressedBody() {
        server_.next(scripts::answer(200, "", {{"Content-Encoding", "gzip"}}));
        server_.next(raw("HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"));
        for (const int status : {200, 204}) {
            const auto answer = ask(get(server_.url("/")));
            CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
            CPPUNIT_ASSERT_EQUAL(status, answer->status());
            CPPUNIT_ASSERT_EQUAL(std::string(), answer->body());
        }
    }

    void testUnknownCodings() {
        server_.next(scripts::answer(200, "{}", {{"Content-Encoding", "identity"}}));
        assertServed(get(server_.url("/")));
        for (const Headers& headers :
             {Headers{{"Content-Encoding", "br"}}, Headers{{"Content-Encoding", "gzip, gzip"}},
              Headers{{"Content-Encoding", "identity"}, {"Content-Encoding", "gzip"}}}) {
            server_.next(scripts::answer(200, "{}", headers));
            const auto answer = ask(get(server_.url("/")));
            CPPUNIT_ASSERT_EQUAL(UpstreamProblem::broken, answer->problem());
            CPPUNIT_ASSERT_EQUAL(std::string(), answer->body());
        }
    }

    /// Answers with these bytes and closes.
    static FakeUpstream::Script closing(std::string bytes) {
        return [bytes = std::move(bytes)](UpstreamExchange& exchange) {
            exchange.send(bytes);
            exchange.close();
        };
    }

    static FakeUpstream::Script raw(std::string bytes) {
        return [bytes = std::move(bytes)](UpstreamExchange& exchange) { exchange.send(bytes); };
    }

    void testBodyUpToTheEndOfTheConnection() {
        const std::string body(300'000, 'b');
        server_.next(closing("HTTP/1.1 200 OK\r\n\r\n" + body));
        server_.next(closing("HTTP/1.0 200 OK\r\n\r\n"));
        server_.next(scripts::answer(200, "{}"));
        for (const auto& expected : {body, std::string()}) {
            const auto answer = ask(get(server_.url("/")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(answer->detail(), UpstreamProblem::none, answer->problem());
            CPPUNIT_ASSERT(expected == answer->body());
        }
        assertServed(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, server_.connections());
        // A reset is no end.
        server_.next([](UpstreamExchange& exchange) {
            exchange.send("HTTP/1.1 200 OK\r\n\r\nhalf");
            exchange.reset();
        });
        assertEnds(UpstreamProblem::broken, get(server_.url("/")));
    }

    void testEarlyAnswer() {
        // A server that refuses on seeing the head and does not read on; one waits for the client to go, the
        // other goes, which the kernel turns into a reset.
        const std::string refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
        for (const bool waits : {true, false}) {
            const DeafPort port;
            const auto answer = begin(post(port.url() + "/", std::string(32U << 20U, 'x')));
            FileDescriptor peer = port.accept();
            Deadline().await(peer.get(), POLLIN, "the request");
            CPPUNIT_ASSERT(::send(peer.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL) ==
                           static_cast<ssize_t>(refusal.size()));
            if (!waits) {
                peer.close();
            }
            CPPUNIT_ASSERT_EQUAL_MESSAGE(answer->detail(), UpstreamProblem::none, answer->problem());
            CPPUNIT_ASSERT_EQUAL(413, answer->status());
            CPPUNIT_ASSERT_EQUAL(std::string("no"), answer->body());
            // What is left of the request is nothing for another call to wait for.
            const auto other = begin(get(port.url() + "/"));
            const FileDescriptor second = port.accept();
            CPPUNIT_ASSERT(::send(second.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL) > 0);
            CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, other->problem());
        }
    }

    void testAnswerBeforeTheRequest() {
        // An overloaded server may speak first, and wait for the client to go. All of that is told in one
        // event with the connection: the loop is kept from looking until it is there.
        const DeafPort port;
        const auto answer = std::make_shared<Answer>();
        const auto holding = std::make_shared<Answer>();
        std::promise<void> connecting;
        std::promise<void> said;
        holding->atDone = [&] {
            connecting.set_value();
            said.get_future().wait();
        };
        client_->after(0ms, [&] {
            client_->start(get(port.url() + "/"), answer);
            client_->start(get("http://255.255.255.255/"), holding);  // fails at once
        });
        connecting.get_future().wait();
        const FileDescriptor peer = port.accept();
        const std::string refusal = "HTTP/1.1 503 Too Many\r\n\r\nno";
        CPPUNIT_ASSERT(::send(peer.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL) > 0);
        ::shutdown(peer.get(), SHUT_WR);
        said.set_value();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer->detail(), UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(503, answer->status());
        CPPUNIT_ASSERT_EQUAL(std::string("no"), answer->body());
    }

    void testProvisionalAnswer() {
        server_.next([](UpstreamExchange& exchange) {
            exchange.head(100, {});
            exchange.head(103, {{"Link", "</a>"}});
            exchange.answer(201, "{}");
        });
        const auto answer = ask(post(server_.url("/"), "{}"));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(1, answer->heads());
        CPPUNIT_ASSERT_EQUAL(201, answer->status());
        CPPUNIT_ASSERT_EQUAL(std::string("(none)"), answer->header("link"));
    }

    void testBytesBehindAnAnswer() {
        for (const char* const bytes :
             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: "
              "4\r\n\r\nevil",
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n\r\n",
              "HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\nevil"}) {
            server_.next(raw(bytes));
            server_.next(scripts::answer(200, "good"));
            assertServed(get(server_.url("/")));
            CPPUNIT_ASSERT_EQUAL(std::string("good"), ask(get(server_.url("/")))->body());
            server_.awaitOpen(1);
            client_.emplace(loops_, log_);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{6}, server_.connections());
    }

    void testAnswerThatClosesTheConnection() {
        server_.on("/", scripts::answer(200, "{}", {{"Connection", "close"}}));
        server_.on("/old", raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
        for (const char* const path : {"/", "/", "/old", "/old"}) {
            assertServed(get(server_.url(path)));
        }
        // Without waiting for the server to do as it said.
        for (std::size_t i = 0; i < 4; ++i) {
            server_.awaitClosed(i);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, server_.connections());
    }

    void testEndlessHead() {
        // Line by line, each in a packet of its own.
        for (const std::string piece : {"X-A: a\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}) {
            server_.next([piece](UpstreamExchange& exchange) {
                exchange.send(piece.starts_with("X") ? "HTTP/1.1 200 OK\r\n" : "");
                for (;;) {
                    exchange.send(piece);
                }
            });
            assertEnds(UpstreamProblem::broken, get(server_.url("/")));
        }
    }

    void testTooLarge() {
        server_.on("/", scripts::huge(1'000'000));
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.maxResponse = 1'000'000;
        assertServed(request);
        request.endpoint.maxResponse = 999'999;
        const auto answer = ask(request);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::tooLarge, answer->problem());
        CPPUNIT_ASSERT(answer->body().size() <= 999'999);
        server_.awaitClosed(0);
    }

    void testTooLargeWhenDecoded() {
        server_.next(scripts::gzip(std::string(8'000'000, ' ')));
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.maxResponse = 1'000'000;
        assertEnds(UpstreamProblem::tooLarge, request);
    }

    void testStreamArrivesInPieces() {
        const auto permits = std::make_shared<Permits>();
        server_.next(scripts::stream({"data: 1\n\n", "data: 2\n\n"}, permits));
        const auto answer = begin(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(200, answer->status());
        CPPUNIT_ASSERT_EQUAL(std::string(), answer->body());
        permits->grant();
        answer->awaitBody(9);
        CPPUNIT_ASSERT_EQUAL(std::string("data: 1\n\n"), answer->body());
        permits->grant();
        answer->awaitBody(18);
        CPPUNIT_ASSERT_EQUAL(0, answer->ends());
        permits->grant();
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(std::string("data: 1\n\ndata: 2\n\n"), answer->body());
    }

    /// A request over TLS that trusts the authority of that file.
    static UpstreamRequest trusting(const FakeUpstream& server, const std::filesystem::path& caFile) {
        UpstreamRequest request = get(server.url("/"));
        request.keyHeader = secret("x-api-key: sk-1");
        request.endpoint.caFile = caFile;
        return request;
    }

    void testTls() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        FakeUpstream server(authority.issue("127.0.0.1"));
        server.next(scripts::answer(200, R"({"a":1})"));
        const auto answer = ask(trusting(server, directory / "ca.pem"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer->detail(), UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"a":1})"), answer->body());
        CPPUNIT_ASSERT_EQUAL(std::string("sk-1"), server.awaitRequest(0).header("x-api-key"));
    }

    void testTlsConnectionIsKept() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        FakeUpstream server(authority.issue("127.0.0.1"));
        server.on("/", scripts::answer(200, "{}"));
        for (int i = 0; i < 3; ++i) {
            assertServed(trusting(server, directory / "ca.pem"));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server.connections());
    }

    void testTlsConnectionCutInABody() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        FakeUpstream server(authority.issue("127.0.0.1"));
        // Closed without a word in TLS: anybody on the way could have done it.
        server.next(closing("HTTP/1.1 200 OK\r\n\r\nhalf"));
        const auto answer = ask(trusting(server, directory / "ca.pem"));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::broken, answer->problem());
        CPPUNIT_ASSERT_EQUAL(std::string("half"), answer->body());
        // What has an end of its own does not need it.
        server.next(closing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, ask(trusting(server, directory / "ca.pem"))->problem());
    }

    void testBytesBehindAnAnswerWithTls() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        FakeUpstream server(authority.issue("127.0.0.1"));
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        server.on("/", [&](UpstreamExchange& exchange) { exchange.send(answer + "\r\n"); });
        assertServed(trusting(server, directory / "ca.pem"));
        assertServed(trusting(server, directory / "ca.pem"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, server.connections());
        // In a record of their own, of which nobody would hear again.
        server.on("/", [&](UpstreamExchange& exchange) { exchange.sendTogether({answer, "\r\n"}); });
        assertServed(trusting(server, directory / "ca.pem"));
        assertServed(trusting(server, directory / "ca.pem"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, server.connections());
    }

    void testTlsRefusals() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        const CertificateAuthority other;
        writeFile(directory / "ca.pem", authority.certificate());
        writeFile(directory / "other.pem", other.certificate());
        writeFile(directory / "empty.pem", "");
        const auto refused = [&](const TlsIdentity& identity, const std::filesystem::path& caFile) {
            FakeUpstream server(identity);
            assertEnds(UpstreamProblem::tls, trusting(server, caFile));
            CPPUNIT_ASSERT(server.requests().empty());
        };
        refused(authority.issue("api.example.com"), directory / "ca.pem");
        refused(authority.issue("127.0.0.1", false), directory / "ca.pem");
        refused(selfSigned("127.0.0.1"), directory / "ca.pem");
        refused(authority.issue("127.0.0.1"), directory / "other.pem");
        refused(authority.issue("127.0.0.1"), directory / "empty.pem");
        refused(authority.issue("127.0.0.1"), directory / "missing.pem");
        refused(authority.issue("127.0.0.1"), "");
    }

    void testAuthorityIsForItsEndpointOnly() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        FakeUpstream server(authority.issue("127.0.0.1"));
        server.on("/", scripts::answer(200, "{}"));
        assertServed(trusting(server, directory / "ca.pem"));
        // Neither the handle nor the connection that trusts it serves a call that does not.
        assertEnds(UpstreamProblem::tls, trusting(server, ""));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server.requests().size());
    }

    void testProxy() {
        FakeUpstream proxy;
        proxy.next(scripts::answer(200, "{}"));
        server_.next(scripts::answer(200, "{}"));
        UpstreamRequest request = get("http://api.example.com/v1/models");
        request.endpoint.proxy = proxy.url();
        assertServed(request);
        CPPUNIT_ASSERT_EQUAL(std::string("http://api.example.com/v1/models"), proxy.awaitRequest(0).target);
        assertServed(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server_.requests().size());
    }

    void testProxyOfTheEnvironment() {
        FakeUpstream proxy;
        proxy.on("http://api.example.com/", scripts::answer(200, "{}"));
        const Variable httpProxy("http_proxy", proxy.url());
        const Variable noProxy("no_proxy", "127.0.0.1");
        make(1);
        server_.on("/", scripts::answer(200, "{}"));
        assertServed(get("http://api.example.com/"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, proxy.requests().size());
        assertServed(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, proxy.requests().size());

        // One that was named for the server comes first, and goes with its call.
        FakeUpstream own;
        own.on(server_.url("/"), scripts::answer(200, "{}"));
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.proxy = own.url();
        assertServed(request);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, own.requests().size());
        assertServed(get("http://api.example.com/"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, proxy.requests().size());
    }

    void testProxyThatDoesNotConnect() {
        FakeUpstream proxy;
        proxy.next(scripts::answer(403, "{}"));
        UpstreamRequest request = get("https://api.example.com/");
        request.keyHeader = secret("x-api-key: sk-1");
        request.endpoint.proxy = proxy.url();
        const auto answer = ask(request);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::connect, answer->problem());
        CPPUNIT_ASSERT_EQUAL(0, answer->heads());
        const SeenRequest seen = proxy.awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("CONNECT"), seen.method);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, seen.count("x-api-key"));
    }

    void testCallThroughATunnel() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        FakeUpstream server(authority.issue("api.example.com"));
        server.next(scripts::answer(200, std::string(200'000, 'x')));
        const ConnectProxy proxy(server.port());
        UpstreamRequest request = post("https://api.example.com/v1/messages", std::string(200'000, 'y'));
        request.keyHeader = secret("x-api-key: sk-1");
        request.endpoint.caFile = directory / "ca.pem";
        request.endpoint.proxy = proxy.url("user:password");
        const auto answer = ask(request);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer->detail(), UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT(answer->body() == std::string(200'000, 'x'));

        const SeenRequest seen = server.awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("/v1/messages"), seen.target);
        CPPUNIT_ASSERT_EQUAL(std::string("api.example.com"), seen.header("host"));
        CPPUNIT_ASSERT_EQUAL(std::string("api.example.com"), seen.serverName);
        CPPUNIT_ASSERT_EQUAL(std::string("sk-1"), seen.header("x-api-key"));
        CPPUNIT_ASSERT(seen.body == std::string(200'000, 'y'));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, seen.count("proxy-authorization"));
        const std::string connect = proxy.requests().at(0);
        CPPUNIT_ASSERT_MESSAGE(connect, connect.starts_with("CONNECT api.example.com:443 HTTP/1.1\r\n"));
        CPPUNIT_ASSERT_MESSAGE(connect, connect.find("sk-1") == std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(
            connect,
            connect.find("\r\nProxy-Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n") != std::string::npos);
    }

    void testTunnelsAreKept() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        FakeUpstream server(authority.issue("api.example.com"));
        server.on("/", scripts::answer(200, "{}"));
        const ConnectProxy proxy(server.port());
        UpstreamRequest request = get("https://api.example.com/");
        request.endpoint.caFile = directory / "ca.pem";
        request.endpoint.proxy = proxy.url();
        assertServed(request);
        assertServed(request);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, proxy.requests().size());
        // Other credentials are another client to the proxy.
        request.endpoint.proxy = proxy.url("user:password");
        assertServed(request);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, proxy.requests().size());
    }

    void testProxyCredentialsAreForTheProxy() {
        FakeUpstream proxy;
        proxy.on("http://api.example.com/", scripts::answer(200, "{}"));
        UpstreamRequest request = get("http://api.example.com/");
        request.endpoint.proxy = "http://user:password@127.0.0.1:" + std::to_string(proxy.port());
        assertServed(request);
        CPPUNIT_ASSERT_EQUAL(std::string("Basic dXNlcjpwYXNzd29yZA=="),
                             proxy.awaitRequest(0).header("proxy-authorization"));
        server_.on("/", scripts::answer(200, "{}"));
        assertServed(get(server_.url("/")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, server_.awaitRequest(0).count("proxy-authorization"));
    }

    void testProxyWithBadCredentials() {
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.proxy = "http://user:sesame%zz@127.0.0.1:1";
        try {
            begin(request);
            CPPUNIT_FAIL("was not refused");
        } catch (const std::invalid_argument& error) {
            CPPUNIT_ASSERT(std::string(error.what()).find("sesame") == std::string::npos);
        }
    }

    void testNameThatIsLookedUp() {
        server_.on("/", scripts::answer(200, "{}"));
        const std::string url = "http://localhost:" + std::to_string(server_.port()) + "/";
        // At once, before the first lookup is done, and from what it has found.
        const auto first = begin(get(url));
        const auto second = begin(get(url));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(first->detail(), UpstreamProblem::none, first->problem());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(second->detail(), UpstreamProblem::none, second->problem());
        assertServed(get(url));
        CPPUNIT_ASSERT_EQUAL("localhost:" + std::to_string(server_.port()),
                             server_.awaitRequest(0).header("host"));
    }

    void testStopDuringALookup() {
        for (int i = 0; i < 20; ++i) {
            const auto answer = begin(get("http://localhost:1/"));
            const auto other = begin(get("http://localhost:2/"));
            client_.reset();
            CPPUNIT_ASSERT_EQUAL(1, answer->ends());
            CPPUNIT_ASSERT_EQUAL(1, other->ends());
            client_.emplace(loops_, log_);
        }
    }

    void testFastStreamLeavesRoomForOthers() {
        // More than can be read at one go, over and over; the other call is on the same loop.
        const auto endless = [](UpstreamExchange& exchange) {
            exchange.head(200, {{"Content-Type", "application/json"}});
            const std::string block(std::size_t{1} << 20U, ' ');
            for (;;) {
                exchange.send(block);
            }
        };
        server_.next(endless);
        const auto flood = std::make_shared<Discarding>();
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.maxResponse = std::numeric_limits<std::size_t>::max();
        const Upstream::Id call = client_->start(request, flood);
        flood->begun.get_future().wait();
        server_.on("/", scripts::answer(200, "{}"));
        for (int i = 0; i < 10; ++i) {
            assertServed(get(server_.url("/")));
        }
        CPPUNIT_ASSERT(!flood->over);
        client_->cancel(call);
        server_.awaitClosed(0);
    }

    void testCancelWhileWaiting() {
        server_.next(scripts::silence());
        const auto answer = std::make_shared<Answer>();
        const Upstream::Id call = client_->start(post(server_.url("/"), "{}"), answer);
        server_.awaitRequest(0);
        client_->cancel(call);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::cancelled, answer->problem());
        server_.awaitClosed(0);
    }

    void testCancelInAStream() {
        const auto permits = std::make_shared<Permits>();
        server_.next(scripts::stream({"data: 1\n\n", "data: 2\n\n"}, permits));
        const auto answer = std::make_shared<Answer>();
        const Upstream::Id call = client_->start(post(server_.url("/"), "{}"), answer);
        permits->grant();
        answer->awaitBody(9);
        client_->cancel(call);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::cancelled, answer->problem());
        CPPUNIT_ASSERT_EQUAL(std::string("data: 1\n\n"), answer->body());
        server_.awaitClosed(0);
    }

    void testCancelWhileConnecting() {
        const UnreachablePort port;
        const auto answer = std::make_shared<Answer>();
        client_->cancel(client_->start(get(port.url()), answer));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::cancelled, answer->problem());
    }

    void testCancelFromTheListener() {
        server_.next(scripts::drip(1ms));
        const auto answer = std::make_shared<Answer>();
        std::promise<Upstream::Id> call;
        answer->atHead = [&] { client_->cancel(call.get_future().get()); };
        call.set_value(client_->start(get(server_.url("/")), answer));
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::cancelled, answer->problem());
        server_.awaitClosed(0);
    }

    void testCancelAfterTheEnd() {
        server_.on("/", scripts::answer(200, "{}"));
        const auto answer = std::make_shared<Answer>();
        const Upstream::Id call = client_->start(get(server_.url("/")), answer);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        // The next call is on the same handle and not the one that is meant.
        const auto permits = std::make_shared<Permits>();
        server_.next(scripts::stream({}, permits));
        const auto next = begin(get(server_.url("/")));
        next->status();
        client_->cancel(call);
        client_->pause(call);
        client_->resume(call);
        client_->cancel(0);
        permits->grant();
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, next->problem());
        CPPUNIT_ASSERT_EQUAL(1, answer->ends());
    }

    /// Begins a call that pauses itself at the first piece of its body.
    std::pair<Upstream::Id, std::shared_ptr<Answer>> beginPausing(UpstreamRequest request) {
        const auto answer = std::make_shared<Answer>();
        const auto call = std::make_shared<std::promise<Upstream::Id>>();
        answer->atBody = [this, call, paused = false]() mutable {
            if (!std::exchange(paused, true)) {
                client_->pause(call->get_future().get());
            }
        };
        const Upstream::Id id = client_->start(std::move(request), answer);
        call->set_value(id);
        answer->awaitBody(1);
        return {id, answer};
    }

    /// Pauses the next answer, of that size, and resumes it.
    void assertHeldBack(std::size_t size) {
        const auto [call, answer] = beginPausing(get(server_.url("/")));
        const std::size_t first = answer->body().size();
        letPass(50ms);
        CPPUNIT_ASSERT_EQUAL(first, answer->body().size());
        client_->resume(call);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(size, answer->body().size());
    }

    void testOthersGetTheLoopInTheMiddleOfAnAnswer() {
        constexpr int pieces = 500;
        server_.next(scripts::chunked(scripts::Pieces(pieces, "piece")));
        const auto answer = std::make_shared<Answer>();
        int seen = 0;
        int seenByOthers = 0;
        answer->atBody = [&] {
            if (seen++ == 0) {
                loops_.front()->post([&] { seenByOthers = seen; });
            }
            // Each piece alone takes more than a call has in one go.
            for (const auto end = std::chrono::steady_clock::now() + 100us;
                 std::chrono::steady_clock::now() < end;) {
            }
        };
        client_->start(get(server_.url("/")), answer);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
        CPPUNIT_ASSERT_EQUAL(pieces, seen);
        CPPUNIT_ASSERT(seenByOthers > 0 && seenByOthers < pieces / 2);
    }

    void testPauseHoldsTheAnswerBack() {
        constexpr std::size_t size = 50'000'000;
        server_.next(scripts::huge(size));
        assertHeldBack(size);
    }

    void testPauseHoldsDecodedDataBack() {
        // All of it is there at once, compressed.
        constexpr std::size_t size = 5'000'000;
        server_.next(scripts::gzip(std::string(size, ' ')));
        assertHeldBack(size);
    }

    void testNoIdleTimeoutWhilePaused() {
        server_.next(scripts::huge(50'000'000));
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.idle = 50ms;
        const auto [call, answer] = beginPausing(request);
        letPass(200ms);
        CPPUNIT_ASSERT_EQUAL(0, answer->ends());
        client_->cancel(call);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::cancelled, answer->problem());
    }

    void testTotalTimeoutWhilePaused() {
        server_.next(scripts::huge(50'000'000));
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.total = 200ms;
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::totalTimeout, beginPausing(request).second->problem());
        server_.awaitClosed(0);
    }

    void testTooLargeAfterAPause() {
        // Nothing more happens on the connection that could end the call.
        server_.next(scripts::gzipWithoutEnd(std::string(500'000, ' ')));
        UpstreamRequest request = get(server_.url("/"));
        request.endpoint.maxResponse = 100'000;
        const auto [call, answer] = beginPausing(request);
        client_->resume(call);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::tooLarge, answer->problem());
    }

    void testListenerThatThrows() {
        const auto fail = [] { throw std::runtime_error("no more room"); };
        server_.on("/", scripts::answer(200, "{}"));
        for (auto Answer::*moment : {&Answer::atHead, &Answer::atBody}) {
            const auto answer = std::make_shared<Answer>();
            (*answer).*moment = fail;
            client_->start(get(server_.url("/")), answer);
            CPPUNIT_ASSERT_EQUAL(UpstreamProblem::cancelled, answer->problem());
            CPPUNIT_ASSERT(answer->detail().find("no more room") != std::string::npos);
        }
        const auto answer = std::make_shared<Answer>();
        answer->atDone = fail;
        client_->start(get(server_.url("/")), answer);
        assertServed(get(server_.url("/")));
        client_.reset();
        assertLogged("a call's listener failed");
    }

    void testTaskThatThrows() {
        client_->after(0ms, [] { throw std::runtime_error("no"); });
        letPass(1ms);
        assertLogged("a delayed task failed");
    }

    void testDelayedTasks() {
        std::vector<int> order;
        std::promise<void> done;
        client_->after(60ms, [&] {
            order.push_back(3);
            done.set_value();
        });
        client_->after(30ms, [&] { order.push_back(2); });
        client_->after(0ms, [&] { order.push_back(1); });
        done.get_future().wait();
        CPPUNIT_ASSERT((order == std::vector<int>{1, 2, 3}));
    }

    void testCallsOfAListenerStayOnItsThread() {
        make(3);
        server_.on("/", scripts::answer(200, "{}"));
        const auto first = std::make_shared<Answer>();
        const auto second = std::make_shared<Answer>();
        first->atDone = [&] { client_->start(get(server_.url("/")), second); };
        client_->start(get(server_.url("/")), first);
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, second->problem());
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, first->problem());
        CPPUNIT_ASSERT(first->thread() == second->thread());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server_.connections());
    }

    void testManyCallsAtOnce() {
        constexpr std::size_t count = 100;
        make(2);
        const auto permits = std::make_shared<Permits>();
        server_.on("/", scripts::stream({"data: 1\n\n"}, permits));
        std::vector<std::shared_ptr<Answer>> answers;
        for (std::size_t i = 0; i < count; ++i) {
            answers.push_back(begin(post(server_.url("/"), "{}")));
        }
        // All of them are under way before the first may go on.
        server_.awaitRequest(count - 1);
        permits->grant(2 * count);
        for (const auto& answer : answers) {
            CPPUNIT_ASSERT_EQUAL(UpstreamProblem::none, answer->problem());
            CPPUNIT_ASSERT_EQUAL(std::string("data: 1\n\n"), answer->body());
        }
        CPPUNIT_ASSERT_EQUAL(count, server_.connections());
    }

    void testStopCancels() {
        make(2);
        server_.on("/", scripts::silence());
        const auto waiting = begin(get(server_.url("/")));
        const auto other = begin(get(server_.url("/")));
        server_.awaitRequest(1);
        const auto notYetBegun = begin(get(server_.url("/")));
        client_.reset();
        for (const auto& answer : {waiting, other, notYetBegun}) {
            CPPUNIT_ASSERT_EQUAL(1, answer->ends());
            CPPUNIT_ASSERT_EQUAL(UpstreamProblem::cancelled, answer->problem());
        }
        server_.awaitClosed(0);
        server_.awaitClosed(1);
    }

    void testStopCancelsWhatIsBegunMeanwhile() {
        server_.on("/", scripts::silence());
        const auto waiting = std::make_shared<Answer>();
        const auto next = std::make_shared<Answer>();
        HttpUpstream& client = *client_;
        waiting->atDone = [&] { client.start(get(server_.url("/")), next); };
        client_->start(get(server_.url("/")), waiting);
        server_.awaitRequest(0);
        client_.reset();
        CPPUNIT_ASSERT_EQUAL(1, next->ends());
        CPPUNIT_ASSERT_EQUAL(UpstreamProblem::cancelled, next->problem());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server_.requests().size());
    }

    void testStopDropsDelayedTasks() {
        bool ran = false;
        const auto held = std::make_shared<int>();
        client_->after(failureLimit(), [&ran, held] { ran = true; });
        client_.reset();
        CPPUNIT_ASSERT(!ran);
        CPPUNIT_ASSERT_EQUAL(1L, held.use_count());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HttpUpstreamTest);

}  // namespace
}  // namespace sallyport::plugins::llm
