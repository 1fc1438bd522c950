#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/http_token.h>

namespace sallyport {
namespace {

class HttpTokenTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HttpTokenTest);
    CPPUNIT_TEST(testCharacters);
    CPPUNIT_TEST(testTokens);
    CPPUNIT_TEST_SUITE_END();

    void testCharacters() {
        // What RFC 9110 section 5.6.2 leaves out of visible ASCII: the delimiters.
        constexpr std::string_view delimiters = "\"(),/:;<=>?@[\\]{}";
        for (int code = 0; code < 256; ++code) {
            const char c = static_cast<char>(code);
            const bool expected = code > 0x20 && code < 0x7f && delimiters.find(c) == std::string_view::npos;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(code), expected, isHttpTokenCharacter(c));
        }
    }

    void testTokens() {
        static_assert(isHttpToken("x-api-key") && isHttpToken("M-SEARCH") && isHttpToken("!"));
        static_assert(!isHttpToken("") && !isHttpToken("a b") && !isHttpToken("a:") &&
                      !isHttpToken("\xc3\x84"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HttpTokenTest);

}  // namespace
}  // namespace sallyport
