#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/media_type.h>

namespace sallyport {
namespace {

class MediaTypeTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MediaTypeTest);
    CPPUNIT_TEST(testJson);
    CPPUNIT_TEST(testOtherTypes);
    CPPUNIT_TEST(testSuffixWithoutName);
    CPPUNIT_TEST_SUITE_END();

    void testJson() {
        for (const char* type :
             {"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x",
              "\t application/json \t;x=y", "application/x+json", "application/problem+json",
              "application/vnd.x+JSON;v=1", "application/3gpp+json", "application/a+b+json"}) {
            CPPUNIT_ASSERT_MESSAGE(type, isJsonType(type));
        }
    }

    void testOtherTypes() {
        for (const char* type : {"",
                                 " ",
                                 ";",
                                 "json",
                                 "/json",
                                 "application",
                                 "application/",
                                 "application/jsonp",
                                 "application/json5",
                                 "application/json+xml",
                                 "application/xjson",
                                 "text/json",
                                 "text/x+json",
                                 "xapplication/json",
                                 "application /json",
                                 "application/ json",
                                 "application/x y+json",
                                 "application/x/y+json",
                                 "text/plain; application/json",
                                 "application/json, text/plain"}) {
            CPPUNIT_ASSERT_MESSAGE(type, !isJsonType(type));
        }
    }

    void testSuffixWithoutName() {
        for (const char* type : {"application/+json", "application/+JSON; charset=utf-8",
                                 "application/++json", "application/.+json", "application/-x+json"}) {
            CPPUNIT_ASSERT_MESSAGE(type, !isJsonType(type));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MediaTypeTest);

}  // namespace
}  // namespace sallyport
