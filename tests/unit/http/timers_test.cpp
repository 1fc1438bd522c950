#include "host/http/timers.h"

#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using host::http::Timer;
using host::http::Timers;
using namespace std::chrono_literals;

class TimersTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TimersTest);
    CPPUNIT_TEST(testExpireInTheOrderOfTheirDeadlines);
    CPPUNIT_TEST(testExpireOnceForEachArming);
    CPPUNIT_TEST(testExpireInTheOrderOfArmingAtTheSameTime);
    CPPUNIT_TEST(testAreArmedAnewAndCancelled);
    CPPUNIT_TEST(testMayDoAnythingWithThemselves);
    CPPUNIT_TEST(testWaitForTheNextTurnWhenArmedForThePast);
    CPPUNIT_TEST(testLetOthersExpireHoweverOftenTheyAreArmed);
    CPPUNIT_TEST(testLeaveTheRestForLater);
    CPPUNIT_TEST(testKeepTheirOrderWhateverHappens);
    CPPUNIT_TEST_SUITE_END();

    const Timer::Clock::time_point start_{1h};
    Timers timers_;
    std::string expired_;

    std::unique_ptr<Timer> timer(const std::string& name) {
        return std::make_unique<Timer>(timers_, [this, name] { expired_ += name; });
    }

    /// Those that expire at that time.
    std::string at(std::chrono::milliseconds time) {
        expired_.clear();
        timers_.expire(start_ + time, Timer::Clock::time_point::max(), [](const auto& call) { call(); });
        return expired_;
    }

