// `sallyportd --maintain`, and how `sallyport` comes by it.
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include <sallyport/file_descriptor.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/deadline.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

namespace fs = std::filesystem;

class MaintenanceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MaintenanceTest);
    CPPUNIT_TEST(testAnswersWithOneDocument);
    CPPUNIT_TEST(testAnotherVersionIsRefused);
    CPPUNIT_TEST(testProgramIsFoundBesideTheCommandLine);
    CPPUNIT_TEST(testProgramIsFoundInItsPrefix);
    CPPUNIT_TEST(testProgramIsFoundInThePath);
    CPPUNIT_TEST(testSaysWhenThereIsNoProgram);
    CPPUNIT_TEST(testWhatItSaysOnStandardErrorIsSeen);
    CPPUNIT_TEST(testInterruptionIsPassedOn);
    CPPUNIT_TEST(testInterruptionEndsBoth);
    CPPUNIT_TEST(testInterruptedBackupLeavesNothing);
    CPPUNIT_TEST_SUITE_END();

public:
    void testAnswersWithOneDocument() {
        const Finished finished = maintain({"verify", "--for=" + version(), "--file=/etc/passwd"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 1, finished.status);
        CPPUNIT_ASSERT_EQUAL(version(), jsonAt(finished.output, "version"));
        CPPUNIT_ASSERT_EQUAL(std::string("1"), jsonAt(finished.output, "exit_code"));
        CPPUNIT_ASSERT_EQUAL(std::string("refused"), jsonAt(finished.output, "document.plugins.0.state"));
        const Finished wrong = maintain({"repair", "--for=" + version()});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(wrong.describe(), 2, wrong.status);
        ASSERT_CONTAINS("repair", jsonAt(wrong.output, "error.message"));
    }

    void testAnotherVersionIsRefused() {
        Daemon daemon;
        const auto file = here_ / "backup.db";
        const Finished refused = maintain({"backup", "--for=0.0.1", "--file=" + file.string(),
                                           "--data-dir=" + daemon.dataDirectory().string()});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 1, refused.status);
        CPPUNIT_ASSERT_EQUAL(version(), jsonAt(refused.output, "version"));
        ASSERT_CONTAINS("version 0.0.1 of sallyport asks", jsonAt(refused.output, "error.message"));
        CPPUNIT_ASSERT(!fs::exists(file));
    }

    void testProgramIsFoundBesideTheCommandLine() { assertFound("bin/sallyportd", {{"PATH", ""}}); }
    void testProgramIsFoundInItsPrefix() { assertFound("sbin/sallyportd", {{"PATH", ""}}); }
    void testProgramIsFoundInThePath() {
        assertFound("elsewhere/sallyportd", {{"PATH", "/nowhere:" + (here_ / "elsewhere").string()}});
    }

    void testSaysWhenThereIsNoProgram() {
        install(SALLYPORT_CLI_PATH, "bin/sallyport");
        const Finished failed = verify({{"PATH", "/nowhere"}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(failed.describe(), 1, failed.status);
        for (const std::string& part :
             {std::string("cannot find sallyportd"), (here_ / "bin/sallyportd").string(),
              (here_ / "sbin/sallyportd").string(), std::string("/nowhere"),
              std::string("SALLYPORT_DAEMON")}) {
            ASSERT_CONTAINS(part, failed.errors);
        }
    }

    void testWhatItSaysOnStandardErrorIsSeen() {
        const Finished failed = run(sallyport({"doctor"}, "echo out of order >&2; exit 70"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(failed.describe(), 1, failed.status);
        CPPUNIT_ASSERT_MESSAGE(failed.errors, failed.errors.starts_with("out of order\nsallyport: "));
    }

    void testInterruptionIsPassedOn() {
        Process waiting(sallyport({"backup", "file"}, "trap 'kill $!; echo \"{\\\"version\\\":\\\"" +
                                                          version() +
                                                          "\\\",\\\"exit_code\\\":130}\"; exit 130' TERM\n"
                                                          "sleep 1000 >/dev/null 2>&1 &\n"
                                                          "echo ready >&2\nwait"));
        waiting.awaitErrors("ready");
        waiting.signal(SIGINT);
        CPPUNIT_ASSERT_EQUAL(130, waiting.wait());
        ASSERT_CONTAINS("Stopped; there is no backup.", waiting.errors());
    }

    void testInterruptionEndsBoth() {
        for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
            Process waiting(sallyport({"doctor"}, "echo process $$. >&2; exec sleep 1000"));
            waiting.awaitErrors(".\n");
            const std::string said = waiting.errors();
            const pid_t child = std::stoi(said.substr(said.find(' ')));
            waiting.signal(signal);
            CPPUNIT_ASSERT_EQUAL(128 + signal, waiting.wait());
            CPPUNIT_ASSERT_EQUAL(-1, ::kill(child, 0));
            ASSERT_LACKS("sallyport: ", waiting.errors());
        }
    }

    void testInterruptedBackupLeavesNothing() {
        Daemon daemon;
        daemon.terminate();
        makeLarge(daemon);
        // It may be through before it is interrupted.
        for (int tries = 0; tries < 20; ++tries) {
            const auto target = here_ / ("target" + std::to_string(tries));
            fs::create_directory(target);
            const FileDescriptor watch(::inotify_init1(IN_CLOEXEC));
            CPPUNIT_ASSERT(::inotify_add_watch(watch.get(), target.c_str(), IN_CREATE) >= 0);
            Process copying({.program = SALLYPORT_CLI_PATH,
                             .arguments = {"--data-dir", daemon.dataDirectory().string(), "backup",
                                           (target / "backup.db").string()}});
            const Deadline deadline;
            pollfd begun{.fd = watch.get(), .events = POLLIN, .revents = 0};
            CPPUNIT_ASSERT_EQUAL(1, ::poll(&begun, 1, deadline.pollTimeout()));
            copying.signal(SIGINT);
            const int status = copying.wait();
            if (status == 0) {
                continue;
            }
            CPPUNIT_ASSERT_EQUAL_MESSAGE(copying.errors(), 130, status);
            ASSERT_CONTAINS("Stopped; there is no backup.", copying.errors());
            CPPUNIT_ASSERT(fs::is_empty(target));
            return;
        }
        CPPUNIT_FAIL("no backup could be interrupted");
    }

private:
    static std::string version() {
        static const std::string said = run({.program = SALLYPORTD_PATH, .arguments = {"--version"}}).output;
        const auto space = said.find(' ');
        return said.substr(space + 1, said.find('\n') - space - 1);
    }

    static Finished maintain(std::vector<std::string> words) {
        words.insert(words.begin(), "--maintain");
        return run({.program = SALLYPORTD_PATH, .arguments = std::move(words)});
    }

    /// Copies a program to below `here_`.
    void install(const fs::path& program, const fs::path& name) const {
        fs::create_directories((here_.path() / name).parent_path());
        fs::copy_file(program, here_.path() / name);
    }

    /// By the command line that was installed.
    [[nodiscard]] Finished verify(const std::map<std::string, std::string>& environment) const {
        return run({.program = (here_ / "bin/sallyport").string(),
                    .arguments = {"plugin", "verify", "--json", "/etc/passwd"},
                    .environment = environment});
    }

    void assertFound(const fs::path& daemon, const std::map<std::string, std::string>& environment) const {
        install(SALLYPORT_CLI_PATH, "bin/sallyport");
        install(SALLYPORTD_PATH, daemon);
        const Finished found = verify(environment);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(found.describe(), 1, found.status);
        CPPUNIT_ASSERT_EQUAL(std::string("refused"), jsonAt(found.output, "plugins.0.state"));
    }

    /// `sallyport`, with a script as the daemon's program.
    [[nodiscard]] Command sallyport(const std::vector<std::string>& words, const std::string& script) const {
        const auto program = here_ / "script";
        writeFile(program, "#!/bin/sh\n" + script + "\n");
        fs::permissions(program, fs::perms::owner_all);
        return {.program = SALLYPORT_CLI_PATH,
                .arguments = words,
                .environment = {{"SALLYPORT_DAEMON", program.string()}}};
    }

    static void makeLarge(const Daemon& daemon) {
        sqlite3* opened = nullptr;
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK,
                             sqlite3_open((daemon.dataDirectory() / "sallyport.db").c_str(), &opened));
        const std::unique_ptr<sqlite3, int (*)(sqlite3*)> database(opened, sqlite3_close);
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK,
                             sqlite3_exec(opened, "CREATE TABLE large AS SELECT zeroblob(128 * 1024 * 1024)",
                                          nullptr, nullptr, nullptr));
    }

    TemporaryDirectory here_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(MaintenanceTest);

}  // namespace sallyport::tests
