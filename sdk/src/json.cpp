#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <sallyport/errors.h>
#include <sallyport/json.h>
#include <sallyport/json_reader.h>
#include <sallyport/json_writer.h>

#include "json_kind.h"
#include "utf8.h"

// Reader decides what is JSON. Once a text has passed, it is only walked over (Walk below), so that values
// stay views of the bytes that were sent and no tree is built.

namespace sallyport::json {

namespace {

// --- Walking over a text that was accepted ------------------------------------------------------

constexpr std::string_view space = " \t\r\n";

/// Of a value in a text that was accepted; null for none.
Kind kindOf(std::string_view raw) {
    return raw.empty() ? Kind::null : kindAt(raw.front()).value_or(Kind::null);
}

/// The length of the string that `text` begins with, quotes included.
std::size_t stringLength(std::string_view text) {
    std::size_t at = 1;
    while (at < text.size() && text[at] != '"') {
        at += text[at] == '\\' ? 2 : 1;
    }
    return std::min(at + 1, text.size());
}

std::size_t containerLength(std::string_view text) {
    std::size_t depth = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '"') {
            at += stringLength(text.substr(at));
            continue;
        }
        ++at;
        if (c == '{' || c == '[') {
            ++depth;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            break;
        }
    }
    return at;
}

/// From so many values on a container is counted before it is taken apart: a vector that grows by itself
/// would for a while need three times the memory that its values do.
constexpr std::size_t many = 1000;

/// Steps through the values of an array or object, jumping over the commas and colons in between.
class Walk {
public:
    explicit Walk(std::string_view container)
        : rest_(container.size() < 2 ? std::string_view() : container.substr(1, container.size() - 2)) {
        toNext();
    }

    [[nodiscard]] bool atEnd() const { return rest_.empty(); }

    std::string_view next() {
        const std::string_view raw = rest_.substr(0, length());
        rest_.remove_prefix(raw.size());
        toNext();
        return raw;
    }

    /// How many values are still to come.
    [[nodiscard]] std::size_t left() const {
        std::size_t count = 0;
        for (Walk ahead = *this; !ahead.atEnd(); ++count) {
            ahead.next();
        }
        return count;
    }

private:
    void toNext() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n,:"), rest_.size())); }

    [[nodiscard]] std::size_t length() const {
        switch (rest_.front()) {
            case '"':
                return stringLength(rest_);
            case '{':
            case '[':
                return containerLength(rest_);
            default:
                return std::min(rest_.find_first_of(" \t\r\n,"), rest_.size());
        }
    }

    std::string_view rest_;
};

unsigned hex4(std::string_view text) {
    unsigned value = 0;
    std::from_chars(text.data(), text.data() + std::min<std::size_t>(text.size(), 4), value, 16);
    return value;
}

void appendUtf8(std::string& out, unsigned codepoint) {
    const auto byte = [&](unsigned bits) { out += static_cast<char>(bits); };
    if (codepoint < 0x80) {
        byte(codepoint);
    } else if (codepoint < 0x800) {
        byte(0xC0 | codepoint >> 6);
        byte(0x80 | (codepoint & 0x3F));
    } else if (codepoint < 0x10000) {
        byte(0xE0 | codepoint >> 12);
        byte(0x80 | (codepoint >> 6 & 0x3F));
        byte(0x80 | (codepoint & 0x3F));
    } else {
        byte(0xF0 | codepoint >> 18);
        byte(0x80 | (codepoint >> 12 & 0x3F));
        byte(0x80 | (codepoint >> 6 & 0x3F));
        byte(0x80 | (codepoint & 0x3F));
    }
}

/// Appends what the escape at the start of `text` (after its backslash) stands for.
/// @return how many characters it took.
std::size_t unescape(std::string& out, std::string_view text) {
    constexpr std::string_view letters = "bfnrt";
    constexpr std::string_view meanings = "\b\f\n\r\t";
    if (text.front() != 'u') {
        const auto letter = letters.find(text.front());
        out += letter == std::string_view::npos ? text.front() : meanings[letter];
        return 1;
    }
    unsigned codepoint = hex4(text.substr(1));
    std::size_t taken = 5;
    if (codepoint >= 0xD800 && codepoint < 0xDC00 && text.size() > 7) {
        codepoint = 0x10000 + ((codepoint - 0xD800) << 10) + (hex4(text.substr(7)) - 0xDC00);
        taken = 11;
    }
    appendUtf8(out, codepoint);
    return std::min(taken, text.size());
}

