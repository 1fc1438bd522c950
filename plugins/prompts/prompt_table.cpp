#include "prompt_table.h"

#include <utility>

#include <sallyport/job_key.h>
#include <sallyport/timestamp.h>

namespace sallyport::plugins {

namespace {

const std::vector<Migration>& migrations() {
    static const std::vector<Migration> steps = {
        {1,
         {"CREATE TABLE prompts (id {key}, job_id BLOB NOT NULL, created_at BIGINT NOT NULL,"
          " done BIGINT NOT NULL, content TEXT NOT NULL)",
          "CREATE INDEX prompts_by_job ON prompts (job_id, id)"}}};
    return steps;
}

}  // namespace

PromptTable::PromptTable(Store& store) : store_(store) {
    store_.migrate("prompts", migrations());
}

std::vector<SqlValue> PromptTable::row(const JobId& job, std::string content, bool done) {
    return {jobKey(job), std::int64_t{now().time_since_epoch().count()}, std::int64_t{done},
            std::move(content)};
}

std::int64_t PromptTable::insert(Transaction& transaction, const std::vector<SqlValue>& row) {
    return transaction.insert("INSERT INTO prompts (job_id, created_at, done, content) VALUES (?, ?, ?, ?)",
                              row);
}

void PromptTable::remove(Transaction& transaction, std::int64_t prompt) {
    transaction.execute("DELETE FROM prompts WHERE id = ?", {prompt});
}

void PromptTable::removeAll(Transaction& transaction, const JobId& job) {
    transaction.execute("DELETE FROM prompts WHERE job_id = ?", {jobKey(job)});
}

std::vector<JobId> PromptTable::jobs() const {
    std::vector<JobId> result;
    for (const Row& row : store_.query("SELECT DISTINCT job_id FROM prompts")) {
        result.push_back(jobOfKey(row.bytes(0)));
    }
    return result;
}

std::vector<Prompt> PromptTable::of(const JobId& job) const {
    std::vector<Prompt> result;
    for (const Row& row :
         store_.query("SELECT id, done, content FROM prompts WHERE job_id = ? ORDER BY id", {jobKey(job)})) {
        result.push_back({row.integer(0), row.text(2), row.integer(1) != 0});
    }
    return result;
}

}  // namespace sallyport::plugins
