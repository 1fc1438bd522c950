#include "tests/support/key_spellings.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <utility>

namespace sallyport::tests {

namespace {

std::string formatted(const char* format, char c) {
    std::array<char, 32> text{};
    // NOLINTNEXTLINE(cert-err33-c): the formats are those below
    std::snprintf(text.data(), text.size(), format, static_cast<unsigned char>(c));
    return text.data();
}

/// Each character for which `chosen` says so written another way.
std::string written(std::string_view key, const std::function<bool(std::size_t)>& chosen,
                    const char* format) {
    std::string text;
    for (std::size_t i = 0; i < key.size(); ++i) {
        text += chosen(i) ? formatted(format, key[i]) : std::string(1, key[i]);
    }
    return text;
}

}  // namespace

std::vector<KeySpelling> spellingsOf(std::string_view key) {
    const std::string plain(key);
    std::vector<KeySpelling> all = {{"as it is", plain}, {"behind its scheme", "Bearer " + plain}};
    const std::pair<const char*, const char*> escapes[] = {{"JSON", "\\u%04x"},
                                                           {"JSON in capitals", "\\u%04X"},
                                                           {"JSON twice", "\\\\u%04x"},
                                                           {"URL", "%%%02x"},
                                                           {"URL in capitals", "%%%02X"},
                                                           {"URL twice", "%%25%02x"},
                                                           {"URL in JSON", "\\u0025%02x"},
                                                           {"HTML", "&#%d;"},
                                                           {"HTML in hex", "&#x%x;"},
                                                           {"HTML twice", "&amp;#%d;"},
                                                           {"a program in JSON", "\\\\x%02x"}};
    for (const auto& [how, format] : escapes) {
        all.push_back({std::string("all for ") + how, written(
                                                          key, [](std::size_t) { return true; }, format)});
        all.push_back(
            {std::string("half for ") + how, written(
                                                 key, [](std::size_t i) { return i % 2 == 1; }, format)});
        all.push_back({std::string("one for ") + how,
                       written(
                           key, [&](std::size_t i) { return i == key.size() / 2; }, format)});
    }
    const auto always = [](std::size_t) { return true; };
    all.push_back({"hex", written(key, always, "%02x")});
    all.push_back({"hex in capitals", written(key, always, "%02X")});
    for (const std::string prefix : {"", "a", "ab", "user:", "Bearer ", "Authorization: Bearer "}) {
        for (const bool forUrls : {false, true}) {
            all.push_back({"base64 behind '" + prefix + "'", base64(prefix + plain + "\n", forUrls)});
        }
    }
    const std::string encoded = base64("x:" + plain);
    all.push_back({"base64 for a URL",
                   written(
                       encoded, [&](std::size_t i) { return encoded[i] == '/' || i == 9; }, "%%%02X")});
    return all;
}

std::string base64(std::string_view text, bool forUrls) {
    const std::string_view alphabet =
        forUrls ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string encoded;
    unsigned bits = 0;
    int count = 0;
    for (const char c : text) {
        bits = (bits << 8U | static_cast<unsigned char>(c)) & 0xffffU;
        for (count += 8; count >= 6; count -= 6) {
            encoded += alphabet[bits >> static_cast<unsigned>(count - 6) & 0x3fU];
        }
    }
    if (count > 0) {
        encoded += alphabet[bits << static_cast<unsigned>(6 - count) & 0x3fU];
    }
    return encoded;
}

}  // namespace sallyport::tests
