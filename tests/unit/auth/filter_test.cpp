#include "host/auth/filter.h"

#include <atomic>
#include <thread>
#include <type_traits>

#include <cppunit/extensions/HelperMacros.h>
#include <openssl/evp.h>

#include <sallyport/permission.h>
#include <sallyport/timestamp.h>

#include "host/auth/permissions.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/auth/database_fixture.h"

namespace sallyport::host::auth {
namespace {

static_assert(!std::is_constructible_v<Caller, Realm, std::string, JobId, const PermissionSet&>,
              "only the filter makes a caller");
static_assert(!std::is_copy_constructible_v<Caller> && !std::is_move_constructible_v<Caller>,
              "and nobody copies one");

using Outcome = std::variant<Identity, RequestError>;

class FilterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FilterTest);
    CPPUNIT_TEST(testWorker);
    CPPUNIT_TEST(testEveryFormOfJobId);
    CPPUNIT_TEST(testJobIdIsCheckedFirst);
    CPPUNIT_TEST(testNoToken);
    CPPUNIT_TEST(testSchemeInAnyCase);
    CPPUNIT_TEST(testMalformedAuthorization);
    CPPUNIT_TEST(testMalformedApiKey);
    CPPUNIT_TEST(testMegabyteToken);
    CPPUNIT_TEST(testApiKey);
    CPPUNIT_TEST(testEitherHeaderSuffices);
    CPPUNIT_TEST(testRepeatedHeader);
    CPPUNIT_TEST(testTokenOfOtherJob);
    CPPUNIT_TEST(testUnknownJobLooksLikeWrongToken);
    CPPUNIT_TEST(testRevoked);
    CPPUNIT_TEST(testRevokedLeaseStillListed);
    CPPUNIT_TEST(testLastSeen);
    CPPUNIT_TEST(testNoAnswerRepeatsToken);
    CPPUNIT_TEST(testRevokeWhileAuthenticating);
    CPPUNIT_TEST(testProxy);
    CPPUNIT_TEST(testOperator);
    CPPUNIT_TEST(testOperatorMalformed);
    CPPUNIT_TEST(testOperatorApiKeyIsNotLookedAt);
    CPPUNIT_TEST(testOperatorRevoked);
    CPPUNIT_TEST(testIdentityKnowsOfRevocation);
    CPPUNIT_TEST(testTokensStayOnTheirDoor);
    CPPUNIT_TEST_SUITE_END();

    tests::TemporaryDirectory directory_;
    tests::TestStore store_{(directory_ / "sallyport.db").string()};
    WorkerTokens workers_;
    Operators operators_{store_};
    const Filter filter_{workers_, operators_};
    const JobId job_ = JobId::random();
    const std::string secret_ = newToken();
    const std::shared_ptr<Lease> lease_ = addJob(job_, "alice", secret_);

    std::shared_ptr<Lease> addJob(const JobId& job, const std::string& user, const std::string& secret) {
        auto lease = std::make_shared<Lease>();
        lease->job = job;
        lease->user = user;
        lease->digest = digest(secret);
        workers_.add(lease);
        return lease;
    }

    [[nodiscard]] Outcome worker(std::string_view authorization) const {
        return filter_.worker(job_.str(), {authorization, std::nullopt});
    }

    static const Identity& accepted(const Outcome& outcome) {
        CPPUNIT_ASSERT(std::holds_alternative<Identity>(outcome));
        return std::get<Identity>(outcome);
    }

    static std::string refused(const Outcome& outcome, int status = 401,
                               const std::string& code = "unauthorized") {
        CPPUNIT_ASSERT(std::holds_alternative<RequestError>(outcome));
        const auto& error = std::get<RequestError>(outcome);
        CPPUNIT_ASSERT_EQUAL(status, error.status());
        CPPUNIT_ASSERT_EQUAL(code, error.code());
        return error.what();
    }

