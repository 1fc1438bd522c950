// Secrets in and out of the database.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/log.h>

#include "audit_log.h"
#include "cipher.h"
#include "grant_table.h"
#include "key_file.h"
#include "secret_table.h"

namespace sallyport::plugins {

/// A secret on its way to a worker.
struct Delivered {
    std::string variable;
    SecretText value;
};

/// All that needs the master key. Without the right one the vault is sealed: it takes no secrets and gives
/// none. [any thread; blocks on the database]
///
/// Each use of the key holds a shared lock until what it wrote is durable, and a change of the key the
/// exclusive one, so that no row is ever written or read with a key that is not its own.
class Vault {
public:
    Vault(SecretTable& secrets, AuditLog& audit, KeyFile keyFile, Logger& log)
        : secrets_(secrets), audit_(audit), keyFile_(std::move(keyFile)), log_(log) {}

    /// Looks for the master key: systemd's, then the file's, then the environment's; makes one at the first
    /// start. A key that cannot be used leaves the vault sealed. [once, before all else] @throws StoreError
    void unseal();

    /// Nothing while all is well, else a sentence for the operator.
    [[nodiscard]] std::optional<std::string> trouble() const;

    /// @return whether there was no such secret before. @throws RequestError 503 when sealed, StoreError
    bool put(const SecretInfo& info, const SecretText& value, const Requester& by);

    /// All the secrets that were granted to a job; empty when there are none.
    /// @throws RequestError 503 when sealed, 500 when one cannot be had; StoreError
    [[nodiscard]] std::vector<Delivered> deliver(const JobId& job, const Requester& by);

    /// One secret for a plugin. @throws RequestError as SecretVault::reveal does, StoreError
    [[nodiscard]] SecretText reveal(const std::string& user, const std::string& name, const Requester& by);

    /// Encrypts all secrets anew under a new master key. kill -9 at any moment leaves one of the two keys,
    /// and that one fits. @return how many there are.
    /// @throws RequestError 409 when the key is not in a file or a secret cannot be decrypted, 503 when
    /// sealed
    ///         or the file cannot be written; StoreError
    std::size_t rekey(const Requester& by);

private:
    enum class Source { systemd, file, environment };
    struct FoundKey {
        MasterKey key;
        Source source;
    };
    struct Opened {
        std::int64_t id = 0;
        SecretText value;
        const char* problem = nullptr;  ///< a word, when it could not be opened
    };

    [[nodiscard]] FoundKey findKey(const std::optional<KeyCheck>& check);
    [[nodiscard]] std::optional<MasterKey> keyInFile(const std::optional<KeyCheck>& check);
    [[nodiscard]] MasterKey generateKey();
    [[nodiscard]] std::string placeOf(Source source) const;
    void requireKey() const;
    [[nodiscard]] Opened open(Transaction& transaction, const std::string& user, const std::string& name,
                              Timestamp at) const;
    [[nodiscard]] std::size_t reencryptAll(Transaction& transaction, const MasterKey& fresh) const;
    void refuseIfDenied(const AuditLog::Entries& denials) const;
    void requireChangeableKey();
    void promoteNext();
    void setTrouble(std::optional<std::string> sentence);

    SecretTable& secrets_;
    AuditLog& audit_;
    const KeyFile keyFile_;
    Logger& log_;

    mutable std::shared_mutex keyMutex_;
    std::optional<MasterKey> key_;
    Source source_ = Source::file;
    bool nextIsPresent_ = false;  ///< the key in force is still in the file for the next one

    mutable std::mutex troubleMutex_;
    std::optional<std::string> trouble_;
};

}  // namespace sallyport::plugins
