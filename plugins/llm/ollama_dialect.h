// Ollama's own chat API.
#pragma once

#include "dialect.h"

namespace sallyport::plugins::llm {

/// | llm/complete | /api/chat |
/// | --- | --- |
/// | `content`, text parts | `content`, one string |
/// | images | `images`: base64 alone, so that they must be data URLs |
/// | `tool_calls[].arguments` | `function.arguments`, the object itself |
/// | a tool's result | a message of the role `tool` with `tool_name` |
/// | `tool_choice` none | no tools are sent; Ollama knows no other choice |
/// | `max_tokens`, `temperature`, `stop_sequences` | `options`: `num_predict`, `temperature`, `stop` |
class OllamaDialect final : public Dialect {
public:
    [[nodiscard]] std::string path() const override { return "/api/chat"; }
    [[nodiscard]] std::string body(const ChatRequest& request, const BodyOptions& options) const override;
    [[nodiscard]] Completion parse(std::string_view answer) const override;
    [[nodiscard]] std::unique_ptr<StreamDecoder> decoder() const override;
    [[nodiscard]] std::string_view keyHeader() const override { return "Authorization: Bearer "; }
    [[nodiscard]] std::vector<std::string> headers() const override { return {}; }
};

}  // namespace sallyport::plugins::llm
