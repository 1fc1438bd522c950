#include "host/store/backup.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class BackupTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BackupTest);
    CPPUNIT_TEST(testIsAWholeDatabaseInOneFile);
    CPPUNIT_TEST(testHoldsWhatWasCommittedBeforeItBegan);
    CPPUNIT_TEST(testIsOfOneMomentWhileOthersWrite);
    CPPUNIT_TEST(testBringsInTheLogOfACrash);
    CPPUNIT_TEST(testLeavesNothingBesideADatabaseAtRest);
    CPPUNIT_TEST(testReadsADatabaseThatItMayNotWrite);
    CPPUNIT_TEST(testReplacesNothingUnlessTold);
    CPPUNIT_TEST(testRefusesADamagedDatabaseAndKeepsTheEarlierBackup);
    CPPUNIT_TEST(testRefusesAnotherApplicationsDatabase);
    CPPUNIT_TEST(testLeavesNoHalfOfItOnAFullDisk);
    CPPUNIT_TEST(testLeavesNothingWhenItIsStopped);
    CPPUNIT_TEST(testSaysWhatItCannotOpen);
    CPPUNIT_TEST_SUITE_END();

public:
    void testIsAWholeDatabaseInOneFile() {
        Database store({.file = directory_.file()}, log_);
        createTable(store);
        store.write(insertion(std::string("kept")));
        const Contents contents = backUp(directory_.file(), target_);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, contents.rows.at("t"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, contents.schema.at("t"));
        CPPUNIT_ASSERT(verify(target_) == contents);
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, stat(target_.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, mode_t{status.st_mode & 07777});
        CPPUNIT_ASSERT_EQUAL(std::string("backup.db"), namesIn(places_.path()));
        // It can be read where nothing can be written, because it does not want a log beside it.
        DatabaseFile copy(target_, DatabaseFile::Access::read);
        CPPUNIT_ASSERT_EQUAL(std::string("delete"), copy.run("PRAGMA journal_mode").at(0).text(0));
    }

    void testHoldsWhatWasCommittedBeforeItBegan() {
        Database store({.file = directory_.file()}, log_);
        createTable(store);
        for (std::int64_t i = 0; i < 3000; ++i) {
            store.submit(insertion(i), [](const std::exception_ptr&) {});
        }
        store.write(insertion(std::string("last")));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3001}, backUp(directory_.file(), target_).rows.at("t"));
    }

    /// Two rows are written in each transaction, and the pages are copied in several steps.
    void testIsOfOneMomentWhileOthersWrite() {
        Database store({.file = directory_.file()}, log_);
        createTable(store);
        store.write(insertion(std::string(16U << 20U, 'x')));
        store.write(insertion(std::string("second of the first pair")));
        std::int64_t steps = 0;
        const auto writeMore = [&](std::int64_t, std::int64_t) {
            store.write([](Transaction& transaction) {
                transaction.insert("INSERT INTO t (v) VALUES (?)", {std::string(100'000, 'y')});
                transaction.insert("INSERT INTO t (v) VALUES (?)", {std::string("z")});
            });
            ++steps;
            return true;
        };
        const Contents contents = backUp(directory_.file(), target_, {.progress = writeMore});
        CPPUNIT_ASSERT(steps > 1);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, contents.rows.at("t"));
        CPPUNIT_ASSERT_EQUAL(2 + 2 * steps, countRows(store));
    }

    void testBringsInTheLogOfACrash() {
        CPPUNIT_ASSERT_EQUAL(std::string("written"), inChild([this] {
                                 testing::RecordingLog log;
                                 // Never closed, as when the process is killed.
                                 auto* const store = new Database({.file = directory_.file()}, log);
                                 createTable(*store);
                                 store->write(insertion(std::string("only in the log")));
                                 return std::string("written");
                             }));
        CPPUNIT_ASSERT(std::filesystem::file_size(directory_.file() + "-wal") > 0);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, backUp(directory_.file(), target_).rows.at("t"));
    }

    void testLeavesNothingBesideADatabaseAtRest() {
        makeDatabase();
        static_cast<void>(backUp(directory_.file(), target_));
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport.db"), namesIn(directory_.path()));
    }

    void testReadsADatabaseThatItMayNotWrite() {
        const Database store({.file = directory_.file()}, log_);
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::permissions(directory_.file() + suffix, std::filesystem::perms(0644));
        }
        std::filesystem::permissions(places_.path(), std::filesystem::perms(0777));
        CPPUNIT_ASSERT_EQUAL(std::string("made"), inChild([this] {
                                 becomeNobody();
                                 static_cast<void>(backUp(directory_.file(), target_));
                                 return std::string("made");
                             }));
    }

    void testReplacesNothingUnlessTold() {
        makeDatabase();
        std::ofstream(target_) << "precious";
        const std::string sentence =
            refusal([this] { static_cast<void>(backUp(directory_.file(), target_)); });
        CPPUNIT_ASSERT_EQUAL("\"" + target_ + "\" is there already", sentence);
        std::string line;
        std::getline(std::ifstream(target_), line);
        CPPUNIT_ASSERT_EQUAL(std::string("precious"), line);
        static_cast<void>(backUp(directory_.file(), target_, {.replace = true}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, verify(target_).rows.at("t"));
    }

    void testRefusesADamagedDatabaseAndKeepsTheEarlierBackup() {
        makeDatabase();
        static_cast<void>(backUp(directory_.file(), target_));
        {
            std::fstream file(directory_.file(), std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(4096);
            file << std::string(8192, '\xa5');
        }
        const std::string sentence =
            refusal([this] { static_cast<void>(backUp(directory_.file(), target_, {.replace = true})); });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "damaged"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, verify(target_).rows.at("t"));
        CPPUNIT_ASSERT_EQUAL(std::string("backup.db"), namesIn(places_.path()));
    }

    void testRefusesAnotherApplicationsDatabase() {
        {
            std::ofstream(directory_.file("other.db"));
            DatabaseFile(directory_.file("other.db"), DatabaseFile::Access::write).run("CREATE TABLE x (y)");
        }
        const std::string sentence =
            refusal([this] { static_cast<void>(backUp(directory_.file("other.db"), target_)); });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "is no database of Sallyport's"));
        CPPUNIT_ASSERT_EQUAL(std::string(), namesIn(places_.path()));
    }

    void testLeavesNoHalfOfItOnAFullDisk() {
        makeDatabase();
        const std::string sentence = inChild([this] {
            limitFileSize(8192);
            return refusal([this] { static_cast<void>(backUp(directory_.file(), target_)); });
        });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, target_));
        CPPUNIT_ASSERT_EQUAL(std::string(), namesIn(places_.path()));
    }

    void testLeavesNothingWhenItIsStopped() {
        {
            Database store({.file = directory_.file()}, log_);
            createTable(store);
            store.write(insertion(std::string(8U << 20U, 'x')));
        }
        const BackupOptions options{.progress = [](std::int64_t, std::int64_t) { return false; }};
        CPPUNIT_ASSERT_THROW(static_cast<void>(backUp(directory_.file(), target_, options)), BackupStopped);
        CPPUNIT_ASSERT_EQUAL(std::string(), namesIn(places_.path()));
    }

    void testSaysWhatItCannotOpen() {
        const std::string missing =
            refusal([this] { static_cast<void>(backUp(directory_.file("none.db"), target_)); });
        CPPUNIT_ASSERT_MESSAGE(missing, contains(missing, "none.db"));
        makeDatabase();
        const std::string nowhere = refusal(
            [this] { static_cast<void>(backUp(directory_.file(), places_.file("no/such/directory"))); });
        CPPUNIT_ASSERT_MESSAGE(nowhere, contains(nowhere, "cannot be created: No such file or directory"));
    }

private:
    void makeDatabase() {
        Database store({.file = directory_.file()}, log_);
        createTable(store);
        store.write(insertion(std::string(20'000, 'x')));
        store.write(insertion(std::string("y")));
    }

    TemporaryDirectory directory_;
    TemporaryDirectory places_;
    const std::string target_ = places_.file("backup.db");
    testing::RecordingLog log_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(BackupTest);

}  // namespace sallyport::host::store
