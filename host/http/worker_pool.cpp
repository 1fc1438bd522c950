#include "host/http/worker_pool.h"

#include <exception>

namespace sallyport::host::http {

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue, Logger& log) : limit_(queue), log_(log) {
    threads_.reserve(threads);
    for (std::size_t i = 0; i < threads; ++i)
        threads_.emplace_back([this] { work(); });
}

WorkerPool::~WorkerPool() {
    stop();
}

bool WorkerPool::submit(Lane lane, Task task) {
    {
        const std::lock_guard lock(mutex_);
        auto& queue = queues_[static_cast<std::size_t>(lane)];
        if (stopped_ || queue.size() >= limit_)
            return false;
        queue.push_back(std::move(task));
    }
    available_.notify_one();
    return true;
}

void WorkerPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    available_.notify_all();
    for (auto& thread : threads_) {
        if (thread.joinable())
            thread.join();
    }
}

bool WorkerPool::next(Task& task) {
    for (std::size_t i = 0; i < lanes; ++i) {
        turn_ = (turn_ + 1) % lanes;
        auto& queue = queues_[turn_];
        if (!queue.empty()) {
            task = std::move(queue.front());
            queue.pop_front();
            return true;
        }
    }
    return false;
}

void WorkerPool::work() {
    for (;;) {
        Task task;
        {
            std::unique_lock lock(mutex_);
            bool found = false;
            available_.wait(lock, [&] {
                found = next(task);
                return found || stopped_;
            });
            if (!found)
                return;
        }
        try {
            task();
        } catch (const std::exception& error) {
            log_.error("a background task failed", {{"error", error.what()}});
        } catch (...) {
            log_.error("a background task failed", {{"error", "not a std::exception"}});
        }
    }
}

}  // namespace sallyport::host::http
