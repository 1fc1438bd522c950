// How much each job has used, and whether it may use more.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <sallyport/job_id.h>
#include <sallyport/token_bucket.h>
#include <sallyport/usage.h>

#include "chat.h"

namespace sallyport::plugins::llm {

/// What one job may use. 0 means without limit.
struct JobLimits {
    std::int64_t requests = 0;
    std::int64_t inputTokens = 0;
    std::int64_t outputTokens = 0;
    std::int64_t costNano = 0;  ///< billionths of a dollar
    std::int64_t requestsPerMinute = 0;
};

/// The sums of each job that is not over, in memory, and the limits on them. [any thread]
///
/// A call is admitted while what has been used is below each limit, and what it used is known only when it
/// has ended: so every call that was under way when a limit was reached may exceed it, by itself and no more.
/// The number of requests is counted at admission and never exceeded.
class JobLedger {
public:
    using Time = std::chrono::steady_clock::time_point;
    /// Reads what a job has used so far; nothing for one that is over. May block.
    using Source = std::function<std::optional<UsageTotals>(const JobId&)>;

    /// The right to one call. Settle it when the call has ended. One that goes away unsettled is taken back,
    /// as for a call that never began: it does not count as a request, but still does for the rate.
    class Admission {
    public:
        Admission(Admission&& other) noexcept
            : ledger_(std::exchange(other.ledger_, nullptr)), job_(other.job_) {}
        Admission& operator=(Admission&& other) noexcept;
        Admission(const Admission&) = delete;
        Admission& operator=(const Admission&) = delete;
        ~Admission() { takeBack(); }

        [[nodiscard]] const JobId& job() const noexcept { return job_; }

    private:
        friend class JobLedger;
        Admission(JobLedger* ledger, const JobId& job) : ledger_(ledger), job_(job) {}
        void takeBack() noexcept;

        JobLedger* ledger_;  ///< null once it is settled or moved from
        JobId job_;
    };

    JobLedger(const JobLimits& limits, Source source) : limits_(limits), source_(std::move(source)) {}
    JobLedger(const JobLedger&) = delete;
    JobLedger& operator=(const JobLedger&) = delete;

    /// Whether the job's sums are in memory, so that `admit` can be called without blocking.
    [[nodiscard]] bool known(const JobId& job) const;
    /// Reads the job's sums from the source unless they are there. May block. @throws what the source throws
    void load(const JobId& job);

    /// Lets a job begin a call. It must be known; one that is not has ended since.
    /// @throws RequestError 429 with a code that names the limit: `request_limit`, `input_token_limit`,
    ///         `output_token_limit`, `cost_limit`, and with `Retry-After` `rate_limit`; 409 `job_over`.
    [[nodiscard]] Admission admit(const JobId& job, Time now);

    /// Ends a call that was begun, whatever became of it.
    void settle(Admission admission, const Usage& usage, std::int64_t costNano, bool failed);

    /// For a job that is over. Calls under way are settled as ever; none is admitted any more.
    void forget(const JobId& job);

    /// What the job has used; nothing while it is not known. Calls under way count as requests.
    [[nodiscard]] std::optional<UsageTotals> totals(const JobId& job) const;

    /// How many jobs are in memory.
    [[nodiscard]] std::size_t size() const;

private:
    struct Account {
        UsageTotals totals;
        std::int64_t underWay = 0;
        int loading = 0;  ///< threads that are reading it
        bool loaded = false;
        bool over = false;
        TokenBucket beginnings;  ///< requests that may begin
    };
    using Accounts = std::unordered_map<JobId, Account>;

    void requireBudget(const Account& account) const;
    void requireRate(Account& account, Time now) const;
    void finishLoading(const JobId& job, const std::optional<UsageTotals>& read);
    void takeBack(const JobId& job) noexcept;
    void dropIfUnused(Accounts::iterator account);

    const JobLimits limits_;
    const Source source_;
    mutable std::mutex mutex_;
    Accounts accounts_;
};

}  // namespace sallyport::plugins::llm
