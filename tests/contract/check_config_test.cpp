// `sallyportd --check-config`, and the plugins that it asks.
#include <filesystem>
#include <map>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

class CheckConfigTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CheckConfigTest);
    CPPUNIT_TEST(testPlugins);
    CPPUNIT_TEST(testPluginsHaveTheDaemonsRights);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { plugins_.install("patient"); }

    void testPlugins() {
        const Finished well = check("well");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(well.describe(), 0, well.status);
        ASSERT_LACKS("warning", well.errors);
        for (const auto& [how, complaint] : std::map<std::string, std::string>{
                 {"fails", "sallyportd: warning: it is ill: treat it\n"},
                 {"is set wrongly", "sallyportd: warning: patient.how is wrong\n"},
                 {"throws", "sallyportd: warning: patient could not be examined: no such luck\n"},
                 {"crashes",
                  "sallyportd: warning: patient could not be examined: it crashed with SIGABRT\n"}}) {
            const Finished checked = check(how);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(checked.describe(), 0, checked.status);
            ASSERT_CONTAINS(complaint, checked.errors);
            ASSERT_CONTAINS("the configuration is good", checked.output);
        }
        CPPUNIT_ASSERT(!std::filesystem::exists(data()));
    }

    /// Whoever asks: root's rights are for no plugin.
    void testPluginsHaveTheDaemonsRights() {
        constexpr uid_t stranger = 54321;
        std::filesystem::create_directory(data());
        ASSERT_CONTAINS("it is user " + std::to_string(::getuid()), check("is somebody").errors);
        if (::chown(data().c_str(), stranger, stranger) == 0) {  // only root can give files away
            ASSERT_CONTAINS("it is user " + std::to_string(stranger), check("is somebody").errors);
        }
    }

private:
    [[nodiscard]] std::filesystem::path data() const { return directory_ / "data"; }

    /// @param how the plugin finds itself.
    [[nodiscard]] Finished check(const std::string& how) const {
        return run({.program = SALLYPORTD_PATH,
                    .arguments = {"--check-config", "-Ddata.dir=" + data().string(),
                                  "-Dplugins.dir=" + plugins_.path().string(), "-Dpatient.how=" + how}});
    }

    TemporaryDirectory directory_;
    PluginFiles plugins_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(CheckConfigTest);

}  // namespace sallyport::tests
