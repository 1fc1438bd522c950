#include "secret_mask.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include <sallyport/ascii.h>
#include <sallyport/secret_text.h>

#include "provider.h"
#include "unescaped.h"

namespace sallyport::plugins::llm {

namespace {

constexpr std::size_t leastPart = 12;
/// A JSON text in a JSON text, in a URL, in a page: more layers than anybody writes by mistake.
constexpr int mostLayers = 5;
constexpr std::size_t gramSize = 4;
/// What begins an escape, and may itself be escaped.
constexpr std::string_view introducers = "\\%&";

/// Four characters, whatever their case.
std::uint32_t gramAt(std::string_view text, std::size_t at) {
    constexpr std::uint32_t toLower = 0x20202020;
    std::uint32_t gram = 0;
    std::memcpy(&gram, text.data() + at, gramSize);
    return gram | toLower;
}

/// Into 16 bits, by Knuth's multiplication.
std::size_t hash(std::uint32_t gram) {
    return (gram * std::uint32_t{2654435761}) >> 16U;
}

/// How much of a secret of that length gives it away.
std::size_t partOf(std::size_t size) {
    return std::min(size, std::max(leastPart, (size + 1) / 2));
}

bool isBase64Character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
           c == '/' || c == '-' || c == '_';
}

/// The characters of base64 that are due to the secret alone, with `before` other bytes (0 to 2) before it.
std::string base64Core(std::string_view secret, std::size_t before, std::string_view alphabet) {
    constexpr std::size_t bitsOfByte = 8;
    constexpr std::size_t bitsOfCharacter = 6;
    const std::size_t first = (before * bitsOfByte + bitsOfCharacter - 1) / bitsOfCharacter;
    const std::size_t end = (before + secret.size()) * bitsOfByte / bitsOfCharacter;
    std::string core;
    core.reserve(end - first);
    for (std::size_t i = first; i < end; ++i) {
        std::size_t digit = 0;
        for (std::size_t bit = i * bitsOfCharacter; bit < (i + 1) * bitsOfCharacter; ++bit) {
            const auto byte = static_cast<unsigned char>(secret[bit / bitsOfByte - before]);
            digit = digit << 1U | (byte >> (bitsOfByte - 1 - bit % bitsOfByte) & 1U);
        }
        core += alphabet[digit];
    }
    return core;
}

std::string hex(std::string_view secret) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * secret.size());
    for (const char c : secret) {
        text += digits[static_cast<unsigned char>(c) >> 4U];
        text += digits[static_cast<unsigned char>(c) & 0x0fU];
    }
    return text;
}

}  // namespace

Spelling::Spelling(std::string text, std::size_t part, bool ignoresCase, bool isBase64)
    : text_(std::move(text)),
      part_(part),
      ignoresCase_(ignoresCase),
      isBase64_(isBase64),
      borders_(text_.size() + 1) {
    for (std::size_t i = 1; i < text_.size(); ++i) {
        borders_[i + 1] = static_cast<std::uint16_t>(advance(borders_[i], text_[i]));
    }
}

Spelling::~Spelling() {
    wipe(text_);
}

bool Spelling::matches(std::size_t at, char c) const noexcept {
    return text_[at] == c || (ignoresCase_ && text_[at] == ascii::lower(c));
}

std::size_t Spelling::advance(std::size_t before, char c) const noexcept {
    while (before > 0 && (before == text_.size() || !matches(before, c))) {
        before = borders_[before];
    }
    return matches(before, c) ? before + 1 : 0;
}

SecretMask::SecretMask(const std::vector<std::string_view>& secrets) {
    for (const std::string_view secret : secrets) {
        if (secret.size() >= shortestKey) {
            spell(secret);
        }
    }
    if (!spellings_.empty()) {
        prepare();
    }
}

void SecretMask::spell(std::string_view secret) {
    const std::size_t part = partOf(secret.size());
    spellings_.emplace_back(std::string(secret), part, false, false);
    spellings_.emplace_back(hex(secret), 2 * part, true, false);
    addBase64(secret, part);
}

