// What `sallyport doctor` says of plugins, and what plugins that look themselves over have it say.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/doctor.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

class DoctorPluginsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DoctorPluginsTest);
    CPPUNIT_TEST(testPluginsThatWouldBeRefused);
    CPPUNIT_TEST(testWhatPluginsFind);
    CPPUNIT_TEST(testExaminationsThatFail);
    CPPUNIT_TEST(testExaminationIsNoStart);
    CPPUNIT_TEST_SUITE_END();

public:
    void testPluginsThatWouldBeRefused() {
        const auto plugins = places_ / "plugins";
        std::filesystem::create_directory(plugins);
        for (const char* name : {"no_symbol.so", "other_abi.so"}) {
            std::filesystem::copy_file(std::filesystem::path(SALLYPORT_TEST_PLUGIN_PATH) / name,
                                       plugins / name);
        }
        Daemon daemon;
        daemon.options().settings["plugins.dir"] = SALLYPORT_PLUGIN_PATH ":" + plugins.string();
        // The daemon has not loaded them yet.
        Finished finished = doctor(daemon);
        assertFailed("no_symbol.so would be refused: it exports no sallyport_plugin", finished);
        ASSERT_CONTAINS("5 plugins running without trouble", finished.output);
        daemon.terminate();
        finished = doctor(daemon);
        assertFailed("other_abi.so would be refused: it was built for plugin ABI", finished);
        daemon.start();
        assertFailed("no_symbol.so was refused: it exports no sallyport_plugin", doctor(daemon));
        daemon.terminate();
        assertFailed("there is none to be loaded",
                     doctor(daemon, {"-Dplugins.dir=" + (places_ / "empty").string()}));
        daemon.start();
    }

    /// Each under the name that the plugin gives it, or with the host's own of that name.
    void testWhatPluginsFind() {
        Daemon daemon;
        installPatients(daemon);
        const Finished warned = doctor(daemon, {"-Dpatient.how=warns", "-Dsecond_patient.how=provides"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(warned.describe(), 0, warned.status);
        ASSERT_CONTAINS("warning  patient         it is to be watched\n", warned.output);
        ASSERT_CONTAINS("ok       second_patient  it is asked how it is\n", warned.output);
        assertFailed("patient         it is ill: treat it", doctor(daemon, {"-Dpatient.how=fails"}));
        const Finished wrong = doctor(daemon, {"-Dpatient.how=is set wrongly"});
        assertFailed("configuration   patient.how is wrong", wrong);
        ASSERT_LACKS("sallyport.properties is good", wrong.output);
        const Finished json = doctor(daemon, {"-Dpatient.how=prints", "--json"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(json.describe(), std::string("0"), jsonAt(json.output, "failures"));
        ASSERT_CONTAINS("a line of its own\n", json.errors);
    }

    void testExaminationsThatFail() {
        Daemon daemon;
        installPatients(daemon);
        for (const auto& [how, what] : std::vector<std::pair<std::string, std::string>>{
                 {"throws", "no such luck"},
                 {"throws anything", "not a std::exception"},
                 {"crashes", "it crashed with SIGABRT"},
                 {"exits", "it ended its process with status 3"}}) {
            const Finished failed = doctor(daemon, {"-Dpatient.how=" + how});
            assertFailed("plugins         patient could not be examined: " + what, failed);
            // The others are, those before and those after.
            ASSERT_CONTAINS("ok       keys            the daemon has the master key\n", failed.output);
            ASSERT_CONTAINS("ok       second_patient  it is asked how it is\n", failed.output);
            ASSERT_CONTAINS("1 failure, 0 warnings", failed.output);
        }
    }

    /// Only what may be loaded is, and nothing is left behind.
    void testExaminationIsNoStart() {
        const auto plugins = places_ / "plugins";
        const auto mark = places_ / "mark";
        std::filesystem::create_directory(plugins);
        std::filesystem::copy_file(std::filesystem::path(SALLYPORT_TEST_PLUGIN_PATH) / "marks_loading.so",
                                   plugins / "marks_loading.so");
        Daemon daemon;
        daemon.terminate();
        const auto look = [&] {
            std::vector<std::string> words{"doctor"};
            const std::vector<std::string> given = daemon.command().arguments;
            words.insert(words.end(), given.begin(), given.end());
            words.push_back("-Dplugins.dir=" SALLYPORT_PLUGIN_PATH ":" + plugins.string());
            return run({.program = SALLYPORT_CLI_PATH,
                        .arguments = words,
                        .environment = {{"SALLYPORT_TEST_MARK", mark.string()}}});
        };
        std::filesystem::permissions(plugins / "marks_loading.so", std::filesystem::perms(0666));
        assertFailed("marks_loading.so would be refused: others may write to", look());
        CPPUNIT_ASSERT(!std::filesystem::exists(mark));
        std::filesystem::permissions(plugins / "marks_loading.so", std::filesystem::perms(0644));
        const std::string before = namesIn(daemon.dataDirectory());
        const Finished trusted = look();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(trusted.describe(), 0, trusted.status);
        CPPUNIT_ASSERT(std::filesystem::exists(mark));
        CPPUNIT_ASSERT_EQUAL(before, namesIn(daemon.dataDirectory()));
        daemon.start();
    }

private:
    /// Two plugins that do in an examination as they are told. The daemon that runs does not know of them.
    void installPatients(Daemon& daemon) const {
        const auto plugins = places_ / "plugins";
        std::filesystem::create_directory(plugins);
        for (const char* name : {"patient.so", "second_patient.so"}) {
            std::filesystem::copy_file(std::filesystem::path(SALLYPORT_TEST_PLUGIN_PATH) / name,
                                       plugins / name);
        }
        daemon.options().settings["plugins.dir"] = SALLYPORT_PLUGIN_PATH ":" + plugins.string();
    }

    TemporaryDirectory places_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(DoctorPluginsTest);

}  // namespace sallyport::tests
