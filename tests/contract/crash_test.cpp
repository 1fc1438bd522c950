// What was acknowledged is there, whatever happens: kill -9, a full disk, a database that is not as it was
// left.
#include <atomic>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class CrashTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CrashTest);
    CPPUNIT_TEST(testAcknowledgedEventsSurviveAKill);
    CPPUNIT_TEST(testTokensAndPromptsAndStatesSurviveAKill);
    CPPUNIT_TEST(testAcknowledgedCompletionsSurviveAKill);
    CPPUNIT_TEST(testLocalTokenSurvivesAKill);
    CPPUNIT_TEST(testSecondDaemonOnTheSameDirectoryRefuses);
    CPPUNIT_TEST(testDatabaseOfANewerVersionIsRefused);
    CPPUNIT_TEST(testCorruptDatabaseIsRefused);
    CPPUNIT_TEST(testDatabaseOfAnotherApplicationIsRefused);
    CPPUNIT_TEST(testLockedDatabaseIsRefused);
    CPPUNIT_TEST(testReadOnlyDirectoryIsRefused);
    CPPUNIT_TEST(testFullDatabaseAnswersUnavailableAndLosesNothing);
    CPPUNIT_TEST_SUITE_END();

public:
    /// 64 workers post without a pause; somewhere in the middle the daemon is killed.
    void testAcknowledgedEventsSurviveAKill() {
        constexpr std::size_t workers = 64;
        constexpr int enough = 600;
        Daemon daemon;
        std::vector<CreatedJob> jobs;
        for (std::size_t i = 0; i < workers; ++i) {
            jobs.push_back(createJob(daemon));
        }
        std::vector<int> acknowledged(workers, 0);
        std::atomic<int> total = 0;
        {
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < workers; ++i) {
                threads.emplace_back(
                    [&total, &count = acknowledged[i], worker = workerClient(daemon, jobs[i])]() mutable {
                        try {
                            while (worker.post("/event", numbered(count)).status == 200) {
                                ++count;
                                ++total;
                                total.notify_one();
                            }
                        } catch (const std::exception&) {
                            // The daemon is gone: what was not acknowledged does not count.
                        }
                    });
            }
            for (int reached = total; reached < enough; reached = total) {
                total.wait(reached);
            }
            daemon.kill();
        }
        daemon.start();
        Client operators = operatorClient(daemon);
        for (std::size_t i = 0; i < workers; ++i) {
            const std::vector<int> stored = storedNumbers(operators, jobs[i].id);
            const auto count = static_cast<std::size_t>(acknowledged[i]);
            CPPUNIT_ASSERT_MESSAGE(
                std::to_string(stored.size()) + " of " + std::to_string(count) + " are there",
                stored.size() >= count);
            // At most the one that was under way when the daemon died may be there besides.
            CPPUNIT_ASSERT_MESSAGE("more was stored than was sent", stored.size() <= count + 1);
            for (std::size_t n = 0; n < stored.size(); ++n) {
                CPPUNIT_ASSERT_EQUAL(static_cast<int>(n), stored[n]);
            }
            ASSERT_STATUS(200, workerClient(daemon, jobs[i]).post("/event", numbered(-1)));
        }
    }

    void testTokensAndPromptsAndStatesSurviveAKill() {
        Daemon daemon;
        const CreatedJob pending = createJob(daemon);
        const CreatedJob running =
            createJob(daemon, R"({"task":"t","title":"T","user_id":"u","project_dir":"/p"})");
        const CreatedJob cancelled = createJob(daemon);
        const std::string userToken = createToken(daemon, "u", "user");
        {
            Client operators = operatorClient(daemon);
            Client worker = workerClient(daemon, running);
            ASSERT_STATUS(200, worker.post("/status", R"({"state":"x","message":"m","iteration":4})"));
            ASSERT_STATUS(200, operators.post("/jobs/" + cancelled.id + "/cancel", "{}"));
            for (const std::string content : {"one", "two"}) {
                ASSERT_STATUS(200, operators.post("/jobs/" + running.id + "/prompt",
                                                  R"({"content":")" + content + "\"}"));
            }
        }
        daemon.kill();
        daemon.start();
        Client operators = operatorClient(daemon);
        ASSERT_FIELD("pending", operators.get("/jobs/" + pending.id), "state");
        ASSERT_FIELD("cancelled", operators.get("/jobs/" + cancelled.id), "state");
        const Response detail = operatorClient(daemon, userToken).get("/jobs/" + running.id);
        for (const auto& [field, value] : std::map<std::string, std::string>{{"state", "running"},
                                                                             {"title", "T"},
                                                                             {"project_dir", "/p"},
                                                                             {"status_message", "m"},
                                                                             {"iteration", "4"}}) {
            ASSERT_FIELD(value, detail, field);
        }
        Client worker = workerClient(daemon, running);
        ASSERT_FIELD("one", worker.get("/prompt"), "content");
        ASSERT_FIELD("two", worker.get("/prompt"), "content");
        ASSERT_STATUS(204, worker.get("/prompt"));
        ASSERT_STATUS(200, workerClient(daemon, pending).get("/job"));
        ASSERT_UNAUTHORIZED(workerClient(daemon, cancelled).get("/job"));
    }

    void testAcknowledgedCompletionsSurviveAKill() {
        Daemon daemon;
        for (int i = 0; i < 3; ++i) {
            const CreatedJob job = createJob(daemon);
            ASSERT_STATUS(200, workerClient(daemon, job)
                                   .post("/complete", R"({"success":true,"message":"done","iterations":2})"));
            daemon.kill();
            daemon.start();
            const Response detail = operatorClient(daemon).get("/jobs/" + job.id);
            ASSERT_FIELD("completed", detail, "state");
            ASSERT_FIELD("done", detail, "result.message");
            ASSERT_UNAUTHORIZED(workerClient(daemon, job).get("/job"));
        }
    }

    void testLocalTokenSurvivesAKill() {
        Daemon daemon;
        const std::string before = daemon.operatorToken();
        daemon.kill();
        daemon.start();
        CPPUNIT_ASSERT_EQUAL(before, daemon.operatorToken());
        ASSERT_STATUS(200, operatorClient(daemon).get("/jobs"));
    }

    void testSecondDaemonOnTheSameDirectoryRefuses() {
        Daemon& daemon = sharedDaemon();
        const Finished second = runAgain(daemon);
        CPPUNIT_ASSERT_MESSAGE(second.describe(), second.status != 0);
        ASSERT_CONTAINS(daemon.dataDirectory().string(), second.errors);
        ASSERT_CONTAINS(std::to_string(daemon.pid()), second.errors);
        // The first one is not disturbed, nor are the files by which it is found.
        ASSERT_STATUS(200, operatorClient(daemon).get("/jobs"));
    }

    void testDatabaseOfANewerVersionIsRefused() {
        Daemon daemon;
        daemon.terminate();
        changeDatabase(daemon, "UPDATE schema_migrations SET version = version + 1000");
        assertRefusesToStart(daemon, "newer");
    }

    void testCorruptDatabaseIsRefused() {
        Daemon daemon;
        const CreatedJob job = createJob(daemon);
        daemon.terminate();
        const auto file = daemon.dataDirectory() / "sallyport.db";
        std::string content = readFile(file);
        // The first page is left whole, so that it still looks like a database.
        std::fill(content.begin() + 4096, content.end(), '\x5a');
        writeFile(file, content);
        assertRefusesToStart(daemon, "damaged");
    }

    void testDatabaseOfAnotherApplicationIsRefused() {
        Daemon daemon;
        daemon.terminate();
        writeFile(daemon.dataDirectory() / "sallyport.db", std::string(8192, 'x'));
        assertRefusesToStart(daemon, "not an SQLite database");
        std::filesystem::remove(daemon.dataDirectory() / "sallyport.db");
        changeDatabase(daemon, "CREATE TABLE somebody_elses (x); PRAGMA application_id = 77");
        assertRefusesToStart(daemon, "another application");
    }

    void testLockedDatabaseIsRefused() {
        Daemon daemon;
        daemon.terminate();
        const auto connection = openDatabase(daemon);
        execute(connection.get(), "BEGIN EXCLUSIVE");
        assertRefusesToStart(daemon, "locked");
    }

    void testReadOnlyDirectoryIsRefused() {
        if (::geteuid() == 0) {
            // Permissions do not bind root; a directory below a file cannot be written by anyone.
            Daemon daemon;
            daemon.terminate();
            writeFile(daemon.directory() / "file", "");
            daemon.options().settings["data.dir"] = (daemon.directory() / "file" / "data").string();
            assertRefusesToStart(daemon, (daemon.directory() / "file").string());
            return;
        }
        Daemon daemon;
        daemon.terminate();
        using std::filesystem::perms;
        std::filesystem::permissions(daemon.dataDirectory(), perms::owner_read | perms::owner_exec);
        assertRefusesToStart(daemon, daemon.dataDirectory().string());
        std::filesystem::permissions(daemon.dataDirectory(), perms::owner_all);
    }

    void testFullDatabaseAnswersUnavailableAndLosesNothing() {
        Daemon daemon({.settings = {{"store.max_size", "512KiB"}}});
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        Client operators = operatorClient(daemon);
        const std::string padding(20'000, 'p');
        int acknowledged = 0;
        Response response = worker.post("/event", padded(acknowledged, padding));
        while (response.status == 200) {
            CPPUNIT_ASSERT_MESSAGE("the database never gets full", ++acknowledged < 1000);
            response = worker.post("/event", padded(acknowledged, padding));
        }
        CPPUNIT_ASSERT_MESSAGE("not one event fits", acknowledged > 3);
        ASSERT_ERROR(503, "storage_unavailable", response);
        ASSERT_FIELD("false", operators.get("/status"), "store.healthy");
        // Whatever else needs room is refused in the same way, and what needs none goes on.
        ASSERT_REFUSED(503, worker.post("/event", padded(-1, padding)));
        ASSERT_REFUSED(503, operators.post("/jobs", R"({"task":")" + padding + padding + "\"}"));
        ASSERT_STATUS(200, worker.get("/job"));
        ASSERT_STATUS(200, operators.get("/jobs"));
        assertHoldsExactly(storedNumbers(operators, job.id), acknowledged);
        // With more room all goes on where it was.
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        daemon.options().settings["store.max_size"] = "8MiB";
        daemon.start();
        ASSERT_STATUS(200, workerClient(daemon, job).post("/event", padded(acknowledged, padding)));
        Client again = operatorClient(daemon);
        assertHoldsExactly(storedNumbers(again, job.id), acknowledged + 1);
        ASSERT_FIELD("true", again.get("/status"), "store.healthy");
    }

