#include "plugins/llm/money.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

class MoneyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MoneyTest);
    CPPUNIT_TEST(testReads);
    CPPUNIT_TEST(testRefuses);
    CPPUNIT_TEST(testWrites);
    CPPUNIT_TEST_SUITE_END();

    static void assertRead(std::int64_t nano, const std::string& text) {
        const auto read = nanoDollars(text);
        CPPUNIT_ASSERT_MESSAGE(text, read.has_value());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(text, nano, *read);
    }

    void testReads() {
        assertRead(0, "0");
        assertRead(12'000'000'000, "12");
        assertRead(250'000'000, "0.25");
        assertRead(250'000'000, ".25");
        assertRead(1, "0.000000001");
        assertRead(7'000'000'000, "0007.0");
        assertRead(maxNanoDollars, "1000000");
    }

    void testRefuses() {
        for (const char* text :
             {"", ".", "1.", "-1", "+1", "1,5", "1e3", " 1", "1 ", "$1", "0.0000000001", "1.2.3",
              "1000000.000000001", "1000001", "99999999999999999999999999999999"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !nanoDollars(text));
        }
    }

    void testWrites() {
        CPPUNIT_ASSERT_EQUAL(std::string("0.00"), dollars(0));
        CPPUNIT_ASSERT_EQUAL(std::string("0.25"), dollars(250'000'000));
        CPPUNIT_ASSERT_EQUAL(std::string("12.50"), dollars(12'500'000'000));
        CPPUNIT_ASSERT_EQUAL(std::string("0.000000001"), dollars(1));
        CPPUNIT_ASSERT_EQUAL(std::string("3.125"), dollars(3'125'000'000));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MoneyTest);

}  // namespace
}  // namespace sallyport::plugins::llm
