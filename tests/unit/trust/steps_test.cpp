#include "host/trust/steps.h"

#include <filesystem>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/temporary_directory.h"

namespace sallyport::host::trust {
namespace {

namespace fs = std::filesystem;

class StepsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StepsTest);
    CPPUNIT_TEST(testEveryDirectoryOnTheWay);
    CPPUNIT_TEST(testEndsWithWhatIsMissing);
    CPPUNIT_TEST(testGoesThroughLinks);
    CPPUNIT_TEST(testParentOfALinksTarget);
    CPPUNIT_TEST(testLoopsEnd);
    CPPUNIT_TEST(testRelativePaths);
    CPPUNIT_TEST_SUITE_END();

    tests::TemporaryDirectory directory_;

    /// The steps below the test's directory, as `directory:name` with paths relative to it.
    [[nodiscard]] std::string stepsTo(const std::string& path) const {
        std::string text;
        for (const auto& [directory, name] : trust::stepsTo(path)) {
            const auto place = fs::path(directory).lexically_relative(directory_.path());
            if (!place.empty() && *place.begin() != "..") {
                text += place.string() + ":" + name + " ";
            }
        }
        return text;
    }

    void testEveryDirectoryOnTheWay() {
        fs::create_directories(directory_ / "a/b");
        tests::writeFile(directory_ / "a/b/file", "");
        CPPUNIT_ASSERT_EQUAL(std::string(".:a a:b a/b:file "),
                             stepsTo((directory_ / "a//b/./file").string()));
        CPPUNIT_ASSERT_EQUAL(std::string(".:a a:b "), stepsTo((directory_ / "a/b/").string()));
        CPPUNIT_ASSERT(trust::stepsTo("/usr").size() == 1);
        CPPUNIT_ASSERT(trust::stepsTo("/").empty());
    }

    void testEndsWithWhatIsMissing() {
        CPPUNIT_ASSERT_EQUAL(std::string(".:no "), stepsTo((directory_ / "no/such/file").string()));
        tests::writeFile(directory_ / "file", "");
        CPPUNIT_ASSERT_EQUAL(std::string(".:file file:below "),
                             stepsTo((directory_ / "file/below").string()));
    }

    void testGoesThroughLinks() {
        fs::create_directories(directory_ / "real/deep");
        fs::create_symlink("real", directory_ / "link");
        fs::create_symlink(directory_ / "link/deep", directory_ / "absolute");
        CPPUNIT_ASSERT_EQUAL(std::string(".:absolute .:link .:real real:deep real/deep:file "),
                             stepsTo((directory_ / "absolute/file").string()));
    }

    /// `..` is what is above the directory that a link leads to, not above the link.
    void testParentOfALinksTarget() {
        fs::create_directories(directory_ / "real/deep");
        fs::create_symlink("real/deep", directory_ / "link");
        CPPUNIT_ASSERT_EQUAL(std::string(".:link .:real real:deep real:file "),
                             stepsTo((directory_ / "link/../file").string()));
    }

    void testLoopsEnd() {
        fs::create_symlink("second", directory_ / "first");
        fs::create_symlink("first", directory_ / "second");
        CPPUNIT_ASSERT(!stepsTo((directory_ / "first").string()).empty());
    }

    void testRelativePaths() {
        const auto steps = trust::stepsTo("file");
        CPPUNIT_ASSERT_EQUAL(fs::current_path().string(), steps.back().directory);
        CPPUNIT_ASSERT_EQUAL(std::string("file"), steps.back().name);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StepsTest);

}  // namespace
}  // namespace sallyport::host::trust
