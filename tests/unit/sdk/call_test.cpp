#include <memory>
#include <optional>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/call.h>
#include <sallyport/errors.h>
#include <sallyport/permission.h>

#include "host/auth/filter.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/auth/database_fixture.h"

namespace sallyport {
namespace {

using host::auth::Identity;

/// What a call is refused with: its status and code.
template <class Access>
std::string callRefusal(const Access& access) {
    try {
        static_cast<void>(access());
    } catch (const RequestError& error) {
        return std::to_string(error.status()) + " " + error.code();
    }
    return "accepted";
}

class CallTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CallTest);
    CPPUNIT_TEST(testParts);
    CPPUNIT_TEST(testHeaderInAnyCase);
    CPPUNIT_TEST(testQuery);
    CPPUNIT_TEST(testQueryInteger);
    CPPUNIT_TEST(testQueryIntegerSaysWhatIsWanted);
    CPPUNIT_TEST(testJobIdOfWorker);
    CPPUNIT_TEST(testJobIdOfOperator);
    CPPUNIT_TEST(testJsonContentType);
    CPPUNIT_TEST(testJsonRefusals);
    CPPUNIT_TEST(testJsonDepth);
    CPPUNIT_TEST(testJsonMembers);
    CPPUNIT_TEST(testOptionalJson);
    CPPUNIT_TEST(testShare);
    CPPUNIT_TEST(testMayAccess);
    CPPUNIT_TEST(testMay);
    CPPUNIT_TEST(testRoleNames);
    CPPUNIT_TEST_SUITE_END();

    tests::TemporaryDirectory directory_;
    tests::TestStore store_{(directory_ / "sallyport.db").string()};
    host::auth::WorkerTokens workers_;
    host::auth::Operators operators_{store_};
    host::auth::Filter filter_{workers_, operators_};
    const JobId job_ = JobId::random();
    const Identity worker_ = workerIdentity();
    const Identity alice_ = operatorIdentity("alice", Role::user);
    const Identity admin_ = operatorIdentity("default", Role::admin);

    Identity workerIdentity() {
        const std::string token = host::auth::newToken();
        auto lease = std::make_shared<host::auth::Lease>();
        lease->job = job_;
        lease->user = "alice";
        lease->digest = host::auth::digest(token);
        workers_.add(lease);
        return std::get<Identity>(filter_.worker(job_.str(), {"Bearer " + token, std::nullopt}));
    }

    Identity operatorIdentity(const std::string& user, Role role) {
        const std::string token = operators_.create("test", user, role).secret;
        return std::get<Identity>(filter_.operators({"Bearer " + token, std::nullopt}));
    }

    [[nodiscard]] std::shared_ptr<Call> make(Call::Parts parts) const {
        return std::make_shared<Call>(*worker_.caller, std::move(parts));
    }
    [[nodiscard]] std::shared_ptr<Call> withQuery(std::string query) const {
        Call::Parts parts;
        parts.query = std::move(query);
        return make(std::move(parts));
    }
    [[nodiscard]] std::shared_ptr<Call> withBody(std::string body, std::string contentType) const {
        Call::Parts parts;
        parts.headers = {{"content-type", std::move(contentType)}};
        parts.body = std::move(body);
        return make(std::move(parts));
    }

