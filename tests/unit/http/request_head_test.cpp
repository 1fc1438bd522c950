#include "host/http/request_head.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;

namespace {

HeadResult parse(std::string_view text, const Limits& limits = {}) {
    return parseHead(text, limits);
}

RequestHead accepted(std::string_view text) {
    const auto result = parse(text);
    if (const auto* error = std::get_if<HeadError>(&result))
        CPPUNIT_FAIL(std::string("refused: ") + error->message);
    CPPUNIT_ASSERT_MESSAGE("incomplete", std::holds_alternative<ParsedHead>(result));
    return std::get<ParsedHead>(result).head;
}

int refusal(std::string_view text, const Limits& limits = {}) {
    const auto result = parse(text, limits);
    CPPUNIT_ASSERT_MESSAGE("should be refused: " + std::string(text),
                           std::holds_alternative<HeadError>(result));
    return std::get<HeadError>(result).status;
}

std::string request(std::string_view fields) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

}  // namespace

class RequestHeadTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RequestHeadTest);
    CPPUNIT_TEST(partsAreFound);
    CPPUNIT_TEST(sizeIsTheHeadAlone);
    CPPUNIT_TEST(incompleteInEveryPrefix);
    CPPUNIT_TEST(targets);
    CPPUNIT_TEST(versions);
    CPPUNIT_TEST(hostIsNeededOnce);
    CPPUNIT_TEST(lengths);
    CPPUNIT_TEST(ambiguousLengthsAreRefused);
    CPPUNIT_TEST(transferEncodings);
    CPPUNIT_TEST(connectionOptions);
    CPPUNIT_TEST(expectations);
    CPPUNIT_TEST(lineEndsAreStrict);
    CPPUNIT_TEST(fieldsAreStrict);
    CPPUNIT_TEST(limitsHold);
    CPPUNIT_TEST_SUITE_END();

