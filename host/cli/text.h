// Text that others wrote, made fit to be shown to a person.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sallyport::host::cli {

/// The text with nothing left in it that a terminal would obey and nothing that hides or reorders what
/// is read: control characters, bytes that are not UTF-8, line separators, and the invisible characters
/// that change direction or carry hidden text become `\n`, `\x1b`, `\u{202e}` and the like. The result
/// is one line of UTF-8.
[[nodiscard]] std::string escaped(std::string_view text);

/// A JSON document with the same characters written as `\u….`, which leaves the same document.
[[nodiscard]] std::string escapedJson(std::string_view document);

/// How many columns escaped text takes on a terminal: two for wide characters, none for combining ones.
[[nodiscard]] std::size_t displayWidth(std::string_view text);

/// Escaped text cut to so many columns, with `…` at its end if something was cut off.
[[nodiscard]] std::string fitted(std::string_view text, std::size_t columns);

/// Whether all of it is well-formed UTF-8 (RFC 3629).
[[nodiscard]] bool isUtf8(std::string_view text);

}  // namespace sallyport::host::cli
