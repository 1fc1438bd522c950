#include "host/plugins/ticker.h"

#include <algorithm>

#include <Poco/Util/TimerTask.h>

namespace sallyport::host::plugins {

namespace {

class Tick final : public Poco::Util::TimerTask {
public:
    explicit Tick(std::function<void()> tick) : tick_(std::move(tick)) {}
    void run() override { tick_(); }

private:
    std::function<void()> tick_;
};

}  // namespace

void Ticker::add(const void* owner, const std::string& plugin, std::chrono::milliseconds interval,
                 std::function<void()> task) {
    auto repeated = std::make_shared<Repeated>();
    repeated->task = std::move(task);
    const Poco::Util::TimerTask::Ptr timer =
        new Tick([this, repeated, origin = http::Origin{http::Lane::background, plugin, plugin}] {
            // A full pool skips a beat; the next one comes.
            static_cast<void>(pool_.submit(origin, [repeated] {
                const std::unique_lock lock(repeated->mutex, std::try_to_lock);
                if (lock && repeated->task)
                    repeated->task();
            }));
        });
    const auto period = static_cast<long>(interval.count());
    const std::lock_guard lock(mutex_);
    entries_.push_back({owner, repeated, timer});
    timer_.schedule(timer, period, period);
}

void Ticker::remove(const void* owner) {
    std::vector<Entry> removed;
    {
        const std::lock_guard lock(mutex_);
        const auto split = std::stable_partition(
            entries_.begin(), entries_.end(), [owner](const Entry& entry) { return entry.owner != owner; });
        removed.assign(std::make_move_iterator(split), std::make_move_iterator(entries_.end()));
        entries_.erase(split, entries_.end());
    }
    for (auto& entry : removed) {
        entry.timer->cancel();
        const std::lock_guard lock(entry.repeated->mutex);
        entry.repeated->task = nullptr;
    }
}

}  // namespace sallyport::host::plugins
