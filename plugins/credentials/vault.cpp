#include "vault.h"

#include <utility>

#include <sallyport/errors.h>

#include "secret_refusal.h"

namespace sallyport::plugins {

void Vault::unseal() {
    const std::optional<KeyCheck> check = secrets_.check();
    try {
        FoundKey found = findKey(check);
        if (check && !found.key.matches(*check)) {
            throw KeyProblem("the master key in " + placeOf(found.source) +
                             " is not the one that the stored secrets were encrypted with: put that one back "
                             "there and restart the daemon");
        }
        if (!check) {
            audit_.write([&found](Transaction& transaction, AuditLog::Entries&) {
                SecretTable::setCheck(transaction, found.key.makeCheck());
            });
        }
        key_.emplace(std::move(found.key));
        source_ = found.source;
        log_.info("the secret store is open", {{"master_key", placeOf(source_)}});
    } catch (const KeyProblem& problem) {
        setTrouble(std::string("the secret store is sealed: ") + problem.what());
        log_.error("the secret store is sealed", {{"reason", problem.what()}});
    }
}

Vault::FoundKey Vault::findKey(const std::optional<KeyCheck>& check) {
    // Taken in any case: it must not stay in the environment.
    const std::optional<SecretText> environment = takeEnvironmentKey();
    if (auto key = systemdKey()) {
        return {*std::move(key), Source::systemd};
    }
    if (auto key = keyInFile(check)) {
        return {*std::move(key), Source::file};
    }
    if (environment) {
        return {environmentKey(*environment), Source::environment};
    }
    if (check) {
        throw KeyProblem(
            "there is no master key, and the stored secrets are encrypted with one: put it back into " +
            keyFile_.path() +
            " (mode 0600), or hand it over as the systemd credential sallyport-master-key or in the "
            "environment variable SALLYPORT_MASTER_KEY, and restart the daemon");
    }
    return {generateKey(), Source::file};
}

/// If the daemon died while the key was being changed, there are two: the one that fits counts.
std::optional<MasterKey> Vault::keyInFile(const std::optional<KeyCheck>& check) {
    std::optional<MasterKey> present = keyFile_.read();
    if (!check) {
        return present;
    }
    if (present && present->matches(*check)) {
        keyFile_.removeNext();
        return present;
    }
    std::optional<MasterKey> next = keyFile_.readNext();
    if (next && next->matches(*check)) {
        promoteNext();
        return next;
    }
    return present;
}

MasterKey Vault::generateKey() {
    MasterKey key = MasterKey::generated();
    keyFile_.writeNext(key);
    keyFile_.promoteNext();
    log_.info("a master key was generated; keep a copy of it in a safe place", {{"file", keyFile_.path()}});
    return key;
}

std::string Vault::placeOf(Source source) const {
    switch (source) {
        case Source::systemd:
            return "the systemd credential sallyport-master-key";
        case Source::environment:
            return "the environment variable SALLYPORT_MASTER_KEY";
        case Source::file:
            break;
    }
    return keyFile_.path();
}

void Vault::requireKey() const {
    if (!key_) {
        throw refusedSecret(refusal::sealed);
    }
}

std::optional<std::string> Vault::trouble() const {
    const std::lock_guard lock(troubleMutex_);
    return trouble_;
}

void Vault::setTrouble(std::optional<std::string> sentence) {
    const std::lock_guard lock(troubleMutex_);
    trouble_ = std::move(sentence);
}

bool Vault::put(const SecretInfo& info, const SecretText& value, const Requester& by) {
    const std::shared_lock lock(keyMutex_);
    requireKey();
    const EncryptedSecret encrypted = key_->encrypt(value);
    bool created = false;
    audit_.write([&](Transaction& transaction, AuditLog::Entries& entries) {
        created = SecretTable::put(transaction, info, encrypted);
        AuditEntry entry{by, created ? audit::create : audit::change};
        entry.user = info.user;
        entry.secret = info.name;
        entries.push_back(std::move(entry));
    });
    return created;
}

/// Decrypts one secret, if that can be done.
Vault::Opened Vault::open(Transaction& transaction, const std::string& user, const std::string& name,
                          Timestamp at) const {
    if (!key_) {
        return {.value = {}, .problem = refusal::sealed};
    }
    const auto stored = SecretTable::find(transaction, user, name);
    if (const char* const problem = refusalOf(stored, at)) {
        return {.value = {}, .problem = problem};
    }
    try {
        return {.id = stored->id, .value = key_->decrypt(stored->encrypted)};
    } catch (const DecryptionFailed&) {
        return {.value = {}, .problem = refusal::damaged};
    }
}

std::vector<Delivered> Vault::deliver(const JobId& job, const Requester& by) {
    const std::shared_lock lock(keyMutex_);
    std::vector<Delivered> delivered;
    AuditLog::Entries denials;
    audit_.write([&](Transaction& transaction, AuditLog::Entries& entries) {
        delivered.clear();
        denials.clear();
        std::vector<std::int64_t> used;
        const Timestamp at = now();
        const JobGrants granted = GrantTable::inForce(transaction, job);
        for (const Grant& grant : granted.grants) {
            Opened opened = open(transaction, granted.user, grant.secretName, at);
            AuditEntry entry{by, audit::deliver};
            entry.user = granted.user;
            entry.job = job;
            entry.secret = grant.secretName;
            entry.variable = grant.envVar;
            if (opened.problem == nullptr) {
                used.push_back(opened.id);
                delivered.push_back({grant.envVar, std::move(opened.value)});
                entries.push_back(std::move(entry));
            } else {
                entry.outcome = audit::denied;
                entry.reason = opened.problem;
                denials.push_back(std::move(entry));
            }
        }
        if (!denials.empty()) {
            entries = denials;  // all or nothing: what could be had is not given either
            return;
        }
        for (const std::int64_t id : used) {
            SecretTable::countUse(transaction, id, at);
        }
    });
    refuseIfDenied(denials);
    return delivered;
}

void Vault::refuseIfDenied(const AuditLog::Entries& denials) const {
    if (denials.empty()) {
        return;
    }
    for (const AuditEntry& denial : denials) {
        log_.error("a secret that was granted could not be delivered", {{"job", denial.job->str()},
                                                                        {"secret", denial.secret},
                                                                        {"reason", denial.reason},
                                                                        {"request", denial.by.requestId}});
    }
    if (!key_) {
        throw refusedSecret(refusal::sealed);
    }
    throw RequestError(500, "secret_unavailable", "a secret that was granted to this job cannot be had");
}

SecretText Vault::reveal(const std::string& user, const std::string& name, const Requester& by) {
    const std::shared_lock lock(keyMutex_);
    Opened opened;
    audit_.write([&](Transaction& transaction, AuditLog::Entries& entries) {
        const Timestamp at = now();
        opened = open(transaction, user, name, at);
        AuditEntry entry{by, audit::reveal};
        entry.user = user;
        entry.secret = name;
        if (opened.problem == nullptr) {
            SecretTable::countUse(transaction, opened.id, at);
        } else {
            entry.outcome = audit::denied;
            entry.reason = opened.problem;
        }
        entries.push_back(std::move(entry));
    });
    if (opened.problem != nullptr) {
        throw refusedSecret(opened.problem);
    }
    return std::move(opened.value);
}

std::size_t Vault::rekey(const Requester& by) {
    const std::unique_lock lock(keyMutex_);
    requireChangeableKey();
    // A transaction of its own, durable before the file is touched: should an earlier change have failed
    // on its way to the disk, this settles that it did not happen, and that its key is of no use.
    AuditEntry begun{by, audit::rekey};
    begun.outcome = audit::begun;
    audit_.write(begun);
    MasterKey fresh = MasterKey::generated();
    try {
        keyFile_.writeNext(fresh);
    } catch (const KeyProblem& problem) {
        log_.error("a new master key could not be written; the old one stays", {{"reason", problem.what()}});
        throw unavailable("key_file_unwritable",
                          "the new master key cannot be written to disk; nothing has changed");
    }
    // From here on there are two files, and the check in the database says which one counts. If the
    // transaction fails the new one is left: a commit that failed may yet turn out to be on the disk.
    std::size_t count = 0;
    audit_.write([&](Transaction& transaction, AuditLog::Entries& entries) {
        count = reencryptAll(transaction, fresh);
        SecretTable::setCheck(transaction, fresh.makeCheck());
        entries.push_back({by, audit::rekey});
    });
    key_ = std::move(fresh);
    promoteNext();
    log_.info("all secrets were encrypted anew under a new master key",
              {{"secrets", count}, {"file", keyFile_.path()}, {"request", by.requestId}});
    return count;
}

void Vault::requireChangeableKey() {
    requireKey();
    if (source_ != Source::file) {
        throw conflict("key_not_in_file",
                       "the master key comes from " + placeOf(source_) +
                           ", which the daemon cannot change: put the same key into the file that "
                           "credentials.master_key_file names (mode 0600), take it out of there, restart the "
                           "daemon, and do this again");
    }
    if (nextIsPresent_) {
        // Otherwise the key that is in force would be overwritten by the one after it.
        promoteNext();
        if (nextIsPresent_) {
            throw unavailable("key_file_unwritable",
                              "the last change of the master key is not complete, because its file cannot be "
                              "replaced; the daemon's log says why");
        }
    }
}

std::size_t Vault::reencryptAll(Transaction& transaction, const MasterKey& fresh) const {
    constexpr std::size_t page = 100;
    std::size_t count = 0;
    std::int64_t last = 0;
    for (;;) {
        const std::vector<StoredSecret> secrets = SecretTable::next(transaction, last, page);
        for (const StoredSecret& secret : secrets) {
            try {
                SecretTable::reencrypt(transaction, secret.id,
                                       fresh.encrypt(key_->decrypt(secret.encrypted)));
            } catch (const DecryptionFailed&) {
                throw conflict("secret_damaged", "the secret " + secret.info.name + " of user " +
                                                     secret.info.user +
                                                     " cannot be decrypted: set it anew or delete it, and do "
                                                     "this again; nothing has changed");
            }
            last = secret.id;
            ++count;
        }
        if (secrets.size() < page) {
            return count;
        }
    }
}

/// What the next key is now, it stays, whether its file can be renamed or not.
void Vault::promoteNext() {
    try {
        keyFile_.promoteNext();
        nextIsPresent_ = false;
        setTrouble(std::nullopt);
    } catch (const KeyProblem& problem) {
        nextIsPresent_ = true;
        setTrouble("the master key in force is in " + keyFile_.nextPath() + ": " + problem.what());
        log_.error("the master key in force could not be moved to its place",
                   {{"file", keyFile_.nextPath()}, {"reason", problem.what()}});
    }
}

}  // namespace sallyport::plugins
