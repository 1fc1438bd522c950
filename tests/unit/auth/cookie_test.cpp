#include "host/auth/cookie.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::auth {

class CookieTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CookieTest);
    CPPUNIT_TEST(testIsForThisHostAlone);
    CPPUNIT_TEST(testIsTakenAway);
    CPPUNIT_TEST(testIsFoundAmongOthers);
    CPPUNIT_TEST_SUITE_END();

    static std::string joined(std::string_view header) {
        std::string text;
        for (const auto value : cookieValues(header, "name")) {
            text += "<" + std::string(value) + ">";
        }
        return text;
    }

public:
    static void testIsForThisHostAlone() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("sallyport_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600"),
            cookieFor("abc", false, std::chrono::hours(1)));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "__Host-sallyport_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure"),
            cookieFor("abc", true, std::chrono::minutes(1)));
        CPPUNIT_ASSERT(cookieFor("abc", true, std::chrono::hours(1)).starts_with(cookieName(true)));
    }

    static void testIsTakenAway() {
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"),
                             expiredCookie(false));
    }

    static void testIsFoundAmongOthers() {
        CPPUNIT_ASSERT_EQUAL(std::string("<v>"), joined("name=v"));
        CPPUNIT_ASSERT_EQUAL(std::string("<v>"), joined("a=b; name=v; c=d"));
        CPPUNIT_ASSERT_EQUAL(std::string("<v>"), joined("a=name;name=v ;"));
        CPPUNIT_ASSERT_EQUAL(std::string("<v><w>"), joined("name=v; name=w"));
        CPPUNIT_ASSERT_EQUAL(std::string("<a=b>"), joined("name=a=b"));
        CPPUNIT_ASSERT_EQUAL(std::string("<>"), joined("name="));
        for (const char* header : {"", ";", "name", "Name=v", "xname=v", "namex=v", "a=b", "; ;", " = "}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(header, std::string(), joined(header));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CookieTest);

}  // namespace sallyport::host::auth
