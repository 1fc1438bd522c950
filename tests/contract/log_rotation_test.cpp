// The file that the package gives to logrotate, with the real logrotate and a daemon that is busy logging.
#include <atomic>
#include <filesystem>
#include <iostream>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

class LogRotationTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogRotationTest);
    CPPUNIT_TEST(testNoLineIsLostOrTorn);
    CPPUNIT_TEST(testABadConfigurationDoesNotKeepTheOldFileOpen);
    CPPUNIT_TEST_SUITE_END();

public:
    void testNoLineIsLostOrTorn() {
        if (!std::filesystem::exists(logrotate)) {
            std::cerr << "skipped: there is no " << logrotate << '\n';
            return;
        }
        Daemon daemon({.settings = {{"log.file", (logs_ / "sallyportd.log").string()},
                                    {"log.level", "debug"},
                                    {"log.format", "json"}}});
        writeFile(logs_ / "logrotate.conf", configuration(daemon));
        std::filesystem::permissions(logs_ / "logrotate.conf", std::filesystem::perms(0600));
        const CreatedJob job = createJob(daemon);
        std::atomic<int> reported{0};
        std::atomic<bool> enough{false};
        std::thread worker([&] {
            Client client = workerClient(daemon, job);
            while (!enough) {
                const std::string report = R"({"state":"busy","iteration":)" + std::to_string(reported) + "}";
                if (client.post("/status", report).status != 200) {
                    return;
                }
                ++reported;
            }
        });
        for (int rotation = 1; rotation <= rotations; ++rotation) {
            awaitMore(reported);
            rotate(daemon);
        }
        awaitMore(reported);
        enough = true;
        worker.join();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        CPPUNIT_ASSERT_EQUAL(rotations + 1, files());
        assertWhole(reported);
    }

    void testABadConfigurationDoesNotKeepTheOldFileOpen() {
        Daemon daemon({.settings = {{"log.file", (logs_ / "sallyportd.log").string()}}});
        writeFile(daemon.directory() / "sallyport.properties", "http.threads = many\n");
        std::filesystem::rename(logs_ / "sallyportd.log", logs_ / "sallyportd.log.1");
        daemon.reload();
        ASSERT_CONTAINS("the configuration was not reloaded", readFile(logs_ / "sallyportd.log"));
    }

private:
    static constexpr const char* logrotate = "/usr/sbin/logrotate";
    static constexpr int rotations = 5;

    /// The packaged one with other places, another user and another way to reach the daemon. It must be
    /// uncompressed to be read here.
    [[nodiscard]] std::string configuration(const Daemon& daemon) const {
        std::string text = readFile(SALLYPORT_LOGROTATE_FILE);
        const std::vector<std::pair<std::regex, std::string>> changes{
            {std::regex("/var/log/sallyport"), logs_.path().string()},
            {std::regex("su sallyport sallyport"),
             "su " + std::to_string(::getuid()) + " " + std::to_string(::getgid())},
            {std::regex("create 0600 sallyport sallyport"), "create 0600"},
            {std::regex("\n *(delay)?compress"), ""},
            {std::regex("postrotate[^]*endscript"),
             "postrotate\nkill -HUP " + std::to_string(daemon.pid()) + "\nendscript"},
        };
        for (const auto& [from, to] : changes) {
            const std::string changed = std::regex_replace(text, from, to);
            CPPUNIT_ASSERT_MESSAGE(text, changed != text);
            text = changed;
        }
        return text;
    }

    void rotate(Daemon& daemon) const {
        const Finished finished = run({.program = logrotate,
                                       .arguments = {"--force", "--state", (logs_ / "state").string(),
                                                     (logs_ / "logrotate.conf").string()}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 0, finished.status);
        daemon.awaitNotification("RELOADING=1");
        daemon.awaitNotification("READY=1");
    }

    /// Until some more lines were written.
    static void awaitMore(const std::atomic<int>& reported) {
        const Deadline deadline;
        for (const int before = reported; reported < before + 50; std::this_thread::yield()) {
            CPPUNIT_ASSERT_MESSAGE("the worker no longer reports", deadline.pollTimeout() > 0);
        }
    }

    [[nodiscard]] int files() const {
        int count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(logs_.path())) {
            count += entry.path().filename().string().starts_with("sallyportd.log") ? 1 : 0;
        }
        return count;
    }

    /// Every line of every file is one JSON object, and the worker's are all there, each once, in order.
    void assertWhole(int reported) const {
        std::vector<std::string> iterations;
        for (int number = rotations; number >= 0; --number) {
            const std::string name = "sallyportd.log" + (number == 0 ? "" : "." + std::to_string(number));
            std::istringstream lines(readFile(logs_ / name));
            for (std::string line; std::getline(lines, line);) {
                CPPUNIT_ASSERT_MESSAGE(name + ": " + line, jsonAt(line, "").starts_with('{'));
                if (jsonAt(line, "message") == "a worker reported") {
                    iterations.push_back(jsonAt(line, "iteration"));
                }
            }
        }
        CPPUNIT_ASSERT_EQUAL(static_cast<std::size_t>(reported), iterations.size());
        for (std::size_t i = 0; i < iterations.size(); ++i) {
            CPPUNIT_ASSERT_EQUAL(std::to_string(i), iterations[i]);
        }
    }

    TemporaryDirectory logs_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(LogRotationTest);

}  // namespace sallyport::tests
