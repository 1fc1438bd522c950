#include <cerrno>
#include <cstring>
#include <system_error>

#include <unistd.h>

#include <sallyport/ascii.h>
#include <sallyport/job_id.h>

#include "hex.h"

namespace sallyport {

namespace {

constexpr std::size_t hyphenatedLength = 36;
constexpr std::size_t simpleLength = 32;
constexpr std::string_view urn = "urn:uuid:";

bool isHyphenPlace(std::size_t index) {
    return index == 8 || index == 13 || index == 18 || index == 23;
}

std::optional<JobId> parseDigits(std::string_view text, bool hyphenated) {
    JobId::Bytes bytes{};
    std::size_t digits = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (hyphenated && isHyphenPlace(i)) {
            if (text[i] != '-') {
                return std::nullopt;
            }
            continue;
        }
        const int digit = hexDigit(text[i]);
        if (digit < 0) {
            return std::nullopt;
        }
        bytes[digits / 2] = static_cast<std::uint8_t>(bytes[digits / 2] << 4 | digit);
        ++digits;
    }
    return JobId(bytes);
}

}  // namespace

std::optional<JobId> JobId::parse(std::string_view text) {
    switch (text.size()) {
        case simpleLength:
            return parseDigits(text, false);
        case hyphenatedLength:
            return parseDigits(text, true);
        case hyphenatedLength + 2:
            if (text.front() == '{' && text.back() == '}') {
                return parseDigits(text.substr(1, hyphenatedLength), true);
            }
            return std::nullopt;
        case hyphenatedLength + urn.size():
            if (ascii::equalsIgnoringCase(text.substr(0, urn.size()), urn)) {
                return parseDigits(text.substr(urn.size()), true);
            }
            return std::nullopt;
        default:
            return std::nullopt;
    }
}

JobId JobId::random() {
    Bytes bytes{};
    if (::getentropy(bytes.data(), bytes.size()) != 0) {
        throw std::system_error(errno, std::generic_category(), "getentropy");
    }
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);  // the variant of RFC 9562
    return JobId(bytes);
}

std::string JobId::str() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text(hyphenatedLength, '-');
    std::size_t at = 0;
    for (const std::uint8_t byte : bytes_) {
        if (isHyphenPlace(at)) {
            ++at;
        }
        text[at++] = digits[byte >> 4];
        text[at++] = digits[byte & 0x0f];
    }
    return text;
}

}  // namespace sallyport

std::size_t std::hash<sallyport::JobId>::operator()(const sallyport::JobId& id) const noexcept {
    // The bytes are random already: folding them is all the mixing they need.
    std::uint64_t halves[2];
    std::memcpy(halves, id.bytes().data(), sizeof(halves));
    return halves[0] ^ halves[1];
}
