// CONTRACT §2 and §7: what a plugin can do, what it cannot, and how it comes and goes.
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/sse_client.h"

namespace sallyport::tests {

class PluginsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginsTest);
    CPPUNIT_TEST(testNothingLeavesItsRealm);
    CPPUNIT_TEST(testCatchAllTakesNothingFromAnybody);
    CPPUNIT_TEST(testRoutesCannotBeAddedLater);
    CPPUNIT_TEST(testAnotherPluginsRouteIsRefused);
    CPPUNIT_TEST(testWhatDoesNotFitIsRefusedBeforeItsCodeRuns);
    CPPUNIT_TEST(testWhatIsNoPluginIsRefused);
    CPPUNIT_TEST(testTruncatedPluginIsRefused);
    CPPUNIT_TEST(testWhatOthersMayWriteIsRefused);
    CPPUNIT_TEST(testDirectoryThatOthersMayWriteIsRefused);
    CPPUNIT_TEST(testSecondOfANameIsRefused);
    CPPUNIT_TEST(testFailureToStartIsRefusedAndLeavesNoRoute);
    CPPUNIT_TEST(testEveryRefusalIsOneClearLine);
    CPPUNIT_TEST(testPluginOfALaterSdkWorks);
    CPPUNIT_TEST(testFilesAreServedToEverybody);
    CPPUNIT_TEST(testFilesThatAreNotThereRefuseThePlugin);
    CPPUNIT_TEST(testDisabledPluginIsNotLoaded);
    CPPUNIT_TEST(testExceptionsAreAnsweredAndNamed);
    CPPUNIT_TEST(testCredentialsNeverReachAHandler);
    CPPUNIT_TEST(testDroppedInPluginIsLiveAfterAReload);
    CPPUNIT_TEST(testDroppedInPluginIsLiveAfterAHangup);
    CPPUNIT_TEST(testChangedPluginTakesItsPlace);
    CPPUNIT_TEST(testChangedPluginThatFailsLeavesTheOldOne);
    CPPUNIT_TEST(testChangedKeysStartAPluginAnew);
    CPPUNIT_TEST(testKeysThatCannotBeLeaveThePluginAsItWas);
    CPPUNIT_TEST(testRemovalAwaitsCallsInFlight);
    CPPUNIT_TEST(testReloadKeepsConnectionsAndSubscribers);
    CPPUNIT_TEST(testReloadUnderLoadFailsNoRequest);
    CPPUNIT_TEST(testReloadOfPromptsUnderLoadLosesNone);
    CPPUNIT_TEST(testPluginsWorkOnTheLoops);
    CPPUNIT_TEST(testWatchesEndWithThePlugin);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { plugins_.emplace(); }

    void tearDown() override {
        daemon_.reset();
        plugins_.reset();
    }

    void testPluginOfALaterSdkWorks() {
        install("of_a_later_sdk");
        start({{"later.second", "zwei"}});
        const Response answer = admin().get("/later");
        ASSERT_STATUS(200, answer);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"first":1,"second":"zwei","later":false})"), answer.body);
        ASSERT_LACKS("unknown key", daemon_->log());
    }

    void testFilesAreServedToEverybody() {
        const TemporaryDirectory assets;
        std::filesystem::create_directory(assets / "pages");
        writeFile(assets / "pages/index.html", "<p>Hello");
        writeFile(assets / "secret.txt", "secret");
        install("pages");
        start({{"plugins.assets", assets.path().string()}});
        const auto ask = [this](const std::string& method, const std::string& path) {
            return exchange(daemon_->operators(), Request(method, path));
        };
        const Response page = ask("GET", "/pages/");
        ASSERT_STATUS(200, page);
        CPPUNIT_ASSERT_EQUAL(std::string("<p>Hello"), page.body);
        ASSERT_CONTAINS("'self'", page.header("content-security-policy"));
        const Response head = ask("HEAD", "/pages/");
        ASSERT_STATUS(200, head);
        CPPUNIT_ASSERT_EQUAL(page.header("etag"), head.header("etag"));
        CPPUNIT_ASSERT_EQUAL(std::string("8"), head.header("content-length"));
        const Response known = exchange(
            daemon_->operators(), Request("GET", "/pages/?x=1").header("If-None-Match", page.header("etag")));
        ASSERT_STATUS(304, known);
        // Nothing else opens with that, and the worker door has none of it.
        ASSERT_UNAUTHORIZED(ask("GET", "/api/pages/"));
        ASSERT_REFUSED(404, ask("GET", "/pages/../secret.txt"));
        ASSERT_REFUSED(404, ask("GET", "/secret.txt"));
        ASSERT_REFUSED(405, ask("POST", "/pages/"));
        ASSERT_REFUSED(404, exchange(daemon_->worker(), Request("GET", "/pages/")));
        // They are read when the plugin starts, and go with it.
        writeFile(assets / "pages/index.html", "<p>Changed");
        CPPUNIT_ASSERT_EQUAL(std::string("<p>Hello"), ask("GET", "/pages/").body);
        std::filesystem::remove(*plugins_ / "pages.so");
        ASSERT_FIELD("pages", reload(), "unloaded.0");
        ASSERT_REFUSED(404, ask("GET", "/pages/"));
    }

    void testFilesThatAreNotThereRefuseThePlugin() {
        startWith({"pages"});
        assertRefused("pages", "cannot be served");
        ASSERT_REFUSED(404, exchange(daemon_->operators(), Request("GET", "/pages/")));
    }

    void testNothingLeavesItsRealm() {
        startWith({"trespasser"});
        const Response accepted = admin().get("/trespasser/accepted");
        ASSERT_STATUS(200, accepted);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("these were let through", std::string(), accepted.body);
        for (const Endpoint& door : {daemon_->worker(), daemon_->operators()}) {
            const Response health = exchange(door, Request("GET", "/health"));
            ASSERT_STATUS(200, health);
            CPPUNIT_ASSERT_EQUAL(std::string("ok"), health.body);
            ASSERT_REFUSED(404, exchange(door, Request("GET", "/trespasser/accepted")));
        }
        // What it may call /health is in its realm and behind the filter.
        ASSERT_UNAUTHORIZED(exchange(daemon_->operators(), Request("GET", "/api/health")));
        CPPUNIT_ASSERT_EQUAL(std::string("caught"), admin().get("/health").body);
    }

    void testCatchAllTakesNothingFromAnybody() {
        startWith({"trespasser"});
        const CreatedJob job = createJob(*daemon_);
        Client worker = workerClient(*daemon_, job);
        ASSERT_FIELD("count the stars", worker.get("/job"), "description");
        ASSERT_STATUS(204, worker.get("/prompt"));
        ASSERT_CONTAINS("\"jobs\"", admin().get("/jobs").body);
        ASSERT_CONTAINS("\"plugins\"", admin().get("/plugins").body);
        CPPUNIT_ASSERT_EQUAL(std::string("caught"), worker.get("/anything/else").body);
        // Behind the filter as everything is.
        ASSERT_UNAUTHORIZED(
            exchange(daemon_->worker(), Request("GET", "/worker/" + job.id + "/anything/else")));
        ASSERT_UNAUTHORIZED(exchange(daemon_->operators(), Request("GET", "/api/anything/else")));
        ASSERT_UNAUTHORIZED(operatorClient(*daemon_, job.token).get("/anything/else"));
    }

    void testRoutesCannotBeAddedLater() {
        startWith({"trespasser"});
        const Response late = admin().get("/trespasser/late");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("these were let through", std::string(), late.body);
    }

    void testAnotherPluginsRouteIsRefused() {
        startWith({"shadower_operator", "shadower_worker"});
        assertRefused("shadower_operator", "prompts");
        assertRefused("shadower_worker", "prompts");
        const CreatedJob job = createJob(*daemon_);
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/prompt", R"({"content":"x"})"));
        ASSERT_FIELD("x", workerClient(*daemon_, job).get("/prompt"), "content");
    }

    void testWhatDoesNotFitIsRefusedBeforeItsCodeRuns() {
        startWith({"other_abi", "other_toolchain", "other_name"});
        assertRefused("other_abi", "ABI");
        assertRefused("other_toolchain", "C++");
        assertRefused("other_name", "name");
        assertOthersRun();
    }

    void testWhatIsNoPluginIsRefused() {
        install("no_symbol");
        writeFile(*plugins_ / "text.so", "This is a text.\n");
        writeFile(*plugins_ / "empty.so", "");
        std::filesystem::create_directory(*plugins_ / "directory.so");
        std::filesystem::create_symlink("/nowhere/at/all", *plugins_ / "dangling.so");
        ::mkfifo((*plugins_ / "fifo.so").c_str(), 0600);
        writeFile(*plugins_ / "README", "Only files that end in .so are looked at.\n");
        startWith({});
        assertRefused("no_symbol", "sallyport_plugin");
        for (const std::string name : {"text", "empty", "directory", "dangling", "fifo"}) {
            assertRefused(name, "");
        }
        ASSERT_LACKS("README", admin().get("/plugins").body);
        assertOthersRun();
    }

    /// A copy that is still under way, or stopped when the disk was full: mapping it would reach beyond its
    /// end.
    void testTruncatedPluginIsRefused() {
        startWith({});
        const std::string whole = readFile(SALLYPORT_TEST_PLUGIN_PATH "/greeter_1.so");
        for (const std::size_t size : {64, 1'000, 4'096, 40'000}) {
            writeFile(*plugins_ / "truncated.so", whole.substr(0, size));
            const Response response = reload();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{1}, response.size("refused"));
            assertOthersRun();
        }
    }

    void testWhatOthersMayWriteIsRefused() {
        using std::filesystem::perms;
        install("greeter_1", "group");
        install("greeter_1", "world");
        std::filesystem::permissions(*plugins_ / "group.so", perms::owner_all | perms::group_write);
        std::filesystem::permissions(*plugins_ / "world.so", perms::owner_all | perms::others_write);
        startWith({});
        assertRefused("group", "write");
        assertRefused("world", "write");
        ASSERT_REFUSED(404, admin().get("/greeting"));
    }

    void testDirectoryThatOthersMayWriteIsRefused() {
        install("greeter_1");
        std::filesystem::permissions(plugins_->path(), std::filesystem::perms::all);
        startWith({});
        ASSERT_REFUSED(404, admin().get("/greeting"));
        ASSERT_CONTAINS(plugins_->path().string(), daemon_->log());
        assertOthersRun();
    }

    void testSecondOfANameIsRefused() {
        startWith({"greeter_1", "greeter_2"});
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        assertRefused("greeter_2", "greeter");
    }

    void testFailureToStartIsRefusedAndLeavesNoRoute() {
        startWith({"throws_at_start", "throws_anything_at_start"});
        assertRefused("throws_at_start", "no start");
        assertRefused("throws_anything_at_start", "");
        ASSERT_REFUSED(404, admin().get("/throws_at_start"));
        assertOthersRun();
    }

    void testEveryRefusalIsOneClearLine() {
        startWith({"no_symbol", "other_abi", "other_toolchain", "shadower_worker", "throws_at_start"});
        const std::string log = daemon_->log();
        for (const std::string name :
             {"no_symbol", "other_abi", "other_toolchain", "shadower_worker", "throws_at_start"}) {
            const std::string file = (*plugins_ / (name + ".so")).string();
            std::size_t lines = 0;
            for (auto at = log.find(file); at != std::string::npos; at = log.find(file, log.find('\n', at))) {
                ++lines;
            }
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name + " in\n" + log, std::size_t{1}, lines);
        }
    }

    void testDisabledPluginIsNotLoaded() {
        install("greeter_1");
        start({{"plugins.disabled", "greeter, prompts"}});
        ASSERT_REFUSED(404, admin().get("/greeting"));
        const CreatedJob job = createJob(*daemon_);
        ASSERT_REFUSED(404, workerClient(*daemon_, job).get("/prompt"));
        ASSERT_LACKS("\"greeter\"", admin().get("/plugins").body);
    }

    void testExceptionsAreAnsweredAndNamed() {
        startWith({"throws_in_handler"});
        for (const std::string how : {"standard", "on_the_loop", "other", "text", "promise", "deferred",
                                      "parked", "after_storing", "stored"}) {
            const Response response = admin().get("/throws/" + how);
            ASSERT_REFUSED(500, response);
            ASSERT_CONTAINS(response.header("X-Request-Id"), daemon_->log());
        }
        ASSERT_REFUSED(503, admin().get("/throws/sql"));
        const Response refusal = admin().get("/throws/refusal");
        ASSERT_ERROR(409, "in_the_way", refusal);
        CPPUNIT_ASSERT_EQUAL(std::string("7"), refusal.header("Retry-After"));
        CPPUNIT_ASSERT_THROW_MESSAGE("a stream that failed was ended as if it were whole",
                                     admin().get("/throws/stream"), ConnectionLost);
        ASSERT_CONTAINS("throws_in_handler", daemon_->log());
        // Its subscriber and its trouble() fail as well, and nobody else notices.
        const CreatedJob job = createJob(*daemon_);
        ASSERT_STATUS(200, workerClient(*daemon_, job).get("/job"));
        assertOthersRun();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon_->log(), 0, daemon_->terminate());
        daemon_->start();
    }

    void testCredentialsNeverReachAHandler() {
        startWith({"greeter_1"});
        const CreatedJob job = createJob(*daemon_);
        const std::string path = "/worker/" + job.id + "/greeting/seen?a=b";
        const Response byBearer = exchange(daemon_->worker(), Request("GET", path)
                                                                  .bearer(job.token)
                                                                  .header("X-Harmless", "kept")
                                                                  .header("Cookie", "c=d")
                                                                  .header("Proxy-Authorization", "Basic x"));
        const Response byKey =
            exchange(daemon_->worker(), Request("GET", path).header("X-Api-Key", job.token));
        const Response byOperator = admin().exchange(admin().request("GET", "/greeting/seen"));
        for (const Response& response : {byBearer, byKey, byOperator}) {
            ASSERT_STATUS(200, response);
            ASSERT_LACKS(job.token, response.body);
            ASSERT_LACKS(admin().token(), response.body);
            ASSERT_LACKS("uthorization", response.body);
            ASSERT_LACKS("ookie", response.body);
            ASSERT_LACKS("pi-", response.body);
        }
        ASSERT_CONTAINS("x-harmless: kept", byBearer.body);
        ASSERT_CONTAINS(job.id, byBearer.body);
    }

    void testDroppedInPluginIsLiveAfterAReload() {
        startWith({});
        ASSERT_REFUSED(404, admin().get("/greeting"));
        install("greeter_1", "greeter");
        const Response loaded = reload();
        ASSERT_FIELD("greeter", loaded, "loaded.0");
        ASSERT_CONTAINS("prompts", loaded.raw("unchanged"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, loaded.size("refused"));
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        ASSERT_FIELD("one", workerClient(*daemon_, createJob(*daemon_)).get("/greeting"), "greeting");

        ASSERT_FIELD("[]", reload(), "loaded");
        std::filesystem::remove(*plugins_ / "greeter.so");
        ASSERT_FIELD("greeter", reload(), "unloaded.0");
        ASSERT_REFUSED(404, admin().get("/greeting"));
        ASSERT_LACKS("greeter", admin().get("/plugins").body);
    }

    void testDroppedInPluginIsLiveAfterAHangup() {
        startWith({});
        install("greeter_1", "greeter");
        daemon_->reload();
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        std::filesystem::remove(*plugins_ / "greeter.so");
        daemon_->reload();
        ASSERT_REFUSED(404, admin().get("/greeting"));
    }

    void testChangedPluginTakesItsPlace() {
        install("greeter_1", "greeter");
        startWith({});
        ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        for (int i = 0; i < 4; ++i) {
            install(i % 2 == 0 ? "greeter_2" : "greeter_1", "greeter");
            ASSERT_FIELD("greeter", reload(), "reloaded.0");
            ASSERT_FIELD(i % 2 == 0 ? "two" : "one", admin().get("/greeting"), "greeting");
        }
    }

    void testChangedPluginThatFailsLeavesTheOldOne() {
        install("greeter_1", "greeter");
        startWith({});
        for (const std::string broken : {"no_symbol", "throws_at_start", "other_abi"}) {
            install(broken, "greeter");
            const Response response = reload();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{1}, response.size("refused"));
            ASSERT_CONTAINS("greeter.so", response.at("refused.0.file"));
            ASSERT_FIELD("one", admin().get("/greeting"), "greeting");
        }
        install("greeter_2", "greeter");
        ASSERT_FIELD("greeter", reload(), "reloaded.0");
        ASSERT_FIELD("two", admin().get("/greeting"), "greeting");
    }

    /// A call is inside the plugin while its file is taken away and a reload asked for.
    void testChangedKeysStartAPluginAnew() {
        startWith({});
        const std::string prompts = "/jobs/" + createJob(*daemon_).id + "/prompt";
        ASSERT_STATUS(200, admin().post(prompts, R"({"content":"12345"})"));
        writeFile(daemon_->directory() / "sallyport.properties", "prompts.max_size = 4\n");
        const Response first = reload();
        ASSERT_FIELD("[\"prompts\"]", first, "reloaded");
        ASSERT_CONTAINS("events", first.raw("unchanged"));
        ASSERT_REFUSED(413, admin().post(prompts, R"({"content":"12345"})"));
        ASSERT_FIELD("[]", reload(), "reloaded");
        writeFile(daemon_->directory() / "sallyport.properties", "");
        ASSERT_FIELD("[\"prompts\"]", reload(), "reloaded");
        ASSERT_STATUS(200, admin().post(prompts, R"({"content":"12345"})"));
    }

    void testKeysThatCannotBeLeaveThePluginAsItWas() {
        startWith({});
        const std::string prompts = "/jobs/" + createJob(*daemon_).id + "/prompt";
        // The one is judged by the host, the other by the plugin.
        writeFile(daemon_->directory() / "sallyport.properties",
                  "prompts.max_size = lots\nllm.limit.cost = much\n");
        const Response response = reload();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{2}, response.size("refused"));
        ASSERT_CONTAINS("prompts.max_size", response.raw("refused"));
        ASSERT_CONTAINS("llm.limit.cost", response.raw("refused"));
        ASSERT_STATUS(200, admin().post(prompts, R"({"content":"12345"})"));
        ASSERT_STATUS(200, admin().get("/usage"));
    }

    void testRemovalAwaitsCallsInFlight() {
        const auto gate = *plugins_ / "gate";
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(gate.c_str(), 0600));
        install("greeter_1", "greeter");
        start({{"greeter.gate", gate.string()}});
        Client client = operatorClient(*daemon_);
        Connection slow(daemon_->operators());
        slow.send(client.request("GET", "/greeting/slow").bytes());
        // Returns once the handler has opened the other end.
        FileDescriptor opened(::open(gate.c_str(), O_WRONLY | O_CLOEXEC));
        CPPUNIT_ASSERT(opened.open());
        std::filesystem::remove(*plugins_ / "greeter.so");
        Connection reloading(daemon_->operators());
        reloading.send(client.request("POST", "/plugins/reload").json("{}").bytes());
        opened.close();
        const Response greeting = slow.receive();
        ASSERT_STATUS(200, greeting);
        ASSERT_FIELD("one", greeting, "greeting");
        ASSERT_FIELD("greeter", reloading.receive(), "unloaded.0");
        ASSERT_REFUSED(404, admin().get("/greeting"));
    }

    void testReloadKeepsConnectionsAndSubscribers() {
        install("greeter_1", "greeter");
        startWith({});
        const CreatedJob job = createJob(*daemon_);
        Client worker = workerClient(*daemon_, job);
        Connection connection(daemon_->worker());
        ASSERT_STATUS(200, connection.exchange(worker.request("GET", "/job")));
        SseClient stream(daemon_->operators(), daemon_->operatorToken(),
                         {.target = "/api/events?job_id=" + job.id});
        install("greeter_2", "greeter");
        reload();
        daemon_->reload();
        ASSERT_STATUS(200, connection.exchange(worker.request("GET", "/job")));
        ASSERT_STATUS(200, connection.exchange(
                               worker.request("POST", "/event").json(R"({"event_type":"x","data":1})")));
        CPPUNIT_ASSERT_EQUAL(std::string("job_status"), stream.nextNumbered().type);
    }

    /// The file is replaced again and again while clients call it: each request is answered, by one or the
    /// other.
    void testReloadUnderLoadFailsNoRequest() {
        install("greeter_1", "greeter");
        startWith({});
        std::atomic<bool> done = false;
        std::atomic<int> answered = 0;
        std::atomic<int> failed = 0;
        std::vector<std::jthread> clients;
        for (int i = 0; i < 4; ++i) {
            clients.emplace_back([&, operators = operatorClient(*daemon_),
                                  worker = workerClient(*daemon_, createJob(*daemon_)), i]() mutable {
                while (!done) {
                    const Response response = (i % 2 == 0 ? operators : worker).get("/greeting");
                    const std::string greeting = response.at("greeting");
                    failed += response.status != 200 || (greeting != "one" && greeting != "two");
                    ++answered;
                    answered.notify_one();
                }
            });
        }
        for (int i = 0; i < 20; ++i) {
            const int before = answered;
            install(i % 2 == 0 ? "greeter_2" : "greeter_1", "greeter");
            const Response response = reload();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{1}, response.size("reloaded"));
            for (int now = answered; now < before + 20; now = answered) {
                answered.wait(now);
            }
        }
        done = true;
        clients.clear();
        CPPUNIT_ASSERT_EQUAL(0, failed.load());
    }

    /// A plugin of the house, with state in memory and waiting requests, replaced while it is at work.
    void testReloadOfPromptsUnderLoadLosesNone() {
        constexpr int prompts = 150;
        for (const std::string name : {"jobs", "events", "prompts"}) {
            std::filesystem::copy_file(SALLYPORT_PLUGIN_PATH "/" + name + ".so", *plugins_ / (name + ".so"));
        }
        daemon_.emplace(Daemon::Options{.settings = {{"plugins.dir", plugins_->path().string()}}});
        const CreatedJob job = createJob(*daemon_);
        std::vector<std::string> received;
        std::jthread consumer([&, worker = workerClient(*daemon_, job)]() mutable {
            while (received.size() < prompts) {
                const Response response = worker.get("/prompt?wait=60");
                if (response.status == 200) {
                    received.push_back(response.at("content"));
                } else if (response.status != 204) {
                    received.assign(prompts, response.describe());
                }
            }
        });
        for (int i = 0; i < prompts; ++i) {
            if (i % 15 == 7) {
                const auto file = *plugins_ / "prompts.so";
                std::filesystem::copy_file(SALLYPORT_PLUGIN_PATH "/prompts.so", *plugins_ / "fresh");
                std::filesystem::rename(*plugins_ / "fresh", file);
                ASSERT_FIELD("prompts", reload(), "reloaded.0");
            }
            ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/prompt",
                                            R"({"content":")" + std::to_string(i) + "\"}"));
        }
        consumer.join();
        for (int i = 0; i < prompts; ++i) {
            CPPUNIT_ASSERT_EQUAL(std::to_string(i), received[static_cast<std::size_t>(i)]);
        }
    }

    void testPluginsWorkOnTheLoops() {
        startWith({"looper"});
        CPPUNIT_ASSERT_EQUAL(std::string("start first second third"), admin().get("/looper/posted").body);
        CPPUNIT_ASSERT_EQUAL(std::string("posted"), admin().get("/looper/from_outside").body);
        CPPUNIT_ASSERT_EQUAL(std::string("called 3 times"), admin().get("/looper/watched").body);
        CPPUNIT_ASSERT_EQUAL(std::string("whole"), admin().get("/looper/relayed").body);
        CPPUNIT_ASSERT_EQUAL(std::string("expired 3 times"), admin().get("/looper/timed").body);
        ASSERT_CONTAINS("a task that fails", daemon_->log());
        ASSERT_CONTAINS("a watch that fails", daemon_->log());
        ASSERT_CONTAINS("a timer that fails", daemon_->log());
    }

    /// The plugin's code goes while something of it is called again and again.
    void testWatchesEndWithThePlugin() {
        startWith({});
        for (int i = 0; i < 3; ++i) {
            install("looper");
            ASSERT_FIELD("looper", reload(), "loaded.0");
            CPPUNIT_ASSERT_EQUAL(std::string("left"), admin().get("/looper/left").body);
            std::filesystem::remove(*plugins_ / "looper.so");
            ASSERT_FIELD("looper", reload(), "unloaded.0");
        }
        assertOthersRun();
    }

