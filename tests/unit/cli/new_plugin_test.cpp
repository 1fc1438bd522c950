#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/cli/program.h"

namespace sallyport::host::cli {

namespace fs = std::filesystem;

/// `plugin new`, from its arguments to what it writes. That what it writes can be built, and works, is
/// the test packaging.plugin_kit.
class NewPluginTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(NewPluginTest);
    CPPUNIT_TEST(testWritesTheTemplateUnderTheName);
    CPPUNIT_TEST(testLeavesNothingOfTheTemplatesName);
    CPPUNIT_TEST(testNamesTheClass);
    CPPUNIT_TEST(testWritesIntoANewOrEmptyDirectory);
    CPPUNIT_TEST(testTouchesNothingThatIsThere);
    CPPUNIT_TEST(testRefusesWhatIsNoName);
    CPPUNIT_TEST(testRefusesANameThatIsInstalled);
    CPPUNIT_TEST(testSaysWhichPackageHasTheTemplate);
    CPPUNIT_TEST(testLeavesNothingBehindWhenItCannotWrite);
    CPPUNIT_TEST(testPrintsJson);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        program_.installation = {.pluginTemplate = SALLYPORT_SOURCE_DIR "/sdk/template",
                                 .plugins = here_ / "plugins"};
    }

    void testWritesTheTemplateUnderTheName() {
        CPPUNIT_ASSERT_EQUAL(0, make("demo"));
        const std::vector<std::string> expected{".gitignore", "CMakeLists.txt", "README.md", "demo.cpp",
                                                "demo_test.cpp"};
        CPPUNIT_ASSERT(expected == written("demo"));
        ASSERT_CONTAINS("SALLYPORT_PLUGIN_WITH_SETTINGS(DemoPlugin, \"demo\",", content("demo.cpp"));
        ASSERT_CONTAINS("\"/demo\"", content("demo.cpp"));
        ASSERT_CONTAINS("OUTPUT_NAME demo)", content("CMakeLists.txt"));
        ASSERT_CONTAINS("cmake --install build", program_.out);
        ASSERT_CONTAINS("plugin reload", program_.out);
    }

    void testLeavesNothingOfTheTemplatesName() {
        CPPUNIT_ASSERT_EQUAL(0, make("demo"));
        for (const std::string& file : written("demo")) {
            ASSERT_LACKS("plugin_name", file + content(file));
            ASSERT_LACKS("PluginName", file + content(file));
        }
    }

    void testNamesTheClass() {
        for (const auto& [name, expected] :
             std::vector<std::pair<std::string, std::string>>{{"a", "class APlugin "},
                                                              {"web_hook_2", "class WebHook2Plugin "},
                                                              {"x__y_", "class XYPlugin "},
                                                              {"v2x", "class V2xPlugin "}}) {
            CPPUNIT_ASSERT_EQUAL(0, make(name));
            ASSERT_CONTAINS(expected, tests::readFile(here_ / name / (name + ".cpp")));
        }
    }

    void testWritesIntoANewOrEmptyDirectory() {
        fs::create_directory(here_ / "empty");
        for (const std::string directory : {"empty", "new/deeper"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(directory, 0, make("demo", directory));
            CPPUNIT_ASSERT_MESSAGE(directory, fs::exists(here_ / directory / "demo.cpp"));
            ASSERT_CONTAINS("cd " + (here_ / directory).string() + "\n", program_.out);
        }
    }

    void testTouchesNothingThatIsThere() {
        fs::create_directory(here_ / "demo");
        tests::writeFile(here_ / "demo" / "demo.cpp", "mine");
        CPPUNIT_ASSERT_EQUAL(2, make("demo"));
        ASSERT_CONTAINS("not empty", program_.err);
        ASSERT_CONTAINS("--directory", program_.err);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, written("demo").size());
        CPPUNIT_ASSERT_EQUAL(std::string("mine"), content("demo.cpp"));
        tests::writeFile(here_ / "file", "");
        CPPUNIT_ASSERT_EQUAL(2, make("demo", "file"));
    }

    void testRefusesWhatIsNoName() {
        for (const std::string name :
             {"", "Demo", "1st", "_demo", "web-hook", "a.b", "a/b", "../a", "ä", "a b", "a\n"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name, 2, make(name, "made"));
            ASSERT_CONTAINS("no name for a plugin", program_.err);
            CPPUNIT_ASSERT_MESSAGE(name, !fs::exists(here_ / "made"));
        }
        CPPUNIT_ASSERT_EQUAL(2, make(std::string(65, 'a'), "made"));
        CPPUNIT_ASSERT_EQUAL(0, make(std::string(64, 'a'), "made"));
        CPPUNIT_ASSERT_EQUAL(2, make("2Web-Hooks"));
        ASSERT_CONTAINS("Perhaps web_hooks?", program_.err);
    }

    void testRefusesANameThatIsInstalled() {
        fs::create_directory(here_ / "plugins");
        tests::writeFile(here_ / "plugins" / "jobs.so", "");
        CPPUNIT_ASSERT_EQUAL(2, make("jobs"));
        ASSERT_CONTAINS((here_ / "plugins" / "jobs.so").string(), program_.err);
        CPPUNIT_ASSERT(!fs::exists(here_ / "jobs"));
    }

    void testSaysWhichPackageHasTheTemplate() {
        program_.installation.pluginTemplate = here_ / "share" / "template";
        CPPUNIT_ASSERT_EQUAL(1, make("demo"));
        ASSERT_CONTAINS("apt install sallyport-dev", program_.err);
        ASSERT_CONTAINS(program_.installation.pluginTemplate.string(), program_.err);
        CPPUNIT_ASSERT(!fs::exists(here_ / "demo"));
    }

    void testLeavesNothingBehindWhenItCannotWrite() {
        const fs::path pluginTemplate = here_ / "template";
        fs::create_directory(pluginTemplate);
        tests::writeFile(pluginTemplate / "a", "");
        // With a long name in it, this one is longer than a file system takes.
        tests::writeFile(pluginTemplate / (std::string(200, 'b') + "plugin_name"), "");
        program_.installation.pluginTemplate = pluginTemplate;
        CPPUNIT_ASSERT_EQUAL(1, make(std::string(64, 'x'), "made"));
        ASSERT_CONTAINS("cannot be written", program_.err);
        CPPUNIT_ASSERT(!fs::exists(here_ / "made"));
        fs::create_directory(here_ / "made");
        CPPUNIT_ASSERT_EQUAL(1, make(std::string(64, 'x'), "made"));
        CPPUNIT_ASSERT(fs::is_empty(here_ / "made"));
        CPPUNIT_ASSERT_EQUAL(0, make("x", "made"));
    }

    void testPrintsJson() {
        CPPUNIT_ASSERT_EQUAL(
            0, program_.run({"plugin", "new", "demo", "--directory", (here_ / "d").string(), "--json"}));
        CPPUNIT_ASSERT_EQUAL(
            R"({"name":"demo","directory":")" + (here_ / "d").string() +
                R"(","files":[".gitignore","CMakeLists.txt","README.md","demo.cpp","demo_test.cpp"]})"
                "\n",
            program_.out);
    }

private:
    int make(const std::string& name, const std::string& directory = "") {
        const fs::path target = here_ / (directory.empty() ? name : directory);
        return program_.run({"plugin", "new", "--directory", target.string(), "--", name});
    }

    /// The files in a directory of this test, sorted.
    std::vector<std::string> written(const std::string& directory) const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(here_ / directory)) {
            names.push_back(entry.path().filename());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    std::string content(const std::string& file) const { return tests::readFile(here_ / "demo" / file); }

    tests::TemporaryDirectory here_;
    Program program_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(NewPluginTest);

}  // namespace sallyport::host::cli
