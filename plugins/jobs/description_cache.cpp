#include "description_cache.h"

#include <iterator>

namespace sallyport::plugins {

std::optional<std::string> DescriptionCache::find(const JobId& job) {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(job);
    if (place == places_.end()) {
        return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, place->second);
    return place->second->answer;
}

void DescriptionCache::keep(const JobId& job, const std::string& answer) {
    if (answer.size() > largest || answer.size() > capacity_) {
        return;
    }
    const std::lock_guard lock(mutex_);
    if (places_.contains(job)) {
        return;  // another of its requests was as quick
    }
    while (size_ + answer.size() > capacity_) {
        erase(std::prev(entries_.end()));
    }
    entries_.push_front({job, answer});
    places_.emplace(job, entries_.begin());
    size_ += answer.size();
}

void DescriptionCache::forget(const JobId& job) {
    const std::lock_guard lock(mutex_);
    if (const auto place = places_.find(job); place != places_.end()) {
        erase(place->second);
    }
}

std::size_t DescriptionCache::size() const {
    const std::lock_guard lock(mutex_);
    return size_;
}

void DescriptionCache::erase(Entries::iterator entry) {
    size_ -= entry->answer.size();
    places_.erase(entry->job);
    entries_.erase(entry);
}

}  // namespace sallyport::plugins
