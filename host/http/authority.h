// Host and port in a request's target.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <sallyport/ext/tunnels.h>

namespace sallyport::host::http {

/// The port of the scheme `http`.
inline constexpr std::uint16_t httpPort = 80;

/// Reads `host:port` (RFC 3986 section 3.2) as strictly as ProxyTarget says. What different readers could
/// take for different hosts is refused: a user's name before the host, percent-encoding, a name that ends in
/// a number, a zone.
/// @param defaultPort where none is given; nothing: one must be. @return nothing for any other text. [any
/// thread]
[[nodiscard]] std::optional<ProxyTarget> parseAuthority(std::string_view text,
                                                        std::optional<std::uint16_t> defaultPort);

/// A target as the field `Host` has it (RFC 9110 section 7.2): without the port if that is understood. [any
/// thread]
[[nodiscard]] std::string hostField(const ProxyTarget& target);

}  // namespace sallyport::host::http
