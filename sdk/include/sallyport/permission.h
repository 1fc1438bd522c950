// What operators may do, by name.
#pragma once

#include <string_view>

/// Sallyport's own permissions, as RouteOptions::permission and Caller::may take them. Which role has which
/// is told in docs/api.md. A plugin has permissions of its own besides, `NAME.verb` with its own name before
/// the dot; the verb says who has them:
///
/// | verb | roles |
/// | --- | --- |
/// | `read` | `viewer`, `user`, `admin` and `auditor` |
/// | `admin` | `admin` |
/// | any other, `[a-z][a-z0-9_]*` | `user` and `admin` |
namespace sallyport::permission {

inline constexpr std::string_view jobsRead = "jobs.read";    ///< see jobs and their limits
inline constexpr std::string_view jobsWrite = "jobs.write";  ///< create, steer and end jobs, grant secrets
inline constexpr std::string_view jobsRelease = "jobs.release";    ///< end a job's quarantine
inline constexpr std::string_view limitsRaise = "limits.raise";    ///< set a job's limits above the defaults
inline constexpr std::string_view eventsRead = "events.read";      ///< read what jobs report, and follow it
inline constexpr std::string_view promptsWrite = "prompts.write";  ///< prompt jobs
inline constexpr std::string_view runsLease = "runs.lease";  ///< take runs of jobs, to be run in sandboxes
inline constexpr std::string_view secretsRead = "secrets.read";    ///< see which there are, not their values
inline constexpr std::string_view secretsWrite = "secrets.write";  ///< store and delete secrets
inline constexpr std::string_view secretsRekey = "secrets.rekey";  ///< encrypt all under a new master key
inline constexpr std::string_view usageRead = "usage.read";        ///< see what was used of language models
inline constexpr std::string_view auditRead = "audit.read";        ///< read and verify the audit trail
inline constexpr std::string_view statusRead = "status.read";      ///< see how the daemon is
inline constexpr std::string_view pluginsRead = "plugins.read";    ///< see the plugins
inline constexpr std::string_view pluginsReload = "plugins.reload";  ///< load, replace and unload plugins
inline constexpr std::string_view pluginsAcknowledge = "plugins.acknowledge";  ///< say that a crash is known
inline constexpr std::string_view tokensRead = "tokens.read";    ///< see which operator tokens there are
inline constexpr std::string_view tokensWrite = "tokens.write";  ///< create and revoke operator tokens
/// Do all that the other permissions let do for every user, not only for the token's own.
inline constexpr std::string_view usersAll = "users.all";

}  // namespace sallyport::permission
