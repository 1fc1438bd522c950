#include "request_body.h"

#include <algorithm>
#include <string>

namespace sallyport::plugins::llm {

void requireJson(std::string_view body, const json::Limits& limits) {
    try {
        static_cast<void>(json::Value::parse(body, limits));
    } catch (const json::ParseError& error) {
        throw json::refusal(error);
    }
}

void requireModelName(std::string_view model) {
    constexpr std::size_t longest = 256;
    const bool printable = std::none_of(model.begin(), model.end(), [](char c) {
        return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
    });
    if (model.size() > longest || !printable) {
        throw invalidField(
            "model", "must have at most " + std::to_string(longest) + " bytes and no control characters");
    }
}

std::int64_t estimatedTokens(std::size_t textBytes) {
    constexpr std::size_t bytesPerToken = 4;
    return static_cast<std::int64_t>((textBytes + bytesPerToken - 1) / bytesPerToken);
}

}  // namespace sallyport::plugins::llm
