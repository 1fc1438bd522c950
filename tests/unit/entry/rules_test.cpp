#include "host/entry/rules.h"

#include <future>
#include <stdexcept>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/entry/waiting.h"

namespace sallyport::tests {

using host::entry::OneThread;
using host::entry::requireLoop;
using host::entry::requireMayWait;
using host::entry::StartPhase;
using host::entry::Waiting;

class RulesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RulesTest);
    CPPUNIT_TEST(testTheStartEnds);
    CPPUNIT_TEST(testOneThreadIsItsOwn);
    CPPUNIT_TEST(testLoopsHaveThreads);
    CPPUNIT_TEST(testWaitingIsForbiddenInPlaces);
    CPPUNIT_TEST(testTheInnermostRuleCounts);
    CPPUNIT_TEST(testRulesAreForOneThread);
    CPPUNIT_TEST_SUITE_END();

    template <class F>
    static std::string complaintOf(F function) {
        try {
            function();
        } catch (const std::logic_error& error) {
            return error.what();
        }
        return "none";
    }

    static std::string complaintIn(Waiting::Rule rule) {
        const Waiting here(rule);
        return complaintOf([] { requireMayWait("Store::query"); });
    }

public:
    void testTheStartEnds() {
        StartPhase phase;
        phase.require("Host::every");
        phase.end();
        CPPUNIT_ASSERT_EQUAL(std::string("Host::every was called after the plugin's start: do that in "
                                         "Plugin::start, before it returns"),
                             complaintOf([&] { phase.require("Host::every"); }));
    }

    void testOneThreadIsItsOwn() {
        const OneThread thread("Plugin::examine");
        thread.require("Examination::add");
        const auto elsewhere = std::async(std::launch::async, [&] {
                                   return complaintOf([&] { thread.require("Examination::add"); });
                               }).get();
        CPPUNIT_ASSERT_EQUAL(
            std::string("Examination::add was called on another thread than Plugin::examine: do that there"),
            elsewhere);
    }

    void testLoopsHaveThreads() {
        requireLoop(true, "IoLoop::watch");
        CPPUNIT_ASSERT_EQUAL(
            std::string("IoLoop::watch was called on another thread than its loop's: do that in a task for "
                        "IoLoop::post, or in a callback of the loop"),
            complaintOf([] { requireLoop(false, "IoLoop::watch"); }));
    }

    void testWaitingIsForbiddenInPlaces() {
        const std::string advice = ": use a route of Run::pool, Host::run or Store::submit";
        const std::string what = "Store::query may wait for the disk, and was called ";
        CPPUNIT_ASSERT_EQUAL(std::string("none"), complaintIn(Waiting::Rule::allowed));
        CPPUNIT_ASSERT_EQUAL(what + "on a thread that serves connections" + advice,
                             complaintIn(Waiting::Rule::forbidden));
        CPPUNIT_ASSERT_EQUAL(what + "on the store's thread, for which all writes wait" + advice,
                             complaintIn(Waiting::Rule::store));
        CPPUNIT_ASSERT_EQUAL(what + "in a receiver of messages, for which whoever publishes waits" + advice,
                             complaintIn(Waiting::Rule::message));
        CPPUNIT_ASSERT_EQUAL(
            what + "in Plugin::trouble, for which whoever asks about all plugins waits" + advice,
            complaintIn(Waiting::Rule::trouble));
    }

    void testTheInnermostRuleCounts() {
        const Waiting outside(Waiting::Rule::forbidden);
        CPPUNIT_ASSERT_EQUAL(std::string("none"), complaintIn(Waiting::Rule::allowed));
        CPPUNIT_ASSERT_THROW(requireMayWait("Store::write"), std::logic_error);
    }

    void testRulesAreForOneThread() {
        const Waiting here(Waiting::Rule::forbidden);
        std::async(std::launch::async, [] { requireMayWait("Store::query"); }).get();
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RulesTest);

}  // namespace sallyport::tests
