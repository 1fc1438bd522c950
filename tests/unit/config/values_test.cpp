#include "host/config/values.h"

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::config {
namespace {

/// The value's number, or -1 when it is refused.
std::int64_t number(SettingKind kind, std::string_view text) {
    const auto value = readValue({"key", kind, "", "", INT64_MIN}, text);
    return value ? value->number : -1;
}

std::string expected(SettingKind kind, std::int64_t low = 0, std::int64_t high = INT64_MAX) {
    return expectation({"key", kind, "", "", low, high});
}

class ValuesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ValuesTest);
    CPPUNIT_TEST(testIntegers);
    CPPUNIT_TEST(testBooleans);
    CPPUNIT_TEST(testDurations);
    CPPUNIT_TEST(testSizes);
    CPPUNIT_TEST(testLists);
    CPPUNIT_TEST(testBounds);
    CPPUNIT_TEST(testExpectations);
    CPPUNIT_TEST_SUITE_END();

    static void testIntegers() {
        const auto integer = [](std::string_view text) { return number(SettingKind::integer, text); };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{42}, integer("42"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-7}, integer("-7"));
        CPPUNIT_ASSERT_EQUAL(INT64_MAX, integer("9223372036854775807"));
        for (const char* const bad :
             {"", " ", "4 2", "42 ", "+1", "1.0", "0x10", "1e3", "many", "9223372036854775808"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(bad, std::int64_t{-1}, integer(bad));
        }
    }

    static void testBooleans() {
        const auto boolean = [](std::string_view text) { return number(SettingKind::boolean, text); };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, boolean("true"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, boolean("false"));
        for (const char* const bad : {"", "yes", "1", "True", "false "}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(bad, std::int64_t{-1}, boolean(bad));
        }
    }

    static void testDurations() {
        const auto duration = [](std::string_view text) { return number(SettingKind::duration, text); };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, duration("0"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, duration("0s"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{500}, duration("500ms"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{10'000}, duration("10s"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{300'000}, duration("5m"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7'200'000}, duration("2h"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2'592'000'000}, duration("30d"));
        for (const char* const bad : {"", "5", "s", "-1s", "1 s", "1.5s", "1D", "1S", "1sm",
                                      "9223372036854776s", "99999999999999999999ms"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(bad, std::int64_t{-1}, duration(bad));
        }
    }

    static void testSizes() {
        const auto size = [](std::string_view text) { return number(SettingKind::size, text); };
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1000}, size("1000"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{512} << 10U, size("512KiB"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{32} << 20U, size("32MiB"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2} << 30U, size("2GiB"));
        for (const char* const bad : {"", "lots", "1MB", "1 MiB", "1mib", "-1", "1.5MiB", "9999999999GiB"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(bad, std::int64_t{-1}, size(bad));
        }
    }

    static void testLists() {
        const auto words = [](std::string_view text) {
            return readValue({"key", SettingKind::list, "", ""}, text)->words;
        };
        CPPUNIT_ASSERT(words("").empty());
        CPPUNIT_ASSERT(words(" , ,").empty());
        CPPUNIT_ASSERT((words("main") == std::vector<std::string>{"main"}));
        CPPUNIT_ASSERT((words(" main ,backup,") == std::vector<std::string>{"main", "backup"}));
    }

    static void testBounds() {
        const Setting setting{"key", SettingKind::size, "", "", 1024, 2048};
        CPPUNIT_ASSERT(!readValue(setting, "1023"));
        CPPUNIT_ASSERT(readValue(setting, "1KiB"));
        CPPUNIT_ASSERT(readValue(setting, "2KiB"));
        CPPUNIT_ASSERT(!readValue(setting, "2049"));
        CPPUNIT_ASSERT_MESSAGE("a boolean has none",
                               readValue({"key", SettingKind::boolean, "", "", 5}, "true"));
    }

    static void testExpectations() {
        CPPUNIT_ASSERT_EQUAL(std::string("a size such as 512KiB or 32MiB"), expected(SettingKind::size));
        CPPUNIT_ASSERT_EQUAL(std::string("a size such as 512KiB or 32MiB, at least 1KiB"),
                             expected(SettingKind::size, 1024));
        CPPUNIT_ASSERT_EQUAL(std::string("a size such as 512KiB or 32MiB, from 1KiB to 1GiB"),
                             expected(SettingKind::size, 1024, 1 << 30U));
        CPPUNIT_ASSERT_EQUAL(std::string("a duration such as 500ms, 10s, 5m, 2h or 30d, at most 90s"),
                             expected(SettingKind::duration, 0, 90'000));
        CPPUNIT_ASSERT_EQUAL(std::string("a whole number from 0 up"), expected(SettingKind::integer));
        CPPUNIT_ASSERT_EQUAL(std::string("a whole number from 1 to 64"),
                             expected(SettingKind::integer, 1, 64));
        CPPUNIT_ASSERT_EQUAL(std::string("true or false"), expected(SettingKind::boolean));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ValuesTest);

}  // namespace
}  // namespace sallyport::host::config
