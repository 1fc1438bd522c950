// The plugin's section of etc/sallyport.properties.
#include <set>
#include <sstream>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "plugins/llm/llm_plugin.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::plugins::llm {

namespace {

/// The key as the file shows it: with an example in place of a name of the operator's choice.
std::string shownKey(const Setting& setting) {
    std::string key = std::string("llm.") + setting.key;
    if (const auto star = key.find('*'); star != std::string::npos) {
        key.replace(star, 1, "main");
    }
    return key;
}

/// Comment lines joined, so that it does not matter where they are broken.
std::string joined(const std::string& text) {
    std::istringstream lines(text);
    std::string result;
    for (std::string line; std::getline(lines, line);) {
        result += line.starts_with("# ") ? line.substr(1) : "\n" + line;
    }
    return result;
}

class LlmSettingsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LlmSettingsTest);
    CPPUNIT_TEST(testInstalledFileShowsEveryKeyWithDefaultAndHelp);
    CPPUNIT_TEST(testInstalledFileShowsNoOtherKeys);
    CPPUNIT_TEST_SUITE_END();

    static std::string installed() {
        return tests::readFile(SALLYPORT_SOURCE_DIR "/etc/sallyport.properties");
    }

    static void testInstalledFileShowsEveryKeyWithDefaultAndHelp() {
        const std::string text = joined(installed());
        for (const Setting& setting : llmSettings) {
            const std::string value = setting.defaultValue;
            ASSERT_CONTAINS("\n " + std::string(setting.help) + "\n#" + shownKey(setting) + " =" +
                                (value.empty() ? "" : " " + value) + "\n",
                            text);
        }
    }

    static void testInstalledFileShowsNoOtherKeys() {
        std::set<std::string> known;
        for (const Setting& setting : llmSettings) {
            known.insert(shownKey(setting));
        }
        std::istringstream lines(installed());
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("#llm.")) {
                CPPUNIT_ASSERT_EQUAL_MESSAGE(line, std::size_t{1},
                                             known.erase(line.substr(1, line.find(" =") - 1)));
            }
        }
        CPPUNIT_ASSERT(known.empty());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmSettingsTest);

}  // namespace

}  // namespace sallyport::plugins::llm
