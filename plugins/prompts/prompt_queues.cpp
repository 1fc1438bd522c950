#include "prompt_queues.h"

#include <utility>

namespace sallyport::plugins {

void PromptQueues::forgetIfUnused(Queues& queues, Queues::iterator queue) {
    const Queue& unused = queue->second;
    if (unused.waiting.empty() && unused.places == 0 && unused.deliveries == 0) {
        queues.erase(queue);
    }
}

std::shared_ptr<PromptQueues::Place> PromptQueues::reserve(const JobId& job) {
    std::shared_ptr<Place> place(new Place(*this, job));
    Shard& shard = shardOf(job);
    const std::lock_guard lock(shard.mutex);
    Queue& queue = shard.queues[job];
    ++queue.places;
    place->taken_ = true;
    place->position_ = queue.waiting.size() + queue.deliveries + queue.places;
    return place;
}

PromptQueues::Place::~Place() {
    if (!taken_) {
        return;
    }
    Shard& shard = queues_.shardOf(job_);
    const std::lock_guard lock(shard.mutex);
    const auto queue = shard.queues.find(job_);
    --queue->second.places;
    forgetIfUnused(shard.queues, queue);
}

bool PromptQueues::Place::fill(Prompt prompt) {
    Shard& shard = queues_.shardOf(job_);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.queues.find(job_);
    Queue& queue = found->second;
    const bool open = !queue.closed;
    if (open) {
        const std::int64_t id = prompt.id;
        queue.waiting.emplace(id, std::move(prompt));
    }
    --queue.places;
    taken_ = false;
    forgetIfUnused(shard.queues, found);
    return open;
}

std::shared_ptr<PromptQueues::Delivery> PromptQueues::take(const JobId& job) {
    Shard& shard = shardOf(job);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.queues.find(job);
    if (found == shard.queues.end() || found->second.waiting.empty()) {
        return nullptr;
    }
    Queue& queue = found->second;
    const auto oldest = queue.waiting.begin();
    std::shared_ptr<Delivery> delivery(new Delivery(job));
    delivery->prompt_ = std::move(oldest->second);
    delivery->queues_ = this;
    queue.waiting.erase(oldest);
    ++queue.deliveries;
    return delivery;
}

PromptQueues::Delivery::~Delivery() {
    if (queues_ != nullptr) {
        putBack();
    }
}

void PromptQueues::Delivery::delivered() {
    PromptQueues* const queues = std::exchange(queues_, nullptr);
    Shard& shard = queues->shardOf(job_);
    const std::lock_guard lock(shard.mutex);
    const auto queue = shard.queues.find(job_);
    --queue->second.deliveries;
    forgetIfUnused(shard.queues, queue);
}

bool PromptQueues::Delivery::putBack() {
    PromptQueues* const queues = std::exchange(queues_, nullptr);
    Shard& shard = queues->shardOf(job_);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.queues.find(job_);
    Queue& queue = found->second;
    --queue.deliveries;
    const bool open = !queue.closed;
    if (open) {
        const std::int64_t id = prompt_.id;
        queue.waiting.emplace(id, std::move(prompt_));
    }
    forgetIfUnused(shard.queues, found);
    return open;
}

bool PromptQueues::close(const JobId& job) {
    Shard& shard = shardOf(job);
    const std::lock_guard lock(shard.mutex);
    const auto queue = shard.queues.find(job);
    if (queue == shard.queues.end()) {
        return false;
    }
    queue->second.waiting.clear();
    queue->second.closed = true;
    forgetIfUnused(shard.queues, queue);
    return true;
}

}  // namespace sallyport::plugins
