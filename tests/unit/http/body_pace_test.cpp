#include "host/http/body_pace.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;
using namespace std::chrono_literals;
using Verdict = BodyPace::Verdict;

class BodyPaceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BodyPaceTest);
    CPPUNIT_TEST(testWhoeverStopsIsTooSlow);
    CPPUNIT_TEST(testWhoeverKeepsThePaceHasUntilTheEnd);
    CPPUNIT_TEST(testEverySpanCountsByItself);
    CPPUNIT_TEST(testWithoutARateOnlyTheEndCounts);
    CPPUNIT_TEST(testTooEarlyIsNoVerdict);
    CPPUNIT_TEST_SUITE_END();

    static Limits limits(std::size_t rate) {
        Limits made;
        made.minBodyRate = rate;
        made.bodyTimeout = 60s;
        return made;
    }
    const BodyPace::Clock::time_point began_{};

public:
    void testWhoeverStopsIsTooSlow() {
        BodyPace pace(limits(1000), began_);
        CPPUNIT_ASSERT(pace.judge(pace.deadline(), 0) == Verdict::tooSlow);
    }

    void testWhoeverKeepsThePaceHasUntilTheEnd() {
        BodyPace pace(limits(1000), began_);
        auto verdict = Verdict::goesOn;
        auto now = began_;
        for (int spans = 0; verdict == Verdict::goesOn && spans < 100; ++spans) {
            now = pace.deadline();
            verdict = pace.judge(now, static_cast<std::size_t>((now - began_) / 1s) * 1000);
        }
        CPPUNIT_ASSERT(verdict == Verdict::tooLate);
        CPPUNIT_ASSERT(now == began_ + 60s);
    }

    /// What came fast in the beginning does not make up for a stop later.
    void testEverySpanCountsByItself() {
        BodyPace pace(limits(1000), began_);
        CPPUNIT_ASSERT(pace.judge(pace.deadline(), 32'000'000) == Verdict::goesOn);
        CPPUNIT_ASSERT(pace.judge(pace.deadline(), 32'000'001) == Verdict::tooSlow);
    }

    void testWithoutARateOnlyTheEndCounts() {
        BodyPace pace(limits(0), began_);
        CPPUNIT_ASSERT(pace.deadline() == began_ + 60s);
        CPPUNIT_ASSERT(pace.judge(pace.deadline(), 0) == Verdict::tooLate);
    }

    void testTooEarlyIsNoVerdict() {
        BodyPace pace(limits(1000), began_);
        CPPUNIT_ASSERT(pace.judge(began_ + 1ms, 0) == Verdict::goesOn);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BodyPaceTest);

}  // namespace sallyport::tests
