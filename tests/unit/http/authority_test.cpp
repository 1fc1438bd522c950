#include "host/http/authority.h"

#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;

class AuthorityTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuthorityTest);
    CPPUNIT_TEST(testNamesAndAddresses);
    CPPUNIT_TEST(testPortsAndDefaults);
    CPPUNIT_TEST(testWhatCouldMeanTwoThingsIsRefused);
    CPPUNIT_TEST_SUITE_END();

    /// Written out again.
    static std::string read(const std::string& text) {
        const auto target = parseAuthority(text, std::nullopt);
        CPPUNIT_ASSERT_MESSAGE(text, target.has_value());
        return (target->address ? "address " : "name ") + target->authority();
    }

public:
    static void testNamesAndAddresses() {
        CPPUNIT_ASSERT_EQUAL(std::string("name a-b_c.example:443"), read("A-b_C.Example:443"));
        CPPUNIT_ASSERT_EQUAL(std::string("name example:1"), read("example.:1"));
        CPPUNIT_ASSERT_EQUAL(std::string("name 1.2.3.4.example:1"), read("1.2.3.4.example:1"));
        CPPUNIT_ASSERT_EQUAL(std::string("address 10.0.0.1:8080"), read("10.0.0.1:8080"));
        CPPUNIT_ASSERT_EQUAL(std::string("address [::1]:80"), read("[0:0:0::0001]:80"));
        CPPUNIT_ASSERT_EQUAL(std::string("address [2001:db8::a]:80"), read("[2001:DB8::A]:80"));
        CPPUNIT_ASSERT_EQUAL(std::string("address [::ffff:127.0.0.1]:80"), read("[::ffff:7f00:1]:80"));
    }

    static void testPortsAndDefaults() {
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{65535}, parseAuthority("h:65535", std::nullopt)->port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{80}, parseAuthority("h", httpPort)->port);
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{80}, parseAuthority("[::]", httpPort)->port);
        CPPUNIT_ASSERT(!parseAuthority("h", std::nullopt));
        CPPUNIT_ASSERT_EQUAL(std::string("h"), hostField(*parseAuthority("h:80", std::nullopt)));
        CPPUNIT_ASSERT_EQUAL(std::string("h:81"), hostField(*parseAuthority("h:81", std::nullopt)));
        CPPUNIT_ASSERT_EQUAL(std::string("[::]"), hostField(*parseAuthority("[::]", httpPort)));
    }

    static void testWhatCouldMeanTwoThingsIsRefused() {
        for (const std::string text : {"",
                                       ":",
                                       ":1",
                                       "h:",
                                       "h:0",
                                       "h:00",
                                       "h:080",
                                       "h:65536",
                                       "h:99999999999",
                                       "h:+1",
                                       "h:-1",
                                       "h: 1",
                                       "h:1 ",
                                       "h:1:1",
                                       "u@h:1",
                                       "u:p@h:1",
                                       "h%2e:1",
                                       "h h:1",
                                       "h/:1",
                                       "h?:1",
                                       "h#:1",
                                       "h\\:1",
                                       "h..x:1",
                                       ".h:1",
                                       "..:1",
                                       ".:1",
                                       "\xc3\xa4:1",
                                       "127.1:1",
                                       "1:1",
                                       "127.0.0.1.:1",
                                       "256.0.0.1:1",
                                       "1.2.3.4.5:1",
                                       "0x7f.1:1",
                                       "x.0x1:1",
                                       "x.1:1",
                                       "01.2.3.4:1",
                                       "[]:1",
                                       "[::1:1",
                                       "::1:1",
                                       "[::1]1",
                                       "[::1]:",
                                       "[::1%lo]:1",
                                       "[::1%25lo]:1",
                                       "[v1.x]:1",
                                       "[1.2.3.4]:1",
                                       "[:::]:1",
                                       "[::1]]:1",
                                       "[::g]:1"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !parseAuthority(text, httpPort));
        }
        CPPUNIT_ASSERT(!parseAuthority(std::string(64, 'a') + ":1", std::nullopt));
        std::string longName;
        for (int i = 0; i < 127; ++i) {
            longName += "a.";
        }
        CPPUNIT_ASSERT(!parseAuthority(longName + "a:1", std::nullopt));
        CPPUNIT_ASSERT(!parseAuthority(std::string("h\0:1", 4), std::nullopt));
        CPPUNIT_ASSERT(!parseAuthority(std::string("[::1\0]:1", 8), std::nullopt));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuthorityTest);

}  // namespace sallyport::tests
