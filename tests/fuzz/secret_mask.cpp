// A provider's key in its answers: in whatever text it stands, as it is or in pieces of a stream, it is not
// handed on.
#include "plugins/llm/secret_mask.h"

#include <algorithm>

#include "plugins/llm/stream_mask.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport::plugins::llm;
using sallyport::fuzz::Pieces;
using sallyport::fuzz::require;

constexpr std::string_view secret = "sk-Fuzz/+key_0123456789abcdefXYZ";

std::string inHex(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const char c : text) {
        hex += digits[static_cast<unsigned char>(c) >> 4];
        hex += digits[c & 0x0F];
    }
    return hex;
}

std::string inEscapes(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        escaped += "\\u00" + inHex({&c, 1});
    }
    return escaped;
}

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// What a reader of a stream sees whose events hold a few characters of one text each.
std::string streamed(const SecretMask& mask, std::string_view text) {
    StreamMask stream(mask);
    std::string seen;
    const auto pass = [&](std::string_view bytes) { seen += bytes; };
    for (Pieces pieces(text); !pieces.atEnd();) {
        const std::string_view piece = pieces.next();
        const TextPiece running{.channel = 1, .begin = 1, .size = piece.size()};
        stream.feed('"' + std::string(piece) + "\"\n", {&running, 1}, pass);
    }
    seen += stream.end();
    std::erase_if(seen, [](char c) { return c == '"' || c == '\n'; });
    return seen;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const SecretMask mask({secret});
    const std::string_view input = sallyport::fuzz::textOf(data, size);
    require(!has(mask.masked(std::string(input)), secret), "a key is masked wherever it stands");
    const std::string before(input.substr(0, size / 2));
    const std::string behind(input.substr(size / 2));
    for (const std::string& spelled : {std::string(secret), inHex(secret), inEscapes(secret)}) {
        require(!has(mask.masked(before + spelled + behind), spelled),
                "a key is masked, whatever is around it");
    }
    std::string plain = before + std::string(secret) + behind;
    std::erase_if(plain, [](char c) { return c < ' ' || c > '~' || c == '"' || c == '\\'; });
    require(!has(streamed(mask, plain), secret), "a key that comes in pieces is masked");
    return 0;
}
