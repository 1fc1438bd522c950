// The threads on which handlers may block.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sallyport/log.h>

#include "host/http/load_metrics.h"
#include "host/http/task.h"
#include "host/http/task_queue.h"

namespace sallyport::host::http {

/// Threads that are shared by lane, account and plugin: see TaskQueue. No plugin and no job holds more
/// than half of them, and no job more than its share of the processor's time. While tasks wait for threads
/// that are held for long, up to as many spare threads are started, so that a plugin whose handlers never
/// return takes nothing from the others. [any thread]
class WorkerPool {
public:
    struct Options {
        std::size_t threads = 4;                       ///< at least 1
        std::size_t places = 1024;                     ///< tasks that may wait in a lane
        std::chrono::milliseconds patience{500};       ///< after which a thread counts as held for long
        std::chrono::milliseconds stuckAfter{60'000};  ///< see `stuck`
        unsigned jobShare = 100;                       ///< see TaskQueue::Limits, and for the crowd
    };

    /// @param crowd   null, or outlives this.
    /// @param metrics where it is counted, as long as this lives; null: nowhere.
    WorkerPool(const Options& options, Logger& log, const Crowd* crowd = nullptr, Metrics* metrics = nullptr);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// @return false when there is no place for the task, or the pool has been stopped.
    [[nodiscard]] bool submit(const Origin& origin, Task task);

    /// While what it returns lives, no job rests: somebody waits for its tasks to end. It must not outlive
    /// this.
    [[nodiscard]] std::shared_ptr<void> hurry();

    /// Whether no task has begun or ended for `stuckAfter`, though one waits that its plugin's share does
    /// not hold back. The log says so when it begins and when it is over.
    [[nodiscard]] bool stuck() const;

    /// Runs what is queued and ends the threads. Not from one of them.
    void stop();

private:
    using Clock = TaskQueue::Clock;

    /// One thread and what it does. [with the mutex held]
    struct Worker {
        std::thread thread;
        std::optional<Origin> origin;  ///< of the task that it runs
        Clock::time_point since;       ///< when that began
    };

    /// A task is ready: has a thread take it, or the supervisor see that there is none.
    void callSomebody();
    void setHurry(int change);
    /// Waits to be called, or until a job has rested.
    void await(std::condition_variable& call, std::unique_lock<std::mutex>& lock);
    void work(Worker& worker);
    [[nodiscard]] bool step(Worker& worker, std::unique_lock<std::mutex>& lock);
    void logFailure(const char* error) noexcept;
    void run(Worker& worker, TaskQueue::Taken taken, std::unique_lock<std::mutex>& lock);
    void progressed(std::unique_lock<std::mutex>& lock);
    void supervise();
    void lookAfter(std::unique_lock<std::mutex>& lock);
    void addThread();
    /// Threads that can be counted on.
    [[nodiscard]] std::size_t useful(Clock::time_point now) const;
    [[nodiscard]] std::string holders() const;

    const Options options_;
    Logger& log_;
    PoolMetrics metrics_;
    mutable std::mutex mutex_;
    std::condition_variable available_;  ///< a task is ready, or the pool stops
    std::condition_variable watch_;      ///< a task is ready and no thread is idle, or the pool stops
    TaskQueue queue_;
    std::list<Worker> workers_;
    std::vector<std::thread> retired_;  ///< spare threads that are about to end
    std::size_t idle_ = 0;
    int hurries_ = 0;
    bool watching_ = false;  ///< the supervisor knows that a task is kept waiting
    bool stopped_ = false;
    bool stuck_ = false;
    Clock::time_point progress_;  ///< when a task last began or ended, or began to be kept waiting
    std::thread supervisor_;
};

}  // namespace sallyport::host::http
