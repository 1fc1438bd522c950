#include <cstdint>
#include <map>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/timestamp.h>

namespace sallyport {
namespace {

std::string shown(std::int64_t milliseconds) {
    return rfc3339(Timestamp(std::chrono::milliseconds(milliseconds)));
}

class TimestampTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TimestampTest);
    CPPUNIT_TEST(testRfc3339);
    CPPUNIT_TEST(testNow);
    CPPUNIT_TEST(testParse);
    CPPUNIT_TEST(testParseRefuses);
    CPPUNIT_TEST_SUITE_END();

    // Expected values from `date -u -d @… +%FT%T`.
    void testRfc3339() {
        CPPUNIT_ASSERT_EQUAL(std::string("1970-01-01T00:00:00.000Z"), shown(0));
        CPPUNIT_ASSERT_EQUAL(std::string("2026-01-31T23:59:59.123Z"), shown(1769903999123));
        CPPUNIT_ASSERT_EQUAL(std::string("2024-02-29T12:00:00.009Z"), shown(1709208000009));
        CPPUNIT_ASSERT_EQUAL(std::string("1969-12-31T23:59:59.999Z"), shown(-1));
    }

    void testNow() {
        const Timestamp before = now();
        CPPUNIT_ASSERT(before > Timestamp(std::chrono::milliseconds(1700000000000)));
        CPPUNIT_ASSERT(now() >= before);
    }

    // Expected values from `date -u -d … +%s%3N`.
    void testParse() {
        for (const auto& [text, milliseconds] : std::map<std::string, std::int64_t>{
                 {"1970-01-01T00:00:00Z", 0},
                 {"2026-01-31T23:59:59.123Z", 1769903999123},
                 {"2026-01-31t23:59:59.1239z", 1769903999123},
                 {"2026-01-31 23:59:59.1Z", 1769903999100},
                 {"2026-02-01T01:29:59+01:30", 1769903999000},
                 {"2026-01-31T15:59:59-08:00", 1769903999000},
                 {"2024-02-29T12:00:00.009-00:00", 1709208000009},
                 {"1969-12-31T23:59:59.999Z", -1},
             }) {
            const auto time = parseRfc3339(text);
            CPPUNIT_ASSERT_MESSAGE(text, time.has_value());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, milliseconds, std::int64_t{time->time_since_epoch().count()});
        }
    }

    void testParseRefuses() {
        for (const char* text : {"",
                                 "2026",
                                 "2026-01-31",
                                 "2026-01-31T23:59:59",
                                 "2026-02-29T00:00:00Z",
                                 "2026-13-01T00:00:00Z",
                                 "2026-00-01T00:00:00Z",
                                 "2026-01-00T00:00:00Z",
                                 "2026-01-31T24:00:00Z",
                                 "2026-01-31T23:60:00Z",
                                 "2026-12-31T23:59:60Z",
                                 "2026-01-31T23:59:59.Z",
                                 "2026-01-31T23:59:59Z ",
                                 "2026-1-31T23:59:59Z",
                                 "2026-01-31T23:59:59+0100",
                                 "2026-01-31T23:59:59+24:00",
                                 "2026-01-31X23:59:59Z",
                                 "+026-01-31T23:59:59Z",
                                 "2026-01-31T23:59:59,5Z",
                                 "tomorrow"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !parseRfc3339(text));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TimestampTest);

}  // namespace
}  // namespace sallyport
