#include "host/auth/token.h"

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace sallyport::host::auth {

namespace {

constexpr std::string_view hexDigits = "0123456789abcdef";
constexpr std::size_t tokenLength = 64;

std::uint8_t nibble(char c) {
    const auto value = hexDigits.find(c);
    if (value == std::string_view::npos) {
        throw std::invalid_argument("not a digest: a character is no lower-case hex digit");
    }
    return static_cast<std::uint8_t>(value);
}

// OpenSSL 3 looks an algorithm up by name on each use unless it is fetched once, which costs more than
// hashing a token does. A context per thread saves its allocation as well.
const EVP_MD* sha256() {
    static const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm(
        EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free);
    if (!algorithm) {
        throw std::runtime_error("OpenSSL offers no SHA-256");
    }
    return algorithm.get();
}

EVP_MD_CTX* threadContext() {
    thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                                       &EVP_MD_CTX_free);
    if (!context) {
        throw std::bad_alloc();
    }
    return context.get();
}

}  // namespace

std::string newToken() {
    Digest bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
        throw std::runtime_error("the system gives no random bytes");
    }
    std::string token = hex(bytes);
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return token;
}

bool isToken(std::string_view text) {
    return text.size() == tokenLength && text.find_first_not_of(hexDigits) == std::string_view::npos;
}

bool containsToken(std::string_view text, const Digest& digest) {
    while (text.size() >= tokenLength) {
        const auto run = text.substr(0, text.find_first_not_of(hexDigits));
        if (isToken(run) && equal(auth::digest(run), digest)) {
            return true;
        }
        text.remove_prefix(std::min(run.size() + 1, text.size()));
    }
    return false;
}

Digest digest(std::string_view token) {
    Digest result{};
    EVP_MD_CTX* const context = threadContext();
    if (EVP_DigestInit_ex2(context, sha256(), nullptr) != 1 ||
        EVP_DigestUpdate(context, token.data(), token.size()) != 1 ||
        EVP_DigestFinal_ex(context, result.data(), nullptr) != 1) {
        throw std::runtime_error("SHA-256 failed");
    }
    return result;
}

bool equal(const Digest& a, const Digest& b) {
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex(const Digest& digest) {
    std::string text;
    text.reserve(digest.size() * 2);
    for (const std::uint8_t byte : digest) {
        text += hexDigits[byte >> 4U];
        text += hexDigits[byte & 0x0FU];
    }
    return text;
}

Digest fromHex(std::string_view text) {
    Digest result{};
    if (text.size() != result.size() * 2) {
        throw std::invalid_argument("not a digest: it has not 64 characters");
    }
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = static_cast<std::uint8_t>(nibble(text[2 * i]) << 4U | nibble(text[2 * i + 1]));
    }
    return result;
}

}  // namespace sallyport::host::auth
