#include "old_calls.h"

#include <string>

namespace sallyport::plugins::llm {

namespace {

/// Adds rows to the sums: follows an INSERT … SELECT of whole rows of that table.
constexpr const char* addUp =
    " ON CONFLICT (job_id, at, user_id, model) DO UPDATE SET"
    " last_call = CASE WHEN excluded.last_call > llm_usage.last_call THEN excluded.last_call"
    " ELSE llm_usage.last_call END,"
    " requests = llm_usage.requests + excluded.requests, failed = llm_usage.failed + excluded.failed,"
    " input_tokens = llm_usage.input_tokens + excluded.input_tokens,"
    " output_tokens = llm_usage.output_tokens + excluded.output_tokens,"
    " cache_read_tokens = llm_usage.cache_read_tokens + excluded.cache_read_tokens,"
    " cache_write_tokens = llm_usage.cache_write_tokens + excluded.cache_write_tokens,"
    " cost_nano = llm_usage.cost_nano + excluded.cost_nano";

constexpr const char* insertUsage =
    "INSERT INTO llm_usage (job_id, at, user_id, model, last_call, requests, failed, input_tokens,"
    " output_tokens, cache_read_tokens, cache_write_tokens, cost_nano) ";

/// Deletes a record. What it says is left in the sums, under the job that `jobColumn` names.
void removeRecord(Transaction& transaction, std::int64_t call, const std::string& jobColumn) {
    transaction.execute(std::string(insertUsage) + "SELECT " + jobColumn +
                            ", at - at % 86400000, user_id, model, id, 1,"
                            " CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END, input_tokens, output_tokens,"
                            " cache_read_tokens, cache_write_tokens, cost_nano FROM llm_call WHERE id = ?" +
                            addUp,
                        {call});
    transaction.execute("DELETE FROM llm_call_content WHERE call_id = ?", {call});
    transaction.execute("DELETE FROM llm_call WHERE id = ?", {call});
}

/// Puts what is left of a job's calls on a day to that of all jobs that are no more.
void forgetJobOn(Transaction& transaction, const std::string& job, std::int64_t day) {
    transaction.execute(std::string(insertUsage) +
                            "SELECT '', at, user_id, model, last_call, requests, failed, input_tokens,"
                            " output_tokens, cache_read_tokens, cache_write_tokens, cost_nano FROM llm_usage"
                            " WHERE job_id = ? AND at = ?" +
                            addUp,
                        {job, day});
    transaction.execute("DELETE FROM llm_usage WHERE job_id = ? AND at = ?", {job, day});
}

}  // namespace

std::optional<JobId> OldCalls::jobAfter(const std::optional<JobId>& job) {
    const std::string after = job ? job->str() : std::string();
    const Row first = store_
                          .query(
                              "SELECT MIN(job_id) FROM (SELECT MIN(job_id) AS job_id FROM llm_call"
                              " WHERE job_id > ? UNION ALL"
                              " SELECT MIN(job_id) AS job_id FROM llm_usage WHERE job_id > ?) AS jobs",
                              {after, after})
                          .at(0);
    return first.isNull(0) ? std::nullopt : JobId::parse(first.text(0));
}

bool OldCalls::removeJob(const JobId& job, Sweep& sweep) {
    const auto records = [&](std::size_t most) {
        return Sweep::keysIn(store_.query("SELECT id FROM llm_call WHERE job_id = ? ORDER BY id LIMIT ?",
                                          {job.str(), static_cast<std::int64_t>(most)}));
    };
    const auto days = [&](std::size_t most) {
        return Sweep::keysIn(store_.query("SELECT DISTINCT at FROM llm_usage WHERE job_id = ? LIMIT ?",
                                          {job.str(), static_cast<std::int64_t>(most)}));
    };
    return sweep.run(records, [](Transaction& transaction, std::int64_t call) {
        removeRecord(transaction, call, "''");
    }) && sweep.run(days, [&](Transaction& transaction, std::int64_t day) {
        forgetJobOn(transaction, job.str(), day);
    });
}

bool OldCalls::removeBefore(Timestamp time, Sweep& sweep) {
    return sweep.run(
        [&](std::size_t most) {
            return Sweep::keysIn(store_.query(
                "SELECT id FROM llm_call WHERE at < ? ORDER BY at LIMIT ?",
                {std::int64_t{time.time_since_epoch().count()}, static_cast<std::int64_t>(most)}));
        },
        [](Transaction& transaction, std::int64_t call) { removeRecord(transaction, call, "job_id"); });
}

}  // namespace sallyport::plugins::llm
