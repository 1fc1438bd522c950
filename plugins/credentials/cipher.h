// How secrets are encrypted.
#pragma once

#include <stdexcept>
#include <string_view>

#include <sallyport/secret_text.h>
#include <sallyport/store.h>

namespace sallyport::plugins {

/// What was stored cannot be decrypted: another key or salt, or bytes that were changed. Which of these
/// cannot be told.
class DecryptionFailed : public std::runtime_error {
public:
    DecryptionFailed() : std::runtime_error("the stored value cannot be decrypted with this key") {}
};

/// A secret as it is stored.
struct EncryptedSecret {
    Bytes value;  ///< nonce (12 bytes), ciphertext, tag (16 bytes)
    Bytes salt;   ///< 32 bytes, of this secret alone
};

/// What is kept to recognise the master key by, without being of use for finding it.
struct KeyCheck {
    Bytes value;
    Bytes salt;
};

/// The key from which the key of each secret is derived: HKDF-SHA256 (RFC 5869) with the secret's salt and
/// the info `near-agent-secrets-v1`. Secrets are encrypted with AES-256-GCM (NIST SP 800-38D). The format
/// is that of ironclaw, whose databases can thus be read. All of it is OpenSSL's. [any thread; immutable]
class MasterKey {
public:
    static constexpr std::size_t minSize = 32;

    /// @throws std::invalid_argument when it has less than `minSize` bytes.
    explicit MasterKey(SecretText key);

    /// 32 bytes from the system's CSPRNG as 64 hex digits, so that a person can copy them.
    [[nodiscard]] static MasterKey generated();

    [[nodiscard]] EncryptedSecret encrypt(const SecretText& secret) const;
    /// @throws DecryptionFailed
    [[nodiscard]] SecretText decrypt(const EncryptedSecret& secret) const;

    [[nodiscard]] KeyCheck makeCheck() const;
    /// Whether `check` was made by this very key.
    [[nodiscard]] bool matches(const KeyCheck& check) const;

    /// The key itself, to be written to its file.
    [[nodiscard]] const SecretText& text() const& noexcept { return key_; }

private:
    [[nodiscard]] SecretText derive(const Bytes& salt, std::string_view info) const;

    SecretText key_;
};

}  // namespace sallyport::plugins
