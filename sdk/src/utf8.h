// UTF-8 (RFC 3629), for what is written to clients.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/// The first place from `at` on where a character is not ASCII; the end of the text if there is none.
[[nodiscard]] inline std::size_t skipAscii(std::string_view text, std::size_t at) {
#ifdef __SSE2__
    constexpr std::size_t block = sizeof(__m128i);
    while (at + block <= text.size() &&
           _mm_movemask_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at))) == 0) {
        at += block;
    }
#endif
    while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) {
        ++at;
    }
    return at;
}

/// How much of the text is well-formed, from its beginning.
[[nodiscard]] inline std::size_t validLength(std::string_view text) {
    std::size_t at = skipAscii(text, 0);
    while (at < text.size()) {
        const std::size_t length = sequenceLength(text.substr(at));
        if (length == 0) {
            break;
        }
        at += length;
        if (length == 1) {
            at = skipAscii(text, at);
        }
    }
    return at;
}

/// The text with U+FFFD for each byte that belongs to no well-formed sequence.
[[nodiscard]] inline std::string repaired(std::string text) {
    const std::size_t valid = validLength(text);
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
