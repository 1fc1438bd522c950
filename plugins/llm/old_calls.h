// Records of calls that are kept no longer.
#pragma once

#include <optional>

#include <sallyport/job_id.h>
#include <sallyport/retention.h>
#include <sallyport/store.h>
#include <sallyport/timestamp.h>

namespace sallyport::plugins::llm {

/// Deletes what CallLog stored, and leaves the sums that UsageReport needs: by day, job, user and model while
/// the job is there, and by day, user and model for good. [one thread at a time]
class OldCalls final : public KeptRows {
public:
    explicit OldCalls(Store& store) : store_(store) {}

    [[nodiscard]] std::optional<JobId> jobAfter(const std::optional<JobId>& job) override;
    bool removeJob(const JobId& job, Sweep& sweep) override;
    bool removeBefore(Timestamp time, Sweep& sweep) override;

private:
    Store& store_;
};

}  // namespace sallyport::plugins::llm
