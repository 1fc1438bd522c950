#include "host/http/worker_pool.h"

#include <algorithm>
#include <exception>
#include <map>
#include <new>
#include <utility>

#include <time.h>

#include "host/log/attempt.h"

namespace sallyport::host::http {

namespace {

/// Of this thread.
std::chrono::nanoseconds processorTime() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

WorkerPool::WorkerPool(const Options& options, Logger& log, const Crowd* crowd, Metrics* metrics)
    : options_(options),
      log_(log),
      metrics_(metrics),
      queue_({(options.threads + 1) / 2, options.places, options.jobShare, crowd}) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < options_.threads; ++i) {
        addThread();
    }
    supervisor_ = std::thread([this] { supervise(); });
}

WorkerPool::~WorkerPool() {
    stop();
}

bool WorkerPool::submit(const Origin& origin, Task task) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !queue_.push(origin, task)) {
        metrics_.refused();
        return false;
    }
    metrics_.waiting(queue_.waiting());
    callSomebody();
    return true;
}

void WorkerPool::callSomebody() {
    if (idle_ > 0) {
        available_.notify_one();
    } else if (!watching_) {
        watch_.notify_one();
    }
}

std::shared_ptr<void> WorkerPool::hurry() {
    setHurry(1);
    return {this, [this](void*) { setHurry(-1); }};
}

void WorkerPool::setHurry(int change) {
    const std::lock_guard lock(mutex_);
    hurries_ += change;
    queue_.hurry(stopped_ || hurries_ > 0);
    available_.notify_all();
    watch_.notify_all();
}

void WorkerPool::await(std::condition_variable& call, std::unique_lock<std::mutex>& lock) {
    const auto rested = queue_.rested(Clock::now());
    if (rested == Clock::time_point::max()) {
        call.wait(lock);
    } else {
        call.wait_until(lock, rested);
    }
}

bool WorkerPool::stuck() const {
    const std::lock_guard lock(mutex_);
    return stuck_;
}

void WorkerPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        queue_.hurry(true);
        available_.notify_all();
        watch_.notify_all();
    }
    if (supervisor_.joinable()) {
        supervisor_.join();
    }
    // Nobody adds or removes one any more.
    for (auto& worker : workers_) {
        if (worker.thread.joinable()) {
            worker.thread.join();
        }
    }
    for (auto& thread : std::exchange(retired_, {})) {
        thread.join();
    }
}

void WorkerPool::addThread() {
    auto& worker = workers_.emplace_back();
    try {
        worker.thread = std::thread([this, &worker] { work(worker); });
    } catch (const std::exception&) {
        workers_.pop_back();
        throw;
    }
}

void WorkerPool::work(Worker& worker) {
    std::unique_lock lock(mutex_);
    for (;;) {
        try {
            if (!step(worker, lock)) {
                return;
            }
        } catch (const std::bad_alloc&) {
            // Others will give some back.
            available_.wait_for(lock, options_.patience);
        }
    }
}

/// Runs a task, or waits for one. @return false when the thread is not needed any more.
bool WorkerPool::step(Worker& worker, std::unique_lock<std::mutex>& lock) {
    if (auto taken = queue_.take(Clock::now())) {
        // Several may have become ready at once.
        if (queue_.ready(Clock::now())) {
            callSomebody();
        }
        run(worker, *std::move(taken), lock);
        return true;
    }
    if (stopped_) {
        return false;
    }
    if (useful(Clock::now()) > options_.threads) {
        retired_.push_back(std::move(worker.thread));
        workers_.remove_if([&worker](const Worker& one) { return &one == &worker; });
        return false;
    }
    ++idle_;
    await(available_, lock);
    --idle_;
    return true;
}

void WorkerPool::run(Worker& worker, TaskQueue::Taken taken, std::unique_lock<std::mutex>& lock) {
    worker.origin = std::move(taken.origin);
    worker.since = Clock::now();
    metrics_.waiting(queue_.waiting());
    metrics_.began();
    progressed(lock);
    lock.unlock();
    const auto before = processorTime();
    try {
        taken.task();
        taken.task = {};
    } catch (const std::exception& error) {
        logFailure(error.what());
    } catch (...) {
        logFailure("not a std::exception");
    }
    const auto used = processorTime() - before;
    lock.lock();
    metrics_.ended();
    queue_.ended(*std::exchange(worker.origin, std::nullopt), used, Clock::now());
    progressed(lock);
}

void WorkerPool::logFailure(const char* error) noexcept {
    log::attempt([&] { log_.error("a background task failed", {{"error", error}}); });
}

void WorkerPool::progressed(std::unique_lock<std::mutex>& lock) {
    progress_ = Clock::now();
    if (!std::exchange(stuck_, false)) {
        return;
    }
    lock.unlock();
    log::attempt([this] { log_.info("the pool of handlers goes on"); });
    lock.lock();
}

void WorkerPool::supervise() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
        if (idle_ > 0 || !queue_.ready(Clock::now())) {
            await(watch_, lock);
            continue;
        }
        watching_ = true;
        progress_ = Clock::now();
        while (!stopped_ && queue_.ready(Clock::now())) {
            try {
                lookAfter(lock);
            } catch (const std::bad_alloc&) {
                // There is no memory for telling how things are.
                if (!lock.owns_lock()) {
                    lock.lock();
                }
            }
            watch_.wait_for(lock, std::chrono::microseconds(options_.patience) / 4,
                            [this] { return stopped_; });
        }
        watching_ = false;
    }
}

void WorkerPool::lookAfter(std::unique_lock<std::mutex>& lock) {
    const auto now = Clock::now();
    for (auto& thread : std::exchange(retired_, {})) {
        thread.join();
    }
    bool full = workers_.size() >= 2 * options_.threads;
    try {
        for (; !full && useful(now) < options_.threads; full = workers_.size() >= 2 * options_.threads) {
            addThread();
            progress_ = now;
        }
    } catch (const std::exception& error) {
        full = true;
        lock.unlock();
        log_.warn("a spare thread for handlers could not be started", {{"error", error.what()}});
        lock.lock();
    }
    // A pool that can still be given a thread will go on.
    if (stuck_ || !full || now - progress_ < options_.stuckAfter) {
        return;
    }
    stuck_ = true;
    const auto waiting = queue_.waiting();
    const auto by = holders();
    lock.unlock();
    log_.error("the pool of handlers is stuck: no handler has begun or ended for http.stuck_after",
               {{"waiting", waiting}, {"held_by", by}});
    lock.lock();
}

std::size_t WorkerPool::useful(Clock::time_point now) const {
    return static_cast<std::size_t>(std::count_if(
        workers_.begin(), workers_.end(),
        [&](const Worker& worker) { return !worker.origin || now - worker.since < options_.patience; }));
}

std::string WorkerPool::holders() const {
    std::map<std::string, std::size_t> threads;
    for (const auto& worker : workers_) {
        if (worker.origin) {
            ++threads[worker.origin->plugin];
        }
    }
    std::string text;
    for (const auto& [plugin, count] : threads) {
        text += (text.empty() ? "" : ", ") + plugin + " (" + std::to_string(count) + ")";
    }
    return text;
}

}  // namespace sallyport::host::http
