// CONTRACT §1 and §6: the daemon as a program, from its command line to its end.
#include "tests/support/daemon.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/jobs.h"
#include "tests/support/sse_client.h"

namespace sallyport::tests {

class DaemonTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DaemonTest);
    CPPUNIT_TEST(testHelpNamesTheOptions);
    CPPUNIT_TEST(testVersionIsPrinted);
    CPPUNIT_TEST(testUnknownOptionIsRefused);
    CPPUNIT_TEST(testCheckConfigAcceptsAGoodFile);
    CPPUNIT_TEST(testCheckConfigNamesFileKeyValueAndWhatIsExpected);
    CPPUNIT_TEST(testCheckConfigNamesTheNearestKey);
    CPPUNIT_TEST(testCheckConfigLooksAtProvidersAndTheirKeys);
    CPPUNIT_TEST(testBadValueStopsTheStart);
    CPPUNIT_TEST(testBadHostStopsTheStart);
    CPPUNIT_TEST(testBadOverrideStopsTheStart);
    CPPUNIT_TEST(testMissingConfigurationFileStopsTheStart);
    CPPUNIT_TEST(testOverrideWinsOverTheFile);
    CPPUNIT_TEST(testAddressInUseStopsTheStart);
    CPPUNIT_TEST(testOrchestratorPortOverridesTheWorkerPort);
    CPPUNIT_TEST(testOrchestratorPortThatIsNoneIsIgnoredWithAWarning);
    CPPUNIT_TEST(testAddressFilesComeAndGo);
    CPPUNIT_TEST(testDataDirectoryIsPrivate);
    CPPUNIT_TEST(testTerminationFinishesRequestsInFlight);
    CPPUNIT_TEST(testTerminationClosesSubscribersCleanly);
    CPPUNIT_TEST(testTerminationClosesIdleConnections);
    CPPUNIT_TEST(testTerminationDoesNotAwaitSlowClientsForEver);
    CPPUNIT_TEST(testTerminationNeedsNoNewThread);
    CPPUNIT_TEST(testInterruptEndsItToo);
    CPPUNIT_TEST(testHangupOpensTheLogAnew);
    CPPUNIT_TEST(testHangupReadsTheLogSettingsAgain);
    CPPUNIT_TEST(testHangupWithABadFileChangesNothing);
    CPPUNIT_TEST(testServesWhetherLoopsPollOrSleep);
    CPPUNIT_TEST(testWatchdogIsFed);
    CPPUNIT_TEST(testStoppingIsNotified);
    CPPUNIT_TEST(testEnvironmentIsNoPartOfTheStatus);
    CPPUNIT_TEST_SUITE_END();

