#include "host/cli/env_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <Poco/TemporaryFile.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

class EnvFileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EnvFileTest);
    CPPUNIT_TEST(testWritesWhatShellsRead);
    CPPUNIT_TEST(testIsForItsOwnerOnly);
    CPPUNIT_TEST(testReplacesNothing);
    CPPUNIT_TEST(testFollowsNoLink);
    CPPUNIT_TEST(testLeavesNothingBehindWhenUnused);
    CPPUNIT_TEST(testRefusesWhatAShellWouldRead);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { std::filesystem::create_directory(root_); }
    void tearDown() override { std::filesystem::remove_all(root_); }

    void testWritesWhatShellsRead() {
        EnvFile(path_).write("http://[::1]:50051/worker/x", "0a1b");
        CPPUNIT_ASSERT_EQUAL(std::string("SALLYPORT_URL=http://[::1]:50051/worker/x\nSALLYPORT_TOKEN=0a1b\n"),
                             contents());
    }

    void testIsForItsOwnerOnly() {
        EnvFile file(path_);
        CPPUNIT_ASSERT(std::filesystem::status(path_).permissions() ==
                       (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    }

    void testReplacesNothing() {
        std::ofstream(path_) << "mine";
        CPPUNIT_ASSERT_THROW(EnvFile{path_}, UsageError);
        CPPUNIT_ASSERT_EQUAL(std::string("mine"), contents());
    }

    void testFollowsNoLink() {
        std::filesystem::create_symlink(root_ + "/elsewhere", path_);
        CPPUNIT_ASSERT_THROW(EnvFile{path_}, UsageError);
        CPPUNIT_ASSERT(!std::filesystem::exists(root_ + "/elsewhere"));
    }

    void testLeavesNothingBehindWhenUnused() {
        { const EnvFile file(path_); }
        CPPUNIT_ASSERT(!std::filesystem::exists(path_));
    }

    void testRefusesWhatAShellWouldRead() {
        for (const char* url :
             {"http://h/$(reboot)", "http://h/\nLD_PRELOAD=x", "http://h/`x`", "http://h/ x"}) {
            EnvFile file(path_);
            CPPUNIT_ASSERT_THROW(file.write(url, "0a1b"), Failure);
        }
        CPPUNIT_ASSERT(!std::filesystem::exists(path_));
    }

private:
    [[nodiscard]] std::string contents() const {
        std::ifstream file(path_);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::string root_ = Poco::TemporaryFile::tempName();
    std::string path_ = root_ + "/worker.env";
};

CPPUNIT_TEST_SUITE_REGISTRATION(EnvFileTest);

}  // namespace sallyport::host::cli
