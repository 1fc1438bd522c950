#include "fair_queue.h"

#include <algorithm>
#include <vector>

namespace sallyport::plugins::llm {

namespace {

RequestError overloaded() {
    RequestError error = unavailable("overloaded", "too many calls of models are waiting");
    error.retryAfter(std::chrono::seconds(1));
    return error;
}

RequestError stopping() {
    return unavailable("stopping", "calls of models are being stopped");
}

}  // namespace

FairQueue::Slot& FairQueue::Slot::operator=(Slot&& other) noexcept {
    if (this != &other) {
        end();
        queue_ = std::exchange(other.queue_, nullptr);
    }
    return *this;
}

void FairQueue::Slot::end() noexcept {
    if (FairQueue* const queue = std::exchange(queue_, nullptr)) {
        queue->release();
    }
}

FairQueue::Ticket FairQueue::enter(const JobId& job, Time deadline, Waiter waiter) {
    std::unique_lock lock(mutex_);
    const Ticket ticket{job, ++lastNumber_};
    if (closed_) {
        lock.unlock();
        waiter.refused(stopping());
        return ticket;
    }
    if (free_ > 0 && waiting_ == 0) {
        --free_;
        ++running_;
        lock.unlock();
        waiter.ready(Slot(this));
        return ticket;
    }
    std::optional<Waiter> turnedAway;
    if (waiting_ >= places_) {
        turnedAway = makeRoom(job);
    }
    if (waiting_ < places_) {
        Places& places = jobs_[job];
        if (places.empty()) {
            turns_.push_back(job);
        }
        places.emplace(ticket.number, Place{deadline, std::move(waiter)});
        ++waiting_;
    } else {
        turnedAway = std::move(waiter);
    }
    lock.unlock();
    if (turnedAway) {
        turnedAway->refused(overloaded());
    }
    return ticket;
}

/// Takes the last place of the job that has most of them, unless it would then have fewer than `job`.
std::optional<FairQueue::Waiter> FairQueue::makeRoom(const JobId& job) {
    const auto own = jobs_.find(job);
    const std::size_t owned = own == jobs_.end() ? 0 : own->second.size();
    const auto greediest = std::max_element(jobs_.begin(), jobs_.end(), [](const auto& a, const auto& b) {
        return a.second.size() < b.second.size();
    });
    if (greediest == jobs_.end() || greediest->second.size() <= owned + 1) {
        return std::nullopt;
    }
    const auto last = std::prev(greediest->second.end());
    Waiter waiter = std::move(last->second.waiter);
    remove(JobId(greediest->first), last);
    return waiter;
}

bool FairQueue::leave(const Ticket& ticket) {
    Waiter gone;  // destroyed without the lock: what it holds may do anything
    const std::lock_guard lock(mutex_);
    const auto places = jobs_.find(ticket.job);
    if (places == jobs_.end()) {
        return false;
    }
    const auto place = places->second.find(ticket.number);
    if (place == places->second.end()) {
        return false;
    }
    gone = std::move(place->second.waiter);
    remove(ticket.job, place);
    return true;
}

void FairQueue::expire(Time now) {
    std::vector<Waiter> late;
    {
        const std::lock_guard lock(mutex_);
        std::vector<Ticket> tickets;
        for (const auto& [job, places] : jobs_) {
            for (const auto& [number, place] : places) {
                if (place.deadline <= now) {
                    tickets.push_back({job, number});
                }
            }
        }
        for (const Ticket& ticket : tickets) {
            const auto place = jobs_.at(ticket.job).find(ticket.number);
            late.push_back(std::move(place->second.waiter));
            remove(ticket.job, place);
        }
    }
    for (const Waiter& waiter : late) {
        waiter.refused(overloaded());
    }
}

void FairQueue::close() {
    std::unordered_map<JobId, Places> jobs;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        jobs.swap(jobs_);
        turns_.clear();
        waiting_ = 0;
    }
    for (const auto& [job, places] : jobs) {
        for (const auto& [number, place] : places) {
            place.waiter.refused(stopping());
        }
    }
}

std::size_t FairQueue::running() const {
    const std::lock_guard lock(mutex_);
    return running_;
}

std::size_t FairQueue::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
}

void FairQueue::remove(const JobId& job, Places::iterator place) {
    const auto places = jobs_.find(job);
    places->second.erase(place);
    --waiting_;
    if (places->second.empty()) {
        jobs_.erase(places);
        std::erase(turns_, job);
    }
}

/// The longest waiting of the job whose turn it is.
FairQueue::Waiter FairQueue::takeNext() {
    const JobId job = turns_.front();
    turns_.pop_front();
    turns_.push_back(job);
    const auto first = jobs_.at(job).begin();
    Waiter waiter = std::move(first->second.waiter);
    remove(job, first);
    return waiter;
}

void FairQueue::release() noexcept {
    {
        const std::lock_guard lock(mutex_);
        ++free_;
        --running_;
    }
    giveTurns();
}

/// One thread at a time does this, and goes on for the others: who is given a slot may give it up at once,
/// and must not get here again for each that waits.
void FairQueue::giveTurns() {
    std::unique_lock lock(mutex_);
    if (givingTurns_) {
        return;
    }
    givingTurns_ = true;
    while (free_ > 0 && waiting_ > 0) {
        --free_;
        ++running_;
        const Waiter waiter = takeNext();
        lock.unlock();
        waiter.ready(Slot(this));
        lock.lock();
    }
    givingTurns_ = false;
}

}  // namespace sallyport::plugins::llm
