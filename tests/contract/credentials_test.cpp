// CONTRACT §3 `GET /credentials`, §4 secrets and grants, §5, and the audit trail.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include "tests/support/assertions.h"
#include "tests/support/deadline.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

class CredentialsTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(CredentialsTest);
    CPPUNIT_TEST(testGrantedWithTheJobAndDelivered);
    CPPUNIT_TEST(testUnknownSecretMakesNoJob);
    CPPUNIT_TEST(testGrantsAreReplaced);
    CPPUNIT_TEST(testRestartTakesTheGrantsAlong);
    CPPUNIT_TEST(testOnlyGetIsAnswered);
    CPPUNIT_TEST(testSecretIsNeverShown);
    CPPUNIT_TEST(testBadInputIsRefused);
    CPPUNIT_TEST(testUsersAreApart);
    CPPUNIT_TEST(testRolesAreKept);
    CPPUNIT_TEST(testExpiredSecretIsNotDelivered);
    CPPUNIT_TEST(testDeletedSecretFailsTheWholeList);
    CPPUNIT_TEST(testTamperedSecretFailsTheWholeList);
    CPPUNIT_TEST(testGrantsEndWithTheToken);
    CPPUNIT_TEST(testRateIsLimited);
    CPPUNIT_TEST(testOverItsRateAJobIsSlowedAndNotRefused);
    CPPUNIT_TEST(testSecretsSurviveAKill);
    CPPUNIT_TEST(testKeyIsMadeAtTheFirstStart);
    CPPUNIT_TEST(testWrongKeyIsToldAndNothingIsLost);
    CPPUNIT_TEST(testKeyInTheEnvironmentIsTakenOutOfIt);
    CPPUNIT_TEST(testKeyFromSystemd);
    CPPUNIT_TEST(testCoreDumpsAreOff);
    CPPUNIT_TEST(testRekeySurvivesARestart);
    CPPUNIT_TEST(testRekeySurvivesKills);
    CPPUNIT_TEST(testAuditTellsEverything);
    CPPUNIT_TEST(testAuditFindsTampering);
    CPPUNIT_TEST(testAuditFindsACutTrail);
    CPPUNIT_TEST(testPlaintextIsNowhere);
    CPPUNIT_TEST(testMemoryIsWiped);
    CPPUNIT_TEST(testCommandLine);
    CPPUNIT_TEST(testCommandLineHidesWhatIsTyped);
    CPPUNIT_TEST_SUITE_END();

