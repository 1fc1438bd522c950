// Waiting for a turn to call a provider.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/job_id.h>

namespace sallyport::plugins::llm {

/// A bound on the calls under way at once, and a bounded queue before it. Both are shared between jobs at all
/// times, since a call under way cannot be ended for the sake of another: a job may add to the slots that it
/// holds only while as many are free, so that it never has more than half of them, or less the more others
/// have, and an eighth of the slots is kept for jobs that hold none. Turns go round the jobs that wait, and
/// when the queue is full, the job that takes most of it gives way. [any thread]
class FairQueue {
public:
    using Time = std::chrono::steady_clock::time_point;

    struct Bounds {
        std::size_t slots = 1;   ///< calls under way at once, at least 1
        std::size_t perJob = 0;  ///< of them, of one job; 0: as many as are its share
        std::size_t places = 0;  ///< waiters at the most
        std::size_t bytes = 0;   ///< what they keep in memory; one by itself may keep more
    };

    /// The right to one call under way. It ends with this object. The queue must outlive it.
    class Slot {
    public:
        Slot(Slot&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), job_(other.job_) {}
        Slot& operator=(Slot&& other) noexcept;
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;
        ~Slot() { end(); }
        /// Lets the next go on now.
        void end() noexcept;

    private:
        friend class FairQueue;
        Slot(FairQueue* queue, const JobId& job) : queue_(queue), job_(job) {}
        FairQueue* queue_;
        JobId job_;
    };

    /// One who waits. One of the two is called, once, unless it leaves before; neither may throw or block.
    /// They are called on the thread that enters, or that gives its slot up, or that calls `expire` or
    /// `close`.
    struct Waiter {
        std::function<void(Slot)> ready;
        /// With `Retry-After`: 429 `concurrency_limit` if its job had as many calls under way as it may, else
        /// 503 `overloaded`. 503 `stopping`.
        std::function<void(const RequestError&)> refused;
        std::size_t bytes = 0;  ///< that it keeps in memory while it waits
    };

    /// Names a waiter.
    struct Ticket {
        JobId job;
        std::uint64_t number = 0;
    };

    explicit FairQueue(const Bounds& bounds);
    /// Refuses who waits. Every slot has ended before.
    ~FairQueue() { close(); }
    FairQueue(const FairQueue&) = delete;
    FairQueue& operator=(const FairQueue&) = delete;

    /// Calls `ready` before it returns if the job may have a slot now, `refused` if there is no place.
    /// @param deadline after which `expire` refuses it.
    Ticket enter(const JobId& job, Time deadline, Waiter waiter);

    /// Gives up waiting. @return whether it was still waiting: then neither function is or will be called.
    bool leave(const Ticket& ticket);

    /// Refuses those whose deadline has passed. To be called every now and then.
    void expire(Time now);

    /// Refuses all who wait and who come. Slots that were given stay.
    void close();

    [[nodiscard]] std::size_t running() const;
    [[nodiscard]] std::size_t waiting() const;

private:
    struct Place {
        Time deadline;
        Waiter waiter;
    };
    /// A job's waiters, the longest waiting first.
    using Places = std::map<std::uint64_t, Place>;
    struct Job {
        std::size_t held = 0;  ///< slots
        std::size_t bytes = 0;
        Places places{};
    };
    /// Only jobs that hold something or wait.
    using Jobs = std::unordered_map<JobId, Job>;

    [[nodiscard]] bool mayRun(const Job& job) const;
    [[nodiscard]] bool isFor(std::size_t bytes) const;
    [[nodiscard]] double share(std::size_t places, std::size_t bytes) const;
    [[nodiscard]] RequestError tooLate(const Job& job) const;
    [[nodiscard]] std::optional<Waiter> makeRoom(const JobId& job, std::size_t bytes);
    [[nodiscard]] Waiter remove(Jobs::iterator job, Places::iterator place);
    void dropIfUnused(Jobs::iterator job);
    void giveTurns(std::unique_lock<std::mutex>& lock);
    void release(const JobId& job) noexcept;

    const Bounds bounds_;
    const std::size_t reserve_;  ///< slots that are kept for jobs that hold none

    mutable std::mutex mutex_;
    std::size_t free_;
    std::size_t waiting_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t lastNumber_ = 0;
    bool closed_ = false;
    /// A thread is in giveTurns. Otherwise nobody waits who could have a slot.
    bool givingTurns_ = false;
    Jobs jobs_;
    std::deque<JobId> turns_;  ///< the jobs that wait; the first is next
};

}  // namespace sallyport::plugins::llm
