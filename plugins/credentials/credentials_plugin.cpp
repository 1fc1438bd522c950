#include "credentials_plugin.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <sallyport/error_text.h>
#include <sallyport/errors.h>
#include <sallyport/json_writer.h>

#include "grant_participant.h"
#include "grant_rules.h"
#include "secret_request.h"

namespace sallyport::plugins {

namespace {

constexpr std::int64_t maxPage = 200;
constexpr std::int64_t defaultPage = 50;

KeyFile keyFileIn(const Settings& settings, const std::string& dataDirectory) {
    const std::string path = settings.text("master_key_file");
    return KeyFile(path.empty() ? dataDirectory + "/credentials.key" : path);
}

std::string anchorFileIn(const std::string& dataDirectory) {
    return dataDirectory + "/credentials.audit-head";
}

/// The answer to a worker. It goes to the host, which wipes it once it is sent.
std::string deliveredJson(const std::vector<Delivered>& delivered) {
    std::size_t size = 2;
    for (const Delivered& secret : delivered) {
        size += json::quotedSize(secret.value.reveal()) + secret.variable.size() + 32;
    }
    std::string text;
    text.reserve(size);  // growing it would leave copies behind
    json::Writer writer(text);
    writer.beginArray();
    for (const Delivered& secret : delivered) {
        writer.beginObject().member("env_var", secret.variable);
        writer.member("value", secret.value.reveal()).endObject();
    }
    writer.endArray();
    return text;
}

/// Before which entry a page of the audit trail begins.
std::int64_t auditCursor(const Call& call) {
    const auto text = call.query("cursor");
    if (!text) {
        return std::numeric_limits<std::int64_t>::max();
    }
    std::int64_t number = 0;
    const char* const end = text->data() + text->size();
    const auto [stop, problem] = std::from_chars(text->data(), end, number);
    if (problem != std::errc() || stop != end || number < 1) {
        throw badRequest("the cursor is not one that this list gave");
    }
    return number;
}

}  // namespace

/// The vault, as other plugins see it.
class CredentialsPlugin::VaultService final : public SecretVault {
public:
    VaultService(Vault& vault, AuditLog& audit, AllowedSecrets allowed)
        : vault_(vault), audit_(audit), allowed_(std::move(allowed)) {}

    [[nodiscard]] SecretText reveal(std::string_view plugin, const std::string& user,
                                    const std::string& name) override {
        const Requester by{"plugin:" + std::string(plugin), {}};
        const std::string secret = normalisedName(name, "name");
        try {
            allowed_.require(plugin, secret);
        } catch (const RequestError&) {
            AuditEntry entry{by, audit::reveal, audit::denied, "not_allowed", user};
            entry.secret = secret;
            audit_.write(entry);
            throw;
        }
        return vault_.reveal(user, secret, by);
    }

private:
    Vault& vault_;
    AuditLog& audit_;
    const AllowedSecrets allowed_;
};

/// The same where the vault is only looked at.
class CredentialsPlugin::ExaminedVault final : public SecretVault {
public:
    ExaminedVault(SelfExamination& examined, AllowedSecrets allowed)
        : examined_(examined), allowed_(std::move(allowed)) {}

