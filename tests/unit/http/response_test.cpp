#include "host/http/response.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;

class ResponseTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ResponseTest);
    CPPUNIT_TEST(testWholeAnswer);
    CPPUNIT_TEST(testBodylessStatusHasNoLength);
    CPPUNIT_TEST(testFramings);
    CPPUNIT_TEST(testHeadersCannotBreakTheFraming);
    CPPUNIT_TEST(testChunkSizes);
    CPPUNIT_TEST_SUITE_END();

    static ResponseHead head(int status) {
        ResponseHead made;
        made.status = status;
        made.requestId = "id";
        made.dateHeader = "Date: now\r\n";
        return made;
    }

    static std::string text(const ResponseHead& made) {
        std::string out;
        appendHead(out, made);
        return out;
    }

    static bool contains(const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    }

public:
    void testWholeAnswer() {
        auto made = head(404);
        made.contentType = "application/json";
        made.length = 12;
        CPPUNIT_ASSERT_EQUAL(std::string("HTTP/1.1 404 Not Found\r\nDate: now\r\nX-Request-Id: id\r\n"
                                         "Cache-Control: no-store\r\nContent-Type: application/json\r\n"
                                         "X-Content-Type-Options: nosniff\r\nContent-Length: 12\r\n\r\n"),
                             text(made));
    }

    void testBodylessStatusHasNoLength() {
        CPPUNIT_ASSERT(!contains(text(head(204)), "Content-Length"));
        CPPUNIT_ASSERT(!contains(text(head(304)), "Content-Length"));
        CPPUNIT_ASSERT(contains(text(head(200)), "Content-Length: 0\r\n"));
    }

    void testFramings() {
        auto made = head(200);
        made.framing = ResponseFraming::chunked;
        CPPUNIT_ASSERT(contains(text(made), "Transfer-Encoding: chunked\r\n"));
        CPPUNIT_ASSERT(!contains(text(made), "Content-Length"));
        made.framing = ResponseFraming::untilClose;
        made.close = true;
        CPPUNIT_ASSERT(!contains(text(made), "Transfer-Encoding"));
        CPPUNIT_ASSERT(contains(text(made), "Connection: close\r\n"));
        made.close = false;
        made.http10 = true;
        CPPUNIT_ASSERT(contains(text(made), "Connection: keep-alive\r\n"));
    }

    void testHeadersCannotBreakTheFraming() {
        const Reply::Headers headers{
            {"X-Ok", "1"},          {"content-LENGTH", "5"}, {"Transfer-Encoding", "chunked"},
            {"X-Bad", "a\r\nB: c"}, {"X\nY", "z"},           {"", "z"},
            {"Connection", "close"}};
        auto made = head(200);
        made.headers = &headers;
        const auto written = text(made);
        CPPUNIT_ASSERT(contains(written, "X-Ok: 1\r\n"));
        for (const char* part :
             {"LENGTH", "Transfer-Encoding", "X-Bad", "B: c", "Y: z", "Connection", "\r\n: "}) {
            CPPUNIT_ASSERT_MESSAGE(part, !contains(written, part));
        }
    }

    void testChunkSizes() {
        std::string out;
        appendChunkSize(out, 26);
        CPPUNIT_ASSERT_EQUAL(std::string("1a\r\n"), out);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ResponseTest);

}  // namespace sallyport::tests
