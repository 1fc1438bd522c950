// The table of grants.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sallyport/job_id.h>
#include <sallyport/retention.h>
#include <sallyport/store.h>
#include <sallyport/timestamp.h>

#include "grant.h"

namespace sallyport::plugins {

/// The grants of a job that are in force, and whose secrets they are about.
struct JobGrants {
    std::string user;
    std::vector<Grant> grants;  ///< in the order in which they were given
};

/// Grants, kept also when they are revoked, for as long as the job: a restart of it asks for the same.
/// Whatever takes a Transaction runs in it.
class GrantTable final : public KeptRows {
public:
    /// Brings the table up to date. @throws StoreError
    explicit GrantTable(Store& store);

    static void replace(Transaction& transaction, const JobId& job, const JobGrants& grants);
    /// @return what was in force until now.
    static JobGrants revoke(Transaction& transaction, const JobId& job, Timestamp at);
    [[nodiscard]] static JobGrants inForce(Transaction& transaction, const JobId& job);

    /// @throws StoreError
    [[nodiscard]] bool hasInForce(const JobId& job) const;
    /// Revoked ones too. @throws StoreError
    [[nodiscard]] std::vector<Grant> all(const JobId& job) const;
    /// Jobs that have grants in force. @throws StoreError
    [[nodiscard]] std::vector<JobId> jobs() const;

    [[nodiscard]] std::optional<JobId> jobAfter(const std::optional<JobId>& job) override;
    /// But for grants in force, which are to be revoked first: the audit trail tells of that.
    bool removeJob(const JobId& job, Sweep& sweep) override;

private:
    Store& store_;
};

}  // namespace sallyport::plugins
