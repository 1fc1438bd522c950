// A call's right to go on.
#pragma once

#include <optional>
#include <variant>

#include "fair_queue.h"
#include "job_ledger.h"

namespace sallyport::plugins::llm {

/// Owns what a call was granted and has to give back: its job's admission, then a place in the queue, then a
/// slot. What is still there when this goes away is given back, too: the slot first, then the admission.
/// [with the call's lock]
class CallAdmission {
public:
    /// What is given back when the call ends.
    struct Returned {
        std::optional<JobLedger::Admission> admission{};  ///< to be settled
        std::optional<FairQueue::Slot> slot{};            ///< to go without the lock: it starts another call
    };

    /// The job's limits allow it. It waits for a slot from now on. [once]
    void admit(JobLedger::Admission admission);
    /// How it can leave the queue. By then it may have a slot already, and nothing to leave.
    void setTicket(const FairQueue::Ticket& ticket);
    /// Its turn has come. [once, while it waits]
    void takeSlot(FairQueue::Slot slot);

    /// Of the queue that it has to leave; nothing unless it waits.
    [[nodiscard]] std::optional<FairQueue::Ticket> ticket() const;

    /// The call has ended. There is nothing left afterwards.
    [[nodiscard]] Returned giveBack();

private:
    struct Outside {};  ///< not admitted yet, or not any more
    struct Waiting {
        JobLedger::Admission admission;
        std::optional<FairQueue::Ticket> ticket{};  ///< nothing until the queue has told it
    };
    struct Running {
        JobLedger::Admission admission;
        FairQueue::Slot slot;
    };

    std::variant<Outside, Waiting, Running> state_;
};

}  // namespace sallyport::plugins::llm
