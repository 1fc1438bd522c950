// The registry of jobs: one table, one place where states change.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <sallyport/bus.h>
#include <sallyport/job_terms.h>
#include <sallyport/jobs.h>
#include <sallyport/log.h>
#include <sallyport/retention.h>
#include <sallyport/store.h>

#include "host/auth/worker_tokens.h"
#include "host/store/intent_log.h"

namespace sallyport::host::jobs {

/// Jobs in the database, and the leases of those that are not over in memory. [any thread]
class Registry final : public Jobs {
public:
    /// What counts where a job has no limit of its own: any amount.
    static constexpr JobLimits unlimited{0, 0, 0, 0};

    /// Creates its table and hands the lease of every job that is not over to `tokens`.
    /// @param limits of jobs that have none of their own; every one is set.
    /// @param intents where ends are noted that the database does not take; null: nowhere.
    /// @throws StoreError
    Registry(Store& store, auth::WorkerTokens& tokens, Bus& bus, Logger& log,
             const JobLimits& limits = unlimited, store::IntentLog* intents = nullptr);
    /// Waits for the writes that it has queued.
    ~Registry() override;

    [[nodiscard]] CreatedJob create(NewJob job) override { return create(std::move(job), {}); }
    /// The same, under these terms.
    [[nodiscard]] CreatedJob create(NewJob job, const JobTerms& terms);
    [[nodiscard]] std::optional<Job> find(const JobId& id) override;
    [[nodiscard]] std::optional<std::string> owner(const JobId& id) override;
    [[nodiscard]] JobPage list(const JobQuery& query) override;
    [[nodiscard]] std::vector<JobCount> count(const std::optional<std::string>& user) override;
    void reportStatus(const JobId& id, std::optional<std::string> message, std::uint32_t iteration,
                      Done done) override;
    void finish(const JobId& id, JobState end, JobResult result, Finished done) override;
    [[nodiscard]] bool durable(const JobId& id) override;

    /// Moves a pending job to running, for the first authenticated call of its worker. Never blocks;
    /// calls `done` on the store's thread once that is durable, also when it was running already.
    /// @throws StoreError when the store's queue is full.
    void start(const JobId& id, Done done);

    /// Tells the database of ends that it has not taken, as far as it takes them now. To be called every now
    /// and then. [pool thread]
    void writeUnwritten();

    /// How many jobs are over without the database knowing.
    [[nodiscard]] std::size_t unwritten() const;

    /// The terms that a job was created under, and was given since; nothing if there is no such job.
    /// @throws StoreError
    [[nodiscard]] std::optional<JobTerms> terms(const JobId& id);

    /// Replaces a job's own limits, and returns when that is durable and they are in force.
    /// @return false if there is no such job, or it is over. @throws StoreError
    bool setLimits(const JobId& id, const JobLimits& limits);

    /// What counts where a job has no limit of its own.
    [[nodiscard]] const JobLimits& limits() const;

    /// Ends every running job of whose worker no request is under way, nor has been for `silence`, as
    /// interrupted. [pool thread]
    void interruptSilent(std::chrono::milliseconds silence);

    /// Ends every job whose timeout is over as interrupted, soon after it returns. To be called every second.
    /// [pool thread] @throws StoreError
    void interruptOverdue();

    /// Deletes jobs that were over before that time. What others keep of them is theirs to delete, when they
    /// are told by JobDeleted. @return false when the turn ended before all were deleted. [pool thread]
    /// @throws StoreError
    bool removeEndedBefore(Timestamp time, Sweep& sweep);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::host::jobs
