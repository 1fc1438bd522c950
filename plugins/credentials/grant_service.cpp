#include "grant_service.h"

#include <algorithm>
#include <utility>

#include <sallyport/errors.h>

namespace sallyport::plugins {

namespace {

bool contains(const std::vector<Grant>& grants, const Grant& wanted) {
    return std::any_of(grants.begin(), grants.end(), [&wanted](const Grant& grant) {
        return grant.secretName == wanted.secretName && grant.envVar == wanted.envVar;
    });
}

AuditEntry entryFor(const Requester& by, const char* action, const std::string& user, const JobId& job,
                    const Grant& grant) {
    AuditEntry entry{by, action};
    entry.user = user;
    entry.job = job;
    entry.secret = grant.secretName;
    entry.variable = grant.envVar;
    return entry;
}

/// Ends what is in force, but for what `kept` has too.
void revokeIn(Transaction& transaction, const JobId& job, const std::vector<Grant>& kept, const Requester& by,
              AuditLog::Entries& entries) {
    const JobGrants ended = GrantTable::revoke(transaction, job, now());
    for (const Grant& grant : ended.grants) {
        if (!contains(kept, grant)) {
            entries.push_back(entryFor(by, audit::revoke, ended.user, job, grant));
        }
    }
}

const Requester& daemonItself() {
    static const Requester requester{"daemon", {}};
    return requester;
}

}  // namespace

std::optional<GrantService::Denial> GrantService::denialOf(const Grant& grant, const std::string& user,
                                                           bool secretExists, const Call& asked) const {
    AuditEntry entry{Requester::of(asked), audit::grant, audit::denied};
    entry.user = user;
    entry.secret = grant.secretName;
    entry.variable = grant.envVar;
    if (rules_.refuses(grant.envVar)) {
        entry.reason = "refused_variable";
        return Denial{
            std::move(entry), "env_var",
            "names " + grant.envVar + ", which no secret may be put into: it changes what programs do"};
    }
    if (!secretExists) {
        entry.reason = "missing";
        return Denial{std::move(entry), "secret_name",
                      "names " + grant.secretName + ", a secret that the owner of the job does not have"};
    }
    return std::nullopt;
}

std::vector<Grant> GrantService::check(const std::string& user, const std::vector<Grant>& grants,
                                       const Call& asked) {
    std::vector<Grant> wanted = normalisedGrants(grants);
    for (const Grant& grant : wanted) {
        const bool exists = secrets_.info(user, grant.secretName).has_value();
        if (const auto denial = denialOf(grant, user, exists, asked)) {
            audit_.write(denial->entry);
            throw denial->error();
        }
    }
    return wanted;
}

std::optional<GrantService::Denial> GrantService::replace(Transaction& transaction,
                                                          AuditLog::Entries& entries, const JobId& job,
                                                          const std::string& user,
                                                          const std::vector<Grant>& grants,
                                                          const Call& asked) const {
    for (const Grant& grant : grants) {
        const bool exists = SecretTable::exists(transaction, user, grant.secretName);
        if (auto denial = denialOf(grant, user, exists, asked)) {
            denial->entry.job = job;
            return denial;
        }
    }
    const Requester by = Requester::of(asked);
    const std::vector<Grant> before = GrantTable::inForce(transaction, job).grants;
    revokeIn(transaction, job, grants, by, entries);
    GrantTable::replace(transaction, job, {user, grants});
    for (const Grant& grant : grants) {
        if (!contains(before, grant)) {
            entries.push_back(entryFor(by, audit::grant, user, job, grant));
        }
    }
    return std::nullopt;
}

void GrantService::set(const JobId& job, const std::string& user, const std::vector<Grant>& grants,
                       const Call& asked) {
    const std::vector<Grant> wanted = normalisedGrants(grants);
    std::optional<Denial> denial;
    audit_.write([&](Transaction& transaction, AuditLog::Entries& entries) {
        denial = replace(transaction, entries, job, user, wanted, asked);
        if (denial) {
            entries.push_back(denial->entry);
        }
    });
    if (denial) {
        throw denial->error();
    }
    // If the job ended meanwhile, its end may have found the grants before.
    const auto known = jobs_.find(job);
    if (!known || isOver(known->state)) {
        revoke(job, [](const std::exception_ptr&) {});
    }
}

std::vector<Grant> GrantService::list(const JobId& job) {
    return grants_.all(job);
}

void GrantService::revoke(const JobId& job, Store::Done done) {
    audit_.submit(
        [job](Transaction& transaction, AuditLog::Entries& entries) {
            revokeIn(transaction, job, {}, daemonItself(), entries);
        },
        std::move(done));
}

void GrantService::revokeLeftovers() {
    for (const JobId& job : grants_.jobs()) {
        const auto known = jobs_.find(job);
        if (!known || isOver(known->state)) {
            audit_.write([job](Transaction& transaction, AuditLog::Entries& entries) {
                revokeIn(transaction, job, {}, daemonItself(), entries);
            });
        }
    }
}

}  // namespace sallyport::plugins
