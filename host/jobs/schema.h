// The table of jobs, and how a row of it is read.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <sallyport/job_terms.h>
#include <sallyport/jobs.h>
#include <sallyport/store.h>

namespace sallyport::host::jobs {

[[nodiscard]] const std::vector<Migration>& migrations();

/// What jobFrom reads, in its order.
inline constexpr const char* jobColumns =
    "job_id, user_id, title, task, project_dir, mode, state, status_message, iteration, success,"
    " result_message, result_iterations, restart_of, created_at, started_at, finished_at, participants,"
    " number";

/// What termsFrom reads, in its order.
inline constexpr const char* termColumns =
    "timeout, limit_requests, limit_event_bytes_rate, limit_events, limit_event_bytes";
/// How many these are.
inline constexpr std::size_t termCount = 5;

/// A job, and its place in the order in which jobs were made.
struct NumberedJob {
    Job job;
    std::int64_t number;
};

/// @throws StoreError if the row holds what this version cannot read.
[[nodiscard]] NumberedJob jobFrom(const Row& row);
/// The terms of a job, whose columns begin at `first`.
[[nodiscard]] JobTerms termsFrom(const Row& row, std::size_t first = 0);
/// The values of the same columns.
[[nodiscard]] std::vector<SqlValue> storedTerms(const JobTerms& terms);
/// How the names of plugins are stored: NULL for none.
[[nodiscard]] SqlValue storedNames(const std::vector<std::string>& plugins);
[[nodiscard]] JobId jobIdFrom(const std::string& text);
[[nodiscard]] JobState stateFrom(const std::string& text);

/// How a time is stored.
[[nodiscard]] std::int64_t stored(Timestamp time);

}  // namespace sallyport::host::jobs
