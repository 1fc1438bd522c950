// One line of the audit trail.
#pragma once

#include <optional>
#include <string>

#include <sallyport/call.h>
#include <sallyport/job_id.h>

namespace sallyport::plugins {

/// Who asked for something, as the audit trail calls it.
struct Requester {
    std::string actor;      ///< `operator:<user>`, `worker`, `plugin:<name>` or `daemon`
    std::string requestId;  ///< empty when it was no request of a client

    [[nodiscard]] static Requester of(const Call& call) {
        const Caller& caller = call.caller();
        return {caller.realm() == Realm::worker ? "worker" : "operator:" + caller.user(), call.requestId()};
    }
};

namespace audit {
inline constexpr const char* deliver = "deliver";  ///< to a worker
inline constexpr const char* reveal = "reveal";    ///< to a plugin
inline constexpr const char* create = "create";
inline constexpr const char* change = "change";
inline constexpr const char* remove = "delete";
inline constexpr const char* show = "show";  ///< denied; what is allowed is not recorded
inline constexpr const char* list = "list";  ///< likewise
inline constexpr const char* grant = "grant";
inline constexpr const char* revoke = "revoke";
inline constexpr const char* rekey = "rekey";
inline constexpr const char* restore = "restore";  ///< of the database, which may have set the trail back

inline constexpr const char* ok = "ok";
inline constexpr const char* denied = "denied";
inline constexpr const char* begun = "begun";

inline constexpr const char* noteMissing = "note_missing";
}  // namespace audit

/// What happened to a secret. Never its value. Empty stands for: does not apply.
struct AuditEntry {
    Requester by;
    std::string action;
    std::string outcome = audit::ok;
    std::string reason{};  ///< a word that says why
    std::string user{};    ///< whose secret
    std::optional<JobId> job{};
    std::string secret{};    ///< its name
    std::string variable{};  ///< the environment variable
};

}  // namespace sallyport::plugins
