// The operator's command line against the real daemon.
#include <filesystem>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

class CliTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(CliTest);
    CPPUNIT_TEST(testHelpAndVersion);
    CPPUNIT_TEST(testJobCreateShowsTokenAndAddress);
    CPPUNIT_TEST(testJobCreateTakesItsOptions);
    CPPUNIT_TEST(testJobCreateWritesAnEnvironmentFile);
    CPPUNIT_TEST(testJobList);
    CPPUNIT_TEST(testJobShow);
    CPPUNIT_TEST(testJobCancel);
    CPPUNIT_TEST(testJobRestart);
    CPPUNIT_TEST(testJobPrompt);
    CPPUNIT_TEST(testJobPromptThatOnlySaysDone);
    CPPUNIT_TEST(testPluginListAndReload);
    CPPUNIT_TEST(testStatus);
    CPPUNIT_TEST(testTokens);
    CPPUNIT_TEST(testEveryAnswerIsJsonWhenAsked);
    CPPUNIT_TEST(testRefusalExitsWithOne);
    CPPUNIT_TEST(testWrongUsageExitsWithTwo);
    CPPUNIT_TEST(testUnreachableDaemonExitsWithThree);
    CPPUNIT_TEST(testFindsTheDaemonByConfigurationAndEnvironment);
    CPPUNIT_TEST(testUrlAndTokenFile);
    CPPUNIT_TEST(testColoursOnlyWhereTheyAreSeen);
    CPPUNIT_TEST(testWhatAWorkerSentCannotMoveTheCursor);
    CPPUNIT_TEST(testWatchFollowsAJobToItsEnd);
    CPPUNIT_TEST(testWatchTellsAFailureByItsExitCode);
    CPPUNIT_TEST(testWatchShowsAJobThatIsOver);
    CPPUNIT_TEST(testWatchSurvivesARestartOfTheDaemon);
    CPPUNIT_TEST_SUITE_END();