    void testParts() {
        Call::Parts parts;
        parts.method = "GET";
        parts.path = "/worker/x/a%20b";
        parts.query = "q=%20";
        parts.params = {{"name", "a b"}};
        parts.body = "body";
        parts.requestId = "r1";
        const auto call = make(std::move(parts));
        CPPUNIT_ASSERT_EQUAL(std::string("GET"), call->method());
        CPPUNIT_ASSERT_EQUAL(std::string("/worker/x/a%20b"), call->path());
        CPPUNIT_ASSERT_EQUAL(std::string("q=%20"), call->rawQuery());
        CPPUNIT_ASSERT_EQUAL(std::string("a b"), std::string(call->param("name")));
        CPPUNIT_ASSERT(call->param("other").empty());
        CPPUNIT_ASSERT_EQUAL(std::string("body"), call->body());
        CPPUNIT_ASSERT_EQUAL(std::string("r1"), call->requestId());
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), call->caller().user());
    }

    void testHeaderInAnyCase() {
        Call::Parts parts;
        parts.headers = {{"last-event-id", "7"}, {"last-event-id", "8"}};
        const auto call = make(std::move(parts));
        CPPUNIT_ASSERT_EQUAL(std::string("7"), std::string(call->header("Last-Event-ID").value()));
        CPPUNIT_ASSERT(!call->header("Last-Event"));
    }

    void testQuery() {
        const auto call = withQuery("a=1&b=x+y%2Bz&a=2&flag&e=&%6Eame=v&&bad=%zz%4&eq=1=2");
        CPPUNIT_ASSERT_EQUAL(std::string("1"), call->query("a").value());
        CPPUNIT_ASSERT_EQUAL(std::string("x y+z"), call->query("b").value());
        CPPUNIT_ASSERT_EQUAL(std::string(), call->query("flag").value());
        CPPUNIT_ASSERT_EQUAL(std::string(), call->query("e").value());
        CPPUNIT_ASSERT_EQUAL(std::string("v"), call->query("name").value());
        CPPUNIT_ASSERT_EQUAL(std::string("%zz%4"), call->query("bad").value());
        CPPUNIT_ASSERT_EQUAL(std::string("1=2"), call->query("eq").value());
        CPPUNIT_ASSERT(!call->query("c") && !call->query("") && !withQuery("")->query("a"));
    }

    void testQueryInteger() {
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, withQuery("n=5")->queryInteger("n", 0, 10, 3));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, withQuery("m=5")->queryInteger("n", 0, 10, 3));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-1}, withQuery("n=-1")->queryInteger("n", -1, 10, 3));
        for (const char* query : {"n=", "n", "n=11", "n=-1", "n=5x", "n=+5", "n= 5", "n=0x5", "n=1.0",
                                  "n=99999999999999999999"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(query, std::string("400 bad_request"), callRefusal([&] {
                                             return withQuery(query)->queryInteger("n", 0, 10, 3);
                                         }));
        }
    }

    void testQueryIntegerSaysWhatIsWanted() {
        try {
            static_cast<void>(withQuery("limit=0")->queryInteger("limit", 1, 200, 50));
            CPPUNIT_FAIL("accepted");
        } catch (const RequestError& error) {
            CPPUNIT_ASSERT_EQUAL(std::string("query parameter 'limit' must be an integer from 1 to 200"),
                                 std::string(error.what()));
        }
    }

    void testJobIdOfWorker() {
        Call::Parts parts;
        parts.params = {{"job_id", JobId::random().str()}};
        CPPUNIT_ASSERT(make(std::move(parts))->jobId() == job_);
    }

    void testJobIdOfOperator() {
        const JobId other = JobId::random();
        const auto with = [&](std::string segment) {
            Call::Parts parts;
            parts.params = {{"job_id", std::move(segment)}};
            return std::make_shared<Call>(*alice_.caller, std::move(parts));
        };
        CPPUNIT_ASSERT(with(other.str())->jobId() == other);
        CPPUNIT_ASSERT(with("{" + other.str() + "}")->jobId() == other);
        CPPUNIT_ASSERT_EQUAL(std::string("400 bad_request"), callRefusal([&] { return with("7")->jobId(); }));
    }

    void testJsonContentType() {
        for (const char* type :
             {"application/json", "Application/JSON", "application/json; charset=utf-8",
              " application/json ;x=y", "application/problem+json", "application/vnd.x+JSON;v=1"}) {
            const auto call = withBody(R"({"a":1})", type);
            CPPUNIT_ASSERT_MESSAGE(type, call->json().find("a") != nullptr);
        }
        for (const char* type :
             {"", ";", "text/json", "application/jsonp", "application/json5", "application/+json",
              "application/", "json", "text/plain; application/json", "application/x-www-form-urlencoded"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(type, std::string("415 unsupported_media_type"),
                                         callRefusal([&] { return withBody("{}", type)->json(); }));
        }
        Call::Parts none;
        none.body = "{}";
        CPPUNIT_ASSERT_EQUAL(std::string("415 unsupported_media_type"),
                             callRefusal([call = make(std::move(none))] { return call->json(); }));
    }

    void testJsonRefusals() {
        const auto with = [&](const char* body) {
            return callRefusal([&] { return withBody(body, "application/json")->json(); });
        };
        CPPUNIT_ASSERT_EQUAL(std::string("400 invalid_json"), with(""));
        CPPUNIT_ASSERT_EQUAL(std::string("400 invalid_json"), with("{\"a\":}"));
        CPPUNIT_ASSERT_EQUAL(std::string("422 invalid_body"), with("[1]"));
        CPPUNIT_ASSERT_EQUAL(std::string("422 invalid_body"), with("null"));
        CPPUNIT_ASSERT_EQUAL(std::string("accepted"), with(" {} "));
    }

    void testJsonDepth() {
        Call::Parts parts;
        parts.headers = {{"content-type", "application/json"}};
        parts.body = R"({"a":[[1]]})";
        parts.maxJsonDepth = 2;
        Call::Parts deeper = parts;
        deeper.maxJsonDepth = 3;
        CPPUNIT_ASSERT_EQUAL(std::string("400 invalid_json"),
                             callRefusal([call = make(std::move(parts))] { return call->json(); }));
        CPPUNIT_ASSERT_EQUAL(std::string("accepted"),
                             callRefusal([call = make(std::move(deeper))] { return call->json(); }));
    }

    void testJsonMembers() {
        Call::Parts parts;
        parts.headers = {{"content-type", "application/json"}};
        parts.body = R"({"a":[1,{"b":2}]})";
        parts.maxJsonMembers = 3;
        Call::Parts more = parts;
        more.maxJsonMembers = 4;
        CPPUNIT_ASSERT_EQUAL(std::string("422 too_many_members"),
                             callRefusal([call = make(std::move(parts))] { return call->json(); }));
        CPPUNIT_ASSERT_EQUAL(std::string("accepted"),
                             callRefusal([call = make(std::move(more))] { return call->json(); }));
    }

    void testOptionalJson() {
        CPPUNIT_ASSERT(!withBody("", "text/plain")->optionalJson());
        CPPUNIT_ASSERT(!make({})->optionalJson());
        CPPUNIT_ASSERT(withBody("{}", "application/json")->optionalJson().has_value());
        CPPUNIT_ASSERT_EQUAL(std::string("415 unsupported_media_type"),
                             callRefusal([&] { return withBody("{}", "text/plain")->optionalJson(); }));
        CPPUNIT_ASSERT_EQUAL(std::string("400 invalid_json"),
                             callRefusal([&] { return withBody(" ", "application/json")->optionalJson(); }));
    }

    void testShare() {
        auto call = withBody("kept", "text/plain");
        const std::shared_ptr<const Call> kept = call->share();
        call.reset();
        CPPUNIT_ASSERT_EQUAL(std::string("kept"), kept->body());
    }

    void testMayAccess() {
        CPPUNIT_ASSERT(alice_.caller->mayAccess("alice"));
        CPPUNIT_ASSERT(!alice_.caller->mayAccess("bob"));
        CPPUNIT_ASSERT(!alice_.caller->mayAccess(""));
        CPPUNIT_ASSERT(admin_.caller->mayAccess("bob"));
        CPPUNIT_ASSERT(worker_.caller->mayAccess("alice"));
        CPPUNIT_ASSERT(!worker_.caller->mayAccess("bob"));
    }

    void testRoleNames() {
        CPPUNIT_ASSERT_EQUAL(std::string("viewer"), std::string(name(Role::viewer)));
        CPPUNIT_ASSERT_EQUAL(std::string("user"), std::string(name(Role::user)));
        CPPUNIT_ASSERT_EQUAL(std::string("admin"), std::string(name(Role::admin)));
        CPPUNIT_ASSERT_EQUAL(std::string("auditor"), std::string(name(Role::auditor)));
        CPPUNIT_ASSERT_EQUAL(std::string("runner"), std::string(name(Role::runner)));
    }

    void testMay() {
        CPPUNIT_ASSERT(alice_.caller->may(permission::jobsWrite));
        CPPUNIT_ASSERT(!alice_.caller->may(permission::tokensWrite));
        CPPUNIT_ASSERT(admin_.caller->may(permission::tokensWrite));
        CPPUNIT_ASSERT(alice_.caller->may("notes.write"));
        CPPUNIT_ASSERT(!alice_.caller->may("notes.admin"));
        CPPUNIT_ASSERT(!worker_.caller->may(permission::jobsRead));
        CPPUNIT_ASSERT(operatorIdentity("ada", Role::auditor).caller->mayAccess("bob"));
        CPPUNIT_ASSERT(!operatorIdentity("vic", Role::viewer).caller->mayAccess("bob"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CallTest);

}  // namespace
}  // namespace sallyport