/// What a string stands for; `raw` has its quotes.
std::string decoded(std::string_view raw) {
    std::string_view rest = raw.size() < 2 ? std::string_view() : raw.substr(1, raw.size() - 2);
    std::string out;
    out.reserve(rest.size());
    while (!rest.empty()) {
        const auto plain = std::min(rest.find('\\'), rest.size());
        out += rest.substr(0, plain);
        rest.remove_prefix(std::min(plain + 1, rest.size()));
        if (!rest.empty()) {
            rest.remove_prefix(unescape(out, rest));
        }
    }
    return out;
}

/// The length of what `text` begins with and a string has as it is: ASCII without escapes.
std::size_t plainLength(std::string_view text) {
    std::size_t at = 0;
#ifdef __SSE2__
    const __m128i blank = _mm_set1_epi8(' ');
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    for (; at + sizeof(__m128i) <= text.size(); at += sizeof(__m128i)) {
        const __m128i chars = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
        // With their sign, what is not ASCII comes before the controls.
        const __m128i other = _mm_cmplt_epi8(chars, blank);
        const __m128i syntax = _mm_or_si128(_mm_cmpeq_epi8(chars, quote), _mm_cmpeq_epi8(chars, backslash));
        const auto bits = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(other, syntax)));
        if (bits != 0) {
            return at + static_cast<std::size_t>(std::countr_zero(bits));
        }
    }
#endif
    while (at < text.size() && static_cast<signed char>(text[at]) >= ' ' && text[at] != '"' &&
           text[at] != '\\') {
        ++at;
    }
    return at;
}

/// Appends the character that `text` begins with, and of which plainLength says nothing. @return its length
std::size_t quoteOne(std::string& out, std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    constexpr std::string_view letters = "bfnrt";
    constexpr std::string_view meanings = "\b\f\n\r\t";
    const char c = text.front();
    const std::size_t length = utf8::sequenceLength(text);
    if (length == 0) {
        out += utf8::replacement;
    } else if (length > 1) {
        out += text.substr(0, length);
    } else if (c == '"' || c == '\\') {
        out += {'\\', c};
    } else if (const auto letter = meanings.find(c); letter != std::string_view::npos) {
        out += {'\\', letters[letter]};
    } else {
        out += {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 0x0f]};
    }
    return std::max<std::size_t>(length, 1);
}

/// How much quoteOne appends for a well-formed character, or for the byte that is none (an empty text).
std::size_t quotedSizeOfOne(std::string_view character) {
    if (character.empty()) {
        return utf8::replacement.size();
    }
    if (character.size() > 1) {
        return character.size();
    }
    constexpr std::string_view escapedByALetter = "\"\\\b\f\n\r\t";
    return escapedByALetter.find(character) != std::string_view::npos ? 2 : 6;
}

RequestError wrongType(std::string_view name, const char* wanted, const Value& value) {
    return invalidField(name, std::string("must be ") + wanted + ", not " + describe(value.kind()));
}

}  // namespace

ParseError::~ParseError() = default;

LimitExceeded::~LimitExceeded() = default;

RequestError refusal(const ParseError& error) {
    if (dynamic_cast<const LimitExceeded*>(&error) != nullptr) {
        return {422, "too_many_members", error.what()};
    }
    return {400, "invalid_json", error.what()};
}

const char* describe(Kind kind) {
    switch (kind) {
        case Kind::null:
            return "null";
        case Kind::boolean:
            return "a boolean";
        case Kind::number:
            return "a number";
        case Kind::string:
            return "a string";
        case Kind::array:
            return "an array";
        case Kind::object:
            return "an object";
    }
    return "null";
}

Value Value::parse(std::string_view text, const Limits& limits) {
    Reader reader(text, limits);
    const Kind kind = reader.kind();
    const std::string_view raw = reader.skip();
    reader.end();
    return {kind, raw};
}

Value Value::parse(std::string_view text, std::size_t maxDepth) {
    return parse(text, Limits{.depth = maxDepth});
}

std::optional<std::string> Value::string() const {
    return kind_ == Kind::string ? std::optional(decoded(raw_)) : std::nullopt;
}

std::optional<bool> Value::boolean() const {
    return kind_ == Kind::boolean ? std::optional(raw_ == "true") : std::nullopt;
}

std::optional<std::int64_t> Value::integer() const {
    std::int64_t value = 0;
    const char* const end = raw_.data() + raw_.size();
    const auto [stop, problem] = std::from_chars(raw_.data(), end, value);
    return kind_ == Kind::number && problem == std::errc() && stop == end ? std::optional(value)
                                                                          : std::nullopt;
}

