#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>

#include <malloc.h>
#include <string.h>

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <sallyport/errors.h>
#include <sallyport/json.h>

#include "utf8.h"

// RapidJSON decides what is JSON. Once a text has passed, it is only walked over (Walk below), so that
// values stay views of the bytes that were sent and no tree is built.

namespace sallyport::json {

namespace {

// --- Accepting a text ---------------------------------------------------------------------------

/// For the reader's copies of strings. It overwrites them when they are given back, because a text may be a
/// secret, and throws where RapidJSON's own allocator would hand out null, which the reader does not look at.
class WipingAllocator {
public:
    static const bool kNeedFree = true;

    void* Malloc(std::size_t size) { return Realloc(nullptr, 0, size); }
    void* Realloc(void* block, std::size_t oldSize, std::size_t newSize) {
        void* const moved = newSize == 0 ? nullptr : std::malloc(newSize);
        if (newSize > 0 && moved == nullptr) {
            throw std::bad_alloc();
        }
        if (block != nullptr) {
            std::copy_n(static_cast<const char*>(block), std::min(oldSize, newSize),
                        static_cast<char*>(moved));
            Free(block);
        }
        return moved;
    }
    static void Free(void* block) {
        if (block != nullptr) {
            explicit_bzero(block, malloc_usable_size(block));
            std::free(block);
        }
    }
};

/// Refuses what RapidJSON lets pass: deep nesting, and a `\udc00` without its other half, which it
/// decodes to bytes that are no UTF-8.
class Gatekeeper : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Gatekeeper> {
public:
    explicit Gatekeeper(std::size_t maxDepth) : maxDepth_(maxDepth) {}

    bool StartObject() { return enter(); }
    bool EndObject(rapidjson::SizeType /*members*/) { return leave(); }
    bool StartArray() { return enter(); }
    bool EndArray(rapidjson::SizeType /*elements*/) { return leave(); }
    bool RawNumber(const char* /*text*/, rapidjson::SizeType /*length*/, bool /*copy*/) { return true; }
    bool Key(const char* text, rapidjson::SizeType length, bool copy) { return String(text, length, copy); }
    bool String(const char* text, rapidjson::SizeType length, bool /*copy*/) {
        // The source was checked to be UTF-8, so that a surrogate can only come from an escape.
        const std::string_view decoded(text, length);
        for (auto at = decoded.find('\xED'); at != std::string_view::npos;
             at = decoded.find('\xED', at + 1)) {
            if (static_cast<unsigned char>(decoded[at + 1]) >= 0xA0) {
                problem_ = "a \\u escape is half of a surrogate pair";
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    bool enter() {
        if (depth_ == maxDepth_) {
            problem_ = "nested deeper than " + std::to_string(maxDepth_) + " levels";
            return false;
        }
        ++depth_;
        return true;
    }
    bool leave() {
        --depth_;
        return true;
    }

    std::size_t maxDepth_;
    std::size_t depth_ = 0;
    std::string problem_;
};

const char* sentence(rapidjson::ParseErrorCode code) {
    switch (code) {
        case rapidjson::kParseErrorDocumentEmpty:
            return "there is no value";
        case rapidjson::kParseErrorDocumentRootNotSingular:
            return "something follows the end of the value";
        case rapidjson::kParseErrorObjectMissName:
            return "missing the name of an object member";
        case rapidjson::kParseErrorObjectMissColon:
            return "missing a colon after the name of an object member";
        case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
            return "missing a comma or } after an object member";
        case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
            return "missing a comma or ] after an array element";
        case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
            return "a \\u escape needs four hex digits";
        case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
            return "a \\u escape is half of a surrogate pair";
        case rapidjson::kParseErrorStringEscapeInvalid:
            return "an invalid escape or a control character in a string";
        case rapidjson::kParseErrorStringMissQuotationMark:
            return "missing the closing quotation mark of a string";
        case rapidjson::kParseErrorStringInvalidEncoding:
            return "a string is not UTF-8";
        case rapidjson::kParseErrorNumberTooBig:
            return "a number is beyond the range of a double";
        case rapidjson::kParseErrorNumberMissFraction:
            return "missing digits after the decimal point of a number";
        case rapidjson::kParseErrorNumberMissExponent:
            return "missing digits in the exponent of a number";
        default:
            return "this is no value";
    }
}

[[noreturn]] void refuse(std::size_t offset, const std::string& problem) {
    throw ParseError("invalid JSON at byte " + std::to_string(offset) + ": " + problem);
}

void check(std::string_view text, std::size_t maxDepth) {
    if (text.size() > std::numeric_limits<rapidjson::SizeType>::max()) {
        throw ParseError("invalid JSON: longer than 4 GiB");
    }
    constexpr unsigned flags = rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag |
                               rapidjson::kParseIterativeFlag;
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, WipingAllocator> reader;
    Gatekeeper gatekeeper(maxDepth);
    const rapidjson::ParseResult result = reader.Parse<flags>(stream, gatekeeper);
    if (result.Code() == rapidjson::kParseErrorTermination) {
        refuse(result.Offset(), gatekeeper.problem());
    }
    if (result.IsError()) {
        refuse(result.Offset(), sentence(result.Code()));
    }
    if (stream.Tell() != text.size()) {
        // The reader takes a NUL byte for the end of the text.
        refuse(stream.Tell(), sentence(rapidjson::kParseErrorDocumentRootNotSingular));
    }
}

// --- Walking over a text that was accepted ------------------------------------------------------

constexpr std::string_view space = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(space);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(space) - first + 1);
}

Kind kindOf(std::string_view raw) {
    switch (raw.empty() ? 'n' : raw.front()) {
        case '{':
            return Kind::object;
        case '[':
            return Kind::array;
        case '"':
            return Kind::string;
        case 't':
        case 'f':
            return Kind::boolean;
        case 'n':
            return Kind::null;
        default:
            return Kind::number;
    }
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

RequestError wrongType(std::string_view name, const char* wanted, const Value& value) {
    return invalidField(name, std::string("must be ") + wanted + ", not " + describe(value.kind()));
}

}  // namespace

ParseError::~ParseError() = default;

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

Value Value::parse(std::string_view text, std::size_t maxDepth) {
    check(text, maxDepth);
    const std::string_view raw = trimmed(text);
    return {kindOf(raw), raw};
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
    constexpr char digits[] = "0123456789abcdef";
    constexpr std::string_view letters = "bfnrt";
    constexpr std::string_view meanings = "\b\f\n\r\t";
    // As much as it can take, unless it has to be mended: growing would leave a copy of the beginning in
    // memory, which for a secret would be one that nobody wipes.
    std::size_t size = 2;
    for (const char c : text) {
        size += static_cast<unsigned char>(c) < 0x20 ? 6 : c == '"' || c == '\\' ? 2 : 1;
    }
    std::string result;
    result.reserve(size);
    result += '"';
    while (!text.empty()) {
        const char c = text.front();
        const std::size_t length = utf8::sequenceLength(text);
        if (length == 0) {
            result += utf8::replacement;
        } else if (c == '"' || c == '\\') {
            result += {'\\', c};
        } else if (const auto letter = meanings.find(c); letter != std::string_view::npos) {
            result += {'\\', letters[letter]};
        } else if (static_cast<unsigned char>(c) < 0x20) {
            result += {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 0x0f]};
        } else {
            result += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    result += '"';
    return result;
}

}  // namespace sallyport::json