public:
    void testHelpAndVersion() {
        const Finished help = run({.program = SALLYPORT_CLI_PATH, .arguments = {"--help"}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(help.describe(), 0, help.status);
        for (const std::string command :
             {"backup", "doctor", "job", "plugin", "restore", "status", "token"}) {
            ASSERT_CONTAINS(command, help.output);
        }
        const Finished version = run({.program = SALLYPORT_CLI_PATH, .arguments = {"--version"}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(version.describe(), 0, version.status);
        ASSERT_CONTAINS("sallyport ", version.output);
    }

    void testJobCreateShowsTokenAndAddress() {
        const Finished people = succeed({"job", "create", "count the stars"});
        ASSERT_CONTAINS(daemon().worker().address() + "/worker/", people.output);
        const Finished programs = succeed({"job", "create", "count the stars", "--json"});
        const CreatedJob job{jsonAt(programs.output, "job_id"), jsonAt(programs.output, "token")};
        ASSERT_FIELD("count the stars", workerClient(daemon(), job).get("/job"), "description");
    }

    void testJobCreateTakesItsOptions() {
        const auto task = directory_ / "task.md";
        writeFile(task, "line one\nline \"two\" \xc3\xa4\n");
        const Finished created =
            succeed({"job", "create", "--file", task.string(), "--title", "T", "--user", "cli-user",
                     "--project-dir", "/p", "--mode", "claude_code", "--json"});
        const Response detail = admin().get("/jobs/" + jsonAt(created.output, "job_id"));
        ASSERT_CONTAINS("line one\nline \"two\" \xc3\xa4", detail.at("task"));
        ASSERT_FIELD("T", detail, "title");
        ASSERT_FIELD("cli-user", detail, "user_id");
        ASSERT_FIELD("/p", detail, "project_dir");
        ASSERT_FIELD("claude_code", detail, "mode");
    }

    void testJobCreateWritesAnEnvironmentFile() {
        const auto file = directory_ / "worker.env";
        const Finished created = succeed({"job", "create", "x", "--env-file", file.string(), "--json"});
        const std::string content = readFile(file);
        ASSERT_CONTAINS(daemon().worker().address() + "/worker/" + jsonAt(created.output, "job_id"), content);
        CPPUNIT_ASSERT_EQUAL(std::string("(absent)"), jsonAt(created.output, "token"));
        using std::filesystem::perms;
        CPPUNIT_ASSERT(std::filesystem::status(file).permissions() ==
                       (perms::owner_read | perms::owner_write));
    }

    void testJobList() {
        const CreatedJob job = createJob(admin(), R"({"task":"x","title":"Listed","user_id":"cli-list"})");
        ASSERT_CONTAINS("Listed", succeed({"job", "list", "--user", "cli-list"}).output);
        const Finished listed =
            succeed({"job", "list", "--user", "cli-list", "--state", "pending", "--json"});
        ASSERT_CONTAINS(job.id, listed.output);
        ASSERT_LACKS(job.id,
                     succeed({"job", "list", "--user", "cli-list", "--state", "failed", "--json"}).output);
        ASSERT_LACKS(job.id, succeed({"job", "list"}).output);
        for (int i = 0; i < 5; ++i) {
            createJob(admin(), R"({"task":"x","user_id":"cli-list"})");
        }
        const Finished all = succeed({"job", "list", "--user", "cli-list", "--all", "--json"});
        ASSERT_CONTAINS(job.id, all.output);
    }

    void testJobShow() {
        const CreatedJob job = createJob(admin(), R"({"task":"look closely","title":"Shown"})");
        const Finished people = succeed({"job", "show", job.id});
        for (const std::string& part :
             {job.id, std::string("Shown"), std::string("look closely"), std::string("pending")}) {
            ASSERT_CONTAINS(part, people.output);
        }
        CPPUNIT_ASSERT_EQUAL(job.id, jsonAt(succeed({"job", "show", job.id, "--json"}).output, "job_id"));
        // The beginning of an id is enough where it is plain.
        CPPUNIT_ASSERT_EQUAL(
            job.id, jsonAt(succeed({"job", "show", job.id.substr(0, 13), "--json"}).output, "job_id"));
    }

    void testJobCancel() {
        const CreatedJob job = createJob(admin());
        succeed({"job", "cancel", job.id});
        ASSERT_FIELD("cancelled", admin().get("/jobs/" + job.id), "state");
        ASSERT_UNAUTHORIZED(workerClient(daemon(), job).get("/job"));
        CPPUNIT_ASSERT_EQUAL(std::string("cancelled"),
                             jsonAt(succeed({"job", "cancel", job.id, "--json"}).output, "status"));
    }

    void testJobRestart() {
        const CreatedJob old = createJob(admin());
        succeed({"job", "cancel", old.id});
        const Finished restarted = succeed({"job", "restart", old.id, "--json"});
        const CreatedJob job{jsonAt(restarted.output, "new_job_id"), jsonAt(restarted.output, "token")};
        ASSERT_STATUS(200, workerClient(daemon(), job).get("/job"));
        ASSERT_CONTAINS("/worker/", succeed({"job", "restart", old.id}).output);
    }

    void testJobPrompt() {
        const CreatedJob job = createJob(admin());
        succeed({"job", "prompt", job.id, "look again"});
        CPPUNIT_ASSERT_EQUAL(
            std::string("queued"),
            jsonAt(succeed({"job", "prompt", job.id, "and done", "--done", "--json"}).output, "status"));
        Client worker = workerClient(daemon(), job);
        ASSERT_FIELD("look again", worker.get("/prompt"), "content");
        const Response last = worker.get("/prompt");
        ASSERT_FIELD("and done", last, "content");
        ASSERT_FIELD("true", last, "done");
    }

    void testJobPromptThatOnlySaysDone() {
        const CreatedJob job = createJob(admin());
        succeed({"job", "prompt", job.id, "--done"});
        ASSERT_FIELD("true", workerClient(daemon(), job).get("/prompt"), "done");
    }

    void testPluginListAndReload() {
        const Finished people = succeed({"plugin", "list", "--verbose"});
        for (const std::string part : {"jobs", "events", "prompts", "/worker/{job_id}/prompt"}) {
            ASSERT_CONTAINS(part, people.output);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("running"),
                             jsonAt(succeed({"plugin", "list", "--json"}).output, "plugins.0.state"));
        ASSERT_CONTAINS("prompts", succeed({"plugin", "reload"}).output);
        CPPUNIT_ASSERT_EQUAL(std::string("[]"),
                             jsonAt(succeed({"plugin", "reload", "--json"}).output, "refused"));
    }

    void testStatus() {
        const Finished people = succeed({"status"});
        ASSERT_CONTAINS(daemon().worker().address(), people.output);
        ASSERT_CONTAINS(std::to_string(daemon().pid()), people.output);
        CPPUNIT_ASSERT_EQUAL(std::to_string(daemon().pid()),
                             jsonAt(succeed({"status", "--json"}).output, "pid"));
    }

    void testTokens() {
        const Finished created =
            succeed({"token", "create", "dashboard", "--user", "cli-tok", "--role", "viewer", "--json"});
        const std::string token = jsonAt(created.output, "token");
        Client viewer = operatorClient(daemon(), token);
        ASSERT_STATUS(200, viewer.get("/jobs"));
        ASSERT_REFUSED(403, viewer.post("/jobs", R"({"task":"x"})"));
        const Finished listed = succeed({"token", "list"});
        ASSERT_CONTAINS("dashboard", listed.output);
        ASSERT_LACKS(token, listed.output);
        succeed({"token", "revoke", jsonAt(created.output, "token_id")});
        ASSERT_UNAUTHORIZED(viewer.get("/jobs"));
        ASSERT_CONTAINS("admin", succeed({"token", "create", "another", "--role", "admin"}).output);
    }

    void testEveryAnswerIsJsonWhenAsked() {
        const CreatedJob job = createJob(admin());
        for (const std::vector<std::string>& command :
             std::vector<std::vector<std::string>>{{"job", "create", "x"},
                                                   {"job", "list"},
                                                   {"job", "list", "--all"},
                                                   {"job", "show", job.id},
                                                   {"job", "prompt", job.id, "x"},
                                                   {"job", "cancel", job.id},
                                                   {"job", "restart", job.id},
                                                   {"plugin", "list"},
                                                   {"plugin", "reload"},
                                                   {"status"},
                                                   {"token", "list"},
                                                   {"token", "create", "x"}}) {
            std::vector<std::string> words = command;
            words.insert(words.begin(), "--json");
            const Finished finished = succeed(words);
            CPPUNIT_ASSERT_MESSAGE(finished.describe(), jsonAt(finished.output, "").starts_with('{'));
        }
    }

    void testRefusalExitsWithOne() {
        const CreatedJob job = createJob(admin());
        workerClient(daemon(), job).post("/complete", R"({"success":true,"iterations":1})");
        for (const std::vector<std::string>& command :
             std::vector<std::vector<std::string>>{{"job", "cancel", job.id},
                                                   {"job", "restart", job.id},
                                                   {"job", "prompt", job.id, "x"},
                                                   {"job", "show", "00000000-0000-4000-8000-000000000000"},
                                                   {"token", "revoke", "999999"},
                                                   {"token", "create", "x", "--role", "emperor"},
                                                   {"job", "create", "x", "--mode", "gardener"}}) {
            const Finished refused = cli(command);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
            CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.errors.starts_with("sallyport: "));
            CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.output.empty());
        }
    }

    void testWrongUsageExitsWithTwo() {
        for (const std::vector<std::string>& command :
             std::vector<std::vector<std::string>>{{},
                                                   {"nonsense"},
                                                   {"job"},
                                                   {"job", "create"},
                                                   {"job", "show"},
                                                   {"--frobnicate", "status"},
                                                   {"job", "create", "x", "--file", "/nowhere/at/all"},
                                                   {"job", "list", "--limit", "x"}}) {
            const Finished refused = cli(command);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 2, refused.status);
            CPPUNIT_ASSERT_MESSAGE(refused.describe(), !refused.errors.empty());
        }
    }

    void testUnreachableDaemonExitsWithThree() {
        const Finished nowhere = run({.program = SALLYPORT_CLI_PATH,
                                      .arguments = {"--data-dir", directory_.path().string(), "status"}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(nowhere.describe(), 3, nowhere.status);
        ASSERT_CONTAINS(directory_.path().string(), nowhere.errors);
        Daemon own;
        own.kill();
        const Finished dead = run({.program = SALLYPORT_CLI_PATH,
                                   .arguments = {"--data-dir", own.dataDirectory().string(), "status"}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(dead.describe(), 3, dead.status);
    }

    void testFindsTheDaemonByConfigurationAndEnvironment() {
        const auto file = directory_ / "sallyport.properties";
        writeFile(file, "data.dir = " + daemon().dataDirectory().string() + "\n");
        const std::string pid = std::to_string(daemon().pid());
        const std::vector<Command> ways{
            {.program = SALLYPORT_CLI_PATH, .arguments = {"status", "--json", "--config", file.string()}},
            {.program = SALLYPORT_CLI_PATH,
             .arguments = {"status", "--json"},
             .environment = {{"SALLYPORT_CONFIG", file.string()}}},
            {.program = SALLYPORT_CLI_PATH,
             .arguments = {"status", "--json"},
             .environment = {{"SALLYPORT_DATA_DIR", daemon().dataDirectory().string()}}},
            {.program = SALLYPORT_CLI_PATH,
             .arguments = {"status", "--json"},
             .environment = {{"SALLYPORT_URL", daemon().operators().address()},
                             {"SALLYPORT_TOKEN", daemon().operatorToken()}}},
        };
        for (const Command& way : ways) {
            const Finished found = run(way);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(found.describe(), 0, found.status);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(found.describe(), pid, jsonAt(found.output, "pid"));
        }
    }

    void testUrlAndTokenFile() {
        const auto file = directory_ / "token";
        writeFile(file, createToken(daemon(), "cli-file", "user") + "\n");
        const Finished created = run({.program = SALLYPORT_CLI_PATH,
                                      .arguments = {"--url", daemon().operators().address(), "--token-file",
                                                    file.string(), "--json", "job", "create", "x"}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(created.describe(), 0, created.status);
        ASSERT_FIELD("cli-file", admin().get("/jobs/" + jsonAt(created.output, "job_id")), "user_id");
    }

    void testColoursOnlyWhereTheyAreSeen() {
        ASSERT_LACKS("\x1b", succeed({"status"}).output);
        ASSERT_CONTAINS("\x1b[", succeed({"status", "--color", "always"}).output);
    }

    void testWhatAWorkerSentCannotMoveTheCursor() {
        const CreatedJob job = createJob(admin(), R"({"task":"\u001b[2Jtask\u0007\u202e"})");
        Client worker = workerClient(daemon(), job);
        worker.post("/event",
                    R"({"event_type":"message","data":{"content":"\u001b]0;owned\u0007\rforged"}})");
        worker.post("/status", R"({"state":"x","message":"\u001b[31mred","iteration":1})");
        worker.post("/complete", R"({"success":true,"message":"\u001b[Hdone","iterations":1})");
        for (const std::vector<std::string>& command :
             std::vector<std::vector<std::string>>{{"job", "show", job.id},
                                                   {"job", "list"},
                                                   {"job", "watch", job.id},
                                                   {"job", "watch", job.id, "--json"}}) {
            const Finished shown = succeed(command);
            for (const std::string part : {"\x1b", "\x07", "\r", "\u202e"}) {
                ASSERT_LACKS(part, shown.output);
            }
        }
    }

    void testWatchFollowsAJobToItsEnd() {
        const CreatedJob job = createJob(admin());
        Client worker = workerClient(daemon(), job);
        post(worker, "before");
        for (const bool json : {false, true}) {
            Process watch(cliCommand(json ? std::vector<std::string>{"job", "watch", job.id, "--json"}
                                          : std::vector<std::string>{"job", "watch", job.id}));
            watch.awaitOutput("before");
            post(worker, json ? "second" : "first");
            watch.awaitOutput(json ? "second" : "first");
            if (json) {
                ASSERT_STATUS(200, worker.post("/complete", R"({"success":true,"iterations":1})"));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(watch.errors(), 0, watch.wait());
                assertJsonLines(watch.output());
                CPPUNIT_ASSERT_EQUAL_MESSAGE(watch.output(), std::size_t{1},
                                             occurrences(watch.output(), "\"before\""));
            }
        }
    }

    void testWatchTellsAFailureByItsExitCode() {
        const CreatedJob failing = createJob(admin());
        Process watch(cliCommand({"job", "watch", failing.id}));
        Client worker = workerClient(daemon(), failing);
        post(worker, "hello");
        watch.awaitOutput("hello");
        ASSERT_STATUS(200, worker.post("/complete", R"({"success":false,"message":"no","iterations":1})"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(watch.output() + watch.errors(), 4, watch.wait());
    }

    void testWatchShowsAJobThatIsOver() {
        const CreatedJob job = createJob(admin());
        Client worker = workerClient(daemon(), job);
        post(worker, "alpha");
        post(worker, "omega");
        ASSERT_STATUS(200, worker.post("/complete", R"({"success":true,"iterations":1})"));
        const Finished watched = succeed({"job", "watch", job.id});
        CPPUNIT_ASSERT(watched.output.find("alpha") < watched.output.find("omega"));
        ASSERT_CONTAINS("omega", watched.output);
    }

    /// The daemon is killed and comes back at another address: nothing is shown twice and nothing is missing.
    void testWatchSurvivesARestartOfTheDaemon() {
        Daemon own;
        const CreatedJob job = createJob(own);
        Client before = workerClient(own, job);
        Client operators = operatorClient(own);
        Process watch(
            {.program = SALLYPORT_CLI_PATH,
             .arguments = {"--data-dir", own.dataDirectory().string(), "--json", "job", "watch", job.id}});
        awaitField(operators, "/status", "subscribers", "1");
        post(before, "e-one");
        watch.awaitOutput("e-one");
        own.kill();
        own.start();
        Client after = workerClient(own, job);
        post(after, "e-two");
        watch.awaitOutput("e-two");
        ASSERT_STATUS(200, after.post("/complete", R"({"success":true,"iterations":1})"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(watch.errors(), 0, watch.wait());
        assertJsonLines(watch.output());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(watch.output(), std::size_t{1}, occurrences(watch.output(), "e-one"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(watch.output(), std::size_t{1}, occurrences(watch.output(), "e-two"));
        ASSERT_CONTAINS("completed", watch.output());
    }

private:
    /// The command line with the shared daemon's data directory.
    static Command cliCommand(std::vector<std::string> words) {
        words.insert(words.begin(), {"--data-dir", daemon().dataDirectory().string()});
        return {.program = SALLYPORT_CLI_PATH, .arguments = std::move(words)};
    }

    static Finished cli(const std::vector<std::string>& words) { return run(cliCommand(words)); }

    static Finished succeed(const std::vector<std::string>& words) {
        Finished finished = cli(words);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        return finished;
    }

    static void post(Client& worker, const std::string& message) {
        ASSERT_STATUS(
            200, worker.post("/event", R"({"event_type":"message","data":{"content":")" + message + "\"}}"));
    }

    static std::size_t occurrences(const std::string& text, const std::string& part) {
        std::size_t count = 0;
        for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
            ++count;
        }
        return count;
    }

    static void assertJsonLines(const std::string& text) {
        for (std::size_t start = 0; start < text.size();) {
            const std::size_t end = std::min(text.find('\n', start), text.size());
            const std::string line = text.substr(start, end - start);
            CPPUNIT_ASSERT_MESSAGE(line, jsonAt(line, "").starts_with('{'));
            start = end + 1;
        }
    }

    TemporaryDirectory directory_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(CliTest);

}  // namespace sallyport::tests
