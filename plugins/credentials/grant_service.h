// Granting secrets to jobs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sallyport/grants.h>
#include <sallyport/jobs.h>

#include "audit_log.h"
#include "grant_rules.h"
#include "grant_table.h"
#include "secret_table.h"

namespace sallyport::plugins {

/// The grants of all jobs, checked, audited, and revoked when a job is over. [any thread]
class GrantService final : public Grants {
public:
    GrantService(GrantTable& grants, SecretTable& secrets, AuditLog& audit, VariableRules rules, Jobs& jobs)
        : grants_(grants), secrets_(secrets), audit_(audit), rules_(std::move(rules)), jobs_(jobs) {}

    void check(const std::string& user, const std::vector<Grant>& grants, const Call& asked) override;
    void set(const JobId& job, const std::string& user, const std::vector<Grant>& grants,
             const Call& asked) override;
    [[nodiscard]] std::vector<Grant> list(const JobId& job) override;

    /// Ends the grants of a job that is over, without waiting. @throws StoreError when the store's queue is
    /// full
    void revoke(const JobId& job, Store::Done done);
    /// The same for jobs that ended while nobody was told. @throws StoreError
    void revokeLeftovers();

private:
    /// A grant that cannot be made: what the trail tells of it, and what the operator is told.
    struct Denial {
        AuditEntry entry;
        std::string field;
        std::string problem;
    };

    [[nodiscard]] std::optional<Denial> denialOf(const Grant& grant, const std::string& user,
                                                 bool secretExists, const Call& asked) const;

    GrantTable& grants_;
    SecretTable& secrets_;
    AuditLog& audit_;
    const VariableRules rules_;
    Jobs& jobs_;
};

}  // namespace sallyport::plugins
