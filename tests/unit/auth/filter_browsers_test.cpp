// What the filter asks of browsers.
#include <string>
#include <string_view>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/permission.h>

#include "host/auth/filter.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/auth/database_fixture.h"

namespace sallyport::host::auth {

using namespace std::chrono_literals;

class FilterBrowsersTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FilterBrowsersTest);
    CPPUNIT_TEST(testSessionIsItsToken);
    CPPUNIT_TEST(testSessionEndsWithItsToken);
    CPPUNIT_TEST(testUnknownAndMalformedCookiesAreNone);
    CPPUNIT_TEST(testBearerGoesBeforeACookie);
    CPPUNIT_TEST(testWorkersHaveNoSessions);
    CPPUNIT_TEST(testCookieCountsUnderItsOwnNamesAlone);
    CPPUNIT_TEST(testCookieOfTheOtherKindIsNone);
    CPPUNIT_TEST(testUnsafeMethodsNeedOriginAndToken);
    CPPUNIT_TEST(testOtherProtocolsNeedOrigin);
    CPPUNIT_TEST(testOtherPagesAreRefused);
    CPPUNIT_TEST(testUnderTlsOnlyPagesUnderTlsMayAsk);
    CPPUNIT_TEST(testBearersMayNameAnyHostUnlessTheyAreBrowsers);
    CPPUNIT_TEST(testStrangersMayNothing);
    CPPUNIT_TEST(testSigningInIsForOwnPages);
    CPPUNIT_TEST(testSigningInIsPaced);
    CPPUNIT_TEST(testSigningInReplacesASession);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::string_view ownHost = "sallyport.localhost:50052";
    static constexpr std::string_view ownOrigin = "http://sallyport.localhost:50052";

    tests::TemporaryDirectory directory_;
    tests::TestStore store_{(directory_ / "sallyport.db").string()};
    WorkerTokens workers_;
    Operators operators_{store_};
    Sessions sessions_{{.idleTimeout = 1h, .lifetime = 2h, .perToken = 8, .total = 8}};
    BrowserDoor browsers_{sessions_, OwnNames({"console.example"})};
    const Filter filter_{workers_, operators_, &browsers_};
    const Operators::Created made_ = operators_.create("laptop", "alice", Role::user);
    const Sessions::Opened opened_ = sessions_.open(made_.token);
    const std::string cookie_ = "sallyport_session=" + opened_.secret;
    const std::string bearer_ = "Bearer " + made_.secret;

    /// A request of the console's own page.
    [[nodiscard]] Presented page(std::string_view method = "GET") const {
        Presented shown;
        shown.cookie = cookie_;
        shown.host = ownHost;
        shown.method = method;
        if (method != "GET") {
            shown.origin = ownOrigin;
            shown.csrfToken = opened_.session->csrfToken;
        }
        return shown;
    }

    static Presented signIn() {
        Presented shown;
        shown.host = ownHost;
        shown.origin = ownOrigin;
        shown.method = "POST";
        shown.peer = "192.0.2.1";
        return shown;
    }

    [[nodiscard]] int status(const Presented& shown) const {
        const auto outcome = filter_.operators(shown);
        const auto* const error = std::get_if<RequestError>(&outcome);
        return error == nullptr ? 200 : error->status();
    }

    [[nodiscard]] int signInStatus(const Presented& shown) const {
        const auto outcome = filter_.stranger(shown);
        const auto* const error = std::get_if<RequestError>(&outcome);
        return error == nullptr ? 200 : error->status();
    }

