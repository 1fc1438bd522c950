// Connections, exchanges and their loop, without a socket.
#include "host/http/connection.h"

#include <atomic>
#include <future>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/unit/http/loop_fixture.h"

namespace sallyport::tests {

using namespace host;
using namespace host::http;

namespace {

std::size_t count(const std::string& text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) {
        ++found;
    }
    return found;
}

}  // namespace

class ConnectionTest : public LoopFixture {
    CPPUNIT_TEST_SUITE(ConnectionTest);
    CPPUNIT_TEST(testRequestsAreAnsweredInOrder);
    CPPUNIT_TEST(testRequestInPieces);
    CPPUNIT_TEST(testRefusalEndsTheConnection);
    CPPUNIT_TEST(testUnwantedBodiesAreDroppedBetweenAnswers);
    CPPUNIT_TEST(testNothingMoreIsReadWhileARequestIsUnderWay);
    CPPUNIT_TEST(testDeferredAnswer);
    CPPUNIT_TEST(testBrokenPromiseOfAClosedConnection);
    CPPUNIT_TEST(testHalfClosedClientIsAnswered);
    CPPUNIT_TEST(testHalfClosedClientIsAnsweredSoon);
    CPPUNIT_TEST(testClientThatHasGoneIsNoticed);
    CPPUNIT_TEST(testParkedRequest);
    CPPUNIT_TEST(testRevokedTokenEndsAWait);
    CPPUNIT_TEST(testRevokedTokenEndsAStream);
    CPPUNIT_TEST(testRevokedTokenEndsASubscription);
    CPPUNIT_TEST(testRevokedWhileItWaitsForThePool);
    CPPUNIT_TEST(testRevocationDuringTheHandlerIsNotMissed);
    CPPUNIT_TEST(testStream);
    CPPUNIT_TEST(testStreamOfAClosedConnection);
    CPPUNIT_TEST(testDeliveryIsReported);
    CPPUNIT_TEST(testSlowClientMeetsBackPressure);
    CPPUNIT_TEST(testDrainingClosesWhatIsIdle);
    CPPUNIT_TEST_SUITE_END();

    /// Answers with a status of that class that were counted.
    std::int64_t answered(const std::string& statusClass) {
        for (const auto& metric : registry_.read()) {
            for (const auto& reading : metric.readings) {
                if (reading.values == std::vector<std::string>{"operator", statusClass}) {
                    return reading.number;
                }
            }
        }
        return 0;
    }

    [[nodiscard]] std::string request(std::string_view method, std::string_view path,
                                      std::string_view rest = "\r\n") const {
        return std::string(method) + " /api" + std::string(path) +
               " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ + "\r\n" + std::string(rest);
    }

public:
    void setUp() override {
        addRoute("GET", "/hello", [](const Call&) { return Reply::text(200, "text/plain", "hello"); });
    }

