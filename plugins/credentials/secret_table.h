// The table of secrets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/store.h>
#include <sallyport/timestamp.h>

#include "cipher.h"

namespace sallyport::plugins {

/// A secret without its value.
struct SecretInfo {
    std::string user;
    std::string name;
    std::optional<std::string> provider{};  ///< whom it is for, in the operator's words
    std::optional<Timestamp> expiresAt{};
    std::int64_t usageCount = 0;
    std::optional<Timestamp> lastUsedAt{};
    Timestamp createdAt{};
    Timestamp updatedAt{};
};

/// A secret as it is stored.
struct StoredSecret {
    std::int64_t id = 0;
    SecretInfo info;
    EncryptedSecret encrypted;
};

/// Secrets and the check of the key that they are encrypted with. Whatever takes a Transaction runs in it.
class SecretTable {
public:
    /// Brings the tables up to date. @throws StoreError
    explicit SecretTable(Store& store);

    /// Stores a secret in place of the one of that user and name, if there is one; how often that was used
    /// is kept. @return whether there was none.
    static bool put(Transaction& transaction, const SecretInfo& info, const EncryptedSecret& encrypted);
    /// @return whether there was such a secret.
    static bool remove(Transaction& transaction, const std::string& user, const std::string& name);
    [[nodiscard]] static std::optional<StoredSecret> find(Transaction& transaction, const std::string& user,
                                                          const std::string& name);
    [[nodiscard]] static bool exists(Transaction& transaction, const std::string& user,
                                     const std::string& name);
    static void countUse(Transaction& transaction, std::int64_t id, Timestamp at);

    /// At most `limit` secrets of anybody with ids above `after`, by rising id.
    [[nodiscard]] static std::vector<StoredSecret> next(Transaction& transaction, std::int64_t after,
                                                        std::size_t limit);
    static void reencrypt(Transaction& transaction, std::int64_t id, const EncryptedSecret& encrypted);

    static void setCheck(Transaction& transaction, const KeyCheck& check);
    /// Nothing in a database that no key has been used with. @throws StoreError
    [[nodiscard]] std::optional<KeyCheck> check() const;
    [[nodiscard]] static std::optional<KeyCheck> check(Transaction& transaction);

    /// @throws StoreError
    [[nodiscard]] std::optional<SecretInfo> info(const std::string& user, const std::string& name) const;
    /// At most `limit` secrets of a user whose names come after `after`, by name. @throws StoreError
    [[nodiscard]] std::vector<SecretInfo> list(const std::string& user, const std::string& after,
                                               std::size_t limit) const;

private:
    Store& store_;
};

}  // namespace sallyport::plugins
