#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/testing/fake_host.h>

#include "plugins/credentials/credentials_plugin.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::plugins {
namespace {

using testing::Answer;
using testing::FakeHost;

/// Deletes all secrets between the check of a new job's grants and their being stored.
class Thief final : public JobParticipant {
public:
    explicit Thief(Store& store) : store_(store) {}
    [[nodiscard]] std::unique_ptr<JobPart> prepare(const JobDraft& /*draft*/) override {
        store_.write([](Transaction& transaction) { transaction.execute("DELETE FROM secrets"); });
        return nullptr;
    }

private:
    Store& store_;
};

class CredentialsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CredentialsTest);
    CPPUNIT_TEST(testNoGrantsIs204);
    CPPUNIT_TEST(testGrantedSecretsAreDelivered);
    CPPUNIT_TEST(testValueComesAsItWentIn);
    CPPUNIT_TEST(testDeliveryIsCounted);
    CPPUNIT_TEST(testDeliveryIsAudited);
    CPPUNIT_TEST(testDeliveryThatCannotBeAuditedIsNotMade);
    CPPUNIT_TEST(testDeletedSecretFailsTheWholeList);
    CPPUNIT_TEST(testExpiredSecretFailsTheWholeList);
    CPPUNIT_TEST(testDamagedSecretFailsTheWholeList);
    CPPUNIT_TEST(testFailedListCountsNothing);
    CPPUNIT_TEST(testRateIsLimited);
    CPPUNIT_TEST(testRateAndAFullPool);
    CPPUNIT_TEST(testSealedVaultIs503);
    CPPUNIT_TEST(testSealedVaultShowsNamesAndGrants);
    CPPUNIT_TEST(testSecretIsShownWithoutItsValue);
    CPPUNIT_TEST(testPutReplaces);
    CPPUNIT_TEST(testPutIsChecked);
    CPPUNIT_TEST(testNamesAreLowered);
    CPPUNIT_TEST(testSecretsAreListedInPages);
    CPPUNIT_TEST(testUsersAreApart);
    CPPUNIT_TEST(testAdminActsForOthers);
    CPPUNIT_TEST(testGrantsAreReplaced);
    CPPUNIT_TEST(testGrantsAreChecked);
    CPPUNIT_TEST(testGrantOfAnothersSecretIsRefused);
    CPPUNIT_TEST(testGrantsOfAnothersJobAreNotThere);
    CPPUNIT_TEST(testFinishedJobTakesNoGrants);
    CPPUNIT_TEST(testGrantsAreRevokedWithTheJob);
    CPPUNIT_TEST(testGrantsOfJobsThatEndedUnseenAreRevokedAtStart);
    CPPUNIT_TEST(testFailedRevocationIsTold);
    CPPUNIT_TEST(testGrantsOfNewJobs);
    CPPUNIT_TEST(testSecretThatGoesBeforeTheJobComes);
    CPPUNIT_TEST(testVaultService);
    CPPUNIT_TEST(testVaultServiceKeepsToTheList);
    CPPUNIT_TEST(testMalformedListStopsTheStart);
    CPPUNIT_TEST(testAuditOfChanges);
    CPPUNIT_TEST(testAuditIsPagedAndVerified);
    CPPUNIT_TEST(testNothingStoredShowsAValue);
    CPPUNIT_TEST(testHowRoutesAreRegistered);
    CPPUNIT_TEST_SUITE_END();

    FakeHost host_{"credentials",
                   credentialsSettings,
                   {{"credentials.max_size", "100"},
                    {"credentials.rate", "3"},
                    {"credentials.plugin.llm.secrets", "OpenAI, other"}}};
    CreatedJob job_ = host_.makeJob();

public:
    void setUp() override { host_.start(std::make_unique<CredentialsPlugin>()); }

