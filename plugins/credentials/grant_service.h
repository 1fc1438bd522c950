// Granting secrets to jobs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sallyport/call.h>
#include <sallyport/errors.h>
#include <sallyport/jobs.h>

#include "audit_log.h"
#include "grant.h"
#include "grant_rules.h"
#include "grant_table.h"
#include "secret_table.h"

namespace sallyport::plugins {

/// The grants of all jobs, checked, audited, and revoked when a job is over. [any thread]
class GrantService {
public:
    GrantService(GrantTable& grants, SecretTable& secrets, AuditLog& audit, VariableRules rules, Jobs& jobs)
        : grants_(grants), secrets_(secrets), audit_(audit), rules_(std::move(rules)), jobs_(jobs) {}

    /// A grant that cannot be made: what the trail tells of it, and what the operator is told.
    struct Denial {
        AuditEntry entry;
        std::string field;
        std::string problem;

        [[nodiscard]] RequestError error() const { return invalidField(field, problem); }
    };

    /// Looks whether `user` may give these grants to a job of its own, before there is a job. A denial is
    /// audited.
    /// @return the same with normalised names.
    /// @throws RequestError 422 naming the grant that cannot be made, StoreError
    [[nodiscard]] std::vector<Grant> check(const std::string& user, const std::vector<Grant>& grants,
                                           const Call& asked);

    /// Replaces the grants of a job, all or none, in a transaction that somebody else runs.
    /// @param grants  as `check` gave them.
    /// @param entries is added what the trail is to tell.
    /// @return why not, and nothing has changed. The entry is the caller's to write: it must outlast what
    /// becomes of the transaction.
    [[nodiscard]] std::optional<Denial> replace(Transaction& transaction, AuditLog::Entries& entries,
                                                const JobId& job, const std::string& user,
                                                const std::vector<Grant>& grants, const Call& asked) const;

    /// Replaces the grants of a job, all or none, and returns when that is durable.
    /// @throws RequestError as `check` does, StoreError
    void set(const JobId& job, const std::string& user, const std::vector<Grant>& grants, const Call& asked);

    /// What was granted to a job, also when it is over and the grants are of no use any more, so that a
    /// restart can ask for the same. @throws StoreError
    [[nodiscard]] std::vector<Grant> list(const JobId& job);

    /// Ends the grants of a job that is over, without waiting. @throws StoreError when the store's queue is
    /// full
    void revoke(const JobId& job, Store::Done done);
    /// The same for jobs that ended while nobody was told. @throws StoreError
    void revokeLeftovers();

private:
    [[nodiscard]] std::optional<Denial> denialOf(const Grant& grant, const std::string& user,
                                                 bool secretExists, const Call& asked) const;

    GrantTable& grants_;
    SecretTable& secrets_;
    AuditLog& audit_;
    const VariableRules rules_;
    Jobs& jobs_;
};

}  // namespace sallyport::plugins
