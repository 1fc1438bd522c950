#include "host/store/database.h"

#include <array>
#include <csignal>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

/// What may go wrong around the database: the process dies, the disk is full, its files go away.
class DatabaseTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DatabaseTest);
    CPPUNIT_TEST(testWhatWasReportedDurableSurvivesAKill);
    CPPUNIT_TEST(testAFullDatabaseRefusesAndRecovers);
    CPPUNIT_TEST(testAFullDatabaseStillDeletes);
    CPPUNIT_TEST(testARaisedLimitMakesRoom);
    CPPUNIT_TEST(testAFullDiskRefusesAndRecovers);
    CPPUNIT_TEST(testADeletedFileIsNoticedBeforeAnythingIsAcknowledged);
    CPPUNIT_TEST(testAReplacedFileIsNoticedAndLeftAlone);
    CPPUNIT_TEST(testADeletedLogIsNoticed);
    CPPUNIT_TEST(testADirectoryThatWasMovedAndPutBackGoesOn);
    CPPUNIT_TEST_SUITE_END();

public:
    void testWhatWasReportedDurableSurvivesAKill() {
        { createTable(*std::make_unique<Database>(options(), log_)); }
        const std::vector<std::int64_t> acknowledged = writeUntilKilled(500);
        CPPUNIT_ASSERT(acknowledged.size() >= 500);

        Database database(options(), log_);
        const Row row = database.query("SELECT count(*), count(DISTINCT v) FROM t").at(0);
        CPPUNIT_ASSERT_EQUAL(row.integer(0), row.integer(1));
        std::set<std::int64_t> stored;
        for (const Row& each : database.query("SELECT v FROM t")) {
            stored.insert(each.integer(0));
        }
        for (const std::int64_t value : acknowledged) {
            CPPUNIT_ASSERT(stored.contains(value));
        }
        database.write(insertion(std::int64_t{-1}));
    }

    void testAFullDatabaseRefusesAndRecovers() {
        Database database(options(smallest), log_);
        createTable(database);
        const std::int64_t acknowledged = fill(database);
        CPPUNIT_ASSERT(acknowledged > 0);
        CPPUNIT_ASSERT_EQUAL(acknowledged, countRows(database));
        CPPUNIT_ASSERT(!database.healthy());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, fill(database));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("cannot be written"));

        database.write([](Transaction& transaction) { transaction.execute("DELETE FROM t WHERE id > 10"); });
        CPPUNIT_ASSERT(database.healthy());
        database.write(insertion(big));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{11}, countRows(database));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("can be written again"));
    }

    void testAFullDatabaseStillDeletes() {
        // In one group: the deletion makes room for what comes after it, not for what comes before.
        Database database(options(smallest), log_);
        createTable(database);
        fill(database);
        Blockade blockade(database);
        auto before = submitted(database, insertion(big));
        auto deletion = submitted(database, [](Transaction& t) { t.execute("DELETE FROM t WHERE id > 1"); });
        auto after = submitted(database, insertion(big));
        blockade.lift();
        CPPUNIT_ASSERT_THROW(before->await(), StoreError);
        deletion->await();
        after->await();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, countRows(database));
    }

    void testARaisedLimitMakesRoom() {
        std::int64_t acknowledged = 0;
        {
            Database database(options(smallest), log_);
            createTable(database);
            acknowledged = fill(database);
        }
        Database database(options(4 * smallest), log_);
        CPPUNIT_ASSERT_EQUAL(acknowledged, countRows(database));
        database.write(insertion(big));
        CPPUNIT_ASSERT_EQUAL(acknowledged + 1, countRows(database));
    }

    void testAFullDiskRefusesAndRecovers() {
        const std::string verdict = inChild([&]() -> std::string {
            Database database(options(), log_);
            createTable(database);
            limitFileSize(smallest);
            const std::int64_t acknowledged = fill(database);
            if (acknowledged == 0 || database.healthy() || countRows(database) != acknowledged) {
                return "something acknowledged is not there, or something else is";
            }
            limitFileSize(16 * smallest);
            database.write(insertion(big));
            if (!database.healthy() || countRows(database) != acknowledged + 1) {
                return "it does not recover";
            }
            return "as it should";
        });
        CPPUNIT_ASSERT_EQUAL(std::string("as it should"), verdict);
        Database database(options(), log_);
        CPPUNIT_ASSERT(countRows(database) > 1);
    }

    void testADeletedFileIsNoticedBeforeAnythingIsAcknowledged() {
        Database database(options(), log_);
        createTable(database);
        database.write(insertion(std::int64_t{1}));
        std::filesystem::remove(directory_.file());
        const std::string sentence = refusal([&] { database.write(insertion(std::int64_t{2})); });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "was deleted while the daemon runs"));
        CPPUNIT_ASSERT_EQUAL(sentence, database.trouble().value_or("none"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("cannot be written"));
        // Reading must not make an empty database in its place.
        CPPUNIT_ASSERT_THROW(static_cast<void>(countRows(database)), StoreError);
        CPPUNIT_ASSERT(!std::filesystem::exists(directory_.file()));
    }

    void testAReplacedFileIsNoticedAndLeftAlone() {
        const std::string other = directory_.file("other.db");
        { createTable(*std::make_unique<Database>(Database::Options{.file = other}, log_)); }
        Database database(options(), log_);
        createTable(database);
        std::filesystem::rename(other, directory_.file());
        const std::string sentence = refusal([&] { database.write(insertion(std::int64_t{2})); });
        CPPUNIT_ASSERT_MESSAGE(sentence, contains(sentence, "was replaced while the daemon runs"));
        CPPUNIT_ASSERT_THROW(static_cast<void>(countRows(database)), StoreError);
    }

    /// What is in the log and not in the file yet would be gone with the process.
    void testADeletedLogIsNoticed() {
        Database database(options(), log_);
        createTable(database);
        std::filesystem::remove(directory_.file() + "-wal");
        CPPUNIT_ASSERT_THROW(database.write(insertion(std::int64_t{1})), StoreError);
        CPPUNIT_ASSERT(!database.healthy());
    }

    void testADirectoryThatWasMovedAndPutBackGoesOn() {
        const std::string home = directory_.file("home");
        std::filesystem::create_directory(home);
        Database database({.file = home + "/sallyport.db"}, log_);
        createTable(database);
        std::filesystem::rename(home, directory_.file("elsewhere"));
        CPPUNIT_ASSERT_THROW(database.write(insertion(std::int64_t{1})), StoreError);
        std::filesystem::rename(directory_.file("elsewhere"), home);
        database.write(insertion(std::int64_t{2}));
        CPPUNIT_ASSERT(database.healthy());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, countRows(database));
    }