std::optional<double> Value::number() const {
    double value = 0;
    const char* const end = raw_.data() + raw_.size();
    const auto [stop, problem] = std::from_chars(raw_.data(), end, value);
    return kind_ == Kind::number && problem == std::errc() && stop == end ? std::optional(value)
                                                                          : std::nullopt;
}

std::vector<Value> Value::elements() const {
    std::vector<Value> result;
    if (kind_ == Kind::array) {
        for (Walk walk(raw_); !walk.atEnd();) {
            if (result.size() == many) {
                result.reserve(many + walk.left());
            }
            const std::string_view raw = walk.next();
            result.emplace_back(kindOf(raw), raw);
        }
    }
    return result;
}

Object Value::object() const {
    std::vector<Object::Member> members;
    if (kind_ == Kind::object) {
        for (Walk walk(raw_); !walk.atEnd();) {
            if (members.size() == many) {
                members.reserve(many + walk.left() / 2);
            }
            std::string name = decoded(walk.next());
            const std::string_view raw = walk.atEnd() ? std::string_view() : walk.next();
            members.push_back({std::move(name), Value(kindOf(raw), raw)});
        }
    }
    return Object(std::move(members));
}

std::string Value::compact() const {
    std::string result;
    result.reserve(raw_.size());
    for (std::size_t at = 0; at < raw_.size();) {
        const std::string_view rest = raw_.substr(at);
        std::size_t length = 1;
        if (rest.front() == '"') {
            length = stringLength(rest);
            result += rest.substr(0, length);
        } else if (space.find(rest.front()) == std::string_view::npos) {
            result += rest.front();
        }
        at += length;
    }
    return result;
}

const Value* Object::find(std::string_view name) const {
    for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
        if (member->name == name) {
            return &member->value;
        }
    }
    return nullptr;
}

const Value& Object::required(std::string_view name) const {
    const Value* found = nullptr;
    for (const Member& member : members_) {
        if (member.name == name) {
            if (found != nullptr) {
                throw invalidField(name, "is given more than once");
            }
            found = &member.value;
        }
    }
    if (found == nullptr) {
        throw invalidField(name, "is missing");
    }
    return *found;
}

std::string Object::string(std::string_view name) const {
    const Value& value = required(name);
    if (auto text = value.string()) {
        return *std::move(text);
    }
    throw wrongType(name, "a string", value);
}

bool Object::boolean(std::string_view name) const {
    const Value& value = required(name);
    if (const auto truth = value.boolean()) {
        return *truth;
    }
    throw wrongType(name, "a boolean", value);
}

std::uint32_t Object::unsigned32(std::string_view name) const {
    constexpr auto high = std::numeric_limits<std::uint32_t>::max();
    const auto number = required(name).integer();
    if (!number || *number < 0 || *number > high) {
        throw invalidField(name, "must be an integer from 0 to " + std::to_string(high));
    }
    return static_cast<std::uint32_t>(*number);
}

const Value* Object::optional(std::string_view name) const {
    if (find(name) == nullptr) {
        return nullptr;
    }
    const Value& value = required(name);
    return value.kind() == Kind::null ? nullptr : &value;
}

std::optional<std::string> Object::optionalString(std::string_view name) const {
    return optional(name) == nullptr ? std::nullopt : std::optional(string(name));
}

std::optional<bool> Object::optionalBoolean(std::string_view name) const {
    return optional(name) == nullptr ? std::nullopt : std::optional(boolean(name));
}

std::string quote(std::string_view text) {
    // Growing would leave a copy of the beginning in memory, which for a secret would be one that nobody
    // wipes.
    std::string result;
    result.reserve(quotedSize(text));
    appendQuoted(result, text);
    return result;
}

std::size_t quotedSize(std::string_view text) {
    std::size_t size = 2;
    while (!text.empty()) {
        const std::size_t plain = plainLength(text);
        size += plain;
        text.remove_prefix(plain);
        if (!text.empty()) {
            const std::size_t length = utf8::sequenceLength(text);
            size += quotedSizeOfOne(text.substr(0, length));
            text.remove_prefix(std::max<std::size_t>(length, 1));
        }
    }
    return size;
}

void appendQuoted(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const std::size_t plain = plainLength(text);
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (!text.empty()) {
            text.remove_prefix(quoteOne(out, text));
        }
    }
    out += '"';
}

}  // namespace sallyport::json
