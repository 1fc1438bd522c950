// The words that HTTP is made of.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace sallyport {

/// Whether a character may be in a token of HTTP: `tchar` of RFC 9110 section 5.6.2. [any thread]
[[nodiscard]] constexpr bool isHttpTokenCharacter(char c) noexcept {
    constexpr auto table = [] {
        std::array<bool, 256> characters{};
        for (const char character :
             std::string_view("!#$%&'*+-.^_`|~0123456789"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
            characters[static_cast<unsigned char>(character)] = true;
        }
        return characters;
    }();
    return table[static_cast<unsigned char>(c)];
}

/// Whether a text is a token of HTTP (RFC 9110 section 5.6.2), as methods, names of headers and the two
/// halves of a media type are: at least one character, and none but those of tokens. This has nothing to do
/// with the tokens by which callers are known. [any thread]
[[nodiscard]] constexpr bool isHttpToken(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), isHttpTokenCharacter);
}

}  // namespace sallyport