public:
    void testExpireInTheOrderOfTheirDeadlines() {
        const auto a = timer("a");
        const auto b = timer("b");
        const auto c = timer("c");
        CPPUNIT_ASSERT(timers_.next() == Timer::Clock::time_point::max());
        a->arm(start_ + 30ms);
        b->arm(start_ + 10ms);
        c->arm(start_ + 20ms);
        CPPUNIT_ASSERT(timers_.next() == start_ + 10ms);
        CPPUNIT_ASSERT_EQUAL(std::string(), at(9ms));
        CPPUNIT_ASSERT_EQUAL(std::string("bc"), at(20ms));
        CPPUNIT_ASSERT_EQUAL(std::string("a"), at(40ms));
    }

    void testExpireOnceForEachArming() {
        const auto a = timer("a");
        CPPUNIT_ASSERT(!a->isArmed());
        a->arm(start_);
        CPPUNIT_ASSERT(a->isArmed());
        CPPUNIT_ASSERT_EQUAL(std::string("a"), at(0ms));
        CPPUNIT_ASSERT(!a->isArmed());
        CPPUNIT_ASSERT_EQUAL(std::string(), at(1ms));
        a->arm(start_ + 2ms);
        CPPUNIT_ASSERT_EQUAL(std::string("a"), at(2ms));
    }

    void testExpireInTheOrderOfArmingAtTheSameTime() {
        std::vector<std::unique_ptr<Timer>> timers;
        for (const char* const name : {"a", "b", "c", "d", "e"}) {
            timers.push_back(timer(name));
            timers.back()->arm(start_);
        }
        timers.front()->arm(start_);
        CPPUNIT_ASSERT_EQUAL(std::string("bcdea"), at(0ms));
    }

    void testAreArmedAnewAndCancelled() {
        const auto a = timer("a");
        const auto b = timer("b");
        auto c = timer("c");
        a->arm(start_ + 10ms);
        b->arm(start_ + 20ms);
        c->arm(start_ + 20ms);
        a->arm(start_ + 30ms);
        b->cancel();
        b->cancel();
        c.reset();
        CPPUNIT_ASSERT_EQUAL(std::string(), at(20ms));
        CPPUNIT_ASSERT_EQUAL(std::string("a"), at(30ms));
        CPPUNIT_ASSERT(timers_.next() == Timer::Clock::time_point::max());
    }

    void testMayDoAnythingWithThemselves() {
        const auto other = timer("other");
        std::unique_ptr<Timer> armed;
        armed = std::make_unique<Timer>(timers_, [&] {
            expired_ += "armed ";
            CPPUNIT_ASSERT(!armed->isArmed());
            armed->arm(start_ + 10ms);
            armed->cancel();
            armed->arm(start_ + 20ms);
        });
        std::unique_ptr<Timer> gone;
        gone =
            std::make_unique<Timer>(timers_, [&, text = std::string("a text that has a place of its own")] {
                other->cancel();
                gone.reset();
                expired_ += text;
            });
        armed->arm(start_);
        gone->arm(start_);
        other->arm(start_);
        CPPUNIT_ASSERT_EQUAL(std::string("armed a text that has a place of its own"), at(0ms));
        CPPUNIT_ASSERT_EQUAL(std::string(), at(19ms));
        CPPUNIT_ASSERT_EQUAL(std::string("armed "), at(20ms));
    }

    void testWaitForTheNextTurnWhenArmedForThePast() {
        std::unique_ptr<Timer> again;
        again = std::make_unique<Timer>(timers_, [&] {
            expired_ += "again ";
            again->arm(start_ - 1h);
        });
        again->arm(start_ - 1h);
        CPPUNIT_ASSERT_EQUAL(std::string("again "), at(0ms));
        CPPUNIT_ASSERT_EQUAL(std::string("again "), at(0ms));
    }

    void testLetOthersExpireHoweverOftenTheyAreArmed() {
        std::unique_ptr<Timer> again;
        again = std::make_unique<Timer>(timers_, [&] {
            expired_ += "again ";
            again->arm(start_ - 1h);
        });
        const auto other = timer("other");
        again->arm(start_);
        other->arm(start_);
        // There is time for one each time.
        const auto turn = [this] {
            timers_.expire(start_, Timer::Clock::time_point::min(), [](const auto& call) { call(); });
        };
        turn();
        turn();
        turn();
        CPPUNIT_ASSERT_EQUAL(std::string("again otheragain "), expired_);
    }

    void testLeaveTheRestForLater() {
        const auto a = timer("a");
        const auto b = timer("b");
        a->arm(start_);
        b->arm(start_);
        timers_.expire(start_, Timer::Clock::time_point::min(), [](const auto& call) { call(); });
        CPPUNIT_ASSERT_EQUAL(std::string("a"), expired_);
        CPPUNIT_ASSERT(timers_.next() == start_);
        CPPUNIT_ASSERT_EQUAL(std::string("b"), at(0ms));
    }

    /// Beside a set that is sorted anew each time.
    void testKeepTheirOrderWhateverHappens() {
        constexpr int count = 40;
        std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same each time
        std::vector<std::unique_ptr<Timer>> timers;
        std::vector<int> order;
        std::vector<int> expected;
        std::set<std::pair<std::pair<int, int>, int>> armed;  // time and turn, and which
        for (int i = 0; i < count; ++i) {
            timers.push_back(std::make_unique<Timer>(timers_, [&order, i] { order.push_back(i); }));
        }
        for (int step = 0; step < 4000; ++step) {
            const int which = static_cast<int>(random() % count);
            const int time = step / 10 + static_cast<int>(random() % 50);
            std::erase_if(armed, [&](const auto& one) { return one.second == which; });
            if (random() % 4 == 0) {
                timers[static_cast<std::size_t>(which)]->cancel();
            } else {
                timers[static_cast<std::size_t>(which)]->arm(start_ + std::chrono::milliseconds(time));
                armed.insert({{time, step}, which});
            }
            if (step % 10 == 9) {
                while (!armed.empty() && armed.begin()->first.first <= step / 10) {
                    expected.push_back(armed.begin()->second);
                    armed.erase(armed.begin());
                }
                at(std::chrono::milliseconds(step / 10));
                CPPUNIT_ASSERT(expected == order);
            }
        }
        CPPUNIT_ASSERT(order.size() > 100);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TimersTest);

}  // namespace sallyport::tests
