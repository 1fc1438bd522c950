#include "host/store/write_queue.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::host::store {

class WriteQueueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WriteQueueTest);
    CPPUNIT_TEST(testALineKeepsItsOrder);
    CPPUNIT_TEST(testGroupsAreBoundedInNumber);
    CPPUNIT_TEST(testGroupsAreBoundedInBytes);
    CPPUNIT_TEST(testAWriteLargerThanAGroupIsOneByItself);
    CPPUNIT_TEST(testASingleWriteIsInTheNextGroupHoweverManyWait);
    CPPUNIT_TEST(testBytesAreSharedEvenly);
    CPPUNIT_TEST(testHavingBeenIdleEarnsNothing);
    CPPUNIT_TEST(testWhatOneTookIsRememberedWhileOthersWait);
    CPPUNIT_TEST(testAJobLeavesPlacesForOthers);
    CPPUNIT_TEST(testTheHostMayAlwaysHaveAllPlaces);
    CPPUNIT_TEST(testAThreadWorksForWhomItSays);
    CPPUNIT_TEST_SUITE_END();

public:
    void testALineKeepsItsOrder() {
        WriteQueue queue({.places = 10, .group = 10, .groupBytes = 1 << 20});
        for (const char* name : {"a1", "a2", "a3"}) {
            put(queue, a_, name);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("a1 a2 a3"), group(queue));
        CPPUNIT_ASSERT(queue.empty());
    }

    void testGroupsAreBoundedInNumber() {
        WriteQueue queue({.places = 10, .group = 2, .groupBytes = 1 << 20});
        for (const char* name : {"1", "2", "3"}) {
            put(queue, {}, name);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("1 2"), group(queue));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), group(queue));
    }

    void testGroupsAreBoundedInBytes() {
        WriteQueue queue({.places = 10, .group = 10, .groupBytes = 100'000});
        for (const char* name : {"1", "2", "3"}) {
            put(queue, a_, name, 40'000);
        }
        CPPUNIT_ASSERT_EQUAL(std::string("1 2"), group(queue));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), group(queue));
    }

    void testAWriteLargerThanAGroupIsOneByItself() {
        WriteQueue queue({.places = 10, .group = 10, .groupBytes = 1000});
        put(queue, a_, "large", 50'000);
        put(queue, a_, "small");
        CPPUNIT_ASSERT_EQUAL(std::string("large"), group(queue));
        CPPUNIT_ASSERT_EQUAL(std::string("small"), group(queue));
    }

    void testASingleWriteIsInTheNextGroupHoweverManyWait() {
        WriteQueue queue({.places = 10'000, .group = 256, .groupBytes = 1 << 20});
        for (int write = 0; write < 4000; ++write) {
            put(queue, a_, "a", 60'000);
        }
        // What has run before is in the job's disfavour, and not in that of others.
        for (int round = 0; round < 5; ++round) {
            static_cast<void>(group(queue));
        }
        put(queue, b_, "b", 200);
        put(queue, {}, "host", 200);
        const std::string next = group(queue);
        CPPUNIT_ASSERT_MESSAGE(next, next.find('b') != std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(next, next.find("host") != std::string::npos);
    }

    void testBytesAreSharedEvenly() {
        WriteQueue queue({.places = 10'000, .group = 256, .groupBytes = 1 << 20});
        for (int write = 0; write < 1000; ++write) {
            put(queue, a_, "A", 99'000);
            put(queue, b_, "b", 9'000);
        }
        std::string taken;
        for (int round = 0; round < 8; ++round) {
            taken += group(queue) + " ";
        }
        const auto large = std::count(taken.begin(), taken.end(), 'A');
        const auto small = std::count(taken.begin(), taken.end(), 'b');
        CPPUNIT_ASSERT_MESSAGE(taken, small >= 8 * large && small <= 12 * large);
    }

    void testHavingBeenIdleEarnsNothing() {
        WriteQueue queue({.places = 100, .group = 4, .groupBytes = 1 << 20});
        for (int write = 0; write < 40; ++write) {
            put(queue, a_, "a");
        }
        for (int round = 0; round < 5; ++round) {
            static_cast<void>(group(queue));
        }
        for (int write = 0; write < 10; ++write) {
            put(queue, b_, "b");
        }
        const std::string next = group(queue);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(next, std::ptrdiff_t{2}, std::count(next.begin(), next.end(), 'a'));
    }

    /// One that never has more than one write waiting gets no more than its share by that.
    void testWhatOneTookIsRememberedWhileOthersWait() {
        WriteQueue queue({.places = 100, .group = 1, .groupBytes = 1 << 20});
        for (int write = 0; write < 12; ++write) {
            put(queue, a_, "a", 9'000);
        }
        std::string taken;
        for (int round = 0; round < 11; ++round) {
            if (queue.empty() || taken.empty() || taken.back() == 'B') {
                put(queue, b_, "B", 99'000);
            }
            taken += group(queue);
        }
        CPPUNIT_ASSERT_MESSAGE(taken, std::count(taken.begin(), taken.end(), 'B') <= 2);
    }

    void testAJobLeavesPlacesForOthers() {
        WriteQueue queue({.places = 8, .group = 10, .groupBytes = 1 << 20});
        CPPUNIT_ASSERT_EQUAL(4, putAll(queue, a_));
        CPPUNIT_ASSERT_EQUAL(2, putAll(queue, b_));
        CPPUNIT_ASSERT_EQUAL(1, putAll(queue, c_));
    }

    void testTheHostMayAlwaysHaveAllPlaces() {
        WriteQueue queue({.places = 8, .group = 20, .groupBytes = 1 << 20});
        while (putAll(queue, JobId::random()) > 0) {
        }
        CPPUNIT_ASSERT_EQUAL(8, putAll(queue, {}));
        CPPUNIT_ASSERT_EQUAL(0, putAll(queue, {}));
        CPPUNIT_ASSERT_EQUAL(0, putAll(queue, a_));
        static_cast<void>(group(queue));
        CPPUNIT_ASSERT_EQUAL(4, putAll(queue, a_));
    }

    void testAThreadWorksForWhomItSays() {
        CPPUNIT_ASSERT(OnBehalfOf::current().job == JobId());
        const OnBehalfOf outer({a_, 5});
        {
            const OnBehalfOf inner({b_, 6});
            CPPUNIT_ASSERT(OnBehalfOf::current().job == b_);
            std::thread([] { CPPUNIT_ASSERT(OnBehalfOf::current().job == JobId()); }).join();
        }
        CPPUNIT_ASSERT(OnBehalfOf::current().job == a_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, OnBehalfOf::current().bytes);
    }

private:
    /// A write that tells its name when it is run.
    Write named(std::string name) {
        return {[this, name = std::move(name)](Transaction&) { ran_ += (ran_.empty() ? "" : " ") + name; },
                nullptr};
    }

    void put(WriteQueue& queue, const JobId& job, const std::string& name, std::size_t bytes = 0) {
        Write write = named(name);
        CPPUNIT_ASSERT(queue.push({job, bytes}, write));
    }

    int putAll(WriteQueue& queue, const JobId& job) {
        int taken = 0;
        for (Write write = named("x"); queue.push({job, 0}, write); write = named("x")) {
            ++taken;
        }
        return taken;
    }

    /// The names of the writes of the next group.
    std::string group(WriteQueue& queue) {
        class None final : public Transaction {
            std::size_t execute(std::string_view, const std::vector<SqlValue>&) override { return 0; }
            std::int64_t insert(std::string_view, const std::vector<SqlValue>&) override { return 0; }
            Rows query(std::string_view, const std::vector<SqlValue>&) override { return {}; }
        } none;
        std::vector<Write> taken;
        queue.takeGroup(taken);
        ran_.clear();
        for (const Write& write : taken) {
            write.work(none);
        }
        return ran_;
    }

    const JobId a_ = JobId::random();
    const JobId b_ = JobId::random();
    const JobId c_ = JobId::random();
    std::string ran_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(WriteQueueTest);

}  // namespace sallyport::host::store
