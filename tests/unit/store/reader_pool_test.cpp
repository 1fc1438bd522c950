#include "host/store/reader_pool.h"

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class ReaderPoolTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReaderPoolTest);
    CPPUNIT_TEST(testReadersOnlyRead);
    CPPUNIT_TEST(testAFailedReadIsAnErrorOfItsOwn);
    CPPUNIT_TEST(testMoreThreadsThanConnections);
    CPPUNIT_TEST(testReadersSeeWholeTransactions);
    CPPUNIT_TEST(testABrokenConnectionIsReplaced);
    CPPUNIT_TEST(testAConnectionThatCannotBeOpenedIsAnError);
    CPPUNIT_TEST(testAClosedPoolRefuses);
    CPPUNIT_TEST_SUITE_END();

public:
    void testReadersOnlyRead() {
        Database database({.file = directory_.file()}, log_);
        createTable(database);
        CPPUNIT_ASSERT_THROW(static_cast<void>(database.query("INSERT INTO t (v) VALUES (1)")), StoreError);
        CPPUNIT_ASSERT_THROW(static_cast<void>(database.query("DROP TABLE t")), StoreError);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, countRows(database));
    }

    void testAFailedReadIsAnErrorOfItsOwn() {
        Database database({.file = directory_.file(), .readers = 1}, log_);
        createTable(database);
        for (int round = 0; round < 3; ++round) {
            CPPUNIT_ASSERT_THROW(static_cast<void>(database.query("SELECT missing")), StoreError);
            CPPUNIT_ASSERT_THROW(static_cast<void>(database.query("SELECT ?")), std::invalid_argument);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, countRows(database));
        }
        CPPUNIT_ASSERT(database.healthy());
    }

    void testMoreThreadsThanConnections() {
        Database database({.file = directory_.file(), .readers = 2}, log_);
        createTable(database);
        std::atomic<int> answers = 0;
        std::vector<std::thread> threads;
        threads.reserve(8);
        for (int thread = 0; thread < 8; ++thread) {
            threads.emplace_back([&] {
                for (int round = 0; round < 50; ++round) {
                    answers += countRows(database) == 0 ? 1 : 0;
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CPPUNIT_ASSERT_EQUAL(400, answers.load());
    }

    void testReadersSeeWholeTransactions() {
        Database database({.file = directory_.file()}, log_);
        createTable(database);
        std::atomic<bool> over = false;
        std::atomic<int> halves = 0;
        std::vector<std::thread> readers;
        readers.reserve(3);
        for (int thread = 0; thread < 3; ++thread) {
            readers.emplace_back([&] {
                std::int64_t before = 0;
                while (!over) {
                    const std::int64_t rows = countRows(database);
                    halves += rows % 2 != 0 || rows < before ? 1 : 0;
                    before = rows;
                }
            });
        }
        for (int round = 0; round < 300; ++round) {
            database.write([](Transaction& transaction) {
                transaction.insert("INSERT INTO t (v) VALUES (1)");
                transaction.insert("INSERT INTO t (v) VALUES (2)");
            });
        }
        over = true;
        for (std::thread& reader : readers) {
            reader.join();
        }
        CPPUNIT_ASSERT_EQUAL(0, halves.load());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{600}, countRows(database));
    }

    void testABrokenConnectionIsReplaced() {
        {
            Database database({.file = directory_.file()}, log_);
            createTable(database);
            database.write(insertion(std::int64_t{7}));
        }
        const FileIdentity identity(directory_.file());
        ReaderPool pool(directory_.file(), sqlite(), identity, 1, std::chrono::milliseconds(10), metrics_);
        const std::int64_t page =
            pool.query("SELECT rootpage FROM sqlite_schema WHERE name = 't'", {}).at(0).integer(0);
        std::fstream file(directory_.file(), std::ios::in | std::ios::out | std::ios::binary);
        const std::string whole = exchange(file, page, std::string(4096, '\x55'));
        CPPUNIT_ASSERT_THROW(static_cast<void>(pool.query("SELECT v FROM t", {})), StoreError);
        exchange(file, page, whole);
        // The same connection would still have the damaged page in its cache.
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, pool.query("SELECT v FROM t", {}).at(0).integer(0));
    }

    void testAConnectionThatCannotBeOpenedIsAnError() {
        const FileIdentity identity(directory_.path());
        ReaderPool pool(directory_.path(), sqlite(), identity, 1, std::chrono::milliseconds(10), metrics_);
        for (int round = 0; round < 2; ++round) {
            CPPUNIT_ASSERT_THROW(static_cast<void>(pool.query("SELECT 1", {})), StoreError);
        }
    }

    void testAClosedPoolRefuses() {
        const FileIdentity identity(directory_.file());
        ReaderPool pool(directory_.file(), sqlite(), identity, 1, std::chrono::milliseconds(10), metrics_);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, pool.query("SELECT 1", {}).at(0).integer(0));
        pool.close();
        CPPUNIT_ASSERT_THROW(static_cast<void>(pool.query("SELECT 1", {})), StoreError);
    }

private:
    /// Puts `bytes` in the place of a page. @return what stood there.
    static std::string exchange(std::fstream& file, std::int64_t page, const std::string& bytes) {
        std::string old(bytes.size(), '\0');
        file.seekg((page - 1) * 4096);
        file.read(old.data(), static_cast<std::streamsize>(old.size()));
        file.seekp((page - 1) * 4096);
        file << bytes << std::flush;
        return old;
    }

    TemporaryDirectory directory_;
    testing::RecordingLog log_;
    StoreMetrics metrics_{nullptr};
};

CPPUNIT_TEST_SUITE_REGISTRATION(ReaderPoolTest);

}  // namespace sallyport::host::store
