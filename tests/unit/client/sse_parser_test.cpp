#include "host/client/sse_parser.h"

#include <stdexcept>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::client {

class SseParserTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SseParserTest);
    CPPUNIT_TEST(testReadsAnEvent);
    CPPUNIT_TEST(testReadsTheSameHoweverItIsCut);
    CPPUNIT_TEST(testTakesEveryLineEnding);
    CPPUNIT_TEST(testJoinsDataLines);
    CPPUNIT_TEST(testIgnoresCommentsAndUnknownFields);
    CPPUNIT_TEST(testSkipsAByteOrderMarkAtTheStartOnly);
    CPPUNIT_TEST(testDropsEventsWithoutData);
    CPPUNIT_TEST(testDropsAnUnfinishedEvent);
    CPPUNIT_TEST(testTakesAFieldWithoutColonAsEmpty);
    CPPUNIT_TEST(testRemovesOneSpaceOnly);
    CPPUNIT_TEST(testIgnoresAnIdWithNul);
    CPPUNIT_TEST(testGivesEachEventItsOwnIdOnly);
    CPPUNIT_TEST_SUITE_END();

    /// `id|type|data` of each event; `-` for an id that is absent.
    static std::vector<std::string> read(SseParser& parser) {
        std::vector<std::string> events;
        while (const auto event = parser.next()) {
            events.push_back(event->id.value_or("-") + "|" + event->type + "|" + event->data);
        }
        return events;
    }

    static std::vector<std::string> parse(const std::string& text) {
        SseParser parser;
        parser.feed(text);
        return read(parser);
    }

    static void check(const std::vector<std::string>& expected, const std::string& text) {
        CPPUNIT_ASSERT(expected == parse(text));
    }

    void testReadsAnEvent() { check({"7|job_message|{}"}, "id: 7\nevent: job_message\ndata: {}\n\n"); }

    void testReadsTheSameHoweverItIsCut() {
        const std::string text =
            "\xEF\xBB\xBF: hello\r\nid: 1\r\nevent: a\r\ndata: x\r\ndata: y\r\n\r\nid: 2\rdata: "
            "z\r\rdata:w\n\n";
        const std::vector<std::string> expected{"1|a|x\ny", "2|message|z", "-|message|w"};
        for (std::size_t size = 1; size <= text.size(); ++size) {
            SseParser parser;
            for (std::size_t at = 0; at < text.size(); at += size) {
                parser.feed(std::string_view(text).substr(at, size));
            }
            CPPUNIT_ASSERT_MESSAGE(std::to_string(size), expected == read(parser));
        }
    }

    void testTakesEveryLineEnding() {
        check({"-|message|a", "-|message|b", "-|message|c"}, "data: a\n\ndata: b\r\n\r\ndata: c\r\r");
        check({"-|message|a"}, "data: a\r\n\n");
    }

    void testJoinsDataLines() {
        check({"-|message|a\n\nb"}, "data: a\ndata\ndata: b\n\n");
        check({"-|message|\n"}, "data\ndata\n\n");
    }

    void testIgnoresCommentsAndUnknownFields() {
        check({"-|message|a"}, ": beat\n\n:\nretry: 10\nfoo: bar\ndata: a\n:data: b\n\n");
    }

    void testSkipsAByteOrderMarkAtTheStartOnly() {
        check({"-|message|a"},
              "\xEF\xBB\xBF"
              "data: a\n\n");
        check({"-|message|b"},
              "\n\xEF\xBB\xBF"
              "data: a\n\ndata: b\n\n");
        check({}, "\xEF\xBB");
    }

    void testDropsEventsWithoutData() { check({"-|message|a"}, "id: 1\nevent: x\n\ndata: a\n\n"); }

    void testDropsAnUnfinishedEvent() { check({"1|message|a"}, "id: 1\ndata: a\n\nid: 2\ndata: b\n"); }

    void testTakesAFieldWithoutColonAsEmpty() { check({"|message|a"}, "id\nevent\ndata: a\n\n"); }

    void testRemovesOneSpaceOnly() { check({"-|message|  a: b"}, "data:   a: b\n\n"); }

    void testIgnoresAnIdWithNul() { check({"3|message|a"}, std::string("id: 3\nid: 4\0x\ndata: a\n\n", 23)); }

    void testGivesEachEventItsOwnIdOnly() {
        check({"5|message|a", "-|job_state|b"}, "id: 5\ndata: a\n\nevent: job_state\ndata: b\n\n");
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SseParserTest);

}  // namespace sallyport::host::client
