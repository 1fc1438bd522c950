#include "host/store/migrations.h"

#include <memory>
#include <stdexcept>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/store/database.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class MigrationsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MigrationsTest);
    CPPUNIT_TEST(testAppliesOnlyWhatIsNew);
    CPPUNIT_TEST(testComponentsAreCountedApart);
    CPPUNIT_TEST(testAllStepsOrNone);
    CPPUNIT_TEST(testRefusesAnOlderProgram);
    CPPUNIT_TEST(testRefusesGapsInTheNumbers);
    CPPUNIT_TEST(testKeysRiseAndAreNeverUsedTwice);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        database_ = std::make_unique<Database>(Database::Options{.file = directory_.file()}, log_);
    }

    void tearDown() override { database_.reset(); }

    void testAppliesOnlyWhatIsNew() {
        database_->migrate("a", {first});
        database_->write(
            [](Transaction& transaction) { transaction.execute("INSERT INTO a_one (v) VALUES (1)"); });
        database_->migrate("a", {first, second});
        database_->migrate("a", {first, second});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, number("SELECT count(*) FROM a_one"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("SELECT count(*) FROM a_two"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, number("SELECT count(*) FROM schema_migrations"));
        CPPUNIT_ASSERT(number("SELECT min(applied_at) FROM schema_migrations") > 0);
    }

    void testComponentsAreCountedApart() {
        database_->migrate("a", {first, second});
        database_->migrate("b", {{1, {"CREATE TABLE b_one (v)"}}});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("SELECT count(*) FROM b_one"));
    }

    void testAllStepsOrNone() {
        const Migration broken{2, {"CREATE TABLE a_two (v)", "CREATE NONSENSE"}};
        CPPUNIT_ASSERT_THROW(database_->migrate("a", {first, broken}), StoreError);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0},
                             number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'a!_%' ESCAPE '!'"));
        database_->migrate("a", {first, second});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("SELECT count(*) FROM a_two"));
    }

    void testRefusesAnOlderProgram() {
        database_->migrate("jobs", {first, second, {3, {"CREATE TABLE a_three (v)"}}});
        const std::string sentence = refusal([&] { database_->migrate("jobs", {first, second}); });
        CPPUNIT_ASSERT_EQUAL("the database \"" + directory_.file() +
                                 "\" was written by a newer version (jobs schema 3, this version knows 2);"
                                 " install that version or restore a backup",
                             sentence);
    }

    void testRefusesGapsInTheNumbers() {
        CPPUNIT_ASSERT_THROW(database_->migrate("a", {second}), std::logic_error);
        CPPUNIT_ASSERT_THROW(database_->migrate("a", {first, {3, {}}}), std::logic_error);
    }

    void testKeysRiseAndAreNeverUsedTwice() {
        database_->migrate("a", {{1, {"CREATE TABLE a_one (id {key}, v)"}}});
        std::vector<std::int64_t> keys;
        database_->write([&](Transaction& transaction) {
            keys.clear();
            for (int round = 0; round < 2; ++round) {
                keys.push_back(transaction.insert("INSERT INTO a_one (v) VALUES (1)"));
                transaction.execute("DELETE FROM a_one");
            }
        });
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, keys.at(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, keys.at(1));
    }

private:
    std::int64_t number(const std::string& sql) { return database_->query(sql).at(0).integer(0); }

    inline static const Migration first{1, {"CREATE TABLE a_one (v)"}};
    inline static const Migration second{2, {"CREATE TABLE a_two (v)"}};

    TemporaryDirectory directory_;
    testing::RecordingLog log_;
    std::unique_ptr<Database> database_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(MigrationsTest);

}  // namespace sallyport::host::store
