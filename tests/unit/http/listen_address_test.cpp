#include "host/http/listen_address.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::http {
namespace {

class ListenAddressTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ListenAddressTest);
    CPPUNIT_TEST(testTellsAddressesFromOthers);
    CPPUNIT_TEST(testReadsLists);
    CPPUNIT_TEST(testFindsClashes);
    CPPUNIT_TEST(testReplacesThePort);
    CPPUNIT_TEST(testKnowsWhichThisMachineHas);
    CPPUNIT_TEST_SUITE_END();

    static ListenAddress parsed(const std::string& text) {
        const auto address = ListenAddress::parse(text);
        CPPUNIT_ASSERT_MESSAGE(text, address.has_value());
        return *address;
    }

    static void testTellsAddressesFromOthers() {
        for (const std::string text : {"127.0.0.1:0", "0.0.0.0:50051", "[::1]:1", "[::]:65535", "unix:/s"}) {
            CPPUNIT_ASSERT_EQUAL(text, parsed(text).text());
        }
        const std::string longest(107, 'x');
        CPPUNIT_ASSERT(ListenAddress::parse("unix:/" + longest.substr(1)));
        for (const std::string& text :
             {std::string(), std::string("127.0.0.1"), std::string("127.0.0.1:"), std::string(":1"),
              std::string("127.0.0.1:65536"), std::string("127.0.0.1:-1"), std::string("300.0.0.1:1"),
              std::string("http://127.0.0.1:1"), std::string("unix:"), std::string("unix:relative"),
              std::string("unix:@abstract"), std::string("unix:\0abstract", 14), "unix:/" + longest}) {
            CPPUNIT_ASSERT_MESSAGE(text, !ListenAddress::parse(text));
        }
        CPPUNIT_ASSERT(parsed("unix:/s").isUnix());
        CPPUNIT_ASSERT_EQUAL(std::string("/s"), parsed("unix:/s").path());
        CPPUNIT_ASSERT(!parsed("127.0.0.1:5").isUnix());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{5}, parsed("127.0.0.1:5").port());
    }

    static void testReadsLists() {
        const auto several = parseListenAddresses(" 0.0.0.0:50051,unix:/run/s , [::1]:0");
        CPPUNIT_ASSERT(several);
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, several->size());
        CPPUNIT_ASSERT_EQUAL(std::string("unix:/run/s"), (*several)[1].text());
        for (const char* text : {"", " ", ",", "127.0.0.1:1,", ",127.0.0.1:1", "127.0.0.1:1,,127.0.0.1:2",
                                 "127.0.0.1:1 127.0.0.1:2"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !parseListenAddresses(text));
        }
    }

    static void testFindsClashes() {
        struct Pair {
            const char* one;
            const char* other;
            bool clash;
        };
        for (const Pair& pair :
             {Pair{"127.0.0.1:1", "127.0.0.1:1", true}, Pair{"0.0.0.0:1", "127.0.0.1:1", true},
              Pair{"[::]:1", "[::1]:1", true}, Pair{"unix:/s", "unix:/s", true},
              Pair{"127.0.0.1:1", "127.0.0.1:2", false}, Pair{"127.0.0.1:1", "127.0.0.2:1", false},
              Pair{"127.0.0.1:0", "127.0.0.1:0", false}, Pair{"0.0.0.0:1", "[::]:1", false},
              Pair{"unix:/s", "unix:/t", false}, Pair{"unix:/s", "127.0.0.1:1", false}}) {
            const std::string what = std::string(pair.one) + " and " + pair.other;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, pair.clash, parsed(pair.one).clashesWith(parsed(pair.other)));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, pair.clash, parsed(pair.other).clashesWith(parsed(pair.one)));
        }
    }

    static void testReplacesThePort() {
        CPPUNIT_ASSERT_EQUAL(std::string("127.0.0.1:9"), parsed("127.0.0.1:1").withPort(9).text());
        CPPUNIT_ASSERT_EQUAL(std::uint16_t{9}, parsed("[::1]:1").withPort(9).port());
        CPPUNIT_ASSERT_EQUAL(std::string("unix:/s:1"), parsed("unix:/s:1").withPort(9).text());
        CPPUNIT_ASSERT(parsed("127.0.0.1:1").withPort(9) == parsed("127.0.0.1:9"));
        CPPUNIT_ASSERT(!(parsed("unix:/s") == parsed("127.0.0.1:9")));
        CPPUNIT_ASSERT(!(parsed("127.0.0.1:9") == parsed("unix:/s")));
    }

    static void testKnowsWhichThisMachineHas() {
        for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "0.0.0.0:1", "[::]:1", "unix:/s"}) {
            CPPUNIT_ASSERT_MESSAGE(text, parsed(text).isPresent());
        }
        // Of networks for documentation (RFC 5737, RFC 3849): nobody has them.
        for (const char* text : {"192.0.2.1:1", "[2001:db8::1]:1"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !parsed(text).isPresent());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ListenAddressTest);

}  // namespace
}  // namespace sallyport::host::http
