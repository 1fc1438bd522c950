#include "host/plugins/retirement.h"

#include <exception>
#include <new>
#include <utility>

#include "host/plugins/running_plugin.h"

namespace sallyport::host::plugins {

namespace {

/// A thread's first allocation takes more than those after it, and jemalloc does not survive the want of it.
void allocateFirst() {
    ::operator delete(::operator new(1));
}

}  // namespace

Retirement::~Retirement() {
    {
        const std::lock_guard lock(mutex_);
        unused_ = gate_ == nullptr;
    }
    changed_.notify_all();
    thread_.join();
}

void Retirement::begin(std::shared_ptr<RunningPlugin> plugin) noexcept {
    {
        const std::lock_guard lock(mutex_);
        gate_ = plugin->gate();
        plugin_ = std::move(plugin);
    }
    changed_.notify_all();
}

void Retirement::run() {
    allocateFirst();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return unused_ || gate_ != nullptr; });
    if (unused_) {
        return;
    }
    lock.unlock();
    try {
        plugin_->withdraw();
        gate_->waitQuiet();
        plugin_->stop();
        plugin_.reset();
    } catch (const std::exception&) {
        // There is no memory for stopping it. It stays as it is, and is not over for whoever waits.
        return;
    }
    lock.lock();
    over_ = true;
    changed_.notify_all();
}

bool Retirement::awaitEnd(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return over_; });
}

}  // namespace sallyport::host::plugins
