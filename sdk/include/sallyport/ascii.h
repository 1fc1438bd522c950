// Letters without regard to their case, in ASCII alone: what names in protocols need, whatever the locale.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace sallyport::ascii {

/// A to Z as a to z, and every other byte as it is. [any thread]
[[nodiscard]] constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// A copy of the text with each byte as lower() has it. It is an ordinary string: nothing for secrets.
/// [any thread]
[[nodiscard]] inline std::string lowered(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

/// Whether two texts differ in nothing but the case of ASCII letters. It says by its time where they differ:
/// nothing for secrets. [any thread]
[[nodiscard]] constexpr bool equalsIgnoringCase(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace sallyport::ascii
