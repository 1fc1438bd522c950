// Credentials: secrets that operators store, and that workers get by a grant.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/ext/metrics.h>
#include <sallyport/plugin.h>
#include <sallyport/retention.h>
#include <sallyport/secrets.h>

#include "allowed_secrets.h"
#include "audit_log.h"
#include "grant_service.h"
#include "grant_table.h"
#include "rate_limit.h"
#include "secret_table.h"
#include "self_examination.h"
#include "vault.h"

namespace sallyport::plugins {

inline constexpr Setting credentialsSettings[] = {
    {"master_key_file", SettingKind::text, "",
     "File with the master key, made at the first start; empty: credentials.key in data.dir"},
    {"max_size", SettingKind::size, "64KiB", "Largest value of a secret; a larger one is refused with 413", 1,
     std::int64_t{1024} * 1024},
    {"rate", SettingKind::integer, "10",
     "Times in a minute that a job may ask for its credentials; beyond it each answer is delayed, up to 10 s",
     1, 1'000'000},
    {"refused_variables", SettingKind::list,
     "BASH_ENV, BASH_FUNC_*, CDPATH, CLASSPATH, DYLD_*, ENV, GCONV_PATH, GIT_ASKPASS, GIT_CONFIG*, "
     "GIT_EDITOR, GIT_EXEC_PATH, GIT_EXTERNAL_DIFF, GIT_PAGER, GIT_PROXY_COMMAND, GIT_SSH, GIT_SSH_COMMAND, "
     "GLIBC_TUNABLES, HOME, IFS, JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS, LD_*, LOCPATH, MALLOC_*, NODE_OPTIONS, "
     "NODE_PATH, PATH, PERL5DB, PERL5LIB, PERL5OPT, PERLLIB, PROMPT_COMMAND, PS4, PYTHONHOME, PYTHONPATH, "
     "PYTHONSTARTUP, RUBYLIB, RUBYOPT, SALLYPORT_*, SHELL, SHELLOPTS, SSH_ASKPASS, TMPDIR, _JAVA_OPTIONS",
     "Environment variables that no secret may be put into; a * at the end stands for anything"},
    {"plugin.*.secrets", SettingKind::list, "",
     "The only secrets that the plugin of that name may see; not set: all"},
};

/// Workers: `GET /credentials`. Operators: `/secrets`, `PUT /jobs/{job_id}/credentials`, `POST /vault/rekey`,
/// `/audit`. Other plugins: the services `Grants` and `SecretVault`.
///
/// Without the right master key the plugin runs all the same and the vault is sealed: grants and names can be
/// seen, no value goes in or out, and `trouble()` says what to do.
class CredentialsPlugin final : public Plugin {
public:
    void start(Host& host) override;
    [[nodiscard]] std::optional<std::string> trouble() const override;
    void examine(Examination& examination) override;

private:
    class VaultService;
    class ExaminedVault;

    using Answer = Reply (CredentialsPlugin::*)(const Call&);

    void openTables();
    Reply auditingDenial(const char* action, Answer answer, const Call& call);
    void addRoutes(Routes& routes);

    Reply deliver(const Call& call);
    void deliverLater(const JobId& job, const Requester& by, const Promise& promise);
    Reply deliverNow(const JobId& job, const Requester& by);
    Reply putSecret(const Call& call);
    Reply showSecret(const Call& call);
    Reply deleteSecret(const Call& call);
    Reply listSecrets(const Call& call);
    Reply setGrants(const Call& call);
    Reply rekey(const Call& call);
    Reply listAudit(const Call& call);
    Reply verifyAudit(const Call& call);
    void finished(const JobId& job);

    Host* host_ = nullptr;
    std::size_t maxSize_ = 0;
    std::optional<RateLimit> rate_;
    std::optional<AuditLog> audit_;
    std::optional<SecretTable> secrets_;
    std::optional<GrantTable> grants_;
    std::optional<Retention> retention_;
    std::optional<Vault> vault_;
    std::optional<GrantService> grantService_;
    Counter* delivered_ = nullptr;
    std::atomic<bool> revocationFailed_{false};
    std::optional<SelfExamination> examined_;  ///< of one that is not started
};

}  // namespace sallyport::plugins
