// A plugin on its way out.
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "host/http/gate.h"

namespace sallyport::host::plugins {

class RunningPlugin;

/// Waits, on a thread of its own, until nothing of a plugin is running any more, then stops and destroys it.
/// Whoever does not want to wait that long goes on without: the plugin stays whole for as long as its code
/// runs. Each plugin has one from its beginning: when it is to end, there may be neither a thread nor memory
/// to be had. [any thread]
class Retirement {
public:
    /// @throws std::system_error when there is no thread for it.
    Retirement() : thread_([this] { run(); }) {}
    /// Waits for the plugin's end, however long that takes, if it has begun.
    ~Retirement();
    Retirement(const Retirement&) = delete;
    Retirement& operator=(const Retirement&) = delete;

    /// @param plugin whose gate is held; nothing of it is called from here on but what is under way.
    void begin(std::shared_ptr<RunningPlugin> plugin) noexcept;

    /// Of the plugin. [once it has begun]
    [[nodiscard]] const std::string& name() const noexcept { return gate_->plugin(); }

    /// @return whether the plugin has been stopped and destroyed within `limit`.
    [[nodiscard]] bool awaitEnd(std::chrono::milliseconds limit);

private:
    void run();

    std::shared_ptr<http::Gate> gate_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<RunningPlugin> plugin_;  ///< the thread's own once it has begun
    bool unused_ = false;
    bool over_ = false;
    std::thread thread_;
};

/// One goes from list to list without memory.
using Retirements = std::list<Retirement>;

}  // namespace sallyport::host::plugins
