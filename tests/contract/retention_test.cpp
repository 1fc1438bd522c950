// jobs.keep, events.keep and llm.calls.keep: what is deleted when, and what remains.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/deadline.h"
#include "tests/support/jobs.h"
#include "tests/support/sse_client.h"

namespace sallyport::tests {

namespace {

/// The daemon's database, beside the daemon.
class DatabaseFile {
public:
    explicit DatabaseFile(const Daemon& daemon) {
        sqlite3* opened = nullptr;
        const int result = sqlite3_open((daemon.dataDirectory() / "sallyport.db").c_str(), &opened);
        database_.reset(opened);
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, result);
        sqlite3_busy_timeout(opened, 10'000);
    }

    void execute(const std::string& sql) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(sql, SQLITE_OK,
                                     sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr));
    }

    /// The first column of all rows.
    std::vector<std::string> texts(const std::string& sql) {
        std::vector<std::string> found;
        const auto keep = [](void* rows, int, char** values, char**) {
            static_cast<std::vector<std::string>*>(rows)->emplace_back(values[0] == nullptr ? "" : values[0]);
            return 0;
        };
        CPPUNIT_ASSERT_EQUAL_MESSAGE(sql, SQLITE_OK,
                                     sqlite3_exec(database_.get(), sql.c_str(), keep, &found, nullptr));
        return found;
    }
    long number(const std::string& sql) { return std::stol(texts(sql).at(0)); }

    /// Rows of that job in whatever table has a column `job_id`, but the audit trail.
    long rowsOf(const CreatedJob& job) {
        long rows = 0;
        for (const std::string& table :
             texts("SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c"
                   " WHERE m.type = 'table' AND c.name = 'job_id' AND m.name NOT LIKE '%audit%'")) {
            rows += number("SELECT count(*) FROM " + table + " WHERE job_id IN ('" + job.id + "', " +
                           bytesOf(job) + ")");
        }
        return rows;
    }

    static std::string bytesOf(const CreatedJob& job) {
        std::string digits;
        for (const char c : job.id) {
            digits += c == '-' ? "" : std::string(1, c);
        }
        return "x'" + digits + "'";
    }

private:
    struct Close {
        void operator()(sqlite3* database) const { sqlite3_close(database); }
    };
    std::unique_ptr<sqlite3, Close> database_;
};

template <class Condition>
void await(const char* what, Condition isSo) {
    const auto end = std::chrono::steady_clock::now() + failureLimit();
    while (!isSo()) {
        CPPUNIT_ASSERT_MESSAGE(what, std::chrono::steady_clock::now() < end);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

constexpr const char* sixtyDays = "5184000000";

}  // namespace

class RetentionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RetentionTest);
    CPPUNIT_TEST(testNothingIsLeftOfADeletedJob);
    CPPUNIT_TEST(testOthersAreUnharmed);
    CPPUNIT_TEST(testSumsOfUsageRemain);
    CPPUNIT_TEST(testAKillInTheMiddleIsMadeGoodByTheNextStart);
    CPPUNIT_TEST(testAPluginThatWasNotThereMakesItGood);
    CPPUNIT_TEST(testOldEventsOfARunningJobGo);
    CPPUNIT_TEST(testAReloadChangesWhatIsKept);
    CPPUNIT_TEST(testNothingIsDeletedByDefault);
    CPPUNIT_TEST_SUITE_END();

    /// A job with all that a job can have.
    static CreatedJob fullJob(Daemon& daemon) {
        Client operators = operatorClient(daemon);
        ASSERT_STATUS(201, operators.put("/secrets/s-" + std::to_string(++secrets_), R"({"value":"v"})"));
        const CreatedJob job = createJob(operators, R"({"task":"t","credentials":[{"secret_name":"s-)" +
                                                        std::to_string(secrets_) + R"(","env_var":"S"}]})");
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.get("/credentials"));
        ASSERT_STATUS(200, operators.post("/jobs/" + job.id + "/prompt", R"({"content":"c"})"));
        ASSERT_STATUS(200, worker.post("/event", R"({"event_type":"message","data":{"content":"e"}})"));
        ASSERT_STATUS(200, worker.post("/llm/complete", R"({"messages":[{"role":"user","content":"hi"}]})"));
        return job;
    }
    static void complete(Daemon& daemon, const CreatedJob& job) {
        ASSERT_STATUS(200, workerClient(daemon, job).post("/complete", R"({"success":true,"iterations":1})"));
    }

    /// Ends the daemon, and has what there is of these jobs be from sixty days ago.
    static void age(Daemon& daemon, const std::vector<CreatedJob>& jobs) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        DatabaseFile file(daemon);
        for (const CreatedJob& job : jobs) {
            file.execute("UPDATE jobs SET finished_at = finished_at - " + std::string(sixtyDays) +
                         " WHERE job_id = '" + job.id + "'");
            file.execute("UPDATE events SET created_at = created_at - " + std::string(sixtyDays) +
                         " WHERE job_id = " + DatabaseFile::bytesOf(job));
            file.execute("UPDATE llm_call SET at = at - " + std::string(sixtyDays) + " WHERE job_id = '" +
                         job.id + "'");
        }
    }
    static void addEvents(Daemon& daemon, const CreatedJob& job, int count) {
        DatabaseFile(daemon).execute(
            "INSERT INTO events (job_id, user_id, event_type, created_at, size, data)"
            " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
            std::to_string(count) + ") SELECT " + DatabaseFile::bytesOf(job) +
            ", 'default', 'message', 1, 2, '{}' FROM n");
    }
    static void awaitGone(Daemon& daemon, const CreatedJob& job) {
        Client operators = operatorClient(daemon);
        await("the job is still there", [&] { return operators.get("/jobs/" + job.id).status == 404; });
    }
    static void awaitNothingLeft(Daemon& daemon, const CreatedJob& job) {
        DatabaseFile file(daemon);
        await("rows of the job are left", [&] { return file.rowsOf(job) == 0; });
    }

