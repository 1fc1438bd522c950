#include "host/cli/age.h"

#include <chrono>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::cli {

class AgeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AgeTest);
    CPPUNIT_TEST(testSaysHowLongAgo);
    CPPUNIT_TEST(testLeavesOtherTextAlone);
    CPPUNIT_TEST(testSaysHowLong);
    CPPUNIT_TEST_SUITE_END();

    void testSaysHowLongAgo() {
        using namespace std::chrono;
        const Timestamp then = sys_days(2026y / January / 31) + hours(10);
        const std::string text = rfc3339(then);
        CPPUNIT_ASSERT_EQUAL(std::string("just now"), age(text, then));
        CPPUNIT_ASSERT_EQUAL(std::string("just now"), age(text, then - minutes(5)));
        CPPUNIT_ASSERT_EQUAL(std::string("59s ago"), age(text, then + seconds(59)));
        CPPUNIT_ASSERT_EQUAL(std::string("1m ago"), age(text, then + seconds(60)));
        CPPUNIT_ASSERT_EQUAL(std::string("23h ago"), age(text, then + hours(24) - milliseconds(1)));
        CPPUNIT_ASSERT_EQUAL(std::string("400d ago"), age(text, then + hours(24) * 400));
    }

    void testLeavesOtherTextAlone() {
        CPPUNIT_ASSERT_EQUAL(std::string("-"), age("", now()));
        CPPUNIT_ASSERT_EQUAL(std::string("yesterday"), age("yesterday", now()));
    }

    void testSaysHowLong() {
        using namespace std::chrono;
        CPPUNIT_ASSERT_EQUAL(std::string("0s"), duration(seconds(0)));
        CPPUNIT_ASSERT_EQUAL(std::string("59s"), duration(seconds(59)));
        CPPUNIT_ASSERT_EQUAL(std::string("1m"), duration(seconds(60)));
        CPPUNIT_ASSERT_EQUAL(std::string("3m 5s"), duration(seconds(185)));
        CPPUNIT_ASSERT_EQUAL(std::string("5h"), duration(hours(5) + seconds(7)));
        CPPUNIT_ASSERT_EQUAL(std::string("12d 3h"), duration(hours(12 * 24 + 3) + minutes(59)));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AgeTest);

}  // namespace sallyport::host::cli
