#include "host/bus/event_hub.h"

namespace sallyport::host::bus {

void LiveHub::advanceTo(std::uint64_t id) {
    auto current = last_.load();
    while (current < id && !last_.compare_exchange_weak(current, id)) {
    }
}

void LiveHub::publish(LiveEvent event) {
    advanceTo(event.id);
    if (!isFollowed(event.user)) {
        return;
    }
    // Those without a number could not be read again; they are few and small.
    const auto frame = event.id == 0 ? memory_.make(event) : memory_.makeWithinLimit(event);
    for (const auto& outlet : outlets_) {
        outlet(frame);
    }
}

void LiveHub::joined(const std::string& user) {
    ++subscribers_;
    const std::lock_guard lock(mutex_);
    ++followers_[user];
}

void LiveHub::left(const std::string& user) {
    --subscribers_;
    const std::lock_guard lock(mutex_);
    const auto found = followers_.find(user);
    if (--found->second == 0) {
        followers_.erase(found);
    }
}

bool LiveHub::isFollowed(const std::string& user) const {
    if (subscribers_ == 0) {
        return false;
    }
    const std::lock_guard lock(mutex_);
    return followers_.contains(user);
}

}  // namespace sallyport::host::bus
