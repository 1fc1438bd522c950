// An end to a shutdown that does not come to its end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include <sallyport/log.h>

namespace sallyport::host {

/// Ends the process when its shutdown takes too long, without destroying anything: some code does not return,
/// on a loop or the store's thread, and all else waits for it. The log says which. What was acknowledged is
/// on the disk by then. Its thread is there from the beginning, as none may be had when it is needed.
class LastResort {
public:
    /// @param log outlives this.
    explicit LastResort(Logger& log);
    ~LastResort();
    LastResort(const LastResort&) = delete;
    LastResort& operator=(const LastResort&) = delete;

    /// From now on the process has so long.
    void arm(std::chrono::milliseconds limit) noexcept;
    void disarm() noexcept;

private:
    using Clock = std::chrono::steady_clock;

    void run();
    [[noreturn]] void end() noexcept;

    Logger& log_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Clock::time_point> deadline_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace sallyport::host
