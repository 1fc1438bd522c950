#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/ascii.h>

namespace sallyport {
namespace {

class AsciiTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AsciiTest);
    CPPUNIT_TEST(testLetters);
    CPPUNIT_TEST(testTexts);
    CPPUNIT_TEST(testComparison);
    CPPUNIT_TEST_SUITE_END();

    void testLetters() {
        // '@' and '[' stand beside the capitals.
        for (const auto& [given, expected] : {std::pair{'A', 'a'},
                                              {'Z', 'z'},
                                              {'m', 'm'},
                                              {'@', '@'},
                                              {'[', '['},
                                              {'0', '0'},
                                              {'\xc4', '\xc4'}}) {
            CPPUNIT_ASSERT_EQUAL(expected, ascii::lower(given));
        }
    }

    void testTexts() {
        CPPUNIT_ASSERT_EQUAL(std::string("content-type: \xc3\x84"), ascii::lowered("Content-TYPE: \xc3\x84"));
        CPPUNIT_ASSERT_EQUAL(std::string(), ascii::lowered(""));
    }

    void testComparison() {
        static_assert(ascii::equalsIgnoringCase("Bearer", "bEARER"));
        static_assert(!ascii::equalsIgnoringCase("bearer", "bearers"));
        static_assert(!ascii::equalsIgnoringCase("bearers", "bearer"));
        static_assert(!ascii::equalsIgnoringCase("@", "`"));
        CPPUNIT_ASSERT(ascii::equalsIgnoringCase("", ""));
        CPPUNIT_ASSERT(!ascii::equalsIgnoringCase("\xc3\x84", "\xc3\xa4"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AsciiTest);

}  // namespace
}  // namespace sallyport
