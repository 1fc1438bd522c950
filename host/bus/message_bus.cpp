#include "host/bus/message_bus.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <sallyport/error_text.h>

namespace sallyport::host::bus {

namespace {

/// The calls into one group's receivers.
class Calls {
public:
    /// @return false when the group has ended.
    bool enter() {
        const std::lock_guard lock(mutex_);
        if (ended_) {
            return false;
        }
        ++running_;
        onThisThread().push_back(this);
        return true;
    }

    void leave() {
        const std::lock_guard lock(mutex_);
        --running_;
        onThisThread().pop_back();
        left_.notify_all();
    }

    /// Lets no more calls in, and waits for those on other threads. Those on this thread, below us on
    /// the stack, cannot end while we wait. @return whether all have ended.
    bool end() {
        std::unique_lock lock(mutex_);
        ended_ = true;
        const auto own = std::count(onThisThread().begin(), onThisThread().end(), this);
        left_.wait(lock, [&] { return running_ == own; });
        return own == 0;
    }

private:
    /// The groups into whose receivers this thread is calling, innermost last.
    static std::vector<const Calls*>& onThisThread() {
        thread_local std::vector<const Calls*> calls;
        return calls;
    }

    std::mutex mutex_;
    std::condition_variable left_;
    std::ptrdiff_t running_ = 0;
    bool ended_ = false;
};

struct Leaving {
    Calls& calls;
    ~Leaving() { calls.leave(); }
};

struct BusSubscriber {
    std::shared_ptr<Calls> group;
    std::function<void(const void*)> receive;
};

using BusSubscribers = std::vector<std::shared_ptr<BusSubscriber>>;

}  // namespace

struct MessageBus::State {
    explicit State(Logger& logger) : log(logger) {}

    void call(const BusSubscriber& subscriber, std::string_view topic, const void* message);

    Logger& log;
    std::mutex mutex;  ///< never held while a receiver or `wake` runs: both may come back here
    std::map<std::string, BusSubscribers, std::less<>> topics;
    std::shared_ptr<const std::function<void(std::string_view)>> wake;
};

void MessageBus::State::call(const BusSubscriber& subscriber, std::string_view topic, const void* message) {
    if (!subscriber.group->enter()) {
        return;
    }
    const Leaving leaving{*subscriber.group};
    try {
        subscriber.receive(message);
    } catch (...) {
        log.error("subscriber failed", {{"topic", topic}, {"error", errorText(std::current_exception())}});
    }
}

class MessageBus::Group final : public Bus {
public:
    Group(std::shared_ptr<State> state, Wrap wrap) : state_(std::move(state)), wrap_(std::move(wrap)) {}

    ~Group() override {
        BusSubscribers ended;
        {
            const std::lock_guard lock(state_->mutex);
            for (auto& [topic, subscribers] : state_->topics) {
                const auto mine = std::stable_partition(
                    subscribers.begin(), subscribers.end(),
                    [this](const auto& subscriber) { return subscriber->group != calls_; });
                ended.insert(ended.end(), mine, subscribers.end());
                subscribers.erase(mine, subscribers.end());
            }
        }
        if (calls_->end()) {
            // A publisher on another thread may hold a subscriber for a while yet. What it would have called
            // is destroyed now, because the code of a plugin may be unloaded next.
            for (const auto& subscriber : ended) {
                subscriber->receive = nullptr;
            }
        }
    }

    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    void wake(std::string_view topic) override {
        std::shared_ptr<const std::function<void(std::string_view)>> wake;
        {
            const std::lock_guard lock(state_->mutex);
            wake = state_->wake;
        }
        if (wake && *wake) {
            (*wake)(topic);
        }
    }

private:
    void subscribeRaw(std::string_view topic, std::function<void(const void*)> receive) override {
        if (wrap_) {
            receive = wrap_(std::move(receive));
        }
        auto subscriber = std::make_shared<BusSubscriber>(BusSubscriber{calls_, std::move(receive)});
        const std::lock_guard lock(state_->mutex);
        state_->topics[std::string(topic)].push_back(std::move(subscriber));
    }

    void publishRaw(std::string_view topic, const void* message) override {
        // A receiver may destroy this very group, so nothing of it is touched once calling has begun.
        const std::shared_ptr<State> state = state_;
        BusSubscribers subscribers;
        {
            const std::lock_guard lock(state->mutex);
            const auto found = state->topics.find(topic);
            if (found == state->topics.end()) {
                return;
            }
            subscribers = found->second;
        }
        for (const auto& subscriber : subscribers) {
            state->call(*subscriber, topic, message);
        }
    }

    std::shared_ptr<State> state_;
    const Wrap wrap_;
    std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
};

MessageBus::MessageBus(Logger& log) : state_(std::make_shared<State>(log)) {}

MessageBus::~MessageBus() = default;

void MessageBus::onWake(std::function<void(std::string_view topic)> wake) {
    auto shared = std::make_shared<const std::function<void(std::string_view)>>(std::move(wake));
    const std::lock_guard lock(state_->mutex);
    state_->wake = std::move(shared);
}

std::unique_ptr<Bus> MessageBus::group(Wrap wrap) {
    return std::make_unique<Group>(state_, std::move(wrap));
}

}  // namespace sallyport::host::bus
