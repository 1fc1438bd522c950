#include "host/jobs/states.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::jobs {

class StatesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StatesTest);
    CPPUNIT_TEST(testPendingMayStartAndEnd);
    CPPUNIT_TEST(testRunningMayEnd);
    CPPUNIT_TEST(testWhatIsOverStays);
    CPPUNIT_TEST_SUITE_END();

public:
    void testPendingMayStartAndEnd() {
        for (const JobState to : states) {
            CPPUNIT_ASSERT_EQUAL(to != JobState::pending, mayChange(JobState::pending, to));
        }
    }

    void testRunningMayEnd() {
        for (const JobState to : states) {
            CPPUNIT_ASSERT_EQUAL(isOver(to), mayChange(JobState::running, to));
        }
    }

    void testWhatIsOverStays() {
        for (const JobState from : states) {
            for (const JobState to : states) {
                CPPUNIT_ASSERT(!isOver(from) || !mayChange(from, to));
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StatesTest);

}  // namespace sallyport::host::jobs
