// Anthropic Messages.
#pragma once

#include "dialect.h"

namespace sallyport::plugins::llm {

/// | llm/complete | Messages |
/// | --- | --- |
/// | messages of the system | `system`, in order |
/// | consecutive messages of one side | one message; results of tools stand first in it |
/// | `content_parts` | `text` and `image` blocks: a data URL as `base64`, another as `url` |
/// | `tool_calls[]`, a tool's result | `tool_use`, `tool_result` |
/// | `tools[].parameters` | `input_schema` |
/// | `tool_choice` auto, required, none | `{"type":"auto"}`, `any`, `none` |
/// | `max_tokens`, `stop_sequences` | the same; the former is required here |
class AnthropicDialect final : public Dialect {
public:
    [[nodiscard]] std::string path() const override { return "/v1/messages"; }
    [[nodiscard]] std::string body(const ChatRequest& request, const BodyOptions& options) const override;
    [[nodiscard]] Completion parse(std::string_view answer) const override;
    [[nodiscard]] std::unique_ptr<StreamDecoder> decoder() const override;
    [[nodiscard]] std::string_view keyHeader() const override { return "x-api-key: "; }
    [[nodiscard]] std::vector<std::string> headers() const override {
        return {"anthropic-version: 2023-06-01"};
    }
};

}  // namespace sallyport::plugins::llm
