// A plugin that could not start for want of room, or of the database, is waited for and not forgotten.
#include <filesystem>
#include <memory>
#include <string>

#include <sys/resource.h>

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class PluginRetryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginRetryTest);
    CPPUNIT_TEST(testWhatFindsNoRoomAtTheStartStartsWhenThereIsSome);
    CPPUNIT_TEST(testALockedDatabaseHoldsAPluginBackUntilItIsFree);
    CPPUNIT_TEST(testAPluginThatIsTakenAwayIsWaitedForNoLonger);
    CPPUNIT_TEST_SUITE_END();

public:
    void testWhatFindsNoRoomAtTheStartStartsWhenThereIsSome() {
        std::unique_ptr<Daemon> daemon;
        {
            // Enough for the daemon's own tables, and too little for the plugins.
            const FileLimit inherited(160'000);
            daemon = std::make_unique<Daemon>();
        }
        Client operators = operatorClient(*daemon);
        const Response waiting = operators.get("/jobs");
        ASSERT_ERROR(503, "not_started", waiting);
        CPPUNIT_ASSERT(!waiting.header("retry-after").empty());
        ASSERT_ERROR(503, "not_started", operators.post("/jobs", R"({"task":"t"})"));
        const Response list = operators.get("/plugins");
        ASSERT_FIELD("refused", list, "plugins.0.state");
        ASSERT_FIELD("true", list, "plugins.0.retried");
        ASSERT_FIELD("false", operators.get("/status"), "plugins.0.healthy");
        ASSERT_CONTAINS("plugins could not start yet; they are tried again by themselves", daemon->log());
        ASSERT_CONTAINS("needed_bytes=", daemon->log());
        limitFiles(*daemon, RLIM_INFINITY);
        awaitField(operators, "/jobs/summary", "total", "0");
        const CreatedJob job = createJob(*daemon);
        awaitPrompt(*daemon, job);
        ASSERT_ERROR(404, "not_found", operators.get("/nowhere"));
    }

    void testALockedDatabaseHoldsAPluginBackUntilItIsFree() {
        const PluginFiles plugins;
        install(plugins, "jobs");
        Daemon daemon({.settings = {{"plugins.dir", plugins.path().string()}, {"plugins.watch", "false"}}});
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.get("/job"));
        ASSERT_REFUSED(404, worker.get("/prompt"));
        Client operators = operatorClient(daemon);
        {
            const Lock lock(daemon);
            install(plugins, "prompts");
            const Response reloaded = operators.post("/plugins/reload", "");
            ASSERT_CONTAINS("locked", reloaded.at("refused.0.reason"));
            ASSERT_ERROR(503, "not_started", worker.get("/prompt"));
            ASSERT_ERROR(503, "not_started", operators.send("DELETE", "/jobs/" + job.id, {}));
            ASSERT_STATUS(200, worker.get("/job"));
            ASSERT_UNAUTHORIZED(Client(daemon.worker(), "/worker/" + job.id, "").get("/prompt"));
        }
        awaitPrompt(daemon, job);
        ASSERT_FIELD("running", operators.get("/plugins"), "plugins.1.state");
    }

    void testAPluginThatIsTakenAwayIsWaitedForNoLonger() {
        const PluginFiles plugins;
        install(plugins, "jobs");
        Daemon daemon({.settings = {{"plugins.dir", plugins.path().string()}, {"plugins.watch", "false"}}});
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.get("/job"));
        const Lock lock(daemon);
        install(plugins, "prompts");
        ASSERT_STATUS(200, operatorClient(daemon).post("/plugins/reload", ""));
        ASSERT_ERROR(503, "not_started", worker.get("/prompt"));
        std::filesystem::remove(plugins / "prompts.so");
        ASSERT_STATUS(200, operatorClient(daemon).post("/plugins/reload", ""));
        ASSERT_REFUSED(404, worker.get("/prompt"));
    }

private:
    /// Lets no file grow beyond that size that this process, or one that it starts meanwhile, writes.
    class FileLimit {
    public:
        explicit FileLimit(rlim_t bytes) {
            CPPUNIT_ASSERT_EQUAL(0, ::getrlimit(RLIMIT_FSIZE, &before_));
            rlimit limit = before_;
            limit.rlim_cur = bytes;
            CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_FSIZE, &limit));
        }
        ~FileLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
        FileLimit(const FileLimit&) = delete;
        FileLimit& operator=(const FileLimit&) = delete;

    private:
        rlimit before_{};
    };

    /// Another process's lock on the daemon's database.
    class Lock {
    public:
        explicit Lock(const Daemon& daemon) {
            sqlite3* opened = nullptr;
            const int result = sqlite3_open((daemon.dataDirectory() / "sallyport.db").c_str(), &opened);
            database_.reset(opened);
            CPPUNIT_ASSERT_EQUAL(SQLITE_OK, result);
            CPPUNIT_ASSERT_EQUAL(SQLITE_OK,
                                 sqlite3_exec(opened, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
        }

    private:
        struct Close {
            void operator()(sqlite3* database) const { sqlite3_close(database); }
        };
        std::unique_ptr<sqlite3, Close> database_;
    };

    static void limitFiles(const Daemon& daemon, rlim_t bytes) {
        rlimit limit{};
        CPPUNIT_ASSERT_EQUAL(0, ::prlimit(daemon.pid(), RLIMIT_FSIZE, nullptr, &limit));
        limit.rlim_cur = bytes;
        CPPUNIT_ASSERT_EQUAL(0, ::prlimit(daemon.pid(), RLIMIT_FSIZE, &limit, nullptr));
    }

    static void install(const PluginFiles& plugins, const std::string& name) {
        std::filesystem::copy_file(SALLYPORT_PLUGIN_PATH "/" + name + ".so", plugins / "fresh");
        std::filesystem::rename(plugins / "fresh", plugins / (name + ".so"));
    }

    /// Awaits that the plugin `prompts` answers.
    static void awaitPrompt(const Daemon& daemon, const CreatedJob& job) {
        daemon.awaitLog("plugin=prompts");
        ASSERT_STATUS(204, workerClient(daemon, job).get("/prompt"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginRetryTest);

}  // namespace sallyport::tests
