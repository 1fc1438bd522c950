#include "plugins/credentials/grant_table.h"

#include <chrono>
#include <optional>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

namespace sallyport::plugins {
namespace {

/// What is deleted of the table of grants.
class GrantTableTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GrantTableTest);
    CPPUNIT_TEST(testRevokedGrantsOfAJobGo);
    CPPUNIT_TEST(testGrantsInForceStay);
    CPPUNIT_TEST(testJobsInTurn);
    CPPUNIT_TEST_SUITE_END();

    testing::FakeHost host_{"credentials", {}};
    GrantTable grants_{host_.store()};
    Sweep sweep_{host_.store(), {.turn = std::chrono::hours(1)}};
    const JobId first_ = *JobId::parse("00000000-0000-4000-8000-000000000001");
    const JobId second_ = *JobId::parse("ff000000-0000-4000-8000-000000000001");

public:
    void setUp() override {
        host_.store().write([this](Transaction& transaction) {
            for (const JobId& job : {first_, second_}) {
                GrantTable::replace(transaction, job, {"alice", {{"a", "A"}, {"b", "B"}}});
            }
        });
    }

private:
    void revoke(const JobId& job) {
        host_.store().write([&](Transaction& transaction) { GrantTable::revoke(transaction, job, now()); });
    }

    void testRevokedGrantsOfAJobGo() {
        revoke(first_);
        revoke(second_);
        CPPUNIT_ASSERT(grants_.removeJob(first_, sweep_));
        CPPUNIT_ASSERT(grants_.all(first_).empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, grants_.all(second_).size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, sweep_.removed());
    }

    void testGrantsInForceStay() {
        CPPUNIT_ASSERT(grants_.removeJob(first_, sweep_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, grants_.all(first_).size());
    }

    void testJobsInTurn() {
        CPPUNIT_ASSERT(grants_.jobAfter(std::nullopt) == first_);
        CPPUNIT_ASSERT(grants_.jobAfter(first_) == second_);
        CPPUNIT_ASSERT(!grants_.jobAfter(second_));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GrantTableTest);

}  // namespace
}  // namespace sallyport::plugins
