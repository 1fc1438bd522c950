#include "grant_table.h"

#include <cstdint>

#include <sallyport/job_key.h>

namespace sallyport::plugins {

namespace {

const std::vector<Migration>& grantMigrations() {
    static const std::vector<Migration> steps = {
        {1,
         {"CREATE TABLE grants (job_id BLOB NOT NULL, position BIGINT NOT NULL, user_id TEXT NOT NULL,"
          " secret_name TEXT NOT NULL, env_var TEXT NOT NULL, revoked_at BIGINT,"
          " PRIMARY KEY (job_id, position))",
          "CREATE INDEX grants_in_force ON grants (job_id) WHERE revoked_at IS NULL"}}};
    return steps;
}

}  // namespace

GrantTable::GrantTable(Store& store) : store_(store) {
    store_.migrate("grants", grantMigrations());
}

void GrantTable::replace(Transaction& transaction, const JobId& job, const JobGrants& grants) {
    transaction.execute("DELETE FROM grants WHERE job_id = ?", {jobKey(job)});
    std::int64_t position = 0;
    for (const Grant& grant : grants.grants) {
        transaction.execute(
            "INSERT INTO grants (job_id, position, user_id, secret_name, env_var) VALUES (?, ?, ?, ?, ?)",
            {jobKey(job), position++, grants.user, grant.secretName, grant.envVar});
    }
}

JobGrants GrantTable::revoke(Transaction& transaction, const JobId& job, Timestamp at) {
    JobGrants ended = inForce(transaction, job);
    transaction.execute("UPDATE grants SET revoked_at = ? WHERE job_id = ? AND revoked_at IS NULL",
                        {std::int64_t{at.time_since_epoch().count()}, jobKey(job)});
    return ended;
}

JobGrants GrantTable::inForce(Transaction& transaction, const JobId& job) {
    JobGrants result;
    for (const Row& row : transaction.query(
             "SELECT user_id, secret_name, env_var FROM grants WHERE job_id = ? AND revoked_at IS NULL"
             " ORDER BY position",
             {jobKey(job)})) {
        result.user = row.text(0);
        result.grants.push_back({row.text(1), row.text(2)});
    }
    return result;
}

bool GrantTable::hasInForce(const JobId& job) const {
    return !store_
                .query("SELECT position FROM grants WHERE job_id = ? AND revoked_at IS NULL LIMIT 1",
                       {jobKey(job)})
                .empty();
}

std::vector<Grant> GrantTable::all(const JobId& job) const {
    std::vector<Grant> result;
    for (const Row& row : store_.query(
             "SELECT secret_name, env_var FROM grants WHERE job_id = ? ORDER BY position", {jobKey(job)})) {
        result.push_back({row.text(0), row.text(1)});
    }
    return result;
}

std::vector<JobId> GrantTable::jobs() const {
    std::vector<JobId> result;
    for (const Row& row : store_.query("SELECT DISTINCT job_id FROM grants WHERE revoked_at IS NULL")) {
        result.push_back(jobOfKey(row.bytes(0)));
    }
    return result;
}

std::optional<JobId> GrantTable::jobAfter(const std::optional<JobId>& job) {
    const Row first =
        store_.query("SELECT MIN(job_id) FROM grants WHERE job_id > ?", {job ? jobKey(*job) : Bytes()}).at(0);
    return first.isNull(0) ? std::nullopt : std::optional(jobOfKey(first.bytes(0)));
}

bool GrantTable::removeJob(const JobId& job, Sweep& sweep) {
    return sweep.run(
        [&](std::size_t most) {
            return Sweep::keysIn(store_.query(
                "SELECT position FROM grants WHERE job_id = ? AND revoked_at IS NOT NULL LIMIT ?",
                {jobKey(job), static_cast<std::int64_t>(most)}));
        },
        [&](Transaction& transaction, std::int64_t position) {
            transaction.execute("DELETE FROM grants WHERE job_id = ? AND position = ?",
                                {jobKey(job), position});
        });
}

}  // namespace sallyport::plugins
