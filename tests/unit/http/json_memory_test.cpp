#include "host/http/json_memory.h"

#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using host::http::JsonMemory;

class JsonMemoryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JsonMemoryTest);
    CPPUNIT_TEST(testTextNeedsNothingMore);
    CPPUNIT_TEST(testEachValueCounts);
    CPPUNIT_TEST(testWhatIsInStringsDoesNot);
    CPPUNIT_TEST(testNoMoreThanTheLimitLetsPass);
    CPPUNIT_TEST(testPiecesCountAsTheWhole);
    CPPUNIT_TEST_SUITE_END();

    static std::string repeated(std::string_view unit, std::size_t times) {
        std::string text;
        for (; times > 0; --times) {
            text += unit;
        }
        return text;
    }

    static std::size_t needed(std::string_view text, const json::Limits& limits = {}) {
        JsonMemory memory(limits);
        memory.add(text);
        return memory.bytes();
    }

public:
    void testTextNeedsNothingMore() {
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, needed(""));
        CPPUNIT_ASSERT_EQUAL(
            std::size_t{0},
            needed(R"({"event_type":"message","data":{"content":")" +
                   repeated("A sentence, as people and models write them one after another. ", 1000) +
                   "\"}}"));
    }

    void testEachValueCounts() {
        CPPUNIT_ASSERT_EQUAL(std::size_t{56} * 1001, needed("[0" + repeated(",0", 1000) + "]"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{56} * 1001, needed("{\"\":0" + repeated(",\"\":0", 1000) + "}"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{56} * 2002, needed("[[]" + repeated(",[]", 999) + ",{}]"));
    }

    void testWhatIsInStringsDoesNot() {
        // A table, as tools print them.
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, needed(R"({"data":")" + repeated("1,2,3\\n", 10'000) + "\"}"));
        const std::string values = repeated(",0", 1000);
        CPPUNIT_ASSERT_EQUAL(std::size_t{56} * 1001, needed(R"(["\",[{,\\")" + values + "]"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, needed(R"(["\\\")" + values + R"("])"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{56} * 1001, needed(R"(["\\\\")" + values + "]"));
    }

    void testNoMoreThanTheLimitLetsPass() {
        CPPUNIT_ASSERT_EQUAL(std::size_t{56} * 100,
                             needed("[0" + repeated(",0", 1000) + "]", {.values = 100}));
    }

    void testPiecesCountAsTheWhole() {
        const std::string text = "[0" + repeated(R"(,[{"a\\\"":1},""])", 1000) + "]";
        CPPUNIT_ASSERT(needed(text) > 0);
        for (std::size_t size = 1; size < 40; ++size) {
            JsonMemory memory;
            for (std::size_t at = 0; at < text.size(); at += size) {
                memory.add(std::string_view(text).substr(at, size));
            }
            CPPUNIT_ASSERT_EQUAL(needed(text), memory.bytes());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JsonMemoryTest);

}  // namespace sallyport::tests
