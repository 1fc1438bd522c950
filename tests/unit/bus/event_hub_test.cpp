#include "host/bus/event_hub.h"

#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::bus;

class EventHubTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EventHubTest);
    CPPUNIT_TEST(testEveryOutletGetsTheSameFrame);
    CPPUNIT_TEST(testWhatNobodyFollowsIsNotMade);
    CPPUNIT_TEST(testBeyondTheLimitFramesAreLost);
    CPPUNIT_TEST(testOneFrameAloneIsNeverTooLarge);
    CPPUNIT_TEST_SUITE_END();

    std::vector<FramePtr> first_;
    std::vector<FramePtr> second_;

    void connect(LiveHub& hub) {
        hub.addOutlet([this](const FramePtr& frame) { first_.push_back(frame); });
        hub.addOutlet([this](const FramePtr& frame) { second_.push_back(frame); });
    }

    static LiveEvent event(std::uint64_t id, const std::string& user, std::size_t size = 2) {
        return {id, user, {}, "job_status", std::string(size, '0')};
    }

public:
    void tearDown() override {
        first_.clear();
        second_.clear();
    }

    void testEveryOutletGetsTheSameFrame() {
        LiveHub hub(1000);
        connect(hub);
        hub.joined("ann");
        hub.publish(event(7, "ann"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, first_.size());
        CPPUNIT_ASSERT(first_ == second_);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, first_.front()->id);
        tearDown();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, hub.memory().used());
    }

    void testWhatNobodyFollowsIsNotMade() {
        LiveHub hub(1000);
        connect(hub);
        hub.publish(event(1, "ann"));
        hub.joined("ann");
        hub.publish(event(2, "bob"));
        CPPUNIT_ASSERT(first_.empty());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("it counts all the same", std::uint64_t{2}, hub.last());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, hub.subscribers());
        hub.joined("ann");
        hub.left("ann");
        hub.publish(event(3, "ann"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, first_.size());
        hub.left("ann");
        hub.publish(event(4, "ann"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, first_.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, hub.subscribers());
        tearDown();
    }

    void testBeyondTheLimitFramesAreLost() {
        LiveHub hub(100'000);
        connect(hub);
        hub.joined("ann");
        for (std::uint64_t id = 1; id <= 10; ++id) {
            hub.publish(event(id, "ann", 30'000));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{10}, first_.size());
        CPPUNIT_ASSERT(!first_[2]->lost());
        CPPUNIT_ASSERT(first_[3]->lost());
        CPPUNIT_ASSERT(hub.memory().used() <= 100'000);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("whose it was is known", std::string("ann"), first_[3]->user);
        hub.publish(event(0, "ann", 30'000));
        CPPUNIT_ASSERT_MESSAGE("could not be read again", !first_.back()->lost());
        tearDown();
    }

    void testOneFrameAloneIsNeverTooLarge() {
        LiveHub hub(1000);
        connect(hub);
        hub.joined("ann");
        hub.publish(event(1, "ann", 5000));
        CPPUNIT_ASSERT(!first_.front()->lost());
        tearDown();
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(EventHubTest);

}  // namespace sallyport::tests
