#include "host/http/topics.h"

#include <algorithm>

namespace sallyport::host::http {

Topics::Key Topics::join(const std::string& topic, Wake wake) {
    const std::lock_guard lock(mutex_);
    waiters_[topic].push_back({next_, std::move(wake)});
    return next_++;
}

void Topics::leave(const std::string& topic, Key key) {
    const std::lock_guard lock(mutex_);
    const auto found = waiters_.find(topic);
    if (found == waiters_.end()) {
        return;
    }
    std::erase_if(found->second, [key](const Waiter& waiter) { return waiter.key == key; });
    if (found->second.empty()) {
        waiters_.erase(found);
    }
}

void Topics::wake(std::string_view topic) {
    // Called with the lock held: a wake only posts to a loop, and so cannot come back here.
    const std::lock_guard lock(mutex_);
    const auto found = waiters_.find(topic);
    if (found == waiters_.end()) {
        return;
    }
    for (const auto& waiter : found->second) {
        waiter.wake();
    }
}

}  // namespace sallyport::host::http
