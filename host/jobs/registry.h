// The registry of jobs: one table, one place where states change.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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

    /// What others store with a job that is created.
    struct Additions {
        std::vector<std::string> participants;  ///< plugins that do
        /// As Store::Work, in the transaction that creates the job; empty: nothing.
        std::function<void(Transaction&, const Job&)> store;
        /// Once it is durable, before anybody is told of the job. It lets nothing out; empty: nothing.
        std::function<void()> stored;
    };

    /// Makes a pending job and its token, and returns when both are durable and JobCreated was published.
    /// @throws StoreError, and what `additions.store` throws
    [[nodiscard]] CreatedJob create(const NewJob& job, const JobId& id, const Additions& additions);
    /// The same with an id of its own and nothing else.
    [[nodiscard]] CreatedJob create(const NewJob& job) { return create(job, JobId::random(), {}); }

    /// Replaces the token of the job's worker. The last one is good for nothing any more once this returns.
    /// @return the only copy of the new one.
    /// @throws RequestError 404 or 409 for a job that is not there or over, StoreError
    [[nodiscard]] std::string renewToken(const JobId& id);

    [[nodiscard]] std::shared_ptr<const Job> find(const JobId& id) override;
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
