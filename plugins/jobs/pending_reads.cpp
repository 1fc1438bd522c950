#include "pending_reads.h"

#include <chrono>
#include <utility>

#include <sallyport/errors.h>

namespace sallyport::plugins {

PendingReads::Read::~Read() {
    const std::vector<Promise> left = take();
    if (left.empty()) {
        return;
    }
    RequestError busy(503, "overloaded", "too many requests are waiting");
    busy.retryAfter(std::chrono::seconds(1));
    for (const Promise& promise : left) {
        promise.fulfil(Reply::error(busy));
    }
}

void PendingReads::Read::succeed(const std::string& json) {
    for (const Promise& promise : take()) {
        promise.fulfil(Reply::jsonText(200, json));
    }
}

void PendingReads::Read::fail(const std::exception_ptr& problem) {
    for (const Promise& promise : take()) {
        promise.fulfil(Reply::failure(problem));
    }
}

std::shared_ptr<PendingReads::Read> PendingReads::join(const JobId& job, const Promise& promise) {
    const std::lock_guard lock(mutex_);
    const auto [entry, first] = waiting_.try_emplace(job);
    entry->second.push_back(promise);
    return first ? std::shared_ptr<Read>(new Read(*this, job)) : nullptr;
}

std::vector<Promise> PendingReads::Read::take() {
    PendingReads* const reads = std::exchange(reads_, nullptr);
    if (reads == nullptr) {
        return {};
    }
    const std::lock_guard lock(reads->mutex_);
    return std::move(reads->waiting_.extract(job_).mapped());
}

}  // namespace sallyport::plugins
