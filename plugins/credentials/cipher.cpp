#include "cipher.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace sallyport::plugins {

namespace {

constexpr std::size_t keySize = 32;
constexpr std::size_t saltSize = 32;
constexpr std::size_t nonceSize = 12;
constexpr std::size_t tagSize = 16;

constexpr std::string_view secretInfo = "near-agent-secrets-v1";
/// Other than that of any secret, so that what is kept for the check tells nothing of a secret's key.
constexpr std::string_view checkInfo = "sallyport-master-key-check";

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
struct FreeKdf {
    void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
};
struct FreeKdfContext {
    void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

/// OpenSSL fails here only when memory or entropy runs out, or it was built without what is needed.
void require(bool success) {
    if (!success) {
        throw std::runtime_error("the cryptographic library failed");
    }
}

std::uint8_t* octets(SecretText& text) {
    return reinterpret_cast<std::uint8_t*>(text.bytes().data());
}

const std::uint8_t* octets(std::string_view text) {
    return reinterpret_cast<const std::uint8_t*>(text.data());
}

Bytes randomBytes(std::size_t size) {
    Bytes bytes(size);
    require(RAND_bytes(bytes.data(), static_cast<int>(size)) == 1);
    return bytes;
}

/// A context for AES-256-GCM with a 96-bit nonce, the default of GCM.
Cipher newCipher(const SecretText& key, const std::uint8_t* nonce, bool encrypting) {
    Cipher cipher(EVP_CIPHER_CTX_new());
    require(cipher != nullptr && EVP_CipherInit_ex2(cipher.get(), EVP_aes_256_gcm(), octets(key.reveal()),
                                                    nonce, encrypting ? 1 : 0, nullptr) == 1);
    return cipher;
}

}  // namespace

MasterKey::MasterKey(SecretText key) : key_(std::move(key)) {
    if (key_.size() < minSize) {
        throw std::invalid_argument("has " + std::to_string(key_.size()) + " bytes, and needs at least " +
                                    std::to_string(minSize));
    }
}

MasterKey MasterKey::generated() {
    constexpr std::string_view digits = "0123456789abcdef";
    SecretText random(keySize);
    require(RAND_priv_bytes(octets(random), keySize) == 1);
    SecretText key(2 * keySize);
    for (std::size_t i = 0; i < keySize; ++i) {
        const std::uint8_t octet = octets(random)[i];
        key.bytes()[2 * i] = digits[octet >> 4U];
        key.bytes()[2 * i + 1] = digits[octet & 0x0fU];
    }
    return MasterKey(std::move(key));
}

SecretText MasterKey::derive(const Bytes& salt, std::string_view info) const {
    static const std::unique_ptr<EVP_KDF, FreeKdf> hkdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    require(hkdf != nullptr);
    const std::unique_ptr<EVP_KDF_CTX, FreeKdfContext> context(EVP_KDF_CTX_new(hkdf.get()));
    require(context != nullptr);
    // The parameters are not const, and yet only read.
    const auto parameter = [](const char* name, const void* data, std::size_t size) {
        return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), size);
    };
    std::string digest = "SHA256";
    const std::array<OSSL_PARAM, 5> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size()),
        parameter(OSSL_KDF_PARAM_KEY, key_.reveal().data(), key_.size()),
        parameter(OSSL_KDF_PARAM_SALT, salt.data(), salt.size()),
        parameter(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
        OSSL_PARAM_construct_end(),
    };
    SecretText derived(keySize);
    require(EVP_KDF_derive(context.get(), octets(derived), keySize, parameters.data()) == 1);
    return derived;
}

EncryptedSecret MasterKey::encrypt(const SecretText& secret) const {
    EncryptedSecret encrypted{randomBytes(nonceSize), randomBytes(saltSize)};
    const Cipher cipher = newCipher(derive(encrypted.salt, secretInfo), encrypted.value.data(), true);
    encrypted.value.resize(nonceSize + secret.size() + tagSize);
    std::uint8_t* const ciphertext = encrypted.value.data() + nonceSize;
    int written = 0;
    require(EVP_EncryptUpdate(cipher.get(), ciphertext, &written, octets(secret.reveal()),
                              static_cast<int>(secret.size())) == 1);
    int rest = 0;
    require(EVP_EncryptFinal_ex(cipher.get(), ciphertext + written, &rest) == 1);
    require(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, tagSize, ciphertext + secret.size()) ==
            1);
    return encrypted;
}

SecretText MasterKey::decrypt(const EncryptedSecret& secret) const {
    if (secret.value.size() < nonceSize + tagSize || secret.salt.size() != saltSize) {
        throw DecryptionFailed();
    }
    const Cipher cipher = newCipher(derive(secret.salt, secretInfo), secret.value.data(), false);
    SecretText plain(secret.value.size() - nonceSize - tagSize);
    const std::uint8_t* const ciphertext = secret.value.data() + nonceSize;
    int written = 0;
    require(EVP_DecryptUpdate(cipher.get(), octets(plain), &written, ciphertext,
                              static_cast<int>(plain.size())) == 1);
    Bytes tag(ciphertext + plain.size(), ciphertext + plain.size() + tagSize);
    require(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, tagSize, tag.data()) == 1);
    int rest = 0;
    if (EVP_DecryptFinal_ex(cipher.get(), octets(plain) + written, &rest) != 1) {
        throw DecryptionFailed();
    }
    return plain;
}

KeyCheck MasterKey::makeCheck() const {
    Bytes salt = randomBytes(saltSize);
    const SecretText value = derive(salt, checkInfo);
    return {Bytes(octets(value.reveal()), octets(value.reveal()) + value.size()), std::move(salt)};
}

bool MasterKey::matches(const KeyCheck& check) const {
    if (check.value.size() != keySize || check.salt.empty()) {
        return false;
    }
    const SecretText value = derive(check.salt, checkInfo);
    return CRYPTO_memcmp(value.reveal().data(), check.value.data(), keySize) == 0;
}

}  // namespace sallyport::plugins
