#include "host/daemon/last_resort.h"

#include <sysexits.h>
#include <unistd.h>

#include "host/entry/slow_calls.h"
#include "host/log/attempt.h"

namespace sallyport::host {

LastResort::LastResort(Logger& log) : log_(log), thread_([this] { run(); }) {}

LastResort::~LastResort() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void LastResort::arm(std::chrono::milliseconds limit) noexcept {
    {
        const std::lock_guard lock(mutex_);
        deadline_ = Clock::now() + limit;
    }
    changed_.notify_one();
}

void LastResort::disarm() noexcept {
    const std::lock_guard lock(mutex_);
    deadline_.reset();
}

void LastResort::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (!deadline_) {
            changed_.wait(lock);
        } else if (Clock::now() >= *deadline_) {
            end();
        } else {
            changed_.wait_until(lock, *deadline_);
        }
    }
}

void LastResort::end() noexcept {
    log::attempt([this] {
        for (const auto& call : entry::running({})) {
            entry::logRunning(log_, LogLevel::error, "a plugin's code does not return", call);
        }
        log_.error("the daemon could not stop in time, and ends as it is");
    });
    ::_exit(EX_SOFTWARE);
}

}  // namespace sallyport::host
