// The tokens of all jobs that are not over, in memory.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <sallyport/job_id.h>

#include "host/auth/token.h"

namespace sallyport::host::auth {

/// One job's right to call. Connections keep it while they serve a request, and look at `revoked` before
/// they act. [any thread]
struct Lease {
    JobId job;
    std::string user;
    Digest digest;
    std::atomic<bool> revoked{false};
    std::atomic<bool> started{false};         ///< whether the job has left pending
    std::atomic<std::int64_t> lastSeenMs{0};  ///< `monotonicMs` of the last authenticated call
};

/// Milliseconds on a clock that nobody sets: a step of the wall clock is no silence of a worker.
[[nodiscard]] inline std::int64_t monotonicMs() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

/// Looked up on every worker request without a database. [any thread]
class WorkerTokens {
public:
    void add(std::shared_ptr<Lease> lease);

    /// Null when the job is over or never was.
    [[nodiscard]] std::shared_ptr<Lease> find(const JobId& job) const;

    /// Marks the lease revoked, forgets it, and tells whoever asked by `onRevoked`, before it returns.
    void revoke(const JobId& job);

    /// Calls `revoked` for each later revocation, on the revoking thread. [before any revoke]
    void onRevoked(std::function<void(const JobId&)> revoked);

    /// All leases at this moment.
    [[nodiscard]] std::vector<std::shared_ptr<Lease>> all() const;

private:
    mutable std::shared_mutex mutex_;
    std::unordered_map<JobId, std::shared_ptr<Lease>> leases_;
    std::function<void(const JobId&)> revoked_;
};

}  // namespace sallyport::host::auth