    /// Everything that is no `Bearer <token>` with the right token of right shape.
    [[nodiscard]] static std::vector<std::string> malformed(const std::string& secret) {
        std::string upper = secret;
        for (char& c : upper) {
            c = c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
        }
        return {"",
                " ",
                "Bearer",
                "Bearer ",
                "Bearer    ",
                "Bearer  x",
                "Bearer\t" + secret,
                "Bearer" + secret,
                " Bearer " + secret,
                "Basic " + secret,
                "Basic dXNlcjpwYXNz",
                "Bear " + secret,
                "Bearers " + secret,
                secret,
                "Bearer " + secret.substr(1),
                "Bearer " + secret + "0",
                "Bearer " + secret + " ",
                "Bearer " + secret + "\n",
                "Bearer " + secret + "," + secret,
                "Bearer " + secret + std::string(1, '\0'),
                "Bearer \"" + secret + "\"",
                "Bearer g" + secret.substr(1),
                "Bearer " + upper,
                "Bearer " + newToken()};
    }

    void testWorker() {
        const auto outcome = worker("Bearer " + secret_);
        const Identity& identity = accepted(outcome);
        CPPUNIT_ASSERT(identity.lease == lease_);
        CPPUNIT_ASSERT(identity.caller->realm() == Realm::worker);
        CPPUNIT_ASSERT(identity.caller->job() == job_);
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), identity.caller->user());
        CPPUNIT_ASSERT(!identity.caller->may(permission::jobsRead));
    }

    void testEveryFormOfJobId() {
        const std::string authorization = "Bearer " + secret_;
        const std::string hyphenated = job_.str();
        std::string simple;
        std::string upper;
        for (const char c : hyphenated) {
            simple += c == '-' ? "" : std::string(1, c);
            upper += c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
        }
        for (const std::string& form :
             {hyphenated, simple, upper, "urn:uuid:" + hyphenated, "{" + hyphenated + "}"}) {
            accepted(filter_.worker(form, {authorization, std::nullopt}));
        }
    }

    void testJobIdIsCheckedFirst() {
        const std::string authorization = "Bearer " + secret_;
        for (const std::string& job :
             {std::string(), std::string("x"), job_.str() + "0", std::string("..")}) {
            refused(filter_.worker(job, {authorization, std::nullopt}), 400, "invalid_job_id");
            refused(filter_.worker(job, {}), 400, "invalid_job_id");
            refused(filter_.worker(job, {std::nullopt, std::nullopt, true}), 400, "invalid_job_id");
        }
    }

    void testProxy() {
        const auto proxy = [this](const std::string& field) {
            Presented presented;
            presented.proxyAuthorization = field;
            return filter_.proxy(presented);
        };
        const auto base64 = [](const std::string& text) {
            std::string encoded(text.size() * 2 + 4, '\0');
            encoded.resize(static_cast<std::size_t>(EVP_EncodeBlock(
                reinterpret_cast<unsigned char*>(encoded.data()),
                reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()))));
            return encoded;
        };
        const JobId other = JobId::random();
        const std::string otherSecret = newToken();
        addJob(other, "bob", otherSecret);
        for (const std::string& field :
             {"Bearer " + secret_, "bEARER  " + secret_, "Basic " + base64(job_.str() + ":" + secret_),
              "basic " + base64("{" + job_.str() + "}:" + secret_),
              "Basic " + base64("urn:uuid:" + job_.str() + ":" + secret_)}) {
            accepted(proxy(field));
        }
        for (const std::string& field :
             {std::string(), std::string("Bearer"), std::string("Basic"), std::string("Basic "),
              "Bearer " + secret_.substr(1), "Bearer " + newToken(), "Basic " + secret_,
              "Basic " + base64(secret_), "Basic " + base64(":" + secret_), "Basic " + base64("x:" + secret_),
              "Basic " + base64(job_.str() + ":"), "Basic " + base64(job_.str() + ":" + otherSecret),
              "Basic " + base64(other.str() + ":" + secret_),
              "Basic " + base64(job_.str() + ":" + secret_ + "0"),
              "Basic " + base64(job_.str() + ":" + secret_).substr(1), "Basic " + std::string(1 << 20U, 'a'),
              std::string("Basic ===="), "Digest " + secret_}) {
            refused(proxy(field), 407, "proxy_unauthorized");
        }
        refused(filter_.proxy({}), 407, "proxy_unauthorized");
        // What is meant for the target lets nobody in.
        refused(filter_.proxy({"Bearer " + secret_, secret_}), 407, "proxy_unauthorized");
        Presented twice;
        twice.proxyAuthorization = "Bearer";
        twice.repeated = true;
        refused(filter_.proxy(twice), 407, "proxy_unauthorized");
        workers_.revoke(job_);
        refused(proxy("Bearer " + secret_), 407, "proxy_unauthorized");
    }

    void testNoToken() { ASSERT_CONTAINS("a token is needed", refused(filter_.worker(job_.str(), {}))); }

    void testSchemeInAnyCase() {
        for (const char* const scheme : {"Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer    "}) {
            accepted(worker(scheme + secret_));
        }
    }

    void testMalformedAuthorization() {
        for (const std::string& authorization : malformed(secret_)) {
            refused(worker(authorization));
        }
        ASSERT_CONTAINS("Bearer", refused(worker("Basic x")));
        for (const std::string& token :
             {std::string("x"), "g" + secret_.substr(1), "A" + secret_.substr(1)}) {
            ASSERT_CONTAINS("must be 64 lower-case", refused(worker("Bearer " + token)));
        }
        ASSERT_CONTAINS("not valid", refused(worker("Bearer " + newToken())));
    }

    void testMalformedApiKey() {
        for (const std::string& key : {std::string(), "Bearer " + secret_, secret_ + " ", " " + secret_,
                                       secret_.substr(1), newToken()}) {
            refused(filter_.worker(job_.str(), {std::nullopt, key}));
        }
    }

    void testMegabyteToken() {
        const std::string huge(1 << 20U, 'a');
        refused(worker("Bearer " + huge));
        refused(worker(huge));
        refused(worker("Bearer" + std::string(1 << 20U, ' ')));
        refused(filter_.worker(job_.str(), {std::nullopt, huge}));
    }

    void testApiKey() { accepted(filter_.worker(job_.str(), {std::nullopt, secret_})); }

    void testEitherHeaderSuffices() {
        const std::string right = "Bearer " + secret_;
        const std::string wrong = newToken();
        const std::string wrongBearer = "Bearer " + wrong;
        accepted(filter_.worker(job_.str(), {right, wrong}));
        accepted(filter_.worker(job_.str(), {right, "x"}));
        accepted(filter_.worker(job_.str(), {wrongBearer, secret_}));
        accepted(filter_.worker(job_.str(), {"Basic x", secret_}));
        refused(filter_.worker(job_.str(), {wrongBearer, wrong}));
    }

    void testRepeatedHeader() {
        const std::string right = "Bearer " + secret_;
        ASSERT_CONTAINS("more than one", refused(filter_.worker(job_.str(), {right, secret_, true})));
        ASSERT_CONTAINS("more than one", refused(filter_.operators({right, std::nullopt, true})));
    }

    void testTokenOfOtherJob() {
        const JobId other = JobId::random();
        const std::string othersSecret = newToken();
        addJob(other, "bob", othersSecret);
        const std::string mine = "Bearer " + secret_;
        const std::string others = "Bearer " + othersSecret;
        refused(filter_.worker(other.str(), {mine, std::nullopt}));
        refused(filter_.worker(job_.str(), {others, std::nullopt}));
        CPPUNIT_ASSERT_EQUAL(std::string("bob"),
                             accepted(filter_.worker(other.str(), {others, std::nullopt})).caller->user());
    }

    void testUnknownJobLooksLikeWrongToken() {
        const std::string unknown = JobId::random().str();
        for (const std::string& authorization : malformed(secret_)) {
            CPPUNIT_ASSERT_EQUAL(refused(worker(authorization)),
                                 refused(filter_.worker(unknown, {authorization, std::nullopt})));
        }
        const std::string right = "Bearer " + secret_;
        CPPUNIT_ASSERT_EQUAL(refused(worker("Bearer " + newToken())),
                             refused(filter_.worker(unknown, {right, std::nullopt})));
        refused(filter_.worker(JobId().str(), {right, std::nullopt}));
    }

    void testRevoked() {
        const std::string right = "Bearer " + secret_;
        accepted(worker(right));
        workers_.revoke(job_);
        ASSERT_CONTAINS("not valid", refused(worker(right)));
        refused(filter_.worker(job_.str(), {std::nullopt, secret_}));
    }

    void testRevokedLeaseStillListed() {
        lease_->revoked = true;  // between the mark and the removal
        refused(worker("Bearer " + secret_));
    }

    void testLastSeen() {
        refused(worker("Bearer " + newToken()));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, lease_->lastSeenMs.load());
        const auto before = monotonicMs();
        accepted(worker("Bearer " + secret_));
        CPPUNIT_ASSERT(lease_->lastSeenMs >= before);
        CPPUNIT_ASSERT(lease_->lastSeenMs <= monotonicMs());
    }

    void testNoAnswerRepeatsToken() {
        const std::string token = newToken();
        for (const std::string& authorization :
             {"Bearer " + token, "Basic " + token, "Bearer " + token + "!", token}) {
            ASSERT_LACKS(token, refused(worker(authorization)));
            ASSERT_LACKS(token, refused(filter_.operators({authorization, std::nullopt})));
        }
    }

    void testRevokeWhileAuthenticating() {
        const std::string right = "Bearer " + secret_;
        std::atomic<bool> revoked{false};
        std::atomic<bool> acceptedAfter{false};
        const auto call = [&] {
            for (bool last = false; !last;) {
                last = revoked;
                const bool ok = std::holds_alternative<Identity>(worker(right));
                if (last && ok) {
                    acceptedAfter = true;
                }
            }
        };
        std::thread first(call);
        std::thread second(call);
        workers_.revoke(job_);
        revoked = true;
        first.join();
        second.join();
        CPPUNIT_ASSERT(!acceptedAfter);
    }

    void testOperator() {
        for (const Role role : roles()) {
            const auto made = operators_.create("laptop", "carol", role);
            const std::string authorization = "bearer  " + made.secret;
            const auto outcome = filter_.operators({authorization, std::nullopt});
            const Identity& identity = accepted(outcome);
            CPPUNIT_ASSERT(!identity.lease);
            CPPUNIT_ASSERT(identity.caller->realm() == Realm::operators);
            for (const auto permission : permissionNames()) {
                CPPUNIT_ASSERT(identity.caller->may(permission) == permissionsOf(role).has(permission));
            }
            CPPUNIT_ASSERT(identity.caller->job() == JobId{});
            CPPUNIT_ASSERT_EQUAL(std::string("carol"), identity.caller->user());
        }
    }

    void testOperatorMalformed() {
        const auto made = operators_.create("laptop", "carol", Role::admin);
        for (const std::string& authorization : malformed(made.secret)) {
            refused(filter_.operators({authorization, std::nullopt}));
        }
        ASSERT_CONTAINS("a token is needed", refused(filter_.operators({})));
    }

    void testOperatorApiKeyIsNotLookedAt() {
        const auto made = operators_.create("laptop", "carol", Role::admin);
        refused(filter_.operators({std::nullopt, made.secret}));
        const std::string wrong = "Bearer " + newToken();
        refused(filter_.operators({wrong, made.secret}));
    }

    void testOperatorRevoked() {
        const auto made = operators_.create("laptop", "carol", Role::user);
        operators_.revoke(made.token.id);
        const std::string authorization = "Bearer " + made.secret;
        refused(filter_.operators({authorization, std::nullopt}));
    }

    void testIdentityKnowsOfRevocation() {
        const auto made = operators_.create("laptop", "carol", Role::user);
        const std::string authorization = "Bearer " + made.secret;
        const auto operators = filter_.operators({authorization, std::nullopt});
        const auto workers = worker("Bearer " + secret_);
        CPPUNIT_ASSERT(!accepted(operators).revoked());
        CPPUNIT_ASSERT(!accepted(workers).revoked());
        operators_.revoke(made.token.id);
        workers_.revoke(job_);
        CPPUNIT_ASSERT(accepted(operators).revoked());
        CPPUNIT_ASSERT(accepted(workers).revoked());
    }

    void testTokensStayOnTheirDoor() {
        const auto made = operators_.create("laptop", "alice", Role::admin);
        const std::string operatorsToken = "Bearer " + made.secret;
        const std::string workersToken = "Bearer " + secret_;
        refused(worker(operatorsToken));
        refused(filter_.operators({workersToken, std::nullopt}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FilterTest);

}  // namespace
}  // namespace sallyport::host::auth
