#include "host/http/door.h"

#include <algorithm>

namespace sallyport::host::http {

namespace {

using namespace std::chrono_literals;

/// A newcomer has so long to say who it is before it gives way to another.
constexpr auto welcome = 100ms;
/// Connections that were told to go and have not gone yet, at the most: a loop that is so far behind would
/// only fall behind further.
constexpr std::size_t mostLeaving = 256;

template <class Key>
std::size_t countOf(const std::unordered_map<Key, std::size_t>& counts, const Key& key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
}

template <class Key>
void countDown(std::unordered_map<Key, std::size_t>& counts, const Key& key) {
    const auto found = counts.find(key);
    if (--found->second == 0) {
        counts.erase(found);
    }
}

}  // namespace

std::unique_ptr<Door::Place> Door::enter(std::string address, Clock::time_point now) {
    std::function<void()> evicted;
    std::unique_ptr<Place> place;
    {
        const std::lock_guard lock(mutex_);
        const bool crowded = isCrowded(address);
        if (crowded || staying_ >= options_.maxConnections) {
            auto* other = leastRight(crowded ? address : std::string(), now);
            if (other == nullptr) {
                return nullptr;
            }
            evicted = evict(*other);
        }
        place.reset(new Place(*this, std::move(address), now));
        ++staying_;
        if (open_ != nullptr) {
            open_->add(1);
        }
        addAnonymous(*place);
    }
    if (evicted) {
        evicted();
    }
    return place;
}

bool Door::isCrowded(const std::string& address) const {
    return options_.maxPerAddress != 0 && !address.empty() &&
           countOf(byAddress_, address) >= options_.maxPerAddress;
}

/// Of that address, if there is one: the first stranger, or else the newcomer that has been here longest.
Door::Place* Door::leastRight(const std::string& address, Clock::time_point now) const {
    if (leaving_ >= mostLeaving) {
        return nullptr;
    }
    const auto first = [&](const Places& places) {
        const auto found = std::find_if(places.begin(), places.end(), [&](const Place* place) {
            return address.empty() || place->address_ == address;
        });
        return found == places.end() ? nullptr : *found;
    };
    if (auto* stranger = first(strangers_)) {
        return stranger;
    }
    auto* newcomer = first(newcomers_);
    return newcomer == nullptr || now - newcomer->since_ < welcome ? nullptr : newcomer;
}

std::function<void()> Door::evict(Place& place) {
    removeAnonymous(place);
    place.evicted_ = true;
    --staying_;
    ++leaving_;
    return std::exchange(place.evict_, nullptr);
}

void Door::addAnonymous(Place& place) {
    auto& places = place.stranger_ ? strangers_ : newcomers_;
    place.anonymous_ = places.insert(places.end(), &place);
    ++byAddress_[place.address_];
}

void Door::removeAnonymous(Place& place) {
    if (!place.anonymous_) {
        return;
    }
    (place.stranger_ ? strangers_ : newcomers_).erase(*place.anonymous_);
    place.anonymous_.reset();
    countDown(byAddress_, place.address_);
}

std::size_t Door::connections() const {
    const std::lock_guard lock(mutex_);
    return staying_ + leaving_;
}

Door::Place::~Place() {
    const std::lock_guard lock(door_.mutex_);
    door_.removeAnonymous(*this);
    leaveJob();
    --(evicted_ ? door_.leaving_ : door_.staying_);
    if (door_.open_ != nullptr) {
        door_.open_->add(-1);
    }
}

void Door::Place::onEvicted(std::function<void()> evicted) {
    {
        const std::lock_guard lock(door_.mutex_);
        if (!evicted_) {
            evict_ = std::move(evicted);
            return;
        }
    }
    evicted();
}

bool Door::Place::authenticate(const JobId* job) {
    if (authenticated_ && (job == nullptr ? !job_ : isOf(*job))) {
        return true;
    }
    const std::lock_guard lock(door_.mutex_);
    if (job != nullptr) {
        const auto most = door_.options_.maxPerJob;
        if (most != 0 && countOf(door_.byJob_, *job) >= most) {
            return false;
        }
        ++door_.byJob_[*job];
    }
    leaveJob();
    if (job != nullptr) {
        job_ = *job;
    }
    authenticated_ = true;
    door_.removeAnonymous(*this);
    return true;
}

void Door::Place::asked() {
    if (authenticated_ || stranger_) {
        return;
    }
    const std::lock_guard lock(door_.mutex_);
    stranger_ = true;
    if (anonymous_) {
        door_.strangers_.splice(door_.strangers_.end(), door_.newcomers_, *anonymous_);
    }
}

void Door::Place::forget() {
    const std::lock_guard lock(door_.mutex_);
    leaveJob();
    authenticated_ = false;
    stranger_ = true;
    if (!evicted_ && !anonymous_) {
        door_.addAnonymous(*this);
    }
}

Account Door::Place::account() const noexcept {
    if (job_) {
        return accountOfJob(std::hash<JobId>()(*job_));
    }
    if (authenticated_) {
        return operatorsAccount;
    }
    return stranger_ ? accountOfStrangers(std::hash<std::string>()(address_)) : newcomersAccount;
}

void Door::Place::leaveJob() {
    if (job_) {
        countDown(door_.byJob_, *job_);
    }
    job_.reset();
}

bool fitToDescriptors(Door::Options& worker, Door::Options& operators, std::size_t descriptors) {
    const auto places = descriptors - descriptors / 4;
    if (worker.maxConnections + operators.maxConnections <= places) {
        return false;
    }
    const auto kept = std::min(operators.maxConnections, places / 6);
    worker.maxConnections = std::min(worker.maxConnections, places - kept);
    operators.maxConnections = places - worker.maxConnections;
    return true;
}

}  // namespace sallyport::host::http
