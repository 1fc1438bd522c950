#include "host/store/opening.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class OpeningTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OpeningTest);
    CPPUNIT_TEST(testCreatesAFileForTheOwnerOnly);
    CPPUNIT_TEST(testSetsWhatDurabilityNeeds);
    CPPUNIT_TEST(testOpensAnEmptyFile);
    CPPUNIT_TEST(testExplainsAMissingDirectory);
    CPPUNIT_TEST(testExplainsAnUnwritableDirectory);
    CPPUNIT_TEST(testExplainsAnUnreadableFile);
    CPPUNIT_TEST(testExplainsAReadOnlyFile);
    CPPUNIT_TEST(testExplainsAFileThatIsNone);
    CPPUNIT_TEST(testExplainsALockedDatabase);
    CPPUNIT_TEST(testExplainsALockOnAllOfIt);
    CPPUNIT_TEST(testExplainsWhatIsNoDatabase);
    CPPUNIT_TEST(testExplainsADamagedDatabase);
    CPPUNIT_TEST(testExplainsATruncatedDatabase);
    CPPUNIT_TEST(testLeavesTheDatabaseOfAnotherApplicationAlone);
    CPPUNIT_TEST(testKnowsAnotherApplicationByItsNumber);
    CPPUNIT_TEST(testExplainsAFullDatabase);
    CPPUNIT_TEST_SUITE_END();

public:
    void testCreatesAFileForTheOwnerOnly() {
        const auto connection = opened();
        connection->run("CREATE TABLE t (v)");
        for (const char* suffix : {"", "-wal", "-shm"}) {
            struct stat status {};
            CPPUNIT_ASSERT_EQUAL(0, stat((directory_.file() + suffix).c_str(), &status));
            CPPUNIT_ASSERT_EQUAL(mode_t{0600}, mode_t{status.st_mode & 07777});
        }
    }

    void testSetsWhatDurabilityNeeds() {
        const auto connection = opened();
        CPPUNIT_ASSERT_EQUAL(std::string("wal"), connection->run("PRAGMA journal_mode").at(0).text(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, connection->run("PRAGMA synchronous").at(0).integer(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, connection->run("PRAGMA foreign_keys").at(0).integer(0));
    }

    void testOpensAnEmptyFile() {
        write("");
        opened()->run("CREATE TABLE t (v)");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, opened()->run("SELECT count(*) FROM t").at(0).integer(0));
    }

    void testExplainsAMissingDirectory() {
        const std::string sentence = refusal([&] { opened(directory_.file("nowhere/sallyport.db")); });
        CPPUNIT_ASSERT_EQUAL(
            "the directory \"" + directory_.file("nowhere") + "\" for the database does not exist", sentence);
    }

    void testExplainsAnUnwritableDirectory() {
        std::filesystem::permissions(directory_.path(), std::filesystem::perms(0555));
        const std::string sentence = asNobody();
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "the directory \"" + directory_.path() +
                                                                "\" for the database cannot be written"));
    }

    void testExplainsAnUnreadableFile() {
        opened();
        std::filesystem::permissions(directory_.path(), std::filesystem::perms(0777));
        std::filesystem::permissions(directory_.file(), std::filesystem::perms(0));
        expect(asNobody(), "cannot be read");
    }

    void testExplainsAReadOnlyFile() {
        opened();
        std::filesystem::permissions(directory_.path(), std::filesystem::perms(0777));
        std::filesystem::permissions(directory_.file(), std::filesystem::perms(0444));
        expect(asNobody(), "is read-only");
    }

    void testExplainsAFileThatIsNone() {
        std::filesystem::create_directory(directory_.file());
        expect(refusal([&] { opened(); }), "is no regular file");
    }

    void testExplainsALockedDatabase() {
        opened();
        SqlConnection other(directory_.file(), std::chrono::milliseconds(0));
        other.run("BEGIN IMMEDIATE");
        expect(refusal([&] { opened(); }), "is locked by another process");
        other.run("COMMIT");
        opened();
    }

    void testExplainsALockOnAllOfIt() {
        opened();
        SqlConnection other(directory_.file(), std::chrono::milliseconds(0));
        other.run("PRAGMA locking_mode = EXCLUSIVE");
        other.run("CREATE TABLE t (v)");
        expect(refusal([&] { opened(); }), "is locked by another process");
    }

    void testExplainsWhatIsNoDatabase() {
        write(std::string(8192, 'x'));
        expect(refusal([&] { opened(); }), "is not an SQLite database");
    }

    void testExplainsADamagedDatabase() {
        fill();
        std::fstream file(directory_.file(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(20480);
        file << std::string(4096, '\x55');
        file.close();
        expect(refusal([&] { opened(); }), "is damaged");
    }

    void testExplainsATruncatedDatabase() {
        fill();
        std::filesystem::resize_file(directory_.file(), 12288);
        expect(refusal([&] { opened(); }), "is damaged");
    }

    void testLeavesTheDatabaseOfAnotherApplicationAlone() {
        SqlConnection(directory_.file(), std::chrono::milliseconds(0)).run("CREATE TABLE theirs (v)");
        expect(refusal([&] { opened(); }), "belongs to another application");
        SqlConnection other(directory_.file(), std::chrono::milliseconds(0));
        CPPUNIT_ASSERT_EQUAL(std::string("delete"), other.run("PRAGMA journal_mode").at(0).text(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, other.run("PRAGMA application_id").at(0).integer(0));
    }

    void testKnowsAnotherApplicationByItsNumber() {
        SqlConnection(directory_.file(), std::chrono::milliseconds(0)).run("PRAGMA application_id = 42");
        expect(refusal([&] { opened(); }), "belongs to another application");
    }

    void testExplainsAFullDatabase() {
        // A new database cannot take its first page where no file may grow.
        expect(inChild([&]() -> std::string {
                   limitFileSize(0);
                   opened();
                   return "opened";
               }),
               "the database \"" + directory_.file() + "\" cannot be");
    }

private:
    std::unique_ptr<SqlConnection> opened(const std::string& file) {
        return openDatabase(file, sqlite(), 0, std::chrono::milliseconds(10));
    }
    std::unique_ptr<SqlConnection> opened() { return opened(directory_.file()); }

    std::string asNobody() {
        return inChild([&]() -> std::string {
            becomeNobody();
            opened();
            return "opened";
        });
    }

    void expect(const std::string& sentence, const std::string& part) {
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, part));
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, directory_.file()));
    }

    void write(const std::string& bytes) { std::ofstream(directory_.file(), std::ios::binary) << bytes; }

    /// A database of many pages, all of them in its one file.
    void fill() {
        const auto connection = opened();
        connection->run("CREATE TABLE t (v)");
        connection->run("BEGIN");
        for (int row = 0; row < 1000; ++row) {
            connection->run("INSERT INTO t (v) VALUES (?)", {std::string(200, 'v')});
        }
        connection->run("COMMIT");
        connection->run("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    TemporaryDirectory directory_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(OpeningTest);

}  // namespace sallyport::host::store
