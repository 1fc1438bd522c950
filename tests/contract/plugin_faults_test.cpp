// CONTRACT §7: what a plugin does wrong costs nobody else anything, and is named.
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>

#include "tests/contract/crashing.h"
#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class PluginFaultsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginFaultsTest);
    CPPUNIT_TEST(testCallbacksThatThrowAreLoggedAndNoMore);
    CPPUNIT_TEST(testClosuresAreDestroyedWithoutALock);
    CPPUNIT_TEST(testCrashesNameTheirPlugin);
    CPPUNIT_TEST(testCrashesAreToldOfUntilAcknowledged);
    CPPUNIT_TEST(testAJobThatCrashesTwiceIsQuarantined);
    CPPUNIT_TEST(testHandlersThatDoNotReturnAreNamed);
    CPPUNIT_TEST(testAWatchdogsEndIsPutDownToWhatDoesNotReturn);
    CPPUNIT_TEST(testNothingIsDestroyedUnderRunningCode);
    CPPUNIT_TEST(testCodeThatHoldsALoopDoesNotHoldTheEnd);
    CPPUNIT_TEST(testReloadsNeedNoThreadOfThePool);
    CPPUNIT_TEST(testReloadsThatComeMeanwhileShareTheNext);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        plugins_.emplace();
        gate_ = *plugins_ / "gate";
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(gate_.c_str(), 0600));
        plugins_->install("hostile");
    }

    void tearDown() override {
        daemon_.reset();
        plugins_.reset();
    }

    void testCallbacksThatThrowAreLoggedAndNoMore() {
        start();
        const CreatedJob job = createJob(*daemon_);
        Client worker = workerClient(*daemon_, job);
        for (const auto& [path, callback] :
             std::vector<std::pair<std::string, std::string>>{{"delivered", "Reply::onDelivered"},
                                                              {"posted", "IoLoop::post"},
                                                              {"run", "Host::run"},
                                                              {"done", "Store::Done"}}) {
            ASSERT_STATUS(204, worker.get("/hostile/" + path));
            awaitFailure(callback, path);
        }
        awaitFailure("Bus::subscribe", "subscribed");
        awaitFailure("Host::every", "every");
        // Gone in the middle of an answer.
        for (const auto& [path, callback] : std::vector<std::pair<std::string, std::string>>{
                 {"closed", "Stream::onClosed"}, {"drained", "Stream::onDrained"}}) {
            Connection connection(daemon_->worker());
            connection.send(worker.request("GET", "/hostile/" + path).bytes());
            connection.receiveHead();
            std::string body;
            while (body.size() < (path == "closed" ? 1U : 20'000'000U)) {
                CPPUNIT_ASSERT(connection.receiveBody(body));
            }
            connection.reset();
            awaitFailure(callback, path);
        }
        {
            Connection connection(daemon_->worker());
            connection.send(worker.request("GET", "/hostile/abandoned").bytes());
            daemon_->awaitLog("a promise waits");
            connection.reset();
        }
        awaitFailure("Promise::onAbandoned", "abandoned");
        ASSERT_STATUS(200, worker.get("/job"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon_->log(), 0, daemon_->terminate());
        awaitFailure("stop", "stop");
        daemon_->start();
    }

    void testClosuresAreDestroyedWithoutALock() {
        start();
        Client worker = workerClient(*daemon_, createJob(*daemon_));
        CPPUNIT_ASSERT_EQUAL(std::string("0 pending\n"), worker.get("/hostile/replaced").body);
    }

    void testCrashesNameTheirPlugin() {
        start();
        for (const auto& [path, parts] : std::vector<std::pair<std::string, std::vector<std::string>>>{
                 {"abort", {"signal=\"SIGABRT\"", "callback=\"handler\""}},
                 {"overflow", {"signal=\"SIGSEGV\"", "callback=\"handler\""}},
                 {"noexcept", {"signal=\"SIGABRT\"", "error=\"out of noexcept\""}},
                 {"exit", {"error=\"exit() was called\""}},
                 {"thread", {"signal=\"SIGABRT\"", "error=\"out of a thread\""}}}) {
            const std::string line = crash(admin().request("GET", "/hostile/" + path), daemon_->operators());
            ASSERT_CONTAINS("plugin=\"hostile\" version=\"6.6\"", line);
            if (path != "thread") {
                ASSERT_CONTAINS("route=\"GET /api/hostile/" + path + "\"", line);
            }
            for (const std::string& part : parts) {
                ASSERT_CONTAINS(part, line);
            }
        }
    }

    void testCrashesAreToldOfUntilAcknowledged() {
        start();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, plugin().size("crashes"));
        ASSERT_REFUSED(404, admin().post("/plugins/hostile/acknowledge", "{}"));
        crash(admin().request("GET", "/hostile/abort"), daemon_->operators());
        ASSERT_CONTAINS("a plugin crashed in an earlier run", daemon_->log());
        // It runs all the same.
        ASSERT_FIELD("running", plugin(), "state");
        ASSERT_FIELD("GET /api/hostile/abort", plugin(), "crashes.0.route");
        ASSERT_FIELD("SIGABRT", plugin(), "crashes.0.signal");
        const Response acknowledged = admin().post("/plugins/hostile/acknowledge", "{}");
        ASSERT_STATUS(200, acknowledged);
        ASSERT_FIELD("1", acknowledged, "crashes");
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, plugin().size("crashes"));
        daemon_->terminate();
        daemon_->start();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, plugin().size("crashes"));
    }

    void testAJobThatCrashesTwiceIsQuarantined() {
        start();
        const CreatedJob culprit = createJob(*daemon_);
        const CreatedJob other = createJob(*daemon_);
        for (const std::string path : {"segv", "segv_on_the_loop"}) {
            ASSERT_STATUS(200, workerClient(*daemon_, culprit).get("/job"));
            const std::string line =
                crash(workerClient(*daemon_, culprit).request("GET", "/hostile/" + path), daemon_->worker());
            ASSERT_CONTAINS("job=\"" + culprit.id + "\"", line);
        }
        ASSERT_ERROR(403, "job_quarantined", workerClient(*daemon_, culprit).get("/job"));
        ASSERT_STATUS(200, workerClient(*daemon_, other).get("/job"));
        ASSERT_FIELD("true", admin().get("/jobs/" + culprit.id), "quarantined");
        ASSERT_FIELD("false", admin().get("/jobs/" + other.id), "quarantined");
        ASSERT_FIELD(culprit.id, admin().get("/status"), "quarantined_jobs.0");
        ASSERT_CONTAINS(culprit.id, daemon_->log());
        // Who has no token of the job's learns nothing of it.
        CreatedJob stranger = culprit;
        stranger.token = other.token;
        ASSERT_REFUSED(401, workerClient(*daemon_, stranger).get("/job"));
        daemon_->terminate();
        daemon_->start();
        ASSERT_ERROR(403, "job_quarantined", workerClient(*daemon_, culprit).get("/job"));
        ASSERT_REFUSED(404, admin().post("/jobs/" + other.id + "/release", "{}"));
        ASSERT_STATUS(200, admin().post("/jobs/" + culprit.id + "/release", "{}"));
        ASSERT_STATUS(200, workerClient(*daemon_, culprit).get("/job"));
        daemon_->terminate();
        daemon_->start();
        ASSERT_STATUS(200, workerClient(*daemon_, culprit).get("/job"));
    }

    void testHandlersThatDoNotReturnAreNamed() {
        start({{"http.handler_warning", "10ms"}});
        Connection stuck(daemon_->operators());
        stuck.send(admin().request("GET", "/hostile/stuck").bytes());
        // Returns once the handler has opened the other end.
        FileDescriptor opened(::open(gate_.c_str(), O_WRONLY | O_CLOEXEC));
        daemon_->awaitLog(
            "a plugin's code does not return plugin=hostile version=6.6 callback=handler "
            "route=\"GET /api/hostile/stuck\"");
        ASSERT_FIELD("GET /api/hostile/stuck", plugin(), "slow.0.route");
        opened.close();
        const Response answer = stuck.receive();
        ASSERT_STATUS(200, answer);
        ASSERT_CONTAINS(answer.header("X-Request-Id"), daemon_->log());
        daemon_->awaitLog("a plugin's code has returned at last plugin=hostile callback=handler");
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, plugin().size("slow"));
    }

    void testAWatchdogsEndIsPutDownToWhatDoesNotReturn() {
        start({{"http.handler_warning", "10ms"}});
        const CreatedJob job = createJob(*daemon_);
        const Stuck stuck = holdALoop(job);
        daemon_->awaitLog(
            "a plugin's code does not return plugin=hostile version=6.6 callback=handler "
            "route=\"GET /worker/{job_id}/hostile/stuck_on_the_loop\"");
        const std::size_t before = daemon_->log().size();
        CPPUNIT_ASSERT_EQUAL(0, ::kill(daemon_->pid(), SIGABRT));
        CPPUNIT_ASSERT(daemon_->awaitExit() != 0);
        daemon_->awaitLog("a plugin crashed plugin=\"hostile\"", before);
        daemon_->start();
        ASSERT_FIELD("GET /worker/{job_id}/hostile/stuck_on_the_loop", plugin(), "crashes.0.route");
        ASSERT_FIELD(job.id, plugin(), "crashes.0.job_id");
        ASSERT_CONTAINS("did not return", plugin().at("crashes.0.error"));
    }

    void testNothingIsDestroyedUnderRunningCode() {
        start({{"shutdown.grace", "100ms"}});
        Connection stuck(daemon_->operators());
        stuck.send(admin().request("GET", "/hostile/stuck").bytes());
        const FileDescriptor opened(::open(gate_.c_str(), O_WRONLY | O_CLOEXEC));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon_->log(), 0, daemon_->terminate());
        const std::string log = daemon_->log();
        ASSERT_CONTAINS("a plugin cannot be stopped: its code does not return", log);
        ASSERT_CONTAINS("route=\"GET /api/hostile/stuck\"", log);
        ASSERT_LACKS("hostile was stopped", log);
        ASSERT_LACKS("hostile was destroyed", log);
        daemon_->start();
    }

    /// Nor does the loop's thread come to anything else.
    void testCodeThatHoldsALoopDoesNotHoldTheEnd() {
        start({{"shutdown.grace", "100ms"}});
        const Stuck stuck = holdALoop(createJob(*daemon_));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon_->log(), 0, daemon_->terminate());
        const std::string log = daemon_->log();
        ASSERT_CONTAINS("a plugin cannot be stopped: its code does not return", log);
        ASSERT_CONTAINS("route=\"GET /worker/{job_id}/hostile/stuck_on_the_loop\"", log);
        ASSERT_CONTAINS("stopped, leaving behind what did not end", log);
        daemon_->start();
    }

    /// The one thread of the pool is in the plugin that is to be replaced, and others wait for it.
    void testReloadsNeedNoThreadOfThePool() {
        start({{"http.threads", "1"}});
        Connection stuck(daemon_->operators());
        stuck.send(admin().request("GET", "/hostile/stuck").bytes());
        FileDescriptor opened(::open(gate_.c_str(), O_WRONLY | O_CLOEXEC));
        plugins_->install("hostile");
        Connection reloading(daemon_->operators());
        reloading.send(admin().request("POST", "/plugins/reload").json("{}").bytes());
        opened.close();
        ASSERT_STATUS(200, stuck.receive());
        ASSERT_FIELD("hostile", reloading.receive(), "reloaded.0");
    }

    void testReloadsThatComeMeanwhileShareTheNext() {
        start();
        Connection stuck(daemon_->operators());
        stuck.send(admin().request("GET", "/hostile/stuck").bytes());
        FileDescriptor opened(::open(gate_.c_str(), O_WRONLY | O_CLOEXEC));
        plugins_->install("hostile");
        std::vector<Connection> reloading;
        for (int i = 0; i < 12; ++i) {
            reloading.emplace_back(daemon_->operators());
            reloading.back().send(admin().request("POST", "/plugins/reload").json("{}").bytes());
        }
        // Answered by another thread, so that all of them have been asked for.
        ASSERT_STATUS(200, admin().get("/status"));
        opened.close();
        ASSERT_STATUS(200, stuck.receive());
        std::size_t replaced = 0;
        for (Connection& connection : reloading) {
            const Response response = connection.receive();
            ASSERT_STATUS(200, response);
            replaced += response.size("reloaded");
        }
        CPPUNIT_ASSERT(replaced >= 1);
        const std::string log = daemon_->log();
        std::size_t reloads = 0;
        for (std::size_t at = log.find("host: reloaded"); at != std::string::npos;
             at = log.find("host: reloaded", at + 1)) {
            ++reloads;
        }
        CPPUNIT_ASSERT_MESSAGE(log, reloads < reloading.size());
    }

