// The plugins' sections of etc/sallyport.properties.
#include <span>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "plugins/credentials/credentials_plugin.h"
#include "plugins/events/events_plugin.h"
#include "plugins/prompts/prompts_plugin.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::plugins {
namespace {

class InstalledSettingsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(InstalledSettingsTest);
    CPPUNIT_TEST(testEveryKeyIsShownWithItsDefault);
    CPPUNIT_TEST_SUITE_END();

    static void check(const std::string& plugin, std::span<const Setting> settings) {
        const std::string text = tests::readFile(SALLYPORT_SOURCE_DIR "/etc/sallyport.properties");
        for (const Setting& setting : settings) {
            std::string key = plugin + "." + setting.key;
            if (const auto star = key.find('*'); star != std::string::npos) {
                key.replace(star, 1, "llm");  // the example that the file has
            }
            const std::string value = setting.defaultValue;
            ASSERT_CONTAINS("\n#" + key + " =" + (value.empty() ? "" : " " + value) + "\n", text);
        }
    }

    static void testEveryKeyIsShownWithItsDefault() {
        check("credentials", credentialsSettings);
        check("events", eventsSettings);
        check("prompts", promptsSettings);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(InstalledSettingsTest);

}  // namespace
}  // namespace sallyport::plugins
