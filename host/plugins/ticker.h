// Tasks that run again and again.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <Poco/Util/Timer.h>

#include "host/http/worker_pool.h"

namespace sallyport::host::plugins {

/// Runs tasks on the pool at intervals, each never twice at once. [any thread]
class Ticker {
public:
    explicit Ticker(http::WorkerPool& pool) : pool_(pool) {}

    /// @param plugin whose share of the pool the task takes.
    void add(const void* owner, const std::string& plugin, std::chrono::milliseconds interval,
             std::function<void()> task);

    /// Ends the owner's tasks and waits for those that are running. Not from one of them.
    void remove(const void* owner);

private:
    /// One repeated task. Running it and ending it exclude each other.
    struct Repeated {
        std::mutex mutex;
        std::function<void()> task;  ///< empty once ended
    };
    struct Entry {
        const void* owner;
        std::shared_ptr<Repeated> repeated;
        Poco::Util::TimerTask::Ptr timer;
    };

    http::WorkerPool& pool_;
    std::mutex mutex_;
    std::vector<Entry> entries_;
    Poco::Util::Timer timer_;
};

}  // namespace sallyport::host::plugins
