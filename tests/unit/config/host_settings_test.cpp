#include "host/config/host_settings.h"

#include <set>
#include <sstream>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/call.h>

#include "host/config/configuration.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::config {
namespace {

/// The configuration that is installed.
std::string installed() {
    std::string text = tests::readFile(SALLYPORT_SOURCE_DIR "/etc/sallyport.properties");
    CPPUNIT_ASSERT(!text.empty());
    return text;
}

/// The keys that it shows, each on a line `#key = default`.
std::set<std::string> shownKeys() {
    std::set<std::string> keys;
    std::istringstream lines(installed());
    for (std::string line; std::getline(lines, line);) {
        if (line.size() > 1 && line[0] == '#' && line[1] != ' ') {
            keys.insert(line.substr(1, line.find(" =") - 1));
        }
    }
    return keys;
}

class HostSettingsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HostSettingsTest);
    CPPUNIT_TEST(testDefaultsAreWithinBounds);
    CPPUNIT_TEST(testInstalledFileShowsEveryKeyWithDefaultAndHelp);
    CPPUNIT_TEST(testInstalledFileShowsNoOtherKeys);
    CPPUNIT_TEST(testInstalledFileSetsNothing);
    CPPUNIT_TEST(testHeartbeatIsAtMostWhatIsPromised);
    CPPUNIT_TEST(testJsonIsLimitedAsForTestsOfPlugins);
    CPPUNIT_TEST_SUITE_END();

    static void testDefaultsAreWithinBounds() {
        const auto settings = Configuration("", {}).settings("", hostSettings());  // throws otherwise
        CPPUNIT_ASSERT_EQUAL(std::string("0.0.0.0:50051"), settings->text("worker.listen"));
        CPPUNIT_ASSERT_EQUAL(std::string("127.0.0.1:50052"), settings->text("operator.listen"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{32} << 20U, settings->size("worker.max_body"));
    }

    static void testInstalledFileShowsEveryKeyWithDefaultAndHelp() {
        const std::string text = installed();
        for (const Setting& setting : hostSettings()) {
            const std::string value = setting.defaultValue;
            const std::string shown = "\n# " + std::string(setting.help) + "\n#" + setting.key + " =" +
                                      (value.empty() ? "" : " " + value) + "\n";
            ASSERT_CONTAINS(shown, text);
        }
    }

    static void testInstalledFileShowsNoOtherKeys() {
        std::set<std::string> known{"credentials.master_key_file",
                                    "credentials.max_size",
                                    "credentials.rate",
                                    "credentials.refused_variables",
                                    "credentials.plugin.llm.secrets",
                                    "events.keep",
                                    "events.max_size",
                                    "prompts.max_size",
                                    "prompts.max_queued"};
        for (const Setting& setting : hostSettings()) {
            known.insert(setting.key);
        }
        std::set<std::string> shown = shownKeys();
        std::erase_if(shown,
                      [](const std::string& key) { return key.starts_with("llm."); });  // its own test's
        CPPUNIT_ASSERT(shown == known);
    }

    static void testInstalledFileSetsNothing() {
        const Configuration configuration(SALLYPORT_SOURCE_DIR "/etc/sallyport.properties", {});
        CPPUNIT_ASSERT(configuration.unknownKeys({}).empty());
    }

    static void testHeartbeatIsAtMostWhatIsPromised() {
        const Configuration configuration("", {{"sse.heartbeat", "16s"}});
        CPPUNIT_ASSERT_THROW(static_cast<void>(configuration.settings("", hostSettings())), BadValue);
    }

    // What a plugin's test sees of FakeHost, the daemon does too.
    static void testJsonIsLimitedAsForTestsOfPlugins() {
        const auto settings = Configuration("", {}).settings("", hostSettings());
        const Call::Parts parts;
        CPPUNIT_ASSERT_EQUAL(static_cast<std::int64_t>(parts.maxJsonDepth),
                             settings->integer("http.max_json_depth"));
        CPPUNIT_ASSERT_EQUAL(static_cast<std::int64_t>(parts.maxJsonMembers),
                             settings->integer("http.max_json_members"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HostSettingsTest);

}  // namespace
}  // namespace sallyport::host::config
