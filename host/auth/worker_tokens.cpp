#include "host/auth/worker_tokens.h"

#include <mutex>
#include <utility>

namespace sallyport::host::auth {

void WorkerTokens::add(std::shared_ptr<Lease> lease) {
    const JobId job = lease->job;
    const std::unique_lock lock(mutex_);
    leases_.insert_or_assign(job, std::move(lease));
}

std::shared_ptr<Lease> WorkerTokens::find(const JobId& job) const {
    const std::shared_lock lock(mutex_);
    const auto found = leases_.find(job);
    return found == leases_.end() ? nullptr : found->second;
}

void WorkerTokens::revoke(const JobId& job) {
    {
        const std::unique_lock lock(mutex_);
        const auto found = leases_.find(job);
        if (found == leases_.end()) {
            return;
        }
        found->second->revoked = true;
        leases_.erase(found);
    }
    // Unlocked, because what it tells (connections that hold the lease) may look tokens up itself.
    if (revoked_) {
        revoked_(job);
    }
}

void WorkerTokens::onRevoked(std::function<void(const JobId&)> revoked) {
    revoked_ = std::move(revoked);
}

std::vector<std::shared_ptr<Lease>> WorkerTokens::all() const {
    std::vector<std::shared_ptr<Lease>> leases;
    const std::shared_lock lock(mutex_);
    leases.reserve(leases_.size());
    for (const auto& [job, lease] : leases_) {
        leases.push_back(lease);
    }
    return leases;
}

}  // namespace sallyport::host::auth
