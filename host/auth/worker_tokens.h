// The tokens of all jobs that are not over, in memory.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <sallyport/job_id.h>

#include "host/auth/pacer.h"
#include "host/auth/token.h"

namespace sallyport::host::auth {

/// One job's right to call. Connections keep it while they serve a request, and look at `revoked` before
/// they act. [any thread]
struct Lease {
    JobId job;
    std::string user;
    Digest digest;
    std::atomic<bool> revoked{false};
    std::atomic<bool> quarantined{false};        ///< its requests are refused until an operator releases it
    std::atomic<bool> started{false};            ///< whether the job has left pending
    std::atomic<std::int64_t> lastSeenMs{0};     ///< `monotonicMs` of the last beginning or end of a request
    std::atomic<std::int64_t> underWay{0};       ///< authenticated requests that have not ended
    std::int64_t deadlineMs = 0;                 ///< `monotonicMs` at which the job is interrupted; 0: never
    std::chrono::seconds timeout{0};             ///< from which that was reckoned
    Pacer requests;                              ///< how many its worker may make
    Pacer eventBytes;                            ///< how many it may report
    std::atomic<std::int64_t> maxEvents{0};      ///< that may be stored; 0: any number
    std::atomic<std::int64_t> maxEventBytes{0};  ///< that may be stored; 0: any number
    std::atomic<std::size_t> bodyBytes{0};       ///< of its requests' bodies that are held in memory
};

/// Milliseconds on a clock that nobody sets: a step of the wall clock is no silence of a worker.
[[nodiscard]] inline std::int64_t monotonicMs() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

/// A request of a job, from its authentication to its end: as long as it lives the worker is not silent,
/// however long the request takes. [any thread]
class Presence {
public:
    explicit Presence(std::shared_ptr<Lease> lease);
    ~Presence();
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

    /// The lease, which keeps the presence.
    [[nodiscard]] static std::shared_ptr<Lease> of(std::shared_ptr<Lease> lease);

private:
    const std::shared_ptr<Lease> lease_;
};

/// Looked up on every worker request without a database. [any thread]
class WorkerTokens {
public:
    void add(std::shared_ptr<Lease> lease);

    /// Null when the job is over or never was.
    [[nodiscard]] std::shared_ptr<Lease> find(const JobId& job) const;
    /// The one whose token has that digest; null when there is none.
    [[nodiscard]] std::shared_ptr<Lease> find(const Digest& digest) const;

    /// Marks the lease revoked, forgets it, and tells whoever asked by `onRevoked`, before it returns.
    void revoke(const JobId& job);

    /// Puts a lease with that digest in the place of the job's, which is revoked as by `revoke`; what is
    /// known of the job goes on. @return false if the job is over. Nothing else may add or renew it at the
    /// same time.
    bool renew(const JobId& job, const Digest& digest);

    /// Calls `revoked` for each later revocation, on the revoking thread. [before any revoke]
    void onRevoked(std::function<void(const JobId&)> revoked);

    /// The leases of which that is true at this moment. `wanted` must not look tokens up.
    [[nodiscard]] std::vector<std::shared_ptr<Lease>> those(
        const std::function<bool(const Lease&)>& wanted) const;

private:
    mutable std::shared_mutex mutex_;
    std::unordered_map<JobId, std::shared_ptr<Lease>> leases_;
    std::unordered_map<Digest, JobId, DigestHash, DigestEqual> byDigest_;  ///< of those
    std::function<void(const JobId&)> revoked_;
};

}  // namespace sallyport::host::auth
