#include "json_reader.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <simdjson.h>

namespace sallyport::plugins::llm {

namespace {

/// Whether a character cannot simply be part of a string.
bool isSpecial(char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

/// Where the first such character is; the end of the text if there is none. Nearly all the time is spent
/// here, so that where it can be done, sixteen characters are looked at in one go.
std::size_t findSpecial(std::string_view text, std::size_t at) {
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i lastControl = _mm_set1_epi8(0x1F);
    for (; at + sizeof(__m128i) <= text.size(); at += sizeof(__m128i)) {
        const __m128i chars = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(chars, lastControl), chars);
        const __m128i syntax = _mm_or_si128(_mm_cmpeq_epi8(chars, quote), _mm_cmpeq_epi8(chars, backslash));
        const auto special = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(control, syntax)));
        if (special != 0) {
            return at + static_cast<std::size_t>(std::countr_zero(special));
        }
    }
#endif
    while (at < text.size() && !isSpecial(text[at])) {
        ++at;
    }
    return at;
}

bool isSimpleEscape(char c) {
    return c == 'n' || c == '"' || c == '\\' || c == 't' || c == '/' || c == 'r' || c == 'b' || c == 'f';
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

JsonReader::JsonReader(std::string_view text, std::size_t maxDepth) : text_(text), maxDepth_(maxDepth) {
    if (!simdjson::validate_utf8(text)) {
        throw json::ParseError("invalid JSON: the text is not UTF-8");
    }
}

void JsonReader::refuse(std::size_t at, const std::string& problem) {
    throw json::ParseError("invalid JSON at byte " + std::to_string(at) + ": " + problem);
}

char JsonReader::peek() {
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return c;
        }
        ++at_;
    }
    return '\0';
}

json::Kind JsonReader::kind() {
    const char c = peek();
    switch (c) {
        case '{':
            return json::Kind::object;
        case '[':
            return json::Kind::array;
        case '"':
            return json::Kind::string;
        case 't':
        case 'f':
            return json::Kind::boolean;
        case 'n':
            return json::Kind::null;
        default:
            if (c != '-' && !isDigit(c)) {
                refuse(at_, at_ == text_.size() ? "there is no value" : "this is no value");
            }
            return json::Kind::number;
    }
}

std::string_view JsonReader::skip() {
    const json::Kind next = kind();
    const std::size_t start = at_;
    switch (next) {
        case json::Kind::object:
            enterObject();
            while (nextMember()) {
                skip();
            }
            break;
        case json::Kind::array:
            enterArray();
            while (nextElement()) {
                skip();
            }
            break;
        case json::Kind::string:
            string();
            break;
        case json::Kind::boolean:
            literal(text_[at_] == 't' ? "true" : "false");
            break;
        case json::Kind::null:
            literal("null");
            break;
        case json::Kind::number:
            number();
            break;
    }
    return text_.substr(start, at_ - start);
}

void JsonReader::enter() {
    if (depth_ == maxDepth_) {
        refuse(at_, "nested deeper than " + std::to_string(maxDepth_) + " levels");
    }
    ++depth_;
    ++at_;
    fresh_ = true;
}

void JsonReader::enterObject() {
    enter();
}

void JsonReader::enterArray() {
    enter();
}

bool JsonReader::another(char close, const char* problem) {
    const bool first = std::exchange(fresh_, false);
    const char c = peek();
    if (c == close) {
        ++at_;
        --depth_;
        return false;
    }
    if (!first) {
        if (c != ',') {
            refuse(at_, problem);
        }
        ++at_;
    }
    return true;
}

std::optional<std::string_view> JsonReader::nextMember() {
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
    if (raw.find('\\') == std::string_view::npos) {
        return raw.substr(1, raw.size() - 2);
    }
    name_ = *json::Value(json::Kind::string, raw).string();
    return name_;
}

bool JsonReader::nextElement() {
    return another(']', "missing a comma or ] after an array element");
}

void JsonReader::end() {
    peek();
    if (at_ != text_.size()) {
        refuse(at_, "something follows the end of the value");
    }
}

std::string_view JsonReader::string() {
    const std::size_t start = at_;
    std::size_t at = findSpecial(text_, start + 1);
    while (at < text_.size() && text_[at] != '"') {
        at = findSpecial(text_, at + escapeLength(at));
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

std::size_t JsonReader::escapeLength(std::size_t at) const {
    const char letter = text_[at] == '\\' && at + 1 < text_.size() ? text_[at + 1] : '\0';
    if (isSimpleEscape(letter)) {
        return 2;
    }
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

unsigned JsonReader::hexDigits(std::size_t from) const {
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

std::string_view JsonReader::digits(const char* problem) {
    const std::size_t start = at_;
    while (at_ < text_.size() && isDigit(text_[at_])) {
        ++at_;
    }
    if (at_ == start) {
        refuse(at_, problem);
    }
    return text_.substr(start, at_ - start);
}

bool JsonReader::take(std::string_view any) {
    const bool found = at_ < text_.size() && any.find(text_[at_]) != std::string_view::npos;
    at_ += found ? 1 : 0;
    return found;
}

void JsonReader::number() {
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

void JsonReader::literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) {
        refuse(at_, "this is no value");
    }
    at_ += word.size();
}

json::Value parseJson(std::string_view text, std::size_t maxDepth) {
    JsonReader reader(text, maxDepth);
    const json::Kind kind = reader.kind();
    const std::string_view raw = reader.skip();
    reader.end();
    return {kind, raw};
}

}  // namespace sallyport::plugins::llm
