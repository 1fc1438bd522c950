// Prompts that wait for their workers, in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include <sallyport/job_id.h>

namespace sallyport::plugins {

/// A prompt as it was queued. Prompts of a job are delivered by rising number.
struct Prompt {
    std::int64_t id = 0;
    std::string content;
    bool done = false;  ///< whether the operator has no more to say
};

/// One queue for each job that has prompts, in front of the table that keeps them. A job without prompts
/// costs nothing, and asking for its next one takes a lock that is shared by few and one look. [any thread]
class PromptQueues {
public:
    PromptQueues() = default;
    PromptQueues(const PromptQueues&) = delete;
    PromptQueues& operator=(const PromptQueues&) = delete;

    /// Room for a prompt on its way into a queue, while its row is being stored. It makes sure that a job
    /// which ends in the meantime is noticed. The queues must outlive it.
    class Place {
    public:
        ~Place();
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

        /// How many prompts the queue has with the one that this place was taken for.
        [[nodiscard]] std::size_t position() const noexcept { return position_; }

        /// Puts the stored prompt into the queue, once. @return false when the job has ended: it goes
        /// nowhere.
        [[nodiscard]] bool fill(Prompt prompt);

    private:
        friend class PromptQueues;
        Place(PromptQueues& queues, const JobId& job) : queues_(queues), job_(job) {}

        PromptQueues& queues_;
        JobId job_;
        std::size_t position_ = 0;
        bool taken_ = false;  ///< counted by the queue
    };

    /// A prompt in the hands of a worker's connection. If it goes away without word of the delivery, the
    /// prompt is put back. The queues must outlive it.
    class Delivery {
    public:
        ~Delivery();
        Delivery(const Delivery&) = delete;
        Delivery& operator=(const Delivery&) = delete;

        [[nodiscard]] const Prompt& prompt() const noexcept { return prompt_; }

        /// The worker has it: it is gone from the queue for good.
        void delivered();

        /// Puts it back where it was. @return false when the job has ended: it goes nowhere.
        bool putBack();

    private:
        friend class PromptQueues;
        explicit Delivery(const JobId& job) : job_(job) {}

        PromptQueues* queues_ = nullptr;  ///< null once the outcome is known
        JobId job_;
        Prompt prompt_;
    };

    /// Takes a place in the job's queue for a prompt that is about to be stored.
    [[nodiscard]] std::shared_ptr<Place> reserve(const JobId& job);

    /// Takes the oldest prompt; null when there is none.
    [[nodiscard]] std::shared_ptr<Delivery> take(const JobId& job);

    /// Drops the queue of a job that has ended, what is being stored and what is being delivered included.
    /// @return false when there was nothing to drop.
    bool close(const JobId& job);

private:
    struct Queue {
        std::map<std::int64_t, Prompt> waiting;
        std::size_t places = 0;      ///< prompts that are being stored
        std::size_t deliveries = 0;  ///< prompts that are being delivered
        bool closed = false;
    };
    using Queues = std::unordered_map<JobId, Queue>;
    struct Shard {
        std::mutex mutex;
        Queues queues;
    };

    [[nodiscard]] Shard& shardOf(const JobId& job) { return shards_[job.bytes()[0] % shards_.size()]; }
    static void forgetIfUnused(Queues& queues, Queues::iterator queue);

    std::array<Shard, 16> shards_;
};

}  // namespace sallyport::plugins
