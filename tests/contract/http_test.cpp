// What stands between a hostile peer and everything else: HTTP/1.1 as RFC 9112 has it, limits, deadlines.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <poll.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

class HttpTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(HttpTest);
    CPPUNIT_TEST(testUnreadBodyIsNoRequest);
    CPPUNIT_TEST(testUnreadChunkedBodyIsNoRequest);
    CPPUNIT_TEST(testRefusalReachesAClientThatStillSends);
    CPPUNIT_TEST(testBodyOfAGetIsNoRequest);
    CPPUNIT_TEST(testAmbiguousLengthsAreRefused);
    CPPUNIT_TEST(testLengthsThatAreNoNumbersAreRefused);
    CPPUNIT_TEST(testTransferCodingsOtherThanChunkedAreRefused);
    CPPUNIT_TEST(testChunkedBodyIsRead);
    CPPUNIT_TEST(testMalformedChunksAreRefused);
    CPPUNIT_TEST(testPostWithoutLengthHasNoBody);
    CPPUNIT_TEST(testHttp10IsSpoken);
    CPPUNIT_TEST(testOtherVersionsAreRefused);
    CPPUNIT_TEST(testHostMustBeThereOnce);
    CPPUNIT_TEST(testTargetForms);
    CPPUNIT_TEST(testConnectOpensNoTunnel);
    CPPUNIT_TEST(testPipelinedRequestsAreAnsweredInOrder);
    CPPUNIT_TEST(testRequestInPiecesIsOneRequest);
    CPPUNIT_TEST(testMalformedHeadsAreRefused);
    CPPUNIT_TEST(testEmptyLineBeforeARequestIsPassedOver);
    CPPUNIT_TEST(testConnectionCloseIsObeyed);
    CPPUNIT_TEST(testTooLargeAHeadIsRefused);
    CPPUNIT_TEST(testTooManyHeadersAreRefused);
    CPPUNIT_TEST(testTooLongATargetIsRefused);
    CPPUNIT_TEST(testContinueComesOnlyAfterAuthentication);
    CPPUNIT_TEST(testContinueIsNotSentWhenTheAnswerIsFinal);
    CPPUNIT_TEST(testUnknownExpectationIsRefused);
    CPPUNIT_TEST(testDribbledHeadMeetsItsDeadline);
    CPPUNIT_TEST(testDribbledBodyMeetsItsDeadline);
    CPPUNIT_TEST(testDribbledChunksMeetTheDeadline);
    CPPUNIT_TEST(testIdleConnectionIsClosed);
    CPPUNIT_TEST(testClientThatReadsNothingIsGivenUp);
    CPPUNIT_TEST(testHalfClosedClientIsAnswered);
    CPPUNIT_TEST(testEncodedPathsCannotChangeTheJob);
    CPPUNIT_TEST(testEncodedPathsCannotChangeTheRoute);
    CPPUNIT_TEST(testMethodsAreCaseSensitive);
    CPPUNIT_TEST(testConnectionsAreLimited);
    CPPUNIT_TEST(testListensOnIpv6);
    CPPUNIT_TEST(testListensOnUnixSockets);
    CPPUNIT_TEST(testAnswersNameTheirRequest);
    CPPUNIT_TEST(testLogEscapesControlCharacters);
    CPPUNIT_TEST(testLogHoldsNeitherTokensNorBodies);
    CPPUNIT_TEST(testLogLinesAreJsonWhenAsked);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        SharedDaemonTest::setUp();
        job_ = createJob(admin());
    }

    /// The rest of a refused POST spells a request that would complete the job.
    void testUnreadBodyIsNoRequest() {
        const std::string smuggled = completion().bytes();
        Connection connection(daemon().worker());
        connection.send(Request("POST", target("/event")).bearer("bad").json(smuggled).bytes());
        ASSERT_UNAUTHORIZED(connection.receive());
        assertNothingMoreThanRefusals(connection);
        for (const std::string path : {"/nowhere", "/job"}) {
            Connection another(daemon().worker());
            another.send(Request("POST", target(path)).bearer(job_.token).json(smuggled).bytes());
            const Response response = another.receive();
            CPPUNIT_ASSERT_MESSAGE(response.describe(), response.status == 404 || response.status == 405);
            assertNothingMoreThanRefusals(another);
        }
        ASSERT_LACKS("completed", stateOfJob());
    }

    void testUnreadChunkedBodyIsNoRequest() {
        const std::string smuggled = completion().bytes();
        Connection connection(daemon().worker());
        connection.send(
            Request("POST", target("/event")).bearer("bad").header("Transfer-Encoding", "chunked").bytes() +
            hex(smuggled.size()) + "\r\n" + smuggled + "\r\n0\r\n\r\n");
        ASSERT_UNAUTHORIZED(connection.receive());
        assertNothingMoreThanRefusals(connection);
        ASSERT_LACKS("completed", stateOfJob());
    }

    /// Closing at once would reset the connection, and the client would never read why it was refused.
    void testRefusalReachesAClientThatStillSends() {
        for (int i = 0; i < 10; ++i) {
            Connection connection(daemon().worker());
            connection.send(Request("POST", target("/event"))
                                .bearer("bad")
                                .header("Content-Type", "application/json")
                                .header("Content-Length", "3000000")
                                .bytes());
            const std::string piece(100'000, 'x');
            bool taken = true;
            for (int sent = 0; taken && sent < 30; ++sent) {
                taken = connection.trySend(piece);
            }
            ASSERT_UNAUTHORIZED(connection.receive());
        }
    }

    void testBodyOfAGetIsNoRequest() {
        const std::string smuggled = completion().bytes();
        Connection connection(daemon().worker());
        connection.send(Request("GET", target("/job")).bearer(job_.token).json(smuggled).bytes());
        ASSERT_STATUS(200, connection.receive());
        assertNothingMoreThanRefusals(connection);
        ASSERT_LACKS("completed", stateOfJob());
    }

    void testAmbiguousLengthsAreRefused() {
        const std::vector<std::string> headers{
            "Content-Length: 10\r\nContent-Length: 30\r\n",
            "Content-Length: 30\r\nContent-Length: 30\r\n",
            "Content-Length: 10, 30\r\n",
            "Content-Length: 30\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 30\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"};
        for (const std::string& header : headers) {
            assertHeadRefused(400, postHead(header));
        }
    }

    void testLengthsThatAreNoNumbersAreRefused() {
        for (const std::string length :
             {"-1", "+5", "0x10", "5 5", "abc", "", "1e3", "5;", "18446744073709551616"}) {
            assertHeadRefused(400, postHead("Content-Length: " + length + "\r\n"));
        }
    }

    void testTransferCodingsOtherThanChunkedAreRefused() {
        for (const std::string coding : {"identity", "gzip", "gzip, chunked", "chunked, gzip",
                                         "chunked, chunked", "xchunked", "\"chunked\"", "chunked;x=1"}) {
            assertHeadRefused(501, postHead("Transfer-Encoding: " + coding + "\r\n"), true);
        }
        // HTTP/1.0 knows no chunks, so that what follows would be read in two ways.
        assertHeadRefused(400, "POST " + target("/event") + " HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer " +
                                   job_.token + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    }

    void testChunkedBodyIsRead() {
        const std::vector<std::string> bodies{
            "1D\r\n{\"event_type\":\"x\",\"data\":[1,2\r\n2\r\n]}\r\n0\r\n\r\n",
            "1d;name=value\r\n{\"event_type\":\"x\",\"data\":[1,2\r\n2;x=\"y\"\r\n]}\r\n0;last\r\n\r\n",
            "0001D\r\n{\"event_type\":\"x\",\"data\":[1,2\r\n2\r\n]}\r\n000\r\nTrailer: value\r\nOther: "
            "x\r\n\r\n"};
        Connection connection(daemon().worker());
        for (const std::string& body : bodies) {
            connection.send(postHead("Transfer-Encoding: chunked\r\n") + body);
            ASSERT_STATUS(200, connection.receive());
        }
        // A trailer is no header: it can neither authenticate nor reroute.
        connection.send(
            "POST " + target("/event") +
            " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\nAuthorization: Bearer " +
            job_.token + "\r\n\r\n");
        ASSERT_UNAUTHORIZED(connection.receive());
        CPPUNIT_ASSERT_EQUAL(bodies.size(), admin().get("/jobs/" + job_.id + "/events").size("events"));
    }

    void testMalformedChunksAreRefused() {
        const std::vector<std::string> bodies{
            "x\r\n",
            "-1\r\n",
            "\r\n",
            "0x5\r\nhello",
            " 5\r\nhello",
            "5\nhello\n",
            "5\r\nhelloX",
            "5\r\nhello\n0",
            "FFFFFFFFFFFFFFFF\r\n",
            "10000000000000000\r\n",
            "5 5\r\nhello",
            "00000000000000000000000000000000000005\r\nhello\r\n" + std::string(1, 'z'),
            "5;" + std::string(100'000, 'e')};
        for (const std::string& body : bodies) {
            Connection connection(daemon().worker());
            connection.trySend(postHead("Transfer-Encoding: chunked\r\n") + body + "\r\n0\r\n\r\n");
            const Response response = connection.receive();
            CPPUNIT_ASSERT_MESSAGE("for '" + body.substr(0, 60) + "': " + response.describe(),
                                   response.status == 400 || response.status == 413);
            CPPUNIT_ASSERT_MESSAGE(response.describe(), !response.keepAlive);
        }
    }

    void testPostWithoutLengthHasNoBody() {
        Connection connection(daemon().worker());
        connection.send(postHead("") + completion().bytes());
        ASSERT_REFUSED(400, connection.receive());
        // What follows is a request of its own, as RFC 9112 6.3 says.
        ASSERT_STATUS(200, connection.receive());
    }

    void testHttp10IsSpoken() {
        Connection plain(daemon().worker());
        plain.send("GET /health HTTP/1.0\r\n\r\n");
        const Response response = plain.receive();
        ASSERT_STATUS(200, response);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::string("ok"), response.body);
        CPPUNIT_ASSERT_MESSAGE("the connection stays open", plain.closedByPeer());

        Connection kept(daemon().worker());
        kept.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        const Response first = kept.receive();
        ASSERT_STATUS(200, first);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(first.describe(), std::string("keep-alive"), first.header("Connection"));
        kept.send("GET /health HTTP/1.0\r\n\r\n");
        ASSERT_STATUS(200, kept.receive());
    }

    void testOtherVersionsAreRefused() {
        assertHeadRefused(505, "GET /health HTTP/2.0\r\nHost: x\r\n\r\n");
        assertHeadRefused(505, "GET /health HTTP/0.9\r\nHost: x\r\n\r\n");
        for (const std::string line :
             {"GET /health HTTP/1", "GET /health", "GET /health http/1.1", "GET /health HTTP/1.1x",
              "GET /health HTTP/11", "GET /health XTTP/1.1", "PRI * HTTP/2"}) {
            assertHeadRefused(400, line + "\r\nHost: x\r\n\r\n");
        }
        const Response later = exchangeRaw("GET /health HTTP/1.2\r\nHost: x\r\n\r\n");
        ASSERT_STATUS(200, later);
        CPPUNIT_ASSERT_EQUAL(std::string("HTTP/1.1"), later.version);
    }

    void testHostMustBeThereOnce() {
        assertHeadRefused(400, "GET /health HTTP/1.1\r\n\r\n");
        assertHeadRefused(400, "GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
        assertHeadRefused(400, "GET /health HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n");
        ASSERT_STATUS(200, exchangeRaw("GET /health HTTP/1.1\r\nHost:\r\n\r\n"));
    }

    void testTargetForms() {
        ASSERT_STATUS(200, exchangeRaw("GET http://anything:1/health HTTP/1.1\r\nHost: x\r\n\r\n"));
        ASSERT_STATUS(
            200, exchangeRaw("GET http://x" + target("/job") +
                             " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + job_.token + "\r\n\r\n"));
        const Response options = exchangeRaw("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
        CPPUNIT_ASSERT_MESSAGE(options.describe(), options.status == 200 || options.status == 204);
        for (const std::string target :
             {"*", "health", "?x", "#", "http:///health", "ftp://x/health", "\\health", "@x/health"}) {
            assertHeadRefused(400, "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
        }
    }

    void testConnectOpensNoTunnel() {
        const Response response = exchangeRaw("CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n");
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.status >= 400 && response.status < 600);
        // What follows it may be meant for a tunnel, and is no request.
        Connection connection(daemon().worker());
        connection.send("CONNECT /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        const Response routed = connection.receive();
        CPPUNIT_ASSERT_MESSAGE(routed.describe(), routed.status >= 400 && routed.status < 600);
        CPPUNIT_ASSERT(connection.closedByPeer());
    }

    void testPipelinedRequestsAreAnsweredInOrder() {
        Connection connection(daemon().worker());
        std::string bytes;
        for (int i = 0; i < 20; ++i) {
            bytes += request("GET", i % 2 == 0 ? "/job" : "/prompt").bytes();
            bytes += request("POST", "/event")
                         .json(R"({"event_type":"x","data":)" + std::to_string(i) + "}")
                         .bytes();
        }
        bytes += Request("GET", "/health").bytes();
        connection.send(bytes);
        for (int i = 0; i < 20; ++i) {
            ASSERT_STATUS(i % 2 == 0 ? 200 : 204, connection.receive());
            ASSERT_STATUS(200, connection.receive());
        }
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), connection.receive().body);
        const Response history = admin().get("/jobs/" + job_.id + "/events");
        for (int i = 0; i < 20; ++i) {
            ASSERT_FIELD(std::to_string(i), history, "events." + std::to_string(i) + ".data");
        }
    }

    void testRequestInPiecesIsOneRequest() {
        const std::string bytes = request("POST", "/event").json(R"({"event_type":"x","data":1})").bytes();
        Connection connection(daemon().worker());
        for (int repeat = 0; repeat < 3; ++repeat) {
            for (const char byte : bytes) {
                connection.send({&byte, 1});
            }
            ASSERT_STATUS(200, connection.receive());
        }
    }

    void testMalformedHeadsAreRefused() {
        const std::string good = "GET /health HTTP/1.1\r\nHost: x\r\n";
        const std::vector<std::string> heads{
            good + "A: b\r\n folded\r\n\r\n",
            good + "A: b\r\n\tfolded\r\n\r\n",
            "GET /health HTTP/1.1\r\n Host: x\r\n\r\n",
            "GET /health HTTP/1.1\nHost: x\n\n",
            good + "A: b\n\r\n",
            good + "A: b\r\r\n\r\n",
            good + "A: b\rC: d\r\n\r\n",
            good + std::string("A: b\0c\r\n\r\n", 10),
            good + std::string("A\0: b\r\n\r\n", 9),
            std::string("GET /hea\0lth HTTP/1.1\r\nHost: x\r\n\r\n", 35),
            good + "A : b\r\n\r\n",
            good + " A: b\r\n\r\n",
            good + ": b\r\n\r\n",
            good + "no colon\r\n\r\n",
            good + "A(b): c\r\n\r\n",
            good + "A: \x01\r\n\r\n",
            good + "A: \x7f\r\n\r\n",
            "GET  /health HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /health  HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET\t/health HTTP/1.1\r\nHost: x\r\n\r\n",
            " GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /hea lth HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /h\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
            "G{T /health HTTP/1.1\r\nHost: x\r\n\r\n",
            "\x16\x03\x01\x02\x00\x01\r\n\r\n",
        };
        for (const std::string& head : heads) {
            assertHeadRefused(400, head);
        }
    }

    void testEmptyLineBeforeARequestIsPassedOver() {
        ASSERT_STATUS(200, exchangeRaw("\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n"));
    }

    void testConnectionCloseIsObeyed() {
        for (const std::string value : {"close", "Close", "keep-alive, close", "x,close"}) {
            Connection connection(daemon().worker());
            connection.send(Request("GET", "/health").header("Connection", value).bytes() +
                            Request("GET", "/health").bytes());
            const Response response = connection.receive();
            ASSERT_STATUS(200, response);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::string("close"),
                                         response.header("Connection"));
            CPPUNIT_ASSERT_MESSAGE("something was sent after the last answer", connection.closedByPeer());
        }
    }

    void testTooLargeAHeadIsRefused() {
        const std::string good = "GET /health HTTP/1.1\r\nHost: x\r\n";
        ASSERT_STATUS(200, exchangeRaw(good + "A: " + std::string(8'000, 'a') + "\r\n\r\n"));
        assertHeadRefused(431, good + "A: " + std::string(20'000, 'a') + "\r\n\r\n");
        // Without an end in sight, too.
        assertHeadRefused(431, good + "A: " + std::string(200'000, 'a'));
        assertHeadRefused(431, good + std::string(200'000, 'A'));
    }

    void testTooManyHeadersAreRefused() {
        const auto withHeaders = [](int count) {
            std::string head = "GET /health HTTP/1.1\r\nHost: x\r\n";
            for (int i = 0; i < count; ++i) {
                head += "A: b\r\n";
            }
            return head + "\r\n";
        };
        ASSERT_STATUS(200, exchangeRaw(withHeaders(99)));
        assertHeadRefused(431, withHeaders(100));
    }

    void testTooLongATargetIsRefused() {
        ASSERT_STATUS(200,
                      exchangeRaw("GET /health?" + std::string(8'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"));
        assertHeadRefused(414, "GET /health?" + std::string(8'192, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n");
        assertHeadRefused(414, "GET /" + std::string(200'000, 'a'));
    }

    void testContinueComesOnlyAfterAuthentication() {
        const std::string body = R"({"event_type":"x","data":1})";
        Connection connection(daemon().worker());
        connection.send(
            postHead("Expect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"));
        ASSERT_STATUS(100, connection.receive());
        connection.send(body);
        ASSERT_STATUS(200, connection.receive());
    }

    void testContinueIsNotSentWhenTheAnswerIsFinal() {
        const auto refused = [&](const std::string& path, const std::string& token,
                                 const std::string& length) {
            Connection connection(daemon().worker());
            connection.send(Request("POST", path)
                                .bearer(token)
                                .header("Expect", "100-continue")
                                .header("Content-Type", "application/json")
                                .header("Content-Length", length)
                                .bytes());
            return connection.receive();
        };
        ASSERT_UNAUTHORIZED(refused(target("/event"), "bad", "10"));
        ASSERT_REFUSED(400, refused("/worker/x/event", job_.token, "10"));
        ASSERT_REFUSED(404, refused(target("/nowhere"), job_.token, "10"));
        ASSERT_REFUSED(405, refused(target("/job"), job_.token, "10"));
        ASSERT_REFUSED(413, refused(target("/event"), job_.token, "9000000000"));
    }

    void testUnknownExpectationIsRefused() {
        ASSERT_REFUSED(417, exchangeRaw(postHead("Expect: tea\r\nContent-Length: 2\r\n")));
    }

    void testDribbledHeadMeetsItsDeadline() {
        Connection connection(hasty().worker());
        connection.send("GET /health HTTP/1.1\r\nHost: x\r\nA: ");
        dribble(connection, "a");
        const std::string rest = connection.receiveUntilClosed();
        CPPUNIT_ASSERT_MESSAGE(rest, rest.empty() || rest.starts_with("HTTP/1.1 408"));
    }

    void testDribbledBodyMeetsItsDeadline() {
        Daemon& daemon = hasty();
        Connection connection(daemon.worker());
        connection.send(workerClient(daemon, createJob(daemon))
                            .request("POST", "/event")
                            .header("Content-Type", "application/json")
                            .header("Content-Length", "1000000")
                            .bytes());
        dribble(connection, " ");
        const std::string rest = connection.receiveUntilClosed();
        CPPUNIT_ASSERT_MESSAGE(rest, rest.starts_with("HTTP/1.1 408"));
    }

    void testDribbledChunksMeetTheDeadline() {
        Daemon& daemon = hasty();
        Connection connection(daemon.worker());
        connection.send(workerClient(daemon, createJob(daemon))
                            .request("POST", "/event")
                            .header("Content-Type", "application/json")
                            .header("Transfer-Encoding", "chunked")
                            .bytes());
        dribble(connection, "1\r\n \r\n");
        const std::string rest = connection.receiveUntilClosed();
        CPPUNIT_ASSERT_MESSAGE(rest, rest.starts_with("HTTP/1.1 408"));
    }

    void testIdleConnectionIsClosed() {
        Connection connection(hasty().worker());
        ASSERT_STATUS(200, connection.exchange(Request("GET", "/health")));
        CPPUNIT_ASSERT(connection.closedByPeer());
        Connection silent(hasty().operators());
        CPPUNIT_ASSERT(silent.receiveUntilClosed().find("200") == std::string::npos);
    }

    /// It asks for more than all buffers hold and never takes a byte of it.
    void testClientThatReadsNothingIsGivenUp() {
        Daemon& daemon = hasty();
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        const std::string event = R"({"event_type":"x","data":")" + std::string(100'000, 'x') + "\"}";
        for (int i = 0; i < 120; ++i) {
            ASSERT_STATUS(200, worker.post("/event", event));
        }
        Client operators = operatorClient(daemon);
        Connection stuck(daemon.operators(), 4096);
        stuck.send(operators.request("GET", "/jobs/" + job.id + "/events?limit=1000").bytes());
        Deadline().await(stuck.descriptor(), POLLIN, "the answer to begin");
        Client watcher = operatorClient(daemon);
        awaitField(watcher, "/status", "connections", "1");
        CPPUNIT_ASSERT_THROW_MESSAGE("the whole answer came", stuck.receive(), ConnectionLost);
    }

    void testHalfClosedClientIsAnswered() {
        Connection connection(daemon().worker());
        connection.send(request("POST", "/event").json(R"({"event_type":"x","data":1})").bytes());
        connection.finishSending();
        ASSERT_STATUS(200, connection.receive());
        CPPUNIT_ASSERT(connection.closedByPeer());
    }

    void testEncodedPathsCannotChangeTheJob() {
        const CreatedJob other = createJob(admin());
        for (const std::string& path :
             {"/worker/" + job_.id + "/../" + other.id + "/job",
              "/worker/" + job_.id + "/%2e%2e/" + other.id + "/job",
              "/worker/" + job_.id + "%2f..%2f" + other.id + "/job",
              "/worker/" + job_.id + "/..%2f" + other.id + "/job", "/worker/x/../" + other.id + "/job",
              "/health/../worker/" + other.id + "/job", "/worker//" + other.id + "/job",
              "//worker/" + other.id + "/job", "/./worker/" + other.id + "/job",
              "/worker/./" + other.id + "/job", "/worker%2f" + other.id + "/job",
              "/%77orker%2f" + other.id + "/job", "/worker/" + job_.id + ";/" + other.id + "/job",
              "/worker/" + job_.id + "%00/" + other.id + "/job",
              "/worker/" + job_.id + "%5c..%5c" + other.id + "/job"}) {
            const Response response = exchange(daemon().worker(), Request("GET", path).bearer(job_.token));
            CPPUNIT_ASSERT_MESSAGE(path + "\n" + response.describe(), response.status == 400 ||
                                                                          response.status == 401 ||
                                                                          response.status == 404);
            ASSERT_LACKS("Job ", response.body);
        }
    }

    void testEncodedPathsCannotChangeTheRoute() {
        for (const std::string path : {"/../health", "/%2e%2e/health", "//health", "/health/", "/job/..",
                                       "/nowhere/../job", "/job%2f", "/job/", "//job", "/./job", "/job%00",
                                       "/%2fjob", "/job;x", "/job/%2e", "/prompt%2f..%2fjob", "/JOB"}) {
            const Response response = exchange(daemon().worker(), request("GET", path));
            CPPUNIT_ASSERT_MESSAGE(path + "\n" + response.describe(),
                                   response.status == 404 || response.status == 400);
        }
        // Without a token there is nothing but /health.
        for (const std::string path :
             {"//health", "/health/", "/%2e/health", "/health/../api/jobs", "/health%2f..%2fapi/jobs",
              "/api/../health", "/HEALTH", "/", "/api", "/worker", "/api/", "/healthz"}) {
            for (const Endpoint& door : {daemon().worker(), daemon().operators()}) {
                const Response response = exchange(door, Request("GET", path));
                CPPUNIT_ASSERT_MESSAGE(path + "\n" + response.describe(), response.status == 404 ||
                                                                              response.status == 400 ||
                                                                              response.status == 401);
            }
        }
        for (const std::string path : {"/bad%", "/bad%2", "/bad%zz"}) {
            const Response response = exchange(daemon().worker(), request("GET", path));
            CPPUNIT_ASSERT_MESSAGE(path + "\n" + response.describe(),
                                   response.status == 404 || response.status == 400);
        }
    }

    void testMethodsAreCaseSensitive() {
        ASSERT_REFUSED(405, exchange(daemon().worker(), request("get", "/job")));
        ASSERT_REFUSED(405, exchange(daemon().worker(), request("BREW", "/job")));
        const Response health = exchange(daemon().worker(), Request("POST", "/health").json("{}"));
        ASSERT_REFUSED(405, health);
        ASSERT_CONTAINS("GET", health.header("Allow"));
    }

    /// One more than allowed gets no service, and the daemon goes on as soon as there is room.
    void testConnectionsAreLimited() {
        Daemon& daemon = sharedDaemon({{"worker.max_connections", "8"}});
        Client worker = workerClient(daemon, createJob(daemon));
        std::vector<Connection> open;
        for (int i = 0; i < 8; ++i) {
            open.emplace_back(daemon.worker());
            ASSERT_STATUS(200, open.back().exchange(worker.request("GET", "/job")));
        }
        Connection extra(daemon.worker());
        extra.trySend(Request("GET", "/health").bytes());
        // The other door is not touched by that.
        ASSERT_STATUS(200, exchange(daemon.operators(), Request("GET", "/health")));
        ASSERT_STATUS(200, open.front().exchange(worker.request("GET", "/job")));
        CPPUNIT_ASSERT_MESSAGE("more connections were served than are allowed",
                               !extra.readable() || refusedOrClosed(extra));
        open.clear();
        const Deadline deadline;
        while (!servesHealth(daemon.worker())) {
            CPPUNIT_ASSERT_MESSAGE("no connection is served any more", deadline.pollTimeout() > 0);
        }
    }

    void testListensOnIpv6() {
        Daemon own({.settings = {{"worker.listen", "[::1]:0"}, {"operator.listen", "[::1]:0"}}});
        ASSERT_CONTAINS("http://[::1]:", own.worker().address());
        const Response created = operatorClient(own).post("/jobs", R"({"task":"t"})");
        ASSERT_STATUS(201, created);
        ASSERT_CONTAINS(own.worker().address() + "/worker/", created.at("worker_url"));
        ASSERT_STATUS(200, workerClient(own, {created.at("job_id"), created.at("token")}).get("/job"));
    }

    void testListensOnUnixSockets() {
        TemporaryDirectory directory;
        const std::string worker = (directory / "worker.sock").string();
        const std::string operators = (directory / "operator.sock").string();
        Daemon own(
            {.settings = {{"worker.listen", "unix:" + worker}, {"operator.listen", "unix:" + operators}}});
        CPPUNIT_ASSERT_EQUAL("unix:" + worker, own.worker().address());
        const CreatedJob job = createJob(own);
        ASSERT_STATUS(200, workerClient(own, job).get("/job"));
        // A socket file that a killed daemon has left behind is no obstacle.
        own.kill();
        own.start();
        ASSERT_STATUS(200, workerClient(own, job).get("/job"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(own.log(), 0, own.terminate());
        CPPUNIT_ASSERT_MESSAGE("the socket is left behind", !std::filesystem::exists(worker));
    }

    void testAnswersNameTheirRequest() {
        std::set<std::string> ids;
        Client worker = workerClient(daemon(), job_);
        for (const Response& response :
             {worker.get("/job"), worker.get("/prompt"), worker.get("/nowhere"), worker.post("/event", "{"),
              exchange(daemon().worker(), Request("GET", "/health")),
              exchange(daemon().worker(), Request("GET", "/x")),
              exchange(daemon().operators(), Request("GET", "/api/jobs")), admin().get("/jobs"),
              exchange(daemon().worker(), request("GET", "/job").header("X-Request-Id", "chosen-by-client")),
              exchangeRaw("GET / HTTP/1.1\r\n\r\n")}) {
            const std::string id = response.header("X-Request-Id");
            CPPUNIT_ASSERT_MESSAGE(response.describe(), id.size() >= 8);
            CPPUNIT_ASSERT_MESSAGE("given twice: " + id, ids.insert(id).second);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{1}, response.count("X-Request-Id"));
        }
        CPPUNIT_ASSERT(!ids.contains("chosen-by-client"));
        Connection stream(daemon().operators());
        stream.send(admin().request("GET", "/events").bytes());
        CPPUNIT_ASSERT(!stream.receiveHead().header("X-Request-Id").empty());
    }

    void testLogEscapesControlCharacters() {
        Daemon daemon = talkative("text");
        Client operators = operatorClient(daemon);
        const CreatedJob job = createJob(operators, R"({"task":"a\u001b[31m\nfake"})");
        operators.post("/jobs", R"({"task":"t","title":"\u0007\u0085","user_id":"u\r\nv"})");
        Client worker = workerClient(daemon, job);
        worker.get("/%1b%5b31m%0a%0dfake%00%7f%c2%9b31m");
        worker.get("/%ff%fe");
        worker.post("/status", R"({"state":"a\u001b]0;x\u0007","message":"b\nERROR forged","iteration":1})");
        worker.post("/event", R"({"event_type":"c\u001b[2J\nd","data":{"message":"\u0000"}})");
        worker.post("/complete", R"({"success":false,"message":"e\u001b[H\nforged","iterations":1})");
        operators.post("/tokens", R"({"name":"f\u001b[H\ng","user_id":"h\ni"})");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        const std::string log = daemon.log();
        for (const char c : log) {
            const auto byte = static_cast<unsigned char>(c);
            CPPUNIT_ASSERT_MESSAGE("control character " + std::to_string(byte) + " in\n" + log,
                                   c == '\n' || (byte >= 0x20 && byte != 0x7f));
        }
        ASSERT_LACKS("\nERROR forged", log);
        ASSERT_LACKS("\nforged", log);
        ASSERT_LACKS("\xc2\x9b", log);
    }

    void testLogHoldsNeitherTokensNorBodies() {
        for (const std::string format : {"text", "json"}) {
            Daemon daemon = talkative(format);
            const std::string canary = "canary-of-the-body";
            const CreatedJob job =
                createJob(daemon, R"({"task":")" + canary + R"(","title":")" + canary + "\"}");
            Client worker = workerClient(daemon, job);
            worker.get("/job");
            worker.post("/event", R"({"event_type":"x","data":{"message":")" + canary + "\"}}");
            worker.post("/status",
                        R"({"state":")" + canary + R"(","message":")" + canary + R"(","iteration":1})");
            worker.post("/status", R"({"state":")" + canary + "\",");
            worker.post("/event", "{\"" + canary);
            Client operators = operatorClient(daemon);
            operators.post("/jobs/" + job.id + "/prompt", R"({"content":")" + canary + "\"}");
            worker.get("/prompt");
            const std::string wrong(64, 'e');
            exchange(daemon.worker(), Request("GET", "/worker/" + job.id + "/job").bearer(wrong));
            exchange(daemon.worker(),
                     Request("GET", "/worker/" + job.id + "/job").header("x-api-key", wrong));
            const Response token = operators.post("/tokens", R"({"name":"x"})");
            operatorClient(daemon, token.at("token")).get("/jobs?token=" + wrong + "&limit=0");
            worker.post("/complete", R"({"success":true,"message":")" + canary + R"(","iterations":1})");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
            const std::string log = daemon.log();
            ASSERT_CONTAINS(job.id, log);
            for (const std::string& secret :
                 {job.token, operators.token(), token.at("token"), wrong, canary}) {
                ASSERT_LACKS(secret, log);
            }
        }
    }

    void testLogLinesAreJsonWhenAsked() {
        Daemon daemon = talkative("json");
        const Response response = workerClient(daemon, createJob(daemon)).get("/%1b%22%5c%ff");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        const std::string log = daemon.log();
        std::size_t lines = 0;
        for (std::size_t start = 0; start < log.size(); ++lines) {
            const std::size_t end = log.find('\n', start);
            const std::string line = log.substr(start, end - start);
            CPPUNIT_ASSERT_MESSAGE(line, jsonAt(line, "").starts_with('{'));
            start = end + 1;
        }
        CPPUNIT_ASSERT_MESSAGE(log, lines > 3);
        ASSERT_CONTAINS(response.header("X-Request-Id"), log);
    }

private:
    /// A daemon with the shortest deadlines there are.
    static Daemon& hasty() {
        return sharedDaemon({{"http.header_timeout", "300ms"},
                             {"http.body_timeout", "300ms"},
                             {"http.idle_timeout", "300ms"},
                             {"http.write_timeout", "300ms"}});
    }

    /// A daemon that logs all there is.
    static Daemon talkative(const std::string& format) {
        return Daemon({.settings = {{"log.level", "debug"}, {"log.format", format}}});
    }

    /// Sends `bytes` again and again, with pauses shorter than any deadline, until the peer has had enough.
    static void dribble(Connection& connection, std::string_view bytes) {
        const Deadline deadline;
        pollfd watched{connection.descriptor(), POLLIN, 0};
        while (::poll(&watched, 1, 20) == 0) {
            CPPUNIT_ASSERT_MESSAGE("each byte extends the deadline", deadline.pollTimeout() > 0);
            connection.trySend(bytes);
        }
    }

    static bool refusedOrClosed(Connection& connection) {
        const std::string answer = connection.receiveUntilClosed();
        return answer.empty() || answer.starts_with("HTTP/1.1 503");
    }

    static bool servesHealth(const Endpoint& door) {
        try {
            return exchange(door, Request("GET", "/health")).status == 200;
        } catch (const ConnectionLost&) {
            return false;
        }
    }

    static std::string hex(std::size_t number) {
        std::string digits;
        for (; number != 0; number /= 16) {
            digits.insert(digits.begin(), "0123456789abcdef"[number % 16]);
        }
        return digits;
    }

    [[nodiscard]] std::string target(const std::string& path) const { return "/worker/" + job_.id + path; }
    [[nodiscard]] Request request(const std::string& method, const std::string& path) const {
        return Request(method, target(path)).bearer(job_.token);
    }
    /// A request that must never come through by the back door.
    [[nodiscard]] Request completion() const {
        return request("POST", "/complete").json(R"({"success":true,"iterations":1})");
    }
    std::string stateOfJob() { return admin().get("/jobs/" + job_.id).at("state"); }

    /// The head of an authenticated POST of an event.
    [[nodiscard]] std::string postHead(const std::string& headers) const {
        return "POST " + target("/event") + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + job_.token +
               "\r\nContent-Type: application/json\r\n" + headers + "\r\n";
    }

    Response exchangeRaw(const std::string& bytes) {
        Connection connection(daemon().worker());
        connection.trySend(bytes);
        return connection.receive();
    }

    /// The head is refused, and nothing that follows it is taken for a request.
    void assertHeadRefused(int status, const std::string& head, bool orBadRequest = false) {
        Connection connection(daemon().worker());
        connection.trySend(head + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        const Response response = connection.receive();
        const bool expected = response.status == status || (orBadRequest && response.status == 400);
        CPPUNIT_ASSERT_MESSAGE("for '" + head.substr(0, 200) + "' " + std::to_string(status) +
                                   " is expected: " + response.describe(),
                               expected);
        ASSERT_REFUSED(response.status, response);
        CPPUNIT_ASSERT_MESSAGE("the connection goes on after '" + head.substr(0, 200) + "'",
                               connection.closedByPeer());
    }

    /// The connection ends, or is proven to be in step by a request that is answered as it should be.
    void assertNothingMoreThanRefusals(Connection& connection) {
        if (!connection.trySend(Request("GET", "/health").header("Connection", "close").bytes())) {
            return;
        }
        const std::string rest = connection.receiveUntilClosed();
        CPPUNIT_ASSERT_MESSAGE(rest, rest.empty() || rest.ends_with("\r\n\r\nok"));
        ASSERT_LACKS("{\"status\":\"ok\"}", rest);
    }

    CreatedJob job_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(HttpTest);

}  // namespace sallyport::tests
