// Work that takes longer than an event loop can give.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>

#include <sallyport/job_id.h>

namespace sallyport::plugins::llm {

/// Has the host's pool run tasks of jobs. The jobs take turns, so that none waits for the many tasks of
/// another. Those of one job begin in the order in which they came. [any thread]
class JobTasks {
public:
    /// Runs something on a pool thread soon, as Host::run does, or drops it when there is no place for it.
    using Pool = std::function<void(std::function<void()>)>;

    explicit JobTasks(Pool pool) : pool_(std::move(pool)) {}
    JobTasks(const JobTasks&) = delete;
    JobTasks& operator=(const JobTasks&) = delete;
    ~JobTasks() = default;

    /// Runs `task` on a pool thread when its job has its turn.
    void run(const JobId& job, std::function<void()> task);

    /// Asks the pool again for what it had no place for. To be called every now and then.
    void retry() { ask(); }

private:
    class Turn;

    void ask();
    void take();
    void dropped();

    const Pool pool_;
    std::mutex mutex_;
    std::unordered_map<JobId, std::deque<std::function<void()>>> tasks_;  ///< none is empty
    std::deque<JobId> turns_;  ///< the jobs that have tasks; the first is next
    std::size_t waiting_ = 0;  ///< tasks
    std::size_t asked_ = 0;    ///< turns that the pool was asked for and has not begun
};

}  // namespace sallyport::plugins::llm
