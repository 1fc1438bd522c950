// The vault, for plugins that need a secret themselves: the service that a plugin for credentials provides.
#pragma once

#include <string>
#include <string_view>

#include <sallyport/secret_text.h>

namespace sallyport {

/// Secrets of users, as operators stored them. [any thread; blocks on the database: not on the loop]
///
/// A worker gets secrets by a grant to its job, and never through this. Each secret that is given out here
/// is counted and audited under the name of the plugin that asked.
class SecretVault {
public:
    /// For Host::provide and Host::find.
    static constexpr const char* serviceName = "vault";

    virtual ~SecretVault() = default;

    /// The present value of one secret. Ask for it where it is used and let go of it soon: it may be
    /// changed, expire or be deleted at any time. It is durable in the audit trail before this returns.
    ///
    /// @param plugin the asking plugin's own name, by which the operator limits what it may see
    ///               (`credentials.plugin.<name>.secrets`). Plugins are trusted code in one address space:
    ///               the list catches mistakes in configuration and keeps the audit trail meaningful; it
    ///               would not stop a plugin that lies.
    /// @param user   whose secret it is.
    /// @param name   in any letter case.
    /// @throws RequestError 403 `secret_not_allowed`, 404 `secret_missing`, 409 `secret_expired`,
    ///         500 `secret_damaged` or 503 `vault_sealed`; StoreError. No message holds a value.
    [[nodiscard]] virtual SecretText reveal(std::string_view plugin, const std::string& user,
                                            const std::string& name) = 0;
};

}  // namespace sallyport
