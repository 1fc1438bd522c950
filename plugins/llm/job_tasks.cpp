#include "job_tasks.h"

#include <memory>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

/// More than the threads of a pool that one plugin can have, and few enough for the pool always to have a
/// place.
constexpr std::size_t mostAsked = 16;

}  // namespace

/// One turn that the pool was asked for.
class JobTasks::Turn {
public:
    explicit Turn(JobTasks& tasks) : tasks_(tasks) {}
    ~Turn() {
        if (!begun_) {
            tasks_.dropped();
        }
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    void begin() {
        begun_ = true;
        tasks_.take();
    }

private:
    JobTasks& tasks_;
    bool begun_ = false;
};

void JobTasks::run(const JobId& job, std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        auto& tasks = tasks_[job];
        if (tasks.empty()) {
            turns_.push_back(job);
        }
        tasks.push_back(std::move(task));
        ++waiting_;
    }
    ask();
}

/// Asks for one more turn, if a task needs it.
void JobTasks::ask() {
    {
        const std::lock_guard lock(mutex_);
        if (asked_ == waiting_ || asked_ == mostAsked) {
            return;
        }
        ++asked_;
    }
    pool_([turn = std::make_shared<Turn>(*this)] { turn->begin(); });
}

/// Runs the task that is next. There is one, as no more turns are asked for than tasks wait.
void JobTasks::take() {
    std::function<void()> task;
    {
        const std::lock_guard lock(mutex_);
        const JobId job = turns_.front();
        turns_.pop_front();
        const auto found = tasks_.find(job);
        task = std::move(found->second.front());
        found->second.pop_front();
        if (found->second.empty()) {
            tasks_.erase(found);
        } else {
            turns_.push_back(job);
        }
        --waiting_;
        --asked_;
    }
    ask();
    task();
}

void JobTasks::dropped() {
    const std::lock_guard lock(mutex_);
    --asked_;
}

}  // namespace sallyport::plugins::llm