public:
    void partsAreFound() {
        const auto head = accepted("GET /a/b%2f?c=d?e HTTP/1.1\r\nHOST: h\r\nX-Odd:  some value \t\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("GET"), head.method);
        CPPUNIT_ASSERT_EQUAL(std::string("/a/b%2f"), head.path);
        CPPUNIT_ASSERT_EQUAL(std::string("c=d?e"), head.query);
        CPPUNIT_ASSERT_EQUAL(std::string("some value"), *head.find("x-odd"));
        CPPUNIT_ASSERT(head.find("x-other") == nullptr);
        CPPUNIT_ASSERT(head.keepAlive);
        CPPUNIT_ASSERT(head.framing == Framing::none);
    }

    void sizeIsTheHeadAlone() {
        const std::string text = request("Content-Length: 3\r\n");
        const auto result = parse(text + "abcGET /next");
        CPPUNIT_ASSERT_EQUAL(text.size(), std::get<ParsedHead>(result).size);
        const auto afterEmptyLine = parse("\r\n" + text);
        CPPUNIT_ASSERT_EQUAL(text.size() + 2, std::get<ParsedHead>(afterEmptyLine).size);
    }

    void incompleteInEveryPrefix() {
        const std::string text = request("Content-Length: 3\r\nExpect: 100-continue\r\n");
        for (std::size_t size = 0; size < text.size(); ++size)
            CPPUNIT_ASSERT_MESSAGE(text.substr(0, size),
                                   std::holds_alternative<NeedMore>(parse(text.substr(0, size))));
        CPPUNIT_ASSERT(std::holds_alternative<ParsedHead>(parse(text)));
    }

    void targets() {
        CPPUNIT_ASSERT_EQUAL(std::string("/p"),
                             accepted("GET http://h:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n").path);
        CPPUNIT_ASSERT_EQUAL(std::string("q"), accepted("GET HTTP://h?q HTTP/1.1\r\nHost: h\r\n\r\n").query);
        CPPUNIT_ASSERT_EQUAL(std::string("/"), accepted("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n").path);
        CPPUNIT_ASSERT_EQUAL(std::string("*"), accepted("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path);
        CPPUNIT_ASSERT_EQUAL(std::string("/a/../b"),
                             accepted("GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n").path);
        for (const char* line :
             {"GET * HTTP/1.1", "CONNECT h:1 HTTP/1.1", "GET ftp://h/ HTTP/1.1", "GET a HTTP/1.1",
              "GET /a b HTTP/1.1", "GET /a#b HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /\xc3\xa4 HTTP/1.1",
              "GET http:///p HTTP/1.1", " / HTTP/1.1", "GET /", "G(T / HTTP/1.1", "GET  HTTP/1.1"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line, 400, refusal(std::string(line) + "\r\nHost: h\r\n\r\n"));
    }

    void versions() {
        const auto old = accepted("GET / HTTP/1.0\r\n\r\n");
        CPPUNIT_ASSERT(old.http10);
        CPPUNIT_ASSERT(!old.keepAlive);
        CPPUNIT_ASSERT_EQUAL(505, refusal("PRI * HTTP/2.0\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(505, refusal("GET / HTTP/0.9\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / http/1.1\r\n\r\n"));
    }

    void hostIsNeededOnce() {
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1.1\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Host: b\r\n")));
    }

    void lengths() {
        const auto counted = accepted(request("Content-Length: 18446744073709551615\r\n"));
        CPPUNIT_ASSERT(counted.framing == Framing::length);
        CPPUNIT_ASSERT_EQUAL(UINT64_MAX, counted.length);
        CPPUNIT_ASSERT(accepted(request("Content-Length: 0\r\n")).framing == Framing::none);
        for (const char* value : {"", "-1", "+1", "1 2", "1,1", "0x1", "1.0", "18446744073709551616", "abc"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value, 400,
                                         refusal(request("Content-Length: " + std::string(value) + "\r\n")));
    }

    void ambiguousLengthsAreRefused() {
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Content-Length: 3\r\nContent-Length: 4\r\n")));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Content-Length: 3\r\nContent-Length: 3\r\n")));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n")));
        CPPUNIT_ASSERT_EQUAL(
            400, refusal(request("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")));
    }

    void transferEncodings() {
        CPPUNIT_ASSERT(accepted(request("Transfer-Encoding: Chunked\r\n")).framing == Framing::chunked);
        for (const char* value : {"gzip", "gzip, chunked", "chunked, chunked", "identity", "", "\vchunked"}) {
            const int status = refusal(request("Transfer-Encoding: " + std::string(value) + "\r\n"));
            CPPUNIT_ASSERT_MESSAGE(value, status == 501 || status == 400);
        }
        CPPUNIT_ASSERT_EQUAL(400, refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"));
    }

    void connectionOptions() {
        CPPUNIT_ASSERT(!accepted(request("Connection: foo, Close\r\n")).keepAlive);
        CPPUNIT_ASSERT(accepted(request("Connection: closed\r\n")).keepAlive);
        CPPUNIT_ASSERT(accepted("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keepAlive);
        CPPUNIT_ASSERT(
            !accepted("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n").keepAlive);
    }

    void expectations() {
        CPPUNIT_ASSERT(accepted(request("Expect: 100-Continue\r\n")).expectsContinue);
        CPPUNIT_ASSERT_EQUAL(417, refusal(request("Expect: fast\r\n")));
        CPPUNIT_ASSERT(!accepted("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectsContinue);
    }

    void lineEndsAreStrict() {
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1.1\nHost: h\n\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(400, refusal("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"));
    }

    void fieldsAreStrict() {
        for (const char* field : {"Na me: v", "Name : v", " Name: v", "\tName: v", ": v", "Name", "N\xc3: v"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(field, 400, refusal(request(std::string(field) + "\r\n")));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request(std::string("Name: a\0b\r\n", 11))));
        CPPUNIT_ASSERT_EQUAL(400, refusal(request("Name: a\x1b[1m\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("\xc3\xa4"), *accepted(request("Name: \xc3\xa4\r\n")).find("name"));
    }

    void limitsHold() {
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
        CPPUNIT_ASSERT(std::holds_alternative<ParsedHead>(parse(request("A: 1\r\nB: 1\r\n"), limits)));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RequestHeadTest);

}  // namespace sallyport::tests
