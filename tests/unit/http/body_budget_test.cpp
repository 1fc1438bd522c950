#include "host/http/body_budget.h"

#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::http;
using Outcome = BodyBudget::Outcome;
using Share = BodyBudget::Share;

namespace {

constexpr std::size_t mib = std::size_t{1024} * 1024;

std::shared_ptr<BodyBudget::Account> newJob() {
    return std::make_shared<BodyBudget::Account>(0);
}

}  // namespace

class BodyBudgetTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BodyBudgetTest);
    CPPUNIT_TEST(testJobLeavesToOthers);
    CPPUNIT_TEST(testDoorLeavesToTheOther);
    CPPUNIT_TEST(testLargestBodyIsPossible);
    CPPUNIT_TEST(testSharesAreGivenBack);
    CPPUNIT_TEST(testRefusedGrowthChangesNothing);
    CPPUNIT_TEST(testWhatNeverFitsIsTold);
    CPPUNIT_TEST(testNothingIsFree);
    CPPUNIT_TEST_SUITE_END();

public:
    void testJobLeavesToOthers() {
        BodyBudget budget(16 * mib);
        const auto greedy = newJob();
        std::vector<Share> held;
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT(held.emplace_back(budget, Realm::worker, greedy).grow(mib) == Outcome::granted);
        }
        CPPUNIT_ASSERT(held.emplace_back(budget, Realm::worker, greedy).grow(1) == Outcome::jobHasTooMuch);
        CPPUNIT_ASSERT(held.emplace_back(budget, Realm::worker, newJob()).grow(mib) == Outcome::granted);
        CPPUNIT_ASSERT(held.emplace_back(budget, Realm::operators).grow(mib) == Outcome::granted);
    }

    void testDoorLeavesToTheOther() {
        for (const auto& [full, other] :
             {std::pair(Realm::worker, Realm::operators), std::pair(Realm::operators, Realm::worker)}) {
            BodyBudget budget(16 * mib);
            std::vector<Share> held;
            for (int i = 0; i < 12; ++i) {
                CPPUNIT_ASSERT(held.emplace_back(budget, full).grow(mib) == Outcome::granted);
            }
            CPPUNIT_ASSERT(held.emplace_back(budget, full).grow(1) == Outcome::allTaken);
            CPPUNIT_ASSERT(held.emplace_back(budget, other).grow(4 * mib) == Outcome::granted);
            CPPUNIT_ASSERT(held.emplace_back(budget, other).grow(1) == Outcome::allTaken);
        }
    }

    void testLargestBodyIsPossible() {
        BodyBudget budget(16 * mib, 10 * mib);
        Share share(budget, Realm::worker, newJob());
        CPPUNIT_ASSERT(share.grow(10 * mib) == Outcome::granted);
        // Unless that would be all there is.
        BodyBudget small(8 * mib, 10 * mib);
        CPPUNIT_ASSERT_EQUAL(6 * mib, small.perJob());
    }

    void testSharesAreGivenBack() {
        BodyBudget budget(4 * mib, 3 * mib);
        const auto job = newJob();
        for (int i = 0; i < 10; ++i) {
            Share share(budget, Realm::worker, job);
            CPPUNIT_ASSERT(share.grow(3 * mib) == Outcome::granted);
            Share moved(std::move(share));
            moved.release();
            CPPUNIT_ASSERT(moved.grow(3 * mib) == Outcome::granted);
            moved = Share(budget, Realm::worker, job);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, job->load());
    }

    void testRefusedGrowthChangesNothing() {
        BodyBudget budget(4 * mib);
        const auto job = newJob();
        Share share(budget, Realm::worker, job);
        Share other(budget, Realm::worker, job);
        CPPUNIT_ASSERT(share.grow(mib / 2) == Outcome::granted);
        CPPUNIT_ASSERT(other.grow(mib / 4) == Outcome::granted);
        for (int i = 0; i < 100; ++i) {
            CPPUNIT_ASSERT(share.grow(mib) == Outcome::jobHasTooMuch);
        }
        CPPUNIT_ASSERT_EQUAL(mib / 4 * 3, job->load());
        other.release();
        CPPUNIT_ASSERT(share.grow(mib) == Outcome::granted);
    }

    /// Nobody should try again what cannot succeed.
    void testWhatNeverFitsIsTold() {
        BodyBudget budget(4 * mib);
        const auto job = newJob();
        CPPUNIT_ASSERT(Share(budget, Realm::worker, job).grow(mib + 1) == Outcome::neverFits);
        CPPUNIT_ASSERT(Share(budget, Realm::operators).grow(3 * mib + 1) == Outcome::neverFits);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, job->load());
    }

    /// The least body costs something: a crowd of them is bounded as well.
    void testNothingIsFree() {
        BodyBudget budget(4 * mib);
        const auto job = newJob();
        Share share(budget, Realm::worker, job);
        CPPUNIT_ASSERT(share.grow(1) == Outcome::granted);
        CPPUNIT_ASSERT(job->load() >= 1024);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BodyBudgetTest);

}  // namespace sallyport::tests