private:
    Answer alice(const std::string& method, const std::string& path, const std::string& body = "") {
        return host_.operators("alice", Role::user, method, path, body);
    }
    Answer admin(const std::string& method, const std::string& path, const std::string& body = "") {
        return host_.operators("root", Role::admin, method, path, body);
    }
    Answer put(const std::string& name, const std::string& value) {
        return alice("PUT", "/secrets/" + name, R"({"value":")" + value + R"("})");
    }
    Answer grant(const std::string& grants) {
        return alice("PUT", "/jobs/" + job_.job->id.str() + "/credentials",
                     R"({"credentials":)" + grants + "}");
    }
    void putAndGrant(const std::string& name, const std::string& variable, const std::string& value) {
        CPPUNIT_ASSERT_EQUAL(201, put(name, value).status());
        CPPUNIT_ASSERT_EQUAL(
            200, grant(R"([{"secret_name":")" + name + R"(","env_var":")" + variable + R"("}])").status());
    }
    Answer deliver() { return host_.worker(job_, "GET", "/credentials"); }

    void execute(const std::string& sql) {
        host_.store().write([&](Transaction& transaction) { transaction.execute(sql); });
    }

    /// The newest entry of the trail, as `action outcome reason`.
    std::string lastAudit() {
        const Answer answer = admin("GET", "/audit?limit=1");
        const json::Object entry = answer.json().required("entries").elements().at(0).object();
        return entry.string("action") + ' ' + entry.string("outcome") + ' ' +
               entry.optionalString("reason").value_or("-");
    }

    /// Starts the plugin anew with another key in its file.
    void restartWithAnotherKey() {
        const std::string file = host_.dataDirectory() + "/credentials.key";
        tests::writeFile(file, std::string(64, 'f'));
        host_.start(std::make_unique<CredentialsPlugin>());
    }

    void testNoGrantsIs204() {
        const Answer answer = deliver();
        CPPUNIT_ASSERT_EQUAL(204, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(), answer.body());
    }

    void testGrantedSecretsAreDelivered() {
        put("github", "ghp-1");
        put("openai", "sk-2");
        put("unused", "never");
        CPPUNIT_ASSERT_EQUAL(200, grant(R"([{"secret_name":"openai","env_var":"OPENAI_API_KEY"},
                                            {"secret_name":"GitHub","env_var":"GITHUB_TOKEN"}])")
                                      .status());
        const Answer answer = deliver();
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"env_var":"OPENAI_API_KEY","value":"sk-2"},)"
                                         R"({"env_var":"GITHUB_TOKEN","value":"ghp-1"}])"),
                             answer.body());
    }

    void testValueComesAsItWentIn() {
        putAndGrant("s", "S", R"(\u00e9\n\"\\ud83d \ud83d\ude00\u0001)");
        const std::string text = deliver().body();
        const json::Value body = json::Value::parse(text);
        CPPUNIT_ASSERT_EQUAL(std::string("\xC3\xA9\n\"\\ud83d \xF0\x9F\x98\x80\x01"),
                             body.elements().at(0).object().string("value"));
    }

    void testDeliveryIsCounted() {
        putAndGrant("s", "S", "v");
        CPPUNIT_ASSERT_EQUAL(std::string("0"),
                             std::string(alice("GET", "/secrets/s").json().required("usage_count").raw()));
        deliver();
        deliver();
        const Answer shown = alice("GET", "/secrets/s");
        CPPUNIT_ASSERT_EQUAL(std::string("2"), std::string(shown.json().required("usage_count").raw()));
        CPPUNIT_ASSERT(shown.json().optionalString("last_used_at").has_value());
    }

    void testDeliveryIsAudited() {
        putAndGrant("s", "MY_VAR", "v");
        deliver();
        const Answer answer = admin("GET", "/audit?limit=1");
        const json::Object entry = answer.json().required("entries").elements().at(0).object();
        CPPUNIT_ASSERT_EQUAL(std::string("deliver"), entry.string("action"));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), entry.string("outcome"));
        CPPUNIT_ASSERT_EQUAL(std::string("worker"), entry.string("actor"));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), entry.string("user_id"));
        CPPUNIT_ASSERT_EQUAL(job_.job->id.str(), entry.string("job_id"));
        CPPUNIT_ASSERT_EQUAL(std::string("s"), entry.string("secret_name"));
        CPPUNIT_ASSERT_EQUAL(std::string("MY_VAR"), entry.string("env_var"));
    }

    void testDeliveryThatCannotBeAuditedIsNotMade() {
        putAndGrant("s", "S", "plain-as-day");
        host_.store().failWrites(true);
        const Answer answer = deliver();
        CPPUNIT_ASSERT_EQUAL(503, answer.status());
        ASSERT_LACKS("plain-as-day", answer.body());
        host_.store().failWrites(false);
        CPPUNIT_ASSERT_EQUAL(200, deliver().status());
    }

    void prepareTwo() {
        put("good", "value-one");
        put("bad", "value-two");
        CPPUNIT_ASSERT_EQUAL(200, grant(R"([{"secret_name":"good","env_var":"GOOD"},
                                            {"secret_name":"bad","env_var":"BAD"}])")
                                      .status());
    }

    void assertAllRefused(const std::string& reason) {
        const Answer answer = deliver();
        CPPUNIT_ASSERT_EQUAL(500, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("secret_unavailable"), answer.code());
        ASSERT_LACKS("value-", answer.body());
        CPPUNIT_ASSERT_EQUAL("deliver denied " + reason, lastAudit());
    }

    void testDeletedSecretFailsTheWholeList() {
        prepareTwo();
        CPPUNIT_ASSERT_EQUAL(200, alice("DELETE", "/secrets/bad").status());
        assertAllRefused("missing");
    }

    void testExpiredSecretFailsTheWholeList() {
        prepareTwo();
        alice("PUT", "/secrets/bad", R"({"value":"value-two","expires_at":"2020-01-01T00:00:00Z"})");
        assertAllRefused("expired");
        alice("PUT", "/secrets/bad", R"({"value":"value-two","expires_at":"2999-01-01T00:00:00Z"})");
        CPPUNIT_ASSERT_EQUAL(200, deliver().status());
    }

    void testDamagedSecretFailsTheWholeList() {
        prepareTwo();
        for (const char* damage :
             {"encrypted_value = zeroblob(40)", "encrypted_value = zeroblob(0)", "key_salt = zeroblob(32)"}) {
            execute(std::string("UPDATE secrets SET ") + damage + " WHERE name = 'bad'");
            // Each with its own fill of the bucket.
            host_.start(std::make_unique<CredentialsPlugin>());
            assertAllRefused("damaged");
        }
    }

    void testFailedListCountsNothing() {
        prepareTwo();
        alice("DELETE", "/secrets/bad");
        deliver();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT sum(usage_count) FROM secrets"));
    }

    void testRateIsLimited() {
        putAndGrant("s", "S", "v");
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT_EQUAL(200, deliver().status());
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, host_.metric("delivered_total"));
        const std::int64_t entries = host_.number("SELECT count(*) FROM audit_log");
        CPPUNIT_ASSERT(deliver().parked());
        // Nothing is told of what has not been delivered yet.
        CPPUNIT_ASSERT_EQUAL(entries, host_.number("SELECT count(*) FROM audit_log"));
        CPPUNIT_ASSERT_EQUAL(204, host_.worker(host_.makeJob(), "GET", "/credentials").status());
    }

    /// Its turn comes on a pool thread, and there may be none for it.
    void testRateAndAFullPool() {
        putAndGrant("s", "S", "v");
        for (int i = 0; i < 3; ++i) {
            static_cast<void>(deliver());
        }
        host_.fillPool(true);
        Answer waiting = deliver();
        const Answer refused = waiting.timeOut();
        CPPUNIT_ASSERT_EQUAL(503, refused.status());
        CPPUNIT_ASSERT_EQUAL(std::string("overloaded"), refused.code());
        CPPUNIT_ASSERT(refused.header("Retry-After").has_value());
        host_.fillPool(false);
        CPPUNIT_ASSERT_EQUAL(200, deliver().timeOut().status());
    }

    void testSealedVaultIs503() {
        putAndGrant("s", "S", "v");
        restartWithAnotherKey();
        const Answer answer = deliver();
        CPPUNIT_ASSERT_EQUAL(503, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("vault_sealed"), answer.code());
        CPPUNIT_ASSERT_EQUAL(std::string("deliver denied sealed"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(204, host_.worker(host_.makeJob(), "GET", "/credentials").status());
        ASSERT_CONTAINS("not the one", host_.plugin().trouble().value());
        CPPUNIT_ASSERT_EQUAL(503, put("t", "v").status());
        CPPUNIT_ASSERT_EQUAL(503, admin("POST", "/vault/rekey").status());
    }

    void testSealedVaultShowsNamesAndGrants() {
        putAndGrant("s", "S", "v");
        restartWithAnotherKey();
        CPPUNIT_ASSERT_EQUAL(200, alice("GET", "/secrets/s").status());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1},
                             alice("GET", "/secrets").json().required("secrets").elements().size());
        CPPUNIT_ASSERT_EQUAL(200, grant(R"([{"secret_name":"s","env_var":"T"}])").status());
        CPPUNIT_ASSERT_EQUAL(200, alice("DELETE", "/secrets/s").status());
    }

    void testSecretIsShownWithoutItsValue() {
        const Answer made = alice("PUT", "/secrets/s",
                                  R"({"value":"plain-as-day","provider":"GitHub",
                                      "expires_at":"2999-01-31T12:00:00+01:00"})");
        CPPUNIT_ASSERT_EQUAL(201, made.status());
        const Answer shown = alice("GET", "/secrets/s");
        CPPUNIT_ASSERT_EQUAL(made.body(), shown.body());
        ASSERT_LACKS("plain-as-day", shown.body());
        CPPUNIT_ASSERT_EQUAL(std::string("s"), shown.json().string("name"));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), shown.json().string("user_id"));
        CPPUNIT_ASSERT_EQUAL(std::string("GitHub"), shown.json().string("provider"));
        CPPUNIT_ASSERT_EQUAL(std::string("2999-01-31T11:00:00.000Z"), shown.json().string("expires_at"));
        CPPUNIT_ASSERT(shown.json().required("last_used_at").kind() == json::Kind::null);
        CPPUNIT_ASSERT_EQUAL(404, alice("GET", "/secrets/t").status());
    }

    void testPutReplaces() {
        alice("PUT", "/secrets/s", R"({"value":"old","provider":"GitHub"})");
        grant(R"([{"secret_name":"s","env_var":"S"}])");
        deliver();
        const Answer changed = put("s", "new");
        CPPUNIT_ASSERT_EQUAL(200, changed.status());
        CPPUNIT_ASSERT(changed.json().required("provider").kind() == json::Kind::null);
        CPPUNIT_ASSERT_EQUAL(std::string("1"), std::string(changed.json().required("usage_count").raw()));
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"env_var":"S","value":"new"}])"), deliver().body());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.number("SELECT count(*) FROM secrets"));
    }

    void testPutIsChecked() {
        for (const char* body :
             {"{}", R"({"value":""})", R"({"value":null})", R"({"value":7})", R"({"value":"a","value":"b"})",
              R"({"value":"a\u0000b"})", R"({"value":"a","provider":""})",
              R"({"value":"a","provider":"x\ny"})", R"({"value":"a","expires_at":"soon"})",
              R"({"value":"a","expires_at":1})", R"({"value":"a","user_id":""})"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, 422, admin("PUT", "/secrets/s", body).status());
        }
        CPPUNIT_ASSERT_EQUAL(413, put("s", std::string(101, 'x')).status());
        CPPUNIT_ASSERT_EQUAL(201, put("s", std::string(100, 'x')).status());
        CPPUNIT_ASSERT_EQUAL(422, put("a=b", "x").status());
        CPPUNIT_ASSERT_EQUAL(422, put("..", "x").status());
        CPPUNIT_ASSERT_EQUAL(400, alice("PUT", "/secrets/s", "{").status());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.number("SELECT count(*) FROM secrets"));
    }

    void testNamesAreLowered() {
        CPPUNIT_ASSERT_EQUAL(std::string("git.hub_1-x"), put("Git.Hub_1-X", "v").json().string("name"));
        CPPUNIT_ASSERT_EQUAL(200, put("GIT.HUB_1-X", "w").status());
        CPPUNIT_ASSERT_EQUAL(200, alice("GET", "/secrets/Git.hub_1-x").status());
        CPPUNIT_ASSERT_EQUAL(200, alice("DELETE", "/secrets/GIT.hub_1-x").status());
        CPPUNIT_ASSERT_EQUAL(404, alice("DELETE", "/secrets/git.hub_1-x").status());
    }

    void testSecretsAreListedInPages() {
        for (const char* name : {"c", "a", "e", "b", "d"}) {
            put(name, "v");
        }
        std::string names;
        std::string query = "?limit=2";
        for (int pages = 1; pages <= 3; ++pages) {
            const Answer page = alice("GET", "/secrets" + query);
            for (const json::Value& secret : page.json().required("secrets").elements()) {
                names += secret.object().string("name");
            }
            const auto next = page.json().optionalString("next_cursor");
            CPPUNIT_ASSERT_EQUAL(pages < 3, next.has_value());
            query = "?limit=2&cursor=" + next.value_or("");
        }
        CPPUNIT_ASSERT_EQUAL(std::string("abcde"), names);
        CPPUNIT_ASSERT_EQUAL(400, alice("GET", "/secrets?limit=0").status());
    }

    void testUsersAreApart() {
        put("s", "of alice");
        const auto bob = [this](const std::string& method, const std::string& path,
                                const std::string& body = "") {
            return host_.operators("bob", Role::user, method, path, body);
        };
        CPPUNIT_ASSERT_EQUAL(404, bob("GET", "/secrets/s").status());
        CPPUNIT_ASSERT_EQUAL(404, bob("DELETE", "/secrets/s").status());
        CPPUNIT_ASSERT(bob("GET", "/secrets").json().required("secrets").elements().empty());
        CPPUNIT_ASSERT_EQUAL(404, bob("GET", "/secrets/s?user_id=alice").status());
        CPPUNIT_ASSERT_EQUAL(std::string("show denied other_user"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(404, bob("GET", "/secrets?user_id=alice").status());
        CPPUNIT_ASSERT_EQUAL(std::string("list denied other_user"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(404, bob("DELETE", "/secrets/s?user_id=alice").status());
        CPPUNIT_ASSERT_EQUAL(403, bob("PUT", "/secrets/s", R"({"value":"x","user_id":"alice"})").status());
        CPPUNIT_ASSERT_EQUAL(201, bob("PUT", "/secrets/s", R"({"value":"of bob"})").status());
        CPPUNIT_ASSERT_EQUAL(200, bob("DELETE", "/secrets/s").status());
        CPPUNIT_ASSERT_EQUAL(200, grant(R"([{"secret_name":"s","env_var":"S"}])").status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"env_var":"S","value":"of alice"}])"), deliver().body());
    }

    void testAdminActsForOthers() {
        CPPUNIT_ASSERT_EQUAL(201, admin("PUT", "/secrets/s", R"({"value":"x","user_id":"alice"})").status());
        CPPUNIT_ASSERT_EQUAL(200, alice("GET", "/secrets/s").status());
        CPPUNIT_ASSERT_EQUAL(200, admin("GET", "/secrets/s?user_id=alice").status());
        CPPUNIT_ASSERT_EQUAL(404, admin("GET", "/secrets/s").status());
        // As the jobs that an admin creates without saying for whom.
        CPPUNIT_ASSERT_EQUAL(std::string("default"),
                             admin("PUT", "/secrets/s", R"({"value":"x"})").json().string("user_id"));
        CPPUNIT_ASSERT_EQUAL(400, admin("GET", "/secrets?user_id=*").status());
    }

    void testGrantsAreReplaced() {
        put("a", "1");
        put("b", "2");
        const Answer answer =
            grant(R"([{"secret_name":"A","env_var":"X"},{"secret_name":"b","env_var":"Y"}])");
        CPPUNIT_ASSERT_EQUAL("{\"job_id\":\"" + job_.job->id.str() +
                                 R"(","credentials":[{"secret_name":"a","env_var":"X"},)"
                                 R"({"secret_name":"b","env_var":"Y"}]})",
                             answer.body());
        CPPUNIT_ASSERT_EQUAL(200, grant(R"([{"secret_name":"b","env_var":"Z"}])").status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"env_var":"Z","value":"2"}])"), deliver().body());
        CPPUNIT_ASSERT_EQUAL(200, grant("[]").status());
        CPPUNIT_ASSERT_EQUAL(204, deliver().status());
    }

    void testGrantsAreChecked() {
        put("s", "v");
        grant(R"([{"secret_name":"s","env_var":"KEPT"}])");
        for (const char* grants :
             {R"([{"secret_name":"t","env_var":"T"}])", R"([{"secret_name":"s","env_var":"LD_PRELOAD"}])",
              R"([{"secret_name":"s","env_var":"PATH"}])",
              R"([{"secret_name":"s","env_var":"SALLYPORT_TOKEN"}])",
              R"([{"secret_name":"s","env_var":"1A"}])", R"([{"secret_name":"s","env_var":""}])",
              R"([{"secret_name":"","env_var":"A"}])", R"([{"secret_name":"s"}])", R"({})", R"("s=S")",
              R"([{"secret_name":"s","env_var":"A"},{"secret_name":"s","env_var":"A"}])",
              R"([{"secret_name":"s","env_var":"A"},{"secret_name":"t","env_var":"B"}])"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(grants, 422, grant(grants).status());
        }
        CPPUNIT_ASSERT_EQUAL(422,
                             alice("PUT", "/jobs/" + job_.job->id.str() + "/credentials", "{}").status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"env_var":"KEPT","value":"v"}])"), deliver().body());
    }

    void testGrantOfAnothersSecretIsRefused() {
        host_.operators("bob", Role::user, "PUT", "/secrets/s", R"({"value":"of bob"})");
        CPPUNIT_ASSERT_EQUAL(422, grant(R"([{"secret_name":"s","env_var":"S"}])").status());
        CPPUNIT_ASSERT_EQUAL(std::string("grant denied missing"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(204, deliver().status());
        // Nor by an admin: the owner of the job decides whose secrets it may have.
        admin("PUT", "/secrets/mine", R"({"value":"of root","user_id":"root"})");
        CPPUNIT_ASSERT_EQUAL(422, admin("PUT", "/jobs/" + job_.job->id.str() + "/credentials",
                                        R"({"credentials":[{"secret_name":"mine","env_var":"S"}]})")
                                      .status());
    }

    void testGrantsOfAnothersJobAreNotThere() {
        const std::string body = R"({"credentials":[]})";
        const std::string path = "/jobs/" + job_.job->id.str() + "/credentials";
        CPPUNIT_ASSERT_EQUAL(404, host_.operators("bob", Role::user, "PUT", path, body).status());
        CPPUNIT_ASSERT_EQUAL(404,
                             admin("PUT", "/jobs/" + JobId::random().str() + "/credentials", body).status());
        CPPUNIT_ASSERT_EQUAL(400, admin("PUT", "/jobs/7/credentials", body).status());
    }

    void testFinishedJobTakesNoGrants() {
        put("s", "v");
        host_.finish(job_.job->id, JobState::cancelled);
        const Answer answer = grant(R"([{"secret_name":"s","env_var":"S"}])");
        CPPUNIT_ASSERT_EQUAL(409, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("job_over"), answer.code());
    }

    void testGrantsAreRevokedWithTheJob() {
        putAndGrant("s", "S", "v");
        const auto caller = host_.callerOf(job_);
        host_.finish(job_.job->id, JobState::completed);
        host_.settle();
        // One that was let in before the end.
        CPPUNIT_ASSERT_EQUAL(204, host_.worker(caller, "GET", "/credentials").status());
        CPPUNIT_ASSERT_EQUAL(std::string("revoke ok -"), lastAudit());
        // For a restart.
        const CreatedJob again = host_.createJob({.user = "alice", .task = "t", .restartOf = job_.job->id});
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"secret_name":"s","env_var":"S"}])"), shownGrants(again));
    }

    void testGrantsOfJobsThatEndedUnseenAreRevokedAtStart() {
        putAndGrant("s", "S", "v");
        const CreatedJob running = host_.makeJob();
        alice("PUT", "/jobs/" + running.job->id.str() + "/credentials",
              R"({"credentials":[{"secret_name":"s","env_var":"S"}]})");
        host_.crash();
        host_.finish(job_.job->id, JobState::completed);
        host_.start(std::make_unique<CredentialsPlugin>());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1},
                             host_.number("SELECT count(*) FROM grants WHERE revoked_at IS NULL"));
        CPPUNIT_ASSERT_EQUAL(200, host_.worker(running, "GET", "/credentials").status());
    }

    void testFailedRevocationIsTold() {
        putAndGrant("s", "S", "v");
        host_.store().failWrites(true);
        host_.finish(job_.job->id, JobState::completed);
        host_.settle();
        CPPUNIT_ASSERT(host_.plugin().trouble().has_value());
        host_.store().failWrites(false);
        host_.start(std::make_unique<CredentialsPlugin>());
        CPPUNIT_ASSERT(!host_.plugin().trouble());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0},
                             host_.number("SELECT count(*) FROM grants WHERE revoked_at IS NULL"));
    }

    std::string shownGrants(const CreatedJob& job) {
        const auto members = host_.shownMembers(*job.job);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, members.size());
        CPPUNIT_ASSERT_EQUAL(std::string("credentials"), members.front().first);
        return members.front().second;
    }

    /// How the creation of a job of that user goes.
    int creation(const std::string& user, const std::string& grants) {
        try {
            job_ = host_.createJob({.user = user, .task = "t"}, R"({"credentials":)" + grants + "}");
            return 201;
        } catch (const RequestError& refusal) {
            return refusal.status();
        }
    }

    void testGrantsOfNewJobs() {
        put("s", "v");
        const std::string good = R"([{"secret_name":"S","env_var":"VAR"}])";
        CPPUNIT_ASSERT_EQUAL(422, creation("bob", good));
        CPPUNIT_ASSERT_EQUAL(std::string("grant denied missing"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(422, creation("alice", R"([{"secret_name":"s","env_var":"LD_AUDIT"}])"));
        CPPUNIT_ASSERT_EQUAL(std::string("grant denied refused_variable"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(422, creation("alice", R"({"secret_name":"s"})"));
        const std::string jobs = "SELECT count(*) FROM jobs";
        const std::int64_t before = host_.number(jobs);
        CPPUNIT_ASSERT_EQUAL(201, creation("alice", good));
        CPPUNIT_ASSERT_EQUAL(before + 1, host_.number(jobs));
        CPPUNIT_ASSERT_EQUAL(std::string("grant ok -"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"secret_name":"s","env_var":"VAR"}])"), shownGrants(job_));
        CPPUNIT_ASSERT_EQUAL(200, deliver().status());
        CPPUNIT_ASSERT(!host_.plugin().trouble());
    }

    void testSecretThatGoesBeforeTheJobComes() {
        put("s", "v");
        host_.offerParticipant("thief", {"thief"}, std::make_shared<Thief>(host_.store()));
        const std::string jobs = "SELECT count(*) FROM jobs";
        const std::int64_t before = host_.number(jobs);
        CPPUNIT_ASSERT_EQUAL(422, creation("alice", R"([{"secret_name":"s","env_var":"S"}])"));
        CPPUNIT_ASSERT_EQUAL(std::string("grant denied missing"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(before, host_.number(jobs));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM grants"));
    }

    /// What a plugin gets, or the code with which it is refused.
    std::string revealed(const std::string& plugin, const std::string& user, const std::string& name) {
        try {
            const SecretText text = host_.find<SecretVault>()->reveal(plugin, user, name);
            return std::string(text.reveal());
        } catch (const RequestError& error) {
            return error.code();
        }
    }

    void testVaultService() {
        put("s", "for a plugin");
        CPPUNIT_ASSERT_EQUAL(std::string("for a plugin"), revealed("metrics", "alice", "S"));
        CPPUNIT_ASSERT_EQUAL(std::string("reveal ok -"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.number("SELECT usage_count FROM secrets"));
        CPPUNIT_ASSERT_EQUAL(std::string("secret_missing"), revealed("metrics", "bob", "s"));
        CPPUNIT_ASSERT_EQUAL(std::string("reveal denied missing"), lastAudit());
        alice("PUT", "/secrets/s", R"({"value":"x","expires_at":"2020-01-01T00:00:00Z"})");
        CPPUNIT_ASSERT_EQUAL(std::string("secret_expired"), revealed("metrics", "alice", "s"));
        put("s", "x");
        execute("UPDATE secrets SET key_salt = zeroblob(32)");
        CPPUNIT_ASSERT_EQUAL(std::string("secret_damaged"), revealed("metrics", "alice", "s"));
        restartWithAnotherKey();
        CPPUNIT_ASSERT_EQUAL(std::string("vault_sealed"), revealed("metrics", "alice", "s"));
        host_.store().failWrites(true);
        CPPUNIT_ASSERT_EQUAL(std::string("storage_unavailable"), revealed("metrics", "alice", "s"));
        host_.store().failWrites(false);
    }

    void testVaultServiceKeepsToTheList() {
        put("openai", "yes");
        put("github", "no");
        CPPUNIT_ASSERT_EQUAL(std::string("yes"), revealed("llm", "alice", "openai"));
        CPPUNIT_ASSERT_EQUAL(std::string("secret_not_allowed"), revealed("llm", "alice", "github"));
        CPPUNIT_ASSERT_EQUAL(std::string("reveal denied not_allowed"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(std::string("no"), revealed("metrics", "alice", "github"));
    }

    static void testMalformedListStopsTheStart() {
        FakeHost host("credentials", credentialsSettings, {{"credentials.plugin.llm.secrets", "open ai"}});
        try {
            host.start(std::make_unique<CredentialsPlugin>());
            CPPUNIT_FAIL("started");
        } catch (const RequestError& error) {
            ASSERT_CONTAINS("credentials.plugin.llm.secrets", error.what());
        }
    }

    void testAuditOfChanges() {
        put("s", "v");
        CPPUNIT_ASSERT_EQUAL(std::string("create ok -"), lastAudit());
        put("s", "w");
        CPPUNIT_ASSERT_EQUAL(std::string("change ok -"), lastAudit());
        grant(R"([{"secret_name":"s","env_var":"S"}])");
        CPPUNIT_ASSERT_EQUAL(std::string("grant ok -"), lastAudit());
        // The same again is no news.
        grant(R"([{"secret_name":"s","env_var":"S"}])");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, host_.number("SELECT count(*) FROM audit_log"));
        grant("[]");
        CPPUNIT_ASSERT_EQUAL(std::string("revoke ok -"), lastAudit());
        alice("DELETE", "/secrets/s");
        CPPUNIT_ASSERT_EQUAL(std::string("delete ok -"), lastAudit());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5},
                             host_.number("SELECT count(*) FROM audit_log WHERE actor = 'operator:alice'"));
    }

    void testAuditIsPagedAndVerified() {
        for (const char* name : {"a", "b", "c"}) {
            put(name, "v");
        }
        const Answer first = admin("GET", "/audit?limit=2");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, first.json().required("entries").elements().size());
        const std::string cursor = first.json().string("next_cursor");
        const Answer second = admin("GET", "/audit?limit=2&cursor=" + cursor);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, second.json().required("entries").elements().size());
        CPPUNIT_ASSERT(second.json().find("next_cursor") == nullptr);
        CPPUNIT_ASSERT_EQUAL(
            std::size_t{1},
            admin("GET", "/audit?secret_name=b").json().required("entries").elements().size());
        CPPUNIT_ASSERT_EQUAL(
            std::size_t{3},
            admin("GET", "/audit?user_id=alice").json().required("entries").elements().size());
        for (const char* query : {"?cursor=x", "?cursor=0", "?cursor=", "?limit=201", "?job_id=x"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(query, 400, admin("GET", std::string("/audit") + query).status());
        }
        CPPUNIT_ASSERT(admin("GET", "/audit/verify").json().boolean("ok"));
        execute("UPDATE audit_log SET secret_name = 'x' WHERE number = 2");
        const Answer tampered = admin("GET", "/audit/verify");
        CPPUNIT_ASSERT(!tampered.json().boolean("ok"));
        CPPUNIT_ASSERT_EQUAL(std::string("entry 2 has been changed"), tampered.json().string("problem"));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), std::string(tampered.json().required("entries").raw()));
    }

    void testNothingStoredShowsAValue() {
        putAndGrant("s", "S", "plain-as-day");
        deliver();
        put("s", "plain-as-day-two");
        host_.settle();
        for (const auto& entry : std::filesystem::directory_iterator(host_.dataDirectory())) {
            if (entry.is_regular_file()) {
                ASSERT_LACKS("plain-as-day", tests::readFile(entry.path()));
            }
        }
    }

    void testHowRoutesAreRegistered() {
        const RouteOptions& delivery = host_.options(Realm::worker, "GET", "/credentials");
        CPPUNIT_ASSERT(!delivery.head);
        CPPUNIT_ASSERT(delivery.secret);
        CPPUNIT_ASSERT(delivery.run == Run::pool);
        CPPUNIT_ASSERT(host_.options(Realm::operators, "PUT", "/secrets/{name}").secret);
        const auto permissionFor = [&](const char* method, const char* pattern) {
            return host_.options(Realm::operators, method, pattern).permission;
        };
        CPPUNIT_ASSERT(permissionFor("POST", "/vault/rekey") == permission::secretsRekey);
        CPPUNIT_ASSERT(permissionFor("GET", "/audit") == permission::auditRead);
        CPPUNIT_ASSERT(permissionFor("GET", "/audit/verify") == permission::auditRead);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CredentialsTest);

}  // namespace
}  // namespace sallyport::plugins
