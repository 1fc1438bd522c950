#include "host/auth/sign_in_pace.h"

namespace sallyport::host::auth {

Pacer::Verdict SignInPace::take(std::string_view address, Pacer::Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (const auto known = byAddress_.find(address); known != byAddress_.end()) {
        entries_.splice(entries_.begin(), entries_, known->second);
    } else {
        if (entries_.size() >= mostAddresses) {
            byAddress_.erase(entries_.back().first);
            entries_.pop_back();
        }
        entries_.emplace_front(std::piecewise_construct, std::forward_as_tuple(address),
                               std::forward_as_tuple(perSecond));
        byAddress_.emplace(entries_.front().first, entries_.begin());
    }
    return entries_.front().second.take(1, now, std::chrono::milliseconds(0));
}

}  // namespace sallyport::host::auth