    void testRequestsAreAnsweredInOrder() {
        connect();
        // More than are answered in a row, so that the connection gives way in between.
        std::string text;
        for (int i = 0; i < 100; ++i) {
            text += request("GET", "/hello") + request("GET", "/nowhere");
        }
        peer_.send(text + "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        const auto output = peer_.awaitEnd();
        CPPUNIT_ASSERT_EQUAL(std::size_t{100}, count(output, "HTTP/1.1 200 OK\r\n") - 1);
        CPPUNIT_ASSERT_EQUAL(std::size_t{100}, count(output, "HTTP/1.1 404 "));
        CPPUNIT_ASSERT(output.ends_with("\r\n\r\nok"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{101}, answered("2xx"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{100}, answered("4xx"));
    }

    void testRequestInPieces() {
        connect(1);
        peer_.send(request("GET", "/hello") + request("GET", "/hello", "Connection: close\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, count(peer_.awaitEnd(), "\r\n\r\nhello"));
    }

    void testRefusalEndsTheConnection() {
        connect();
        peer_.send("GET / HTTP/1.1\r\n\r\n" + request("GET", "/hello"));
        const auto output = peer_.awaitEnd();
        CPPUNIT_ASSERT(output.starts_with("HTTP/1.1 400 "));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, count(output, "HTTP/1.1 "));
        peer_.finishSending();
        peer_.awaitGone();
    }

    void testUnwantedBodiesAreDroppedBetweenAnswers() {
        connect(10);
        std::string text;
        for (int i = 0; i < 20; ++i) {
            text += request("POST", "/nowhere", "Content-Length: 5\r\n\r\nhello");
        }
        peer_.send(text + request("GET", "/hello", "Connection: close\r\n\r\n"));
        const auto output = peer_.awaitEnd();
        CPPUNIT_ASSERT_EQUAL(std::size_t{20}, count(output, "HTTP/1.1 404 "));
        CPPUNIT_ASSERT(output.ends_with("\r\n\r\nhello"));
    }

    void testNothingMoreIsReadWhileARequestIsUnderWay() {
        std::promise<Promise> promised;
        addRoute("GET", "/later", [&](const Call&) {
            return Reply::deferred([&](Promise promise) { promised.set_value(std::move(promise)); });
        });
        connect();
        peer_.send(request("GET", "/later"));
        const auto promise = promised.get_future().get();
        peer_.send(request("GET", "/hello", "Connection: close\r\n\r\n"));
        // A task that is posted twice runs behind the event of what was sent.
        for (int i = 0; i < 2; ++i) {
            std::promise<void> passed;
            loop_->post([&] { passed.set_value(); });
            passed.get_future().wait();
        }
        CPPUNIT_ASSERT_EQUAL(request("GET", "/hello", "Connection: close\r\n\r\n").size(), peer_.unread());
        promise.fulfil(Reply::text(200, "text/plain", "late"));
        const auto output = peer_.awaitEnd();
        CPPUNIT_ASSERT(output.find("late") < output.find("hello"));
    }

    void testDeferredAnswer() {
        addRoute("GET", "/later", [](const Call&) {
            return Reply::deferred([](const Promise& promise) { promise.fulfil(Reply::empty(204)); });
        });
        addRoute("GET", "/never", [](const Call&) { return Reply::deferred([](const Promise&) {}); });
        addRoute("GET", "/throws", [](const Call&) {
            return Reply::deferred([](const Promise&) { throw notFound("not here"); });
        });
        connect();
        peer_.send(request("GET", "/later") + request("GET", "/never") +
                   request("GET", "/throws", "Connection: close\r\n\r\n"));
        const auto output = peer_.awaitEnd();
        CPPUNIT_ASSERT(output.find("HTTP/1.1 204 ") < output.find("HTTP/1.1 500 "));
        CPPUNIT_ASSERT(output.find("HTTP/1.1 500 ") < output.find("HTTP/1.1 404 "));
        CPPUNIT_ASSERT(output.find("HTTP/1.1 404 ") != std::string::npos);
    }

    /// A route whose answer is promised, and whose maker wants to hear when nobody waits for it.
    struct Watched {
        std::promise<Promise> promised;
        std::promise<void> abandoned;
    };
    void addWatched(Watched& watched) {
        addRoute("GET", "/watched", [&](const Call&) {
            return Reply::deferred([&](Promise promise) {
                promise.onAbandoned([&] { watched.abandoned.set_value(); });
                watched.promised.set_value(std::move(promise));
            });
        });
    }

    void testBrokenPromiseOfAClosedConnection() {
        Watched watched;
        addWatched(watched);
        connect();
        peer_.send(request("GET", "/watched"));
        const auto promise = watched.promised.get_future().get();
        peer_.reset();
        peer_.awaitGone();
        watched.abandoned.get_future().get();
        std::promise<bool> delivered;
        promise.fulfil(Reply::empty(204).onDelivered([&](bool whole) { delivered.set_value(whole); }));
        CPPUNIT_ASSERT(!delivered.get_future().get());
    }

    void testHalfClosedClientIsAnswered() {
        Watched watched;
        addWatched(watched);
        services_.limits.probeDelay = std::chrono::milliseconds(1);
        connect();
        peer_.send(request("GET", "/watched"));
        const auto promise = watched.promised.get_future().get();
        peer_.finishSending();
        // Which also tells that it was not taken for gone.
        peer_.await("HTTP/1.1 100 Continue\r\n\r\n");
        promise.fulfil(Reply::text(200, "text/plain", "late"));
        CPPUNIT_ASSERT(peer_.await("late").ends_with("late"));
        peer_.awaitGone();
    }

    /// An answer that comes soon comes alone.
    void testHalfClosedClientIsAnsweredSoon() {
        Watched watched;
        addWatched(watched);
        services_.limits.probeDelay = std::chrono::hours(1);
        connect();
        peer_.send(request("GET", "/watched"));
        const auto promise = watched.promised.get_future().get();
        peer_.finishSending();
        promise.fulfil(Reply::text(200, "text/plain", "soon"));
        CPPUNIT_ASSERT(peer_.await("soon").starts_with("HTTP/1.1 200 "));
        peer_.awaitGone();
    }

    void testClientThatHasGoneIsNoticed() {
        Watched watched;
        addWatched(watched);
        services_.limits.probeDelay = std::chrono::milliseconds(1);
        connect();
        peer_.send(request("GET", "/watched"));
        const auto promise = watched.promised.get_future().get();
        peer_.leave();
        watched.abandoned.get_future().get();
        peer_.awaitGone();
    }

    void testParkedRequest() {
        std::promise<void> parked;
        std::atomic<int> tries{0};
        addRoute("GET", "/wait", [&](const Call&) {
            return Reply::waitFor(
                "topic", std::chrono::minutes(1),
                [&]() -> std::optional<Reply> {
                    if (++tries == 1) {
                        parked.set_value();
                        return std::nullopt;
                    }
                    return Reply::text(200, "text/plain", "woken");
                },
                Reply::empty(204));
        });
        addRoute("GET", "/brief", [](const Call&) {
            return Reply::waitFor(
                "other", std::chrono::milliseconds(1), []() -> std::optional<Reply> { return std::nullopt; },
                Reply::empty(204));
        });
        connect();
        peer_.send(request("GET", "/wait"));
        parked.get_future().get();
        topics_.wake("topic");
        peer_.await("woken");
        peer_.send(request("GET", "/brief"));
        peer_.await("HTTP/1.1 204 ");
    }

    void testRevokedTokenEndsAWait() {
        std::promise<void> parked;
        addRoute("GET", "/wait", [&](const Call&) {
            return Reply::waitFor(
                "topic", std::chrono::minutes(1),
                [&]() -> std::optional<Reply> {
                    parked.set_value();
                    return std::nullopt;
                },
                Reply::empty(204));
        });
        connect();
        peer_.send(request("GET", "/wait"));
        parked.get_future().get();
        revokeToken();
        ASSERT_CONTAINS("HTTP/1.1 401 ", peer_.await("the token has been revoked"));
    }

    void testRevokedTokenEndsAStream() {
        std::shared_ptr<Stream> stream;
        addRoute("GET", "/stream", [&](const Call&) {
            return Reply::stream(200, "text/plain", [&](std::shared_ptr<Stream> made) {
                stream = std::move(made);
                stream->write("first");
            });
        });
        connect();
        peer_.send(request("GET", "/stream"));
        peer_.await("first");
        revokeToken();
        peer_.awaitGone();
        CPPUNIT_ASSERT(!stream->write("second"));
    }

    void testRevokedTokenEndsASubscription() {
        addRoute("GET", "/events", [](const Call&) {
            return Reply::events({"ann", std::nullopt, 7, nullptr});
        });
        connect();
        peer_.send(request("GET", "/events"));
        peer_.await("text/event-stream");
        revokeToken();
        peer_.awaitGone();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, hub_.subscribers());
    }

    /// What waits there is not carried out for a token that is good for nothing any more.
    void testRevokedWhileItWaitsForThePool() {
        std::promise<void> end;
        const std::shared_future<void> ended = end.get_future().share();
        // All that one plugin may have of the pool.
        for (int i = 0; i < 2; ++i) {
            CPPUNIT_ASSERT(pool_.submit({Lane::background, "x", "test"}, [ended] { ended.wait(); }));
        }
        std::atomic<bool> ran = false;
        addRoute(
            "GET", "/pool",
            [&ran](const Call&) {
                ran = true;
                return Reply::empty(204);
            },
            Run::pool);
        connect();
        peer_.send(request("GET", "/pool"));
        while (gate_->quiet()) {
            letTurn();
        }
        operators_.revoke(made_.token.id);
        end.set_value();
        peer_.await("HTTP/1.1 401 ");
        CPPUNIT_ASSERT(!ran);
    }

    /// The loop is told of it before there is anything to end.
    void testRevocationDuringTheHandlerIsNotMissed() {
        addRoute("GET", "/events", [this](const Call&) {
            loop_->endRevoked(std::nullopt);
            operators_.revoke(made_.token.id);
            return Reply::events({"ann", std::nullopt, 7, nullptr});
        });
        connect();
        peer_.send(request("GET", "/events"));
        peer_.awaitGone();
    }

    void testStream() {
        std::promise<std::shared_ptr<Stream>> streams;
        addRoute("GET", "/stream", [&](const Call&) {
            return Reply::stream(200, "text/plain",
                                 [&](std::shared_ptr<Stream> made) { streams.set_value(std::move(made)); });
        });
        connect();
        peer_.send(request("GET", "/stream") + request("GET", "/hello", "Connection: close\r\n\r\n"));
        const auto made = streams.get_future().get();
        CPPUNIT_ASSERT(made->write("one"));
        peer_.await("3\r\none\r\n");
        CPPUNIT_ASSERT(made->write("two"));
        made->end();
        const auto output = peer_.awaitEnd();
        CPPUNIT_ASSERT(output.find("3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK") != std::string::npos);
        CPPUNIT_ASSERT(output.ends_with("hello"));
    }

    void testStreamOfAClosedConnection() {
        std::promise<std::shared_ptr<Stream>> streams;
        std::promise<void> closed;
        addRoute("GET", "/stream", [&](const Call&) {
            return Reply::stream(200, "text/plain",
                                 [&](std::shared_ptr<Stream> made) { streams.set_value(std::move(made)); });
        });
        connect();
        peer_.send(request("GET", "/stream"));
        const auto made = streams.get_future().get();
        made->onClosed([&] { closed.set_value(); });
        peer_.reset();
        closed.get_future().get();
        CPPUNIT_ASSERT(!made->write("late"));
    }

    void testDeliveryIsReported() {
        std::promise<bool> delivered;
        addRoute("GET", "/once", [&](const Call&) {
            return Reply::text(200, "text/plain", "once").onDelivered([&](bool whole) {
                delivered.set_value(whole);
            });
        });
        connect();
        peer_.send(request("GET", "/once"));
        CPPUNIT_ASSERT(delivered.get_future().get());
        CPPUNIT_ASSERT(peer_.output().ends_with("once"));
    }

    void testSlowClientMeetsBackPressure() {
        const std::string body(100'000, 'x');
        addRoute("GET", "/long", [&](const Call&) { return Reply::text(200, "text/plain", body); });
        peer_.stopTaking();
        peer_.take(1000);
        connect();
        peer_.send(request("GET", "/long") + request("GET", "/hello", "Connection: close\r\n\r\n"));
        peer_.await(std::string(500, 'x'));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1000}, peer_.output().size());
        peer_.take(200'000);
        CPPUNIT_ASSERT(peer_.awaitEnd().ends_with("\r\n\r\nhello"));
    }

    void testDrainingClosesWhatIsIdle() {
        connect();
        peer_.send(request("GET", "/hello"));
        peer_.await("\r\n\r\nhello");
        loop_->post([this] { loop_->drain(); });
        peer_.awaitGone();
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ConnectionTest);

}  // namespace sallyport::tests
