#include "host/http/admission.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/auth/database_fixture.h"

namespace sallyport::tests {

using namespace host;
using namespace host::http;

namespace {

RequestHead request(std::string method, std::string path) {
    RequestHead head;
    head.method = std::move(method);
    head.path = std::move(path);
    return head;
}

std::string headerOf(const Reply& reply, std::string_view name) {
    for (const auto& [other, value] : reply.headers()) {
        if (other == name) {
            return value;
        }
    }
    return {};
}

/// Comes from nowhere in particular.
class Nowhere final : public Transport {
public:
    [[nodiscard]] int descriptor() const noexcept override { return -1; }
    [[nodiscard]] Readiness onEvents(std::uint32_t /*events*/) override { return {}; }
    [[nodiscard]] Result read(std::span<char> /*into*/) override { return {}; }
    [[nodiscard]] Result write(std::span<const std::string_view> /*buffers*/) override { return {}; }
    void shutDownSending() override {}
    [[nodiscard]] bool peerHasClosed() override { return false; }
    [[nodiscard]] std::string peer() const override { return "192.0.2.1:50000"; }
};

std::shared_ptr<const Route> routeFor(Realm realm, std::string method, std::string pattern,
                                      std::string permission = {}, Body body = Body::none) {
    auto made = std::make_shared<Route>();
    made->realm = realm;
    made->method = std::move(method);
    made->pattern = std::move(pattern);
    made->permission = std::move(permission);
    made->body = body;
    return made;
}

}  // namespace

class AdmissionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AdmissionTest);
    CPPUNIT_TEST(testPublicAnswersNeedNoToken);
    CPPUNIT_TEST(testRealmsHaveTheirOwnPaths);
    CPPUNIT_TEST(testWorkersAreAuthenticatedByPathAndToken);
    CPPUNIT_TEST(testUndecodableJobIsNone);
    CPPUNIT_TEST(testRepeatedCredentialsAreRefused);
    CPPUNIT_TEST(testRefusalsCarryTheChallenge);
    CPPUNIT_TEST(testRoutesAndWhatIsNone);
    CPPUNIT_TEST(testPermissionsAreDemanded);
    CPPUNIT_TEST(testBodiesAreAdmittedByLengthAndType);
    CPPUNIT_TEST(testWhatAWorkerCannotDoWithoutIsNotPaced);
    CPPUNIT_TEST_SUITE_END();

    TemporaryDirectory directory_;
    TestStore store_{(directory_ / "sallyport.db").string()};
    auth::WorkerTokens workers_;
    auth::Operators operators_{store_};
    const auth::Filter filter_{workers_, operators_};
    const JobId job_ = JobId::random();
    const std::string token_ = auth::newToken();

    [[nodiscard]] std::variant<Authenticated, RequestError> worker(const std::string& path,
                                                                   const std::string& token) const {
        auto head = request("GET", path);
        head.headers.emplace_back("authorization", "Bearer " + token);
        return http::authenticate(filter_, Realm::worker, head, *pathInside(Realm::worker, head.path),
                                  Nowhere());
    }

    Authenticated operatorWith(Role role) {
        const auto created = operators_.create("t", "ann", role);
        auto head = request("GET", "/api/things");
        head.headers.emplace_back("authorization", "Bearer " + created.secret);
        return std::get<Authenticated>(
            http::authenticate(filter_, Realm::operators, head, "/things", Nowhere()));
    }

    static int statusOf(const std::variant<Authenticated, RequestError>& result) {
        const auto* error = std::get_if<RequestError>(&result);
        return error == nullptr ? 200 : error->status();
    }