public:
    void testHelpNamesTheOptions() {
        const Finished help = runDaemon({"--help"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(help.describe(), 0, help.status);
        for (const std::string option : {"--config", "--help", "--version", "--check-config", "-D"}) {
            ASSERT_CONTAINS(option, help.output);
        }
    }

    void testVersionIsPrinted() {
        const Finished version = runDaemon({"--version"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(version.describe(), 0, version.status);
        CPPUNIT_ASSERT_MESSAGE(version.describe(), version.output.starts_with("sallyportd "));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(version.describe(), version.output.size() - 1,
                                     version.output.find('\n'));
    }

    void testUnknownOptionIsRefused() {
        const Finished refused = runDaemon({"--frobnicate"});
        CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.status > 0 && refused.status < 128);
        ASSERT_CONTAINS("frobnicate", refused.errors);
    }

    void testCheckConfigAcceptsAGoodFile() {
        const Finished good =
            checkConfig("worker.listen = 127.0.0.1:0\nbase = /srv\ndata.dir = ${base}/sallyport\n");
        // `base` is no key of the daemon's, and is said to be none; that is no reason to refuse.
        CPPUNIT_ASSERT_EQUAL_MESSAGE(good.describe(), 0, good.status);
        const Finished empty = checkConfig("# nothing but a comment\n");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(empty.describe(), 0, empty.status);
        CPPUNIT_ASSERT_MESSAGE("it must not start anything", !std::filesystem::exists(directory_ / "data"));
    }

    void testCheckConfigNamesFileKeyValueAndWhatIsExpected() {
        struct Bad {
            std::string key;
            std::string value;
            std::string expected;
        };
        for (const Bad& bad :
             {Bad{"http.threads", "many", "number"}, Bad{"http.threads", "0", "1"},
              Bad{"http.header_timeout", "10", "s"}, Bad{"worker.max_body", "32 potatoes", "MiB"},
              Bad{"log.level", "loud", "debug"}, Bad{"log.format", "xml", "json"},
              Bad{"worker.listen", "nonsense", "port"}, Bad{"operator.listen", "127.0.0.1:99999", "port"},
              Bad{"worker.listen", "unix:", "unix"}}) {
            const Finished refused = checkConfig(bad.key + " = " + bad.value + "\n");
            CPPUNIT_ASSERT_MESSAGE(bad.key + " = " + bad.value + "\n" + refused.describe(),
                                   refused.status > 0 && refused.status < 128);
            for (const std::string& part : {file().string(), bad.key, bad.value, bad.expected}) {
                ASSERT_CONTAINS(part, refused.errors);
            }
        }
    }

    void testCheckConfigNamesTheNearestKey() {
        const Finished checked = checkConfig("worker.lissten = 127.0.0.1:0\nprompts.max_sise = 1MiB\n");
        const std::string said = checked.output + checked.errors;
        for (const std::string part :
             {"worker.lissten", "worker.listen", "prompts.max_sise", "prompts.max_size"}) {
            ASSERT_CONTAINS(part, said);
        }
    }

    /// Of each of these a start complains too, and goes on.
    void testCheckConfigLooksAtProvidersAndTheirKeys() {
        const auto key = directory_ / "key";
        const std::string fromFile =
            "llm.providers = a\nllm.provider.a.type = openai\nllm.provider.a.key = file:" + key.string() +
            "\nllm.provider.a.base_url = ";
        const auto said = [&](const std::string& text, const std::string& properties) {
            writeFile(key, text);
            const Finished checked = checkConfig(properties);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(checked.describe(), 0, checked.status);
            return checked.output + checked.errors;
        };
        const std::string complaint = said("h7-Qz\n", fromFile + "https://models.example/v1\n");
        ASSERT_CONTAINS("llm.provider.a.key: the key cannot be used: it has fewer than 8 characters",
                        complaint);
        ASSERT_LACKS("h7-Qz", complaint);
        ASSERT_LACKS("llm", said("h7-Qz\n", fromFile + "http://127.0.0.1:1/v1\n"));
        ASSERT_LACKS("llm", said("h7-Qz-longer\n", fromFile + "https://models.example/v1\n"));
        ASSERT_CONTAINS("llm.provider.a.key: " + key.string() + " is empty: put the key there",
                        said("\n", fromFile + "https://models.example/v1\n"));
        ASSERT_CONTAINS("llm.provider.a.type is not set", said("", "llm.providers = a\n"));
    }

    void testBadValueStopsTheStart() {
        writeFile(file(), "data.dir = " + (directory_ / "data").string() + "\nsse.heartbeat = often\n");
        const Finished refused = runDaemon({"--config=" + file().string()});
        CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.status > 0 && refused.status < 128);
        for (const std::string& part :
             {file().string(), std::string("sse.heartbeat"), std::string("often")}) {
            ASSERT_CONTAINS(part, refused.errors);
        }
        CPPUNIT_ASSERT(!std::filesystem::exists(directory_ / "data" / "sallyport.db"));
    }

    void testBadHostStopsTheStart() {
        writeFile(file(), "data.dir = " + (directory_ / "data").string() + "\n");
        for (const std::string value : {"http://console.example", "console.example:80", "a,*"}) {
            const Finished refused = runDaemon({"--config=" + file().string(), "-Doperator.hosts=" + value});
            CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.status > 0 && refused.status < 128);
            ASSERT_CONTAINS("operator.hosts", refused.errors);
            ASSERT_CONTAINS(value, refused.errors);
        }
    }

    void testBadOverrideStopsTheStart() {
        writeFile(file(), "data.dir = " + (directory_ / "data").string() + "\n");
        const Finished refused = runDaemon({"--config=" + file().string(), "-Dhttp.max_headers=x"});
        CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.status > 0 && refused.status < 128);
        ASSERT_CONTAINS("http.max_headers", refused.errors);
        ASSERT_CONTAINS("-D", refused.errors);
    }

    void testMissingConfigurationFileStopsTheStart() {
        const Finished refused = runDaemon({"--config=" + (directory_ / "missing").string()});
        CPPUNIT_ASSERT_MESSAGE(refused.describe(), refused.status > 0 && refused.status < 128);
        ASSERT_CONTAINS((directory_ / "missing").string(), refused.errors);
    }

    void testOverrideWinsOverTheFile() {
        Daemon daemon;
        daemon.terminate();
        writeFile(daemon.directory() / "sallyport.properties",
                  "worker.max_body = 1KiB\nprompts.max_size = 8\n");
        daemon.options().settings["worker.max_body"] = "2KiB";
        daemon.start();
        const CreatedJob job = createJob(daemon);
        const std::string event = R"({"event_type":"x","data":")" + std::string(1500, 'x') + "\"}";
        ASSERT_STATUS(200, workerClient(daemon, job).post("/event", event));
        ASSERT_REFUSED(
            413, operatorClient(daemon).post("/jobs/" + job.id + "/prompt", R"({"content":"123456789"})"));
    }

    void testAddressInUseStopsTheStart() {
        Daemon& running = sharedDaemon();
        const std::string taken = running.operators().address().substr(7);
        try {
            Daemon second({.settings = {{"operator.listen", taken}}});
            CPPUNIT_FAIL("two daemons listen on " + taken);
        } catch (const std::runtime_error& error) {
            ASSERT_CONTAINS(taken, error.what());
        }
    }

    void testOrchestratorPortOverridesTheWorkerPort() {
        const std::uint16_t port = freePort();
        Daemon daemon({.environment = {{"ORCHESTRATOR_PORT", std::to_string(port)}}});
        CPPUNIT_ASSERT_EQUAL(port, daemon.worker().port());
        ASSERT_LACKS("ORCHESTRATOR_PORT", daemon.log());
        ASSERT_STATUS(200, exchange(daemon.worker(), Request("GET", "/health")));
    }

    void testOrchestratorPortThatIsNoneIsIgnoredWithAWarning() {
        for (const std::string value : {"abc", "70000", "-1", "80x", " 80"}) {
            Daemon daemon({.environment = {{"ORCHESTRATOR_PORT", value}}});
            ASSERT_CONTAINS("ORCHESTRATOR_PORT", daemon.log());
            ASSERT_STATUS(200, exchange(daemon.worker(), Request("GET", "/health")));
        }
    }

    void testAddressFilesComeAndGo() {
        Daemon daemon;
        for (const std::string name : {"worker.address", "operator.address"}) {
            const std::string line = readFile(daemon.dataDirectory() / name);
            CPPUNIT_ASSERT_MESSAGE(line, line.starts_with("http://127.0.0.1:") && line.ends_with('\n'));
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        for (const std::string name : {"worker.address", "operator.address"}) {
            CPPUNIT_ASSERT_MESSAGE(name, !std::filesystem::exists(daemon.dataDirectory() / name));
        }
        CPPUNIT_ASSERT(std::filesystem::exists(daemon.dataDirectory() / "operator.token"));
    }

    void testDataDirectoryIsPrivate() {
        const Daemon& daemon = sharedDaemon();
        using std::filesystem::perms;
        const auto othersMay = [](const std::filesystem::path& path) {
            return std::filesystem::status(path).permissions() & (perms::group_all | perms::others_all);
        };
        CPPUNIT_ASSERT(othersMay(daemon.dataDirectory()) == perms::none);
        for (const std::string name : {"sallyport.db", "operator.token"}) {
            CPPUNIT_ASSERT_MESSAGE(name, othersMay(daemon.dataDirectory() / name) == perms::none);
        }
    }

    /// A handler is at work when the signal comes: its answer still arrives, but nobody new is let in.
    void testTerminationFinishesRequestsInFlight() {
        TemporaryDirectory plugins;
        const auto gate = plugins / "gate";
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(gate.c_str(), 0600));
        std::filesystem::copy_file(SALLYPORT_TEST_PLUGIN_PATH "/greeter_1.so", plugins / "greeter.so");
        Daemon daemon({.settings = {{"plugins.dir", SALLYPORT_PLUGIN_PATH ":" + plugins.path().string()},
                                    {"greeter.gate", gate.string()}}});
        const Endpoint door = daemon.operators();
        Connection slow(door);
        slow.send(operatorClient(daemon).request("GET", "/greeting/slow").bytes());
        FileDescriptor opened(::open(gate.c_str(), O_WRONLY | O_CLOEXEC));
        CPPUNIT_ASSERT(opened.open());
        daemon.beginTermination();
        const Deadline deadline;
        while (accepts(door)) {
            CPPUNIT_ASSERT_MESSAGE("it goes on accepting", deadline.pollTimeout() > 0);
        }
        opened.close();
        const Response response = slow.receive();
        ASSERT_STATUS(200, response);
        CPPUNIT_ASSERT_MESSAGE("the connection stays open", slow.closedByPeer());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.awaitExit());
    }

    void testTerminationClosesSubscribersCleanly() {
        Daemon daemon;
        SseClient stream(daemon.operators(), daemon.operatorToken(), {});
        ASSERT_STATUS(200, stream.head());
        daemon.beginTermination();
        CPPUNIT_ASSERT_MESSAGE("the stream was cut", stream.endsCleanly());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.awaitExit());
    }

    void testTerminationClosesIdleConnections() {
        Daemon daemon;
        Connection idle(daemon.worker());
        ASSERT_STATUS(200, idle.exchange(Request("GET", "/health")));
        Connection silent(daemon.operators());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        CPPUNIT_ASSERT(idle.closedByPeer());
        CPPUNIT_ASSERT(silent.closedByPeer());
    }

    void testTerminationDoesNotAwaitSlowClientsForEver() {
        Daemon daemon({.settings = {{"shutdown.grace", "200ms"}}});
        const CreatedJob job = createJob(daemon);
        Connection stuck(daemon.worker());
        stuck.send(workerClient(daemon, job)
                       .request("POST", "/event")
                       .header("Content-Type", "application/json")
                       .header("Expect", "100-continue")
                       .header("Content-Length", "100")
                       .bytes());
        ASSERT_STATUS(100, stuck.receive());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
    }

    /// Whether it has served before or not: what is done at the end may never have been done until then.
    void testTerminationNeedsNoNewThread() {
        Daemon fresh;
        assertEndsWithoutRoom(fresh);
        Daemon used;
        ASSERT_STATUS(200, workerClient(used, createJob(used)).get("/job"));
        assertEndsWithoutRoom(used);
    }

    void testInterruptEndsItToo() {
        Daemon daemon;
        CPPUNIT_ASSERT_EQUAL(0, ::kill(daemon.pid(), SIGINT));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.awaitExit());
    }

    void testHangupOpensTheLogAnew() {
        TemporaryDirectory logs;
        Daemon daemon({.settings = {{"log.file", (logs / "log").string()}, {"log.level", "debug"}}});
        const Response before = operatorClient(daemon).get("/nowhere");
        // The line of a request is written after its answer, which may have been read by then.
        awaitText(logs / "log", before.header("X-Request-Id"));
        std::filesystem::rename(logs / "log", logs / "log.1");
        daemon.reload();
        const Response after = operatorClient(daemon).get("/nowhere");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        const std::string rotated = readFile(logs / "log.1");
        const std::string current = readFile(logs / "log");
        ASSERT_LACKS(before.header("X-Request-Id"), current);
        ASSERT_CONTAINS(after.header("X-Request-Id"), current);
        ASSERT_LACKS(after.header("X-Request-Id"), rotated);
    }

    void testHangupReadsTheLogSettingsAgain() {
        Daemon daemon;
        writeFile(daemon.directory() / "sallyport.properties", "log.level = debug\nlog.format = json\n");
        daemon.reload();
        const Response response = operatorClient(daemon).get("/status");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        const std::string log = daemon.log();
        const auto at = log.find(response.header("X-Request-Id"));
        CPPUNIT_ASSERT_MESSAGE(log, at != std::string::npos);
        const auto begin = log.rfind('\n', at) + 1;
        const std::string line = log.substr(begin, log.find('\n', at) - begin);
        CPPUNIT_ASSERT_MESSAGE(line, jsonAt(line, "").starts_with('{'));
    }

    void testHangupWithABadFileChangesNothing() {
        Daemon daemon;
        writeFile(daemon.directory() / "sallyport.properties", "log.level = shouting\n");
        daemon.reload();
        ASSERT_CONTAINS("shouting", daemon.log());
        ASSERT_STATUS(200, operatorClient(daemon).get("/status"));
        ASSERT_STATUS(204, workerClient(daemon, createJob(daemon)).get("/prompt"));
    }

    /// With one request and with more than loops poll for, and with answers that come from another thread.
    void testServesWhetherLoopsPollOrSleep() {
        for (const std::string microseconds : {"0", "1000"}) {
            Daemon daemon({.settings = {{"http.busy_poll", microseconds}, {"http.loops", "1"}}});
            const CreatedJob job = createJob(daemon);
            Client worker = workerClient(daemon, job);
            std::vector<std::unique_ptr<Connection>> waiting;
            for (int i = 0; i < 4; ++i) {
                ASSERT_STATUS(200, worker.post("/event", R"({"event_type":"x","data":1})"));
                waiting.push_back(std::make_unique<Connection>(daemon.worker()));
                waiting.back()->send(worker.request("GET", "/prompt?wait=60").bytes());
            }
            for (std::size_t i = 0; i < waiting.size(); ++i) {
                ASSERT_STATUS(200, operatorClient(daemon).post("/jobs/" + job.id + "/prompt",
                                                               R"({"content":"go on"})"));
            }
            for (const auto& connection : waiting) {
                ASSERT_STATUS(200, connection->receive());
            }
        }
    }

    void testWatchdogIsFed() {
        Daemon daemon({.environment = {{"WATCHDOG_USEC", "400000"}}});
        for (int i = 0; i < 3; ++i) {
            daemon.awaitNotification("WATCHDOG=1");
        }
    }

    void testStoppingIsNotified() {
        Daemon daemon;
        daemon.beginTermination();
        daemon.awaitNotification("STOPPING=1");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.awaitExit());
    }

    void testEnvironmentIsNoPartOfTheStatus() {
        const Response response = operatorClient(sharedDaemon()).get("/status");
        ASSERT_LACKS(sharedDaemon().dataDirectory().string(), response.body);
        ASSERT_LACKS(sharedDaemon().operatorToken(), response.body);
    }

