// The table of prompts that have not been delivered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sallyport/job_id.h>
#include <sallyport/store.h>

#include "prompt_queues.h"

namespace sallyport::plugins {

/// Prompts in the database: a row each from being queued to being delivered.
class PromptTable {
public:
    /// Brings the table up to date. @throws StoreError
    explicit PromptTable(Store& store);

    /// The columns of a new row, made once and bound as often as the write is tried.
    [[nodiscard]] static std::vector<SqlValue> row(const JobId& job, std::string content, bool done);
    /// @return the number of the new prompt.
    static std::int64_t insert(Transaction& transaction, const std::vector<SqlValue>& row);
    static void remove(Transaction& transaction, std::int64_t prompt);
    static void removeAll(Transaction& transaction, const JobId& job);

    /// Jobs that have prompts. @throws StoreError
    [[nodiscard]] std::vector<JobId> jobs() const;
    /// The job's prompts, oldest first. @throws StoreError
    [[nodiscard]] std::vector<Prompt> of(const JobId& job) const;

private:
    Store& store_;
};

}  // namespace sallyport::plugins
