#include "host/plugins/ticker.h"

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

void Ticker::Repeated::run() {
    std::function<void()> task;
    {
        const std::lock_guard lock(mutex_);
        if (running_ || ended_) {
            return;
        }
        running_ = true;
        task.swap(task_);
    }
    // Whatever comes out of the task, the next beat finds it as it was.
    struct Done {
        Repeated& repeated;
        std::function<void()>& task;
        ~Done() {
            {
                const std::lock_guard lock(repeated.mutex_);
                if (!repeated.ended_) {
                    task.swap(repeated.task_);
                }
            }
            task = nullptr;
            const std::lock_guard lock(repeated.mutex_);
            repeated.running_ = false;
            repeated.done_.notify_all();
        }
    };
    const Done done{*this, task};
    task();
}

void Ticker::Repeated::end() {
    std::function<void()> task;
    const std::lock_guard lock(mutex_);
    ended_ = true;
    task.swap(task_);
}

void Ticker::Repeated::awaitEnd() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return !running_; });
}

void Ticker::add(const void* owner, const std::string& plugin, std::chrono::milliseconds interval,
                 std::function<void()> task) {
    auto repeated = std::make_shared<Repeated>(std::move(task));
    const Poco::Util::TimerTask::Ptr timer =
        new Tick([this, repeated, origin = http::Origin{http::Lane::background, plugin, plugin}] {
            // A full pool skips a beat; the next one comes.
            static_cast<void>(pool_.submit(origin, [repeated] { repeated->run(); }));
        });
    const auto period = static_cast<long>(interval.count());
    const std::lock_guard lock(mutex_);
    entries_.push_back({owner, repeated, timer});
    timer_.schedule(timer, period, period);
}

void Ticker::end(const void* owner) {
    static_cast<void>(take(owner));
}

void Ticker::remove(const void* owner) {
    for (const auto& entry : take(owner)) {
        entry.repeated->awaitEnd();
    }
}

/// Those of one owner, ended.
std::list<Ticker::Entry> Ticker::take(const void* owner) {
    std::list<Entry> taken;
    {
        const std::lock_guard lock(mutex_);
        for (auto next = entries_.begin(); next != entries_.end();) {
            const auto entry = next++;
            if (entry->owner == owner) {
                taken.splice(taken.end(), entries_, entry);
            }
        }
    }
    for (auto& entry : taken) {
        entry.timer->cancel();
        entry.repeated->end();
    }
    return taken;
}

}  // namespace sallyport::host::plugins
