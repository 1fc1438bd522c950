#include "circuit_breaker.h"

#include <algorithm>

namespace sallyport::plugins::llm {

std::optional<CircuitBreaker::Pass> CircuitBreaker::pass(Time now) {
    const std::lock_guard lock(mutex_);
    if (state_ == State::halfOpen || (state_ == State::open && now < openUntil_)) {
        return std::nullopt;
    }
    if (state_ == State::open) {
        change(State::halfOpen);
    }
    return Pass(period_);
}

void CircuitBreaker::succeeded(const Pass& pass) {
    const std::lock_guard lock(mutex_);
    if (pass.period_ != period_) {
        return;
    }
    inARow_ = 0;
    if (state_ == State::halfOpen) {
        change(State::closed);
    }
}

void CircuitBreaker::failed(const Pass& pass, Time now) {
    const std::lock_guard lock(mutex_);
    if (pass.period_ != period_) {
        return;
    }
    ++inARow_;
    if (state_ == State::halfOpen || inARow_ >= failures_) {
        openUntil_ = now + cooldown_;
        change(State::open);
    }
}

void CircuitBreaker::abandoned(const Pass& pass) {
    const std::lock_guard lock(mutex_);
    if (pass.period_ == period_ && state_ == State::halfOpen) {
        // The while is over already: the next call is the one to try.
        change(State::open);
    }
}

CircuitBreaker::State CircuitBreaker::state(Time now) const {
    const std::lock_guard lock(mutex_);
    return state_ == State::open && now >= openUntil_ ? State::halfOpen : state_;
}

std::chrono::milliseconds CircuitBreaker::wait(Time now) const {
    const std::lock_guard lock(mutex_);
    switch (state_) {
        case State::closed:
            return std::chrono::milliseconds(0);
        case State::open:
            return std::max(std::chrono::ceil<std::chrono::milliseconds>(openUntil_ - now),
                            std::chrono::milliseconds(0));
        case State::halfOpen:
            break;
    }
    return std::chrono::seconds(1);
}

void CircuitBreaker::change(State state) {
    state_ = state;
    ++period_;
}

const char* name(CircuitBreaker::State state) {
    switch (state) {
        case CircuitBreaker::State::closed:
            return "closed";
        case CircuitBreaker::State::open:
            return "open";
        case CircuitBreaker::State::halfOpen:
            break;
    }
    return "half_open";
}

}  // namespace sallyport::plugins::llm
