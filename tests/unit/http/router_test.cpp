#include "host/http/router.h"

#include <stdexcept>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;

namespace {

std::shared_ptr<const Route> route(Realm realm, const char* method, const char* pattern, bool head = true) {
    auto made = std::make_shared<Route>();
    made->gate = std::make_shared<Gate>("owner");
    made->realm = realm;
    made->method = method;
    made->pattern = pattern;
    made->head = head;
    return made;
}

RouteTable table() {
    return RouteTable({route(Realm::worker, "GET", "/prompt", false), route(Realm::worker, "GET", "/job"),
                       route(Realm::worker, "POST", "/openai/v1/{rest...}"),
                       route(Realm::operators, "GET", "/jobs"), route(Realm::operators, "POST", "/jobs"),
                       route(Realm::operators, "GET", "/jobs/summary"),
                       route(Realm::operators, "GET", "/jobs/{job_id}"),
                       route(Realm::operators, "POST", "/jobs/{job_id}/cancel"),
                       route(Realm::operators, "PUT", "/secrets/{name}"),
                       route(Realm::operators, "DELETE", "/secrets/{secret}")});
}

std::string found(Realm realm, const char* method, const char* path) {
    const auto match = table().match(realm, method, path);
    return match.route ? match.route->pattern : "none";
}

}  // namespace

class RouterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RouterTest);
    CPPUNIT_TEST(testLiteralsWin);
    CPPUNIT_TEST(testParametersAreDecoded);
    CPPUNIT_TEST(testNamesAreTheRoutesOwn);
    CPPUNIT_TEST(testNoSpellingReachesAnotherRoute);
    CPPUNIT_TEST(testRealmsAreApart);
    CPPUNIT_TEST(testAllowNamesTheMethods);
    CPPUNIT_TEST(testHeadFollowsGet);
    CPPUNIT_TEST(testWhatNobodyHasMayBeAwaited);
    CPPUNIT_TEST(testTheSameRouteTwiceIsRefused);
    CPPUNIT_TEST(testPatternsAreChecked);
    CPPUNIT_TEST(testPercentDecoding);
    CPPUNIT_TEST_SUITE_END();

