#include "fair_queue.h"

#include <algorithm>
#include <vector>

namespace sallyport::plugins::llm {

namespace {

/// Of the slots, kept for jobs that hold none.
constexpr std::size_t reservedPart = 8;

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
        job_ = other.job_;
    }
    return *this;
}

void FairQueue::Slot::end() noexcept {
    if (FairQueue* const queue = std::exchange(queue_, nullptr)) {
        queue->release(job_);
    }
}

FairQueue::FairQueue(const Bounds& bounds)
    : bounds_(bounds),
      // One slot alone cannot be shared.
      reserve_(bounds.slots < 2 ? 0 : std::max<std::size_t>(bounds.slots / reservedPart, 1)),
      free_(bounds.slots) {}

FairQueue::Ticket FairQueue::enter(const JobId& job, Time deadline, Waiter waiter) {
    std::unique_lock lock(mutex_);
    const Ticket ticket{job, ++lastNumber_};
    if (closed_) {
        lock.unlock();
        waiter.refused(stopping());
        return ticket;
    }
    if (Job& entering = jobs_[job]; !givingTurns_ && mayRun(entering)) {
        --free_;
        ++entering.held;
        lock.unlock();
        waiter.ready(Slot(this, job));
        return ticket;
    }
    std::vector<Waiter> turnedAway;
    while (!isFor(waiter.bytes)) {
        auto greedy = makeRoom(job, waiter.bytes);
        if (!greedy) {
            break;
        }
        turnedAway.push_back(*std::move(greedy));
    }
    if (isFor(waiter.bytes)) {
        Job& entering = jobs_[job];
        if (entering.places.empty()) {
            turns_.push_back(job);
        }
        entering.bytes += waiter.bytes;
        bytes_ += waiter.bytes;
        ++waiting_;
        entering.places.emplace(ticket.number, Place{deadline, std::move(waiter)});
    } else {
        turnedAway.push_back(std::move(waiter));
        dropIfUnused(jobs_.find(job));
    }
    lock.unlock();
    for (const Waiter& refused : turnedAway) {
        refused.refused(overloaded());
    }
    return ticket;
}

/// Whether the job may have one more of the slots.
bool FairQueue::mayRun(const Job& job) const {
    if (free_ == 0 || (bounds_.perJob > 0 && job.held >= bounds_.perJob)) {
        return false;
    }
    return job.held == 0 || (free_ > reserve_ && job.held <= free_ - reserve_);
}

/// Whether there is a place for one more.
bool FairQueue::isFor(std::size_t bytes) const {
    return waiting_ < bounds_.places && (waiting_ == 0 || bytes_ + bytes <= bounds_.bytes);
}

/// How much of the queue that is, by what there is less of.
double FairQueue::share(std::size_t places, std::size_t bytes) const {
    return std::max(
        static_cast<double>(places) / static_cast<double>(std::max<std::size_t>(bounds_.places, 1)),
        static_cast<double>(bytes) / static_cast<double>(std::max<std::size_t>(bounds_.bytes, 1)));
}

/// Takes the last place of the job that has most of the queue, unless `job` would then have as much.
std::optional<FairQueue::Waiter> FairQueue::makeRoom(const JobId& job, std::size_t bytes) {
    const auto shareOf = [this](const Job& of) { return share(of.places.size(), of.bytes); };
    const Job& own = jobs_[job];
    const double wanted = share(own.places.size() + 1, own.bytes + bytes);
    const auto greediest = std::max_element(jobs_.begin(), jobs_.end(), [&](const auto& a, const auto& b) {
        return shareOf(a.second) < shareOf(b.second);
    });
    if (greediest->first == job || shareOf(greediest->second) <= wanted) {
        return std::nullopt;
    }
    return remove(greediest, std::prev(greediest->second.places.end()));
}

bool FairQueue::leave(const Ticket& ticket) {
    Waiter gone;  // destroyed without the lock: what it holds may do anything
    const std::lock_guard lock(mutex_);
    const auto job = jobs_.find(ticket.job);
    if (job == jobs_.end()) {
        return false;
    }
    const auto place = job->second.places.find(ticket.number);
    if (place == job->second.places.end()) {
        return false;
    }
    gone = remove(job, place);
    return true;
}

/// Why a job has waited for nothing.
RequestError FairQueue::tooLate(const Job& job) const {
    if (bounds_.perJob == 0 || job.held < bounds_.perJob) {
        return overloaded();
    }
    RequestError error(429, "concurrency_limit",
                       "this job has reached its limit of " + std::to_string(bounds_.perJob) +
                           " requests under way at once");
    error.retryAfter(std::chrono::seconds(1));
    return error;
}

void FairQueue::expire(Time now) {
    std::vector<std::pair<Waiter, RequestError>> late;
    {
        const std::lock_guard lock(mutex_);
        std::vector<Ticket> tickets;
        for (const auto& [id, job] : jobs_) {
            for (const auto& [number, place] : job.places) {
                if (place.deadline <= now) {
                    tickets.push_back({id, number});
                }
            }
        }
        for (const Ticket& ticket : tickets) {
            const auto job = jobs_.find(ticket.job);
            RequestError reason = tooLate(job->second);
            late.emplace_back(remove(job, job->second.places.find(ticket.number)), std::move(reason));
        }
    }
    for (const auto& [waiter, reason] : late) {
        waiter.refused(reason);
    }
}

void FairQueue::close() {
    std::vector<Waiter> refused;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        while (!turns_.empty()) {
            const auto job = jobs_.find(turns_.front());
            refused.push_back(remove(job, job->second.places.begin()));
        }
    }
    for (const Waiter& waiter : refused) {
        waiter.refused(stopping());
    }
}

std::size_t FairQueue::running() const {
    const std::lock_guard lock(mutex_);
    return bounds_.slots - free_;
}

std::size_t FairQueue::waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
}

FairQueue::Waiter FairQueue::remove(Jobs::iterator job, Places::iterator place) {
    Waiter waiter = std::move(place->second.waiter);
    job->second.bytes -= waiter.bytes;
    bytes_ -= waiter.bytes;
    --waiting_;
    job->second.places.erase(place);
    if (job->second.places.empty()) {
        std::erase(turns_, job->first);
        dropIfUnused(job);
    }
    return waiter;
}

void FairQueue::dropIfUnused(Jobs::iterator job) {
    if (job->second.held == 0 && job->second.places.empty()) {
        jobs_.erase(job);
    }
}

void FairQueue::release(const JobId& job) noexcept {
    std::unique_lock lock(mutex_);
    ++free_;
    const auto holder = jobs_.find(job);
    --holder->second.held;
    dropIfUnused(holder);
    giveTurns(lock);
}

/// Gives slots to the jobs that may have one, in turn. One thread at a time does this, and goes on for the
/// others: who is given a slot may give it up at once, and must not get here again for each that waits.
void FairQueue::giveTurns(std::unique_lock<std::mutex>& lock) {
    if (givingTurns_) {
        return;
    }
    givingTurns_ = true;
    for (;;) {
        const auto turn = std::find_if(turns_.begin(), turns_.end(),
                                       [this](const JobId& job) { return mayRun(jobs_.at(job)); });
        if (turn == turns_.end()) {
            break;
        }
        const JobId job = *turn;
        turns_.erase(turn);
        turns_.push_back(job);
        const auto next = jobs_.find(job);
        --free_;
        ++next->second.held;
        const Waiter waiter = remove(next, next->second.places.begin());
        lock.unlock();
        waiter.ready(Slot(this, job));
        lock.lock();
    }
    givingTurns_ = false;
}

}  // namespace sallyport::plugins::llm
