// An event loop as one plugin sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include <sallyport/ext/io.h>

#include "host/http/gate.h"
#include "host/http/loop.h"

namespace sallyport::host::plugins {

/// Tasks are counted at the plugin's gate and keep its code loaded. Watches and timers do not: they are ended
/// before the code goes. What they call is called through the guard (host/entry). To be made as a shared
/// object.
class PluginLoop final : public IoLoop, public std::enable_shared_from_this<PluginLoop> {
public:
    /// @param loop runs for as long as this is used.
    PluginLoop(http::Loop& loop, std::shared_ptr<void> code, std::shared_ptr<http::Gate> gate)
        : loop_(loop), code_(std::move(code)), gate_(std::move(gate)) {}

    [[nodiscard]] bool isCurrent() const noexcept override { return loop_.isCurrent(); }
    void post(std::function<void()> task) override;
    using IoLoop::watch;
    void watch(int descriptor, IoEvents interest, IoTrigger trigger,
               std::function<void(IoEvents)> ready) override;
    void change(int descriptor, IoEvents interest) override;
    void unwatch(int descriptor) override;
    [[nodiscard]] std::unique_ptr<IoTimer> timer(std::function<void()> expired) override;

    /// Ends what is still watched and all timers, for good, and returns when none of them is running. [any
    /// thread but the loop's own]
    void end();

private:
    class PluginTimer;
    /// What a plugin's timer has on the loop.
    struct Armed;

    void forget(const std::shared_ptr<Armed>& timer);

    http::Loop& loop_;
    const std::shared_ptr<void> code_;
    const std::shared_ptr<http::Gate> gate_;
    std::atomic<bool> used_{false};
    std::atomic<bool> ended_{false};

    // The rest is for the loop's thread.
    std::unordered_map<int, std::uint64_t> watches_;  ///< numbers, by descriptor
    std::unordered_set<std::shared_ptr<Armed>> timers_;
};

}  // namespace sallyport::host::plugins
