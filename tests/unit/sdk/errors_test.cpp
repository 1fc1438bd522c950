#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

namespace sallyport {
namespace {

class ErrorsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ErrorsTest);
    CPPUNIT_TEST(testStatusAndCode);
    CPPUNIT_TEST(testInvalidFieldNamesTheField);
    CPPUNIT_TEST(testRetryAfter);
    CPPUNIT_TEST(testStoreErrorKeepsItsDetailToItself);
    CPPUNIT_TEST_SUITE_END();

    static void expect(int status, const std::string& code, const RequestError& error) {
        CPPUNIT_ASSERT_EQUAL(status, error.status());
        CPPUNIT_ASSERT_EQUAL(code, error.code());
    }

    void testStatusAndCode() {
        expect(400, "bad_request", badRequest("x"));
        expect(403, "forbidden", forbidden("x"));
        expect(404, "not_found", notFound("x"));
        expect(409, "job_over", conflict("job_over", "x"));
        expect(413, "too_large", tooLarge("x"));
        expect(422, "invalid_field", invalidField("f", "x"));
        expect(503, "no_vault", unavailable("no_vault", "x"));
        CPPUNIT_ASSERT_EQUAL(std::string("x"), std::string(notFound("x").what()));
    }

    void testInvalidFieldNamesTheField() {
        CPPUNIT_ASSERT_EQUAL(std::string("field 'task' must not be empty"),
                             std::string(invalidField("task", "must not be empty").what()));
    }

    void testRetryAfter() {
        RequestError error(429, "rate_limited", "x");
        CPPUNIT_ASSERT(!error.retryAfter());
        error.retryAfter(std::chrono::seconds(7));
        CPPUNIT_ASSERT(error.retryAfter() == std::chrono::seconds(7));
    }

    void testStoreErrorKeepsItsDetailToItself() {
        const StoreError error("disk I/O error in /var/lib/sallyport");
        expect(503, "storage_unavailable", error);
        CPPUNIT_ASSERT_EQUAL(std::string("disk I/O error in /var/lib/sallyport"), error.detail());
        CPPUNIT_ASSERT(std::string(error.what()).find("disk") == std::string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ErrorsTest);

}  // namespace
}  // namespace sallyport
