// `sallyport backup` and `sallyport restore`, beside the real daemon.
#include <atomic>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

class BackupTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BackupTest);
    CPPUNIT_TEST(testHasEveryEventAcknowledgedBeforeIt);
    CPPUNIT_TEST(testEverythingWorksElsewhere);
    CPPUNIT_TEST(testWorksOnAStoppedDaemon);
    CPPUNIT_TEST(testSaysWhereTheMasterKeyIsAndLeavesItOut);
    CPPUNIT_TEST(testReplacesOnlyWhenForced);
    CPPUNIT_TEST(testSaysWhatItCannotRead);
    CPPUNIT_TEST(testRestoreRefusesBesideARunningDaemon);
    CPPUNIT_TEST(testRestoreRefusesGarbageAndHalves);
    CPPUNIT_TEST(testRestoreIsExplainedInTheAuditTrail);
    CPPUNIT_TEST(testRestoreToldOfAWrongMasterKey);
    CPPUNIT_TEST(testNewAdminTokenWhereTheBackupDoesNotKnowTheOld);
    CPPUNIT_TEST(testNewerTablesAreRefusedAtTheStart);
    CPPUNIT_TEST(testRestoredByRootItBelongsToTheDaemonsUser);
    CPPUNIT_TEST_SUITE_END();

