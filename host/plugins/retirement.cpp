#include "host/plugins/retirement.h"

#include <utility>

namespace sallyport::host::plugins {

Retirement::Retirement(std::shared_ptr<RunningPlugin> plugin)
    : name_(plugin->name()),
      gate_(plugin->gate()),
      thread_([this, plugin = std::move(plugin)]() mutable { run(std::move(plugin)); }) {}

void Retirement::run(std::shared_ptr<RunningPlugin> plugin) {
    plugin->withdraw();
    gate_->waitQuiet();
    plugin->stop();
    plugin.reset();
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
}

bool Retirement::awaitEnd(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return over_; });
}

}  // namespace sallyport::host::plugins
