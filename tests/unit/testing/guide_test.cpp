// docs/plugins.md shows code that is compiled and tested.
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/temporary_directory.h"

namespace sallyport::testing {

namespace {

/// The lines of a text without indentation and empty ones, so that a piece of it can be found again.
std::string squeezed(const std::string& text) {
    std::istringstream in(text);
    std::string result = "\n";
    for (std::string line; std::getline(in, line);) {
        if (const auto first = line.find_first_not_of(' '); first != std::string::npos) {
            result += line.substr(first) + "\n";
        }
    }
    return result;
}

/// The blocks between ```cpp and ```.
std::vector<std::string> blocksOf(const std::string& guide) {
    std::vector<std::string> blocks;
    std::istringstream in(guide);
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("```")) {
            inside = line == "```cpp";
            if (inside) {
                blocks.emplace_back();
            }
        } else if (inside) {
            blocks.back() += line + "\n";
        }
    }
    return blocks;
}

}  // namespace

class GuideTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GuideTest);
    CPPUNIT_TEST(testShowsCodeThatIsCompiled);
    CPPUNIT_TEST_SUITE_END();

public:
    void testShowsCodeThatIsCompiled() {
        const std::string root = SALLYPORT_SOURCE_DIR;
        std::string sources;
        for (const char* file : {"unit/testing/notes_plugin.cpp", "unit/testing/notes_test.cpp",
                                 "unit/testing/note_counts.h", "contract/plugins/looper.cpp"}) {
            sources += squeezed(tests::readFile(root + "/tests/" + file));
        }
        for (const auto& sample : std::filesystem::directory_iterator(root + "/sdk/samples")) {
            sources += squeezed(tests::readFile(sample.path()));
        }
        const auto blocks = blocksOf(tests::readFile(root + "/docs/plugins.md"));
        CPPUNIT_ASSERT(blocks.size() > 10);
        for (const std::string& block : blocks) {
            CPPUNIT_ASSERT_MESSAGE(block, sources.find(squeezed(block)) != std::string::npos);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GuideTest);

}  // namespace sallyport::testing