public:
    /// Workers go on reporting while it is made.
    void testHasEveryEventAcknowledgedBeforeIt() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        constexpr int workers = 4;
        std::vector<std::atomic<int>> acknowledged(workers);
        std::atomic<bool> enough{false};
        std::vector<std::thread> threads;
        for (int worker = 0; worker < workers; ++worker) {
            threads.emplace_back([&, worker] {
                Client client = workerClient(daemon, job);
                while (!enough) {
                    if (client.post("/event", event(worker, acknowledged[static_cast<std::size_t>(worker)]))
                            .status != 200) {
                        return;
                    }
                    ++acknowledged[static_cast<std::size_t>(worker)];
                }
            });
        }
        while (acknowledged.front() < 100) {
            std::this_thread::yield();
        }
        std::vector<int> before(acknowledged.begin(), acknowledged.end());
        const Finished made = backup(daemon);
        enough = true;
        for (std::thread& thread : threads) {
            thread.join();
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE(made.describe(), 0, made.status);

        Daemon other;
        other.terminate();
        succeed(restore(other));
        other.start();
        const std::string events = allEvents(other, job);
        for (int worker = 0; worker < workers; ++worker) {
            CPPUNIT_ASSERT(before[static_cast<std::size_t>(worker)] > 0 || worker > 0);
            for (int number = 0; number < before[static_cast<std::size_t>(worker)]; ++number) {
                ASSERT_CONTAINS(event(worker, number), events);
            }
        }
    }

    void testEverythingWorksElsewhere() {
        Daemon daemon;
        Client admin = operatorClient(daemon);
        ASSERT_STATUS(201, admin.put("/secrets/github", R"({"value":"ghp-1"})"));
        const CreatedJob job = createJob(
            daemon, R"({"task":"t","credentials":[{"secret_name":"github","env_var":"GITHUB_TOKEN"}]})");
        ASSERT_STATUS(200, admin.post("/jobs/" + job.id + "/prompt", R"({"content":"go on"})"));
        const std::string viewer = createToken(daemon, "default", "viewer");
        succeed(backup(daemon));

        Daemon other;
        other.terminate();
        std::filesystem::copy_file(daemon.dataDirectory() / "credentials.key",
                                   other.dataDirectory() / "credentials.key",
                                   std::filesystem::copy_options::overwrite_existing);
        const Finished restored = restore(other);
        succeed(restored);
        ASSERT_LACKS("Mind:", restored.output);
        other.start();
        Client worker = workerClient(other, job);
        ASSERT_FIELD("go on", worker.get("/prompt"), "content");
        ASSERT_FIELD("ghp-1", worker.get("/credentials"), "0.value");
        ASSERT_FIELD("running", operatorClient(other, viewer).get("/jobs/" + job.id), "state");
        ASSERT_FIELD("true", operatorClient(other).get("/audit/verify"), "ok");
    }

    void testWorksOnAStoppedDaemon() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        daemon.terminate();
        const auto before = std::filesystem::last_write_time(daemon.dataDirectory() / "sallyport.db");
        succeed(backup(daemon));
        CPPUNIT_ASSERT(before == std::filesystem::last_write_time(daemon.dataDirectory() / "sallyport.db"));
        CPPUNIT_ASSERT(!std::filesystem::exists(daemon.dataDirectory() / "sallyport.db-wal"));
        succeed(restore(daemon));
        daemon.start();
        ASSERT_STATUS(204, workerClient(daemon, job).get("/prompt"));
    }

    void testSaysWhereTheMasterKeyIsAndLeavesItOut() {
        Daemon daemon;
        const Finished made = backup(daemon);
        succeed(made);
        const std::string key = readFile(daemon.dataDirectory() / "credentials.key").substr(0, 64);
        ASSERT_CONTAINS(
            "The master key is not in it. It is in " + (daemon.dataDirectory() / "credentials.key").string(),
            made.output);
        ASSERT_LACKS(key, made.output);
        ASSERT_LACKS(key, readFile(file_));
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(file_.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, mode_t{status.st_mode & 07777U});
        const Finished json = cli(daemon, {"backup", "--force", "--json", file_.string()});
        succeed(json);
        CPPUNIT_ASSERT_EQUAL(std::string("false"), jsonAt(json.output, "master_key_included"));
        CPPUNIT_ASSERT(std::stoi(jsonAt(json.output, "schema.jobs")) > 0);
        CPPUNIT_ASSERT_EQUAL(std::string("1"), jsonAt(json.output, "rows.operator_tokens"));
    }

    void testReplacesOnlyWhenForced() {
        Daemon daemon;
        writeFile(file_, "precious");
        const Finished refused = backup(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
        ASSERT_CONTAINS("is there already", refused.errors);
        ASSERT_CONTAINS("--force", refused.errors);
        CPPUNIT_ASSERT_EQUAL(std::string("precious"), readFile(file_));
        succeed(cli(daemon, {"backup", "--force", file_.string()}));
        CPPUNIT_ASSERT(readFile(file_).starts_with("SQLite format 3"));
        const Finished directory = cli(daemon, {"backup", places_.path().string()});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(directory.describe(), 2, directory.status);
    }

    void testSaysWhatItCannotRead() {
        const Finished nothing =
            run({.program = SALLYPORT_CLI_PATH,
                 .arguments = {"--data-dir", (places_ / "none").string(), "backup", file_.string()}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(nothing.describe(), 1, nothing.status);
        ASSERT_CONTAINS("--data-dir DIR", nothing.errors);
        const Finished nowhere =
            run({.program = SALLYPORT_CLI_PATH,
                 .arguments = {"--data-dir", (places_ / "none").string(), "restore", file_.string()}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(nowhere.describe(), 2, nowhere.status);
        writeFile(file_, "x");
        const Finished missing =
            run({.program = SALLYPORT_CLI_PATH,
                 .arguments = {"--data-dir", (places_ / "none").string(), "restore", file_.string()}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(missing.describe(), 1, missing.status);
        ASSERT_CONTAINS("there is no data directory", missing.errors);
        CPPUNIT_ASSERT(!std::filesystem::exists(places_ / "none"));
    }

    void testRestoreRefusesBesideARunningDaemon() {
        Daemon daemon;
        succeed(backup(daemon));
        const CreatedJob job = createJob(daemon);
        const Finished refused = restore(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
        ASSERT_CONTAINS("the daemon runs (process " + std::to_string(daemon.pid()) + ")", refused.errors);
        ASSERT_CONTAINS("systemctl stop sallyport", refused.errors);
        ASSERT_STATUS(204, workerClient(daemon, job).get("/prompt"));
    }

    void testRestoreRefusesGarbageAndHalves() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        succeed(backup(daemon));
        const std::string whole = readFile(file_);
        daemon.terminate();
        for (const std::string& content :
             {std::string("garbage"), std::string(), whole.substr(0, whole.size() / 2),
              whole.substr(0, whole.size() - 1), whole + "x"}) {
            writeFile(file_, content);
            const Finished refused = restore(daemon);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
            ASSERT_CONTAINS("the backup \"" + file_.string() + "\" cannot be used", refused.errors);
        }
        const Finished directory = cli(daemon, {"restore", file_.parent_path().string()});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(directory.describe(), 2, directory.status);
        ASSERT_CONTAINS("name the file in it", directory.errors);
        daemon.start();
        ASSERT_STATUS(204, workerClient(daemon, job).get("/prompt"));
    }

    /// A trail that was set back looks like one that was cut.
    void testRestoreIsExplainedInTheAuditTrail() {
        Daemon daemon;
        Client admin = operatorClient(daemon);
        ASSERT_STATUS(201, admin.put("/secrets/one", R"({"value":"1"})"));
        succeed(backup(daemon));
        ASSERT_STATUS(201, admin.put("/secrets/two", R"({"value":"2"})"));
        daemon.terminate();
        const Finished restored = cli(daemon, {"restore", "--json", file_.string()});
        succeed(restored);
        const std::filesystem::path former = jsonAt(restored.output, "former");
        CPPUNIT_ASSERT(std::filesystem::exists(former / "sallyport.db"));
        CPPUNIT_ASSERT(std::filesystem::exists(former / "credentials.audit-head"));
        daemon.start();
        Client after = operatorClient(daemon);
        ASSERT_FIELD("true", after.get("/audit/verify"), "ok");
        const Response trail = after.get("/audit");
        ASSERT_FIELD("restore", trail, "entries.0.action");
        ASSERT_FIELD("note_missing", trail, "entries.0.reason");
        ASSERT_FIELD("one", trail, "entries.1.secret_name");
        ASSERT_FIELD("null", after.get("/plugins"), "plugins.0.trouble");
        // Without a restore it is seen.
        ASSERT_LACKS("two", trail.body);
    }

    void testRestoreToldOfAWrongMasterKey() {
        Daemon daemon;
        ASSERT_STATUS(201, operatorClient(daemon).put("/secrets/one", R"({"value":"1"})"));
        succeed(backup(daemon));
        ASSERT_STATUS(200, operatorClient(daemon).post("/vault/rekey", ""));
        daemon.terminate();
        // It is the plugin that keeps the secrets who can tell.
        const auto configuration = daemon.directory() / "sallyport.properties";
        writeFile(configuration, "plugins.dir = " SALLYPORT_PLUGIN_PATH "\n");
        const Finished restored =
            cli(daemon, {"--config", configuration.string(), "restore", file_.string()});
        succeed(restored);
        ASSERT_CONTAINS("Mind: the master key in", restored.output);
        ASSERT_CONTAINS("is not the one that the secrets were encrypted with", restored.output);
        daemon.start();
    }

    void testNewAdminTokenWhereTheBackupDoesNotKnowTheOld() {
        Daemon daemon;
        const std::string first = daemon.operatorToken();
        succeed(backup(daemon));
        daemon.terminate();
        std::filesystem::remove(daemon.dataDirectory() / "operator.token");
        daemon.start();
        const std::string second = daemon.operatorToken();
        daemon.terminate();
        succeed(restore(daemon));
        daemon.start();
        CPPUNIT_ASSERT(daemon.operatorToken() != second);
        ASSERT_STATUS(200, operatorClient(daemon).get("/status"));
        ASSERT_UNAUTHORIZED(operatorClient(daemon, second).get("/status"));
        ASSERT_UNAUTHORIZED(operatorClient(daemon, first).get("/status"));
    }

    void testNewerTablesAreRefusedAtTheStart() {
        Daemon daemon;
        succeed(backup(daemon));
        daemon.terminate();
        makeNewer();
        const Finished refused = restore(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
        ASSERT_CONTAINS("was written by a newer version (jobs schema 99", refused.errors);
        const Finished forced = cli(daemon, {"restore", "--force", "--json", file_.string()});
        succeed(forced);
        try {
            daemon.start();
            CPPUNIT_FAIL("the daemon started");
        } catch (const std::runtime_error& problem) {
            ASSERT_CONTAINS("was written by a newer version", problem.what());
        }
        // What was there before is of use as it is.
        const std::filesystem::path former = jsonAt(forced.output, "former");
        succeed(cli(daemon, {"restore", "--force", (former / "sallyport.db").string()}));
        daemon.start();
    }

    void testRestoredByRootItBelongsToTheDaemonsUser() {
        if (::geteuid() != 0) {
            std::cerr << "skipped: only root can be another user\n";
            return;
        }
        Daemon daemon;
        succeed(backup(daemon));
        constexpr uid_t nobody = 65534;
        const auto data = places_ / "data";
        std::filesystem::create_directory(data);
        std::filesystem::permissions(places_.path(), std::filesystem::perms(0711));
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(data.c_str(), 0700));
        CPPUNIT_ASSERT_EQUAL(0, ::chown(data.c_str(), nobody, nobody));
        for (int times = 0; times < 2; ++times) {
            succeed(run({.program = SALLYPORT_CLI_PATH,
                         .arguments = {"--data-dir", data.string(), "restore", file_.string()}}));
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
            struct stat status {};
            CPPUNIT_ASSERT_EQUAL(0, ::lstat(entry.path().c_str(), &status));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(entry.path().string(), nobody, status.st_uid);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(entry.path().string(), gid_t{nobody}, status.st_gid);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(entry.path().string(), mode_t{0}, mode_t{status.st_mode & 077U});
        }
    }

private:
    static Finished cli(const Daemon& daemon, std::vector<std::string> words) {
        words.insert(words.begin(), {"--data-dir", daemon.dataDirectory().string()});
        return run({.program = SALLYPORT_CLI_PATH, .arguments = std::move(words)});
    }
    [[nodiscard]] Finished backup(const Daemon& daemon) const {
        return cli(daemon, {"backup", file_.string()});
    }
    [[nodiscard]] Finished restore(const Daemon& daemon) const {
        return cli(daemon, {"restore", file_.string()});
    }

    static void succeed(const Finished& finished) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
    }

    static std::string event(int worker, int number) {
        return R"({"event_type":"message","data":{"content":"w)" + std::to_string(worker) + "n" +
               std::to_string(number) + R"("}})";
    }

    /// As they were posted, one a line.
    static std::string allEvents(const Daemon& daemon, const CreatedJob& job) {
        Client operators = operatorClient(daemon);
        std::string all;
        std::string after = "0";
        for (;;) {
            const Response page = operators.get("/jobs/" + job.id + "/events?limit=1000&after=" + after);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(page.describe(), 200, page.status);
            const std::size_t size = page.size("events");
            if (size == 0) {
                return all;
            }
            for (std::size_t i = 0; i < size; ++i) {
                const std::string at = "events." + std::to_string(i);
                all += R"({"event_type":)" + page.raw(at + ".event_type") + R"(,"data":)" +
                       page.raw(at + ".data") + "}\n";
                after = page.at(at + ".id");
            }
        }
    }

    void makeNewer() const {
        sqlite3* opened = nullptr;
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, sqlite3_open(file_.c_str(), &opened));
        const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(opened, sqlite3_close);
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK,
                             sqlite3_exec(opened,
                                          "INSERT INTO schema_migrations (component, version, applied_at)"
                                          " VALUES ('jobs', 99, 0)",
                                          nullptr, nullptr, nullptr));
    }

    TemporaryDirectory places_;
    const std::filesystem::path file_ = places_ / "backup.db";
};

CPPUNIT_TEST_SUITE_REGISTRATION(BackupTest);

}  // namespace sallyport::tests