public:
    void testLiteralsWin() {
        CPPUNIT_ASSERT_EQUAL(std::string("/jobs/summary"), found(Realm::operators, "GET", "/jobs/summary"));
        CPPUNIT_ASSERT_EQUAL(std::string("/jobs/{job_id}"),
                             found(Realm::operators, "GET", "/jobs/summaries"));
        CPPUNIT_ASSERT_EQUAL(std::string("/jobs/{job_id}/cancel"),
                             found(Realm::operators, "POST", "/jobs/summary/cancel"));
    }

    void testParametersAreDecoded() {
        const auto one = table().match(Realm::operators, "GET", "/jobs/a%2Fb%20c");
        CPPUNIT_ASSERT_EQUAL(std::string("a/b c"), one.params.at(0).second);
        const auto rest = table().match(Realm::worker, "POST", "/openai/v1/chat/completions");
        CPPUNIT_ASSERT_EQUAL(std::string("rest"), rest.params.at(0).first);
        CPPUNIT_ASSERT_EQUAL(std::string("chat/completions"), rest.params.at(0).second);
        CPPUNIT_ASSERT(table().match(Realm::operators, "GET", "/jobs/%zz").badEncoding);
    }

    void testNamesAreTheRoutesOwn() {
        CPPUNIT_ASSERT_EQUAL(std::string("name"),
                             table().match(Realm::operators, "PUT", "/secrets/x").params.at(0).first);
        CPPUNIT_ASSERT_EQUAL(std::string("secret"),
                             table().match(Realm::operators, "DELETE", "/secrets/x").params.at(0).first);
    }

    void testNoSpellingReachesAnotherRoute() {
        for (const char* path : {"/%70rompt", "/Prompt", "/prompt/", "//prompt", "/./prompt", "/x/../prompt",
                                 "/prompt%00", "/prompt%2f", "", "/", "/openai/v1/", "/openai/v1"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(path, std::string("none"), found(Realm::worker, "GET", path));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("none"), found(Realm::operators, "GET", "/jobs/"));
        CPPUNIT_ASSERT_EQUAL(std::string("none"), found(Realm::operators, "GET", "/jobs/a/b"));
    }

    void testRealmsAreApart() {
        CPPUNIT_ASSERT_EQUAL(std::string("none"), found(Realm::operators, "GET", "/prompt"));
        CPPUNIT_ASSERT_EQUAL(std::string("none"), found(Realm::worker, "GET", "/jobs"));
    }

    void testAllowNamesTheMethods() {
        const auto match = table().match(Realm::operators, "DELETE", "/jobs");
        CPPUNIT_ASSERT(!match.route);
        CPPUNIT_ASSERT_EQUAL(std::string("GET, HEAD, POST, OPTIONS"), match.allow);
        CPPUNIT_ASSERT_EQUAL(std::string("GET, OPTIONS"),
                             table().match(Realm::worker, "POST", "/prompt").allow);
        CPPUNIT_ASSERT(table().match(Realm::operators, "DELETE", "/nothing").allow.empty());
    }

    void testHeadFollowsGet() {
        CPPUNIT_ASSERT_EQUAL(std::string("/job"), found(Realm::worker, "HEAD", "/job"));
        CPPUNIT_ASSERT_EQUAL(std::string("none"), found(Realm::worker, "HEAD", "/prompt"));
        CPPUNIT_ASSERT_EQUAL(std::string("none"), found(Realm::operators, "HEAD", "/jobs/x/cancel"));
    }

    /// It may be a route of a plugin that has yet to start.
    void testWhatNobodyHasMayBeAwaited() {
        const RouteTable awaiting({route(Realm::worker, "GET", "/job")}, 1);
        CPPUNIT_ASSERT(awaiting.match(Realm::worker, "GET", "/prompt").awaited);
        CPPUNIT_ASSERT(awaiting.match(Realm::worker, "POST", "/job").awaited);
        CPPUNIT_ASSERT(!awaiting.match(Realm::worker, "GET", "/job").awaited);
        CPPUNIT_ASSERT(!table().match(Realm::worker, "GET", "/nothing").awaited);
        CPPUNIT_ASSERT(!table().match(Realm::worker, "POST", "/job").awaited);
    }

    void testTheSameRouteTwiceIsRefused() {
        CPPUNIT_ASSERT_THROW(
            RouteTable({route(Realm::worker, "GET", "/a"), route(Realm::worker, "GET", "/a")}),
            std::invalid_argument);
        CPPUNIT_ASSERT_THROW(
            RouteTable({route(Realm::worker, "GET", "/{a}/b"), route(Realm::worker, "GET", "/{c}/b")}),
            std::invalid_argument);
        CPPUNIT_ASSERT_NO_THROW(
            RouteTable({route(Realm::worker, "GET", "/a"), route(Realm::operators, "GET", "/a"),
                        route(Realm::worker, "POST", "/a")}));
    }

    void testPatternsAreChecked() {
        for (const char* pattern : {"", "a", "/", "/a/", "//a", "/../health", "/a/./b", "/a%41", "/{a", "/{}",
                                    "/{A}", "/{a}/{a}", "/{a...}/b", "/a b", "/a?b"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(pattern, checkPattern(pattern), std::invalid_argument);
        }
        for (const char* pattern : {"/a", "/a/{b}", "/a/{b}/c", "/{rest...}", "/v1.0/x-y_z~"}) {
            CPPUNIT_ASSERT_NO_THROW_MESSAGE(pattern, checkPattern(pattern));
        }
    }

    void testPercentDecoding() {
        CPPUNIT_ASSERT_EQUAL(std::string("a b\n"), *percentDecode("a%20b%0A"));
        CPPUNIT_ASSERT_EQUAL(std::string("a+b"), *percentDecode("a+b"));
        for (const char* text : {"%", "%4", "%4g", "%%41"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !percentDecode(text));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RouterTest);

}  // namespace sallyport::tests
