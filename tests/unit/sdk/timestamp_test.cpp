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
};

CPPUNIT_TEST_SUITE_REGISTRATION(TimestampTest);

}  // namespace
}  // namespace sallyport
