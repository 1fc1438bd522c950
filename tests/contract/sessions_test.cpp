// CONTRACT §8: a browser session is an operator's token by other means.
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

namespace {

/// A page that the daemon served, and what its browser keeps.
struct Browser {
    std::string host;
    std::string cookie{};
    std::string csrfToken{};

    [[nodiscard]] std::string origin() const { return "http://" + host; }

    /// A request as the browser sends it for the page.
    [[nodiscard]] Request request(const std::string& method, const std::string& target) const {
        Request made(method, target);
        made.withoutHost().header("Host", host).header("Sec-Fetch-Site", "same-origin");
        if (!cookie.empty()) {
            made.header("Cookie", cookie);
        }
        if (method != "GET" && method != "HEAD") {
            made.header("Origin", origin());
        }
        return made;
    }
    /// The same with what the page adds to change something.
    [[nodiscard]] Request changing(const std::string& method, const std::string& target,
                                   const std::string& json = "{}") const {
        return request(method, target).header("X-CSRF-Token", csrfToken).json(json);
    }
};

std::string consoleOf(const Daemon& daemon) {
    return "sallyport.localhost:" + std::to_string(daemon.operators().port());
}

Response signIn(const Daemon& daemon, const std::string& body) {
    return exchange(daemon.operators(),
                    Browser{consoleOf(daemon)}.request("POST", "/api/session").json(body));
}

std::string tokenBody(const std::string& token) {
    return R"({"token":")" + token + R"("})";
}

/// A browser that has signed in.
Browser signedIn(const Daemon& daemon, const std::string& token) {
    const Response answer = signIn(daemon, tokenBody(token));
    ASSERT_STATUS(201, answer);
    Browser browser{consoleOf(daemon)};
    const std::string set = answer.header("set-cookie");
    browser.cookie = set.substr(0, set.find(';'));
    browser.csrfToken = answer.at("csrf_token");
    return browser;
}

/// A stream of events in that browser.
class Stream {
public:
    Stream(const Daemon& daemon, const Browser& browser) : connection_(daemon.operators()) {
        connection_.send(browser.request("GET", "/api/events").bytes());
        ASSERT_STATUS(200, connection_.receiveHead());
    }
    /// Waits for it. @throws TimedOut
    void awaitEnd() { connection_.receiveUntilClosed(); }

private:
    Connection connection_;
};

}  // namespace

class SessionsTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(SessionsTest);
    CPPUNIT_TEST(testTokenIsExchangedForASession);
    CPPUNIT_TEST(testCodeIsExchangedOnce);
    CPPUNIT_TEST(testWhoseTokenItIsDecidesWhatItMay);
    CPPUNIT_TEST(testSignInRefusesWhatIsNoTokenAndNoCode);
    CPPUNIT_TEST(testSignInRefusesOtherPagesAndOtherNames);
    CPPUNIT_TEST(testSignInIsPaced);
    CPPUNIT_TEST(testWhoTriesToSignInStaysAStranger);
    CPPUNIT_TEST(testChangesNeedTheSessionsToken);
    CPPUNIT_TEST(testOtherPagesAreRefused);
    CPPUNIT_TEST(testCookieCountsUnderItsOwnNamesAlone);
    CPPUNIT_TEST(testWorkerDoorTakesNoCookie);
    CPPUNIT_TEST(testBearersKeepTheirHost);
    CPPUNIT_TEST(testBearersSeeWhoTheyAre);
    CPPUNIT_TEST(testSigningOutEndsTheSessionAndItsStreams);
    CPPUNIT_TEST(testSigningInAgainReplacesTheSession);
    CPPUNIT_TEST(testRevokingTheTokenEndsItsSessionsAndStreams);
    CPPUNIT_TEST(testLifetimeEndsTheSessionAndItsStreams);
    CPPUNIT_TEST(testOldestSessionGivesWay);
    CPPUNIT_TEST(testRestartEndsSessions);
    CPPUNIT_TEST(testOtherNamesAreConfigured);
    CPPUNIT_TEST(testFilesAreForTheDoorsOwnNames);
    CPPUNIT_TEST_SUITE_END();

    /// One request on a connection of its own.
    static Response ask(const Request& request) { return exchange(daemon().operators(), request); }

    static std::string userToken() {
        static const std::string token = createToken(daemon(), "browsing", "user");
        return token;
    }

    /// A new token, by its id and secret.
    std::pair<std::string, std::string> freshToken() {
        const Response made = admin().post("/tokens", R"({"name":"b","user_id":"browsing","role":"user"})");
        ASSERT_STATUS(201, made);
        return {made.at("token_id"), made.at("token")};
    }

    /// A session of a daemon that soon ends it.
    static void endsByItself(const Daemon& soon) {
        for (;;) {
            const Browser browser = signedIn(soon, soon.operatorToken());
            Connection connection(soon.operators());
            connection.send(browser.request("GET", "/api/events").bytes());
            // On a slow machine it may have ended before it was used.
            if (connection.receiveHead().status == 200) {
                connection.receiveUntilClosed();
                ASSERT_UNAUTHORIZED(exchange(soon.operators(), browser.request("GET", "/api/jobs")));
                return;
            }
        }
    }