private:
    void start(std::map<std::string, std::string> settings = {}) {
        settings["plugins.dir"] = SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string();
        settings["hostile.gate"] = gate_.string();
        settings.try_emplace("log.level", "debug");
        daemon_.emplace(Daemon::Options{.settings = std::move(settings)});
    }

    /// A request whose handler returns when the other end of the gate is closed.
    struct Stuck {
        Connection connection;
        FileDescriptor gate;
    };
    Stuck holdALoop(const CreatedJob& job) {
        Client worker = workerClient(*daemon_, job);
        ASSERT_STATUS(200, worker.get("/job"));
        Connection connection(daemon_->worker());
        connection.send(worker.request("GET", "/hostile/stuck_on_the_loop").bytes());
        // Returns once the handler has opened the other end.
        return {std::move(connection), FileDescriptor(::open(gate_.c_str(), O_WRONLY | O_CLOEXEC))};
    }

    Client admin() { return operatorClient(*daemon_); }

    /// What the list says of the hostile one.
    Response plugin() {
        Response response = admin().get("/plugins");
        for (std::size_t i = 0; i < response.size("plugins"); ++i) {
            if (response.at("plugins." + std::to_string(i) + ".name") == "hostile") {
                response.body = response.raw("plugins." + std::to_string(i));
            }
        }
        return response;
    }

    void awaitFailure(const std::string& callback, const std::string& error) const {
        daemon_->awaitLog("a plugin's callback failed plugin=hostile callback=" + callback);
        daemon_->awaitLog("error=" + error);
    }

    std::string crash(const Request& request, const Endpoint& endpoint) {
        return tests::crash(*daemon_, request, endpoint);
    }

    std::optional<PluginFiles> plugins_;
    std::filesystem::path gate_;
    std::optional<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginFaultsTest);

}  // namespace sallyport::tests
