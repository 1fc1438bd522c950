#include <map>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/cli/program.h"
#include "tests/unit/client/scripted_door.h"

namespace sallyport::host::cli {

using namespace client;  // the scripted door

namespace {

const std::string grantedJob = "3f2b8c1e-0000-4000-8000-000000000000";

std::string secret(const std::string& name, const std::string& more = {}) {
    return R"({"name":")" + name + R"(","user_id":"default","usage_count":2,)" +
           R"("created_at":"2026-01-31T10:00:00.000Z","updated_at":"2026-01-31T10:00:00.000Z")" + more + "}";
}

std::string entry(int number, const std::string& more = {}) {
    return R"({"number":)" + std::to_string(number) +
           R"(,"at":"2026-01-31T10:00:00.000Z","actor":"worker","action":"deliver","outcome":"ok")" + more +
           "}";
}

}  // namespace

/// `secret`, `audit` and `job grant`, from their arguments to what they ask and print.
class SecretCommandsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SecretCommandsTest);
    CPPUNIT_TEST(testStoresWhatStandsOnStandardInput);
    CPPUNIT_TEST(testTakesOneLineEndOff);
    CPPUNIT_TEST(testSendsAllThatWasSaid);
    CPPUNIT_TEST(testRefusesWhatIsNoSecret);
    CPPUNIT_TEST(testTakesNoSecretFromTheCommandLine);
    CPPUNIT_TEST(testListsSecretsOfAllPages);
    CPPUNIT_TEST(testShowsASecret);
    CPPUNIT_TEST(testDeletesASecret);
    CPPUNIT_TEST(testRekeys);
    CPPUNIT_TEST(testGrants);
    CPPUNIT_TEST(testRevokesAllGrants);
    CPPUNIT_TEST(testRefusesMalformedGrants);
    CPPUNIT_TEST(testListsTheAuditTrail);
    CPPUNIT_TEST(testFiltersTheAuditTrail);
    CPPUNIT_TEST(testVerifiesTheAuditTrail);
    CPPUNIT_TEST(testPrintsTheServersJson);
    CPPUNIT_TEST_SUITE_END();

