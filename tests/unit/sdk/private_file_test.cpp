#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>
#include <sallyport/private_file.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport {
namespace {

class PrivateFileTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PrivateFileTest);
    CPPUNIT_TEST(testClosedFile);
    CPPUNIT_TEST(testOpenFile);
    CPPUNIT_TEST(testForeignFile);
    CPPUNIT_TEST(testNoRegularFile);
    CPPUNIT_TEST(testNoFile);
    CPPUNIT_TEST_SUITE_END();

    const tests::TemporaryDirectory directory_;
    const std::string path_ = (directory_ / "file").string();

    void put(mode_t mode) const {
        tests::writeFile(path_, "x");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(path_.c_str(), mode));
    }

    [[nodiscard]] std::optional<Exposure> look() const {
        const FileDescriptor opened(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        return exposureOf(opened.get(), path_);
    }

    void testClosedFile() {
        for (const mode_t mode : {0600, 0400, 0700}) {
            put(mode);
            CPPUNIT_ASSERT(!look());
        }
    }

    void testOpenFile() {
        for (const mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601}) {
            put(mode);
            const auto exposure = look();
            CPPUNIT_ASSERT(exposure && exposure->kind == Exposure::Kind::open);
        }
        put(0644);
        CPPUNIT_ASSERT_EQUAL(std::string("has mode 0644"), look()->text);
    }

    void testForeignFile() {
        if (::geteuid() != 0) {
            return;  // only root can give a file away
        }
        put(0600);
        CPPUNIT_ASSERT_EQUAL(0, ::chown(path_.c_str(), 12345, 12345));
        const auto exposure = look();
        CPPUNIT_ASSERT(exposure && exposure->kind == Exposure::Kind::foreign);
        CPPUNIT_ASSERT_EQUAL(
            "belongs to user id 12345 and not to 0, who runs the daemon: run chown 0 " + path_,
            exposure->text);
    }

    void testNoRegularFile() {
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(path_.c_str(), 0600));
        const auto exposure = look();
        CPPUNIT_ASSERT(exposure && exposure->kind == Exposure::Kind::notRegular);
        CPPUNIT_ASSERT_EQUAL(std::string("is no regular file"), exposure->text);
    }

    void testNoFile() { CPPUNIT_ASSERT_THROW(static_cast<void>(look()), std::system_error); }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PrivateFileTest);

}  // namespace
}  // namespace sallyport
