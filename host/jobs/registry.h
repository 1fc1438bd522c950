// The registry of jobs: one table, one place where states change.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <sallyport/bus.h>
#include <sallyport/jobs.h>
#include <sallyport/log.h>
#include <sallyport/retention.h>
#include <sallyport/store.h>

#include "host/auth/worker_tokens.h"

namespace sallyport::host::jobs {

/// Jobs in the database, and the leases of those that are not over in memory. [any thread]
class Registry final : public Jobs {
public:
    /// Creates its table and hands the lease of every job that is not over to `tokens`.
    /// @throws StoreError
    Registry(Store& store, auth::WorkerTokens& tokens, Bus& bus, Logger& log);
    /// Waits for the writes that it has queued.
    ~Registry() override;

    [[nodiscard]] CreatedJob create(NewJob job) override;
    [[nodiscard]] std::optional<Job> find(const JobId& id) override;
    [[nodiscard]] std::optional<std::string> owner(const JobId& id) override;
    [[nodiscard]] JobPage list(const JobQuery& query) override;
    [[nodiscard]] std::vector<JobCount> count(const std::optional<std::string>& user) override;
    void reportStatus(const JobId& id, std::optional<std::string> message, std::uint32_t iteration,
                      Done done) override;
    void finish(const JobId& id, JobState end, JobResult result, Finished done) override;

    /// Moves a pending job to running, for the first authenticated call of its worker. Never blocks;
    /// calls `done` on the store's thread once that is durable, also when it was running already.
    /// @throws StoreError when the store's queue is full.
    void start(const JobId& id, Done done);

    /// Ends every running job whose worker has not called for `silence` as interrupted. [pool thread]
    void interruptSilent(std::chrono::milliseconds silence);

    /// Deletes jobs that were over before that time. What others keep of them is theirs to delete, when they
    /// are told by JobDeleted. @return false when the turn ended before all were deleted. [pool thread]
    /// @throws StoreError
    bool removeEndedBefore(Timestamp time, Sweep& sweep);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::host::jobs
