#include "host/store/restore.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/new_file.h>

#include "host/store/backup.h"
#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

namespace {

constexpr const char* steps[] = {"copied", "checked", "set aside", "restored"};

}  // namespace

class RestoreTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RestoreTest);
    CPPUNIT_TEST(testPutsTheBackupInPlace);
    CPPUNIT_TEST(testRestoresIntoAnEmptyDirectory);
    CPPUNIT_TEST(testKeepsTheFormerDatabaseAndItsCompanions);
    CPPUNIT_TEST(testKeepsWhatTheFormerDatabaseHadOnlyInItsLog);
    CPPUNIT_TEST(testReplacesADamagedDatabaseAndItsLog);
    CPPUNIT_TEST(testTakesNoLogThatIsNotItsOwn);
    CPPUNIT_TEST(testRefusesWhatIsNoWholeBackup);
    CPPUNIT_TEST(testRefusesWhileADaemonRuns);
    CPPUNIT_TEST(testRefusesANewerBackupUnlessTold);
    CPPUNIT_TEST(testLeavesTheFormerDatabaseOnAFullDisk);
    CPPUNIT_TEST(testKilledAtAnyStepLeavesOneOrTheOther);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        TemporaryDirectory source;
        Database store({.file = source.file()}, log_);
        createTable(store);
        store.write(insertion(std::string("of the backup")));
        static_cast<void>(backUp(source.file(), backup_));
    }

    void testPutsTheBackupInPlace() {
        makePresent();
        std::vector<std::string> told;
        const Restored restored =
            restored_({.progress = [&told](std::string_view step) { told.emplace_back(step); }});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, restored.contents.rows.at("t"));
        CPPUNIT_ASSERT(told == std::vector<std::string>(std::begin(steps), std::end(steps)));
        CPPUNIT_ASSERT_EQUAL(std::string("of the backup"), present());
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, stat(directory_.file().c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, mode_t{status.st_mode & 07777});
    }

    void testRestoresIntoAnEmptyDirectory() {
        CPPUNIT_ASSERT_EQUAL(std::string(), restored_().former);
        CPPUNIT_ASSERT_EQUAL(std::string("of the backup"), present());
    }

    void testKeepsTheFormerDatabaseAndItsCompanions() {
        makePresent();
        std::ofstream(directory_.file("head")) << "of the former";
        std::ofstream(directory_.file("stays")) << "of both";
        const std::string first = restored_({.companions = {"head", "absent"}}).former;
        CPPUNIT_ASSERT_EQUAL(std::string("former"), valueIn(first + "/sallyport.db"));
        CPPUNIT_ASSERT_EQUAL(std::string("head sallyport.db"), namesIn(first));
        CPPUNIT_ASSERT(std::filesystem::exists(directory_.file("stays")));
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, stat(first.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0700}, mode_t{status.st_mode & 07777});
        // Within the same second, too.
        CPPUNIT_ASSERT(restored_().former != first);
        CPPUNIT_ASSERT_EQUAL(std::string("former"), valueIn(first + "/sallyport.db"));
    }

    void testKeepsWhatTheFormerDatabaseHadOnlyInItsLog() {
        makeCrashed();
        CPPUNIT_ASSERT(std::filesystem::file_size(directory_.file() + "-wal") > 0);
        const std::string former = restored_().former;
        CPPUNIT_ASSERT_EQUAL(std::string("of the backup"), present());
        CPPUNIT_ASSERT_EQUAL(std::string("former"), valueIn(former + "/sallyport.db"));
    }

    void testReplacesADamagedDatabaseAndItsLog() {
        makePresent();
        std::ofstream(directory_.file(), std::ios::binary) << std::string(8192, '\xa5');
        std::ofstream(directory_.file() + "-wal", std::ios::binary) << std::string(5000, '\x5a');
        const std::string former = restored_().former;
        CPPUNIT_ASSERT_EQUAL(std::string("of the backup"), present());
        CPPUNIT_ASSERT_EQUAL(std::uintmax_t{8192}, std::filesystem::file_size(former + "/sallyport.db"));
    }

    /// A database was removed by hand, and its log was not.
    void testTakesNoLogThatIsNotItsOwn() {
        makeCrashed();
        std::filesystem::remove(directory_.file());
        CPPUNIT_ASSERT_EQUAL(std::string(), restored_().former);
        CPPUNIT_ASSERT_EQUAL(std::string("of the backup"), present());
    }

    void testRefusesWhatIsNoWholeBackup() {
        makePresent();
        const auto whole = std::filesystem::file_size(backup_);
        for (const std::uintmax_t size : {std::uintmax_t{0}, std::uintmax_t{100}, whole / 2, whole - 1}) {
            std::filesystem::copy_file(backup_, places_.file("cut"),
                                       std::filesystem::copy_options::overwrite_existing);
            std::filesystem::resize_file(places_.file("cut"), size);
            assertRefused("cut", "cannot be used");
        }
        std::ofstream(places_.file("garbage")) << std::string(20'000, 'g');
        assertRefused("garbage", "is not an SQLite database");
        std::ofstream(places_.file("other.db"));
        DatabaseFile(places_.file("other.db"), DatabaseFile::Access::write).run("CREATE TABLE x (y)");
        assertRefused("other.db", "is no database of Sallyport's");
    }

    void testRefusesWhileADaemonRuns() {
        makePresent();
        const DirectoryLock daemon(directory_.path());
        assertRefused("backup.db", "is in use by another sallyportd");
    }

    void testRefusesANewerBackupUnlessTold() {
        makePresent();
        DatabaseFile(backup_, DatabaseFile::Access::write)
            .run("INSERT INTO schema_migrations (component, version, applied_at) VALUES ('t', 2, 0)");
        assertRefused("backup.db", "newer version (t schema 2, the database here has 1)");
        static_cast<void>(restored_({.allowNewer = true}));
        CPPUNIT_ASSERT_EQUAL(std::string("of the backup"), valueIn(directory_.file()));
        const std::string atStart = refusal([this] { static_cast<void>(present()); });
        CPPUNIT_ASSERT_MESSAGE(atStart, contains(atStart, "was written by a newer version"));
    }

    void testLeavesTheFormerDatabaseOnAFullDisk() {
        makePresent();
        const std::string sentence = inChild([this] {
            limitFileSize(8192);
            return refusal([this] { static_cast<void>(restored_()); });
        });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "cannot be copied"));
        CPPUNIT_ASSERT_EQUAL(std::string("former"), present());
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport.db sallyportd.lock"), namesIn(directory_.path()));
    }

    void testKilledAtAnyStepLeavesOneOrTheOther() {
        for (const std::string last : steps) {
            for (const bool crashed : {false, true}) {
                std::filesystem::remove_all(directory_.path());
                std::filesystem::create_directory(directory_.path());
                crashed ? makeCrashed() : makePresent();
                std::ofstream(directory_.file("head")) << "of the former";
                killedAfter(last);
                const std::string expected = last == "restored" ? "of the backup" : "former";
                CPPUNIT_ASSERT_EQUAL_MESSAGE(last, expected, present());
                // And it can be done again, with nothing left of the first time.
                static_cast<void>(restored_({.companions = {"head"}}));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(last, std::string("of the backup"), present());
                CPPUNIT_ASSERT_MESSAGE(namesIn(directory_.path()),
                                       !contains(namesIn(directory_.path()), NewFile::uniqueMark));
                assertOneName(last);
            }
        }
    }

