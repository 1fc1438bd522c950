#include "plugins/llm/upstream/response_reader.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

constexpr std::size_t greatestHead = 64 * 1024;

/// Keeps what it hears in one line: `200 name=value,[body]`.
class Heard final : public ResponseSink {
public:
    std::string line;
    std::size_t pieces = 0;
    std::size_t wanted = std::size_t(-1);  ///< pieces; then it stops wanting

    void onResponseHead(UpstreamHead head) override {
        line += std::to_string(head.status) + " ";
        for (const auto& [name, value] : head.headers) {
            line.append(name).append("=").append(value).append(",");
        }
        line += "[";
    }
    void onContent(std::string_view piece) override {
        ++pieces;
        line += piece;
    }
    [[nodiscard]] bool wantsMore() const override { return pieces < wanted; }
};

/// A reader that is given input as it comes, and the rest again with more behind it.
struct Reading {
    Heard heard;
    ResponseReader reader;
    std::string input;

    explicit Reading(ResponseReader::Expect expect = ResponseReader::Expect::content)
        : reader(heard, expect) {}

    void feed(std::string_view piece) {
        input += piece;
        input.erase(0, reader.feed(input));
    }
    /// What was heard and how it ended; for what is broken, only that.
    [[nodiscard]] std::string outcome() const {
        if (!reader.problem().empty()) {
            return "broken";
        }
        const std::string end = !reader.complete() ? "..." : reader.keepsConnection() ? "] kept" : "] closed";
        return heard.line + end + (input.empty() ? "" : " +" + input);
    }
};

struct Case {
    std::string answer;
    std::string outcome;
};

/// Feeds an answer in pieces that end at these places and at its end.
std::string read(std::string_view answer, const std::vector<std::size_t>& cuts, bool ends,
                 ResponseReader::Expect expect) {
    Reading reading(expect);
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
        reading.feed(answer.substr(begin, cut - begin));
        begin = cut;
    }
    reading.feed(answer.substr(begin));
    if (ends) {
        reading.reader.end();
    }
    return reading.outcome();
}

/// However an answer is cut into pieces, it has to read the same.
void expectOutcome(const Case& expected, bool ends = false,
                   ResponseReader::Expect expect = ResponseReader::Expect::content) {
    const std::string& answer = expected.answer;
    CPPUNIT_ASSERT_EQUAL_MESSAGE(answer, expected.outcome, read(answer, {}, ends, expect));
    std::vector<std::size_t> everywhere;
    for (std::size_t cut = 1; cut < answer.size(); ++cut) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE("cut at " + std::to_string(cut) + ": " + answer, expected.outcome,
                                     read(answer, {cut}, ends, expect));
        everywhere.push_back(cut);
    }
    CPPUNIT_ASSERT_EQUAL_MESSAGE("byte by byte: " + answer, expected.outcome,
                                 read(answer, everywhere, ends, expect));
}

class ResponseReaderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ResponseReaderTest);
    CPPUNIT_TEST(testLength);
    CPPUNIT_TEST(testChunks);
    CPPUNIT_TEST(testToTheEnd);
    CPPUNIT_TEST(testProvisionalHeads);
    CPPUNIT_TEST(testStatusesWithoutABody);
    CPPUNIT_TEST(testWhetherTheConnectionIsKept);
    CPPUNIT_TEST(testDoubtfulFramingEndsTheConnection);
    CPPUNIT_TEST(testRefusesWhatCanBeReadInTwoWays);
    CPPUNIT_TEST(testRefusesWhatIsNoHttp);
    CPPUNIT_TEST(testOddHeaders);
    CPPUNIT_TEST(testControlCharactersOfTheHeadOnly);
    CPPUNIT_TEST(testHeadOnly);
    CPPUNIT_TEST(testBytesBehind);
    CPPUNIT_TEST(testCutShort);
    CPPUNIT_TEST(testNothingAtAll);
    CPPUNIT_TEST(testEndlessLines);
    CPPUNIT_TEST(testEndlessHeads);
    CPPUNIT_TEST(testLargeHead);
    CPPUNIT_TEST(testSinkThatStopsWanting);
    CPPUNIT_TEST(testSinkThatThrows);
    CPPUNIT_TEST_SUITE_END();

    static void testLength() {
        expectOutcome(
            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 content-length=5,[hello] kept"});
        expectOutcome({"HTTP/1.1 500 \r\ncontent-length:0\r\n\r\n", "500 content-length=0,[] kept"});
        expectOutcome({"HTTP/1.1 299 x y z\r\nX-A: 1\r\nContent-Length: 1\r\nX-A: 2\r\n\r\n\r",
                       "299 x-a=1,content-length=1,x-a=2,[\r] kept"});
        expectOutcome({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "200 content-length=5,[hell..."});
        expectOutcome({"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nhi",
                       "200 content-length=2, 2,content-length=2,[hi] kept"});
    }

    static void testChunks() {
        const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        const std::string heard = "200 transfer-encoding=chunked,[";
        for (const auto& [answer, outcome] : std::vector<Case>{
                 {"0\r\n\r\n", "] kept"},
                 {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world] kept"},
                 {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789] kept"},
                 {"00a\r\n0123456789\r\n000\r\n\r\n", "0123456789] kept"},
                 {"2;a=b;c=\"d;e\"\r\n\r\n\r\n0;f\r\n\r\n", "\r\n] kept"},
                 {"1\r\nx\r\n0\r\nX-Checksum: 1\r\nX-B: 2\r\n\r\n", "x] kept"},
                 {"1\r\nx\r\n0\r\n", "x... +\r\n0\r\n"},
             }) {
            expectOutcome({head + answer, heard + outcome});
        }
        for (const std::string broken :
             {"\r\n", "x\r\n", "-1\r\n", " 1\r\nx\r\n", "0x1\r\nx\r\n", "1\r\nxy\r\n0\r\n\r\n",
              "1\r\nx0\r\n\r\n\r\n\r\n", "10000000000000000\r\nx\r\n", "1 2\r\nx\r\n0\r\n\r\n",
              "1\r\nx\r\n0\r\nno name\r\n\r\n"}) {
            expectOutcome({head + broken, "broken"}, true);
        }
    }

    static void testToTheEnd() {
        const Case unbounded{"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nhello", "200 x-a=1,[hello] closed"};
        expectOutcome(unbounded, true);
        expectOutcome({unbounded.answer, "200 x-a=1,[hello..."});
        expectOutcome({"HTTP/1.0 200 OK\r\n\r\nhello", "200 [hello] closed"}, true);
        expectOutcome({"HTTP/1.1 200 OK\r\n\r\n", "200 [] closed"}, true);
        // What has its own end is over before.
        expectOutcome({"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 content-length=1,[x] kept"},
                      true);
    }

    static void testProvisionalHeads() {
        const std::string final = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        const std::string heard = "200 content-length=1,[x] kept";
        expectOutcome({"HTTP/1.1 100 Continue\r\n\r\n" + final, heard});
        expectOutcome(
            {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 7\r\n\r\nHTTP/1.1 102 \r\n\r\n" +
                 final,
             heard});
        expectOutcome({"HTTP/1.1 100 Continue\r\n\r\n", "..."});
        expectOutcome({"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "broken"});
    }

    static void testStatusesWithoutABody() {
        for (const std::string status : {"204", "304"}) {
            expectOutcome({"HTTP/1.1 " + status + " X\r\nX-A: 1\r\n\r\n", status + " x-a=1,[] kept"});
            expectOutcome({"HTTP/1.1 " + status + " X\r\nContent-Length: 5\r\n\r\n",
                           status + " content-length=5,[] closed"});
        }
    }

    static void testWhetherTheConnectionIsKept() {
        for (const auto& [start, end] : std::vector<Case>{
                 {"HTTP/1.1 200 OK\r\nConnection: close\r\n", "closed"},
                 {"HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\n", "closed"},
                 {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n", "closed"},
                 {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n", "kept"},
                 {"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\n", "kept"},
                 {"HTTP/1.0 200 OK\r\n", "closed"},
                 {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", "kept"},
             }) {
            Reading reading;
            reading.feed(start + "Content-Length: 1\r\n\r\nx");
            CPPUNIT_ASSERT_MESSAGE(start, reading.reader.complete());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(start, end == "kept", reading.reader.keepsConnection());
        }
    }

    static void testDoubtfulFramingEndsTheConnection() {
        // Somebody on the way may see the answer's end elsewhere.
        expectOutcome(
            {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             "200 connection=keep-alive,transfer-encoding=chunked,[] closed"});
        expectOutcome({"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
                       "204 transfer-encoding=chunked,[] closed"});
    }

    static void testRefusesWhatCanBeReadInTwoWays() {
        for (const std::string headers : {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                                          "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
                                          "Content-Length: 1\r\nContent-Length: 2\r\n",
                                          "Content-Length: 1, 2\r\n",
                                          "Content-Length: -1\r\n",
                                          "Content-Length: +1\r\n",
                                          "Content-Length: 1x\r\n",
                                          "Content-Length: \r\n",
                                          "Content-Length: 0x1\r\n",
                                          "Content-Length: 18446744073709551616\r\n",
                                          "Transfer-Encoding: gzip\r\n",
                                          "Transfer-Encoding: gzip, chunked\r\n",
                                          "Transfer-Encoding: chunked, chunked\r\n",
                                          "Transfer-Encoding: identity\r\n",
                                          "Transfer-Encoding: chunked;q=1\r\n",
                                          "Transfer-Encoding: \r\n",
                                          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                                          "Content-Length : 1\r\n",
                                          " Content-Length: 1\r\n",
                                          "Content-Length: 1\n",
                                          "Content-Length: 1\r",
                                          "X-A: 1\nContent-Length: 1\r\n"}) {
            expectOutcome({"HTTP/1.1 200 OK\r\n" + headers + "\r\nx\r\n\r\n", "broken"}, true);
        }
    }

    static void testRefusesWhatIsNoHttp() {
        for (const std::string start :
             {"220 mail.example.com ESMTP", "HTTP/2 200", "HTTP/2.0 200 OK", "HTTP/1.2 200 OK",
              "HTTP/0.9 200 OK", "http/1.1 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 abc OK",
              "HTTP/1.1 -20 OK", "HTTP/1.1 099 OK", "HTTP/1.1 000 OK", "HTTP/1.1  200 OK",
              "\r\nHTTP/1.1 200 OK", "ICY 200 OK"}) {
            expectOutcome({start + "\r\nContent-Length: 1\r\n\r\nx", "broken"}, true);
        }
        expectOutcome({"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "broken"}, true);
        expectOutcome({"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "broken"});
        expectOutcome({"HTTP/1.1 200 OK\r\n: no name\r\n\r\n", "broken"});
        expectOutcome({"HTTP/1.1 200 OK\r\nX A: a blank\r\n\r\n", "broken"});
    }

    static void testOddHeaders() {
        const std::string end = "Content-Length: 0\r\n\r\n";
        const std::string heard = "content-length=0,[] kept";
        for (const auto& [header, seen] : std::vector<Case>{
                 {"X-Folded: a\r\n b\r\n\tc\r\n", "x-folded=a b c,"},
                 {"X-Blanks:  \t a b \t \r\n", "x-blanks=a b,"},
                 {"X-Empty:\r\n", "x-empty=,"},
                 {"X-Latin: \xe4\xff\r\n", "x-latin=\xe4\xff,"},
                 {"!#$%&'*+-.^_`|~09AZ: x\r\n", "!#$%&'*+-.^_`|~09az=x,"},
             }) {
            expectOutcome({"HTTP/1.1 200 OK\r\n" + header + end, "200 " + seen + heard});
        }
    }

    static void testControlCharactersOfTheHeadOnly() {
        const std::string controls("\x01\0\x1f\x7f", 4);
        for (const std::string header : {"", "X-A: 1\r\n"}) {
            const std::string seen = header.empty() ? "" : "x-a=1,";
            expectOutcome(
                {"HTTP/1.1 200 OK\r\n" + header + "\r\n" + controls, "200 " + seen + "[" + controls + "..."});
        }
        expectOutcome({"HTTP/1.1 200 O" + controls + "K\r\nX-A: a" + controls +
                           "b\r\nContent-Length: 4\r\n\r\n" + controls,
                       "200 x-a=a    b,content-length=4,[" + controls + "] kept"});
    }

    static void testHeadOnly() {
        constexpr auto headOnly = ResponseReader::Expect::headOnly;
        expectOutcome({"HTTP/1.1 200 Connection established\r\n\r\n", "200 [] kept"}, false, headOnly);
        expectOutcome(
            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 content-length=5,[] kept +hello"},
            false, headOnly);
        expectOutcome({"HTTP/1.1 100 \r\n\r\nHTTP/1.1 407 No\r\nTransfer-Encoding: chunked\r\n\r\n0",
                       "407 transfer-encoding=chunked,[] kept +0"},
                      false, headOnly);
    }

    static void testBytesBehind() {
        expectOutcome(
            {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz", "200 content-length=1,[x] kept +yz"});
        expectOutcome({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n",
                       "200 transfer-encoding=chunked,[] kept +\r\n"});
    }

    static void testCutShort() {
        for (const std::string answer :
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-A: 1\r\n\r\n",
              "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"}) {
            for (std::size_t size = 0; size < answer.size(); ++size) {
                Reading reading;
                reading.feed(answer.substr(0, size));
                CPPUNIT_ASSERT(!reading.reader.complete());
                CPPUNIT_ASSERT_EQUAL(std::string(), reading.reader.problem());
                reading.reader.end();
                CPPUNIT_ASSERT_MESSAGE(answer.substr(0, size), !reading.reader.complete());
                CPPUNIT_ASSERT_MESSAGE(answer.substr(0, size), !reading.reader.problem().empty());
            }
        }
    }

    static void testNothingAtAll() {
        Reading reading;
        reading.reader.end();
        CPPUNIT_ASSERT_EQUAL(std::string("the connection was closed without an answer"),
                             reading.reader.problem());
    }

    /// Feeds pieces until there is a problem. @return how many bytes that took, no more than about twice the
    /// greatest head
    static std::size_t bytesUntilRefused(const std::string& begin, const std::string& more) {
        Reading reading;
        reading.feed(begin);
        std::size_t size = begin.size();
        while (reading.reader.problem().empty() && size < 2 * greatestHead) {
            reading.feed(more);
            size += more.size();
        }
        CPPUNIT_ASSERT_MESSAGE(begin, !reading.reader.complete());
        return size;
    }

    static void testEndlessLines() {
        const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (const std::string& begin :
             {std::string("HTTP/1.1 200 "), std::string("HTTP/1.1 200 OK\r\n"),
              std::string("HTTP/1.1 200 OK\r\nX-A: "), chunked + "1;", chunked + "0000",
              chunked + "0\r\nX-A: ", chunked + "1\r\nx\r\n1;a=\""}) {
            const std::size_t size = bytesUntilRefused(begin, std::string(1000, '0'));
            CPPUNIT_ASSERT_MESSAGE(begin, size < 2 * greatestHead);
        }
    }

    static void testEndlessHeads() {
        // Line by line and head by head, as it would come from one who has found out how they are read.
        const std::string line = "X-A: " + std::string(100, 'a') + "\r\n";
        for (const std::string& more : {line, line + line + "X", "X-B:" + line}) {
            const std::size_t size = bytesUntilRefused("HTTP/1.1 200 OK\r\n", more);
            CPPUNIT_ASSERT_MESSAGE(more, size < 2 * greatestHead);
        }
        CPPUNIT_ASSERT(bytesUntilRefused("", "HTTP/1.1 100 Continue\r\n\r\n") < 2 * greatestHead);
        CPPUNIT_ASSERT(bytesUntilRefused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", line) <
                       2 * greatestHead);
    }

    static void testLargeHead() {
        std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n";
        for (int i = 0; answer.size() < greatestHead - 200; ++i) {
            answer.append("X-").append(std::to_string(i)).append(": ").append(100, 'a').append("\r\n");
        }
        for (const std::size_t size : {answer.size(), std::size_t{1000}}) {
            Reading reading;
            for (std::string_view rest = answer; !rest.empty();
                 rest.remove_prefix(std::min(size, rest.size()))) {
                reading.feed(rest.substr(0, size));
            }
            reading.feed("\r\nx");
            CPPUNIT_ASSERT_EQUAL(std::string(), reading.reader.problem());
            CPPUNIT_ASSERT(reading.reader.complete());
        }
    }

    static void testSinkThatStopsWanting() {
        Reading reading;
        reading.heard.wanted = 1;
        reading.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("200 transfer-encoding=chunked,[a... +\r\n1\r\nb\r\n0\r\n\r\n"),
                             reading.outcome());
        reading.feed("behind");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, reading.heard.pieces);
        reading.heard.wanted = 2;
        reading.feed("");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, reading.heard.pieces);
        CPPUNIT_ASSERT(!reading.reader.complete());
        reading.heard.wanted = 3;
        reading.feed("");
        CPPUNIT_ASSERT_EQUAL(std::string("200 transfer-encoding=chunked,[ab] kept +behind"),
                             reading.outcome());
    }

    static void testSinkThatThrows() {
        class Throwing final : public ResponseSink {
        public:
            void onResponseHead(UpstreamHead) override { throw std::runtime_error("no"); }
            void onContent(std::string_view) override {}
            [[nodiscard]] bool wantsMore() const override { return true; }
        } sink;
        ResponseReader reader(sink);
        std::string answer = "HTTP/1.1 200 OK\r\n\r\n";
        CPPUNIT_ASSERT_THROW(reader.feed(answer), std::runtime_error);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ResponseReaderTest);

}  // namespace
}  // namespace sallyport::plugins::llm
