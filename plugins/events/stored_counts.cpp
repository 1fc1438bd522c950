#include "stored_counts.h"

namespace sallyport::plugins {

namespace {

/// Events of a job between two notes of its totals.
constexpr std::int64_t notedEvery = 256;

bool isWithin(const StoredTotals& totals, const StoredTotals& limits) {
    return (limits.events == 0 || totals.events <= limits.events) &&
           (limits.bytes == 0 || totals.bytes <= limits.bytes);
}

StoredTotals operator+(const StoredTotals& a, const StoredTotals& b) {
    return {a.events + b.events, a.bytes + b.bytes};
}

}  // namespace

StoredCounts::Place::Place(StoredCounts& counts, const JobId& job, std::int64_t bytes, bool known, bool noted)
    : counts_(counts), job_(job), bytes_(bytes), known_(known), toBeNoted_(noted) {}

StoredCounts::Place::~Place() {
    if (kept_) {
        return;
    }
    const std::lock_guard lock(counts_.mutex_);
    if (const auto found = counts_.counts_.find(job_); found != counts_.counts_.end()) {
        found->second.totals = found->second.totals + StoredTotals{-1, -bytes_};
    }
}

bool StoredCounts::Place::fits(const StoredTotals& before, const StoredTotals& limits) const {
    const std::lock_guard lock(counts_.mutex_);
    const auto found = counts_.counts_.find(job_);
    if (found == counts_.counts_.end()) {
        return true;  // the job is over, or what is stored was deleted just now
    }
    const Count& count = found->second;
    return isWithin(count.known ? count.totals : before + count.totals, limits);
}

void StoredCounts::Place::learn(const StoredTotals& before) {
    const std::lock_guard lock(counts_.mutex_);
    if (const auto found = counts_.counts_.find(job_);
        found != counts_.counts_.end() && !found->second.known) {
        found->second.known = true;
        found->second.totals = before + found->second.totals;
    }
}

std::shared_ptr<StoredCounts::Place> StoredCounts::reserve(const JobId& job, std::int64_t bytes,
                                                           const StoredTotals& limits) {
    const std::lock_guard lock(mutex_);
    Count& count = counts_[job];
    const StoredTotals grown = count.totals + StoredTotals{1, bytes};
    if (!isWithin(grown, limits)) {
        return nullptr;
    }
    count.totals = grown;
    return std::make_shared<Place>(*this, job, bytes, count.known,
                                   count.known && grown.events % notedEvery == 0);
}

void StoredCounts::forget(const JobId& job) {
    const std::lock_guard lock(mutex_);
    counts_.erase(job);
}

void StoredCounts::forgetAll() {
    const std::lock_guard lock(mutex_);
    counts_.clear();
}

}  // namespace sallyport::plugins