public:
    void testNothingIsLeftOfADeletedJob() {
        Daemon daemon;
        const CreatedJob job = fullJob(daemon);
        complete(daemon, job);
        age(daemon, {job});
        CPPUNIT_ASSERT_MESSAGE("there is nothing to delete", DatabaseFile(daemon).rowsOf(job) >= 4);
        daemon.options().settings["jobs.keep"] = "30d";
        daemon.start();
        awaitGone(daemon, job);
        awaitNothingLeft(daemon, job);

        Client operators = operatorClient(daemon);
        ASSERT_FIELD("0", operators.get("/jobs/summary"), "total");
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, operators.get("/jobs").size("jobs"));
        const std::string path = "/jobs/" + job.id;
        ASSERT_REFUSED(404, operators.get(path + "/events"));
        ASSERT_REFUSED(404, operators.get("/events?job_id=" + job.id));
        ASSERT_REFUSED(404, operators.post(path + "/prompt", R"({"content":"c"})"));
        ASSERT_REFUSED(404, operators.post(path + "/cancel", "{}"));
        ASSERT_REFUSED(404, operators.post(path + "/restart", "{}"));
        ASSERT_REFUSED(404, operators.put(path + "/credentials", R"({"credentials":[]})"));
        // Its worker learns no more than that of a job that never was.
        const CreatedJob never{"3f2b8c1e-0000-4000-8000-000000000000", job.token};
        const Response refused = workerClient(daemon, job).get("/job");
        ASSERT_UNAUTHORIZED(refused);
        CPPUNIT_ASSERT_EQUAL(workerClient(daemon, never).get("/job").body, refused.body);
        // The audit trail is whole, and still names it.
        ASSERT_FIELD("true", operators.get("/audit/verify"), "ok");
        CPPUNIT_ASSERT(operators.get("/audit?job_id=" + job.id).size("entries") >= 3);
        await("nothing is logged", [&] {
            return daemon.log().find("old jobs were deleted") != std::string::npos &&
                   daemon.log().find("old events were deleted") != std::string::npos &&
                   daemon.log().find("grants of deleted jobs were deleted") != std::string::npos &&
                   daemon.log().find("old records of calls were deleted") != std::string::npos;
        });
    }

    void testOthersAreUnharmed() {
        Daemon daemon;
        const CreatedJob job = fullJob(daemon);
        const CreatedJob running = fullJob(daemon);
        const CreatedJob young = fullJob(daemon);
        complete(daemon, job);
        complete(daemon, young);
        age(daemon, {job});
        // However old a job is that runs.
        DatabaseFile(daemon).execute("UPDATE jobs SET created_at = 1, started_at = 1");
        daemon.options().settings["jobs.keep"] = "30d";
        daemon.start();
        SseClient follower(daemon.operators(), daemon.operatorToken(), {});
        SseClient resumed(daemon.operators(), daemon.operatorToken(), {.lastEventId = "0"});
        awaitGone(daemon, job);
        awaitNothingLeft(daemon, job);

        Client operators = operatorClient(daemon);
        ASSERT_FIELD("running", operators.get("/jobs/" + running.id), "state");
        ASSERT_FIELD("1", operators.get("/jobs/" + running.id), "usage.requests");
        ASSERT_FIELD("completed", operators.get("/jobs/" + young.id), "state");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, operators.get("/jobs/" + young.id + "/events").size("events"));
        ASSERT_FIELD("S", operators.get("/jobs/" + young.id), "credentials.0.env_var");
        Client worker = workerClient(daemon, running);
        ASSERT_FIELD("c", worker.get("/prompt"), "content");
        ASSERT_FIELD("v", worker.get("/credentials"), "0.value");
        ASSERT_STATUS(200, worker.post("/event", R"({"event_type":"message","data":{"content":"next"}})"));
        CPPUNIT_ASSERT_EQUAL(std::string("next"), follower.nextNumbered().at("content"));
        StreamedEvent event = resumed.nextNumbered();
        while (event.at("content") != "next") {
            event = resumed.nextNumbered();
        }
        // Who comes with an older number gets what is left.
        SseClient late(daemon.operators(), daemon.operatorToken(), {.lastEventId = "0"});
        CPPUNIT_ASSERT_EQUAL(running.id, late.nextNumbered().at("job_id"));
        CPPUNIT_ASSERT_EQUAL(young.id, late.nextNumbered().at("job_id"));
    }

    void testSumsOfUsageRemain() {
        Daemon daemon;
        const CreatedJob job = fullJob(daemon);
        const CreatedJob running = fullJob(daemon);
        complete(daemon, job);
        age(daemon, {job, running});
        daemon.options().settings["llm.calls.keep"] = "30d";
        daemon.start();
        Client operators = operatorClient(daemon);
        const std::string total = operators.get("/usage").raw("total");
        const std::string byModel = operators.get("/usage?by=model").body;
        const std::string byUser = operators.get("/usage?by=user").body;
        const std::string byJob = operators.get("/usage?by=job").body;
        {
            DatabaseFile file(daemon);
            await("records are left", [&] { return file.number("SELECT count(*) FROM llm_call") == 0; });
        }
        CPPUNIT_ASSERT_EQUAL(byJob, operators.get("/usage?by=job").body);
        ASSERT_FIELD("1", operators.get("/jobs/" + running.id), "usage.requests");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        daemon.options().settings["jobs.keep"] = "30d";
        daemon.start();
        awaitGone(daemon, job);
        awaitNothingLeft(daemon, job);
        Client again = operatorClient(daemon);
        CPPUNIT_ASSERT_EQUAL(total, again.get("/usage").raw("total"));
        CPPUNIT_ASSERT_EQUAL(byModel, again.get("/usage?by=model").body);
        CPPUNIT_ASSERT_EQUAL(byUser, again.get("/usage?by=user").body);
        const Response jobs = again.get("/usage?by=job");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, jobs.size("groups"));
        ASSERT_FIELD(running.id, jobs, "groups.0.job_id");
        ASSERT_FIELD("null", jobs, "groups.1.job_id");
        ASSERT_FIELD("1", jobs, "groups.1.requests");
    }

    void testAKillInTheMiddleIsMadeGoodByTheNextStart() {
        Daemon daemon;
        const CreatedJob job = fullJob(daemon);
        complete(daemon, job);
        age(daemon, {job});
        addEvents(daemon, job, 20'000);
        daemon.options().settings["jobs.keep"] = "30d";
        daemon.start();
        {
            DatabaseFile file(daemon);
            await("no event is deleted", [&] { return file.number("SELECT count(*) FROM events") < 20'000; });
        }
        daemon.kill();
        CPPUNIT_ASSERT_MESSAGE("that was too late", DatabaseFile(daemon).rowsOf(job) > 0);
        daemon.start();
        ASSERT_REFUSED(404, operatorClient(daemon).get("/jobs/" + job.id));
        awaitNothingLeft(daemon, job);
        // The numbers go on.
        const CreatedJob next = createJob(daemon);
        ASSERT_STATUS(200, workerClient(daemon, next).post("/event", R"({"event_type":"x","data":{}})"));
        ASSERT_FIELD("20002", operatorClient(daemon).get("/jobs/" + next.id + "/events"), "events.0.id");
    }

    void testAPluginThatWasNotThereMakesItGood() {
        Daemon daemon;
        const CreatedJob job = fullJob(daemon);
        complete(daemon, job);
        age(daemon, {job});
        daemon.options().settings["jobs.keep"] = "30d";
        daemon.options().settings["plugins.disabled"] = "events, llm, credentials, prompts";
        daemon.start();
        awaitGone(daemon, job);
        CPPUNIT_ASSERT(DatabaseFile(daemon).rowsOf(job) > 0);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        daemon.options().settings.erase("plugins.disabled");
        daemon.start();
        awaitNothingLeft(daemon, job);
        ASSERT_FIELD("true", operatorClient(daemon).get("/audit/verify"), "ok");
    }

    void testOldEventsOfARunningJobGo() {
        Daemon daemon;
        const CreatedJob job = fullJob(daemon);
        age(daemon, {job});
        daemon.options().settings["events.keep"] = "30d";
        daemon.start();
        Client operators = operatorClient(daemon);
        const std::string path = "/jobs/" + job.id + "/events";
        SseClient follower(daemon.operators(), daemon.operatorToken(), {});
        await("the event is still there", [&] { return operators.get(path).size("events") == 0; });
        // Numbers do not begin anew, and a client that saw the one that is gone misses and repeats nothing.
        SseClient resumed(daemon.operators(), daemon.operatorToken(), {.lastEventId = "1"});
        ASSERT_STATUS(200, workerClient(daemon, job)
                               .post("/event", R"({"event_type":"message","data":{"content":"next"}})"));
        for (SseClient* client : {&follower, &resumed}) {
            const StreamedEvent event = client->nextNumbered();
            CPPUNIT_ASSERT_EQUAL(std::string("2"), event.id);
            CPPUNIT_ASSERT_EQUAL(std::string("next"), event.at("content"));
        }
        ASSERT_FIELD("2", operators.get(path + "?after=0"), "events.0.id");
        ASSERT_FIELD("running", operators.get("/jobs/" + job.id), "state");
    }

    void testAReloadChangesWhatIsKept() {
        Daemon daemon;
        const CreatedJob job = fullJob(daemon);
        const CreatedJob running = fullJob(daemon);
        complete(daemon, job);
        age(daemon, {job, running});
        daemon.start();
        writeFile(daemon.directory() / "sallyport.properties", "jobs.keep = 30d\nevents.keep = 30d\n");
        daemon.reload();
        awaitGone(daemon, job);
        Client operators = operatorClient(daemon);
        await("the event is still there",
              [&] { return operators.get("/jobs/" + running.id + "/events").size("events") == 0; });
    }

    void testNothingIsDeletedByDefault() {
        Daemon daemon;
        const CreatedJob job = fullJob(daemon);
        complete(daemon, job);
        age(daemon, {job});
        const long rows = DatabaseFile(daemon).rowsOf(job);
        // Beside another whose events are to go: once they have, all has been looked at.
        daemon.options().settings["llm.calls.keep"] = "30d";
        daemon.start();
        DatabaseFile file(daemon);
        await("records are left", [&] { return file.number("SELECT count(*) FROM llm_call") == 0; });
        CPPUNIT_ASSERT_EQUAL(rows, file.rowsOf(job));
        ASSERT_STATUS(200, operatorClient(daemon).get("/jobs/" + job.id));
    }

private:
    static inline int secrets_ = 0;
};

CPPUNIT_TEST_SUITE_REGISTRATION(RetentionTest);

}  // namespace sallyport::tests
