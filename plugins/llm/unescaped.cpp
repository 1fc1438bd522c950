#include "unescaped.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

constexpr unsigned lastAscii = 0x7f;

/// The ASCII character that these digits are the code of, all of them.
std::optional<char> character(std::string_view digits, int base) {
    unsigned code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || code > lastAscii) {
        return std::nullopt;
    }
    return static_cast<char>(code);
}

/// `width` digits behind what introduces them.
Escape fixed(std::string_view text, std::size_t intro, std::size_t width, int base) {
    const auto value =
        text.size() < intro + width ? std::nullopt : character(text.substr(intro, width), base);
    return value ? Escape{intro + width, *value, true} : Escape{1, text.front()};
}

/// Digits up to `close`.
Escape closed(std::string_view text, std::size_t intro, char close, int base) {
    constexpr std::size_t mostDigits = 8;
    const auto end = text.substr(0, intro + mostDigits + 1).find(close, intro);
    const auto value =
        end == std::string_view::npos ? std::nullopt : character(text.substr(intro, end - intro), base);
    return value ? Escape{end + 1, *value, true} : Escape{1, text.front()};
}

Escape backslash(std::string_view text) {
    constexpr std::string_view letters = "\"\\/'nrtbf";
    constexpr std::string_view meanings = "\"\\/'\n\r\t\b\f";
    const char next = text.size() > 1 ? text[1] : '\0';
    if (next == 'u') {
        return text.size() > 2 && text[2] == '{' ? closed(text, 3, '}', 16) : fixed(text, 2, 4, 16);
    }
    if (next == 'x') {
        return fixed(text, 2, 2, 16);
    }
    if (next == '0' || next == '1') {
        return fixed(text, 1, 3, 8);
    }
    const auto which = letters.find(next);
    return next != '\0' && which != std::string_view::npos ? Escape{2, meanings[which], true}
                                                           : Escape{1, text.front()};
}

Escape reference(std::string_view text) {
    if (text.size() > 2 && text[1] == '#') {
        return text[2] == 'x' || text[2] == 'X' ? closed(text, 3, ';', 16) : closed(text, 2, ';', 10);
    }
    constexpr std::pair<std::string_view, char> names[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (const auto& [name, value] : names) {
        if (text.starts_with(name)) {
            return {name.size(), value, true};
        }
    }
    return {1, text.front()};
}

}  // namespace

Escape escapeAt(std::string_view text, std::size_t at) {
    const std::string_view rest = text.substr(at);
    switch (rest.front()) {
        case '\\':
            return backslash(rest);
        case '%':
            return fixed(rest, 1, 2, 16);
        case '&':
            return reference(rest);
        default:
            return {1, rest.front()};
    }
}

Unescaped::Unescaped(std::string_view text, std::size_t begin, std::size_t end)
    : text_(text.substr(begin, end - begin)), origins_(text_.size() + 1) {
    for (std::size_t i = 0; i < origins_.size(); ++i) {
        origins_[i] = begin + i;
    }
}

bool Unescaped::undo() {
    std::size_t to = 0;
    bool changed = false;
    for (std::size_t from = 0; from < text_.size();) {
        const Escape escape = escapeAt(text_, from);
        changed = changed || escape.escaped;
        // In place: nothing gets longer.
        origins_[to] = origins_[from];
        text_[to++] = escape.value;
        from += escape.size;
    }
    origins_[to] = origins_[text_.size()];
    text_.resize(to);
    origins_.resize(to + 1);
    return changed;
}

}  // namespace sallyport::plugins::llm
