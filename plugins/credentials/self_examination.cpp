#include "self_examination.h"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include <sallyport/errors.h>
#include <sallyport/timestamp.h>

#include "audit_log.h"
#include "secret_refusal.h"
#include "secret_table.h"

namespace sallyport::plugins {

namespace {

constexpr const char* ofKeys = "keys";
constexpr const char* ofTrail = "audit";
constexpr std::size_t secretsAtOnce = 100;
constexpr std::size_t namedAtMost = 3;

using Presence = Examination::Given::Presence;

std::string listOf(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < namedAtMost; ++i) {
        text += (i == 0 ? "" : ", ") + names[i];
    }
    return text + (names.size() > namedAtMost ? ", …" : "");
}

}  // namespace

class SelfExamination::Snapshot final : public Transaction {
public:
    explicit Snapshot(Examination& examination) : examination_(examination) {}

    std::size_t execute(std::string_view /*sql*/, const std::vector<SqlValue>& /*values*/) override {
        throw std::logic_error("an examination changes nothing");
    }
    std::int64_t insert(std::string_view /*sql*/, const std::vector<SqlValue>& /*values*/) override {
        throw std::logic_error("an examination changes nothing");
    }
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values) override {
        return examination_.query(sql, values);
    }

private:
    Examination& examination_;
};

SelfExamination::SelfExamination(Examination& examination, KeyFile keyFile, std::string anchorFile)
    : examination_(examination), keyFile_(std::move(keyFile)), anchor_(std::move(anchorFile)) {}

void SelfExamination::run() {
    // Others see nothing of it.
    if (!examination_.hasDaemonsRights()) {
        return;
    }
    switch (examination_.scope()) {
        case Examination::Scope::configuration:
            break;
        case Examination::Scope::restored:
            examineKey();
            break;
        case Examination::Scope::everything:
            examineTrail();
            examineKey();
            examineSecrets();
            break;
    }
}

std::optional<KeyCheck> SelfExamination::keyCheck() {
    if (!examination_.hasTable("secrets_key_check")) {
        return std::nullopt;
    }
    Snapshot snapshot(examination_);
    return SecretTable::check(snapshot);
}

void SelfExamination::examineKey() {
    KeyFinding finding = judge(keyCheck());
    const auto running = examination_.running();
    if (!running) {
        examination_.add({ofKeys, finding.verdict, finding.sentence});
    } else if (running->trouble) {
        examination_.fail(ofKeys, "credentials: " + *running->trouble);
    } else {
        // It may have it from where only it can see.
        examination_.ok(ofKeys, "the daemon has the master key");
        try {
            static_cast<void>(keyFile_.read());
        } catch (const KeyProblem& problem) {
            examination_.fail(ofKeys, problem.what());
        }
    }
    key_ = std::move(finding.key);
}

SelfExamination::KeyFinding SelfExamination::judge(const std::optional<KeyCheck>& check) {
    KeyFinding finding{Verdict::failed, {}};
    try {
        auto place = findKey(check);
        if (!place && !check) {
            return {Verdict::ok,
                    "there is no master key yet; the first start makes one in " + keyFile_.path()};
        }
        if (!place) {
            finding.sentence =
                "there is no master key, and the secrets are encrypted with one: put it back into " +
                keyFile_.path() + " (mode 0600), or hand it over as the systemd credential " + credentialName;
        } else if (!check) {
            return {Verdict::ok, "the master key in " + place->name + " will be used"};
        } else if (place->key.matches(*check)) {
            return {Verdict::ok, "the master key in " + place->name + " is the right one",
                    std::move(place->key)};
        } else {
            finding.sentence = "the master key in " + place->name +
                               " is not the one that the secrets were encrypted with: put that one there";
        }
    } catch (const KeyProblem& problem) {
        finding.sentence = problem.what();
    }
    if (examination_.credential(credentialName).presence == Presence::unseen) {
        finding.verdict = Verdict::warning;
        finding.sentence += "; systemd may hand over the right one, which shows when the daemon runs";
    }
    return finding;
}

