#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <sallyport/json_reader.h>

#include "json_kind.h"
#include "utf8.h"

namespace sallyport::json {

namespace {

/// Whether a character cannot simply be part of a string.
bool isSpecial(char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

#ifdef __SSE2__
/// Characters that are looked at in one go, a bit for each. Nearly all the time is spent on these.
constexpr std::size_t blockSize = 64;

/// Which of the characters of a block are special, the first one in the lowest bit.
std::uint64_t specialBits(const char* block) {
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i lastControl = _mm_set1_epi8(0x1F);
    std::uint64_t bits = 0;
    for (std::size_t at = 0; at < blockSize; at += sizeof(__m128i)) {
        const __m128i chars = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + at));
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(chars, lastControl), chars);
        const __m128i syntax = _mm_or_si128(_mm_cmpeq_epi8(chars, quote), _mm_cmpeq_epi8(chars, backslash));
        const int special = _mm_movemask_epi8(_mm_or_si128(control, syntax));
        bits |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(special)) << at;
    }
    return bits;
}
#endif

/// Escapes of two characters, by the second one.
constexpr auto simpleEscapes = [] {
    std::array<bool, 256> simple{};
    for (const char c : {'n', '"', '\\', 't', '/', 'r', 'b', 'f'}) {
        simple[static_cast<unsigned char>(c)] = true;
    }
    return simple;
}();

bool isSimpleEscape(char c) {
    return simpleEscapes[static_cast<unsigned char>(c)];
}

/// The first place from `at` on where a string ends, or where something stands in it that is neither a plain
/// character nor a simple escape; the end of the text if there is none.
std::size_t skipSimple(std::string_view text, std::size_t at) {
#ifdef __SSE2__
    // One character more, so that an escape that begins in the block can be looked at whole.
    while (at + blockSize < text.size()) {
        std::uint64_t special = specialBits(text.data() + at);
        std::size_t next = at + blockSize;
        while (special != 0) {
            const auto offset = static_cast<unsigned>(std::countr_zero(special));
            const std::size_t place = at + offset;
            if (text[place] != '\\' || !isSimpleEscape(text[place + 1])) {
                return place;
            }
            next = std::max(next, place + 2);
            special &= ~(std::uint64_t{3} << offset);  // the escaped character is nothing special
        }
        at = next;
    }
#endif
    while (at < text.size() && (!isSpecial(text[at]) ||
                                (text[at] == '\\' && at + 1 < text.size() && isSimpleEscape(text[at + 1])))) {
        at += text[at] == '\\' ? 2 : 1;
    }
    return at;
}

bool isDigit(char c) {
    return c >= '0' && c <= '9';
}

/// Whether a string is rather an image than something to read.
bool isBlob(std::string_view text) {
    constexpr std::size_t shortest = 1024;
    constexpr std::size_t looked = 256;
    return text.size() >= shortest && std::all_of(text.begin(), text.begin() + looked, [](char c) {
               return isDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      std::string_view("+/=-_:;,.\\").find(c) != std::string_view::npos;
           });
}

}  // namespace

Reader::Reader(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {
    if (const std::size_t valid = utf8::validLength(text); valid != text.size()) {
        refuse(valid, "the text is not UTF-8");
    }
}

void Reader::refuse(std::size_t at, const std::string& problem) {
    throw ParseError("invalid JSON at byte " + std::to_string(at) + ": " + problem);
}

char Reader::peek() {
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return c;
        }
        ++at_;
    }
    return '\0';
}

Kind Reader::kind() {
    const auto kind = kindAt(peek());
    if (!kind) {
        refuse(at_, at_ == text_.size() ? "there is no value" : "this is no value");
    }
    return *kind;
}

std::string_view Reader::skip() {
    peek();
    const std::size_t start = at_;
    const std::size_t outside = inside_.size();
    do {
        switch (kind()) {
            case Kind::object:
                enterObject();
                break;
            case Kind::array:
                enterArray();
                break;
            case Kind::string:
                string();
                break;
            case Kind::boolean:
                literal(text_[at_] == 't' ? "true" : "false");
                break;
            case Kind::null:
                literal("null");
                break;
            case Kind::number:
                number();
                break;
        }
        while (inside_.size() > outside && !nextItem()) {
            // The container has ended; what is around it goes on, or ends as well.
        }
    } while (inside_.size() > outside);
    return text_.substr(start, at_ - start);
}

void Reader::enter(char bracket) {
    if (inside_.size() == limits_.depth) {
        refuse(at_, "nested deeper than " + std::to_string(limits_.depth) + " levels");
    }
    inside_ += bracket;
    ++at_;
    fresh_ = true;
}

void Reader::enterObject() {
    enter('{');
}

void Reader::enterArray() {
    enter('[');
}

bool Reader::nextItem() {
    return inside_.back() == '{' ? memberName().has_value() : nextElement();
}

