#include "host/http/timers.h"

#include <algorithm>
#include <utility>

namespace sallyport::host::http {

Timer::Timer(Timers& timers, std::function<void()> expired)
    : timers_(timers), expired_(std::make_shared<const std::function<void()>>(std::move(expired))) {
    timers_.add();
}

Timer::~Timer() {
    cancel();
    --timers_.count_;
}

void Timer::arm(Clock::time_point deadline) noexcept {
    cancel();
    // One that is armed for the past again and again must not be before all others for ever.
    deadline_ = std::max(deadline, timers_.now_);
    timers_.place(*this);
}

void Timer::cancel() noexcept {
    if (isArmed()) {
        timers_.remove(*this);
    }
}

Timers::Clock::time_point Timers::next() const noexcept {
    return heap_.empty() ? Clock::time_point::max() : heap_.front()->deadline_;
}

void Timers::add() {
    if (heap_.capacity() < count_ + 1) {
        heap_.reserve(2 * count_ + 16);
    }
    ++count_;
}

Timers::Expired Timers::take(std::uint64_t order) noexcept {
    if (heap_.empty() || heap_.front()->deadline_ > now_ || heap_.front()->order_ > order) {
        return nullptr;
    }
    auto& first = *heap_.front();
    remove(first);
    // Shared, because the timer may go while its callback runs.
    return first.expired_;
}

bool Timers::isBefore(const Timer& one, const Timer& other) noexcept {
    return one.deadline_ != other.deadline_ ? one.deadline_ < other.deadline_ : one.order_ < other.order_;
}

void Timers::place(Timer& timer) noexcept {
    timer.order_ = ++orders_;
    heap_.push_back(&timer);  // there is room for all
    put(timer, heap_.size() - 1);
    static_cast<void>(rise(timer));
}

void Timers::remove(Timer& timer) noexcept {
    auto& last = *heap_.back();
    heap_.pop_back();
    const auto place = std::exchange(timer.place_, Timer::nowhere);
    if (&last == &timer) {
        return;
    }
    put(last, place);
    if (!rise(last)) {
        sink(last);
    }
}

void Timers::put(Timer& timer, std::size_t place) noexcept {
    heap_[place] = &timer;
    timer.place_ = place;
}

bool Timers::rise(Timer& timer) noexcept {
    const auto before = timer.place_;
    while (timer.place_ > 0) {
        const auto place = timer.place_;
        auto& parent = *heap_[(place - 1) / 2];
        if (!isBefore(timer, parent)) {
            break;
        }
        put(timer, parent.place_);
        put(parent, place);
    }
    return timer.place_ != before;
}

void Timers::sink(Timer& timer) noexcept {
    for (;;) {
        const auto place = timer.place_;
        auto child = 2 * place + 1;
        if (child + 1 < heap_.size() && isBefore(*heap_[child + 1], *heap_[child])) {
            ++child;
        }
        if (child >= heap_.size() || !isBefore(*heap_[child], timer)) {
            return;
        }
        put(*heap_[child], place);
        put(timer, child);
    }
}

}  // namespace sallyport::host::http
