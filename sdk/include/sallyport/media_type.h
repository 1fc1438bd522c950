// What a Content-Type says of a body.
#pragma once

#include <string_view>

namespace sallyport {

/// Whether a body with that `Content-Type` is JSON: `application/json`, or a type that is built on it,
/// `application/<name>+json` (RFC 6839 section 3.1), in any letter case, with any parameters.
///
/// A suffix is that of a name, and names begin with a letter or digit (RFC 6838 section 4.2): therefore
/// `application/+json` is none. Whoever sends it has left the name out, and another who reads it may take it
/// for something else. [any thread]
/// @param contentType the header's value; blanks around the type do not count.
[[nodiscard]] bool isJsonType(std::string_view contentType) noexcept;

}  // namespace sallyport
