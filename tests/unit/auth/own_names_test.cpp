#include "host/auth/own_names.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::auth {

class OwnNamesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OwnNamesTest);
    CPPUNIT_TEST(testTakesAuthoritiesApart);
    CPPUNIT_TEST(testKnowsHostsFromOtherText);
    CPPUNIT_TEST(testAnswersToItsOwnNames);
    CPPUNIT_TEST(testAnswersToNoOther);
    CPPUNIT_TEST(testCookiesAreForNamesOfItsOwnAlone);
    CPPUNIT_TEST_SUITE_END();

    const OwnNames names_{{"Console.Example.org", "192.0.2.7", "localhost", "127.0.0.1", "::1"}};

public:
    static void testTakesAuthoritiesApart() {
        const auto host = [](std::string_view text) { return hostIn(text).value_or("(none)"); };
        CPPUNIT_ASSERT_EQUAL(std::string("a.example"), host("A.example:50052"));
        CPPUNIT_ASSERT_EQUAL(std::string("a.example"), host("a.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("a.example"), host("a.example:"));
        CPPUNIT_ASSERT_EQUAL(std::string("::1"), host("[::1]:50052"));
        CPPUNIT_ASSERT_EQUAL(std::string("::1"), host("[::1]"));
        for (const char* text : {"", ":80", "[::1", "[::1]80", "[a]:80", "::1", "a:b", "a:123456", "a b",
                                 "a/b", "u@a", "a,b", ".a"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string("(none)"), host(text));
        }
    }

    static void testKnowsHostsFromOtherText() {
        for (const char* text : {"a", "a.example", "192.0.2.7", "::1", "2001:db8::7"}) {
            CPPUNIT_ASSERT_MESSAGE(text, isHost(text));
        }
        for (const char* text : {"", "a:80", "[::1]", "http://a", "a b", "*", "*.example"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !isHost(text));
        }
    }

    void testAnswersToItsOwnNames() {
        for (const char* host :
             {"", "localhost", "LOCALHOST:50052", "sallyport.localhost:50052", "127.0.0.1:1", "[::1]:50052",
              "203.0.113.9", "console.example.org", "CONSOLE.example.org:443"}) {
            CPPUNIT_ASSERT_MESSAGE(host, names_.answersTo(host));
        }
    }

    void testAnswersToNoOther() {
        for (const char* host : {"evil.example", "a", "sallyport.localhost.evil.example",
                                 "x.sallyport.localhost", "localhost.", "console.example.org.",
                                 "127.0.0.1.evil.example", "1", "example.org", "sallyport.localhost:x"}) {
            CPPUNIT_ASSERT_MESSAGE(host, !names_.answersTo(host));
        }
    }

    void testCookiesAreForNamesOfItsOwnAlone() {
        for (const char* host :
             {"sallyport.localhost", "Sallyport.localhost:50052", "console.example.org", "192.0.2.7:50052"}) {
            CPPUNIT_ASSERT_MESSAGE(host, names_.takesCookies(host));
        }
        // Even those that were given are anybody's on this machine.
        for (const char* host : {"", "localhost", "localhost:50052", "127.0.0.1:50052", "[::1]", "127.0.0.2",
                                 "[::ffff:127.0.0.1]", "203.0.113.9", "evil.example"}) {
            CPPUNIT_ASSERT_MESSAGE(host, !names_.takesCookies(host));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OwnNamesTest);

}  // namespace sallyport::host::auth
