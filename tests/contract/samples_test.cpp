// The SDK's sample plugins, each a test of one capability.
#include <atomic>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class SamplesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SamplesTest);
    CPPUNIT_TEST(testLabelsAreStoredWithTheJob);
    CPPUNIT_TEST(testNoJobComesWithoutItsLabels);
    CPPUNIT_TEST(testLabelsAreTakenAlong);
    CPPUNIT_TEST(testGrantsThatCameLaterAreNotLost);
    CPPUNIT_TEST(testJobsAwaitAPluginThatIsReplaced);
    CPPUNIT_TEST(testMembersBelongToOnePlugin);
    CPPUNIT_TEST(testLaunchersGiveNewTokens);
    CPPUNIT_TEST(testNewTokensCutOffWhatIsOpen);
    CPPUNIT_TEST(testOthersGiveNone);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { plugins_.emplace(); }

    void tearDown() override {
        daemon_.reset();
        plugins_.reset();
    }

    void testLabelsAreStoredWithTheJob() {
        start({"labels"});
        const CreatedJob job = createJob(*daemon_, R"({"task":"t","labels": {"team": "a"}})");
        const Response shown = admin().get("/jobs/" + job.id);
        ASSERT_STATUS(200, shown);
        ASSERT_FIELD("a", shown, "labels.team");
        ASSERT_CONTAINS(R"("labels":{"team":"a"})", admin().get("/jobs").body);
        ASSERT_LACKS("labels", admin().get("/jobs/" + createJob(*daemon_).id).body);
        ASSERT_INVALID_FIELD("labels", admin().post("/jobs", R"({"task":"t","labels":{"team":7}})"));
        ASSERT_INVALID_FIELD("labels", admin().post("/jobs", R"({"task":"t","labels":{},"labels":{}})"));
        daemon_->kill();
        daemon_->start();
        ASSERT_FIELD("a", admin().get("/jobs/" + job.id), "labels.team");
    }

    void testNoJobComesWithoutItsLabels() {
        start({"labels"});
        const std::string body = R"({"task":"t","labels":{"team":"a"}})";
        const CreatedJob job = createJob(*daemon_, body);
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/cancel", ""));
        std::filesystem::remove(*plugins_ / "labels.so");
        ASSERT_STATUS(200, reload());
        const std::string jobs = admin().get("/jobs/summary").body;
        ASSERT_ERROR(503, "plugin_unavailable", admin().post("/jobs", body));
        ASSERT_ERROR(503, "plugin_unavailable", admin().post("/jobs/" + job.id + "/restart", ""));
        CPPUNIT_ASSERT_EQUAL(jobs, admin().get("/jobs/summary").body);
        createJob(*daemon_);
        // Also after a restart, in which it never ran.
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon_->log(), 0, daemon_->terminate());
        daemon_->start();
        ASSERT_ERROR(503, "plugin_unavailable", admin().post("/jobs", body));
        plugins_->install("labels");
        ASSERT_STATUS(200, reload());
        createJob(*daemon_, body);
    }

    void testLabelsAreTakenAlong() {
        start({"labels"});
        const CreatedJob job = createJob(*daemon_, R"({"task":"t","labels":{"team":"a"}})");
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/cancel", ""));
        const Response again = admin().post("/jobs/" + job.id + "/restart", "");
        ASSERT_STATUS(201, again);
        ASSERT_FIELD("a", admin().get("/jobs/" + again.at("new_job_id")), "labels.team");
    }

    /// They are no part of what the job was created with.
    void testGrantsThatCameLaterAreNotLost() {
        start({"labels"});
        ASSERT_STATUS(201, admin().put("/secrets/s", R"({"value":"v"})"));
        const CreatedJob job = createJob(*daemon_);
        ASSERT_STATUS(200, admin().put("/jobs/" + job.id + "/credentials",
                                       R"({"credentials":[{"secret_name":"s","env_var":"S"}]})"));
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/cancel", ""));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon_->log(), 0, daemon_->terminate());
        // Nobody has turned the plugin off, and it is not there.
        const PluginFiles few;
        std::filesystem::copy_file(std::filesystem::path(SALLYPORT_PLUGIN_PATH) / "jobs.so", few / "jobs.so");
        daemon_->options().settings["plugins.dir"] = few.path().string();
        daemon_->start();
        ASSERT_ERROR(503, "plugin_unavailable", admin().post("/jobs/" + job.id + "/restart", ""));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon_->log(), 0, daemon_->terminate());
        daemon_->options().settings["plugins.disabled"] = "credentials";
        daemon_->start();
        ASSERT_STATUS(201, admin().post("/jobs/" + job.id + "/restart", ""));
    }

    /// None is refused, and none lacks what was asked for.
    void testJobsAwaitAPluginThatIsReplaced() {
        start({"labels"});
        std::atomic<bool> over = false;
        std::vector<Response> answers;
        std::thread creator([&, operators = admin()]() mutable {
            while (!over) {
                answers.push_back(operators.post("/jobs", R"({"task":"t","labels":{"team":"a"}})"));
            }
        });
        for (int round = 0; round < 10; ++round) {
            plugins_->install("labels");
            ASSERT_STATUS(200, reload());
        }
        over = true;
        creator.join();
        for (const Response& made : answers) {
            ASSERT_STATUS(201, made);
            ASSERT_FIELD("a", admin().get("/jobs/" + made.at("job_id")), "labels.team");
        }
    }

    void testMembersBelongToOnePlugin() {
        start({"labels", "takes_labels", "takes_task"});
        ASSERT_CONTAINS("the member labels of new jobs is taken already", daemon_->log());
        ASSERT_CONTAINS("the member task of new jobs is taken already", daemon_->log());
    }

    void testLaunchersGiveNewTokens() {
        start({"handover"}, {{"jobs.launchers", "handover"}});
        const CreatedJob job = createJob(*daemon_);
        ASSERT_STATUS(200, workerClient(*daemon_, job).get("/job"));
        const Response renewed = admin().post("/jobs/" + job.id + "/handover", "");
        ASSERT_STATUS(200, renewed);
        const CreatedJob fresh{job.id, renewed.at("token")};
        ASSERT_UNAUTHORIZED(workerClient(*daemon_, job).get("/job"));
        ASSERT_STATUS(200, workerClient(*daemon_, fresh).get("/job"));
        daemon_->kill();
        daemon_->start();
        ASSERT_UNAUTHORIZED(workerClient(*daemon_, job).get("/job"));
        ASSERT_STATUS(200, workerClient(*daemon_, fresh).get("/job"));
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/cancel", ""));
        ASSERT_ERROR(409, "job_over", admin().post("/jobs/" + job.id + "/handover", ""));
    }

    void testNewTokensCutOffWhatIsOpen() {
        start({"handover"}, {{"jobs.launchers", "handover"}});
        const CreatedJob job = createJob(*daemon_);
        Client worker = workerClient(*daemon_, job);
        ASSERT_STATUS(200, worker.get("/job"));
        Connection waiting(daemon_->worker());
        waiting.send(worker.request("GET", "/prompt?wait=60").bytes());
        Connection open(daemon_->worker());
        ASSERT_STATUS(200, open.exchange(worker.request("GET", "/job")));
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/handover", ""));
        ASSERT_UNAUTHORIZED(waiting.receive());
        ASSERT_UNAUTHORIZED(open.exchange(worker.request("GET", "/job")));
    }

    void testOthersGiveNone() {
        start({"handover"});
        const CreatedJob job = createJob(*daemon_);
        ASSERT_ERROR(503, "not_a_launcher", admin().post("/jobs/" + job.id + "/handover", ""));
        ASSERT_STATUS(200, workerClient(*daemon_, job).get("/job"));
    }

private:
    void start(const std::vector<std::string>& names, std::map<std::string, std::string> settings = {}) {
        for (const std::string& name : names) {
            plugins_->install(name);
        }
        settings["plugins.dir"] = SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string();
        daemon_.emplace(Daemon::Options{.settings = std::move(settings)});
    }
    Client admin() { return operatorClient(*daemon_); }
    Response reload() { return admin().post("/plugins/reload", ""); }

    std::optional<PluginFiles> plugins_;
    std::optional<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(SamplesTest);

}  // namespace sallyport::tests
