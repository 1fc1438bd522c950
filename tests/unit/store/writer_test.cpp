#include "host/store/writer.h"

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class WriterTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WriterTest);
    CPPUNIT_TEST(testInsertReturnsTheKeyAndZeroForNothing);
    CPPUNIT_TEST(testAWorkSeesWhatItDid);
    CPPUNIT_TEST(testWriteThrowsWhatItsWorkThrew);
    CPPUNIT_TEST(testAWriteThatFailsLeavesNothingBehind);
    CPPUNIT_TEST(testBadWorksDoNotHarmTheirGroup);
    CPPUNIT_TEST(testAConstraintCheckedAtTheEndHarmsNoOther);
    CPPUNIT_TEST(testCallbacksComeInTheOrderOfTheWrites);
    CPPUNIT_TEST(testWhatIsReportedCanBeRead);
    CPPUNIT_TEST(testAGroupIsOneTransaction);
    CPPUNIT_TEST(testGroupsAreBounded);
    CPPUNIT_TEST(testAJobWithManyWritesDelaysNoOther);
    CPPUNIT_TEST(testAFullQueueRefuses);
    CPPUNIT_TEST(testAThrowingCallbackIsLogged);
    CPPUNIT_TEST(testWritingOnTheWritersThreadIsAMistake);
    CPPUNIT_TEST(testAWorkThatEndsItsTransactionFails);
    CPPUNIT_TEST(testWorksAreGoneWhenTheirOutcomeIsKnown);
    CPPUNIT_TEST(testManyThreadsWrite);
    CPPUNIT_TEST(testCloseCommitsWhatIsQueued);
    CPPUNIT_TEST(testCloseLeavesOneFile);
    CPPUNIT_TEST(testALockOfAnotherIsAnErrorAndPasses);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        reopen({.file = directory_.file()});
        createTable(*database_);
    }

    void tearDown() override { database_.reset(); }

    void testInsertReturnsTheKeyAndZeroForNothing() {
        std::int64_t key = 0;
        std::int64_t none = -1;
        database_->write([&](Transaction& transaction) {
            key = transaction.insert("INSERT INTO t (v) VALUES (1)");
            none = transaction.insert("INSERT OR IGNORE INTO t (id, v) VALUES (?, 2)", {key});
        });
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, key);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, none);
    }

    void testAWorkSeesWhatItDid() {
        std::int64_t seen = 0;
        database_->write([&](Transaction& transaction) {
            transaction.insert("INSERT INTO t (v) VALUES (1)");
            seen = transaction.query("SELECT count(*) FROM t").at(0).integer(0);
        });
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, seen);
    }

    void testWriteThrowsWhatItsWorkThrew() {
        CPPUNIT_ASSERT_THROW(database_->write(failure), std::range_error);
        CPPUNIT_ASSERT_THROW(
            database_->write([](Transaction& transaction) { transaction.execute("NONSENSE"); }), StoreError);
        CPPUNIT_ASSERT(database_->healthy());
        database_->write(insertion(std::int64_t{1}));
    }

    void testAWriteThatFailsLeavesNothingBehind() {
        CPPUNIT_ASSERT_THROW(database_->write([](Transaction& transaction) {
            transaction.insert("INSERT INTO t (v) VALUES (1)");
            throw std::range_error("late");
        }),
                             std::range_error);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, countRows(*database_));
    }

    void testBadWorksDoNotHarmTheirGroup() {
        Blockade blockade(*database_);
        auto first = submitted(*database_, insertion(std::int64_t{1}));
        auto bad = submitted(*database_, [](Transaction& transaction) {
            transaction.insert("INSERT INTO t (v) VALUES (666)");
            throw std::range_error("bad");
        });
        auto second = submitted(*database_, insertion(std::int64_t{2}));
        auto worse = submitted(*database_, [](Transaction& transaction) { transaction.execute("NONSENSE"); });
        std::int64_t committedBefore = -1;
        auto third = submitted(*database_, [&](Transaction& transaction) {
            transaction.insert("INSERT INTO t (v) VALUES (3)");
            committedBefore = countRows(*database_);
        });
        blockade.lift();

        first->await();
        CPPUNIT_ASSERT_THROW(bad->await(), std::range_error);
        second->await();
        CPPUNIT_ASSERT_THROW(worse->await(), StoreError);
        third->await();
        CPPUNIT_ASSERT_EQUAL(std::string("1,2,3"), values());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the disk was asked more than once", std::int64_t{0}, committedBefore);
        CPPUNIT_ASSERT(database_->healthy());
    }

    void testAConstraintCheckedAtTheEndHarmsNoOther() {
        database_->migrate(
            "u", {{1, {"CREATE TABLE u (t BIGINT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)"}}});
        Blockade blockade(*database_);
        auto first = submitted(*database_, insertion(std::int64_t{1}));
        auto orphan = submitted(*database_, [](Transaction& transaction) {
            transaction.execute("INSERT INTO u (t) VALUES (99)");
        });
        auto second = submitted(*database_, insertion(std::int64_t{2}));
        blockade.lift();

        first->await();
        CPPUNIT_ASSERT_THROW(orphan->await(), StoreError);
        second->await();
        CPPUNIT_ASSERT_EQUAL(std::string("1,2"), values());
    }

    void testCallbacksComeInTheOrderOfTheWrites() {
        constexpr int writes = 1000;
        std::vector<int> order;
        for (int write = 0; write < writes; ++write) {
            // Every seventh fails, so that groups are run again, too.
            database_->submit(write % 7 == 0 ? Store::Work(failure) : insertion(std::int64_t{write}),
                              [&order, write](const std::exception_ptr& error) {
                                  order.push_back((write % 7 == 0) == (error != nullptr) ? write : -1);
                              });
        }
        database_->write([](Transaction&) {});
        CPPUNIT_ASSERT_EQUAL(std::size_t{writes}, order.size());
        for (int write = 0; write < writes; ++write) {
            CPPUNIT_ASSERT_EQUAL(write, order[static_cast<std::size_t>(write)]);
        }
    }

    void testWhatIsReportedCanBeRead() {
        for (std::int64_t row = 1; row <= 50; ++row) {
            database_->write(insertion(row));
            CPPUNIT_ASSERT_EQUAL(row, countRows(*database_));
        }
    }

    void testAGroupIsOneTransaction() {
        // The first callback of a group already sees the rows of the last.
        std::int64_t seen = 0;
        {
            Blockade blockade(*database_);
            database_->submit(insertion(std::int64_t{1}),
                              [&](const std::exception_ptr&) { seen = countRows(*database_); });
            database_->submit(insertion(std::int64_t{2}), [](const std::exception_ptr&) {});
        }
        database_->write([](Transaction&) {});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, seen);
    }

    void testGroupsAreBounded() {
        reopen({.file = directory_.file(), .group = 2});
        std::int64_t seen = 0;
        {
            Blockade blockade(*database_);
            database_->submit(insertion(std::int64_t{1}),
                              [&](const std::exception_ptr&) { seen = countRows(*database_); });
            for (std::int64_t value = 2; value <= 5; ++value) {
                database_->submit(insertion(value), [](const std::exception_ptr&) {});
            }
        }
        database_->write([](Transaction&) {});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, seen);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, countRows(*database_));
    }

    void testAJobWithManyWritesDelaysNoOther() {
        reopen({.file = directory_.file(), .groupBytes = 100'000});
        const JobId greedy = JobId::random();
        const JobId modest = JobId::random();
        std::int64_t before = -1;
        std::shared_ptr<Outcome> single;
        {
            Blockade blockade(*database_);
            {
                const OnBehalfOf working({greedy, 10'000});
                for (std::int64_t value = 0; value < 1000; ++value) {
                    database_->submit(insertion(value), [](const std::exception_ptr&) {});
                }
            }
            const OnBehalfOf working({modest, 200});
            single = submitted(*database_, [&](Transaction& transaction) {
                before = transaction.query("SELECT count(*) FROM t").at(0).integer(0);
            });
        }
        single->await();
        CPPUNIT_ASSERT_MESSAGE(std::to_string(before) + " came first", before < 20);
        database_->write([](Transaction&) {});
    }

    void testAFullQueueRefuses() {
        reopen({.file = directory_.file(), .queue = 3});
        Blockade blockade(*database_);
        std::vector<std::shared_ptr<Outcome>> accepted;
        accepted.reserve(3);
        for (int write = 0; write < 3; ++write) {
            accepted.push_back(submitted(*database_, insertion(std::int64_t{write})));
        }
        bool called = false;
        CPPUNIT_ASSERT_THROW(
            database_->submit(insertion(std::int64_t{9}), [&](const std::exception_ptr&) { called = true; }),
            StoreError);
        blockade.lift();
        for (const auto& outcome : accepted) {
            outcome->await();
        }
        database_->write(insertion(std::int64_t{3}));
        CPPUNIT_ASSERT(!called);
        CPPUNIT_ASSERT_EQUAL(std::string("0,1,2,3"), values());
    }

    void testAThrowingCallbackIsLogged() {
        database_->submit(insertion(std::int64_t{1}),
                          [](const std::exception_ptr&) { throw std::range_error("callback"); });
        database_->submit(insertion(std::int64_t{2}), [](const std::exception_ptr&) { throw 42; });
        database_->write(insertion(std::int64_t{3}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("reason=callback"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, log_.count("after a write failed"));
        CPPUNIT_ASSERT_EQUAL(std::string("1,2,3"), values());
    }

    void testWritingOnTheWritersThreadIsAMistake() {
        std::promise<bool> refused;
        database_->submit([](Transaction&) {},
                          [&](const std::exception_ptr&) {
                              try {
                                  database_->write(failure);
                                  refused.set_value(false);
                              } catch (const std::logic_error&) {
                                  refused.set_value(true);
                              }
                          });
        CPPUNIT_ASSERT(refused.get_future().get());
        CPPUNIT_ASSERT_THROW(database_->write([&](Transaction&) { database_->close(); }), std::logic_error);
    }

    void testAWorkThatEndsItsTransactionFails() {
        Blockade blockade(*database_);
        auto first = submitted(*database_, insertion(std::int64_t{1}));
        auto rogue = submitted(*database_, [](Transaction& transaction) {
            transaction.execute("ROLLBACK");
            transaction.insert("INSERT INTO t (v) VALUES (666)");
        });
        auto silent =
            submitted(*database_, [](Transaction& transaction) { transaction.execute("ROLLBACK"); });
        auto second = submitted(*database_, insertion(std::int64_t{2}));
        blockade.lift();
        first->await();
        CPPUNIT_ASSERT_THROW(rogue->await(), StoreError);
        CPPUNIT_ASSERT_THROW(silent->await(), StoreError);
        second->await();
        CPPUNIT_ASSERT_EQUAL(std::string("1,2"), values());
    }

    void testWorksAreGoneWhenTheirOutcomeIsKnown() {
        auto kept = std::make_shared<int>(0);
        for (int round = 0; round < 100; ++round) {
            database_->write([kept](Transaction&) {});
            CPPUNIT_ASSERT_EQUAL(1L, kept.use_count());
        }
    }

    void testManyThreadsWrite() {
        std::vector<std::thread> threads;
        for (std::int64_t thread = 0; thread < 8; ++thread) {
            threads.emplace_back([this, thread] {
                for (std::int64_t row = 0; row < 100; ++row) {
                    database_->write(insertion(thread * 1000 + row));
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        const Row row = database_->query("SELECT count(*), count(DISTINCT v) FROM t").at(0);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{800}, row.integer(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{800}, row.integer(1));
    }

    void testCloseCommitsWhatIsQueued() {
        std::atomic<int> durable = 0;
        {
            Blockade blockade(*database_);
            for (std::int64_t value = 0; value < 1000; ++value) {
                database_->submit(insertion(value),
                                  [&](const std::exception_ptr& error) { durable += !error; });
            }
        }
        database_->close();
        CPPUNIT_ASSERT_EQUAL(1000, durable.load());
        CPPUNIT_ASSERT_THROW(database_->submit(failure, nullptr), StoreError);
        CPPUNIT_ASSERT_THROW(database_->write(failure), StoreError);
        CPPUNIT_ASSERT_THROW(static_cast<void>(countRows(*database_)), StoreError);
        database_->close();
        reopen({.file = directory_.file()});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1000}, countRows(*database_));
    }

    void testCloseLeavesOneFile() {
        database_->write(insertion(std::int64_t{1}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, countRows(*database_));
        CPPUNIT_ASSERT(std::filesystem::exists(directory_.file() + "-wal"));
        database_->close();
        CPPUNIT_ASSERT(!std::filesystem::exists(directory_.file() + "-wal"));
    }

    void testALockOfAnotherIsAnErrorAndPasses() {
        reopen({.file = directory_.file(), .lockWait = std::chrono::milliseconds(5)});
        SqlConnection other(directory_.file(), std::chrono::milliseconds(0));
        other.run("BEGIN IMMEDIATE");
        CPPUNIT_ASSERT_THROW(database_->write(insertion(std::int64_t{1})), StoreError);
        CPPUNIT_ASSERT_THROW(database_->write(insertion(std::int64_t{1})), StoreError);
        CPPUNIT_ASSERT(!database_->healthy());
        other.run("COMMIT");
        database_->write(insertion(std::int64_t{2}));
        CPPUNIT_ASSERT(database_->healthy());
        CPPUNIT_ASSERT_EQUAL(std::string("2"), values());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("cannot be written"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("can be written again"));
    }

private:
    static void failure(Transaction&) { throw std::range_error("failure"); }

    void reopen(const Database::Options& options) {
        database_.reset();
        database_ = std::make_unique<Database>(options, log_);
    }

    std::string values() {
        return database_->query("SELECT group_concat(v) FROM (SELECT v FROM t ORDER BY id)").at(0).text(0);
    }

    TemporaryDirectory directory_;
    testing::RecordingLog log_;
    std::unique_ptr<Database> database_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(WriterTest);

}  // namespace sallyport::host::store