private:
    void makePresent() {
        Database store({.file = directory_.file()}, log_);
        createTable(store);
        store.write(insertion(std::string("former")));
    }

    /// The same, with the row in the log alone.
    void makeCrashed() {
        CPPUNIT_ASSERT_EQUAL(std::string("written"), inChild([this] {
                                 testing::RecordingLog log;
                                 auto* const store = new Database({.file = directory_.file()}, log);
                                 createTable(*store);
                                 store->write(insertion(std::string("former")));
                                 return std::string("written");
                             }));
    }

    Restored restored_(const RestoreOptions& options = {}, const std::string& name = "backup.db") {
        const int file = ::open(places_.file(name).c_str(), O_RDONLY | O_CLOEXEC);
        CPPUNIT_ASSERT(file >= 0);
        try {
            Restored done = restore(file, places_.file(name), directory_.path(), options);
            ::close(file);
            return done;
        } catch (...) {
            ::close(file);
            throw;
        }
    }

    void assertRefused(const std::string& name, const std::string& why) {
        const std::string sentence = refusal([&] { static_cast<void>(restored_({}, name)); });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, why));
        CPPUNIT_ASSERT_EQUAL(std::string("former"), valueIn(directory_.file()));
        CPPUNIT_ASSERT_EQUAL(std::string("sallyport.db sallyportd.lock"), namesIn(directory_.path()));
    }

    /// In a process that ends there without any cleaning up.
    void killedAfter(const std::string& last) {
        const std::string answer = inChild([&] {
            static_cast<void>(restored_({.companions = {"head"}, .progress = [&](std::string_view step) {
                                             if (step == last) {
                                                 ::_exit(0);
                                             }
                                         }}));
            return std::string("not killed");
        });
        CPPUNIT_ASSERT_EQUAL(std::string(), answer);
    }

    /// A database with two names would be written to under one and read under the other.
    void assertOneName(const std::string& step) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
            if (entry.is_regular_file()) {
                CPPUNIT_ASSERT_EQUAL_MESSAGE(step + ": " + entry.path().string(), std::uintmax_t{1},
                                             entry.hard_link_count());
            }
        }
    }

    /// As the daemon would find it, and what it has.
    std::string present() {
        Database store({.file = directory_.file()}, log_);
        createTable(store);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, countRows(store));
        return store.query("SELECT v FROM t").at(0).text(0);
    }

    static std::string valueIn(const std::string& file) {
        return DatabaseFile(file, DatabaseFile::Access::still).run("SELECT v FROM t").at(0).text(0);
    }

    TemporaryDirectory directory_;
    TemporaryDirectory places_;
    const std::string backup_ = places_.file("backup.db");
    testing::RecordingLog log_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(RestoreTest);

}  // namespace sallyport::host::store
