// Records of calls that are kept no longer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <sallyport/job_id.h>
#include <sallyport/retention.h>
#include <sallyport/store.h>
#include <sallyport/timestamp.h>

namespace sallyport::plugins::llm {

/// Deletes what CallLog stored, and leaves the sums that UsageReport needs: by day, job, user and model while
/// the job is there, and by day, user and model for good. [one thread at a time]
class OldCalls final : public KeptRows {
public:
    /// @param store      outlives this, and has CallLog's tables.
    /// @param keptPerJob records of one job that are kept; 0: any number.
    OldCalls(Store& store, std::int64_t keptPerJob);

    [[nodiscard]] std::optional<JobId> jobAfter(const std::optional<JobId>& job) override;
    bool removeJob(const JobId& job, Sweep& sweep) override;
    bool removeBefore(Timestamp time, Sweep& sweep) override;
    bool removeSurplus(Sweep& sweep) override;

private:
    bool removeSurplusOf(const std::string& job, Sweep& sweep);
    void countNew();

    Store& store_;
    const std::int64_t keptPerJob_;
    std::int64_t counted_ = 0;                   ///< the last record that is in `new_`
    std::map<std::string, std::int64_t> new_{};  ///< records of jobs since they were last looked at
};

}  // namespace sallyport::plugins::llm
