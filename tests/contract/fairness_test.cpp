// CONTRACT §8: no job and no plugin takes the door from another.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

class FairnessTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FairnessTest);
    CPPUNIT_TEST(testHandlersThatNeverReturnTakeNothingFromOthers);
    CPPUNIT_TEST(testOneThreadIsEnough);
    CPPUNIT_TEST(testAPoolThatIsStuckIsNamed);
    CPPUNIT_TEST_SUITE_END();

    PluginFiles plugins_;
    std::optional<Daemon> daemon_;
    std::vector<std::unique_ptr<Connection>> hanging_;

    void start(std::map<std::string, std::string> settings) {
        plugins_.install("hanging_one");
        plugins_.install("hanging_two");
        settings["plugins.dir"] = SALLYPORT_PLUGIN_PATH ":" + plugins_.path().string();
        daemon_.emplace(Daemon::Options{.settings = std::move(settings)});
    }

    Client admin() { return operatorClient(*daemon_); }

    /// Has that many requests hang, of which the plugin's share is let in.
    void hang(const std::string& plugin, int requests, const std::string& share) {
        Client client = admin();
        for (int i = 0; i < requests; ++i) {
            auto& connection = hanging_.emplace_back(std::make_unique<Connection>(daemon_->operators()));
            connection->send(client.request("GET", "/" + plugin + "/hang").bytes());
        }
        const Deadline deadline;
        while (client.get("/" + plugin + "/hanging").body != share) {
            CPPUNIT_ASSERT(deadline.pollTimeout() > 0);
        }
    }

    /// All that hang are answered.
    void release(const std::vector<std::string>& plugins) {
        for (const auto& plugin : plugins) {
            ASSERT_STATUS(204, admin().send("POST", "/" + plugin + "/release", {}));
        }
        for (auto& connection : hanging_) {
            ASSERT_STATUS(204, connection->receive());
        }
        hanging_.clear();
    }

    void assertOthersGoOn() {
        Client client = admin();
        ASSERT_STATUS(200, client.get("/status"));
        ASSERT_STATUS(200, client.get("/plugins"));
        ASSERT_STATUS(200, client.get("/jobs"));
        ASSERT_STATUS(200, client.post("/plugins/reload", "{}"));
        const CreatedJob job = createJob(client);
        Client worker = workerClient(*daemon_, job);
        ASSERT_STATUS(200, worker.get("/job"));
        ASSERT_STATUS(200, worker.post("/event", R"({"event_type":"message","data":{}})"));
        ASSERT_STATUS(200, client.get("/jobs/" + job.id + "/events"));
    }

public:
    void tearDown() override {
        hanging_.clear();
        daemon_.reset();
    }

    void testHandlersThatNeverReturnTakeNothingFromOthers() {
        start({{"http.threads", "4"}});
        hang("hanging_one", 8, "2");
        assertOthersGoOn();
        hang("hanging_two", 8, "2");
        assertOthersGoOn();
        release({"hanging_one", "hanging_two"});
    }

    void testOneThreadIsEnough() {
        start({{"http.threads", "1"}});
        hang("hanging_one", 4, "1");
        assertOthersGoOn();
        release({"hanging_one"});
    }

    void testAPoolThatIsStuckIsNamed() {
        start({{"http.threads", "1"}, {"http.stuck_after", "100ms"}});
        hang("hanging_one", 1, "1");
        hang("hanging_two", 1, "1");
        // Nothing is left for the host's own.
        Client client = admin();
        auto& waiting = hanging_.emplace_back(std::make_unique<Connection>(daemon_->operators()));
        waiting->send(client.request("GET", "/status").bytes());
        daemon_->awaitLog("hanging_one (1), hanging_two (1)");
        ASSERT_STATUS(204, client.send("POST", "/hanging_one/release", {}));
        ASSERT_STATUS(200, waiting->receive());
        hanging_.pop_back();
        release({"hanging_two"});
        daemon_->awaitLog("the pool of handlers goes on");
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FairnessTest);

}  // namespace sallyport::tests
