// Tasks that run again and again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

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

    /// Ends the owner's tasks. One that is running goes on to its end. It needs no memory.
    void end(const void* owner);
    /// The same, and waits for those that are running. Not from one of them.
    void remove(const void* owner);

private:
    /// One repeated task. The lock is not held while the task runs or is destroyed.
    class Repeated {
    public:
        explicit Repeated(std::function<void()> task) : task_(std::move(task)) {}

        /// Nothing if it is running already, or ended.
        void run();
        void end();
        void awaitEnd();

    private:
        std::mutex mutex_;
        std::condition_variable done_;
        std::function<void()> task_;  ///< empty while it runs, and once ended
        bool running_ = false;
        bool ended_ = false;
    };
    struct Entry {
        const void* owner;
        std::shared_ptr<Repeated> repeated;
        Poco::Util::TimerTask::Ptr timer;
    };

    std::list<Entry> take(const void* owner);

    http::WorkerPool& pool_;
    std::mutex mutex_;
    std::list<Entry> entries_;
    Poco::Util::Timer timer_;
};

}  // namespace sallyport::host::plugins
