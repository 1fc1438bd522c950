#include "host/plugins/plugin_loop.h"

#include <latch>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "host/entry/rules.h"
#include "host/log/attempt.h"
#include "host/plugins/kept.h"

namespace sallyport::host::plugins {

struct PluginLoop::Armed {
    std::optional<http::Timer> timer;  ///< none once it has ended. [the loop's thread]
    std::atomic<bool> over{false};     ///< the plugin has destroyed its timer
};

/// What the plugin has of it. May outlast the loop's end.
class PluginLoop::PluginTimer final : public IoTimer {
public:
    PluginTimer(std::shared_ptr<PluginLoop> loop, std::shared_ptr<Armed> armed)
        : loop_(std::move(loop)), armed_(std::move(armed)) {}
    ~PluginTimer() override {
        if (loop_->ended_) {
            return;
        }
        if (loop_->isCurrent()) {
            loop_->forget(armed_);
        } else {
            breakRule();
        }
    }
    PluginTimer(const PluginTimer&) = delete;
    PluginTimer& operator=(const PluginTimer&) = delete;

    void arm(Clock::time_point deadline) override {
        entry::requireLoop(loop_->isCurrent(), "IoTimer::arm");
        if (armed_->timer) {
            armed_->timer->arm(deadline);
        }
    }
    void cancel() override {
        entry::requireLoop(loop_->isCurrent(), "IoTimer::cancel");
        if (armed_->timer) {
            armed_->timer->cancel();
        }
    }
    [[nodiscard]] bool isArmed() const override {
        entry::requireLoop(loop_->isCurrent(), "IoTimer::isArmed");
        return armed_->timer && armed_->timer->isArmed();
    }

private:
    /// A destructor can throw nothing. So the rule is told to the log, and the loop has the timer go.
    void breakRule() noexcept {
        armed_->over = true;
        log::attempt([this] {
            if (auto* const logger = loop_->gate_->owner().log) {
                logger->error("a plugin's timer was destroyed in the wrong place",
                              {{"plugin", loop_->gate_->plugin()}, {"error", entry::offItsLoop()}});
            }
            loop_->loop_.post([loop = loop_, armed = armed_] { loop->forget(armed); });
        });
    }

    const std::shared_ptr<PluginLoop> loop_;
    const std::shared_ptr<Armed> armed_;
};

void PluginLoop::post(std::function<void()> task) {
    loop_.post(guarded(Kept(code_, gate_, "IoLoop::post", std::move(task))));
}

void PluginLoop::watch(int descriptor, IoEvents interest, IoTrigger trigger,
                       std::function<void(IoEvents)> ready) {
    entry::requireLoop(isCurrent(), "IoLoop::watch");
    used_ = true;
    unwatch(descriptor);
    if (ended_) {
        return;
    }
    Callback callback(code_, gate_, "IoLoop::watch", std::move(ready));
    const auto number = loop_.newNumber();
    const auto known = watches_.emplace(descriptor, number).first;
    try {
        loop_.watches().add(
            number, descriptor, interest, trigger,
            [callback = std::move(callback)](IoEvents events) { callback.callGuarded(events); });
    } catch (...) {
        watches_.erase(known);
        throw;
    }
}

void PluginLoop::change(int descriptor, IoEvents interest) {
    entry::requireLoop(isCurrent(), "IoLoop::change");
    const auto found = watches_.find(descriptor);
    if (found == watches_.end()) {
        throw std::logic_error("IoLoop::change was called for a descriptor that is not watched: " +
                               std::to_string(descriptor));
    }
    loop_.watches().change(found->second, interest);
}

void PluginLoop::unwatch(int descriptor) {
    entry::requireLoop(isCurrent(), "IoLoop::unwatch");
    const auto found = watches_.find(descriptor);
    if (found == watches_.end()) {
        return;
    }
    loop_.watches().remove(found->second);
    watches_.erase(found);
}

std::unique_ptr<IoTimer> PluginLoop::timer(std::function<void()> expired) {
    entry::requireLoop(isCurrent(), "IoLoop::timer");
    used_ = true;
    auto armed = std::make_shared<Armed>();
    auto timer = std::make_unique<PluginTimer>(shared_from_this(), armed);
    if (!ended_) {
        const Callback callback(code_, gate_, "IoLoop::timer", std::move(expired));
        armed->timer.emplace(loop_.timers(), [callback, timer = armed.get()] {
            if (!timer->over) {
                callback.callGuarded();
            }
        });
        timers_.insert(std::move(armed));
    }
    return timer;
}

void PluginLoop::forget(const std::shared_ptr<Armed>& timer) {
    timer->timer.reset();
    timers_.erase(timer);
}

void PluginLoop::end() {
    if (!used_) {
        ended_ = true;
        return;
    }
    std::latch done(1);
    loop_.post([this, &done] {
        ended_ = true;
        for (const auto& [descriptor, number] : std::exchange(watches_, {})) {
            loop_.watches().remove(number);
        }
        for (const auto& timer : std::exchange(timers_, {})) {
            timer->timer.reset();
        }
        done.count_down();
    });
    done.wait();
}

}  // namespace sallyport::host::plugins
