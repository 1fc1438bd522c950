#include "host/http/request_head.h"

#include <algorithm>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;

namespace {

using State = HeadParser::State;

struct Parsed {
    State state;
    std::size_t used;
    RequestHead head;
    HeadError error;
};

/// Feeds the text in pieces of one size, as a connection does: what is not taken comes again.
Parsed parse(std::string_view text, const Limits& limits = {}, std::size_t piece = std::string_view::npos) {
    HeadParser parser(limits);
    std::size_t used = 0;
    for (std::size_t end = 0; end < text.size() && parser.state() == State::reading;) {
        end += std::min(piece, text.size() - end);
        used += parser.feed(text.substr(used, end - used));
    }
    Parsed parsed{parser.state(), used, {}, parser.error()};
    if (parsed.state == State::complete) {
        parsed.head = parser.take();
    }
    return parsed;
}

RequestHead accepted(std::string_view text) {
    const auto result = parse(text);
    CPPUNIT_ASSERT_MESSAGE(std::string("refused: ") + result.error.message, result.state != State::refused);
    CPPUNIT_ASSERT_MESSAGE("incomplete", result.state == State::complete);
    return result.head;
}

/// The same whether the text comes at once or byte by byte.
int refusal(std::string_view text, const Limits& limits = {}) {
    const auto result = parse(text, limits);
    CPPUNIT_ASSERT_MESSAGE("should be refused: " + std::string(text), result.state == State::refused);
    const auto dribbled = parse(text, limits, 1);
    CPPUNIT_ASSERT_MESSAGE("should be refused in pieces: " + std::string(text),
                           dribbled.state == State::refused);
    CPPUNIT_ASSERT_EQUAL(result.error.status, dribbled.error.status);
    return result.error.status;
}

std::string request(std::string_view fields) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

}  // namespace

class RequestHeadTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RequestHeadTest);
    CPPUNIT_TEST(testPartsAreFound);
    CPPUNIT_TEST(testTakesTheHeadAlone);
    CPPUNIT_TEST(testIncompleteInEveryPrefix);
    CPPUNIT_TEST(testPiecesOfEverySize);
    CPPUNIT_TEST(testNextHeadBeginsAnew);
    CPPUNIT_TEST(testTargets);
    CPPUNIT_TEST(testTargetsOfProxies);
    CPPUNIT_TEST(testUpgrades);
    CPPUNIT_TEST(testVersions);
    CPPUNIT_TEST(testHostIsNeededOnce);
    CPPUNIT_TEST(testLengths);
    CPPUNIT_TEST(testAmbiguousLengthsAreRefused);
    CPPUNIT_TEST(testTransferEncodings);
    CPPUNIT_TEST(testConnectionOptions);
    CPPUNIT_TEST(testExpectations);
    CPPUNIT_TEST(testLineEndsAreStrict);
    CPPUNIT_TEST(testFieldsAreStrict);
    CPPUNIT_TEST(testLimitsHold);
    CPPUNIT_TEST(testLinesUpToALimitMayComeInPieces);
    CPPUNIT_TEST_SUITE_END();

