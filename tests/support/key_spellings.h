// How a server may repeat a key that it was given.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::tests {

struct KeySpelling {
    std::string how;   ///< for the message of a failure
    std::string text;  ///< of printable ASCII characters, and fit to stand in a JSON string as it is
};

/// The key as it is, escaped for JSON, URLs, pages and programs, wholly and in part, in either letter case,
/// once and twice, in hex, and in base64 of both alphabets alone and behind other bytes.
std::vector<KeySpelling> spellingsOf(std::string_view key);

/// Base64 by RFC 4648, without padding.
std::string base64(std::string_view text, bool forUrls = false);

}  // namespace sallyport::tests
