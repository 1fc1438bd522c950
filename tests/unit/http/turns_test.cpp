#include "host/http/turns.h"

#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using host::http::Turns;

class TurnsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TurnsTest);
    CPPUNIT_TEST(connectionsOfAnAccountKeepTheirOrder);
    CPPUNIT_TEST(accountsTakeTurns);
    CPPUNIT_TEST(aNewcomerWaitsForOneTurnOfEach);
    CPPUNIT_TEST(aConnectionWaitsOnce);
    CPPUNIT_TEST(whatComesAfterItsTurnWaitsAnew);
    CPPUNIT_TEST_SUITE_END();

    Turns turns_;

    void add(Turns::ConnectionId connection, Turns::Account account) {
        turns_.of(connection, account).again = true;
    }

    /// Takes so many turns. @return whose they were.
    std::string take(int count) {
        std::string taken;
        for (int i = 0; i < count; ++i) {
            const auto turn = turns_.take();
            CPPUNIT_ASSERT(turn);
            taken += (taken.empty() ? "" : " ") + std::to_string(turn->connection);
        }
        return taken;
    }

public:
    void connectionsOfAnAccountKeepTheirOrder() {
        for (const Turns::ConnectionId connection : {3, 1, 2})
            add(connection, 7);
        CPPUNIT_ASSERT_EQUAL(std::string("3 1 2"), take(3));
        CPPUNIT_ASSERT(turns_.empty());
        CPPUNIT_ASSERT(!turns_.take());
    }

    void accountsTakeTurns() {
        for (const Turns::ConnectionId connection : {11, 12, 13})
            add(connection, 1);
        for (const Turns::ConnectionId connection : {21, 22})
            add(connection, 2);
        add(31, 3);
        CPPUNIT_ASSERT_EQUAL(std::string("11 21 31 12 22 13"), take(6));
    }

    void aNewcomerWaitsForOneTurnOfEach() {
        for (Turns::ConnectionId connection = 100; connection < 300; ++connection)
            add(connection, 1);
        CPPUNIT_ASSERT_EQUAL(std::string("100 101"), take(2));
        add(1, 2);
        CPPUNIT_ASSERT_EQUAL(std::string("102 1 103"), take(3));
    }

    void aConnectionWaitsOnce() {
        std::string ran;
        turns_.of(1, 7).events |= 1U;
        turns_.of(1, 7).tasks.emplace_back([&ran] { ran += "a"; });
        // It has been authenticated in the meantime, which changes nothing for what waits.
        turns_.of(1, 8).events |= 4U;
        turns_.of(1, 8).tasks.emplace_back([&ran] { ran += "b"; });
        auto turn = turns_.take();
        CPPUNIT_ASSERT(turn);
        CPPUNIT_ASSERT_EQUAL(5U, turn->events);
        CPPUNIT_ASSERT(!turn->again);
        for (auto& task : turn->tasks)
            task();
        CPPUNIT_ASSERT_EQUAL(std::string("ab"), ran);
        CPPUNIT_ASSERT(turns_.empty());
    }

    void whatComesAfterItsTurnWaitsAnew() {
        add(1, 7);
        add(2, 7);
        CPPUNIT_ASSERT_EQUAL(std::string("1"), take(1));
        add(1, 7);
        CPPUNIT_ASSERT_EQUAL(std::string("2 1"), take(2));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TurnsTest);

}  // namespace sallyport::tests
