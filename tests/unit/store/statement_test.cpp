#include "host/store/statement.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/store/sql_connection.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class StatementTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StatementTest);
    CPPUNIT_TEST(testIntegersKeepTheirWholeRange);
    CPPUNIT_TEST(testRealsKeepEveryBit);
    CPPUNIT_TEST(testTextKeepsNulBytesAndUtf8);
    CPPUNIT_TEST(testBytesKeepNulBytesAndEmptyIsNotNull);
    CPPUNIT_TEST(testNullIsNull);
    CPPUNIT_TEST(testEachRowHasItsOwnTypes);
    CPPUNIT_TEST(testExpressionsHaveTypes);
    CPPUNIT_TEST(testRunsTheSameStatementAgainWithOtherValues);
    CPPUNIT_TEST(testRunsMoreStatementsThanItKeeps);
    CPPUNIT_TEST(testAFailedStatementCanRunAgain);
    CPPUNIT_TEST(testCountsChangedRowsOfThisStatementOnly);
    CPPUNIT_TEST(testRefusesWrongNumberOfValues);
    CPPUNIT_TEST(testRefusesAllButOneStatement);
    CPPUNIT_TEST(testTellsAFailingDatabaseFromAFailingStatement);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        connection_ = std::make_unique<SqlConnection>(directory_.file(), std::chrono::milliseconds(10));
        connection_->run("CREATE TABLE t (v)");
    }

    void tearDown() override { connection_.reset(); }

    void testIntegersKeepTheirWholeRange() {
        for (const std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                         std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
            CPPUNIT_ASSERT_EQUAL(value, roundTrip(value).integer(0));
        }
    }

    void testRealsKeepEveryBit() {
        for (const double value : {0.1, -1e308, 5e-324, std::numeric_limits<double>::infinity()}) {
            CPPUNIT_ASSERT_EQUAL(value, roundTrip(value).real(0));
        }
    }

    void testTextKeepsNulBytesAndUtf8() {
        using namespace std::string_literals;
        for (const std::string& value : {""s, "a\0b\0"s, "\0"s, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\xaa"s}) {
            CPPUNIT_ASSERT_EQUAL(value, roundTrip(value).text(0));
            CPPUNIT_ASSERT(!roundTrip(value).isNull(0));
        }
    }

    void testBytesKeepNulBytesAndEmptyIsNotNull() {
        for (const Bytes& value : {Bytes{}, Bytes{0}, Bytes{0, 255, 0, 128}}) {
            CPPUNIT_ASSERT(value == roundTrip(value).bytes(0));
            CPPUNIT_ASSERT(!roundTrip(value).isNull(0));
        }
    }

    void testNullIsNull() {
        const Row row = roundTrip(SqlValue{});
        CPPUNIT_ASSERT(row.isNull(0));
        CPPUNIT_ASSERT(!row.optionalText(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, row.integer(0));
    }

    void testEachRowHasItsOwnTypes() {
        const std::vector<SqlValue> written{SqlValue{}, std::int64_t{7}, 2.5, std::string("x")};
        for (const SqlValue& value : written) {
            connection_->run("INSERT INTO t (v) VALUES (?)", {value});
        }
        const Rows rows = connection_->run("SELECT v FROM t ORDER BY rowid");
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, rows.size());
        CPPUNIT_ASSERT(rows[0].isNull(0));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, rows[1].integer(0));
        CPPUNIT_ASSERT_EQUAL(2.5, rows[2].real(0));
        CPPUNIT_ASSERT_EQUAL(std::string("x"), rows[3].text(0));
    }

    void testExpressionsHaveTypes() {
        const Row row = connection_->run("SELECT count(*), max(v), 1.5 * 2 FROM t").at(0);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, row.integer(0));
        CPPUNIT_ASSERT(row.isNull(1));
        CPPUNIT_ASSERT_EQUAL(3.0, row.real(2));
    }

    void testRunsTheSameStatementAgainWithOtherValues() {
        for (std::int64_t value = 1; value <= 3; ++value) {
            CPPUNIT_ASSERT_EQUAL(value, connection_->run("SELECT ?", {value}).at(0).integer(0));
        }
    }

    void testRunsMoreStatementsThanItKeeps() {
        for (int round = 0; round < 2; ++round) {
            for (int value = 0; value < 200; ++value) {
                const Rows rows = connection_->run("SELECT " + std::to_string(value));
                CPPUNIT_ASSERT_EQUAL(std::int64_t{value}, rows.at(0).integer(0));
            }
        }
    }

    void testAFailedStatementCanRunAgain() {
        connection_->run("CREATE UNIQUE INDEX t_v ON t (v)");
        const std::string insert = "INSERT INTO t (v) VALUES (?)";
        connection_->run(insert, {std::int64_t{1}});
        CPPUNIT_ASSERT_THROW(connection_->run(insert, {std::int64_t{1}}), EngineError);
        connection_->run(insert, {std::int64_t{2}});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, connection_->run("SELECT count(*) FROM t").at(0).integer(0));
    }

    void testCountsChangedRowsOfThisStatementOnly() {
        connection_->run("INSERT INTO t (v) VALUES (1), (2)");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, connection_->execute("UPDATE t SET v = 3"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, connection_->execute("UPDATE t SET v = 4 WHERE v = 9"));
        connection_->execute("DELETE FROM t WHERE rowid = 1");
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, connection_->execute("CREATE TABLE u (v)"));
    }

    void testRefusesWrongNumberOfValues() {
        CPPUNIT_ASSERT_THROW(connection_->run("SELECT ?, ?", {std::int64_t{1}}), std::invalid_argument);
        CPPUNIT_ASSERT_THROW(connection_->run("SELECT 1", {std::int64_t{1}}), std::invalid_argument);
    }

    void testRefusesAllButOneStatement() {
        CPPUNIT_ASSERT_THROW(connection_->run(""), std::invalid_argument);
        CPPUNIT_ASSERT_THROW(connection_->run("INSERT INTO t VALUES (1); DELETE FROM t"),
                             std::invalid_argument);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, connection_->run("SELECT 1; ").at(0).integer(0));
    }

    void testTellsAFailingDatabaseFromAFailingStatement() {
        try {
            connection_->run("SELECT 1 FROM nowhere");
            CPPUNIT_FAIL("no such table");
        } catch (const EngineError& error) {
            CPPUNIT_ASSERT(!error.ofDatabase());
            CPPUNIT_ASSERT_MESSAGE(error.detail(), contains(error.detail(), "nowhere"));
            CPPUNIT_ASSERT(!contains(error.what(), "nowhere"));
        }
        connection_->run("PRAGMA query_only = ON");
        try {
            connection_->run("INSERT INTO t (v) VALUES (1)");
            CPPUNIT_FAIL("query_only");
        } catch (const EngineError& error) {
            CPPUNIT_ASSERT(error.ofDatabase());
        }
    }

private:
    Row roundTrip(const SqlValue& value) {
        connection_->run("DELETE FROM t");
        connection_->run("INSERT INTO t (v) VALUES (?)", {value});
        return connection_->run("SELECT v FROM t").at(0);
    }

    TemporaryDirectory directory_;
    std::unique_ptr<SqlConnection> connection_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(StatementTest);

}  // namespace sallyport::host::store
