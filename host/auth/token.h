// Bearer tokens: made, hashed, compared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sallyport::host::auth {

/// SHA-256 of a token. Only this is kept.
using Digest = std::array<std::uint8_t, 32>;

/// 32 bytes from the system's CSPRNG as 64 lower-case hex characters.
[[nodiscard]] std::string newToken();

[[nodiscard]] Digest digest(std::string_view token);

/// Whether that could be a token: 64 lower-case hex characters.
[[nodiscard]] bool isToken(std::string_view text);

/// Whether the token with that digest stands somewhere in a text, by itself or between other characters than
/// those of tokens.
[[nodiscard]] bool containsToken(std::string_view text, const Digest& digest);

/// In constant time.
[[nodiscard]] bool equal(const Digest& a, const Digest& b);

/// Digests are uniformly distributed, so any part of one is a hash of it.
struct DigestHash {
    std::size_t operator()(const Digest& digest) const noexcept {
        std::size_t value = 0;
        std::memcpy(&value, digest.data(), sizeof value);
        return value;
    }
};

struct DigestEqual {
    bool operator()(const Digest& a, const Digest& b) const noexcept { return equal(a, b); }
};

/// The stored form: 64 lower-case hex characters.
[[nodiscard]] std::string hex(const Digest& digest);
/// @throws std::invalid_argument
[[nodiscard]] Digest fromHex(std::string_view text);

}  // namespace sallyport::host::auth
