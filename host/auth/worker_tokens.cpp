#include "host/auth/worker_tokens.h"

#include <mutex>
#include <utility>

namespace sallyport::host::auth {

Presence::Presence(std::shared_ptr<Lease> lease) : lease_(std::move(lease)) {
    ++lease_->underWay;
    lease_->lastSeenMs = monotonicMs();
}

Presence::~Presence() {
    // In this order: whoever finds nothing under way finds when that was.
    lease_->lastSeenMs = monotonicMs();
    --lease_->underWay;
}

std::shared_ptr<Lease> Presence::of(std::shared_ptr<Lease> lease) {
    auto* const pointer = lease.get();
    return {std::make_shared<Presence>(std::move(lease)), pointer};
}

void WorkerTokens::add(std::shared_ptr<Lease> lease) {
    const JobId job = lease->job;
    const std::unique_lock lock(mutex_);
    auto& place = leases_[job];
    if (place) {
        byDigest_.erase(place->digest);
    }
    byDigest_.insert_or_assign(lease->digest, job);
    place = std::move(lease);
}

std::shared_ptr<Lease> WorkerTokens::find(const JobId& job) const {
    const std::shared_lock lock(mutex_);
    const auto found = leases_.find(job);
    return found == leases_.end() ? nullptr : found->second;
}

std::shared_ptr<Lease> WorkerTokens::find(const Digest& digest) const {
    const std::shared_lock lock(mutex_);
    const auto found = byDigest_.find(digest);
    return found == byDigest_.end() ? nullptr : leases_.at(found->second);
}

void WorkerTokens::revoke(const JobId& job) {
    {
        const std::unique_lock lock(mutex_);
        const auto found = leases_.find(job);
        if (found == leases_.end()) {
            return;
        }
        found->second->revoked = true;
        byDigest_.erase(found->second->digest);
        leases_.erase(found);
    }
    // Unlocked, because what it tells (connections that hold the lease) may look tokens up itself.
    if (revoked_) {
        revoked_(job);
    }
}

bool WorkerTokens::renew(const JobId& job, const Digest& digest) {
    {
        const std::unique_lock lock(mutex_);
        const auto found = leases_.find(job);
        if (found == leases_.end()) {
            return false;
        }
        const Lease& last = *found->second;
        auto fresh = std::make_shared<Lease>();
        fresh->job = job;
        fresh->user = last.user;
        fresh->digest = digest;
        fresh->quarantined = last.quarantined.load();
        fresh->started = last.started.load();
        fresh->lastSeenMs = monotonicMs();
        fresh->deadlineMs = last.deadlineMs;
        fresh->timeout = last.timeout;
        const auto time = Pacer::Clock::now();
        fresh->requests.setRate(last.requests.rate(), time);
        fresh->eventBytes.setRate(last.eventBytes.rate(), time);
        fresh->maxEvents = last.maxEvents.load();
        fresh->maxEventBytes = last.maxEventBytes.load();
        byDigest_.emplace(digest, job);
        byDigest_.erase(last.digest);
        found->second->revoked = true;
        found->second = std::move(fresh);
    }
    // Unlocked, as in revoke.
    if (revoked_) {
        revoked_(job);
    }
    return true;
}

void WorkerTokens::onRevoked(std::function<void(const JobId&)> revoked) {
    revoked_ = std::move(revoked);
}

std::vector<std::shared_ptr<Lease>> WorkerTokens::those(
    const std::function<bool(const Lease&)>& wanted) const {
    std::vector<std::shared_ptr<Lease>> leases;
    const std::shared_lock lock(mutex_);
    for (const auto& [job, lease] : leases_) {
        if (wanted(*lease)) {
            leases.push_back(lease);
        }
    }
    return leases;
}

}  // namespace sallyport::host::auth
