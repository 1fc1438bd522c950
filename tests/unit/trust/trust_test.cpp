#include "host/trust/trust.h"

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>

#include "host/trust/file.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::trust {
namespace {

namespace fs = std::filesystem;

/// Neither root nor who runs this.
constexpr uid_t stranger = 54321;

class TrustTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TrustTest);
    CPPUNIT_TEST(testOwnFileIsTrusted);
    CPPUNIT_TEST(testFileThatOthersMayWrite);
    CPPUNIT_TEST(testFileOfAStranger);
    CPPUNIT_TEST(testFileOfTheDaemonsUser);
    CPPUNIT_TEST(testDirectoryOnTheWayThatOthersMayWrite);
    CPPUNIT_TEST(testStickyDirectoryOnTheWay);
    CPPUNIT_TEST(testStickyDirectoryItself);
    CPPUNIT_TEST(testWayThroughALink);
    CPPUNIT_TEST(testLinkOfAStrangerInAStickyDirectory);
    CPPUNIT_TEST(testPipesAndDevices);
    CPPUNIT_TEST(testMissingDirectory);
    CPPUNIT_TEST(testUserOfADataDirectory);
    CPPUNIT_TEST(testContentsOfATrustedFile);
    CPPUNIT_TEST_SUITE_END();

    tests::TemporaryDirectory directory_;
    const std::string file_ = (directory_ / "file").string();

public:
    void setUp() override { tests::writeFile(file_, "text"); }

private:
    /// Why the file is not trusted; empty when it is.
    static std::string distrust(const std::string& path, const Trust& trust = Trust()) {
        const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        CPPUNIT_ASSERT(file.open());
        return sentence([&] { trust.requireFile(file.get(), path); });
    }

    static std::string distrustOfDirectory(const std::string& path) {
        return sentence([&] { Trust().requireDirectory(path); });
    }

    template <class F>
    static std::string sentence(F action) {
        try {
            action();
            return {};
        } catch (const Untrusted& problem) {
            return problem.what();
        }
    }

    static void setMode(const fs::path& path, mode_t mode) {
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(path.c_str(), mode));
    }

    /// Only root can give files away; @return whether it was done.
    static bool giveToStranger(const fs::path& path) {
        return ::lchown(path.c_str(), stranger, static_cast<gid_t>(-1)) == 0;
    }

    void testOwnFileIsTrusted() {
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust(file_));
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust("/etc/passwd"));
        CPPUNIT_ASSERT_EQUAL(std::string(), distrustOfDirectory(directory_.path().string()));
    }

    void testFileThatOthersMayWrite() {
        for (const mode_t mode : {0620, 0602, 0666}) {
            setMode(file_, mode);
            ASSERT_CONTAINS("chmod go-w " + file_, distrust(file_));
        }
        setMode(file_, 0755);
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust(file_));
    }

    void testFileOfAStranger() {
        if (giveToStranger(file_)) {
            ASSERT_CONTAINS("belongs to user 54321", distrust(file_));
            ASSERT_CONTAINS("chown root " + file_, distrust(file_));
        } else {
            ASSERT_CONTAINS("belongs to user", distrust(file_, Trust(stranger)));
        }
    }

    void testFileOfTheDaemonsUser() {
        if (giveToStranger(file_)) {
            CPPUNIT_ASSERT_EQUAL(std::string(), distrust(file_, Trust(stranger)));
        }
    }

    /// Whoever may write there can put another file in its place.
    void testDirectoryOnTheWayThatOthersMayWrite() {
        fs::create_directories(directory_ / "open/closed");
        const auto inner = (directory_ / "open/closed/file").string();
        tests::writeFile(inner, "");
        setMode(directory_ / "open", 0775);
        ASSERT_CONTAINS("chmod go-w " + (directory_ / "open").string(), distrust(inner));
        ASSERT_CONTAINS("others may write", distrustOfDirectory((directory_ / "open/closed").string()));
        setMode(directory_ / "open", 0755);
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust(inner));
        if (giveToStranger(directory_ / "open")) {
            ASSERT_CONTAINS("belongs to user 54321", distrust(inner));
        }
    }

    /// As /tmp is: nobody can take away what belongs to somebody else.
    void testStickyDirectoryOnTheWay() {
        setMode(directory_.path(), 01777);
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust(file_));
        fs::create_directory(directory_ / "sub");
        tests::writeFile(directory_ / "sub/file", "");
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust((directory_ / "sub/file").string()));
        if (giveToStranger(directory_ / "sub")) {
            ASSERT_CONTAINS("belongs to user 54321", distrust((directory_ / "sub/file").string()));
        }
    }

    void testStickyDirectoryItself() {
        setMode(directory_.path(), 01777);
        ASSERT_CONTAINS("others may write", distrustOfDirectory(directory_.path().string()));
    }

    void testWayThroughALink() {
        fs::create_directory(directory_ / "open");
        fs::create_symlink(file_, directory_ / "open/link");
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust((directory_ / "open/link").string()));
        setMode(directory_ / "open", 0777);
        ASSERT_CONTAINS("others may write", distrust((directory_ / "open/link").string()));
        fs::create_symlink("open/link", directory_ / "twice");
        ASSERT_CONTAINS("others may write", distrust((directory_ / "twice").string()));
    }

    void testLinkOfAStrangerInAStickyDirectory() {
        fs::create_directory(directory_ / "sticky");
        setMode(directory_ / "sticky", 01777);
        fs::create_symlink(file_, directory_ / "sticky/link");
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust((directory_ / "sticky/link").string()));
        if (giveToStranger(directory_ / "sticky/link")) {
            ASSERT_CONTAINS("belongs to user 54321", distrust((directory_ / "sticky/link").string()));
        }
    }

    /// `--config <(…)` and `--config /dev/null`.
    void testPipesAndDevices() {
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust("/dev/null"));
        int ends[2];
        CPPUNIT_ASSERT_EQUAL(0, ::pipe2(ends, O_CLOEXEC));
        const FileDescriptor read(ends[0]);
        const FileDescriptor write(ends[1]);
        CPPUNIT_ASSERT_EQUAL(std::string(), distrust("/proc/self/fd/" + std::to_string(read.get())));
    }

    void testMissingDirectory() {
        ASSERT_CONTAINS("No such file", distrustOfDirectory((directory_ / "none").string()));
        ASSERT_CONTAINS("is no directory", distrustOfDirectory(file_));
    }

    void testUserOfADataDirectory() {
        CPPUNIT_ASSERT_EQUAL(uid_t{0}, daemonUser("/"));
        CPPUNIT_ASSERT_EQUAL(::geteuid(), daemonUser(directory_.path().string()));
        CPPUNIT_ASSERT_EQUAL(::geteuid(), daemonUser((directory_ / "none").string()));
    }

    void testContentsOfATrustedFile() {
        CPPUNIT_ASSERT_EQUAL(std::string("text"), contentsOf(file_, Trust()));
        setMode(file_, 0666);
        CPPUNIT_ASSERT_THROW(static_cast<void>(contentsOf(file_, Trust())), Untrusted);
        CPPUNIT_ASSERT_EQUAL(std::string("text"), contentsOf(file_, std::nullopt));
        CPPUNIT_ASSERT_THROW(static_cast<void>(contentsOf(directory_.path().string(), Trust())),
                             std::system_error);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TrustTest);

}  // namespace
}  // namespace sallyport::host::trust