private:
    /// Its address space has room for a little more, but not for another stack.
    static void assertEndsWithoutRoom(Daemon& daemon) {
        std::size_t pages = 0;
        std::ifstream("/proc/" + std::to_string(daemon.pid()) + "/statm") >> pages;
        const rlim_t room = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{1} << 20U);
        const rlimit limit{room, room};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        CPPUNIT_ASSERT_EQUAL(0, ::prlimit(daemon.pid(), RLIMIT_AS, &limit, nullptr));
#else
        static_cast<void>(limit);
#endif
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        ASSERT_CONTAINS("stopped", daemon.log());
        ASSERT_LACKS("leaving behind", daemon.log());
        CPPUNIT_ASSERT(!std::filesystem::exists(daemon.dataDirectory() / "worker.address"));
    }

    static Finished runDaemon(const std::vector<std::string>& arguments) {
        return run({.program = SALLYPORTD_PATH, .arguments = arguments});
    }

    [[nodiscard]] std::filesystem::path file() const {
        return directory_ / "test.properties";
    }

    Finished checkConfig(const std::string& properties) {
        writeFile(file(), "data.dir = " + (directory_ / "data").string() +
                              "\nplugins.dir = " SALLYPORT_PLUGIN_PATH "\n");
        std::string content = readFile(file());
        if (properties.find("data.dir") != std::string::npos) {
            content = content.substr(content.find('\n') + 1);
        }
        writeFile(file(), content + properties);
        return runDaemon({"--config=" + file().string(), "--check-config"});
    }

    static bool accepts(const Endpoint& door) {
        try {
            return door.connect().open();
        } catch (const ConnectionLost&) {
            return false;
        }
    }

    /// A port that was free a moment ago.
    static std::uint16_t freePort() {
        const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        CPPUNIT_ASSERT_EQUAL(0, ::bind(socket.get(), any, size));
        CPPUNIT_ASSERT_EQUAL(0, ::getsockname(socket.get(), any, &size));
        return ntohs(address.sin_port);
    }

    TemporaryDirectory directory_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(DaemonTest);

}  // namespace sallyport::tests
