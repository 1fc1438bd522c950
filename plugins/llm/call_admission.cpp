#include "call_admission.h"

#include <utility>

namespace sallyport::plugins::llm {

void CallAdmission::admit(JobLedger::Admission admission) {
    state_ = Waiting{std::move(admission)};
}

void CallAdmission::setTicket(const FairQueue::Ticket& ticket) {
    if (auto* const waiting = std::get_if<Waiting>(&state_)) {
        waiting->ticket = ticket;
    }
}

void CallAdmission::takeSlot(FairQueue::Slot slot) {
    state_ = Running{std::move(std::get<Waiting>(state_).admission), std::move(slot)};
}

std::optional<FairQueue::Ticket> CallAdmission::ticket() const {
    const auto* const waiting = std::get_if<Waiting>(&state_);
    return waiting != nullptr ? waiting->ticket : std::nullopt;
}

CallAdmission::Returned CallAdmission::giveBack() {
    Returned returned;
    if (auto* const waiting = std::get_if<Waiting>(&state_)) {
        returned.admission = std::move(waiting->admission);
    } else if (auto* const running = std::get_if<Running>(&state_)) {
        returned.admission = std::move(running->admission);
        returned.slot = std::move(running->slot);
    }
    state_ = Outside{};
    return returned;
}

}  // namespace sallyport::plugins::llm
