#include "dialect.h"

#include <sallyport/json.h>

#include "answer_fields.h"
#include "anthropic_dialect.h"
#include "ollama_dialect.h"
#include "openai_dialect.h"

namespace sallyport::plugins::llm {

namespace {

/// The sentence of `{"error":{"message":…}}`, which OpenAI and Anthropic have, `{"error":"…"}` as Ollama's
/// is, and what other servers make of these; empty if there is none.
std::string errorSentence(std::string_view body) {
    try {
        const json::Object answer = json::Value::parse(body).object();
        for (std::string text : {textAt(objectAt(answer, "error"), "message"), textAt(answer, "error"),
                                 textAt(answer, "message"), textAt(answer, "detail")}) {
            if (!text.empty()) {
                return text;
            }
        }
    } catch (const json::ParseError&) {
        // An error page of something in between, as a rule.
    }
    return {};
}

bool isControl(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

}  // namespace

const char* name(ProviderType type) {
    switch (type) {
        case ProviderType::openai:
            return "openai";
        case ProviderType::anthropic:
            return "anthropic";
        case ProviderType::ollama:
            return "ollama";
        case ProviderType::echo:
            break;
    }
    return "echo";
}

const Dialect& dialect(ProviderType type) {
    static const OpenAiDialect openai;
    static const AnthropicDialect anthropic;
    static const OllamaDialect ollama;
    switch (type) {
        case ProviderType::openai:
            return openai;
        case ProviderType::anthropic:
            return anthropic;
        case ProviderType::ollama:
            return ollama;
        case ProviderType::echo:
            break;
    }
    throw std::invalid_argument("echo speaks no dialect");
}

std::string upstreamErrorText(std::string_view body) {
    constexpr std::size_t longest = 500;
    constexpr std::string_view digits = "0123456789abcdef";
    const std::string sentence = errorSentence(body);
    const std::string_view text = sentence.empty() ? body : std::string_view(sentence);
    std::string line;
    for (const char c : text.substr(0, longest)) {
        if (isControl(c)) {
            line += {'\\', 'x', digits[static_cast<unsigned char>(c) >> 4], digits[c & 0x0f]};
        } else {
            line += c;
        }
    }
    return text.size() > longest ? line + "…" : line;
}

}  // namespace sallyport::plugins::llm