private:
    void install(const std::string& built, const std::string& name = {}) const {
        plugins_->install(built, name);
    }

    /// A daemon with its own plugins and those of the test's directory.
    void start(std::map<std::string, std::string> settings) {
        settings["plugins.dir"] = SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string();
        daemon_.emplace(Daemon::Options{.settings = std::move(settings)});
    }

    void startWith(const std::vector<std::string>& built) {
        for (const std::string& name : built) {
            install(name);
        }
        start({});
    }

    Client admin() { return operatorClient(*daemon_); }

    Response reload() {
        Response response = admin().post("/plugins/reload", "{}");
        ASSERT_STATUS(200, response);
        return response;
    }

    /// The list shows the file as refused, for a reason that has `part`, and so does the log.
    void assertRefused(const std::string& name, const std::string& part) {
        const std::string file = (*plugins_ / (name + ".so")).string();
        const Response response = admin().get("/plugins");
        for (std::size_t i = 0; i < response.size("plugins"); ++i) {
            const std::string plugin = "plugins." + std::to_string(i);
            if (response.at(plugin + ".file") == file) {
                ASSERT_FIELD("refused", response, plugin + ".state");
                ASSERT_CONTAINS(part, response.at(plugin + ".error"));
                ASSERT_CONTAINS(file, daemon_->log());
                return;
            }
        }
        CPPUNIT_FAIL(file + " is not listed: " + response.describe());
    }

    void assertOthersRun() {
        const CreatedJob job = createJob(*daemon_);
        ASSERT_STATUS(204, workerClient(*daemon_, job).get("/prompt"));
        const Response response = admin().get("/plugins");
        ASSERT_STATUS(200, response);
        for (const std::string name : {"jobs", "events", "prompts"}) {
            ASSERT_CONTAINS("\"" + name + "\"", response.body);
        }
    }

    std::optional<PluginFiles> plugins_;
    std::optional<Daemon> daemon_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginsTest);

}  // namespace sallyport::tests
