#include "plugins/credentials/key_file.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::plugins {
namespace {

constexpr const char* hexKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

class KeyFileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(KeyFileTest);
    CPPUNIT_TEST(testNoFileIsNoKey);
    CPPUNIT_TEST(testLineEndIsNoPartOfTheKey);
    CPPUNIT_TEST(testBinaryKeyIsKept);
    CPPUNIT_TEST(testOpenFileIsRefused);
    CPPUNIT_TEST(testForeignFileIsRefused);
    CPPUNIT_TEST(testShortAndLongKeysAreRefused);
    CPPUNIT_TEST(testNoRegularFileIsRefused);
    CPPUNIT_TEST(testNextKey);
    CPPUNIT_TEST(testHalfWrittenNextKeyIsNone);
    CPPUNIT_TEST(testUnwritableDirectory);
    CPPUNIT_TEST(testSystemdKey);
    CPPUNIT_TEST(testEnvironmentKeyIsTakenOut);
    CPPUNIT_TEST(testShortEnvironmentKeyIsRefused);
    CPPUNIT_TEST_SUITE_END();

    const tests::TemporaryDirectory directory_;
    const std::string path_ = (directory_ / "key").string();
    const KeyFile file_{path_};

    void put(const std::string& content, mode_t mode = 0600) const {
        tests::writeFile(path_, content);
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(path_.c_str(), mode));
    }

    /// What reading the file is refused with.
    std::string refusal() const {
        try {
            static_cast<void>(file_.read());
        } catch (const KeyProblem& problem) {
            return problem.what();
        }
        return "accepted";
    }

    static std::string textOf(const std::optional<MasterKey>& key) {
        return key ? std::string(key->text().reveal()) : "none";
    }

    void testNoFileIsNoKey() { CPPUNIT_ASSERT(!file_.read()); }

    void testLineEndIsNoPartOfTheKey() {
        for (const char* end : {"", "\n", "\r\n"}) {
            put(std::string(hexKey) + end);
            CPPUNIT_ASSERT_EQUAL(std::string(hexKey), textOf(file_.read()));
        }
    }

    void testBinaryKeyIsKept() {
        const std::string key("\0\n\xff 0123456789abcdef0123456789ab", 32);
        put(key);
        CPPUNIT_ASSERT_EQUAL(key, textOf(file_.read()));
    }

    void testOpenFileIsRefused() {
        for (const mode_t mode : {0640, 0604, 0610, 0602}) {
            put(hexKey, mode);
            ASSERT_CONTAINS("chmod 600 " + path_, refusal());
        }
        put(hexKey, 0400);
        CPPUNIT_ASSERT(file_.read().has_value());
    }

    void testForeignFileIsRefused() {
        if (::geteuid() != 0) {
            return;  // only root can give a file away
        }
        put(hexKey);
        CPPUNIT_ASSERT_EQUAL(0, ::chown(path_.c_str(), 12345, 12345));
        ASSERT_CONTAINS("12345", refusal());
        ASSERT_CONTAINS("chown", refusal());
    }

    void testShortAndLongKeysAreRefused() {
        put(std::string(31, 'k') + "\n");
        ASSERT_CONTAINS("31 bytes", refusal());
        put("");
        ASSERT_CONTAINS("0 bytes", refusal());
        put(std::string(4097, 'k'));
        ASSERT_CONTAINS("4096", refusal());
        ASSERT_LACKS("kkkk", refusal());
        put(std::string(4096, 'k'));
        CPPUNIT_ASSERT(file_.read().has_value());
    }

    void testNoRegularFileIsRefused() {
        std::filesystem::create_directory(path_);
        ASSERT_CONTAINS("regular file", refusal());
        std::filesystem::remove(path_);
        CPPUNIT_ASSERT_EQUAL(0, ::mkfifo(path_.c_str(), 0600));
        ASSERT_CONTAINS("regular file", refusal());
    }

    void testNextKey() {
        put(hexKey);
        const MasterKey fresh = MasterKey::generated();
        file_.writeNext(fresh);
        CPPUNIT_ASSERT_EQUAL(std::string(hexKey), textOf(file_.read()));
        CPPUNIT_ASSERT_EQUAL(std::string(fresh.text().reveal()), textOf(file_.readNext()));
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(file_.nextPath().c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, status.st_mode & 07777U);
        file_.promoteNext();
        CPPUNIT_ASSERT_EQUAL(std::string(fresh.text().reveal()), textOf(file_.read()));
        CPPUNIT_ASSERT(!file_.readNext());
        file_.writeNext(MasterKey::generated());
        file_.removeNext();
        CPPUNIT_ASSERT(!file_.readNext());
        file_.removeNext();
    }

    void testHalfWrittenNextKeyIsNone() {
        tests::writeFile(file_.nextPath(), "0011");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(file_.nextPath().c_str(), 0600));
        CPPUNIT_ASSERT(!file_.readNext());
        // And is no obstacle.
        file_.writeNext(MasterKey::generated());
        CPPUNIT_ASSERT(file_.readNext().has_value());
    }

    void testUnwritableDirectory() {
        const KeyFile nowhere((directory_ / "none" / "key").string());
        CPPUNIT_ASSERT_THROW(nowhere.writeNext(MasterKey::generated()), KeyProblem);
        CPPUNIT_ASSERT_THROW(nowhere.promoteNext(), KeyProblem);
    }

    void testSystemdKey() {
        ::unsetenv("CREDENTIALS_DIRECTORY");
        CPPUNIT_ASSERT(!systemdKey());
        ::setenv("CREDENTIALS_DIRECTORY", directory_.path().c_str(), 1);
        CPPUNIT_ASSERT(!systemdKey());
        const auto credential = directory_ / "sallyport-master-key";
        tests::writeFile(credential, hexKey);
        // As systemd leaves it where it gives access by an ACL.
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(credential.c_str(), 0440));
        CPPUNIT_ASSERT_EQUAL(std::string(hexKey), textOf(systemdKey()));
        tests::writeFile(credential, "short");
        CPPUNIT_ASSERT_THROW(static_cast<void>(systemdKey()), KeyProblem);
        ::unsetenv("CREDENTIALS_DIRECTORY");
    }

    void testEnvironmentKeyIsTakenOut() {
        ::unsetenv("SALLYPORT_MASTER_KEY");
        CPPUNIT_ASSERT(!takeEnvironmentKey());
        ::setenv("SALLYPORT_MASTER_KEY", "", 1);
        CPPUNIT_ASSERT(!takeEnvironmentKey());
        ::setenv("SALLYPORT_MASTER_KEY", hexKey, 1);
        const char* const memory = std::getenv("SALLYPORT_MASTER_KEY");
        const auto taken = takeEnvironmentKey();
        CPPUNIT_ASSERT(std::getenv("SALLYPORT_MASTER_KEY") == nullptr);
        CPPUNIT_ASSERT_EQUAL(std::string(64, '\0'), std::string(memory, 64));
        CPPUNIT_ASSERT_EQUAL(std::string(hexKey), textOf(environmentKey(*taken)));
    }

    void testShortEnvironmentKeyIsRefused() {
        ::setenv("SALLYPORT_MASTER_KEY", "shortword", 1);
        const auto taken = takeEnvironmentKey();
        try {
            static_cast<void>(environmentKey(*taken));
            CPPUNIT_FAIL("accepted");
        } catch (const KeyProblem& problem) {
            ASSERT_CONTAINS("SALLYPORT_MASTER_KEY", problem.what());
            ASSERT_CONTAINS("32", problem.what());
            ASSERT_LACKS("shortword", problem.what());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(KeyFileTest);

}  // namespace
}  // namespace sallyport::plugins
