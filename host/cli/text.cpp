#include "host/cli/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cwchar>

#include <locale.h>

namespace sallyport::host::cli {

namespace {

/// One character of a text. `length` is 1 and `valid` false for a byte that begins none.
struct Character {
    char32_t code = 0;
    std::size_t length = 1;
    bool valid = false;
};

Character firstCharacter(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80) {
        return {lead, 1, true};
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
        return {};
    }
    char32_t code = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xC0U) != 0x80) {
            return {};
        }
        code = (code << 6U) | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (overlong || surrogate || code > 0x10FFFF) {
        return {};
    }
    return {code, length, true};
}

struct Range {
    char32_t first;
    char32_t last;
};

/// What a terminal obeys, and what hides or reorders what is read. The zero-width joiners stay: words
/// in several scripts, and emoji, are written with them.
constexpr std::array<Range, 11> unsafe = {{
    {0x00, 0x1F},        // C0 controls, among them ESC
    {0x7F, 0x9F},        // DEL and the C1 controls, among them CSI
    {0xAD, 0xAD},        // soft hyphen
    {0x61C, 0x61C},      // Arabic letter mark
    {0x200B, 0x200B},    // zero width space
    {0x200E, 0x200F},    // direction marks
    {0x2028, 0x202E},    // line and paragraph separators, bidirectional embeddings and overrides
    {0x2060, 0x206F},    // invisible operators, bidirectional isolates
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFF9, 0xFFFB},    // interlinear annotation
    {0xE0000, 0xE0FFF},  // tags: text that nobody sees
}};

bool isUnsafe(char32_t code) {
    return std::any_of(unsafe.begin(), unsafe.end(),
                       [&](const Range& range) { return code >= range.first && code <= range.last; });
}

std::string formatted(const char* format, unsigned value) {
    std::array<char, 16> text{};
    const int length = std::snprintf(text.data(), text.size(), format, value);
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string spelled(char32_t code) {
    switch (code) {
        case '\n':
            return "\\n";
        case '\r':
            return "\\r";
        case '\t':
            return "\\t";
        default:
            return formatted(code < 0x80 ? "\\x%02x" : "\\u{%x}", code);
    }
}

std::string spelledInJson(char32_t code) {
    if (code < 0x10000) {
        return formatted("\\u%04x", code);
    }
    const char32_t offset = code - 0x10000;
    return formatted("\\u%04x", 0xD800 + (offset >> 10U)) + formatted("\\u%04x", 0xDC00 + (offset & 0x3FFU));
}

/// wcwidth() asks the locale what a character is; this asks it of UTF-8 whatever the caller's locale.
int columnsOf(char32_t code) {
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (utf8 == nullptr) {
        return 1;
    }
    const locale_t before = ::uselocale(utf8);
    const int columns = ::wcwidth(static_cast<wchar_t>(code));
    ::uselocale(before);
    return columns < 0 ? 1 : columns;
}

std::size_t columnsOf(const Character& character) {
    if (!character.valid || (character.code >= 0x20 && character.code < 0x7F)) {
        return 1;
    }
    return static_cast<std::size_t>(columnsOf(character.code));
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const Character character = firstCharacter(text);
        if (!character.valid) {
            result += formatted("\\x%02x", static_cast<unsigned char>(text.front()));
        } else if (isUnsafe(character.code)) {
            result += spelled(character.code);
        } else {
            result += text.substr(0, character.length);
        }
        text.remove_prefix(character.length);
    }
    return result;
}

std::string escapedJson(std::string_view document) {
    std::string result;
    result.reserve(document.size());
    while (!document.empty()) {
        const Character character = firstCharacter(document);
        // Below 0x20 stands only white space between tokens: JSON forbids the rest.
        if (character.valid && character.code >= 0x20 && isUnsafe(character.code)) {
            result += spelledInJson(character.code);
        } else {
            result += document.substr(0, character.length);
        }
        document.remove_prefix(character.length);
    }
    return result;
}

std::size_t displayWidth(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const Character character = firstCharacter(text);
        columns += columnsOf(character);
        text.remove_prefix(character.length);
    }
    return columns;
}

std::string fitted(std::string_view text, std::size_t columns) {
    std::size_t used = 0;
    std::size_t end = 0;     // of what fits
    std::size_t endCut = 0;  // of what fits with the `…` behind it
    while (end < text.size()) {
        const Character character = firstCharacter(text.substr(end));
        used += columnsOf(character);
        if (used > columns) {
            return columns == 0 ? std::string() : std::string(text.substr(0, endCut)) + "…";
        }
        end += character.length;
        if (used < columns) {
            endCut = end;
        }
    }
    return std::string(text);
}

bool isUtf8(std::string_view text) {
    while (!text.empty()) {
        const Character character = firstCharacter(text);
        if (!character.valid) {
            return false;
        }
        text.remove_prefix(character.length);
    }
    return true;
}

}  // namespace sallyport::host::cli
