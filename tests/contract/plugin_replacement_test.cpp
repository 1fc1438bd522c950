// CONTRACT §7: a plugin whose successor cannot be goes on, and nobody who calls it notices.
#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class PluginReplacementTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginReplacementTest);
    CPPUNIT_TEST(testSuccessorThatFailsLeavesTheOldOne);
    CPPUNIT_TEST(testSuccessorThatFailsIsTriedAgain);
    CPPUNIT_TEST(testSuccessorWhoseSettingsCannotBeDoesNotInterrupt);
    CPPUNIT_TEST(testOldOneKeepsTheSettingsThatItHad);
    CPPUNIT_TEST(testFailingSuccessorsUnderLoadFailNoRequest);
    CPPUNIT_TEST(testSuccessorThatChangedTheTablesTakesTheOldOneDown);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { plugins_.emplace(); }

    void tearDown() override {
        daemon_.reset();
        plugins_.reset();
    }

    void testSuccessorThatFailsLeavesTheOldOne() {
        start();
        for (const auto& [successor, reason] :
             std::map<std::string, std::string>{{"successor_that_throws", "no start"},
                                                {"successor_of_nothing", "its factory made nothing"},
                                                {"successor_that_clashes", "is already a route of prompts"},
                                                {"successor_with_a_bad_default", "default"},
                                                {"other_abi", "ABI"},
                                                {"no_symbol", "sallyport_plugin"},
                                                {"throws_in_handler", "it is now named throws_in_handler"}}) {
            plugins_->install(successor, "greeter");
            const Response response = reload();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{1}, response.size("refused"));
            ASSERT_CONTAINS(reason, response.at("refused.0.reason"));
            ASSERT_CONTAINS("the version that was running goes on", response.at("refused.0.reason"));
            ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
            ASSERT_FIELD("one", worker().get("/greeting"), "greeting");
        }
        plugins_->install("greeter_2", "greeter");
        ASSERT_FIELD("greeter", reload(), "reloaded.0");
        ASSERT_FIELD("two", admin().get("/greeting"), "greeting");
    }

    void testSuccessorThatFailsIsTriedAgain() {
        start();
        plugins_->install("successor_that_throws", "greeter");
        for (int i = 0; i < 2; ++i) {
            ASSERT_CONTAINS("no start", reload().at("refused.0.reason"));
            ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        }
        plugins_->install("greeter_1", "greeter");
        ASSERT_FIELD("greeter", reload(), "reloaded.0");
    }

    void testSuccessorWhoseSettingsCannotBeDoesNotInterrupt() {
        start({{"greeter.gate", "/a/path"}});
        plugins_->install("successor_with_other_settings", "greeter");
        const Response response = reload();
        ASSERT_CONTAINS("greeter.gate", response.at("refused.0.reason"));
        ASSERT_CONTAINS("a whole number", response.at("refused.0.reason"));
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        // It was not even stopped.
        ASSERT_LACKS("did not start", daemon_->log());
    }

    /// The file has the new version's settings by now, which are no settings for the old one.
    void testOldOneKeepsTheSettingsThatItHad() {
        plugins_->install("numbered_greeter", "greeter");
        daemon_.emplace(Daemon::Options{.settings = {{"plugins.dir", path()}}});
        ASSERT_STATUS(200, admin().get("/greeting"));
        writeFile(daemon_->directory() / "sallyport.properties", "greeter.gate = /a/path\n");
        plugins_->install("successor_that_throws", "greeter");
        ASSERT_CONTAINS("the version that was running goes on", reload().at("refused.0.reason"));
        ASSERT_STATUS(200, admin().get("/greeting"));
    }

    void testFailingSuccessorsUnderLoadFailNoRequest() {
        start();
        std::atomic<bool> done = false;
        std::atomic<int> answered = 0;
        std::atomic<int> failed = 0;
        std::vector<std::jthread> clients;
        for (int i = 0; i < 4; ++i) {
            clients.emplace_back([&, client = i % 2 == 0 ? admin() : worker()]() mutable {
                while (!done) {
                    const Response response = client.get("/greeting");
                    failed += response.status != 200 || response.at("greeting") != "one";
                    ++answered;
                    answered.notify_one();
                }
            });
        }
        for (int i = 0; i < 15; ++i) {
            for (const std::string successor :
                 {"successor_that_throws", "successor_of_nothing", "successor_that_clashes"}) {
                plugins_->install(successor, "greeter");
                const int before = answered;
                CPPUNIT_ASSERT_EQUAL(std::size_t{1}, reload().size("refused"));
                for (int now = answered; now < before + 5; now = answered) {
                    answered.wait(now);
                }
            }
        }
        done = true;
        clients.clear();
        CPPUNIT_ASSERT_EQUAL(0, failed.load());
    }

    /// What cannot be taken back: the tables are the new version's by then, which the old one must not touch.
    void testSuccessorThatChangedTheTablesTakesTheOldOneDown() {
        plugins_->install("keeper_1", "keeper");
        start();
        ASSERT_STATUS(204, admin().get("/kept"));
        plugins_->install("keeper_2_that_throws", "keeper");
        const Response response = reload();
        ASSERT_FIELD("keeper", response, "unloaded.0");
        const std::string reason = response.at("refused.0.reason");
        ASSERT_CONTAINS("no start; nor could the version that was running be started again", reason);
        ASSERT_CONTAINS("written by a newer version", reason);
        ASSERT_REFUSED(404, admin().get("/kept"));
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        plugins_->install("keeper_2", "keeper");
        ASSERT_FIELD("keeper", reload(), "loaded.0");
        ASSERT_STATUS(204, admin().get("/kept"));
    }

private:
    [[nodiscard]] std::string path() const { return SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string(); }

    void start(std::map<std::string, std::string> settings = {}) {
        plugins_->install("greeter_1", "greeter");
        settings["plugins.dir"] = path();
        daemon_.emplace(Daemon::Options{.settings = std::move(settings)});
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
    }

    Client admin() { return operatorClient(*daemon_); }
    Client worker() { return workerClient(*daemon_, createJob(*daemon_)); }

    Response reload() {
        Response response = admin().post("/plugins/reload", "{}");
        ASSERT_STATUS(200, response);
        return response;
    }

    std::optional<PluginFiles> plugins_;
    std::optional<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginReplacementTest);

}  // namespace sallyport::tests
