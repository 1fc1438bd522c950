#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class DirectoryLockTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DirectoryLockTest);
    CPPUNIT_TEST(testCreatesTheDirectoryForTheOwnerOnly);
    CPPUNIT_TEST(testRefusesASecondProcessNamingTheFirst);
    CPPUNIT_TEST(testIsFreeAgainWhenItsHolderIsGone);
    CPPUNIT_TEST(testTakesOverWhatADeadProcessLeft);
    CPPUNIT_TEST(testTellsItsHolderWithoutTouchingIt);
    CPPUNIT_TEST(testExplainsWhatCannotBeADirectory);
    CPPUNIT_TEST(testExplainsADirectoryItMayNotWrite);
    CPPUNIT_TEST_SUITE_END();

public:
    void testCreatesTheDirectoryForTheOwnerOnly() {
        for (const char* name : {"new", "deep/er/", "new"}) {
            const DirectoryLock lock(directory_.file(name));
            struct stat status {};
            CPPUNIT_ASSERT_EQUAL(0, stat(directory_.file(name).c_str(), &status));
            CPPUNIT_ASSERT_EQUAL(mode_t{0700}, mode_t{status.st_mode & 07777});
        }
    }

    void testRefusesASecondProcessNamingTheFirst() {
        const DirectoryLock lock(directory_.path());
        const std::string expected = "the data directory \"" + directory_.path() +
                                     "\" is in use by another sallyportd (process " +
                                     std::to_string(getpid()) + ")";
        CPPUNIT_ASSERT_EQUAL(expected, second());
        CPPUNIT_ASSERT_EQUAL(expected, inChild([&] { return second(); }));
        // Being refused changes nothing.
        CPPUNIT_ASSERT_EQUAL(expected, second());
    }

    void testIsFreeAgainWhenItsHolderIsGone() {
        std::optional<DirectoryLock> lock(directory_.path());
        lock.reset();
        CPPUNIT_ASSERT_EQUAL(std::string(), second());
        CPPUNIT_ASSERT_EQUAL(std::string("locked"), inChild([&] {
                                 const DirectoryLock dying(directory_.path());
                                 return std::string("locked");
                             }));
        CPPUNIT_ASSERT_EQUAL(std::string(), second());
    }

    void testTakesOverWhatADeadProcessLeft() {
        std::ofstream(directory_.file("sallyportd.lock")) << "123456789\n";
        const DirectoryLock lock(directory_.path());
        std::string pid;
        std::getline(std::ifstream(directory_.file("sallyportd.lock")), pid);
        CPPUNIT_ASSERT_EQUAL(std::to_string(getpid()), pid);
    }

    void testTellsItsHolderWithoutTouchingIt() {
        CPPUNIT_ASSERT(!DirectoryLock::holder(directory_.path()));
        {
            const DirectoryLock lock(directory_.path());
            CPPUNIT_ASSERT_EQUAL(std::to_string(getpid()), inChild([this] { return holder(); }));
        }
        // The file is still there.
        CPPUNIT_ASSERT_EQUAL(std::string("none"), holder());
        std::filesystem::permissions(directory_.path(), std::filesystem::perms(0700));
        const std::string sentence = inChild([this] {
            becomeNobody();
            return holder();
        });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "Permission denied"));
    }

    void testExplainsWhatCannotBeADirectory() {
        std::ofstream(directory_.file("file")) << "x";
        for (const char* name : {"file", "file/below"}) {
            const std::string sentence = refusal([&] { const DirectoryLock lock(directory_.file(name)); });
            CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, directory_.file(name)));
            CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "Not a directory"));
        }
    }

    void testExplainsADirectoryItMayNotWrite() {
        std::filesystem::permissions(directory_.path(), std::filesystem::perms(0555));
        const std::string sentence = inChild([&] {
            becomeNobody();
            return second();
        });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, directory_.path()));
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "Permission denied"));
    }

private:
    std::string holder() {
        const auto process = DirectoryLock::holder(directory_.path());
        return process ? std::to_string(*process) : "none";
    }

    std::string second() {
        return refusal([&] { const DirectoryLock lock(directory_.path()); });
    }

    TemporaryDirectory directory_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(DirectoryLockTest);

}  // namespace sallyport::host::store
