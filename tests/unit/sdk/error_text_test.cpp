#include <stdexcept>
#include <string>

#include <Poco/Exception.h>
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/error_text.h>
#include <sallyport/errors.h>

namespace sallyport {
namespace {

class ErrorTextTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ErrorTextTest);
    CPPUNIT_TEST(testEachKind);
    CPPUNIT_TEST_SUITE_END();

    void testEachKind() {
        const auto text = [](const auto& error) { return errorText(std::make_exception_ptr(error)); };
        CPPUNIT_ASSERT_EQUAL(std::string("disk I/O error"), text(StoreError("disk I/O error")));
        CPPUNIT_ASSERT_EQUAL(std::string("Not found: x"), text(Poco::NotFoundException("x")));
        CPPUNIT_ASSERT_EQUAL(std::string("wrong"), text(std::runtime_error("wrong")));
        CPPUNIT_ASSERT_EQUAL(std::string("not a std::exception"), text(7));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ErrorTextTest);

}  // namespace
}  // namespace sallyport
