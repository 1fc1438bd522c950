// An event loop as one plugin sees it.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include <sallyport/ext/io.h>

#include "host/http/event_loop.h"
#include "host/http/gate.h"

namespace sallyport::host::plugins {

/// Tasks are counted at the plugin's gate and keep its code loaded. Watches do not: they are ended before the
/// code goes.
class PluginLoop final : public IoLoop {
public:
    PluginLoop(http::EventLoop& loop, std::shared_ptr<void> code, std::shared_ptr<http::Gate> gate)
        : loop_(loop), code_(std::move(code)), gate_(std::move(gate)) {}

    [[nodiscard]] bool isCurrent() const noexcept override { return loop_.isCurrent(); }
    void post(std::function<void()> task) override;
    void watch(int descriptor, std::function<void()> readable) override;
    void unwatch(int descriptor) override;

    /// Ends what is still watched and returns when none of it is running. [any thread but the loop's own]
    void endWatches();

private:
    http::EventLoop& loop_;
    std::shared_ptr<void> code_;
    std::shared_ptr<http::Gate> gate_;
    std::atomic<bool> used_{false};
    std::map<int, std::uint64_t> watches_;  ///< by descriptor. [the loop's thread]
};

}  // namespace sallyport::host::plugins
