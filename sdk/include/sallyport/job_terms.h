// The terms under which a job runs: until when, and what it may use up.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include <sallyport/job_id.h>
#include <sallyport/jobs.h>

namespace sallyport {

/// What to do with a request of a job that uses something up.
struct JobPace {
    std::chrono::milliseconds wait{0};   ///< it goes on after this; 0: at once
    bool refused = false;                ///< it would have to wait for too long
    std::chrono::seconds retryAfter{0};  ///< when refused
    std::int64_t perSecond = 0;          ///< what the job may use in a second
};

/// The terms of jobs. The host provides it. [any thread]
class JobTermsService {
public:
    static constexpr const char* serviceName = "sallyport.job_terms.1";  ///< for Host::find

    virtual ~JobTermsService() = default;

    /// What was said when the job was created, and changed since; nothing if there is no such job. May read
    /// the database. @throws StoreError
    [[nodiscard]] virtual std::optional<JobTerms> of(const JobId& job) = 0;

    /// What counts where a job has no limit of its own. Every limit is set.
    [[nodiscard]] virtual JobLimits defaults() const = 0;

    /// Replaces a job's own limits, which hold from then on. Blocks until that is durable.
    /// @return false if there is no such job, or it is over. @throws StoreError
    virtual bool setLimits(const JobId& job, const JobLimits& limits) = 0;

    /// The limits in force for a job that is not over: its own, or else the defaults. Every limit is set.
    /// From memory.
    [[nodiscard]] virtual JobLimits inForce(const JobId& job) = 0;

    /// Takes so many bytes of events from what the job may report in a second. From memory.
    [[nodiscard]] virtual JobPace takeEventBytes(const JobId& job, std::int64_t bytes) = 0;
};

}  // namespace sallyport
