#include "host/http/gate.h"

namespace sallyport::host::http {

Gate::Ticket& Gate::Ticket::operator=(Ticket&& other) noexcept {
    if (this != &other) {
        leave();
        gate_ = std::move(other.gate_);
        lingering_ = std::exchange(other.lingering_, false);
    }
    return *this;
}

void Gate::Ticket::linger() {
    if (lingering_) {
        return;
    }
    lingering_ = true;
    ++gate_->lingering_;
    gate_->left(gate_->calls_);
}

void Gate::Ticket::leave() {
    if (const auto gate = std::move(gate_)) {
        gate->left(lingering_ ? gate->lingering_ : gate->calls_);
    }
}

std::optional<Gate::Ticket> Gate::enter() {
    // Count first and look second: hold() looks in the other order, so one of the two sees the other.
    ++calls_;
    if (held_) {
        left(calls_);
        return std::nullopt;
    }
    return Ticket(shared_from_this());
}

Gate::Ticket Gate::enterFromInside() {
    ++calls_;
    return Ticket(shared_from_this());
}

void Gate::left(std::atomic<std::int64_t>& count) {
    // Who waits says so first and looks at the count second: one of the two sees the other.
    if (--count == 0 && awaited_ > 0) {
        const std::lock_guard lock(mutex_);
        idle_.notify_all();
    }
}

void Gate::hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
}

void Gate::release() {
    std::vector<std::function<void()>> waiting;
    {
        const std::lock_guard lock(mutex_);
        held_ = false;
        waiting.swap(waiting_);
    }
    for (const auto& resume : waiting) {
        resume();
    }
}

void Gate::whenReleased(std::function<void()> resume) {
    {
        const std::lock_guard lock(mutex_);
        if (held_) {
            waiting_.push_back(std::move(resume));
            return;
        }
    }
    resume();
}

bool Gate::waitIdle(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    ++awaited_;
    const bool idle = idle_.wait_for(lock, limit, [this] { return calls_ == 0; });
    --awaited_;
    return idle;
}

void Gate::waitQuiet() {
    std::unique_lock lock(mutex_);
    ++awaited_;
    idle_.wait(lock, [this] { return quiet(); });
    --awaited_;
}

}  // namespace sallyport::host::http
