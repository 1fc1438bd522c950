// A plugin on its way out.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "host/plugins/running_plugin.h"

namespace sallyport::host::plugins {

/// Waits, on a thread of its own, until nothing of a plugin is running any more, then stops and destroys it.
/// Whoever does not want to wait that long goes on without: the plugin stays whole for as long as its code
/// runs. [any thread]
class Retirement {
public:
    /// @param plugin whose gate is held; nothing of it is called from here on but what is under way.
    explicit Retirement(std::shared_ptr<RunningPlugin> plugin);
    /// Waits for its end, however long that takes.
    ~Retirement() { thread_.join(); }
    Retirement(const Retirement&) = delete;
    Retirement& operator=(const Retirement&) = delete;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::shared_ptr<http::Gate>& gate() const noexcept { return gate_; }

    /// @return whether it has been stopped and destroyed within `limit`.
    [[nodiscard]] bool awaitEnd(std::chrono::milliseconds limit);

private:
    void run(std::shared_ptr<RunningPlugin> plugin);

    const std::string name_;
    const std::shared_ptr<http::Gate> gate_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::thread thread_;
};

}  // namespace sallyport::host::plugins
