#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <Poco/TemporaryFile.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/cli/program.h"
#include "tests/unit/client/scripted_door.h"

namespace sallyport::host::cli {

using namespace client;  // the scripted door

namespace {

const std::string job = "3f2b8c1e-0000-4000-8000-000000000000";
const std::string other = "3f2b8c1f-0000-4000-8000-000000000000";

const std::string created = R"({"job_id":")" + job +
                            R"(","token":"0a1b","worker_url":"http://127.0.0.1:50051/worker/)" + job +
                            R"(","state":"pending"})";

std::string listed(const std::string& id, const std::string& more = {}) {
    return R"({"job_id":")" + id + R"(","title":"Job )" + id +
           R"(","task":"do\nit","user_id":"default","state":"running","created_at":"2026-01-31T10:00:00.000Z")" +
           more + "}";
}

}  // namespace

/// Every command, from its arguments to what it asks and prints.
class CommandsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CommandsTest);
    CPPUNIT_TEST(testCreatesAJob);
    CPPUNIT_TEST(testSendsAllThatWasSaid);
    CPPUNIT_TEST(testReadsTheTaskFromAFileOrStandardInput);
    CPPUNIT_TEST(testPutsTheTokenIntoAFile);
    CPPUNIT_TEST(testCreatesNothingWhenTheFileCannotBeMade);
    CPPUNIT_TEST(testLeavesNoFileWhenRefused);
    CPPUNIT_TEST(testListsJobs);
    CPPUNIT_TEST(testFollowsCursors);
    CPPUNIT_TEST(testStopsAtTheLimit);
    CPPUNIT_TEST(testSaysThatThereAreNoJobs);
    CPPUNIT_TEST(testShowsAJob);
    CPPUNIT_TEST(testCannotBeFooledByATask);
    CPPUNIT_TEST(testTakesTheBeginningOfAnId);
    CPPUNIT_TEST(testLooksAmongItsOwnJobsWhenNoAdmin);
    CPPUNIT_TEST(testCancelsAJob);
    CPPUNIT_TEST(testFinishesAJob);
    CPPUNIT_TEST(testShowsAndChangesLimits);
    CPPUNIT_TEST(testSaysWhatWouldNotOutlastACrash);
    CPPUNIT_TEST(testShowsWhyTheStoreIsInTrouble);
    CPPUNIT_TEST(testRestartsAJob);
    CPPUNIT_TEST(testPrompts);
    CPPUNIT_TEST(testWatches);
    CPPUNIT_TEST(testShowsTheStatus);
    CPPUNIT_TEST(testListsPlugins);
    CPPUNIT_TEST(testReloadsPlugins);
    CPPUNIT_TEST(testFailsWhenAPluginWasRefused);
    CPPUNIT_TEST(testCreatesAToken);
    CPPUNIT_TEST(testListsTokens);
    CPPUNIT_TEST(testRevokesAToken);
    CPPUNIT_TEST(testPrintsTheServersJson);
    CPPUNIT_TEST_SUITE_END();

