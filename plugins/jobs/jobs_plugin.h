// Jobs: how operators make and steer them, and how workers report on theirs.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <sallyport/ext/job_lifecycle.h>
#include <sallyport/ext/metrics.h>
#include <sallyport/job_terms.h>
#include <sallyport/json_writer.h>
#include <sallyport/plugin.h>

#include "description_cache.h"
#include "pending_reads.h"

namespace sallyport::plugins {

/// The routes to the registry of jobs, which is the host's.
///
/// Workers: `GET /job`, `POST /status`, `POST /complete`. Operators: `POST /jobs`, `GET /jobs`,
/// `GET /jobs/summary`, `GET /jobs/{job_id}`, and `cancel`, `finish`, `restart` and `limits` below that.
/// Each start and end of a job is shown to subscribers as an unnumbered `job_state` event.
class JobsPlugin final : public Plugin {
public:
    void start(Host& host) override;

private:
    Reply describe(const Call& call);
    void readDescription(const JobId& id, PendingReads::Read& read);
    Reply reportStatus(const Call& call);
    Reply complete(const Call& call);

    Reply create(const Call& call);
    Reply list(const Call& call);
    Reply summary(const Call& call);
    Reply detail(const Call& call);
    Reply cancel(const Call& call);
    Reply finish(const Call& call);
    Reply restart(const Call& call);
    Reply limits(const Call& call);
    Reply changeLimits(const Call& call);

    [[nodiscard]] std::shared_ptr<const Job> findFor(const Call& call);
    void addShown(json::Writer& json, const Job& job) const;
    void addAccess(json::Writer& json, const CreatedJob& created) const;
    [[nodiscard]] std::shared_ptr<JobTermsService> terms() const;
    bool finishNow(const JobId& job, JobState end, JobResult result);
    void showState(const JobId& job, const std::string& user, JobState state);

    Host* host_ = nullptr;
    JobLifecycle* lifecycle_ = nullptr;
    Counter* started_ = nullptr;
    MetricFamily<Counter>* finished_ = nullptr;
    DescriptionCache descriptions_{std::size_t{8} * 1024 * 1024};
    PendingReads reads_;
};

}  // namespace sallyport::plugins