/// In the order in which the daemon looks for it.
std::optional<SelfExamination::Place> SelfExamination::findKey(const std::optional<KeyCheck>& check) {
    if (const auto given = examination_.credential(credentialName); given.value) {
        const std::string place = std::string("the systemd credential ") + credentialName;
        return Place{place, handedOverKey(*given.value, place)};
    }
    if (auto place = keyInFile(check)) {
        return place;
    }
    if (const auto given = examination_.variable(variableName); given.value && !given.value->empty()) {
        return Place{std::string("the environment variable ") + variableName, environmentKey(*given.value)};
    }
    return std::nullopt;
}

/// While the key is being changed there are two files, and the daemon takes the one that fits.
std::optional<SelfExamination::Place> SelfExamination::keyInFile(const std::optional<KeyCheck>& check) const {
    auto present = keyFile_.read();
    if (check && !(present && present->matches(*check))) {
        if (auto next = keyFile_.readNext(); next && next->matches(*check)) {
            return Place{keyFile_.nextPath(), *std::move(next)};
        }
    }
    return present ? std::optional(Place{keyFile_.path(), *std::move(present)}) : std::nullopt;
}

void SelfExamination::examineSecrets() {
    if (!key_ || !examination_.hasTable("secrets")) {
        return;
    }
    Snapshot snapshot(examination_);
    std::vector<std::string> damaged;
    std::size_t all = 0;
    std::int64_t last = 0;
    for (auto secrets = SecretTable::next(snapshot, last, secretsAtOnce); !secrets.empty();
         secrets = SecretTable::next(snapshot, last, secretsAtOnce)) {
        for (const StoredSecret& secret : secrets) {
            last = secret.id;
            ++all;
            try {
                static_cast<void>(key_->decrypt(secret.encrypted));
            } catch (const DecryptionFailed&) {
                damaged.push_back(secret.info.name + " of user " + secret.info.user);
            }
        }
    }
    if (!damaged.empty()) {
        examination_.fail(ofKeys, std::to_string(damaged.size()) + " of " + std::to_string(all) +
                                      " secrets cannot be decrypted (" + listOf(damaged) +
                                      "): set them anew (sallyport secret set) or delete them");
    } else if (all > 0) {
        examination_.ok(ofKeys, "all " + std::to_string(all) + " secrets can be decrypted");
    }
}

void SelfExamination::examineTrail() {
    const AuditLog::Noted noted = AuditLog::readNote(anchor_);
    if (!examination_.hasTable("audit_log_head")) {
        return;
    }
    Snapshot snapshot(examination_);
    const auto disagreement = AuditLog::disagreement(noted, snapshot);
    if (!disagreement) {
        examination_.ok(ofTrail, "the audit trail ends where it was noted");
    } else if (disagreement->noteMissing) {
        examination_.warn(ofTrail,
                          anchor_.file() +
                              " is missing, which tells how far the audit trail goes: after a restore "
                              "the next start makes it anew and records that; if nothing was "
                              "restored, find out who removed it");
    } else {
        examination_.fail(ofTrail, "the audit trail is not as it was left: " + disagreement->sentence +
                                       "; see sallyport audit verify");
    }
}

SecretText SelfExamination::reveal(const std::string& user, const std::string& name) {
    if (!examination_.hasTable("secrets")) {
        throw refusedSecret(refusal::missing);
    }
    Snapshot snapshot(examination_);
    const auto stored = SecretTable::find(snapshot, user, name);
    if (const char* const problem = refusalOf(stored, now())) {
        throw refusedSecret(problem);
    }
    if (!key_) {
        throw refusedSecret(refusal::sealed);
    }
    try {
        return key_->decrypt(stored->encrypted);
    } catch (const DecryptionFailed&) {
        throw refusedSecret(refusal::damaged);
    }
}

}  // namespace sallyport::plugins
