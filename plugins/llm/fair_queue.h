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

/// A bound on the calls under way at once, and a bounded queue before it that is fair between jobs: turns go
/// round the jobs that wait, and when the queue is full, the job that takes most of it gives way. [any
/// thread]
class FairQueue {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// The right to one call under way. It ends with this object. The queue must outlive it.
    class Slot {
    public:
        Slot(Slot&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)) {}
        Slot& operator=(Slot&& other) noexcept;
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;
        ~Slot() { end(); }
        /// Lets the next go on now.
        void end() noexcept;

    private:
        friend class FairQueue;
        explicit Slot(FairQueue* queue) : queue_(queue) {}
        FairQueue* queue_;
    };

    /// One who waits. One of the two is called, once, unless it leaves before; neither may throw or block.
    /// They are called on the thread that enters, or that gives its slot up, or that calls `expire` or
    /// `close`.
    struct Waiter {
        std::function<void(Slot)> ready;
        /// 503 `overloaded` with `Retry-After`, or 503 `stopping`.
        std::function<void(const RequestError&)> refused;
    };

    /// Names a waiter.
    struct Ticket {
        JobId job;
        std::uint64_t number = 0;
    };

    /// @param slots  calls under way at once, at least 1.
    /// @param places waiters at the most.
    FairQueue(std::size_t slots, std::size_t places) : places_(places), free_(slots) {}
    /// Refuses who waits. Every slot has ended before.
    ~FairQueue() { close(); }
    FairQueue(const FairQueue&) = delete;
    FairQueue& operator=(const FairQueue&) = delete;

    /// Calls `ready` before it returns if a slot is free, `refused` if there is no place.
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

    [[nodiscard]] std::optional<Waiter> makeRoom(const JobId& job);
    [[nodiscard]] Waiter takeNext();
    void remove(const JobId& job, Places::iterator place);
    void giveTurns();
    void release() noexcept;

    const std::size_t places_;

    mutable std::mutex mutex_;
    std::size_t free_;
    std::size_t running_ = 0;
    std::size_t waiting_ = 0;
    std::uint64_t lastNumber_ = 0;
    bool closed_ = false;
    bool givingTurns_ = false;                ///< a thread is in giveTurns
    std::unordered_map<JobId, Places> jobs_;  ///< only jobs that wait
    std::deque<JobId> turns_;                 ///< the same jobs; the first is next
};

}  // namespace sallyport::plugins::llm