public:
    void testGrantedWithTheJobAndDelivered() {
        put("github", "ghp-1");
        put("openai", "sk-2");
        const CreatedJob job = createJob(admin(), R"({"task":"t","credentials":[)"
                                                  R"({"secret_name":"OpenAI","env_var":"OPENAI_API_KEY"},)"
                                                  R"({"secret_name":"github","env_var":"GITHUB_TOKEN"}]})");
        const Response detail = admin().get("/jobs/" + job.id);
        ASSERT_FIELD("openai", detail, "credentials.0.secret_name");
        ASSERT_FIELD("GITHUB_TOKEN", detail, "credentials.1.env_var");
        const Response response = workerClient(daemon(), job).get("/credentials");
        ASSERT_STATUS(200, response);
        CPPUNIT_ASSERT_EQUAL(std::string("application/json"), response.header("Content-Type"));
        CPPUNIT_ASSERT_EQUAL(std::string("no-store"), response.header("Cache-Control"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"([{"env_var":"OPENAI_API_KEY","value":"sk-2"},)"
                                         R"({"env_var":"GITHUB_TOKEN","value":"ghp-1"}])"),
                             response.body);
        const Response shown = admin().get("/secrets/github");
        ASSERT_FIELD("1", shown, "usage_count");
        CPPUNIT_ASSERT(shown.at("last_used_at").ends_with('Z'));
    }

    void testUnknownSecretMakesNoJob() {
        const std::string before = admin().get("/jobs/summary").at("total");
        for (const char* grant : {R"({"secret_name":"nobody-has-it","env_var":"A"})",
                                  R"({"secret_name":"nobody-has-it","env_var":"LD_PRELOAD"})"}) {
            ASSERT_REFUSED(
                422, admin().post("/jobs", R"({"task":"t","credentials":[)" + std::string(grant) + "]}"));
        }
        CPPUNIT_ASSERT_EQUAL(before, admin().get("/jobs/summary").at("total"));
    }

    void testGrantsAreReplaced() {
        put("one", "1");
        put("two", "2");
        const CreatedJob job = createJob(admin());
        Client worker = workerClient(daemon(), job);
        ASSERT_STATUS(204, worker.get("/credentials"));
        ASSERT_STATUS(200, grant(job, R"({"secret_name":"one","env_var":"X"})"));
        ASSERT_FIELD("1", worker.get("/credentials"), "0.value");
        const Response replaced = grant(job, R"({"secret_name":"two","env_var":"X"})");
        ASSERT_FIELD("two", replaced, "credentials.0.secret_name");
        ASSERT_FIELD("2", worker.get("/credentials"), "0.value");
        ASSERT_STATUS(200, grant(job, ""));
        ASSERT_STATUS(204, worker.get("/credentials"));
    }

    void testRestartTakesTheGrantsAlong() {
        put("kept", "v");
        const CreatedJob old =
            createJob(admin(), R"({"task":"t","credentials":[{"secret_name":"kept","env_var":"KEPT"}]})");
        ASSERT_STATUS(200, admin().post("/jobs/" + old.id + "/cancel", "{}"));
        const Response restarted = admin().post("/jobs/" + old.id + "/restart", "{}");
        ASSERT_STATUS(201, restarted);
        const CreatedJob job{restarted.at("new_job_id"), restarted.at("token")};
        ASSERT_FIELD("v", workerClient(daemon(), job).get("/credentials"), "0.value");
    }

    void testOnlyGetIsAnswered() {
        const CreatedJob job = createJob(admin());
        Client worker = workerClient(daemon(), job);
        for (const char* method : {"HEAD", "POST", "PUT", "DELETE"}) {
            ASSERT_STATUS(405, exchange(daemon().worker(), worker.request(method, "/credentials")));
        }
    }

    void testSecretIsNeverShown() {
        const Response made =
            admin().put("/secrets/Shown.Never-1", R"({"value":"never-in-an-answer","provider":"P",
                                          "expires_at":"2999-12-31T23:59:59Z"})");
        ASSERT_STATUS(201, made);
        for (const Response& response :
             {made, admin().get("/secrets/shown.never-1"), admin().get("/secrets?limit=200"),
              admin().get("/audit?limit=200"), admin().remove("/secrets/SHOWN.never-1")}) {
            ASSERT_STATUS(response.status == 201 ? 201 : 200, response);
            ASSERT_LACKS("never-in-an-answer", response.body);
        }
        ASSERT_FIELD("shown.never-1", made, "name");
        ASSERT_FIELD("P", made, "provider");
        ASSERT_FIELD("2999-12-31T23:59:59.000Z", made, "expires_at");
        ASSERT_FIELD("0", made, "usage_count");
        ASSERT_FIELD("null", made, "last_used_at");
        ASSERT_REFUSED(404, admin().get("/secrets/shown.never-1"));
        ASSERT_REFUSED(404, admin().remove("/secrets/shown.never-1"));
    }

    void testBadInputIsRefused() {
        put("good", "v");
        for (const auto& [body, field] : std::map<std::string, std::string>{
                 {"{}", "value"},
                 {R"({"value":""})", "value"},
                 {R"({"value":1})", "value"},
                 {R"({"value":"a\u0000"})", "value"},
                 {R"({"value":"a","provider":7})", "provider"},
                 {R"({"value":"a","expires_at":"2026-02-30T00:00:00Z"})", "expires_at"},
                 {R"({"value":"a","user_id":"a b"})", "user_id"}}) {
            ASSERT_INVALID_FIELD(field, admin().put("/secrets/bad", body));
        }
        ASSERT_INVALID_FIELD("name", admin().put("/secrets/a%20b", R"({"value":"a"})"));
        ASSERT_INVALID_FIELD("name", admin().put("/secrets/a%2fb", R"({"value":"a"})"));
        ASSERT_REFUSED(400, admin().put("/secrets/bad", "{"));
        ASSERT_REFUSED(413, admin().put("/secrets/bad", R"({"value":")" + std::string(65537, 'x') + "\"}"));
        ASSERT_REFUSED(415, exchange(daemon().operators(),
                                     admin().request("PUT", "/secrets/bad").body("text/plain", "v")));
        ASSERT_REFUSED(404, admin().get("/secrets/bad"));
        ASSERT_REFUSED(400, admin().get("/secrets?limit=201"));
        ASSERT_REFUSED(400, admin().get("/audit?cursor=-1"));

        const CreatedJob job = createJob(admin());
        for (const auto& [grants, field] : std::map<std::string, std::string>{
                 {R"({"env_var":"A"})", "secret_name"},
                 {R"({"secret_name":"good"})", "env_var"},
                 {R"({"secret_name":"good","env_var":"A-B"})", "env_var"},
                 {R"({"secret_name":"good","env_var":"PATH"})", "env_var"},
                 {R"({"secret_name":"good","env_var":"BASH_ENV"})", "env_var"},
                 {R"({"secret_name":"go od","env_var":"A"})", "secret_name"},
                 {R"({"secret_name":"good","env_var":"A"},{"secret_name":"good","env_var":"A"})", "env_var"},
                 {"7", "credentials"}}) {
            ASSERT_INVALID_FIELD(field, grant(job, grants));
        }
        ASSERT_INVALID_FIELD("credentials", admin().put("/jobs/" + job.id + "/credentials", "{}"));
        ASSERT_REFUSED(400, admin().put("/jobs/1/credentials", R"({"credentials":[]})"));
        ASSERT_STATUS(204, workerClient(daemon(), job).get("/credentials"));
    }

    void testUsersAreApart() {
        Client alice = operatorClient(daemon(), createToken(daemon(), "alice", "user"));
        Client bob = operatorClient(daemon(), createToken(daemon(), "bob", "user"));
        ASSERT_STATUS(201, alice.put("/secrets/shared-name", R"({"value":"of alice"})"));
        ASSERT_REFUSED(404, bob.get("/secrets/shared-name"));
        ASSERT_REFUSED(404, bob.remove("/secrets/shared-name"));
        ASSERT_FIELD("[]", bob.get("/secrets"), "secrets");
        for (const Response& response :
             {bob.get("/secrets?user_id=alice"), bob.get("/secrets/shared-name?user_id=alice"),
              bob.remove("/secrets/shared-name?user_id=alice")}) {
            ASSERT_REFUSED(404, response);
        }
        ASSERT_REFUSED(403, bob.put("/secrets/shared-name", R"({"value":"x","user_id":"alice"})"));
        const std::string wanted =
            R"({"task":"t","credentials":[{"secret_name":"shared-name","env_var":"S"}]})";
        ASSERT_INVALID_FIELD("secret_name", bob.post("/jobs", wanted));
        const CreatedJob job = createJob(alice, wanted);
        ASSERT_REFUSED(404, bob.put("/jobs/" + job.id + "/credentials", R"({"credentials":[]})"));
        ASSERT_STATUS(201, bob.put("/secrets/shared-name", R"({"value":"of bob"})"));
        ASSERT_FIELD("of alice", workerClient(daemon(), job).get("/credentials"), "0.value");
        ASSERT_STATUS(200, bob.remove("/secrets/shared-name"));
        ASSERT_FIELD("of alice", workerClient(daemon(), job).get("/credentials"), "0.value");
    }

    void testRolesAreKept() {
        Client viewer = operatorClient(daemon(), createToken(daemon(), "carol", "viewer"));
        Client user = operatorClient(daemon(), createToken(daemon(), "carol", "user"));
        ASSERT_REFUSED(403, viewer.put("/secrets/s", R"({"value":"v"})"));
        ASSERT_STATUS(201, user.put("/secrets/s", R"({"value":"v"})"));
        ASSERT_STATUS(200, viewer.get("/secrets/s"));
        ASSERT_STATUS(200, viewer.get("/secrets"));
        ASSERT_REFUSED(403, viewer.remove("/secrets/s"));
        const CreatedJob job = createJob(user);
        ASSERT_REFUSED(403, viewer.put("/jobs/" + job.id + "/credentials", R"({"credentials":[]})"));
        for (Client* client : {&viewer, &user}) {
            ASSERT_REFUSED(403, client->get("/audit"));
            ASSERT_REFUSED(403, client->get("/audit/verify"));
            ASSERT_REFUSED(403, client->post("/vault/rekey", "{}"));
        }
    }

    void testExpiredSecretIsNotDelivered() {
        put("mayfly", "v");
        const CreatedJob job = jobWith("mayfly");
        ASSERT_STATUS(200, admin().put("/secrets/mayfly",
                                       R"({"value":"still here","expires_at":"2020-01-01T00:00:00Z"})"));
        assertNothingIsDelivered(daemon(), job, "still here");
        ASSERT_FIELD("expired", admin().get("/audit?limit=1"), "entries.0.reason");
    }

    void testDeletedSecretFailsTheWholeList() {
        put("stays", "value that stays");
        put("goes", "value that goes");
        const CreatedJob job = createJob(admin());
        ASSERT_STATUS(200, grant(job, R"({"secret_name":"stays","env_var":"A"},)"
                                      R"({"secret_name":"goes","env_var":"B"})"));
        ASSERT_STATUS(200, admin().remove("/secrets/goes"));
        assertNothingIsDelivered(daemon(), job, "value that");
        // Neither counted nor audited as delivered.
        ASSERT_FIELD("0", admin().get("/secrets/stays"), "usage_count");
        const Response last = admin().get("/audit?limit=1");
        ASSERT_FIELD("missing", last, "entries.0.reason");
        ASSERT_FIELD("goes", last, "entries.0.secret_name");
    }

    void testTamperedSecretFailsTheWholeList() {
        Daemon own;
        Client operators = operatorClient(own);
        ASSERT_STATUS(201, operators.put("/secrets/one", R"({"value":"value one"})"));
        ASSERT_STATUS(201, operators.put("/secrets/two", R"({"value":"value two"})"));
        const CreatedJob job =
            createJob(operators, R"({"task":"t","credentials":[{"secret_name":"one","env_var":"A"},)"
                                 R"({"secret_name":"two","env_var":"B"}]})");
        ASSERT_STATUS(200, workerClient(own, job).get("/credentials"));
        changeDatabase(own,
                       "UPDATE secrets SET key_salt = (SELECT key_salt FROM secrets WHERE name = 'one')"
                       " WHERE name = 'two'");
        assertNothingIsDelivered(own, job, "value");
        changeDatabase(own, "UPDATE secrets SET encrypted_value = x'00' WHERE name = 'two'");
        assertNothingIsDelivered(own, job, "value");
        ASSERT_FIELD("damaged", operators.get("/audit?limit=1"), "entries.0.reason");
    }

    void testGrantsEndWithTheToken() {
        put("short-lived", "v");
        for (const char* end : {"complete", "cancel"}) {
            const CreatedJob job = jobWith("short-lived");
            Client worker = workerClient(daemon(), job);
            ASSERT_STATUS(200, worker.get("/credentials"));
            ASSERT_STATUS(200, end == std::string("complete")
                                   ? worker.post("/complete", R"({"success":true,"iterations":1})")
                                   : admin().post("/jobs/" + job.id + "/cancel", "{}"));
            ASSERT_UNAUTHORIZED(worker.get("/credentials"));
            ASSERT_FIELD("short-lived", admin().get("/jobs/" + job.id), "credentials.0.secret_name");
            awaitField(admin(), "/audit?limit=1&job_id=" + job.id, "entries.0.action", "revoke");
            ASSERT_ERROR(409, "job_over", grant(job, ""));
        }
    }

    void testRateIsLimited() {
        Daemon& own = sharedDaemon({{"credentials.rate", "2"}});
        const CreatedJob job = createJob(own);
        Client worker = workerClient(own, job);
        ASSERT_STATUS(204, worker.get("/credentials"));
        ASSERT_STATUS(204, worker.get("/credentials"));
        // This one has to wait, and would for ten seconds.
        Connection& held = worker.connection();
        held.send(worker.request("GET", "/credentials").bytes());
        ASSERT_STATUS(204, workerClient(own, createJob(own)).get("/credentials"));
        ASSERT_STATUS(200, operatorClient(own).post("/jobs/" + job.id + "/cancel", "{}"));
        ASSERT_UNAUTHORIZED(held.receive());
    }

    /// A minute's worth may be had at once, and a second brings another.
    void testOverItsRateAJobIsSlowedAndNotRefused() {
        Daemon own({.settings = {{"credentials.rate", "60"}}});
        const CreatedJob job = ownJob(own, "worth waiting for");
        Client worker = workerClient(own, job);
        for (int i = 0; i < 62; ++i) {
            ASSERT_FIELD("worth waiting for", worker.get("/credentials"), "0.value");
        }
        assertTrailIsWhole(own);
    }

    void testSecretsSurviveAKill() {
        Daemon own;
        const CreatedJob job = ownJob(own, "kept through it all");
        own.kill();
        own.start();
        assertDelivers(own, job, "kept through it all");
        assertTrailIsWhole(own);
    }

    void testKeyIsMadeAtTheFirstStart() {
        const auto file = daemon().dataDirectory() / "credentials.key";
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(file.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, status.st_mode & 07777U);
        CPPUNIT_ASSERT_EQUAL(std::size_t{65}, readFile(file).size());
        CPPUNIT_ASSERT(readFile(file) != readFile(sharedDaemon({{"credentials.rate", "2"}}).dataDirectory() /
                                                  "credentials.key"));
    }

    /// Each way to have no usable key: the daemon runs, says why, and goes on when the key is back.
    void testWrongKeyIsToldAndNothingIsLost() {
        Daemon own;
        const CreatedJob job = ownJob(own, "not lost");
        const auto file = own.dataDirectory() / "credentials.key";
        const std::string good = readFile(file);
        const std::map<std::string, std::string> spoiled{
            {std::string(64, '0'), "not the one"}, {"short", "5 bytes"}, {"", "put it back"}};
        for (const auto& [key, sentence] : spoiled) {
            own.terminate();
            std::filesystem::remove(file);
            if (!key.empty()) {
                writeFile(file, key);
                std::filesystem::permissions(file, owner);
            }
            own.start();
            Client operators = operatorClient(own);
            ASSERT_ERROR(503, "vault_sealed", workerClient(own, job).get("/credentials"));
            ASSERT_ERROR(503, "vault_sealed", operators.put("/secrets/t", R"({"value":"v"})"));
            ASSERT_ERROR(503, "vault_sealed", operators.post("/vault/rekey", "{}"));
            ASSERT_CONTAINS(sentence, operators.get("/plugins").body);
            ASSERT_CONTAINS(sentence, own.log());
            ASSERT_STATUS(200, operators.get("/secrets/s"));
            ASSERT_STATUS(204, workerClient(own, createJob(own)).get("/credentials"));
        }
        own.terminate();
        writeFile(file, good);
        std::filesystem::permissions(file, owner);
        own.start();
        assertDelivers(own, job, "not lost");
        assertTrailIsWhole(own);
    }

    void testKeyInTheEnvironmentIsTakenOutOfIt() {
        const std::string key(48, 'e');
        Daemon own(
            {.settings = {{"process.core_dumps", "true"}}, .environment = {{"SALLYPORT_MASTER_KEY", key}}});
        const CreatedJob job = ownJob(own, "by environment");
        CPPUNIT_ASSERT(!std::filesystem::exists(own.dataDirectory() / "credentials.key"));
        const std::string environment = readFile("/proc/" + std::to_string(own.pid()) + "/environ");
        ASSERT_CONTAINS("SALLYPORT_MASTER_KEY", environment);
        ASSERT_LACKS(key, environment);
        ASSERT_ERROR(409, "key_not_in_file", operatorClient(own).post("/vault/rekey", "{}"));
        own.terminate();
        own.start();
        assertDelivers(own, job, "by environment");
        own.terminate();
        own.options().environment.clear();
        own.start();
        ASSERT_STATUS(503, workerClient(own, job).get("/credentials"));
    }

    void testKeyFromSystemd() {
        const TemporaryDirectory credentials;
        writeFile(credentials / "sallyport-master-key", std::string(48, 's') + "\n");
        Daemon own({.environment = {{"CREDENTIALS_DIRECTORY", credentials.path().string()},
                                    {"SALLYPORT_MASTER_KEY", std::string(48, 'e')}}});
        const CreatedJob job = ownJob(own, "by systemd");
        assertDelivers(own, job, "by systemd");
        CPPUNIT_ASSERT(!std::filesystem::exists(own.dataDirectory() / "credentials.key"));
        own.terminate();
        own.options().environment = {{"SALLYPORT_MASTER_KEY", std::string(48, 's')}};
        own.start();
        assertDelivers(own, job, "by systemd");
    }

    void testCoreDumpsAreOff() {
        std::ifstream limits("/proc/" + std::to_string(daemon().pid()) + "/limits");
        for (std::string line; std::getline(limits, line);) {
            if (line.starts_with("Max core file size")) {
                std::istringstream words(line.substr(18));
                std::string soft;
                std::string hard;
                words >> soft >> hard;
                CPPUNIT_ASSERT_EQUAL(std::string("0 0"), soft + ' ' + hard);
                return;
            }
        }
        CPPUNIT_FAIL("the kernel shows no limit for core files");
    }

    void testRekeySurvivesARestart() {
        Daemon own;
        const CreatedJob job = ownJob(own, "under two keys");
        const auto file = own.dataDirectory() / "credentials.key";
        const std::string before = readFile(file);
        const Response rekeyed = operatorClient(own).post("/vault/rekey", "{}");
        ASSERT_STATUS(200, rekeyed);
        ASSERT_FIELD("rekeyed", rekeyed, "status");
        ASSERT_FIELD("1", rekeyed, "secrets");
        CPPUNIT_ASSERT(readFile(file) != before);
        assertDelivers(own, job, "under two keys");
        own.terminate();
        own.start();
        assertDelivers(own, job, "under two keys");
        own.terminate();
        writeFile(file, before);
        own.start();
        ASSERT_STATUS(503, workerClient(own, job).get("/credentials"));
    }

    /// The daemon is killed at one moment after the other of a change of the key.
    void testRekeySurvivesKills() {
        Daemon own({.settings = {{"credentials.rate", "1000"}}});
        const CreatedJob job = ownJob(own, "never lost");
        {
            Client operators = operatorClient(own);
            for (int i = 0; i < 150; ++i) {
                ASSERT_STATUS(201, operators.put("/secrets/more-" + std::to_string(i), R"({"value":"m"})"));
            }
        }
        const auto file = own.dataDirectory() / "credentials.key";
        std::string key = readFile(file);
        int changed = 0;
        constexpr int rounds = 16;
        for (int round = 0; round < rounds; ++round) {
            Connection connection(own.operators());
            connection.send(operatorClient(own).request("POST", "/vault/rekey").bytes());
            // Not an event that is awaited: any moment will do, and each round takes a later one.
            std::this_thread::sleep_for(std::chrono::milliseconds(3 * round));
            own.kill();
            own.start();
            assertDelivers(own, job, "never lost");
            CPPUNIT_ASSERT(!std::filesystem::exists(file.string() + ".new"));
            changed += readFile(file) == key ? 0 : 1;
            key = readFile(file);
        }
        assertTrailIsWhole(own);
        // All of them are under the one key.
        ASSERT_FIELD("151", operatorClient(own).post("/vault/rekey", "{}"), "secrets");
        CPPUNIT_ASSERT_MESSAGE("no kill came after a change", changed > 0);
    }

    void testAuditTellsEverything() {
        Daemon own;
        Client operators = operatorClient(own);
        ASSERT_STATUS(201, operators.put("/secrets/s", R"({"value":"v"})"));
        ASSERT_STATUS(200, operators.put("/secrets/s", R"({"value":"w"})"));
        const CreatedJob job =
            createJob(operators, R"({"task":"t","credentials":[{"secret_name":"s","env_var":"S"}]})");
        Client worker = workerClient(own, job);
        const Response delivered = worker.get("/credentials");
        ASSERT_STATUS(200, delivered);
        ASSERT_STATUS(200, operators.remove("/secrets/s"));
        ASSERT_STATUS(500, worker.get("/credentials"));
        ASSERT_REFUSED(422, operators.post("/jobs", R"({"task":"t","credentials":[)"
                                                    R"({"secret_name":"s","env_var":"S"}]})"));
        ASSERT_STATUS(200, worker.post("/complete", R"({"success":true,"iterations":1})"));
        awaitField(operators, "/audit?limit=1", "entries.0.action", "revoke");
        ASSERT_STATUS(200, operators.post("/vault/rekey", "{}"));
        const Response trail = operators.get("/audit");
        const std::vector<std::string> told{"rekey ok",       "rekey begun", "revoke ok",  "grant denied",
                                            "deliver denied", "delete ok",   "deliver ok", "grant ok",
                                            "change ok",      "create ok"};
        CPPUNIT_ASSERT_EQUAL_MESSAGE(trail.describe(), told.size(), trail.size("entries"));
        for (std::size_t i = 0; i < told.size(); ++i) {
            const std::string entry = "entries." + std::to_string(i) + '.';
            CPPUNIT_ASSERT_EQUAL(told[i], trail.at(entry + "action") + ' ' + trail.at(entry + "outcome"));
            CPPUNIT_ASSERT(trail.at(entry + "at").ends_with('Z'));
        }
        ASSERT_FIELD("worker", trail, "entries.6.actor");
        ASSERT_FIELD("default", trail, "entries.6.user_id");
        ASSERT_FIELD(job.id, trail, "entries.6.job_id");
        ASSERT_FIELD("s", trail, "entries.6.secret_name");
        ASSERT_FIELD("S", trail, "entries.6.env_var");
        ASSERT_FIELD(delivered.header("X-Request-Id"), trail, "entries.6.request_id");
        ASSERT_FIELD("operator:default", trail, "entries.7.actor");
        ASSERT_FIELD("daemon", trail, "entries.2.actor");

        // The same in pages.
        std::string cursor;
        std::size_t entries = 0;
        do {
            const Response page =
                operators.get("/audit?limit=4" + (cursor.empty() ? "" : "&cursor=" + cursor));
            entries += page.size("entries");
            cursor = page.at("next_cursor") == "(absent)" ? "" : page.at("next_cursor");
        } while (!cursor.empty());
        CPPUNIT_ASSERT_EQUAL(told.size(), entries);
        ASSERT_FIELD("10", operators.get("/audit/verify"), "entries");
        assertTrailIsWhole(own);
    }

    void testAuditFindsTampering() {
        Daemon own;
        ownJob(own, "v");
        assertTrailIsWhole(own);
        changeDatabase(own, "UPDATE audit_log SET secret_name = 'other' WHERE number = 1");
        const Response verdict = operatorClient(own).get("/audit/verify");
        ASSERT_STATUS(200, verdict);
        ASSERT_FIELD("false", verdict, "ok");
        ASSERT_CONTAINS("entry 1", verdict.at("problem"));
    }

    /// Somebody cuts the trail and mends what the database knows of its end.
    void testAuditFindsACutTrail() {
        Daemon own;
        ownJob(own, "v");
        own.terminate();
        changeDatabase(own, "DELETE FROM audit_log WHERE number > 1");
        changeDatabase(own, "UPDATE audit_log_head SET entries = 1, hash = (SELECT hash FROM audit_log)");
        own.start();
        Client operators = operatorClient(own);
        ASSERT_CONTAINS("has been cut", operators.get("/audit/verify").at("problem"));
        ASSERT_CONTAINS("sallyport audit verify", operators.get("/plugins").body);
        // Nor can it be hidden by what comes after.
        ASSERT_STATUS(201, operators.put("/secrets/another", R"({"value":"v"})"));
        ASSERT_STATUS(201, operators.put("/secrets/more", R"({"value":"v"})"));
        ASSERT_FIELD("false", operators.get("/audit/verify"), "ok");
    }

    void testPlaintextIsNowhere() {
        Daemon own({.settings = {{"log.level", "debug"}, {"credentials.rate", "1000"}}});
        const std::string plain = "plaintext-marker";
        Client operators = operatorClient(own);
        std::string answers;
        const auto keep = [&answers](const Response& response) {
            answers += response.describe();
            return response.status;
        };
        for (int i = 0; i < 20; ++i) {
            keep(operators.put("/secrets/s" + std::to_string(i),
                               R"({"value":")" + plain + std::to_string(i) + "\"}"));
        }
        const CreatedJob job =
            createJob(operators, R"({"task":"t","credentials":[{"secret_name":"s0","env_var":"A"},)"
                                 R"({"secret_name":"s1","env_var":"B"}]})");
        Client worker = workerClient(own, job);
        ASSERT_STATUS(200, worker.get("/credentials"));
        // Every way in which a request with a secret in it fails.
        keep(operators.put("/secrets/bad name", R"({"value":")" + plain + "\"}"));
        keep(operators.put("/secrets/a%20b", R"({"value":")" + plain + "\"}"));
        keep(operators.put("/secrets/s", R"({"value":")" + plain + "\",}"));
        keep(operators.put("/secrets/s", R"({"value":")" + plain + R"(","value":")" + plain + "\"}"));
        keep(operators.put("/secrets/s", R"({"value":[")" + plain + "\"]}"));
        keep(operators.put("/secrets/s", R"({"value":")" + plain + R"(","expires_at":")" + plain + "\"}"));
        keep(operators.put("/secrets/s", R"({"value":")" + plain + R"(","provider":7})"));
        keep(operators.put("/secrets/s", R"({"value":")" + plain + std::string(70'000, 'x') + "\"}"));
        keep(exchange(own.operators(), operators.request("PUT", "/secrets/s").body("text/plain", plain)));
        keep(operatorClient(own, "wrong").put("/secrets/s", R"({"value":")" + plain + "\"}"));
        keep(operators.get("/secrets"));
        keep(operators.get("/audit?limit=200"));
        keep(operators.get("/jobs/" + job.id));
        keep(operators.get("/plugins"));
        CPPUNIT_ASSERT_EQUAL(200, keep(operators.post("/vault/rekey", "{}")));
        CPPUNIT_ASSERT_EQUAL(200, keep(operators.remove("/secrets/s1")));
        CPPUNIT_ASSERT_EQUAL(500, keep(worker.get("/credentials")));
        ASSERT_LACKS(plain, answers);
        // While it runs the write-ahead log is there, afterwards all is in the database.
        CPPUNIT_ASSERT(std::filesystem::file_size(own.dataDirectory() / "sallyport.db-wal") > 0);
        assertNoFileHas(own, plain);
        const std::string key = readFile(own.dataDirectory() / "credentials.key");
        ASSERT_LACKS(key.substr(0, 64), own.log());
        own.terminate();
        assertNoFileHas(own, plain);
        ASSERT_LACKS(plain, own.log());
    }

    /// What went through the daemon is not left in its memory.
    void testMemoryIsWiped() {
        Daemon own({.settings = {{"process.core_dumps", "true"}}});
        // Made of two, so that this test's own request is the only place where it stands as one.
        const std::string plain = std::string("left-behind-in-memory-") + "q7Zk40Wm2Xv9";
        std::string escaped = plain;
        std::string value = plain;
        for (int i = 0; i < 300; ++i) {
            escaped += R"(\"\n\u0001)";
            value += "\"\n\x01";
        }
        const CreatedJob job = ownJob(own, escaped);
        assertDelivers(own, job, value);
        ASSERT_STATUS(413, operatorClient(own).put(
                               "/secrets/s", R"({"value":")" + plain + std::string(70'000, 'x') + "\"}"));
        ASSERT_INVALID_FIELD("value",
                             operatorClient(own).put("/secrets/s", R"({"value":[")" + plain + "\"]}"));
        std::string memory = memoryOf(own);
        if (memory.empty()) {
            return;  // this system does not let the test look
        }
        // What surely is there is found. The secret is not, once the last request has been put away, nor its
        // end: the allocator writes over the beginning of what was freed.
        CPPUNIT_ASSERT(occurrences(own.dataDirectory().string(), memory) > 0);
        const Deadline deadline;
        while (memory.find(plain.substr(plain.size() - 12)) != std::string::npos) {
            CPPUNIT_ASSERT_MESSAGE("copies are left in memory", deadline.pollTimeout() > 0);
            memory = memoryOf(own);
        }
    }

    void testCommandLine() {
        const auto input = directory_ / "value";
        writeFile(input, "from a file\n");
        Command setting = cliCommand({"secret", "set", "CLI.Secret", "--provider", "P"});
        setting.input = input;
        const Finished stored = run(setting);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(stored.describe(), 0, stored.status);
        ASSERT_CONTAINS("cli.secret", stored.output);
        ASSERT_LACKS("from a file", stored.output + stored.errors);
        ASSERT_CONTAINS("cli.secret", succeed({"secret", "list"}));
        ASSERT_CONTAINS("P", succeed({"secret", "show", "cli.secret"}));

        const std::string created =
            succeed({"job", "create", "t", "--grant", "cli.secret=CLI_SECRET", "--json"});
        const CreatedJob job{jsonAt(created, "job_id"), jsonAt(created, "token")};
        Client worker = workerClient(daemon(), job);
        ASSERT_FIELD("from a file", worker.get("/credentials"), "0.value");
        ASSERT_CONTAINS("as OTHER", succeed({"job", "grant", job.id, "cli.secret=OTHER"}));
        ASSERT_FIELD("OTHER", worker.get("/credentials"), "0.env_var");
        ASSERT_CONTAINS("cli.secret as OTHER", succeed({"job", "show", job.id}));
        ASSERT_CONTAINS("no secrets", succeed({"job", "grant", job.id, "--none"}));
        ASSERT_STATUS(204, worker.get("/credentials"));
        const Finished refused = cli({"job", "grant", job.id, "nobody-has-it=A"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
        ASSERT_CONTAINS("nobody-has-it", refused.errors);

        ASSERT_CONTAINS("deliver", succeed({"audit", "list", "--job", job.id}));
        ASSERT_CONTAINS("whole", succeed({"audit", "verify"}));
        ASSERT_CONTAINS("anew", succeed({"secret", "rekey"}));
        ASSERT_CONTAINS("deleted", succeed({"secret", "delete", "cli.secret"}));
        CPPUNIT_ASSERT_EQUAL(1, cli({"secret", "show", "cli.secret"}).status);

        Daemon own;
        ownJob(own, "v");
        changeDatabase(own, "DELETE FROM audit_log WHERE number = 1");
        const Finished verified =
            run({.program = SALLYPORT_CLI_PATH,
                 .arguments = {"--data-dir", own.dataDirectory().string(), "audit", "verify"}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(verified.describe(), 1, verified.status);
        ASSERT_CONTAINS("entry 1 is missing", verified.output);
    }

    /// On a terminal of its own.
    void testCommandLineHidesWhatIsTyped() {
        const FileDescriptor terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        CPPUNIT_ASSERT(terminal.open());
        CPPUNIT_ASSERT_EQUAL(0, ::grantpt(terminal.get()));
        CPPUNIT_ASSERT_EQUAL(0, ::unlockpt(terminal.get()));
        Command setting = cliCommand({"secret", "set", "typed"});
        setting.input = ::ptsname(terminal.get());
        // Held open, so that what was echoed can be read when the program has ended.
        const FileDescriptor held(::open(setting.input.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        Process process(setting);
        process.awaitErrors("not shown");
        const std::string typed = "typed in secret\n";
        CPPUNIT_ASSERT_EQUAL(std::ssize(typed), ::write(terminal.get(), typed.data(), typed.size()));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(process.errors(), 0, process.wait());
        ASSERT_LACKS("typed in secret", process.output() + process.errors());
        // Shown again from here on.
        CPPUNIT_ASSERT_EQUAL(ssize_t{6}, ::write(terminal.get(), "after\n", 6));
        std::string echoed(256, '\0');
        echoed.resize(static_cast<std::size_t>(::read(terminal.get(), echoed.data(), echoed.size())));
        ASSERT_CONTAINS("after", echoed);
        ASSERT_LACKS("typed in secret", echoed);
        ASSERT_FIELD("typed in secret", workerClient(daemon(), jobWith("typed")).get("/credentials"),
                     "0.value");
    }

private:
    static constexpr auto owner = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;

    void put(const std::string& name, const std::string& value) {
        const Response response = admin().put("/secrets/" + name, R"({"value":")" + value + "\"}");
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.status == 200 || response.status == 201);
    }

    Response grant(const CreatedJob& job, const std::string& grants) {
        return admin().put("/jobs/" + job.id + "/credentials", R"({"credentials":[)" + grants + "]}");
    }

    CreatedJob jobWith(const std::string& secret) {
        return createJob(admin(), R"({"task":"t","credentials":[{"secret_name":")" + secret +
                                      R"(","env_var":"SECRET"}]})");
    }

    /// A job of a daemon of the test's own, with one secret of that value.
    static CreatedJob ownJob(const Daemon& daemon, const std::string& value) {
        Client operators = operatorClient(daemon);
        ASSERT_STATUS(201, operators.put("/secrets/s", R"({"value":")" + value + "\"}"));
        return createJob(operators, R"({"task":"t","credentials":[{"secret_name":"s","env_var":"SECRET"}]})");
    }

    static void assertDelivers(const Daemon& daemon, const CreatedJob& job, const std::string& value) {
        const Response response = workerClient(daemon, job).get("/credentials");
        ASSERT_STATUS(200, response);
        ASSERT_FIELD(value, response, "0.value");
    }

    static void assertNothingIsDelivered(const Daemon& daemon, const CreatedJob& job,
                                         const std::string& value) {
        const Response response = workerClient(daemon, job).get("/credentials");
        ASSERT_ERROR(500, "secret_unavailable", response);
        ASSERT_LACKS(value, response.body);
    }

    static void assertTrailIsWhole(const Daemon& daemon) {
        const Response verdict = operatorClient(daemon).get("/audit/verify");
        ASSERT_FIELD("null", verdict, "problem");
        ASSERT_FIELD("true", verdict, "ok");
    }

    static void assertNoFileHas(const Daemon& daemon, const std::string& plain) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(daemon.directory())) {
            if (entry.is_regular_file() && entry.path().extension() != ".so") {
                CPPUNIT_ASSERT_EQUAL_MESSAGE(entry.path().string(), std::size_t{0},
                                             occurrences(plain, readFile(entry.path())));
            }
        }
    }

    static std::size_t occurrences(const std::string& part, const std::string& whole) {
        std::size_t count = 0;
        for (auto at = whole.find(part); at != std::string::npos; at = whole.find(part, at + 1)) {
            ++count;
        }
        return count;
    }

    /// All that the daemon may write to; empty where that cannot be read.
    static std::string memoryOf(const Daemon& daemon) {
        const std::string process = "/proc/" + std::to_string(daemon.pid());
        const FileDescriptor memory(::open((process + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
        std::ifstream maps(process + "/maps");
        std::string content;
        for (std::string line; memory.open() && std::getline(maps, line);) {
            std::istringstream fields(line);
            unsigned long begin = 0;
            unsigned long end = 0;
            char dash = 0;
            std::string rights;
            fields >> std::hex >> begin >> dash >> end >> rights;
            // The sanitizers' shadow is larger than any memory.
            if (!rights.starts_with("rw") || end - begin > (1UL << 30U)) {
                continue;
            }
            const std::size_t before = content.size();
            content.resize(before + (end - begin));
            const ssize_t got =
                ::pread(memory.get(), content.data() + before, end - begin, static_cast<off_t>(begin));
            content.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        }
        return content;
    }

    static void changeDatabase(const Daemon& daemon, const char* sql) {
        sqlite3* opened = nullptr;
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK,
                             sqlite3_open((daemon.dataDirectory() / "sallyport.db").c_str(), &opened));
        const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(opened, sqlite3_close);
        sqlite3_busy_timeout(opened, 10'000);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(sqlite3_errmsg(opened), SQLITE_OK,
                                     sqlite3_exec(opened, sql, nullptr, nullptr, nullptr));
    }

    static Command cliCommand(std::vector<std::string> words) {
        words.insert(words.begin(), {"--data-dir", daemon().dataDirectory().string()});
        return {.program = SALLYPORT_CLI_PATH, .arguments = std::move(words)};
    }
    static Finished cli(const std::vector<std::string>& words) { return run(cliCommand(words)); }
    static std::string succeed(const std::vector<std::string>& words) {
        const Finished finished = cli(words);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        return finished.output;
    }

    TemporaryDirectory directory_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(CredentialsTest);

}  // namespace sallyport::tests
