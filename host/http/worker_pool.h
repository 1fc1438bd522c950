// The threads on which handlers may block.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <sallyport/log.h>

#include "host/http/task.h"

namespace sallyport::host::http {

/// A fixed number of threads that serve several queues in turn, so that a flood of work from sandboxes does
/// not keep an operator waiting. [any thread]
class WorkerPool {
public:
    /// Each lane has a queue of its own.
    enum class Lane { worker, operators, background };

    /// @param queue tasks waiting in a lane at the most.
    WorkerPool(std::size_t threads, std::size_t queue, Logger& log);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// @return false when the lane's queue is full or the pool has been stopped.
    [[nodiscard]] bool submit(Lane lane, Task task);

    /// Runs what is queued and ends the threads. Not from one of them.
    void stop();

private:
    static constexpr std::size_t lanes = 3;

    void work();
    [[nodiscard]] bool next(Task& task);

    const std::size_t limit_;
    Logger& log_;
    std::mutex mutex_;
    std::condition_variable available_;
    std::array<std::deque<Task>, lanes> queues_;
    std::size_t turn_ = 0;
    bool stopped_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace sallyport::host::http
