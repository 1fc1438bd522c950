// The endpoints llm/complete and llm/complete_with_tools.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sallyport/call.h>

#include "chat_request.h"
#include "translation.h"

namespace sallyport::plugins::llm {

/// What the operator decides of all requests to these endpoints.
struct ChatOptions {
    std::uint32_t defaultMaxTokens = 4096;
    std::string maxTokensName = "max_tokens";
    bool cachePrompts = false;
};

/// Speaks the language of Sallyport's own endpoints with the client, and each provider's with the provider.
/// With `Accept: text/event-stream` the answer is streamed.
class ChatTranslation final : public Translation {
public:
    /// @param call must outlive this. @throws RequestError 400 or 422
    ChatTranslation(const Call& call, const json::Limits& limits, bool withTools, const ChatOptions& options);

    [[nodiscard]] const std::string& endpoint() const override;
    [[nodiscard]] const std::optional<std::string>& model() const override { return request_.model; }
    [[nodiscard]] bool fits(ProviderType /*type*/) const override { return true; }
    [[nodiscard]] bool streams() const override { return streams_; }
    [[nodiscard]] UpstreamRequest request(const Provider& provider, const std::string& model,
                                          std::vector<std::string> dropped) const override;
    [[nodiscard]] std::unique_ptr<AnswerReader> reader(const Provider& provider,
                                                       const SecretMask& mask) const override;
    [[nodiscard]] EchoAnswer echo(Echo& echo, const JobId& job, const std::string& id) const override;
    [[nodiscard]] std::string brokenEvent(const RequestError& error) const override;
    [[nodiscard]] bool relaysRefusals() const override { return false; }

private:
    const ChatRequest request_;
    const ChatOptions& options_;
    const bool streams_;
};

}  // namespace sallyport::plugins::llm