private:
    static constexpr std::size_t smallest = 256U << 10U;
    inline static const std::string big = std::string(3000, 'b');

    Database::Options options(std::size_t maxBytes = 0) {
        return {.file = directory_.file(), .maxBytes = maxBytes};
    }

    /// Writes until it is refused. @return how many writes were acknowledged.
    static std::int64_t fill(Database& database) {
        for (std::int64_t acknowledged = 0;; ++acknowledged) {
            try {
                database.write(insertion(big));
            } catch (const StoreError&) {
                return acknowledged;
            }
        }
    }

    /// Has a process write from many threads, and kills it once it has acknowledged `enough` of it.
    /// @return all that it acknowledged.
    std::vector<std::int64_t> writeUntilKilled(std::size_t enough) {
        std::array<int, 2> ends{};
        CPPUNIT_ASSERT_EQUAL(0, pipe(ends.data()));
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            writeForEver(ends[1]);
        }
        close(ends[1]);
        std::vector<std::int64_t> acknowledged;
        for (std::int64_t value = 0; read(ends[0], &value, sizeof(value)) == sizeof(value);) {
            acknowledged.push_back(value);
            if (acknowledged.size() == enough) {
                kill(child, SIGKILL);
            }
        }
        close(ends[0]);
        waitpid(child, nullptr, 0);
        return acknowledged;
    }

    [[noreturn]] void writeForEver(int out) {
        Database database(options(), log_);
        std::vector<std::thread> threads;
        for (std::int64_t thread = 0; thread < 8; ++thread) {
            threads.emplace_back([&database, out, thread] {
                for (std::int64_t value = thread;; value += 8) {
                    database.write(insertion(value));
                    if (write(out, &value, sizeof(value)) != sizeof(value)) {
                        _exit(1);
                    }
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        _exit(1);
    }

    TemporaryDirectory directory_;
    testing::RecordingLog log_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(DatabaseTest);

}  // namespace sallyport::host::store
