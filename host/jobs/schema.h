// The table of jobs, and how a row of it is read.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <sallyport/jobs.h>
#include <sallyport/store.h>

namespace sallyport::host::jobs {

[[nodiscard]] const std::vector<Migration>& migrations();

/// What jobFrom reads, in its order.
inline constexpr const char* jobColumns =
    "job_id, user_id, title, task, project_dir, mode, state, status_message, iteration, success,"
    " result_message, result_iterations, restart_of, created_at, started_at, finished_at, number";

/// A job, and its place in the order in which jobs were made.
struct NumberedJob {
    Job job;
    std::int64_t number;
};

/// @throws StoreError if the row holds what this version cannot read.
[[nodiscard]] NumberedJob jobFrom(const Row& row);
[[nodiscard]] JobId jobIdFrom(const std::string& text);
[[nodiscard]] JobState stateFrom(const std::string& text);

/// How a time is stored.
[[nodiscard]] std::int64_t stored(Timestamp time);

}  // namespace sallyport::host::jobs
