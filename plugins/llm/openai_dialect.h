// OpenAI Chat Completions, and the many servers that speak it.
#pragma once

#include "dialect.h"

namespace sallyport::plugins::llm {

/// | llm/complete | Chat Completions |
/// | --- | --- |
/// | `content`, `content_parts` | `content`, a string or a list of `text` and `image_url` parts |
/// | `tool_calls[].arguments` | `function.arguments`, the object as a string |
/// | an orphaned tool result | a message of the user |
/// | `tools[]` | `{"type":"function","function":{…}}` |
/// | `tool_choice` | the same words |
/// | `max_tokens`, `stop_sequences` | `max_tokens` (or as BodyOptions says), `stop` |
class OpenAiDialect final : public Dialect {
public:
    [[nodiscard]] std::string path() const override { return "/chat/completions"; }
    [[nodiscard]] std::string body(const ChatRequest& request, const BodyOptions& options) const override;
    [[nodiscard]] Completion parse(std::string_view answer) const override;
    [[nodiscard]] std::unique_ptr<StreamDecoder> decoder() const override;
    [[nodiscard]] std::string_view keyHeader() const override { return "Authorization: Bearer "; }
    [[nodiscard]] std::vector<std::string> headers() const override { return {}; }
};

}  // namespace sallyport::plugins::llm