public:
    void testSessionIsItsToken() {
        const auto identity = std::get<Identity>(filter_.operators(page()));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), identity.caller->user());
        CPPUNIT_ASSERT(identity.caller->may(permission::jobsWrite));
        CPPUNIT_ASSERT(!identity.caller->may(permission::tokensRead));
        CPPUNIT_ASSERT(identity.browser == opened_.session);
        CPPUNIT_ASSERT_EQUAL(made_.token.id, identity.token->id);
        CPPUNIT_ASSERT(!identity.isStranger());
        CPPUNIT_ASSERT(!identity.revoked());
        CPPUNIT_ASSERT(!std::get<Identity>(filter_.operators({.authorization = bearer_})).browser);
    }

    void testSessionEndsWithItsToken() {
        const auto before = std::get<Identity>(filter_.operators(page()));
        operators_.revoke(made_.token.id);
        CPPUNIT_ASSERT(before.revoked());
        CPPUNIT_ASSERT_EQUAL(401, status(page()));
    }

    void testUnknownAndMalformedCookiesAreNone() {
        auto shown = page();
        for (const std::string& cookie :
             {std::string("sallyport_session="), std::string("sallyport_session=x"),
              "sallyport_session=" + newToken(), "sallyport_session=" + opened_.session->csrfToken,
              "sallyport_session=" + made_.secret, cookie_ + "; " + cookie_, "other=" + opened_.secret}) {
            shown.cookie = cookie;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(cookie, 401, status(shown));
        }
        shown = page();
        shown.browserRepeated = true;
        CPPUNIT_ASSERT_EQUAL(401, status(shown));
        sessions_.close(*opened_.session);
        CPPUNIT_ASSERT_EQUAL(401, status(page()));
    }

    void testBearerGoesBeforeACookie() {
        auto shown = page();
        const std::string wrong = "Bearer " + newToken();
        shown.authorization = wrong;
        CPPUNIT_ASSERT_EQUAL(401, status(shown));
        shown.authorization = bearer_;
        shown.method = "POST";
        CPPUNIT_ASSERT_EQUAL(200, status(shown));
    }

    void testWorkersHaveNoSessions() {
        const auto outcome = filter_.worker(JobId::random().str(), page());
        CPPUNIT_ASSERT_EQUAL(401, std::get<RequestError>(outcome).status());
    }

    void testCookieCountsUnderItsOwnNamesAlone() {
        auto shown = page();
        for (const char* host : {"sallyport.localhost", "console.example", "Console.Example:443"}) {
            shown.host = host;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(host, 200, status(shown));
        }
        for (const char* host : {"localhost:50052", "127.0.0.1:50052", "evil.example", "[::1]:50052", ""}) {
            shown.host = host;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(host, 421, status(shown));
        }
    }

    void testCookieOfTheOtherKindIsNone() {
        auto shown = page();
        shown.secure = true;
        CPPUNIT_ASSERT_EQUAL(401, status(shown));
        const std::string secure = "__Host-" + cookie_;
        shown.cookie = secure;
        CPPUNIT_ASSERT_EQUAL(200, status(shown));
        shown.secure = false;
        CPPUNIT_ASSERT_EQUAL(401, status(shown));
    }

    void testUnsafeMethodsNeedOriginAndToken() {
        for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(method, 200, status(page(method)));
            auto shown = page(method);
            shown.csrfToken.reset();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(method, 403, status(shown));
            shown.csrfToken = opened_.secret;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(method, 403, status(shown));
            shown = page(method);
            shown.origin.reset();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(method, 403, status(shown));
        }
        auto head = page();
        head.method = "HEAD";
        CPPUNIT_ASSERT_EQUAL(200, status(head));
        const auto other = sessions_.open(made_.token);
        auto shown = page("POST");
        shown.csrfToken = other.session->csrfToken;
        CPPUNIT_ASSERT_EQUAL(403, status(shown));
    }

    /// The handshake of a WebSocket is a GET.
    void testOtherProtocolsNeedOrigin() {
        auto shown = page();
        shown.upgrade = true;
        CPPUNIT_ASSERT_EQUAL(403, status(shown));
        shown.origin = "http://localhost:50052";
        CPPUNIT_ASSERT_EQUAL(403, status(shown));
        shown.origin = ownOrigin;
        CPPUNIT_ASSERT_EQUAL(200, status(shown));
    }

    void testOtherPagesAreRefused() {
        for (const char* method : {"GET", "POST"}) {
            auto shown = page(method);
            for (const char* origin : {"null", "http://localhost:50052", "http://sallyport.localhost",
                                       "http://sallyport.localhost:3000", "http://evil.example",
                                       "sallyport.localhost:50052", "ftp://sallyport.localhost:50052", ""}) {
                shown.origin = origin;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(origin, 403, status(shown));
            }
            // What ends TLS in front of the daemon.
            shown.origin = "https://sallyport.localhost:50052";
            CPPUNIT_ASSERT_EQUAL(200, status(shown));
            for (const char* site : {"cross-site", "same-site", ""}) {
                shown.fetchSite = site;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(site, 403, status(shown));
            }
            for (const char* site : {"same-origin", "none"}) {
                shown.fetchSite = site;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(site, 200, status(shown));
            }
        }
    }

    void testUnderTlsOnlyPagesUnderTlsMayAsk() {
        auto shown = page("POST");
        const std::string secure = "__Host-" + cookie_;
        shown.cookie = secure;
        shown.secure = true;
        CPPUNIT_ASSERT_EQUAL(403, status(shown));
        shown.origin = "https://sallyport.localhost:50052";
        CPPUNIT_ASSERT_EQUAL(200, status(shown));
    }

    void testBearersMayNameAnyHostUnlessTheyAreBrowsers() {
        Presented shown;
        shown.authorization = bearer_;
        shown.method = "GET";
        for (const char* host : {"evil.example", "a", "x y", "localhost", "127.0.0.1:1"}) {
            shown.host = host;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(host, 200, status(shown));
        }
        shown.host = "evil.example";
        shown.origin = "http://evil.example";
        CPPUNIT_ASSERT_EQUAL(421, status(shown));
        shown.origin.reset();
        shown.fetchSite = "same-origin";
        CPPUNIT_ASSERT_EQUAL(421, status(shown));
        shown.host = "localhost:50052";
        CPPUNIT_ASSERT_EQUAL(200, status(shown));
        // Who shows nothing at all is told that, and not where to ask.
        CPPUNIT_ASSERT_EQUAL(401, status({.host = "evil.example", .origin = "http://evil.example"}));
    }

    void testStrangersMayNothing() {
        const auto identity = std::get<Identity>(filter_.stranger(signIn()));
        CPPUNIT_ASSERT(identity.isStranger());
        CPPUNIT_ASSERT(!identity.revoked());
        CPPUNIT_ASSERT(!identity.caller->may(permission::jobsRead));
        CPPUNIT_ASSERT(!identity.caller->mayAccess("alice"));
        CPPUNIT_ASSERT(std::holds_alternative<RequestError>(Filter(workers_, operators_).stranger(signIn())));
    }

    void testSigningInIsForOwnPages() {
        CPPUNIT_ASSERT_EQUAL(200, signInStatus(signIn()));
        auto shown = signIn();
        shown.origin.reset();
        CPPUNIT_ASSERT_EQUAL(403, signInStatus(shown));
        shown.origin = "http://evil.example";
        CPPUNIT_ASSERT_EQUAL(403, signInStatus(shown));
        for (const char* host : {"localhost:50052", "127.0.0.1:50052", "evil.example"}) {
            const std::string origin = std::string("http://") + host;
            shown.host = host;
            shown.origin = origin;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(host, 421, signInStatus(shown));
        }
        shown = signIn();
        shown.fetchSite = "same-site";
        CPPUNIT_ASSERT_EQUAL(403, signInStatus(shown));
    }

    void testSigningInIsPaced() {
        const auto now = Filter::Clock::now();
        int let = 0;
        std::variant<Identity, RequestError> last = filter_.stranger(signIn(), now);
        while (std::holds_alternative<Identity>(last) && let < 1000) {
            last = filter_.stranger(signIn(), now);
            ++let;
        }
        const auto& refused = std::get<RequestError>(last);
        CPPUNIT_ASSERT_EQUAL(429, refused.status());
        CPPUNIT_ASSERT(refused.retryAfter().has_value());
        // Another address is not held to account for it, nor is one that comes from another page.
        auto other = signIn();
        other.peer = "192.0.2.2";
        CPPUNIT_ASSERT(std::holds_alternative<Identity>(filter_.stranger(other, now)));
        auto elsewhere = signIn();
        elsewhere.origin = "http://evil.example";
        CPPUNIT_ASSERT_EQUAL(403, std::get<RequestError>(filter_.stranger(elsewhere, now)).status());
    }

    void testSigningInReplacesASession() {
        auto shown = signIn();
        shown.cookie = cookie_;
        const auto identity = std::get<Identity>(filter_.stranger(shown));
        CPPUNIT_ASSERT(identity.browser == opened_.session);
        CPPUNIT_ASSERT(identity.isStranger());
        CPPUNIT_ASSERT(!std::get<Identity>(filter_.stranger(signIn())).browser);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FilterBrowsersTest);

}  // namespace sallyport::host::auth
