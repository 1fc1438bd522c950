// The cookie of a session (RFC 6265, and draft-ietf-httpbis-rfc6265bis for `SameSite` and `__Host-`).
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

// [any thread]
namespace sallyport::host::auth {

/// What it is called. Under TLS no other host and nothing in the clear can set it, which the name says.
[[nodiscard]] std::string_view cookieName(bool secure);

/// `Set-Cookie` that hands a session to a browser.
[[nodiscard]] std::string cookieFor(std::string_view secret, bool secure, std::chrono::seconds lifetime);

/// `Set-Cookie` that takes it away.
[[nodiscard]] std::string expiredCookie(bool secure);

/// The values of that name in a `Cookie` header. More than one can be had by a neighbouring name's setting
/// it, too.
[[nodiscard]] std::vector<std::string_view> cookieValues(std::string_view header, std::string_view name);

}  // namespace sallyport::host::auth