public:
    void setUp() override {
        auto lease = std::make_shared<auth::Lease>();
        lease->job = job_;
        lease->user = "ann";
        lease->digest = auth::digest(token_);
        workers_.add(lease);
    }

    void testPublicAnswersNeedNoToken() {
        CPPUNIT_ASSERT_EQUAL(200, publicAnswer(request("GET", "/health"))->status());
        CPPUNIT_ASSERT_EQUAL(200, publicAnswer(request("HEAD", "/health"))->status());
        CPPUNIT_ASSERT_EQUAL(204, publicAnswer(request("OPTIONS", "/health"))->status());
        CPPUNIT_ASSERT_EQUAL(204, publicAnswer(request("OPTIONS", "*"))->status());
        const auto refused = publicAnswer(request("POST", "/health"));
        CPPUNIT_ASSERT_EQUAL(405, refused->status());
        CPPUNIT_ASSERT_EQUAL(std::string("GET, HEAD, OPTIONS"), headerOf(*refused, "Allow"));
        for (const char* path : {"/", "/healthy", "/health/", "/worker/x/health"}) {
            CPPUNIT_ASSERT_MESSAGE(path, !publicAnswer(request("GET", path)));
        }
    }

    void testRealmsHaveTheirOwnPaths() {
        CPPUNIT_ASSERT_EQUAL(std::string_view("/x/job"), *pathInside(Realm::worker, "/worker/x/job"));
        CPPUNIT_ASSERT_EQUAL(std::string_view("/jobs"), *pathInside(Realm::operators, "/api/jobs"));
        for (const char* path : {"/api/jobs", "/worker", "/workers/x", "/", "*"}) {
            CPPUNIT_ASSERT_MESSAGE(path, !pathInside(Realm::worker, path));
        }
        CPPUNIT_ASSERT(!pathInside(Realm::operators, "/worker/x/job"));
    }

    void testWorkersAreAuthenticatedByPathAndToken() {
        const auto good = worker("/worker/" + job_.str() + "/events/1", token_);
        CPPUNIT_ASSERT_EQUAL(std::string("/events/1"), std::get<Authenticated>(good).subpath);
        CPPUNIT_ASSERT(std::get<Authenticated>(good).identity.lease != nullptr);
        CPPUNIT_ASSERT_EQUAL(std::string(),
                             std::get<Authenticated>(worker("/worker/" + job_.str(), token_)).subpath);
        CPPUNIT_ASSERT_EQUAL(401, statusOf(worker("/worker/" + job_.str() + "/job", auth::newToken())));
        CPPUNIT_ASSERT_EQUAL(401, statusOf(worker("/worker/" + JobId::random().str() + "/job", token_)));
        CPPUNIT_ASSERT_EQUAL(400, statusOf(worker("/worker/nobody/job", token_)));
        CPPUNIT_ASSERT_EQUAL(400, statusOf(worker("/worker/", token_)));
    }

    void testUndecodableJobIsNone() {
        CPPUNIT_ASSERT_EQUAL(400, statusOf(worker("/worker/" + job_.str() + "%/job", token_)));
        CPPUNIT_ASSERT_EQUAL(400, statusOf(worker("/worker/" + job_.str() + "%2f/job", token_)));
    }

    void testRepeatedCredentialsAreRefused() {
        auto head = request("GET", "/worker/" + job_.str() + "/job");
        for (int i = 0; i < 2; ++i) {
            head.headers.emplace_back("authorization", "Bearer " + token_);
        }
        CPPUNIT_ASSERT_EQUAL(401,
                             statusOf(http::authenticate(filter_, Realm::worker, head,
                                                         *pathInside(Realm::worker, head.path), Nowhere())));
    }

    void testRefusalsCarryTheChallenge() {
        const auto denied = refusal(RequestError(401, "unauthorized", "no"));
        CPPUNIT_ASSERT_EQUAL(std::string("Bearer"), headerOf(denied, "WWW-Authenticate"));
        CPPUNIT_ASSERT_EQUAL(std::string(), headerOf(refusal(notFound("no")), "WWW-Authenticate"));
    }

    void testRoutesAndWhatIsNone() {
        const RouteTable routes({routeFor(Realm::operators, "GET", "/things"),
                                 routeFor(Realm::operators, "GET", "/things/{id}")});
        auto who = operatorWith(Role::viewer);
        const auto found = http::route(routes, Realm::operators, "GET", who);
        CPPUNIT_ASSERT(!found.answer);
        CPPUNIT_ASSERT_EQUAL(std::string("/things"), found.match.route->pattern);
        const auto wrongMethod = http::route(routes, Realm::operators, "PUT", who);
        CPPUNIT_ASSERT_EQUAL(405, wrongMethod.answer->status());
        CPPUNIT_ASSERT(headerOf(*wrongMethod.answer, "Allow").find("GET") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(204, http::route(routes, Realm::operators, "OPTIONS", who).answer->status());
        who.subpath = "/things/%zz";
        CPPUNIT_ASSERT_EQUAL(400, http::route(routes, Realm::operators, "GET", who).answer->status());
        who.subpath = "/nowhere";
        CPPUNIT_ASSERT_EQUAL(404, http::route(routes, Realm::operators, "GET", who).answer->status());
    }

    void testPermissionsAreDemanded() {
        const RouteTable routes({routeFor(Realm::operators, "GET", "/things", "tokens.read")});
        const auto denied = http::route(routes, Realm::operators, "GET", operatorWith(Role::user)).answer;
        CPPUNIT_ASSERT_EQUAL(403, denied->status());
        ASSERT_CONTAINS("'tokens.read'", std::get<Reply::Whole>(denied->content()).body);
        CPPUNIT_ASSERT(!http::route(routes, Realm::operators, "GET", operatorWith(Role::admin)).answer);
    }

    void testBodiesAreAdmittedByLengthAndType() {
        constexpr std::uint64_t limit = 1000;
        const auto json = routeFor(Realm::worker, "POST", "/x", {}, Body::json);
        const auto none = routeFor(Realm::worker, "GET", "/x");
        auto head = request("POST", "/x");
        CPPUNIT_ASSERT(!admitBody(head, *json, limit).refusal);
        head.framing = Framing::length;
        head.length = limit;
        CPPUNIT_ASSERT_EQUAL(415, admitBody(head, *json, limit).refusal->status());
        head.headers = {{"content-type", "application/+json"}};
        CPPUNIT_ASSERT_EQUAL(415, admitBody(head, *json, limit).refusal->status());
        head.headers = {{"content-type", "Application/JSON ; charset=utf-8"}};
        const auto admitted = admitBody(head, *json, limit);
        CPPUNIT_ASSERT(!admitted.refusal);
        CPPUNIT_ASSERT_EQUAL(limit, admitted.limit);
        head.length = limit + 1;
        CPPUNIT_ASSERT_EQUAL(413, admitBody(head, *json, limit).refusal->status());
        // What nobody wants is read nevertheless, if it is short.
        CPPUNIT_ASSERT(!admitBody(head, *none, limit).refusal);
        head.length = 100'000;
        CPPUNIT_ASSERT_EQUAL(413, admitBody(head, *none, limit).refusal->status());
        head.framing = Framing::chunked;
        head.headers.emplace_back("content-encoding", "gzip");
        CPPUNIT_ASSERT_EQUAL(415, admitBody(head, *json, limit).refusal->status());
    }

    void testWhatAWorkerCannotDoWithoutIsNotPaced() {
        for (const char* pattern : {"/job", "/credentials", "/prompt", "/status", "/complete"}) {
            CPPUNIT_ASSERT_MESSAGE(pattern, !isPaced(*routeFor(Realm::worker, "GET", pattern)));
        }
        for (const char* pattern : {"/event", "/llm/complete", "/jobs", "/job/x"}) {
            CPPUNIT_ASSERT_MESSAGE(pattern, isPaced(*routeFor(Realm::worker, "POST", pattern)));
        }
        CPPUNIT_ASSERT(!isPaced(*routeFor(Realm::operators, "GET", "/jobs")));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AdmissionTest);

}  // namespace sallyport::tests
