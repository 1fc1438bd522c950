// Bearer tokens: made, hashed, compared.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::host::auth {

/// SHA-256 of a token. Only this is kept.
using Digest = std::array<std::uint8_t, 32>;

/// 32 bytes from the system's CSPRNG as 64 lower-case hex characters.
[[nodiscard]] std::string newToken();

[[nodiscard]] Digest digest(std::string_view token);

/// In constant time.
[[nodiscard]] bool equal(const Digest& a, const Digest& b);

/// The stored form: 64 lower-case hex characters.
[[nodiscard]] std::string hex(const Digest& digest);
/// @throws std::invalid_argument
[[nodiscard]] Digest fromHex(std::string_view text);

}  // namespace sallyport::host::auth
