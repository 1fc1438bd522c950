#include "plugins/llm/call_admission.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

class CallAdmissionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CallAdmissionTest);
    CPPUNIT_TEST(testNothingIsGivenBackBeforeItIsAdmitted);
    CPPUNIT_TEST(testWaiterCanLeave);
    CPPUNIT_TEST(testWhoHasASlotDoesNotWait);
    CPPUNIT_TEST(testSlotMayComeBeforeTheTicket);
    CPPUNIT_TEST(testAllIsGivenBackOnce);
    CPPUNIT_TEST(testSlotGoesBeforeTheAdmission);
    CPPUNIT_TEST_SUITE_END();

    const JobId job_ = JobId::random();
    const FairQueue::Time begin_{1000s};
    JobLedger ledger_{{}, [](const JobId&) { return UsageTotals{}; }};
    FairQueue queue_{{.slots = 1, .places = 4}};
    std::optional<CallAdmission> own_{std::in_place};

public:
    void setUp() override { ledger_.load(job_); }

private:
    [[nodiscard]] CallAdmission& admission() { return *own_; }
    void admit() { admission().admit(ledger_.admit(job_, begin_)); }
    FairQueue::Ticket enter() {
        return queue_.enter(
            job_, begin_ + 1h,
            {[this](FairQueue::Slot slot) { admission().takeSlot(std::move(slot)); }, [](const auto&) {}});
    }
    [[nodiscard]] std::optional<FairQueue::Slot> occupied() {
        std::optional<FairQueue::Slot> taken;
        queue_.enter(JobId::random(), begin_ + 1h,
                     {[&taken](FairQueue::Slot slot) { taken = std::move(slot); }, [](const auto&) {}});
        return taken;
    }
    [[nodiscard]] std::int64_t requests() const { return ledger_.totals(job_).value().requests; }

    void testNothingIsGivenBackBeforeItIsAdmitted() {
        CPPUNIT_ASSERT(!admission().ticket());
        const auto returned = admission().giveBack();
        CPPUNIT_ASSERT(!returned.admission);
        CPPUNIT_ASSERT(!returned.slot);
    }

    void testWaiterCanLeave() {
        const auto other = occupied();
        admit();
        CPPUNIT_ASSERT(!admission().ticket());
        admission().setTicket(enter());
        CPPUNIT_ASSERT(queue_.leave(admission().ticket().value()));
        {
            const auto returned = admission().giveBack();
            CPPUNIT_ASSERT(returned.admission.has_value());
            CPPUNIT_ASSERT(!returned.slot);
            CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, requests());
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, requests());
    }

    void testWhoHasASlotDoesNotWait() {
        auto other = occupied();
        admit();
        admission().setTicket(enter());
        other.reset();
        CPPUNIT_ASSERT(!admission().ticket());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue_.running());
    }

    void testSlotMayComeBeforeTheTicket() {
        admit();
        admission().setTicket(enter());
        CPPUNIT_ASSERT(!admission().ticket());
        CPPUNIT_ASSERT(admission().giveBack().slot.has_value());
    }

    void testAllIsGivenBackOnce() {
        admit();
        admission().setTicket(enter());
        auto returned = admission().giveBack();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue_.running());
        const auto again = admission().giveBack();
        CPPUNIT_ASSERT(!again.admission);
        CPPUNIT_ASSERT(!again.slot);
        ledger_.settle(std::move(returned.admission).value(), {}, 0, false);
        returned.slot.reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue_.running());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, requests());
    }

    /// Of a call that is let go of before it has ended.
    void testSlotGoesBeforeTheAdmission() {
        admit();
        admission().setTicket(enter());
        std::int64_t seen = 0;
        queue_.enter(job_, begin_ + 1h,
                     {[&](const FairQueue::Slot& /*slot*/) { seen = requests(); }, [](const auto&) {}});
        own_.reset();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, seen);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, requests());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, queue_.running());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CallAdmissionTest);

}  // namespace
}  // namespace sallyport::plugins::llm
