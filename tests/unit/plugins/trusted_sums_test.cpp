#include "host/plugins/trusted_sums.h"

#include <filesystem>
#include <stdexcept>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::plugins {
namespace {

class TrustedSumsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TrustedSumsTest);
    CPPUNIT_TEST(testReadsWhatSha256sumWrites);
    CPPUNIT_TEST(testEmptyFileListsNothing);
    CPPUNIT_TEST(testLinesThatAreNone);
    CPPUNIT_TEST(testFileThatCannotBeRead);
    CPPUNIT_TEST(testFileThatOthersMayWrite);
    CPPUNIT_TEST_SUITE_END();

    tests::TemporaryDirectory directory_;
    const std::string file_ = (directory_ / "sums").string();
    const std::string a_ = std::string(64, 'a');
    const std::string b_ = std::string(64, 'b');
    const std::string c_ = std::string(64, 'c');
    const std::string d_ = std::string(64, 'd');

    [[nodiscard]] TrustedSums read(const std::string& text) const {
        tests::writeFile(file_, text);
        return {file_, trust::Trust()};
    }

    [[nodiscard]] std::string problem() const {
        try {
            static_cast<void>(TrustedSums(file_, trust::Trust()));
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        CPPUNIT_FAIL("accepted");
        return {};
    }

    void testReadsWhatSha256sumWrites() {
        const auto sums = read("# plugins\n\n" + a_ + "  a.so\n" + b_ + " *b.so\n\\" + c_ +
                               "  back\\\\slash.so\n" + std::string(64, 'D') + "  windows.so\r\n");
        for (const auto& sum : {a_, b_, c_, d_}) {
            CPPUNIT_ASSERT(sums.has(sum));
        }
        CPPUNIT_ASSERT(!sums.has(std::string(64, 'e')));
        CPPUNIT_ASSERT(!sums.has(""));
        ASSERT_CONTAINS(file_, notListed(sums, d_));
        ASSERT_CONTAINS(d_, notListed(sums, d_));
    }

    void testEmptyFileListsNothing() { CPPUNIT_ASSERT(!read("").has(a_)); }

    void testLinesThatAreNone() {
        for (const std::string& line :
             {std::string("a.so"), a_, a_ + "a  a.so", a_.substr(1) + "  a.so", a_ + " a.so", a_ + "\ta.so",
              std::string(64, 'g') + "  a.so", "SHA256 (a.so) = " + a_}) {
            tests::writeFile(file_, "# first\n" + line + "\n");
            ASSERT_CONTAINS("line 2", problem());
        }
    }

    void testFileThatCannotBeRead() { ASSERT_CONTAINS("No such file", problem()); }

    void testFileThatOthersMayWrite() {
        tests::writeFile(file_, a_ + "  a.so\n");
        std::filesystem::permissions(file_, std::filesystem::perms::all);
        ASSERT_CONTAINS("chmod go-w " + file_, problem());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TrustedSumsTest);

}  // namespace
}  // namespace sallyport::host::plugins