void SecretMask::addBase64(std::string_view secret, std::size_t part) {
    constexpr std::size_t alignments = 3;
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    constexpr std::string_view urlAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (std::size_t before = 0; before < alignments; ++before) {
        std::string core = base64Core(secret, before, alphabet);
        std::string urlCore = base64Core(secret, before, urlAlphabet);
        // A piece of so many bytes fills at least so many characters, wherever it begins.
        const std::size_t corePart = part == secret.size() ? core.size() : (8 * part - 10) / 6;
        if (urlCore != core) {
            spellings_.emplace_back(std::move(urlCore), corePart, false, true);
        }
        spellings_.emplace_back(std::move(core), corePart, false, true);
    }
}

void SecretMask::prepare() {
    stride_ = std::numeric_limits<std::size_t>::max();
    for (std::size_t i = 0; i < spellings_.size(); ++i) {
        const std::string_view text = spellings_[i].text();
        stride_ = std::min(stride_, spellings_[i].part() - gramSize + 1);
        longest_ = std::max(longest_, text.size());
        for (std::size_t at = 0; at + gramSize <= text.size(); ++at) {
            const std::uint32_t gram = gramAt(text, at);
            grams_.push_back({gram, static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(at)});
            known_.set(hash(gram));
        }
        for (const char c : text) {
            relevant_[static_cast<unsigned char>(c)] = true;
            hasBackslash_ = hasBackslash_ || c == '\\';
        }
    }
    std::sort(grams_.begin(), grams_.end(), [](const Gram& a, const Gram& b) { return a.folded < b.folded; });
    for (const char c : introducers) {
        relevant_[static_cast<unsigned char>(c)] = true;
    }
    for (char c = 'A'; c <= 'F'; ++c) {  // of hex
        relevant_[static_cast<unsigned char>(c)] = true;
    }
}

bool SecretMask::apply(std::string& text) const {
    const Spans spans = find(text);
    if (spans.empty()) {
        return false;
    }
    std::string result;
    result.reserve(text.size());
    std::size_t done = 0;
    for (const Span& span : spans) {
        result.append(text, done, span.begin - done).append(instead);
        done = span.end;
    }
    result.append(text, done);
    wipe(text);
    text = std::move(result);
    return true;
}

std::string SecretMask::masked(std::string text) const {
    apply(text);
    return text;
}

std::string SecretMask::maskedCut(std::string text) const {
    constexpr std::size_t leastBegun = 4;  // many begin alike
    constexpr std::string_view ellipsis = "…";
    apply(text);
    const std::size_t end = text.size() - (text.ends_with(ellipsis) ? ellipsis.size() : 0);
    std::size_t begun = 0;
    for (const Spelling& spelling : spellings_) {
        std::size_t reached = 0;
        for (std::size_t at = end - std::min(end, spelling.text().size()); at < end; ++at) {
            reached = spelling.advance(reached, text[at]);
        }
        begun = std::max(begun, reached);
    }
    if (begun >= leastBegun) {
        text.replace(end - begun, begun, instead);
    }
    return text;
}

/// Where there is something to mask: in order, and apart from each other.
SecretMask::Spans SecretMask::find(std::string_view text) const {
    Spans spans;
    if (spellings_.empty()) {
        return spans;
    }
    scan(text, [&](const Span& span) { spans.push_back(span); });
    // What is written with escapes has one at least so often; around each, and those near it, all are undone.
    constexpr std::size_t mostBackslashes = std::size_t{1} << mostLayers;
    const std::size_t reach = longest_ + mostBackslashes;
    Span near{0, 0};
    eachEscape(text, [&](std::size_t at) {
        if (near.end == 0 || at > near.end + reach) {
            findEscaped(text, near.begin, near.end, spans);
            near.begin = at - std::min(at, reach);
        }
        near.end = std::min(at + reach, text.size());
    });
    findEscaped(text, near.begin, near.end, spans);
    std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
    Spans merged;
    for (const Span& span : spans) {
        if (merged.empty() || span.begin >= merged.back().end) {
            merged.push_back(span);
        } else {
            merged.back().end = std::max(merged.back().end, span.end);
        }
    }
    return merged;
}