private:
    struct CloseDatabase {
        void operator()(sqlite3* database) const { sqlite3_close(database); }
    };
    using Database = std::unique_ptr<sqlite3, CloseDatabase>;

    static Database openDatabase(const Daemon& daemon) {
        sqlite3* opened = nullptr;
        const int result = sqlite3_open((daemon.dataDirectory() / "sallyport.db").c_str(), &opened);
        Database database(opened);
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, result);
        return database;
    }

    static void execute(sqlite3* database, const char* sql) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(sqlite3_errmsg(database), SQLITE_OK,
                                     sqlite3_exec(database, sql, nullptr, nullptr, nullptr));
    }

    static void changeDatabase(const Daemon& daemon, const char* sql) {
        execute(openDatabase(daemon).get(), sql);
    }

    /// Another daemon with the same settings, run to its end.
    static Finished runAgain(const Daemon& daemon) {
        Command command = daemon.command();
        command.log.clear();
        command.environment.erase("NOTIFY_SOCKET");
        return run(command);
    }

    static void assertRefusesToStart(const Daemon& daemon, const std::string& reason) {
        const Finished refused = runAgain(daemon);
        CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.status > 0 && refused.status < 128);
        ASSERT_CONTAINS(reason, refused.errors);
        ASSERT_LACKS("terminate called", refused.errors);
    }

    static std::string numbered(int number) {
        return R"({"event_type":"n","data":{"message":")" + std::to_string(number) + "\"}}";
    }

    static std::string padded(int number, const std::string& padding) {
        return R"({"event_type":"n","data":{"message":")" + std::to_string(number) + R"(","padding":")" +
               padding + "\"}}";
    }

    /// The numbers in a job's history, as they stand there.
    static std::vector<int> storedNumbers(Client& operators, const std::string& job) {
        std::vector<int> numbers;
        std::string after = "0";
        while (true) {
            const Response page = operators.get("/jobs/" + job + "/events?limit=200&after=" + after);
            ASSERT_STATUS(200, page);
            const std::size_t size = page.size("events");
            if (size == 0) {
                return numbers;
            }
            for (std::size_t i = 0; i < size; ++i) {
                numbers.push_back(std::stoi(page.at("events." + std::to_string(i) + ".data.message")));
            }
            after = page.at("events." + std::to_string(size - 1) + ".id");
        }
    }

    static void assertHoldsExactly(const std::vector<int>& numbers, int count) {
        CPPUNIT_ASSERT_EQUAL(static_cast<std::size_t>(count), numbers.size());
        for (int i = 0; i < count; ++i) {
            CPPUNIT_ASSERT_EQUAL(i, numbers[static_cast<std::size_t>(i)]);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CrashTest);

}  // namespace sallyport::tests
