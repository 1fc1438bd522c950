#include "host/http/watches.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <sys/epoll.h>

namespace sallyport::host::http {

namespace {

static_assert(static_cast<std::uint32_t>(IoEvents::readable) == EPOLLIN);
static_assert(static_cast<std::uint32_t>(IoEvents::writable) == EPOLLOUT);
static_assert(static_cast<std::uint32_t>(IoEvents::failed) == EPOLLERR);
static_assert(static_cast<std::uint32_t>(IoEvents::closed) == EPOLLHUP);
static_assert(static_cast<std::uint32_t>(IoEvents::ended) == EPOLLRDHUP);

/// What may be asked for.
IoEvents askable(IoEvents interest) {
    return interest & (IoEvents::readable | IoEvents::writable);
}

/// What is told to somebody who asks for that.
IoEvents toldOf(IoEvents interest) {
    if (interest == IoEvents::none) {
        return interest;
    }
    const auto end = has(interest, IoEvents::readable) ? IoEvents::ended : IoEvents::none;
    return interest | end | IoEvents::failed | IoEvents::closed;
}

}  // namespace

void Watches::add(std::uint64_t number, int descriptor, IoEvents interest, IoTrigger trigger, Ready ready) {
    Watch watch{descriptor, askable(interest), trigger, std::make_shared<const Ready>(std::move(ready))};
    watch.place.push_back(number);
    const auto added = watches_.emplace(number, std::move(watch)).first;
    if (added->second.interest == IoEvents::none) {
        return;
    }
    try {
        control(EPOLL_CTL_ADD, added->second, added->second.interest, number);
    } catch (const std::system_error&) {
        watches_.erase(added);
        throw;
    }
}

void Watches::change(std::uint64_t number, IoEvents interest) {
    const auto found = watches_.find(number);
    if (found == watches_.end()) {
        return;
    }
    auto& watch = found->second;
    const auto wanted = askable(interest);
    // What is so already is told again by an edge.
    if (wanted == watch.interest && (watch.trigger == IoTrigger::level || wanted == IoEvents::none)) {
        return;
    }
    // The kernel tells of failures whatever is asked for, unless the descriptor is not in the set.
    if (wanted == IoEvents::none) {
        control(EPOLL_CTL_DEL, watch, wanted, number);
    } else {
        control(watch.interest == IoEvents::none ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch, wanted, number);
    }
    watch.interest = wanted;
}

void Watches::remove(std::uint64_t number) noexcept {
    const auto found = watches_.find(number);
    if (found == watches_.end()) {
        return;
    }
    auto& watch = found->second;
    if (watch.interest != IoEvents::none) {
        // It fails if the descriptor has been closed, which took it out of the set.
        ::epoll_ctl(epoll_, EPOLL_CTL_DEL, watch.descriptor, nullptr);
    }
    if (watch.place.empty()) {
        reported_.remove(number);
    }
    watches_.erase(found);
}

void Watches::control(int operation, const Watch& watch, IoEvents interest, std::uint64_t number) const {
    epoll_event event{};
    event.events = static_cast<std::uint32_t>(toldOf(interest));
    if (watch.trigger == IoTrigger::edge) {
        event.events |= EPOLLET;
    }
    event.data.u64 = number;
    if (::epoll_ctl(epoll_, operation, watch.descriptor, &event) < 0) {
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    }
}

bool Watches::report(std::uint64_t number, std::uint32_t events) noexcept {
    const auto found = watches_.find(number);
    if (found == watches_.end()) {
        return false;
    }
    auto& watch = found->second;
    reported_.splice(reported_.end(), watch.place);
    watch.reported |= static_cast<IoEvents>(events);
    return true;
}

Watches::Told Watches::take() noexcept {
    auto& watch = watches_.find(reported_.front())->second;
    watch.place.splice(watch.place.end(), reported_, reported_.begin());
    // What is asked for may have been changed since.
    const auto events = std::exchange(watch.reported, IoEvents::none) & toldOf(watch.interest);
    return {events == IoEvents::none ? nullptr : watch.ready, events};
}

}  // namespace sallyport::host::http
