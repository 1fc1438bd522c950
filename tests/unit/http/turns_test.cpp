#include "host/http/turns.h"

#include <chrono>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;
using namespace std::chrono_literals;

class TurnsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TurnsTest);
    CPPUNIT_TEST(testConnectionsOfAnAccountKeepTheirOrder);
    CPPUNIT_TEST(testAccountsTakeTurns);
    CPPUNIT_TEST(testANewcomerWaitsForOneTurnOfEach);
    CPPUNIT_TEST(testAConnectionWaitsOnce);
    CPPUNIT_TEST(testWhatComesAfterItsTurnWaitsAnew);
    CPPUNIT_TEST(testAnAccountAloneHasAllTheTime);
    CPPUNIT_TEST(testWhoHasUsedItsShareWaits);
    CPPUNIT_TEST(testOperatorsAndNewcomersNeverWait);
    CPPUNIT_TEST(testStrangersHaveLess);
    CPPUNIT_TEST(testAllIsTakenInTheEnd);
    CPPUNIT_TEST(testAccountsAreForgotten);
    CPPUNIT_TEST_SUITE_END();

    Crowd crowd_;
    Turns turns_{20, crowd_};
    Turns::Clock::time_point now_{1000s};

    void add(Turns::ConnectionId connection, Account account) { turns_.of(connection, account).again = true; }

    /// Takes up to so many turns. @return whose they were.
    std::string take(int count) {
        std::string taken;
        for (int i = 0; i < count; ++i) {
            const auto turn = turns_.take(now_);
            if (!turn) {
                break;
            }
            taken += (taken.empty() ? "" : " ") + std::to_string(turn->connection);
        }
        return taken;
    }

    /// Both have had turns.
    void crowd() {
        turns_.took(7, 0ms, now_);
        turns_.took(8, 0ms, now_);
    }

public:
    void testConnectionsOfAnAccountKeepTheirOrder() {
        for (const Turns::ConnectionId connection : {3, 1, 2}) {
            add(connection, 7);
        }
        CPPUNIT_ASSERT(turns_.due() < now_);
        CPPUNIT_ASSERT_EQUAL(std::string("3 1 2"), take(4));
        CPPUNIT_ASSERT(turns_.due() == Turns::Clock::time_point::max());
    }

    void testAccountsTakeTurns() {
        for (const Turns::ConnectionId connection : {11, 12, 13}) {
            add(connection, 1);
        }
        for (const Turns::ConnectionId connection : {21, 22}) {
            add(connection, 2);
        }
        add(31, 3);
        CPPUNIT_ASSERT_EQUAL(std::string("11 21 31 12 22 13"), take(6));
    }

    void testANewcomerWaitsForOneTurnOfEach() {
        for (Turns::ConnectionId connection = 100; connection < 300; ++connection) {
            add(connection, 1);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("100 101"), take(2));
        add(1, 2);
        CPPUNIT_ASSERT_EQUAL(std::string("102 1 103"), take(3));
    }

    void testAConnectionWaitsOnce() {
        std::string ran;
        turns_.of(1, 7).events |= 1U;
        turns_.of(1, 7).tasks.emplace_back([&ran] { ran += "a"; });
        // It has been authenticated in the meantime, which changes nothing for what waits.
        turns_.of(1, 8).events |= 4U;
        turns_.of(1, 8).tasks.emplace_back([&ran] { ran += "b"; });
        auto turn = turns_.take(now_);
        CPPUNIT_ASSERT(turn);
        CPPUNIT_ASSERT_EQUAL(5U, turn->events);
        CPPUNIT_ASSERT(!turn->again);
        for (auto& task : turn->tasks) {
            task();
        }
        CPPUNIT_ASSERT_EQUAL(std::string("ab"), ran);
        CPPUNIT_ASSERT(!turns_.take(now_));
    }

    void testWhatComesAfterItsTurnWaitsAnew() {
        add(1, 7);
        add(2, 7);
        CPPUNIT_ASSERT_EQUAL(std::string("1"), take(1));
        add(1, 7);
        CPPUNIT_ASSERT_EQUAL(std::string("2 1"), take(2));
    }

    void testAnAccountAloneHasAllTheTime() {
        turns_.took(7, 100ms, now_);
        now_ += 1s;
        turns_.took(newcomersAccount, 1ms, now_);
        turns_.took(7, 100ms, now_);
        add(11, 7);
        CPPUNIT_ASSERT_EQUAL(std::string("11"), take(1));
    }

    void testWhoHasUsedItsShareWaits() {
        crowd();
        turns_.took(7, 20ms, now_);
        add(11, 7);
        add(21, 8);
        CPPUNIT_ASSERT_EQUAL(std::string("21"), take(2));
        // It is to make up for 100 ms, and is let go on 10 ms before that.
        CPPUNIT_ASSERT(turns_.due() == now_ + 90ms);
        now_ += 89ms;
        CPPUNIT_ASSERT_EQUAL(std::string(), take(1));
        now_ += 1ms;
        CPPUNIT_ASSERT_EQUAL(std::string("11"), take(1));
        // The others have gone.
        turns_.took(7, 200ms, now_);
        add(11, 7);
        CPPUNIT_ASSERT_EQUAL(std::string(), take(1));
        now_ += 500ms;
        CPPUNIT_ASSERT_EQUAL(std::string("11"), take(1));
    }

    void testOperatorsAndNewcomersNeverWait() {
        crowd();
        turns_.took(operatorsAccount, 1s, now_);
        turns_.took(newcomersAccount, 1s, now_);
        add(1, operatorsAccount);
        add(2, newcomersAccount);
        CPPUNIT_ASSERT_EQUAL(std::string("1 2"), take(2));
    }

    void testStrangersHaveLess() {
        crowd();
        const auto strangers = accountOfStrangers(9);
        turns_.took(strangers, 20ms, now_);
        add(91, strangers);
        CPPUNIT_ASSERT_EQUAL(std::string(), take(1));
        CPPUNIT_ASSERT(turns_.due() == now_ + 390ms);
    }

    void testAllIsTakenInTheEnd() {
        crowd();
        turns_.took(7, 1s, now_);
        add(11, 7);
        add(12, 7);
        CPPUNIT_ASSERT_EQUAL(std::string(), take(1));
        CPPUNIT_ASSERT(turns_.takeAny());
        CPPUNIT_ASSERT(turns_.takeAny());
        CPPUNIT_ASSERT(!turns_.takeAny());
    }

    void testAccountsAreForgotten() {
        for (Account account = 10; account < 10'000; ++account) {
            turns_.took(account, 1ms, now_);
            now_ += 10ms;
        }
        CPPUNIT_ASSERT(turns_.accounts() < 200);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TurnsTest);

}  // namespace sallyport::tests
