// What the command line says of crashes, and does about them.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/crashing.h"
#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class CrashCommandsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CrashCommandsTest);
    CPPUNIT_TEST(testDoctorTellsOfCrashesUntilTheyAreAcknowledged);
    CPPUNIT_TEST(testDoctorKnowsThemWithoutTheDaemon);
    CPPUNIT_TEST(testCrashesThatAreNotThereCannotBeAcknowledged);
    CPPUNIT_TEST(testAQuarantinedJobIsReleased);
    CPPUNIT_TEST(testJobsThatAreNotQuarantinedCannotBeReleased);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        plugins_.emplace();
        plugins_->install("hostile");
        daemon_.emplace(Daemon::Options{
            .settings = {{"plugins.dir", SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string()}}});
    }

    void tearDown() override {
        daemon_.reset();
        plugins_.reset();
    }

    void testDoctorTellsOfCrashesUntilTheyAreAcknowledged() {
        ASSERT_CONTAINS(none, doctor(0));
        crashByOperator("abort");
        std::string said = doctor(1);
        ASSERT_CONTAINS("hostile 6.6 crashed with SIGABRT at ", said);
        ASSERT_CONTAINS(
            " in its handler of GET /api/hostile/abort; once you know why, run sallyport plugin acknowledge "
            "hostile",
            said);
        crashByOperator("noexcept");
        said = doctor(1);
        ASSERT_CONTAINS(": out of noexcept, the last of 2 crashes; ", said);
        ASSERT_LACKS("/hostile/abort", said);
        ASSERT_CONTAINS("crashed with SIGABRT", succeed({"plugin", "list"}));

        ASSERT_CONTAINS("Acknowledged crashes of hostile: 2", succeed({"plugin", "acknowledge", "hostile"}));
        ASSERT_CONTAINS(none, doctor(0));
        ASSERT_LACKS("crashed", succeed({"plugin", "list"}));
        crashByOperator("abort");
        CPPUNIT_ASSERT_EQUAL(std::string("1"),
                             jsonAt(succeed({"plugin", "acknowledge", "hostile", "--json"}), "crashes"));
    }

    void testDoctorKnowsThemWithoutTheDaemon() {
        crashByOperator("abort");
        daemon_->terminate();
        ASSERT_CONTAINS("hostile 6.6 crashed with SIGABRT at ", doctor(1));
        daemon_->start();
    }

    void testCrashesThatAreNotThereCannotBeAcknowledged() {
        for (const std::string name : {"hostile", "nobody"}) {
            const Finished refused = cli({"plugin", "acknowledge", name});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
        }
    }

    void testAQuarantinedJobIsReleased() {
        const CreatedJob job = createJob(*daemon_);
        for (int i = 0; i < 2; ++i) {
            ASSERT_STATUS(200, workerClient(*daemon_, job).get("/job"));
            crash(*daemon_, workerClient(*daemon_, job).request("GET", "/hostile/segv"), daemon_->worker());
        }
        ASSERT_ERROR(403, "job_quarantined", workerClient(*daemon_, job).get("/job"));
        succeed({"plugin", "acknowledge", "hostile"});
        const std::string advice = "run sallyport job release " + job.id;
        ASSERT_CONTAINS(advice, doctor(0));
        ASSERT_CONTAINS("sallyport job release", succeed({"job", "show", job.id}));

        ASSERT_CONTAINS("Job " + job.id + " is released", succeed({"job", "release", job.id.substr(0, 13)}));
        ASSERT_STATUS(200, workerClient(*daemon_, job).get("/job"));
        ASSERT_CONTAINS(none, doctor(0));
        ASSERT_LACKS("release", succeed({"job", "show", job.id}));
    }

    void testJobsThatAreNotQuarantinedCannotBeReleased() {
        const CreatedJob job = createJob(*daemon_);
        const Finished refused = cli({"job", "release", job.id});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
        ASSERT_STATUS(200, workerClient(*daemon_, job).get("/job"));
    }

private:
    static constexpr const char* none = "none that has not been acknowledged";

    void crashByOperator(const std::string& path) {
        crash(*daemon_, operatorClient(*daemon_).request("GET", "/hostile/" + path), daemon_->operators());
    }

    [[nodiscard]] Finished cli(std::vector<std::string> words) const {
        words.insert(words.begin(), {"--data-dir", daemon_->dataDirectory().string()});
        return run({.program = SALLYPORT_CLI_PATH, .arguments = std::move(words)});
    }

    /// @return what it printed.
    std::string succeed(const std::vector<std::string>& words) const {
        const Finished finished = cli(words);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        return finished.output;
    }

    /// With the daemon's own configuration. @return what it printed.
    [[nodiscard]] std::string doctor(int status) const {
        std::vector<std::string> words = daemon_->command().arguments;
        words.insert(words.begin(), "doctor");
        const Finished finished = run({.program = SALLYPORT_CLI_PATH, .arguments = words});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), status, finished.status);
        return finished.output;
    }

    std::optional<PluginFiles> plugins_;
    std::optional<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(CrashCommandsTest);

}  // namespace sallyport::tests
