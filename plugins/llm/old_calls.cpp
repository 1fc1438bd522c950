#include "old_calls.h"

#include <algorithm>
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

/// The model, unless a job has made it up: one that used nothing, as providers do not know it.
constexpr const char* usedModel =
    "CASE WHEN outcome = 'failed' AND input_tokens + output_tokens + cost_nano = 0 THEN '' ELSE model END";

/// A job's records are looked at again after so many new ones, as a part of those that are kept.
constexpr std::int64_t lookedAtAfter = 10;
/// Records that are counted in one turn, and jobs that counts are kept of.
constexpr std::int64_t countedAtOnce = 20'000;
constexpr std::size_t jobsCounted = 10'000;

constexpr const char* insertUsage =
    "INSERT INTO llm_usage (job_id, at, user_id, model, last_call, requests, failed, input_tokens,"
    " output_tokens, cache_read_tokens, cache_write_tokens, cost_nano) ";

/// Deletes a record. What it says is left in the sums, under the job and the model that these expressions
/// name.
void removeRecord(Transaction& transaction, std::int64_t call, const std::string& job,
                  const std::string& model = "model") {
    transaction.execute(std::string(insertUsage) + "SELECT " + job + ", at - at % 86400000, user_id, " +
                            model +
                            ", id, 1,"
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

OldCalls::OldCalls(Store& store, std::int64_t keptPerJob) : store_(store), keptPerJob_(keptPerJob) {
    if (keptPerJob_ > 0) {
        const Row last = store_.query("SELECT MAX(id) FROM llm_call").at(0);
        // Each start counts some that were counted before, so that starts in quick succession hide none.
        counted_ = std::max<std::int64_t>(last.integer(0) - countedAtOnce, 0);
    }
}

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

bool OldCalls::removeSurplus(Sweep& sweep) {
    if (keptPerJob_ == 0) {
        return true;
    }
    countNew();
    for (auto job = new_.begin(); job != new_.end();) {
        if (job->second <= keptPerJob_ / lookedAtAfter) {
            ++job;
        } else if (removeSurplusOf(job->first, sweep)) {
            job = new_.erase(job);
        } else {
            return false;
        }
    }
    return true;
}

void OldCalls::countNew() {
    const Row last = store_.query("SELECT MAX(id) FROM llm_call").at(0);
    const std::int64_t upTo = std::min(last.integer(0), counted_ + countedAtOnce);
    if (upTo <= counted_) {
        return;
    }
    if (new_.size() > jobsCounted) {
        new_.clear();
    }
    for (const Row& row :
         store_.query("SELECT job_id, COUNT(*) FROM llm_call WHERE id > ? AND id <= ? GROUP BY job_id",
                      {counted_, upTo})) {
        new_[row.text(0)] += row.integer(1);
    }
    counted_ = upTo;
}

bool OldCalls::removeSurplusOf(const std::string& job, Sweep& sweep) {
    const Rows newest = store_.query(
        "SELECT id FROM llm_call WHERE job_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?", {job, keptPerJob_});
    if (newest.empty()) {
        return true;
    }
    const std::int64_t surplus = newest.at(0).integer(0);
    return sweep.run(
        [&](std::size_t most) {
            return Sweep::keysIn(
                store_.query("SELECT id FROM llm_call WHERE job_id = ? AND id <= ? ORDER BY id LIMIT ?",
                             {job, surplus, static_cast<std::int64_t>(most)}));
        },
        [](Transaction& transaction, std::int64_t call) {
            removeRecord(transaction, call, "job_id", usedModel);
        });
}

}  // namespace sallyport::plugins::llm