bool Reader::another(char close, const char* problem) {
    const bool first = std::exchange(fresh_, false);
    const char c = peek();
    if (c == close) {
        ++at_;
        inside_.pop_back();
        return false;
    }
    if (++values_ > limits_.values) {
        throw LimitExceeded("the JSON has more than " + std::to_string(limits_.values) +
                            " elements and members, which is the limit here (http.max_json_members)");
    }
    if (!first) {
        if (c != ',') {
            refuse(at_, problem);
        }
        ++at_;
    }
    return true;
}

std::optional<std::string_view> Reader::memberName() {
    if (!another('}', "missing a comma or } after an object member")) {
        return std::nullopt;
    }
    if (peek() != '"') {
        refuse(at_, "missing the name of an object member");
    }
    memberStart_ = at_;
    const std::string_view raw = string();
    if (peek() != ':') {
        refuse(at_, "missing a colon after the name of an object member");
    }
    ++at_;
    return raw;
}

std::optional<std::string_view> Reader::nextMember() {
    const auto raw = memberName();
    if (!raw || raw->find('\\') == std::string_view::npos) {
        return raw ? std::optional(raw->substr(1, raw->size() - 2)) : std::nullopt;
    }
    name_ = *Value(Kind::string, *raw).string();
    return name_;
}

bool Reader::nextElement() {
    return another(']', "missing a comma or ] after an array element");
}

void Reader::end() {
    peek();
    if (at_ != text_.size()) {
        refuse(at_, "something follows the end of the value");
    }
}

std::string_view Reader::string() {
    const std::size_t start = at_;
    std::size_t at = skipSimple(text_, start + 1);
    while (at < text_.size() && text_[at] != '"') {
        at = skipSimple(text_, at + escapeLength(at));
    }
    if (at >= text_.size()) {
        refuse(text_.size(), "missing the closing quotation mark of a string");
    }
    at_ = at + 1;
    const std::string_view raw = text_.substr(start, at_ - start);
    if (!isBlob(raw.substr(1))) {
        textBytes_ += raw.size() - 2;
    }
    return raw;
}

std::size_t Reader::escapeLength(std::size_t at) const {
    const char letter = text_[at] == '\\' && at + 1 < text_.size() ? text_[at + 1] : '\0';
    if (letter != 'u') {
        refuse(at, "an invalid escape or a control character in a string");
    }
    constexpr std::size_t length = 6;
    const unsigned code = hexDigits(at + 2);
    if (code < 0xD800 || code > 0xDFFF) {
        return length;
    }
    const bool pair = code < 0xDC00 && text_.substr(at + length, 2) == "\\u";
    const unsigned low = pair ? hexDigits(at + length + 2) : 0;
    if (low < 0xDC00 || low > 0xDFFF) {
        refuse(at, "a \\u escape is half of a surrogate pair");
    }
    return 2 * length;
}

unsigned Reader::hexDigits(std::size_t from) const {
    unsigned value = 0;
    for (std::size_t i = from; i < from + 4; ++i) {
        const char c = i < text_.size() ? text_[i] : '\0';
        const char letter = static_cast<char>(c | 0x20);
        if (isDigit(c)) {
            value = value << 4 | static_cast<unsigned>(c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            value = value << 4 | static_cast<unsigned>(letter - 'a' + 10);
        } else {
            refuse(i, "a \\u escape needs four hex digits");
        }
    }
    return value;
}

std::string_view Reader::digits(const char* problem) {
    const std::size_t start = at_;
    while (at_ < text_.size() && isDigit(text_[at_])) {
        ++at_;
    }
    if (at_ == start) {
        refuse(at_, problem);
    }
    return text_.substr(start, at_ - start);
}

bool Reader::take(std::string_view any) {
    const bool found = at_ < text_.size() && any.find(text_[at_]) != std::string_view::npos;
    at_ += found ? 1 : 0;
    return found;
}

void Reader::number() {
    const std::size_t start = at_;
    take("-");
    const std::size_t whole = take("0") ? 1 : digits("this is no value").size();
    std::size_t exponent = 0;
    if (take(".")) {
        digits("missing digits after the decimal point of a number");
    }
    if (take("eE")) {
        const bool negative = text_.substr(at_, 1) == "-";
        take("+-");
        const std::string_view power = digits("missing digits in the exponent of a number");
        if (!negative &&
            std::from_chars(power.data(), power.data() + power.size(), exponent).ec != std::errc()) {
            exponent = text_.max_size();
        }
    }
    constexpr std::size_t mostDigits = std::numeric_limits<double>::max_exponent10 + 1;
    if (whole > mostDigits || exponent > mostDigits - whole) {
        refuse(start, "a number is beyond the range of a double");
    }
}

void Reader::literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) {
        refuse(at_, "this is no value");
    }
    at_ += word.size();
}

}  // namespace sallyport::json
