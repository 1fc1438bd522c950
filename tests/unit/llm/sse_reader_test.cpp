#include "plugins/llm/sse_reader.h"

#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

/// Each block as event/data, or - for one that is no event, and all raw bytes together.
struct Seen {
    std::string blocks;
    std::string raw;
};

Seen read(std::string_view stream, std::size_t size) {
    Seen seen;
    SseReader reader(1000);
    for (; !stream.empty(); stream.remove_prefix(std::min(size, stream.size()))) {
        reader.feed(stream.substr(0, size), [&](const SseBlock& block) {
            seen.blocks +=
                block.dispatched
                    ? std::string(block.event) + '/' + std::string(block.data) + ';'
                    : std::string(block.raw.find_first_not_of("\r\n") != std::string_view::npos ? "-;" : "");
            seen.raw += block.raw;
        });
    }
    return seen;
}

class SseReaderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SseReaderTest);
    CPPUNIT_TEST(testBlocks);
    CPPUNIT_TEST(testHowAStreamIsCutMakesNoDifference);
    CPPUNIT_TEST(testAtOnce);
    CPPUNIT_TEST(testUnfinished);
    CPPUNIT_TEST(testTooLarge);
    CPPUNIT_TEST_SUITE_END();

    static void testBlocks() {
        const std::vector<std::pair<std::string, std::string>> cases = {
            {"data: a\n\n", "/a;"},
            {"event: x\ndata: a\n\ndata: b\n\n", "x/a;/b;"},
            {"data:a\r\n\r\ndata:  b\r\n\r\n", "/a;/ b;"},
            {"data: a\r\rdata: b\r\r", "/a;/b;"},
            {"data: a\ndata\ndata: c\n\n", "/a\n\nc;"},
            {"data\n\n", "/;"},
            {": ping\n\ndata: a\n\n", "-;/a;"},
            {"event: x\n\n", "-;"},
            {"id: 1\nretry: 5\nnonsense\ndata: a\n\n", "/a;"},
            {"\xEF\xBB\xBF"
             "data: a\n\n",
             "/a;"},
            {"\n\n\ndata: a\n\n\n", "/a;"},
            {"data: a: b\n\n", "/a: b;"},
        };
        for (const auto& [stream, expected] : cases) {
            CPPUNIT_ASSERT_EQUAL(expected, read(stream, stream.size()).blocks);
        }
    }

    static void testHowAStreamIsCutMakesNoDifference() {
        const std::string stream =
            "event: x\r\ndata: a\r\ndata: b\r\n\r\n: c\n\ndata: d\r\revent: y\rdata: e\r\rdata: f\n\n";
        for (std::size_t size = 1; size <= stream.size(); ++size) {
            const Seen seen = read(stream, size);
            CPPUNIT_ASSERT_EQUAL(std::string("x/a\nb;-;/d;y/e;/f;"), seen.blocks);
            CPPUNIT_ASSERT_EQUAL(stream, seen.raw);
        }
    }

    // The last byte of a blank line is enough.
    static void testAtOnce() {
        for (const char* stream : {"data: a\n\n", "data: a\r\n\r", "data: a\r\r"}) {
            CPPUNIT_ASSERT_EQUAL(std::string("/a;"), read(stream, 1).blocks);
        }
    }

    static void testUnfinished() {
        SseReader reader(1000);
        int blocks = 0;
        const auto count = [&](const SseBlock&) { ++blocks; };
        reader.feed("data: a\n", count);
        CPPUNIT_ASSERT(reader.midBlock());
        reader.feed("\n", count);
        CPPUNIT_ASSERT(!reader.midBlock());
        CPPUNIT_ASSERT_EQUAL(1, blocks);
    }

    static void testTooLarge() {
        SseReader reader(10);
        const auto ignore = [](const SseBlock&) {};
        reader.feed("data: 1\n\ndata: 2\n\n", ignore);
        reader.feed("data: 3456", ignore);
        CPPUNIT_ASSERT_THROW(reader.feed("7", ignore), SseTooLarge);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SseReaderTest);

}  // namespace
}  // namespace sallyport::plugins::llm