public:
    void testTokenIsExchangedForASession() {
        const Response answer = signIn(daemon(), tokenBody(userToken()));
        ASSERT_STATUS(201, answer);
        ASSERT_FIELD("browsing", answer, "user_id");
        ASSERT_FIELD("user", answer, "role");
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, answer.at("csrf_token").size());
        ASSERT_FIELD("7200", answer, "idle_timeout_seconds");
        ASSERT_CONTAINS("\"jobs.write\"", answer.raw("permissions"));
        ASSERT_LACKS("tokens.write", answer.raw("permissions"));
        CPPUNIT_ASSERT_EQUAL(std::string("no-store"), answer.header("cache-control"));
        const std::string cookie = answer.header("set-cookie");
        CPPUNIT_ASSERT(cookie.starts_with("sallyport_session="));
        for (const char* attribute : {"; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age=43200"}) {
            ASSERT_CONTAINS(attribute, cookie);
        }
        for (const char* attribute : {"Secure", "Domain", "__Host-"}) {
            ASSERT_LACKS(attribute, cookie);
        }
        ASSERT_LACKS(userToken(), cookie);
        ASSERT_LACKS(userToken(), answer.body);

        const Browser browser = signedIn(daemon(), userToken());
        const Response shown = ask(browser.request("GET", "/api/session"));
        ASSERT_STATUS(200, shown);
        ASSERT_FIELD(browser.csrfToken, shown, "csrf_token");
        ASSERT_FIELD("browsing", shown, "user_id");
        CPPUNIT_ASSERT(shown.at("expires_at").ends_with("Z"));
        ASSERT_STATUS(200, ask(browser.request("GET", "/api/jobs")));
        ASSERT_STATUS(201, ask(browser.changing("POST", "/api/jobs", R"({"task":"t"})")));
    }

    void testCodeIsExchangedOnce() {
        Client user = operatorClient(daemon(), userToken());
        const Response made = user.post("/session/codes", "{}");
        ASSERT_STATUS(201, made);
        CPPUNIT_ASSERT_EQUAL(std::string("no-store"), made.header("cache-control"));
        const std::string body = R"({"code":")" + made.at("code") + R"("})";
        const Response answer = signIn(daemon(), body);
        ASSERT_STATUS(201, answer);
        ASSERT_FIELD("browsing", answer, "user_id");
        ASSERT_FIELD("user", answer, "role");
        ASSERT_UNAUTHORIZED(signIn(daemon(), body));
        // It is neither a token, nor is a token a code.
        const Response other = user.post("/session/codes", "{}");
        ASSERT_UNAUTHORIZED(signIn(daemon(), tokenBody(other.at("code"))));
        ASSERT_UNAUTHORIZED(operatorClient(daemon(), other.at("code")).get("/jobs"));
        ASSERT_UNAUTHORIZED(signIn(daemon(), R"({"code":")" + userToken() + R"("})"));
        // A session hands nothing on, or it would outlive its end.
        const Browser browser = signedIn(daemon(), userToken());
        ASSERT_ERROR(409, "is_session", ask(browser.changing("POST", "/api/session/codes")));
        ASSERT_UNAUTHORIZED(exchange(daemon().operators(), Request("POST", "/api/session/codes").json("{}")));
    }

    void testWhoseTokenItIsDecidesWhatItMay() {
        const Browser viewer = signedIn(daemon(), createToken(daemon(), "looking", "viewer"));
        const CreatedJob job = createJob(admin(), R"({"task":"t","user_id":"browsing"})");
        ASSERT_ERROR(404, "not_found", ask(viewer.request("GET", "/api/jobs/" + job.id)));
        const Response refused = ask(viewer.changing("POST", "/api/jobs", R"({"task":"t"})"));
        ASSERT_ERROR(403, "forbidden", refused);
        ASSERT_CONTAINS("'jobs.write'", refused.at("error.message"));
        ASSERT_STATUS(200, ask(signedIn(daemon(), userToken()).request("GET", "/api/jobs/" + job.id)));
    }

    void testSignInRefusesWhatIsNoTokenAndNoCode() {
        ASSERT_UNAUTHORIZED(signIn(daemon(), tokenBody(std::string(64, '0'))));
        ASSERT_UNAUTHORIZED(signIn(daemon(), tokenBody("")));
        ASSERT_UNAUTHORIZED(signIn(daemon(), R"({"code":"x"})"));
        const CreatedJob job = createJob(admin());
        ASSERT_UNAUTHORIZED(signIn(daemon(), tokenBody(job.token)));
        ASSERT_INVALID_FIELD("token", signIn(daemon(), "{}"));
        ASSERT_INVALID_FIELD("token", signIn(daemon(), R"({"token":"a","code":"b"})"));
        ASSERT_INVALID_FIELD("token", signIn(daemon(), R"({"token":1})"));
        ASSERT_REFUSED(400, signIn(daemon(), "{"));
        ASSERT_REFUSED(413, signIn(daemon(), tokenBody(std::string(5000, 'a'))));
        const Browser browser{consoleOf(daemon())};
        ASSERT_REFUSED(415, ask(browser.request("POST", "/api/session").body("text/plain", "{}")));
        for (const char* method : {"GET", "DELETE", "PUT", "OPTIONS"}) {
            ASSERT_UNAUTHORIZED(ask(browser.request(method, "/api/session")));
        }
        ASSERT_UNAUTHORIZED(ask(browser.request("POST", "/api/session/").json("{}")));
    }

    void testSignInRefusesOtherPagesAndOtherNames() {
        const std::string body = tokenBody(userToken());
        const auto from = [&](const std::string& host, const std::string& origin) {
            return ask(Request("POST", "/api/session")
                           .withoutHost()
                           .header("Host", host)
                           .header("Origin", origin)
                           .json(body));
        };
        const std::string own = consoleOf(daemon());
        const std::string port = own.substr(own.find(':'));
        ASSERT_ERROR(403, "cross_origin", from(own, "http://localhost:3000"));
        ASSERT_ERROR(403, "cross_origin", from(own, "http://sallyport.localhost:3000"));
        ASSERT_ERROR(403, "cross_origin", from(own, "null"));
        ASSERT_ERROR(403, "cross_origin",
                     ask(Request("POST", "/api/session").withoutHost().header("Host", own).json(body)));
        ASSERT_ERROR(
            403, "cross_origin",
            ask(Browser{own}.request("POST", "/api/session").header("Origin", "http://" + own).json(body)));
        for (const std::string& host : {"evil.example" + port, "localhost" + port, "127.0.0.1" + port,
                                        "x.sallyport.localhost" + port}) {
            const Response refused = from(host, "http://" + host);
            ASSERT_ERROR(421, "misdirected", refused);
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, refused.count("set-cookie"));
        }
        ASSERT_STATUS(201, from(own, "http://" + own));
    }

    void testSignInIsPaced() {
        // Every other test would have to wait for it.
        Daemon own;
        Response answer;
        int attempts = 0;
        do {
            answer = signIn(own, tokenBody(std::string(64, '0')));
        } while (answer.status == 401 && ++attempts < 1000);
        ASSERT_ERROR(429, "rate_limited", answer);
        CPPUNIT_ASSERT(!answer.header("retry-after").empty());
        // Who has a token is not kept from anything.
        ASSERT_STATUS(200, operatorClient(own).get("/jobs"));
    }

    void testWhoTriesToSignInStaysAStranger() {
        Daemon& hasty = sharedDaemon({{"http.anonymous_timeout", "3s"}});
        Connection connection(hasty.operators());
        const Browser browser{consoleOf(hasty)};
        ASSERT_UNAUTHORIZED(connection.exchange(
            browser.request("POST", "/api/session").json(tokenBody(std::string(64, '0')))));
        CPPUNIT_ASSERT(connection.closedByPeer());
    }

    void testChangesNeedTheSessionsToken() {
        const Browser browser = signedIn(daemon(), userToken());
        const Browser other = signedIn(daemon(), userToken());
        const std::string job = R"({"task":"t"})";
        ASSERT_ERROR(403, "csrf_token", ask(browser.request("POST", "/api/jobs").json(job)));
        ASSERT_ERROR(
            403, "csrf_token",
            ask(browser.request("POST", "/api/jobs").header("X-CSRF-Token", other.csrfToken).json(job)));
        ASSERT_ERROR(403, "csrf_token", ask(browser.request("DELETE", "/api/session")));
        ASSERT_STATUS(201, ask(browser.changing("POST", "/api/jobs", job)));
    }

    void testOtherPagesAreRefused() {
        const Browser browser = signedIn(daemon(), userToken());
        const auto with = [&](const std::string& method, const std::string& name, const std::string& value) {
            Request request(method, "/api/jobs");
            request.withoutHost().header("Host", browser.host).header("Cookie", browser.cookie);
            request.header("X-CSRF-Token", browser.csrfToken).json(R"({"task":"t"})");
            return ask(request.header(name, value));
        };
        ASSERT_ERROR(403, "cross_origin", with("POST", "Origin", "http://localhost:3000"));
        ASSERT_ERROR(403, "cross_origin", with("POST", "Origin", "null"));
        ASSERT_ERROR(403, "cross_origin", with("POST", "X-Other", "x"));
        ASSERT_ERROR(403, "cross_origin", with("GET", "Origin", "http://localhost:3000"));
        ASSERT_ERROR(403, "cross_origin", with("GET", "Sec-Fetch-Site", "same-site"));
        ASSERT_STATUS(200, with("GET", "X-Other", "x"));
        ASSERT_STATUS(201, with("POST", "Origin", browser.origin()));
    }

    void testCookieCountsUnderItsOwnNamesAlone() {
        Browser browser = signedIn(daemon(), userToken());
        const std::string port = browser.host.substr(browser.host.find(':'));
        for (const std::string& host :
             {"localhost" + port, "127.0.0.1" + port, std::string("evil.example")}) {
            browser.host = host;
            ASSERT_ERROR(421, "misdirected", ask(browser.request("GET", "/api/jobs")));
        }
        browser.host = "sallyport.localhost" + port;
        ASSERT_STATUS(200, ask(browser.request("GET", "/api/jobs")));
        browser.cookie += "; " + browser.cookie;
        ASSERT_UNAUTHORIZED(ask(browser.request("GET", "/api/jobs")));
    }

    void testWorkerDoorTakesNoCookie() {
        const Browser browser = signedIn(daemon(), userToken());
        const CreatedJob job = createJob(admin(), R"({"task":"t","user_id":"browsing"})");
        ASSERT_UNAUTHORIZED(
            exchange(daemon().worker(), browser.request("GET", "/worker/" + job.id + "/job")));
        ASSERT_REFUSED(404, exchange(daemon().worker(), browser.request("GET", "/api/session")));
        ASSERT_REFUSED(404, exchange(daemon().worker(),
                                     browser.request("POST", "/api/session").json(tokenBody(userToken()))));
    }

    void testBearersKeepTheirHost() {
        const auto as = [](const std::string& host) {
            return Request("GET", "/api/jobs").withoutHost().header("Host", host).bearer(userToken());
        };
        for (const char* host : {"a", "evil.example", "localhost", "127.0.0.1:50052"}) {
            ASSERT_STATUS(200, ask(as(host)));
        }
        // Unless a page sent it, which has to have been served under that name.
        ASSERT_ERROR(421, "misdirected", ask(as("evil.example").header("Origin", "http://evil.example")));
        ASSERT_ERROR(421, "misdirected", ask(as("evil.example").header("Sec-Fetch-Site", "same-origin")));
        ASSERT_STATUS(200, ask(as("localhost:50052").header("Origin", "http://localhost:50052")));
        ASSERT_STATUS(200, ask(Request("GET", "/health").withoutHost().header("Host", "a")));
        ASSERT_UNAUTHORIZED(ask(Request("GET", "/api/jobs").withoutHost().header("Host", "evil.example")));
    }

    void testBearersSeeWhoTheyAre() {
        Client user = operatorClient(daemon(), userToken());
        const Response shown = user.get("/session");
        ASSERT_STATUS(200, shown);
        ASSERT_FIELD("browsing", shown, "user_id");
        ASSERT_FIELD("null", shown, "csrf_token");
        ASSERT_FIELD("null", shown, "expires_at");
        ASSERT_ERROR(409, "no_session", user.remove("/session"));
        for (const char* role : {"viewer", "admin", "auditor", "runner"}) {
            ASSERT_FIELD(role, operatorClient(daemon(), createToken(daemon(), "x", role)).get("/session"),
                         "role");
        }
    }

    void testSigningOutEndsTheSessionAndItsStreams() {
        const Browser browser = signedIn(daemon(), userToken());
        const Browser other = signedIn(daemon(), userToken());
        Stream stream(daemon(), browser);
        const Response out = ask(browser.changing("DELETE", "/api/session"));
        ASSERT_STATUS(200, out);
        ASSERT_FIELD("signed_out", out, "status");
        ASSERT_CONTAINS("sallyport_session=;", out.header("set-cookie"));
        ASSERT_CONTAINS("Max-Age=0", out.header("set-cookie"));
        stream.awaitEnd();
        ASSERT_UNAUTHORIZED(ask(browser.request("GET", "/api/jobs")));
        ASSERT_STATUS(200, ask(other.request("GET", "/api/jobs")));
        ASSERT_STATUS(200, operatorClient(daemon(), userToken()).get("/jobs"));
    }

    void testSigningInAgainReplacesTheSession() {
        const Browser browser = signedIn(daemon(), userToken());
        ASSERT_STATUS(201, ask(browser.request("POST", "/api/session").json(tokenBody(userToken()))));
        ASSERT_UNAUTHORIZED(ask(browser.request("GET", "/api/jobs")));
    }

    void testRevokingTheTokenEndsItsSessionsAndStreams() {
        const auto [id, token] = freshToken();
        const Browser browser = signedIn(daemon(), token);
        const std::string code = operatorClient(daemon(), token).post("/session/codes", "{}").at("code");
        Stream stream(daemon(), browser);
        ASSERT_STATUS(200, admin().remove("/tokens/" + id));
        ASSERT_UNAUTHORIZED(ask(browser.request("GET", "/api/jobs")));
        stream.awaitEnd();
        ASSERT_UNAUTHORIZED(signIn(daemon(), R"({"code":")" + code + R"("})"));
    }

    void testLifetimeEndsTheSessionAndItsStreams() {
        endsByItself(sharedDaemon({{"session.lifetime", "1s"}}));
        endsByItself(sharedDaemon({{"session.idle_timeout", "1s"}}));
    }

    void testOldestSessionGivesWay() {
        Daemon& few = sharedDaemon({{"session.max_per_token", "2"}});
        const Browser first = signedIn(few, few.operatorToken());
        Stream stream(few, first);
        const Browser second = signedIn(few, few.operatorToken());
        const Browser third = signedIn(few, few.operatorToken());
        stream.awaitEnd();
        ASSERT_UNAUTHORIZED(exchange(few.operators(), first.request("GET", "/api/jobs")));
        ASSERT_STATUS(200, exchange(few.operators(), second.request("GET", "/api/jobs")));
        ASSERT_STATUS(200, exchange(few.operators(), third.request("GET", "/api/jobs")));
    }

    void testRestartEndsSessions() {
        Daemon own;
        Browser browser = signedIn(own, own.operatorToken());
        own.terminate();
        own.start();
        browser.host = consoleOf(own);
        ASSERT_UNAUTHORIZED(exchange(own.operators(), browser.request("GET", "/api/jobs")));
        ASSERT_STATUS(200, operatorClient(own).get("/jobs"));
    }

    void testOtherNamesAreConfigured() {
        Daemon& named = sharedDaemon({{"operator.hosts", "console.example, 192.0.2.7"}});
        for (const std::string host : {"console.example", "Console.Example:8443", "192.0.2.7"}) {
            const Browser browser{host};
            const Response answer =
                exchange(named.operators(),
                         browser.request("POST", "/api/session").json(tokenBody(named.operatorToken())));
            ASSERT_STATUS(201, answer);
        }
        const Browser other{"other.example"};
        ASSERT_ERROR(421, "misdirected",
                     exchange(named.operators(),
                              other.request("POST", "/api/session").json(tokenBody(named.operatorToken()))));
    }

    void testFilesAreForTheDoorsOwnNames() {
        const TemporaryDirectory assets;
        const PluginFiles plugins;
        std::filesystem::create_directory(assets / "pages");
        writeFile(assets / "pages/index.html", "<p>Hello");
        plugins.install("pages");
        Daemon own({.settings = {{"plugins.assets", assets.path().string()},
                                 {"plugins.dir", plugins.path().string()}}});
        const auto page = [&](const std::string& host) {
            return exchange(own.operators(), Request("GET", "/pages/").withoutHost().header("Host", host));
        };
        for (const char* host : {"sallyport.localhost", "localhost:1", "127.0.0.1"}) {
            ASSERT_STATUS(200, page(host));
        }
        ASSERT_ERROR(421, "misdirected", page("evil.example"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionsTest);

}  // namespace sallyport::tests