public:
    void testStoresWhatStandsOnStandardInput() {
        answers_["PUT /api/secrets/github"] = secret("github");
        program_.input = "ghp \"1\"\nsecond line";
        CPPUNIT_ASSERT_EQUAL(0, run({"secret", "set", "github"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"value":"ghp \"1\"\nsecond line"})"), bodies_.front());
        CPPUNIT_ASSERT_EQUAL(std::string("Secret github of user default is stored\n"), program_.out);
    }

    void testTakesOneLineEndOff() {
        answers_["PUT /api/secrets/s"] = secret("s");
        for (const auto& [input, value] : std::map<std::string, std::string>{
                 {"v\n", "v"}, {"v\r\n", "v"}, {"v\n\n", "v\\n"}, {" v ", " v "}}) {
            program_.input = input;
            CPPUNIT_ASSERT_EQUAL(0, run({"secret", "set", "s"}));
            CPPUNIT_ASSERT_EQUAL(R"({"value":")" + value + "\"}", bodies_.front());
        }
    }

    void testSendsAllThatWasSaid() {
        answers_["PUT /api/secrets/a%2Fb"] = secret("a/b");
        program_.input = "v";
        CPPUNIT_ASSERT_EQUAL(0, run({"secret", "set", "a/b", "--provider", "P", "--expires",
                                     "2027-01-31T00:00:00Z", "--user", "u"}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"value":"v","provider":"P","expires_at":"2027-01-31T00:00:00Z","user_id":"u"})"),
            bodies_.front());
    }

    void testRefusesWhatIsNoSecret() {
        for (const std::string& input :
             {std::string(), std::string("\n"), std::string("\xff\xfe"), std::string(1048577, 'x')}) {
            program_.input = input;
            CPPUNIT_ASSERT_EQUAL(2, run({"secret", "set", "s"}));
            CPPUNIT_ASSERT(asked_.empty());
        }
    }

    void testTakesNoSecretFromTheCommandLine() {
        CPPUNIT_ASSERT_EQUAL(2, run({"secret", "set", "s", "hunter2"}));
        CPPUNIT_ASSERT_EQUAL(2, run({"secret", "set", "s", "--value", "hunter2"}));
        CPPUNIT_ASSERT(asked_.empty());
    }

    void testListsSecretsOfAllPages() {
        answers_["GET /api/secrets?user_id=u&limit=200"] =
            R"({"secrets":[)" + secret("a", R"(,"expires_at":"2020-01-01T00:00:00.000Z")") +
            R"(],"next_cursor":"a"})";
        answers_["GET /api/secrets?user_id=u&limit=200&cursor=a"] =
            R"({"secrets":[)" + secret("b", R"(,"provider":"P","expires_at":"2999-01-01T00:00:00.000Z")") +
            "]}";
        CPPUNIT_ASSERT_EQUAL(0, run({"secret", "list", "--user", "u"}));
        CPPUNIT_ASSERT(program_.out.starts_with("NAME "));
        CPPUNIT_ASSERT(program_.out.find("\na ") != std::string::npos);
        CPPUNIT_ASSERT(program_.out.find("expired") != std::string::npos);
        CPPUNIT_ASSERT(program_.out.find("2999-01-01T00:00:00.000Z  P\n") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(0, run({"--json", "secret", "list", "--user", "u"}));
        CPPUNIT_ASSERT(program_.out.starts_with(R"({"secrets":[{"name":"a")"));
        CPPUNIT_ASSERT(program_.out.find(R"(},{"name":"b")") != std::string::npos);
        answers_["GET /api/secrets?limit=200"] = R"({"secrets":[]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"secret", "list"}));
        CPPUNIT_ASSERT_EQUAL(std::string("No secrets.\n"), program_.err);
    }

    void testShowsASecret() {
        answers_["GET /api/secrets/s?user_id=u"] = secret("s", R"(,"provider":"P","last_used_at":null)");
        CPPUNIT_ASSERT_EQUAL(0, run({"secret", "show", "s", "--user", "u"}));
        CPPUNIT_ASSERT_EQUAL(std::string("name       s\n"
                                         "user       default\n"
                                         "provider   P\n"
                                         "expires    never\n"
                                         "used       2 times\n"
                                         "last used  -\n"
                                         "created    2026-01-31T10:00:00.000Z\n"
                                         "changed    2026-01-31T10:00:00.000Z\n"),
                             program_.out);
        CPPUNIT_ASSERT_EQUAL(1, run({"secret", "show", "t"}));
    }

    void testDeletesASecret() {
        answers_["DELETE /api/secrets/s"] = R"({"status":"deleted","name":"s","user_id":"default"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"secret", "delete", "s"}));
        CPPUNIT_ASSERT_EQUAL(std::string("Secret s of user default is deleted\n"), program_.out);
    }

    void testRekeys() {
        answers_["POST /api/vault/rekey"] = R"({"status":"rekeyed","secrets":3})";
        CPPUNIT_ASSERT_EQUAL(0, run({"secret", "rekey"}));
        CPPUNIT_ASSERT(program_.out.find("anew: 3\n") != std::string::npos);
    }

    void testGrants() {
        answers_["PUT /api/jobs/" + grantedJob + "/credentials"] =
            R"({"job_id":")" + grantedJob + R"(","credentials":[{"secret_name":"a","env_var":"A"}]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "grant", grantedJob, "a=A", "b=B"}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"credentials":[{"secret_name":"a","env_var":"A"},{"secret_name":"b","env_var":"B"}]})"),
            bodies_.front());
        CPPUNIT_ASSERT_EQUAL("Job " + grantedJob + " is granted\n  a as A\n", program_.out);
    }

    void testRevokesAllGrants() {
        answers_["PUT /api/jobs/" + grantedJob + "/credentials"] = R"({"credentials":[]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "grant", grantedJob, "--none"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"credentials":[]})"), bodies_.front());
        CPPUNIT_ASSERT_EQUAL("Job " + grantedJob + " is granted no secrets\n", program_.out);
    }

    void testRefusesMalformedGrants() {
        for (const std::vector<std::string>& grants :
             std::vector<std::vector<std::string>>{{}, {"a"}, {"=A"}, {"a="}, {"a=A", "--none"}}) {
            std::vector<std::string> arguments{"job", "grant", grantedJob};
            arguments.insert(arguments.end(), grants.begin(), grants.end());
            CPPUNIT_ASSERT_EQUAL(2, run(arguments));
            CPPUNIT_ASSERT(asked_.empty());
        }
    }

    void testListsTheAuditTrail() {
        answers_["GET /api/audit?limit=2"] =
            R"({"entries":[)" +
            entry(9, R"(,"reason":"expired","user_id":"u","secret_name":"s","env_var":"S","job_id":")" +
                         grantedJob + "\"") +
            "," + entry(8) + R"(],"next_cursor":"8"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"audit", "list", "--limit", "2"}));
        CPPUNIT_ASSERT(
            program_.out.find("9       2026-01-31T10:00:00.000Z  worker  deliver  ok: expired  u ") !=
            std::string::npos);
        CPPUNIT_ASSERT(program_.out.find(grantedJob) != std::string::npos);
        answers_["GET /api/audit?limit=200"] = R"({"entries":[)" + entry(9) + R"(],"next_cursor":"9"})";
        answers_["GET /api/audit?limit=200&cursor=9"] = R"({"entries":[)" + entry(8) + "]}";
        CPPUNIT_ASSERT_EQUAL(0, run({"audit", "list", "--all"}));
        CPPUNIT_ASSERT(program_.out.find("\n8 ") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(2, run({"audit", "list", "--all", "--limit", "3"}));
    }

    void testFiltersTheAuditTrail() {
        answers_["GET /api/audit?user_id=u&job_id=" + grantedJob + "&secret_name=s&limit=3"] =
            R"({"entries":[]})";
        CPPUNIT_ASSERT_EQUAL(
            0, run({"audit", "list", "--user", "u", "--job", grantedJob, "--secret", "s", "--limit", "3"}));
        CPPUNIT_ASSERT_EQUAL(std::string("No entries.\n"), program_.err);
    }

    void testVerifiesTheAuditTrail() {
        answers_["GET /api/audit/verify"] = R"({"ok":true,"entries":7,"hash":"ab","problem":null})";
        CPPUNIT_ASSERT_EQUAL(0, run({"audit", "verify"}));
        CPPUNIT_ASSERT_EQUAL(std::string("The audit trail is whole: 7 entries\nThe last has the hash ab\n"),
                             program_.out);
        answers_["GET /api/audit/verify"] =
            R"({"ok":false,"entries":7,"hash":"ab","problem":"entry 3 is missing"})";
        CPPUNIT_ASSERT_EQUAL(1, run({"audit", "verify"}));
        CPPUNIT_ASSERT(program_.out.find("entry 3 is missing") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(1, run({"audit", "verify", "--json"}));
    }

    void testPrintsTheServersJson() {
        const std::string text = R"({ "ok": true, "unknown": [null] })";
        program_.input = "v";
        const std::map<std::string, std::vector<std::string>> commands{
            {"PUT /api/secrets/s", {"secret", "set", "s"}},
            {"GET /api/secrets?limit=200", {"secret", "list"}},
            {"GET /api/secrets/s", {"secret", "show", "s"}},
            {"DELETE /api/secrets/s", {"secret", "delete", "s"}},
            {"POST /api/vault/rekey", {"secret", "rekey"}},
            {"PUT /api/jobs/" + grantedJob + "/credentials", {"job", "grant", grantedJob, "a=A"}},
            {"GET /api/audit?limit=50", {"audit", "list"}},
            {"GET /api/audit/verify", {"audit", "verify"}},
        };
        for (const auto& [request, command] : commands) {
            answers_[request] = text;
            std::vector<std::string> arguments{"--json"};
            arguments.insert(arguments.end(), command.begin(), command.end());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(request, 0, run(arguments));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(request, text + "\n", program_.out);
        }
    }

private:
    /// Runs the program against a door that gives the answers set so far.
    int run(const std::vector<std::string>& arguments) {
        const ScriptedDoor door(canned(answers_));
        program_.environment = {{"SALLYPORT_URL", door.url()}, {"SALLYPORT_TOKEN", "t"}};
        const int code = program_.run(arguments);
        asked_ = door.asked();
        bodies_.clear();
        for (const ScriptedRequest& request : door.requests()) {
            bodies_.push_back(request.body);
        }
        return code;
    }

    std::map<std::string, std::string> answers_;
    Program program_;
    std::vector<std::string> asked_;
    std::vector<std::string> bodies_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(SecretCommandsTest);

}  // namespace sallyport::host::cli
