// UTF-8 (RFC 3629), for what is written to clients.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sallyport::utf8 {

inline constexpr std::string_view replacement = "\xEF\xBF\xBD";  ///< U+FFFD

/// The length of the well-formed sequence that `text` begins with; 0 if it begins with none. Overlong
/// forms, surrogates and what lies beyond U+10FFFF are not well-formed.
[[nodiscard]] inline std::size_t sequenceLength(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto between = [&](std::size_t i, unsigned low, unsigned high) {
        return byte(i) >= low && byte(i) <= high;
    };
    const auto tail = [&](std::size_t i) { return between(i, 0x80, 0xBF); };

    const unsigned first = byte(0);
    if (first < 0x80) {
        return text.empty() ? 0 : 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return tail(1) ? 2 : 0;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        const bool second = between(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
        return second && tail(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool second = between(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
        return second && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

/// The text with U+FFFD for each byte that belongs to no well-formed sequence.
[[nodiscard]] inline std::string repaired(std::string text) {
    std::size_t valid = 0;
    while (valid < text.size()) {
        const std::size_t length = sequenceLength(std::string_view(text).substr(valid));
        if (length == 0) {
            break;
        }
        valid += length;
    }
    if (valid == text.size()) {
        return text;
    }
    std::string result = text.substr(0, valid);
    std::string_view rest = std::string_view(text).substr(valid);
    while (!rest.empty()) {
        const std::size_t length = sequenceLength(rest);
        result += length == 0 ? replacement : rest.substr(0, length);
        rest.remove_prefix(length == 0 ? 1 : length);
    }
    return result;
}

}  // namespace sallyport::utf8
