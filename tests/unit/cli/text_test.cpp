#include "host/cli/text.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::cli {

namespace {

// Byte by byte, so that no reader of this file is misled by them.
const std::string rightToLeft{'\xE2', '\x80', '\xAE'};  // U+202E
const std::string isolate{'\xE2', '\x81', '\xA6'};      // U+2066

}  // namespace

class TextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TextTest);
    CPPUNIT_TEST(testLeavesOrdinaryTextAlone);
    CPPUNIT_TEST(testEscapesWhatATerminalObeys);
    CPPUNIT_TEST(testEscapesWhatHidesOrReorders);
    CPPUNIT_TEST(testEscapesBytesThatAreNoUtf8);
    CPPUNIT_TEST(testEscapesOnce);
    CPPUNIT_TEST(testKeepsJsonTheSameDocument);
    CPPUNIT_TEST(testMeasuresColumns);
    CPPUNIT_TEST(testCutsToColumns);
    CPPUNIT_TEST(testKnowsUtf8);
    CPPUNIT_TEST_SUITE_END();

    void testLeavesOrdinaryTextAlone() {
        for (const char* text : {"", "plain ~", "Grüße", "日本語", "👩‍💻", "C:\\dir"}) {
            CPPUNIT_ASSERT_EQUAL(std::string(text), escaped(text));
        }
    }

    void testEscapesWhatATerminalObeys() {
        CPPUNIT_ASSERT_EQUAL(std::string("\\x1b[2J\\x07\\x7f"), escaped("\x1b[2J\x07\x7f"));
        CPPUNIT_ASSERT_EQUAL(std::string("a\\nb\\r\\tc"), escaped("a\nb\r\tc"));
        CPPUNIT_ASSERT_EQUAL(std::string("\\x00"), escaped(std::string(1, '\0')));
        CPPUNIT_ASSERT_EQUAL(std::string("\\u{9b}31m"), escaped("\xC2\x9B"
                                                                "31m"));
    }

    void testEscapesWhatHidesOrReorders() {
        CPPUNIT_ASSERT_EQUAL(std::string("\\u{202e}gpj.exe"), escaped(rightToLeft + "gpj.exe"));
        CPPUNIT_ASSERT_EQUAL(std::string("\\u{2066}\\u{2028}\\u{feff}"), escaped(isolate + "\u2028\uFEFF"));
        CPPUNIT_ASSERT_EQUAL(std::string("\\u{e0041}"), escaped("\U000E0041"));
    }

    void testEscapesBytesThatAreNoUtf8() {
        CPPUNIT_ASSERT_EQUAL(std::string("\\xff!"), escaped("\xFF!"));
        CPPUNIT_ASSERT_EQUAL(std::string("\\xe6\\x97"), escaped("\xE6\x97"));           // cut short
        CPPUNIT_ASSERT_EQUAL(std::string("\\xc0\\x9b"), escaped("\xC0\x9B"));           // overlong
        CPPUNIT_ASSERT_EQUAL(std::string("\\xe0\\x82\\x9b"), escaped("\xE0\x82\x9B"));  // overlong
        CPPUNIT_ASSERT_EQUAL(std::string("\\xed\\xa0\\x80"), escaped("\xED\xA0\x80"));  // half a surrogate
        CPPUNIT_ASSERT_EQUAL(std::string("\\xf4\\x90\\x80\\x80"), escaped("\xF4\x90\x80\x80"));
    }

    void testEscapesOnce() {
        const std::string once = escaped("\x1b[0m\n\xFF" + rightToLeft);
        CPPUNIT_ASSERT_EQUAL(once, escaped(once));
    }

    void testKeepsJsonTheSameDocument() {
        CPPUNIT_ASSERT_EQUAL(std::string("{\n\"a\": \"\\u009b\\u202e\\udb40\\udc41\\u007fé\"}"),
                             escapedJson("{\n\"a\": \"\u009B" + rightToLeft + "\U000E0041\x7Fé\"}"));
    }

    void testMeasuresColumns() {
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, displayWidth(""));
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, displayWidth("Grüße"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{6}, displayWidth("日本語"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, displayWidth("e\u0301"));
    }

    void testCutsToColumns() {
        CPPUNIT_ASSERT_EQUAL(std::string("abcde"), fitted("abcde", 5));
        CPPUNIT_ASSERT_EQUAL(std::string("abc…"), fitted("abcde", 4));
        CPPUNIT_ASSERT_EQUAL(std::string("…"), fitted("abcde", 1));
        CPPUNIT_ASSERT_EQUAL(std::string(), fitted("abcde", 0));
        CPPUNIT_ASSERT_EQUAL(std::string("日本語"), fitted("日本語", 6));
        CPPUNIT_ASSERT_EQUAL(std::string("日本…"), fitted("日本語", 5));
        CPPUNIT_ASSERT_EQUAL(std::string("日…"), fitted("日本語", 4));
        CPPUNIT_ASSERT_EQUAL(std::string("e\u0301…"), fitted("e\u0301xyz", 2));
    }

    void testKnowsUtf8() {
        CPPUNIT_ASSERT(isUtf8("Grüße 👩‍💻\n"));
        CPPUNIT_ASSERT(!isUtf8("Gr\xFC\xDF"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TextTest);

}  // namespace sallyport::host::cli