    [[nodiscard]] SecretText reveal(std::string_view plugin, const std::string& user,
                                    const std::string& name) override {
        const std::string secret = normalisedName(name, "name");
        allowed_.require(plugin, secret);
        return examined_.reveal(user, secret);
    }

private:
    SelfExamination& examined_;
    const AllowedSecrets allowed_;
};

void CredentialsPlugin::start(Host& host) {
    host_ = &host;
    maxSize_ = host.settings().size("max_size");
    rate_.emplace(host.settings().integer("rate"));
    delivered_ = &host.require<Metrics>().counter("delivered_total", "Secrets that workers were given");
    openTables();
    vault_->unseal();
    host.bus().subscribe<JobFinished>([this](const JobFinished& message) { finished(message.job); });
    grantService_->revokeLeftovers();
    retention_.emplace(host, *grants_, Retention::Options{.line = "grants of deleted jobs were deleted"});
    host.require<JobLifecycle>().participate({GrantParticipant::member},
                                             std::make_shared<GrantParticipant>(*grantService_, *audit_));
    host.provide<SecretVault>(
        std::make_shared<VaultService>(*vault_, *audit_, AllowedSecrets(host.settings())));
    addRoutes(host.routes());
}

void CredentialsPlugin::openTables() {
    Store& store = host_->store();
    audit_.emplace(store, anchorFileIn(host_->dataDirectory()), host_->log());
    secrets_.emplace(store);
    grants_.emplace(store);
    vault_.emplace(*secrets_, *audit_, keyFileIn(host_->settings(), host_->dataDirectory()), host_->log());
    grantService_.emplace(*grants_, *secrets_, *audit_,
                          VariableRules(host_->settings().list("refused_variables")), host_->jobs());
}

void CredentialsPlugin::addRoutes(Routes& routes) {
    // A HEAD would count as a delivery, and deliver nothing.
    routes.worker("GET", "/credentials", [this](const Call& call) { return deliver(call); },
                  {.head = false, .secret = true});
    const auto auditing = [this](const char* action, Answer answer) {
        return [this, action, answer](const Call& call) { return auditingDenial(action, answer, call); };
    };
    routes.operators("PUT", "/secrets/{name}", auditing(audit::change, &CredentialsPlugin::putSecret),
                     {.permission = permission::secretsWrite, .secret = true});
    const RouteOptions readingSecrets{.permission = permission::secretsRead};
    routes.operators("GET", "/secrets/{name}", auditing(audit::show, &CredentialsPlugin::showSecret),
                     readingSecrets);
    routes.operators("DELETE", "/secrets/{name}", auditing(audit::remove, &CredentialsPlugin::deleteSecret),
                     {.permission = permission::secretsWrite});
    routes.operators("GET", "/secrets", auditing(audit::list, &CredentialsPlugin::listSecrets),
                     readingSecrets);
    // As when the job is created with them.
    routes.operators("PUT", "/jobs/{job_id}/credentials",
                     [this](const Call& call) { return setGrants(call); },
                     {.permission = permission::jobsWrite});
    routes.operators("POST", "/vault/rekey", [this](const Call& call) { return rekey(call); },
                     {.body = Body::none, .permission = permission::secretsRekey});
    const RouteOptions readingAudit{.permission = permission::auditRead};
    routes.operators(
        "GET", "/audit", [this](const Call& call) { return listAudit(call); }, readingAudit);
    routes.operators(
        "GET", "/audit/verify", [this](const Call& call) { return verifyAudit(call); }, readingAudit);
}

std::optional<std::string> CredentialsPlugin::trouble() const {
    if (auto trouble = vault_->trouble()) {
        return trouble;
    }
    if (revocationFailed_) {
        return "the grants of a job that is over could not be revoked in the database; its token is, and the "
               "next start revokes them";
    }
    return audit_->trouble();
}

void CredentialsPlugin::examine(Examination& examination) {
    std::optional<AllowedSecrets> allowed;
    try {
        allowed.emplace(examination.settings());
    } catch (const RequestError& wrong) {
        examination.fail("configuration",
                         std::string(wrong.what()) + "; the plugin credentials does not start with that");
        return;
    }
    const std::string directory = examination.dataDirectory();
    examined_.emplace(examination, keyFileIn(examination.settings(), directory), anchorFileIn(directory));
    examined_->run();
    examination.provide<SecretVault>(std::make_shared<ExaminedVault>(*examined_, *std::move(allowed)));
}

/// An operator who reaches for the secrets of another user is recorded.
Reply CredentialsPlugin::auditingDenial(const char* action, Answer answer, const Call& call) {
    try {
        return (this->*answer)(call);
    } catch (const OtherUser& denied) {
        AuditEntry entry{Requester::of(call), action, audit::denied, "other_user", denied.user()};
        const std::string_view name = call.param("name");
        entry.secret = name.empty() ? "" : normalisedName(name, "name");
        audit_->write(entry);
        throw;
    }
}

/// A worker that is refused them may not try again, so that one over its rate is slowed.
Reply CredentialsPlugin::deliver(const Call& call) {
    const JobId job = call.caller().job();
    const Requester by = Requester::of(call);
    const auto wait = rate_->take(job, std::chrono::steady_clock::now());
    if (wait.count() == 0) {
        return deliverNow(job, by);
    }
    // Nobody wakes it: its time comes.
    return Reply::waitFor(
        "credentials/rate", wait, [] { return std::optional<Reply>(); },
        Reply::deferred([this, job, by](const Promise& promise) { deliverLater(job, by, promise); }));
}

/// Not on the connection's thread, because it reads the database.
void CredentialsPlugin::deliverLater(const JobId& job, const Requester& by, const Promise& promise) {
    const bool taken = host_->run([this, job, by, promise] {
        try {
            promise.fulfil(deliverNow(job, by));
        } catch (const RequestError& refusal) {
            promise.fulfil(Reply::error(refusal));
        }
        // Anything else goes on to the host, which logs it; the promise, unused, becomes a 500.
    });
    if (!taken) {
        RequestError busy = unavailable("overloaded", "too many requests are waiting");
        promise.fulfil(Reply::error(busy.retryAfter(std::chrono::seconds(1))));
    }
}

Reply CredentialsPlugin::deliverNow(const JobId& job, const Requester& by) {
    if (!grants_->hasInForce(job)) {
        return Reply::empty(204);
    }
    const std::vector<Delivered> delivered = vault_->deliver(job, by);
    if (delivered.empty()) {
        return Reply::empty(204);
    }
    delivered_->add(delivered.size());
    host_->log().info("credentials were delivered",
                      {{"job", job.str()}, {"secrets", delivered.size()}, {"request", by.requestId}});
    return Reply::jsonText(200, deliveredJson(delivered));
}

Reply CredentialsPlugin::putSecret(const Call& call) {
    const SecretRequest request = readSecretRequest(call, maxSize_);
    const bool created = vault_->put(request.info, request.value, Requester::of(call));
    const auto stored = secrets_->info(request.info.user, request.info.name);
    return Reply::json(created ? 201 : 200,
                       [&](json::Writer& answer) { addSecret(answer, stored.value_or(request.info)); });
}

Reply CredentialsPlugin::showSecret(const Call& call) {
    const auto info = secrets_->info(secretsOwner(call), normalisedName(call.param("name"), "name"));
    if (!info) {
        throw notFound("there is no such secret");
    }
    return Reply::json(200, [&info](json::Writer& answer) { addSecret(answer, *info); });
}

Reply CredentialsPlugin::deleteSecret(const Call& call) {
    const std::string user = secretsOwner(call);
    const std::string name = normalisedName(call.param("name"), "name");
    bool found = false;
    audit_->write([&](Transaction& transaction, AuditLog::Entries& entries) {
        found = SecretTable::remove(transaction, user, name);
        if (found) {
            AuditEntry entry{Requester::of(call), audit::remove, audit::ok, {}, user};
            entry.secret = name;
            entries.push_back(std::move(entry));
        }
    });
    if (!found) {
        throw notFound("there is no such secret");
    }
    return Reply::json(200, [&](json::Writer& answer) {
        answer.member("status", "deleted").member("name", name).member("user_id", user);
    });
}

Reply CredentialsPlugin::listSecrets(const Call& call) {
    const std::string user = secretsOwner(call);
    const auto limit = static_cast<std::size_t>(call.queryInteger("limit", 1, maxPage, defaultPage));
    // One more than asked for tells whether there are more.
    std::vector<SecretInfo> page = secrets_->list(user, call.query("cursor").value_or(""), limit + 1);
    const bool more = page.size() > limit;
    page.resize(std::min(page.size(), limit));
    return Reply::json(200, [&](json::Writer& answer) {
        answer.key("secrets").beginArray();
        for (const SecretInfo& info : page) {
            addSecret(answer.beginObject(), info);
            answer.endObject();
        }
        answer.endArray();
        if (more) {
            answer.member("next_cursor", page.back().name);
        }
    });
}

Reply CredentialsPlugin::setGrants(const Call& call) {
    const JobId id = call.jobId();
    const auto job = host_->jobs().find(id);
    if (!job || !call.caller().mayAccess(job->user)) {
        throw notFound("there is no such job");
    }
    const json::Object body = call.json();
    const std::vector<Grant> grants = readGrants(body.required(GrantParticipant::member));
    if (isOver(job->state)) {
        throw conflict("job_over", "the job has ended and takes no credentials");
    }
    grantService_->set(id, job->user, grants, call);
    return Reply::json(200, [&](json::Writer& answer) {
        answer.member("job_id", id.str());
        answer.rawMember(GrantParticipant::member, grantsJson(grantService_->list(id)));
    });
}

Reply CredentialsPlugin::rekey(const Call& call) {
    const std::size_t count = vault_->rekey(Requester::of(call));
    return Reply::json(
        200, [count](json::Writer& answer) { answer.member("status", "rekeyed").member("secrets", count); });
}

Reply CredentialsPlugin::listAudit(const Call& call) {
    AuditQuery query;
    query.before = auditCursor(call);
    query.limit = static_cast<std::size_t>(call.queryInteger("limit", 1, maxPage, defaultPage)) + 1;
    query.user = call.query("user_id");
    query.secret = call.query("secret_name");
    if (const auto text = call.query("job_id")) {
        query.job = JobId::parse(*text);
        if (!query.job) {
            throw badRequest("query parameter 'job_id' is not a UUID");
        }
    }
    std::vector<StoredAuditEntry> page = audit_->list(query);
    const bool more = page.size() == query.limit;
    page.resize(std::min(page.size(), query.limit - 1));
    return Reply::json(200, [&](json::Writer& answer) {
        answer.key("entries").beginArray();
        for (const StoredAuditEntry& entry : page) {
            addAuditEntry(answer.beginObject(), entry);
            answer.endObject();
        }
        answer.endArray();
        if (more) {
            answer.member("next_cursor", std::to_string(page.back().number));
        }
    });
}

Reply CredentialsPlugin::verifyAudit(const Call& /*call*/) {
    const AuditVerdict verdict = audit_->verify();
    const bool whole = verdict.problem.empty();
    return Reply::json(200, [&](json::Writer& answer) {
        answer.member("ok", whole).member("entries", verdict.head.entries);
        answer.member("hash", hex(verdict.head.hash));
        answer.member("problem", whole ? std::nullopt : std::optional(verdict.problem));
    });
}

/// On the store's thread.
void CredentialsPlugin::finished(const JobId& job) {
    rate_->forget(job);
    const auto done = [this](const std::exception_ptr& problem) {
        revocationFailed_ = problem != nullptr;
        if (problem) {
            host_->log().error("the grants of a job that is over could not be revoked",
                               {{"reason", errorText(problem)}});
        }
    };
    try {
        grantService_->revoke(job, done);
    } catch (const StoreError&) {
        done(std::current_exception());
    }
}

}  // namespace sallyport::plugins
