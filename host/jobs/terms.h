// The terms of jobs, as plugins get at them.
#pragma once

#include <chrono>

#include <sallyport/job_terms.h>

#include "host/auth/worker_tokens.h"
#include "host/jobs/registry.h"

namespace sallyport::host::jobs {

/// Durable in the registry, in force by the leases. [any thread]
class Terms final : public JobTermsService {
public:
    /// @param longestHold no request is made to wait for longer.
    Terms(Registry& registry, auth::WorkerTokens& tokens, std::chrono::milliseconds longestHold);

    [[nodiscard]] std::optional<JobTerms> of(const JobId& job) override;
    [[nodiscard]] JobLimits defaults() const override;
    bool setLimits(const JobId& job, const JobLimits& limits) override;
    [[nodiscard]] JobLimits inForce(const JobId& job) override;
    [[nodiscard]] JobPace takeEventBytes(const JobId& job, std::int64_t bytes) override;

private:
    Registry& registry_;
    auth::WorkerTokens& tokens_;
    const std::chrono::milliseconds longestHold_;
};

}  // namespace sallyport::host::jobs
