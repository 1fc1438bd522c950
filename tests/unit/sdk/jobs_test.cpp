#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/jobs.h>

namespace sallyport {
namespace {

class JobStatesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobStatesTest);
    CPPUNIT_TEST(testStateNames);
    CPPUNIT_TEST(testModeNames);
    CPPUNIT_TEST(testOver);
    CPPUNIT_TEST_SUITE_END();

    void testStateNames() {
        for (const char* text : {"pending", "running", "completed", "failed", "cancelled", "interrupted"}) {
            const auto state = jobState(text);
            CPPUNIT_ASSERT_MESSAGE(text, state.has_value());
            CPPUNIT_ASSERT_EQUAL(std::string(text), std::string(name(*state)));
        }
        CPPUNIT_ASSERT(!jobState("") && !jobState("Pending") && !jobState("done"));
    }

    void testModeNames() {
        CPPUNIT_ASSERT(jobMode("worker") == JobMode::worker);
        CPPUNIT_ASSERT(jobMode("claude_code") == JobMode::claudeCode);
        CPPUNIT_ASSERT_EQUAL(std::string("claude_code"), std::string(name(JobMode::claudeCode)));
        CPPUNIT_ASSERT_EQUAL(std::string("worker"), std::string(name(JobMode::worker)));
        CPPUNIT_ASSERT(!jobMode("claudeCode"));
    }

    void testOver() {
        CPPUNIT_ASSERT(!isOver(JobState::pending) && !isOver(JobState::running));
        CPPUNIT_ASSERT(isOver(JobState::completed) && isOver(JobState::failed) &&
                       isOver(JobState::cancelled) && isOver(JobState::interrupted));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobStatesTest);

}  // namespace
}  // namespace sallyport