public:
    void testPartsAreFound() {
        const auto head = accepted("GET /a/b%2f?c=d?e HTTP/1.1\r\nHOST: h\r\nX-Odd:  some value \t\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("GET"), head.method);
        CPPUNIT_ASSERT_EQUAL(std::string("/a/b%2f"), head.path);
        CPPUNIT_ASSERT_EQUAL(std::string("c=d?e"), head.query);
        CPPUNIT_ASSERT_EQUAL(std::string("some value"), *head.find("x-odd"));
        CPPUNIT_ASSERT(head.find("x-other") == nullptr);
        CPPUNIT_ASSERT(head.keepAlive);
        CPPUNIT_ASSERT(head.framing == Framing::none);
    }

    void testTakesTheHeadAlone() {
        const std::string text = request("Content-Length: 3\r\n");
        CPPUNIT_ASSERT_EQUAL(text.size(), parse(text + "abcGET /next").used);
        CPPUNIT_ASSERT_EQUAL(text.size() + 2, parse("\r\n" + text).used);
    }

    void testIncompleteInEveryPrefix() {
        const std::string text = request("Content-Length: 3\r\nExpect: 100-continue\r\n");
        for (std::size_t size = 0; size < text.size(); ++size) {
            CPPUNIT_ASSERT_MESSAGE(text.substr(0, size), parse(text.substr(0, size)).state == State::reading);
        }
        CPPUNIT_ASSERT(parse(text).state == State::complete);
    }

    void testPiecesOfEverySize() {
        const std::string text = "\r\n" + request("Content-Length: 3\r\nX-Odd: value\r\n");
        for (std::size_t piece = 1; piece <= text.size(); ++piece) {
            const auto result = parse(text, {}, piece);
            CPPUNIT_ASSERT(result.state == State::complete);
            CPPUNIT_ASSERT_EQUAL(text.size(), result.used);
            CPPUNIT_ASSERT_EQUAL(std::string("value"), *result.head.find("x-odd"));
            CPPUNIT_ASSERT_EQUAL(std::size_t{3}, result.head.headers.size());
        }
    }

    /// One parser serves a connection: what one request had, the next has not.
    void testNextHeadBeginsAnew() {
        const Limits limits;
        HeadParser parser(limits);
        for (int i = 0; i < 3; ++i) {
            const auto text = request("Content-Length: 3\r\n");
            CPPUNIT_ASSERT_EQUAL(text.size(), parser.feed(text));
            const auto head = parser.take();
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, head.headers.size());
            CPPUNIT_ASSERT_EQUAL(std::string("/x"), head.path);
            CPPUNIT_ASSERT(parser.state() == State::reading);
        }
    }

    void testTargets() {
        CPPUNIT_ASSERT_EQUAL(std::string("/p"),
                             accepted("GET http://h:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n").path);
        CPPUNIT_ASSERT_EQUAL(std::string("q"), accepted("GET HTTP://h?q HTTP/1.1\r\nHost: h\r\n\r\n").query);
        CPPUNIT_ASSERT_EQUAL(std::string("/"), accepted("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n").path);
        CPPUNIT_ASSERT_EQUAL(std::string("*"), accepted("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path);
        CPPUNIT_ASSERT_EQUAL(std::string("/a/../b"),
                             accepted("GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n").path);
        for (const char* line :
             {"GET * HTTP/1.1", "CONNECT h HTTP/1.1", "CONNECT http://h:1 HTTP/1.1",
              "GET http://u@h/ HTTP/1.1", "GET http://h/#a HTTP/1.1", "GET http://h/?a#b HTTP/1.1",
              "GET http://h#a HTTP/1.1", "GET ftp://h/ HTTP/1.1", "GET a HTTP/1.1", "GET /a b HTTP/1.1",
              "GET /a#b HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /\xc3\xa4 HTTP/1.1", "GET http:///p HTTP/1.1",
              " / HTTP/1.1", "GET /", "G(T / HTTP/1.1", "GET  HTTP/1.1"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line, 400, refusal(std::string(line) + "\r\nHost: h\r\n\r\n"));
        }
    }

    void testTargetsOfProxies() {
        const auto tunnel = accepted("CONNECT H:1 HTTP/1.1\r\nHost: other\r\n\r\n");
        CPPUNIT_ASSERT(tunnel.asksForTunnel());
        CPPUNIT_ASSERT_EQUAL(std::string("h:1"), tunnel.path);
        CPPUNIT_ASSERT_EQUAL(std::string("h:1"), tunnel.shownTarget());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, tunnel.target->length.value());
        const auto counted = accepted("PUT http://H/p?q HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n");
        CPPUNIT_ASSERT(!counted.asksForTunnel());
        CPPUNIT_ASSERT_EQUAL(std::string("http://h:80/p"), counted.shownTarget());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, counted.target->length.value());
        CPPUNIT_ASSERT(!accepted("PUT http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
                            .target->length);
        // A path is no authority, whatever the method.
        CPPUNIT_ASSERT(!accepted("CONNECT /h HTTP/1.1\r\nHost: h\r\n\r\n").asksForTunnel());
        CPPUNIT_ASSERT(!accepted("GET /p HTTP/1.1\r\nHost: h\r\n\r\n").target);
        CPPUNIT_ASSERT_EQUAL(400, refusal("CONNECT h:1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(
            400, refusal("CONNECT h:1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
        accepted("CONNECT h:1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    }

    void testUpgrades() {
        const auto upgrade = [](const std::string& fields, const std::string& version = "1.1") {
            return accepted("GET / HTTP/" + version + "\r\nHost: h\r\n" + fields + "\r\n").upgrade;
        };
        CPPUNIT_ASSERT_EQUAL(std::string("websocket"),
                             upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("a, b"),
                             upgrade("Upgrade: a\r\nConnection: x, upgrade\r\nUpgrade: b\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string(), upgrade("Upgrade: a\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string(), upgrade("Connection: Upgrade\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string(), upgrade("Connection: Upgrade\r\nUpgrade: a\r\n", "1.0"));
    }

    void testVersions() {
        const auto old = accepted("GET / HTTP/1.0\r\n\r\n");
        CPPUNIT_ASSERT(old.http10);
        CPPUNIT_ASSERT(!old.keepAlive);
        CPPUNIT_ASSERT_EQUAL(505, refusal("PRI * HTTP/2.0\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(505, refusal("GET / HTTP/0.9\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / http/1.1\r\n\r\n"));
    }

    void testHostIsNeededOnce() {
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1.1\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Host: b\r\n")));
    }

    void testLengths() {
        const auto counted = accepted(request("Content-Length: 18446744073709551615\r\n"));
        CPPUNIT_ASSERT(counted.framing == Framing::length);
        CPPUNIT_ASSERT_EQUAL(UINT64_MAX, counted.length);
        CPPUNIT_ASSERT(accepted(request("Content-Length: 0\r\n")).framing == Framing::none);
        for (const char* value :
             {"", "-1", "+1", "1 2", "1,1", "0x1", "1.0", "18446744073709551616", "abc"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value, 400,
                                         refusal(request("Content-Length: " + std::string(value) + "\r\n")));
        }
    }

    void testAmbiguousLengthsAreRefused() {
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Content-Length: 3\r\nContent-Length: 4\r\n")));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Content-Length: 3\r\nContent-Length: 3\r\n")));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n")));
        CPPUNIT_ASSERT_EQUAL(
            400, refusal(request("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")));
    }

    void testTransferEncodings() {
        CPPUNIT_ASSERT(accepted(request("Transfer-Encoding: Chunked\r\n")).framing == Framing::chunked);
        for (const char* value : {"gzip", "gzip, chunked", "chunked, chunked", "identity", "", "\vchunked"}) {
            const int status = refusal(request("Transfer-Encoding: " + std::string(value) + "\r\n"));
            CPPUNIT_ASSERT_MESSAGE(value, status == 501 || status == 400);
        }
        CPPUNIT_ASSERT_EQUAL(400, refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"));
    }

    void testConnectionOptions() {
        CPPUNIT_ASSERT(!accepted(request("Connection: foo, Close\r\n")).keepAlive);
        CPPUNIT_ASSERT(accepted(request("Connection: closed\r\n")).keepAlive);
        CPPUNIT_ASSERT(accepted("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keepAlive);
        CPPUNIT_ASSERT(
            !accepted("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n").keepAlive);
    }

    void testExpectations() {
        CPPUNIT_ASSERT(accepted(request("Expect: 100-Continue\r\n")).expectsContinue);
        CPPUNIT_ASSERT_EQUAL(417, refusal(request("Expect: fast\r\n")));
        CPPUNIT_ASSERT(!accepted("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectsContinue);
    }

    void testLineEndsAreStrict() {
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1.1\nHost: h\n\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"));
    }

    void testFieldsAreStrict() {
        for (const char* field :
             {"Na me: v", "Name : v", " Name: v", "\tName: v", ": v", "Name", "N\xc3: v"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(field, 400, refusal(request(std::string(field) + "\r\n")));
        }
        CPPUNIT_ASSERT_EQUAL(400, refusal(request(std::string("Name: a\0b\r\n", 11))));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Name: a\x1b[1m\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("\xc3\xa4"), *accepted(request("Name: \xc3\xa4\r\n")).find("name"));
    }

    void testLimitsHold() {
        Limits limits;
        limits.maxUriBytes = 300;
        limits.maxHeaderBytes = 200;
        limits.maxHeaders = 3;
        CPPUNIT_ASSERT_EQUAL(
            414, refusal("GET /" + std::string(300, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", limits));
        CPPUNIT_ASSERT_EQUAL(414, refusal("GET /" + std::string(1000, 'a'), limits));
        CPPUNIT_ASSERT_EQUAL(431, refusal(request("X: " + std::string(200, 'a') + "\r\n"), limits));
        CPPUNIT_ASSERT_EQUAL(431, refusal("GET / HTTP/1.1\r\nX: " + std::string(300, 'a'), limits));
        CPPUNIT_ASSERT_EQUAL(431, refusal(request("A: 1\r\nB: 1\r\nC: 1\r\n"), limits));
        CPPUNIT_ASSERT(parse(request("A: 1\r\nB: 1\r\n"), limits).state == State::complete);
    }

    void testLinesUpToALimitMayComeInPieces() {
        Limits limits;
        limits.maxUriBytes = 300;
        limits.maxHeaderBytes = 200;
        // As long as any may be with its method and version.
        const std::string longest = std::string(54, 'M') + " /" + std::string(299, 'a') + " HTTP/1.1\r\n";
        CPPUNIT_ASSERT_EQUAL(std::size_t{300 + 64}, longest.size() - 2);
        const std::string fields = "Host: h\r\nX: " + std::string(200 - 9 - 5, 'a') + "\r\n\r\n";
        for (const std::string& text : {longest + "Host: h\r\n\r\n", "GET / HTTP/1.1\r\n" + fields}) {
            CPPUNIT_ASSERT(parse(text, limits).state == State::complete);
            for (std::size_t piece = 1; piece < text.size(); ++piece) {
                CPPUNIT_ASSERT(parse(text, limits, piece).state == State::complete);
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RequestHeadTest);

}  // namespace sallyport::tests