/// Finds what is not escaped. It looks only at every so many characters (Rabin and Karp): whatever is long
/// enough to be masked has one of the places in it.
template <class Found>
void SecretMask::scan(std::string_view text, Found found) const {
    std::size_t done = 0;
    for (std::size_t at = 0; at + gramSize <= text.size(); at += stride_) {
        if (at < done || !known_[hash(gramAt(text, at))]) {
            continue;
        }
        if (const Span span = around(text, at); span.end > 0) {
            found(span);
            done = span.end;
        }
    }
}

/// The longest piece of a secret around that place; an empty span if there is none.
SecretMask::Span SecretMask::around(std::string_view text, std::size_t at) const {
    const std::uint32_t wanted = gramAt(text, at);
    Span longest{0, 0};
    for (auto gram = std::lower_bound(grams_.begin(), grams_.end(), wanted,
                                      [](const Gram&g, std::uint32_t value) { return g.folded < value; });
         gram != grams_.end() && gram->folded == wanted; ++gram) {
        const Span span = extended(text, at, *gram);
        if (span.end - span.begin > longest.end - longest.begin) {
            longest = span;
        }
    }
    return longest;
}

SecretMask::Span SecretMask::extended(std::string_view text, std::size_t at, const Gram& gram) const {
    const Spelling& spelling = spellings_[gram.spelling];
    Span span{at, at};
    std::size_t first = gram.at;
    std::size_t end = first;
    while (end < spelling.text().size() && span.end < text.size() && spelling.matches(end, text[span.end])) {
        ++end;
        ++span.end;
    }
    while (first > 0 && span.begin > 0 && spelling.matches(first - 1, text[span.begin - 1])) {
        --first;
        --span.begin;
    }
    if (end - first < spelling.part()) {
        return {0, 0};
    }
    if (spelling.isBase64()) {
        span.begin -= span.begin > 0 && isBase64Character(text[span.begin - 1]) ? 1 : 0;
        span.end += span.end < text.size() && isBase64Character(text[span.end]) ? 1 : 0;
    }
    return span;
}

/// Calls `each` with the places, in order, at which an escape is that a secret could be written with.
template <class Each>
void SecretMask::eachEscape(std::string_view text, Each each) const {
    std::array<std::size_t, introducers.size()> next{};
    const auto advance = [&](std::size_t which, std::size_t from) {
        const void* const found =
            from < text.size() ? std::memchr(text.data() + from, introducers[which], text.size() - from)
                               : nullptr;
        next[which] = found == nullptr
                          ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    };
    for (std::size_t i = 0; i < next.size(); ++i) {
        advance(i, 0);
    }
    for (;;) {
        const auto first = std::min_element(next.begin(), next.end());
        if (*first == std::string_view::npos) {
            return;
        }
        std::size_t at = *first;
        while (text[at] == '\\' && at + 1 < text.size() && text[at + 1] == '\\') {
            ++at;  // to the last one: there are several before an escape of an inner layer
        }
        if (isOfInterest(text, at) || (hasBackslash_ && at > *first)) {
            each(at);
        }
        advance(static_cast<std::size_t>(first - next.begin()), at + 1);
    }
}

/// Whether an escape that goes on so may be of interest. Most, such as `\n` and `\"`, are not.
bool SecretMask::matters(char afterBackslash) const {
    switch (afterBackslash) {
        case 'u':
        case 'x':
        case '0':
        case '1':
            return true;
        case '"':
        case '/':
        case '\'':
            return relevant_[static_cast<unsigned char>(afterBackslash)];
        default:
            return false;
    }
}

bool SecretMask::isOfInterest(std::string_view text, std::size_t at) const {
    if (text[at] == '\\' && at + 1 < text.size() && !matters(text[at + 1])) {
        return false;
    }
    const Escape escape = escapeAt(text, at);
    return escape.escaped && relevant_[static_cast<unsigned char>(escape.value)];
}

/// Finds what is escaped, in a part of the text.
void SecretMask::findEscaped(std::string_view text, std::size_t begin, std::size_t end, Spans& spans) const {
    Unescaped part(text, begin, end);
    for (int layer = 0; layer < mostLayers && part.undo(); ++layer) {
        scan(part.text(), [&](const Span& span) {
            spans.push_back({part.origin(span.begin), part.origin(span.end)});
        });
    }
}

}  // namespace sallyport::plugins::llm
