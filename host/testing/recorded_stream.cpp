#include <utility>

#include <sallyport/testing/recorded_stream.h>

#include "host/entry/waiting.h"

namespace sallyport::testing {

bool RecordedStream::write(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (state_ != State::open) {
        return false;
    }
    written_ += bytes;
    pending_ += stalled_ ? bytes.size() : 0;
    return true;
}

void RecordedStream::end() {
    finish(State::ended);
}

void RecordedStream::abort() {
    finish(State::aborted);
}

std::size_t RecordedStream::pending() const {
    const std::lock_guard lock(mutex_);
    return pending_;
}

void RecordedStream::onClosed(std::function<void()> gone) {
    {
        const std::lock_guard lock(mutex_);
        if (state_ != State::gone) {
            gone_ = std::move(gone);
            return;
        }
    }
    gone();
}

void RecordedStream::onDrained(std::function<void()> drained) {
    {
        const std::lock_guard lock(mutex_);
        if (state_ != State::open) {
            return;
        }
        if (pending_ > 0) {
            drained_ = std::move(drained);
            return;
        }
    }
    drained();
}

void RecordedStream::stall() {
    const std::lock_guard lock(mutex_);
    stalled_ = true;
}

void RecordedStream::drain() {
    std::function<void()> drained;
    {
        const std::lock_guard lock(mutex_);
        stalled_ = false;
        pending_ = 0;
        drained.swap(drained_);
    }
    if (drained) {
        const host::entry::Waiting onTheLoop(host::entry::Waiting::Rule::forbidden);
        drained();
    }
}

void RecordedStream::hangUp() {
    std::function<void()> gone;
    {
        const std::lock_guard lock(mutex_);
        if (state_ != State::open) {
            return;
        }
        state_ = State::gone;
        drained_ = nullptr;
        gone.swap(gone_);
    }
    if (gone) {
        const host::entry::Waiting onTheLoop(host::entry::Waiting::Rule::forbidden);
        gone();
    }
}

std::string RecordedStream::written() const {
    const std::lock_guard lock(mutex_);
    return written_;
}

bool RecordedStream::ended() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::ended;
}

bool RecordedStream::aborted() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::aborted;
}

void RecordedStream::awaitEnd() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ == State::ended || state_ == State::aborted; });
}

void RecordedStream::finish(State state) {
    const std::lock_guard lock(mutex_);
    if (state_ == State::open) {
        state_ = state;
        drained_ = nullptr;
        changed_.notify_all();
    }
}

}  // namespace sallyport::testing
