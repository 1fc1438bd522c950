#include <stdexcept>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/store.h>

namespace sallyport {
namespace {

class RowTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RowTest);
    CPPUNIT_TEST(testNull);
    CPPUNIT_TEST(testInteger);
    CPPUNIT_TEST(testReal);
    CPPUNIT_TEST(testText);
    CPPUNIT_TEST(testBytes);
    CPPUNIT_TEST(testMissingColumn);
    CPPUNIT_TEST(testSqlValue);
    CPPUNIT_TEST_SUITE_END();

    static Row row(SqlValue value) { return Row({std::move(value)}); }

    void testNull() {
        const Row null = row({});
        CPPUNIT_ASSERT(null.isNull(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, null.integer(0));
        CPPUNIT_ASSERT_EQUAL(0.0, null.real(0));
        CPPUNIT_ASSERT_EQUAL(std::string(), null.text(0));
        CPPUNIT_ASSERT(null.bytes(0).empty());
        CPPUNIT_ASSERT(!null.optionalInteger(0) && !null.optionalText(0));
    }

    void testInteger() {
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-5}, row(std::int64_t{-5}).integer(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-2}, row(-2.9).integer(0));
        CPPUNIT_ASSERT_EQUAL(INT64_MAX, row(1e300).integer(0));
        CPPUNIT_ASSERT_EQUAL(INT64_MIN, row(-1e300).integer(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{12}, row(std::string(" +12abc")).integer(0));
        CPPUNIT_ASSERT_EQUAL(INT64_MIN, row(std::string("-99999999999999999999")).integer(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, row(std::string("abc")).integer(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, row(std::int64_t{7}).optionalInteger(0).value());
    }

    void testReal() {
        CPPUNIT_ASSERT_EQUAL(2.5, row(2.5).real(0));
        CPPUNIT_ASSERT_EQUAL(3.0, row(std::int64_t{3}).real(0));
        CPPUNIT_ASSERT_EQUAL(-1.25, row(std::string("-1.25x")).real(0));
    }

    void testText() {
        CPPUNIT_ASSERT_EQUAL(std::string("a\0b", 3), row(std::string("a\0b", 3)).text(0));
        CPPUNIT_ASSERT_EQUAL(std::string("-5"), row(std::int64_t{-5}).text(0));
        CPPUNIT_ASSERT_EQUAL(std::string("2.0"), row(2.0).text(0));
        CPPUNIT_ASSERT_EQUAL(std::string("0.1"), row(0.1).text(0));
        CPPUNIT_ASSERT_EQUAL(std::string("hi"), row(Bytes{'h', 'i'}).text(0));
        CPPUNIT_ASSERT_EQUAL(std::string("x"), row(std::string("x")).optionalText(0).value());
    }

    void testBytes() {
        CPPUNIT_ASSERT((row(Bytes{0, 255}).bytes(0) == Bytes{0, 255}));
        CPPUNIT_ASSERT((row(std::string("hi")).bytes(0) == Bytes{'h', 'i'}));
    }

    void testMissingColumn() { CPPUNIT_ASSERT_THROW(static_cast<void>(row({}).text(1)), std::out_of_range); }

    void testSqlValue() {
        CPPUNIT_ASSERT(std::holds_alternative<std::monostate>(sqlValue(std::optional<std::string>())));
        CPPUNIT_ASSERT_EQUAL(std::string("x"),
                             std::get<std::string>(sqlValue(std::optional<std::string>("x"))));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RowTest);

}  // namespace
}  // namespace sallyport