public:
    void tearDown() override { std::filesystem::remove_all(path_); }

    void testCreatesAJob() {
        answers_["POST /api/jobs"] = created;
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "create", "do it"}));
        CPPUNIT_ASSERT_EQUAL(
            "job         " + job + "\nworker URL  http://127.0.0.1:50051/worker/" + job +
                "\ntoken       0a1b\n\n" + "The token is shown this once. Give both to the worker:\n" +
                "export SALLYPORT_URL=http://127.0.0.1:50051/worker/" + job + " SALLYPORT_TOKEN=0a1b\n",
            program_.out);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"task":"do it"})"), bodies_.front());
    }

    void testSendsAllThatWasSaid() {
        answers_["POST /api/jobs"] = created;
        CPPUNIT_ASSERT_EQUAL(0, run({"job",
                                     "create",
                                     "t",
                                     "--title",
                                     "T",
                                     "--user",
                                     "u",
                                     "--project-dir",
                                     "p",
                                     "--mode",
                                     "claude_code",
                                     "--grant",
                                     "a=A",
                                     "--grant",
                                     "b=B=C",
                                     "--timeout",
                                     "2h",
                                     "--limit",
                                     "events=5",
                                     "--limit",
                                     "event_bytes=2GiB"}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"task":"t","title":"T","user_id":"u","project_dir":"p","mode":"claude_code",)"
                R"("credentials":[{"secret_name":"a","env_var":"A"},{"secret_name":"b","env_var":"B=C"}],)"
                R"("timeout":"2h","limits":{"events":5,"event_bytes":2147483648}})"),
            bodies_.front());
    }

    void testReadsTheTaskFromAFileOrStandardInput() {
        answers_["POST /api/jobs"] = created;
        program_.input = "from input\n";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "create", "-"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"task":"from input\n"})"), bodies_.front());
        std::ofstream(path_) << "from file";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "create", "--file", path_}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"task":"from file"})"), bodies_.front());
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "create", "--", "--begins with dashes"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"task":"--begins with dashes"})"), bodies_.front());
    }

    void testPutsTheTokenIntoAFile() {
        answers_["POST /api/jobs"] = created;
        for (const bool json : {false, true}) {
            std::vector<std::string> arguments{"job", "create", "t", "--env-file", path_};
            if (json) {
                arguments.emplace_back("--json");
            }
            CPPUNIT_ASSERT_EQUAL(0, run(arguments));
            CPPUNIT_ASSERT(program_.out.find("0a1b") == std::string::npos);
            CPPUNIT_ASSERT(program_.out.find(job) != std::string::npos);
            CPPUNIT_ASSERT_EQUAL(
                "SALLYPORT_URL=http://127.0.0.1:50051/worker/" + job + "\nSALLYPORT_TOKEN=0a1b\n",
                contents());
            std::filesystem::remove(path_);
        }
    }

    void testCreatesNothingWhenTheFileCannotBeMade() {
        answers_["POST /api/jobs"] = created;
        std::ofstream(path_) << "mine";
        CPPUNIT_ASSERT_EQUAL(2, run({"job", "create", "t", "--env-file", path_}));
        CPPUNIT_ASSERT(asked_.empty());
        CPPUNIT_ASSERT_EQUAL(std::string("mine"), contents());
    }

    void testLeavesNoFileWhenRefused() {
        CPPUNIT_ASSERT_EQUAL(1, run({"job", "create", "t", "--env-file", path_}));
        CPPUNIT_ASSERT(!std::filesystem::exists(path_));
    }

    void testListsJobs() {
        answers_["GET /api/jobs?state=running&user_id=%2A&limit=50"] =
            R"({"jobs":[)" + listed(job) + "," + listed(other, R"(,"title":"Docs")") + "]}";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "list", "--state", "running", "--user", "*"}));
        const std::size_t second = program_.out.find('\n') + 1;
        CPPUNIT_ASSERT(program_.out.starts_with("JOB "));
        CPPUNIT_ASSERT(program_.out.substr(second).starts_with(job + "  running  default  "));
        CPPUNIT_ASSERT(program_.out.find("ago") != std::string::npos);
        CPPUNIT_ASSERT(program_.out.find("  do\\nit\n") != std::string::npos);
        CPPUNIT_ASSERT(program_.out.ends_with("  Docs\n"));
    }

    void testFollowsCursors() {
        answers_["GET /api/jobs?limit=200"] = R"({"jobs":[)" + listed(job) + R"(],"next_cursor":"a b"})";
        answers_["GET /api/jobs?limit=200&cursor=a%20b"] = R"({"jobs":[)" + listed(other) + "]}";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "list", "--all", "--json"}));
        CPPUNIT_ASSERT_EQUAL(R"({"jobs":[)" + listed(job) + "," + listed(other) + "]}\n", program_.out);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked_.size());
    }

    void testStopsAtTheLimit() {
        answers_["GET /api/jobs?limit=2"] = R"({"jobs":[)" + listed(job) + R"(],"next_cursor":"c"})";
        answers_["GET /api/jobs?limit=1&cursor=c"] =
            R"({"jobs":[)" + listed(other) + R"(],"next_cursor":"d"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "list", "--limit", "2"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked_.size());
        CPPUNIT_ASSERT(program_.err.find("--all") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "list", "--limit", "2", "--json"}));
        CPPUNIT_ASSERT_EQUAL(
            R"({"jobs":[)" + listed(job) + "," + listed(other) + R"(],"next_cursor":"d"})" + "\n",
            program_.out);
    }

    void testSaysThatThereAreNoJobs() {
        answers_["GET /api/jobs?limit=50"] = R"({"jobs":[]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "list"}));
        CPPUNIT_ASSERT_EQUAL(std::string("No jobs.\n"), program_.err);
        CPPUNIT_ASSERT(program_.out.empty());
    }

    void testShowsAJob() {
        answers_["GET /api/jobs/" + job] =
            R"({"job_id":")" + job +
            R"(","title":"T","task":"one\n\ntwo","user_id":"u","state":"failed","mode":"worker","project_dir":null,)"
            R"("created_at":"2026-01-31T10:00:00.000Z","started_at":null,"finished_at":null,)"
            R"("status_message":"working","iteration":3,"restart_of":null,)"
            R"("result":{"success":false,"message":"broke","iterations":4},)"
            R"("credentials":[{"secret_name":"github","env_var":"GH"}]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "show", job}));
        const std::string& out = program_.out;
        for (const std::string line :
             {"title      T\n", "state      failed\n", "user       u\n", "started    -\n", "iteration  3\n",
              "status     working\n", "result     failure after 4 iterations: broke\n",
              "grant      github as GH\n", "task\n    one\n    \n    two\n"}) {
            CPPUNIT_ASSERT_MESSAGE(line, out.find(line) != std::string::npos);
        }
        CPPUNIT_ASSERT(out.find("created    2026-01-31T10:00:00.000Z (") != std::string::npos);
        CPPUNIT_ASSERT(out.find("project") == std::string::npos);
    }

    void testCannotBeFooledByATask() {
        answers_["GET /api/jobs/" + job] =
            R"({"job_id":")" + job +
            R"(","title":"\u001b[2J","state":"running","status_message":"a\nstate completed","task":"x\rstate\nresult ok\u009b"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "show", job}));
        CPPUNIT_ASSERT(program_.out.find('\x1b') == std::string::npos);
        CPPUNIT_ASSERT(program_.out.find("\u009b") == std::string::npos);
        CPPUNIT_ASSERT(program_.out.find("status     a\\nstate completed\n") != std::string::npos);
        CPPUNIT_ASSERT(program_.out.ends_with("    x\\rstate\n    result ok\\u{9b}\n"));
    }

    void testTakesTheBeginningOfAnId() {
        answers_["GET /api/jobs?limit=200&user_id=%2A"] =
            R"({"jobs":[)" + listed(job) + R"(],"next_cursor":"c"})";
        answers_["GET /api/jobs?limit=200&user_id=%2A&cursor=c"] = R"({"jobs":[)" + listed(other) + "]}";
        answers_["GET /api/jobs/" + job] = listed(job);
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "show", "3F2B8C1E", "--json"}));
        CPPUNIT_ASSERT_EQUAL(listed(job) + "\n", program_.out);
        CPPUNIT_ASSERT_EQUAL(2, run({"job", "show", "3f2b8c1"}));
        CPPUNIT_ASSERT(program_.err.find("more than one job") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(2, run({"job", "show", "aaaaaa"}));
        CPPUNIT_ASSERT(program_.err.find("no job begins with") != std::string::npos);
        for (const std::string text : {"3f2b8", "../../x", "3f2b8c1e-0000-4000-8000-0000000000000"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, 2, run({"job", "show", text}));
            CPPUNIT_ASSERT_MESSAGE(text, asked_.empty());
        }
    }

    void testLooksAmongItsOwnJobsWhenNoAdmin() {
        forbidden_ = "GET /api/jobs?limit=200&user_id=%2A";
        answers_["GET /api/jobs?limit=200"] = R"({"jobs":[)" + listed(job) + "]}";
        answers_["GET /api/jobs/" + job] = listed(job);
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "show", "3f2b8c1e"}));
    }

    void testCancelsAJob() {
        answers_["POST /api/jobs/" + job + "/cancel"] = R"({"status":"cancelled"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "cancel", "urn:uuid:" + job}));
        CPPUNIT_ASSERT_EQUAL("Job " + job + " is cancelled\n", program_.out);
        CPPUNIT_ASSERT_EQUAL(std::string(), program_.err);
    }

    void testSaysWhatWouldNotOutlastACrash() {
        answers_["POST /api/jobs/" + job + "/cancel"] = R"({"status":"cancelled","durable":false})";
        answers_["DELETE /api/tokens/7"] = R"({"status":"revoked","token_id":7,"durable":false})";
        for (const std::vector<std::string>& line : {std::vector<std::string>{"job", "cancel", job},
                                                     std::vector<std::string>{"token", "revoke", "7"}}) {
            CPPUNIT_ASSERT_EQUAL(0, run(line));
            CPPUNIT_ASSERT_MESSAGE(program_.err,
                                   program_.err.find("until the daemon restarts") != std::string::npos);
        }
    }

    void testShowsWhyTheStoreIsInTrouble() {
        answers_["GET /api/status"] =
            R"({"version":"1","pid":1,"started_at":"x","uptime_seconds":1,"listeners":[],"connections":0,)"
            R"("subscribers":0,"jobs":null,"store":{"healthy":false,"trouble":"the disk is full",)"
            R"("unwritten":2,"size_bytes":null,"free_bytes":null},"plugins":[]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"status"}));
        for (const char* part : {"in trouble: the disk is full", "revocations not written yet: 2",
                                 "unknown: the database cannot be read"}) {
            CPPUNIT_ASSERT_MESSAGE(program_.out, program_.out.find(part) != std::string::npos);
        }
    }

    void testFinishesAJob() {
        answers_["POST /api/jobs/" + job + "/finish"] = R"({"status":"failed"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "finish", job, "--failed", "no power"}));
        CPPUNIT_ASSERT_EQUAL("Job " + job + " is failed\n", program_.out);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":false,"message":"no power"})"), bodies_.back());
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "finish", job, "--success"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":true})"), bodies_.back());
        CPPUNIT_ASSERT_EQUAL(2, run({"job", "finish", job}));
        CPPUNIT_ASSERT(asked_.empty());
        CPPUNIT_ASSERT_EQUAL(2, run({"job", "finish", job, "--success", "--failed", "x"}));
        CPPUNIT_ASSERT(asked_.empty());
    }

    void testShowsAndChangesLimits() {
        const std::string limits = R"({"job_id":"x","limits":{"requests_per_second":10,"events":0}})";
        answers_["GET /api/jobs/" + job + "/limits"] = limits;
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "limits", job}));
        CPPUNIT_ASSERT_EQUAL(std::string("requests_per_second  10\nevents               any\n"),
                             program_.out);
        answers_["PATCH /api/jobs/" + job + "/limits"] = limits;
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "limits", job, "events=default", "event_bytes_per_second=64KiB",
                                     "requests_per_second=0", "--json"}));
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"events":null,"event_bytes_per_second":65536,"requests_per_second":0})"),
            bodies_.back());
        CPPUNIT_ASSERT_EQUAL(limits + "\n", program_.out);
        for (const char* argument : {"events", "event=1", "=1", "events=", "events=-1", "events=1.5",
                                     "events=1TiB", "event_bytes=9223372036854775807GiB"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(argument, 2, run({"job", "limits", job, argument}));
        }
    }

    void testRestartsAJob() {
        answers_["POST /api/jobs/" + job + "/restart"] =
            R"({"status":"restarted","old_job_id":")" + job + R"(","new_job_id":")" + other +
            R"(","token":"0a1b","worker_url":"http://h:1/worker/x"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "restart", job}));
        CPPUNIT_ASSERT(program_.out.starts_with("job         " + other + "\n"));
        CPPUNIT_ASSERT(program_.out.find("token       0a1b\n") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "restart", job, "--env-file", path_}));
        CPPUNIT_ASSERT(program_.out.find("0a1b") == std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("SALLYPORT_URL=http://h:1/worker/x\nSALLYPORT_TOKEN=0a1b\n"),
                             contents());
    }

    void testPrompts() {
        answers_["POST /api/jobs/" + job + "/prompt"] = R"({"status":"queued"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "prompt", job, "more"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"content":"more","done":false})"), bodies_.front());
        CPPUNIT_ASSERT_EQUAL("Queued for job " + job + "\n", program_.out);
        program_.input = "piped";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "prompt", job, "-", "--done"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"content":"piped","done":true})"), bodies_.front());
    }

    void testWatches() {
        answers_["GET /api/jobs/" + job + "/events?after=5&limit=200"] =
            R"({"events":[{"id":6,"event_type":"status","data":{"message":"m"}}]})";
        answers_["GET /api/jobs/" + job + "/events?after=6&limit=200"] = R"({"events":[]})";
        answers_["GET /api/jobs/" + job] = R"({"state":"cancelled"})";
        CPPUNIT_ASSERT_EQUAL(4, run({"job", "watch", job, "--since", "5"}));
        CPPUNIT_ASSERT_EQUAL(std::string("     6  status       m\n        state        cancelled\n"),
                             program_.out);
        answers_["GET /api/jobs/" + job] = R"({"state":"running"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "watch", job, "--since", "5", "--no-follow", "--json"}));
        CPPUNIT_ASSERT(program_.out.starts_with(R"({"id":6,"type":"job_status")"));
    }

    void testShowsTheStatus() {
        answers_["GET /api/status"] =
            R"({"version":"1.2.3","pid":77,"started_at":"2026-01-31T10:00:00.000Z","uptime_seconds":185,)"
            R"("listeners":[{"realm":"worker","address":"http://0.0.0.0:50051"},)"
            R"({"realm":"operator","address":"http://127.0.0.1:50052"}],"connections":4,"subscribers":2,)"
            R"("jobs":{"total":3,"pending":1,"running":2,"completed":0,"failed":0,"cancelled":0,"interrupted":0},)"
            R"("store":{"healthy":true,"size_bytes":7340032,"free_bytes":2097151},"plugins":[{"name":"jobs","version":"1.0.0","healthy":true},)"
            R"({"name":"events","version":"1.0.0","healthy":false}]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"status"}));
        for (const std::string line :
             {"version        1.2.3\n", "process        77\n", "(up 3m 5s)\n",
              "worker door    http://0.0.0.0:50051\n", "operator door  http://127.0.0.1:50052\n",
              "connections    4, 2 following events\n", "jobs           2 running, 1 pending, 0 completed",
              "store          healthy, 7 MiB, 1 MiB of it free\n", "plugin         jobs 1.0.0, healthy\n",
              "plugin         events 1.0.0, in trouble\n"}) {
            CPPUNIT_ASSERT_MESSAGE(line, program_.out.find(line) != std::string::npos);
        }
    }

    void testListsPlugins() {
        answers_["GET /api/plugins"] =
            R"({"plugins":[{"name":"jobs","version":"1.0.0","summary":"Jobs","state":"running","error":null,)"
            R"("trouble":null,"routes":[{"method":"GET","path":"/api/jobs"}]},)"
            R"({"name":"","version":"","summary":"","file":"bad.so","state":"refused","error":"another ABI",)"
            R"("trouble":null,"routes":[]}]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"plugin", "list"}));
        const std::string table =
            "NAME    VERSION  STATE    SUMMARY\n"
            "jobs    1.0.0    running  Jobs\n"
            "bad.so           refused  another ABI\n";
        CPPUNIT_ASSERT_EQUAL(table, program_.out);
        CPPUNIT_ASSERT_EQUAL(0, run({"plugin", "list", "-v"}));
        CPPUNIT_ASSERT_EQUAL(table + "\njobs\n  GET    /api/jobs\n", program_.out);
    }

    void testReloadsPlugins() {
        answers_["POST /api/plugins/reload"] =
            R"({"loaded":["a"],"reloaded":["b"],"unloaded":["c"],"unchanged":["d"],"refused":[]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"plugin", "reload"}));
        CPPUNIT_ASSERT_EQUAL(std::string("loaded a\nreloaded b\nunloaded c\nunchanged d\n"), program_.out);
    }

    void testFailsWhenAPluginWasRefused() {
        answers_["POST /api/plugins/reload"] =
            R"({"loaded":["a"],"refused":[{"file":"x.so","reason":"is writable by others"}]})";
        CPPUNIT_ASSERT_EQUAL(1, run({"plugin", "reload"}));
        CPPUNIT_ASSERT_EQUAL(std::string("loaded a\nrefused x.so: is writable by others\n"), program_.out);
        CPPUNIT_ASSERT_EQUAL(1, run({"plugin", "reload", "--json"}));
        CPPUNIT_ASSERT_EQUAL(answers_["POST /api/plugins/reload"] + "\n", program_.out);
    }

    void testCreatesAToken() {
        answers_["POST /api/tokens"] =
            R"({"token_id":7,"token":"0a1b","name":"n","user_id":"u","role":"viewer"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"token", "create", "n", "--user", "u", "--role", "viewer"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"name":"n","user_id":"u","role":"viewer"})"), bodies_.front());
        CPPUNIT_ASSERT_EQUAL(std::string("id     7\nname   n\nuser   u\nrole   viewer\ntoken  0a1b\n\n"
                                         "The token is shown this once. Who has it uses it so, or with "
                                         "--token-file:\nexport SALLYPORT_URL=") +
                                 program_.environment["SALLYPORT_URL"] + " SALLYPORT_TOKEN=0a1b\n",
                             program_.out);
        CPPUNIT_ASSERT_EQUAL(0, run({"token", "create", "n"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"name":"n"})"), bodies_.front());
    }

    void testListsTokens() {
        answers_["GET /api/tokens"] =
            R"({"tokens":[{"token_id":7,"name":"n","user_id":"u","role":"admin","created_at":null}]})";
        CPPUNIT_ASSERT_EQUAL(0, run({"token", "list"}));
        CPPUNIT_ASSERT_EQUAL(std::string("ID  ROLE   USER  CREATED  NAME\n7   admin  u     -        n\n"),
                             program_.out);
    }

    void testRevokesAToken() {
        answers_["DELETE /api/tokens/a%2Fb"] = R"({"status":"revoked"})";
        CPPUNIT_ASSERT_EQUAL(0, run({"token", "revoke", "a/b"}));
        CPPUNIT_ASSERT_EQUAL(std::string("Token a/b is revoked\n"), program_.out);
        CPPUNIT_ASSERT_EQUAL(1, run({"token", "revoke", "c"}));
    }

    void testPrintsTheServersJson() {
        const std::string text = R"({ "a": 1.50, "unknown": [null] })";
        const std::map<std::string, std::vector<std::string>> commands{
            {"POST /api/jobs", {"job", "create", "t"}},
            {"GET /api/jobs?limit=50", {"job", "list"}},
            {"GET /api/jobs/" + job, {"job", "show", job}},
            {"GET /api/usage?by=job&limit=50", {"usage"}},
            {"POST /api/jobs/" + job + "/cancel", {"job", "cancel", job}},
            {"POST /api/jobs/" + job + "/restart", {"job", "restart", job}},
            {"POST /api/jobs/" + job + "/prompt", {"job", "prompt", job, "t"}},
            {"GET /api/status", {"status"}},
            {"GET /api/plugins", {"plugin", "list"}},
            {"POST /api/plugins/reload", {"plugin", "reload"}},
            {"POST /api/tokens", {"token", "create", "n"}},
            {"GET /api/tokens", {"token", "list"}},
            {"DELETE /api/tokens/7", {"token", "revoke", "7"}},
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
        const ScriptedDoor::Handler answering = canned(answers_);
        const ScriptedDoor door([&](const ScriptedRequest& request, Poco::Net::StreamSocket& socket) {
            if (request.method + " " + request.target == forbidden_) {
                answer(socket, 403, R"({"error":{"code":"forbidden","message":"No."}})");
            } else {
                answering(request, socket);
            }
        });
        program_.environment = {{"SALLYPORT_URL", door.url()}, {"SALLYPORT_TOKEN", "t"}};
        const int code = program_.run(arguments);
        asked_ = door.asked();
        bodies_.clear();
        for (const ScriptedRequest& request : door.requests()) {
            bodies_.push_back(request.body);
        }
        return code;
    }

    [[nodiscard]] std::string contents() const {
        std::ifstream file(path_);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::string path_ = Poco::TemporaryFile::tempName();
    std::map<std::string, std::string> answers_;
    std::string forbidden_;
    Program program_;
    std::vector<std::string> asked_;
    std::vector<std::string> bodies_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(CommandsTest);

}  // namespace sallyport::host::cli
