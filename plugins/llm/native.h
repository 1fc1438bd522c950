// Pass-through of the providers' own APIs: what has to be known of a request, what policy changes in it, and
// what its answer says about usage. Everything else goes through byte for byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/json.h>

#include "chat.h"
#include "dialect.h"
#include "sse_reader.h"
#include "stream_mask.h"

namespace sallyport::plugins::llm {

/// The endpoints whose requests have a body.
enum class NativeEndpoint {
    chatCompletions,  ///< OpenAI `chat/completions`
    responses,        ///< OpenAI `responses`
    embeddings,       ///< OpenAI `embeddings`
    messages,         ///< Anthropic `messages`
    countTokens       ///< Anthropic `messages/count_tokens`; it costs nothing
};

/// `openai` or `anthropic`.
[[nodiscard]] ProviderType providerType(NativeEndpoint endpoint);
/// What follows the provider's base URL: `/chat/completions`, `/v1/messages`, …
[[nodiscard]] std::string_view path(NativeEndpoint endpoint);

/// A request as far as policy is concerned. It refers to its body.
struct NativeRequest {
    /// Where a member of the body's object stands: from the quotation mark of its name to the end of its
    /// value.
    struct Member {
        std::string name;
        std::size_t begin = 0;
        std::size_t value = 0;
        std::size_t end = 0;
    };

    NativeEndpoint endpoint{};
    std::string_view body{};
    std::vector<Member> members{};
    std::optional<std::string> model{};
    bool stream = false;
    bool usageAsked = false;          ///< chatCompletions: `stream_options.include_usage` is true
    std::int64_t estimatedInput = 0;  ///< as in ChatRequest
};

/// Looks at a request. Besides what is no JSON object, it refuses all by which a body could mean one model to
/// us and another to the upstream: members that matter given twice, or in other letter case.
/// @throws RequestError 400 or 422
[[nodiscard]] NativeRequest inspect(NativeEndpoint endpoint, std::string_view body,
                                    const json::Limits& limits = {});

struct Rewrite {
    std::string model{};  ///< the provider's name for it; empty: as it was asked for
    /// Members to leave out, but never `model` and `stream`.
    std::vector<std::string> dropped{};
    /// Has a stream of chatCompletions end with its usage, as others do anyway.
    bool addUsage = false;
};

/// The body with these changes and no others.
[[nodiscard]] std::string rewritten(const NativeRequest& request, const Rewrite& rewrite);

/// Counts what an answer used, and hands on the bytes that are the client's. [one thread at a time]
class NativeMeter {
public:
    using Pass = std::function<void(std::string_view)>;

    /// @param hideUsage the chunk with nothing but the usage was not asked for by the client, and is left
    /// out.
    NativeMeter(NativeEndpoint endpoint, std::int64_t estimatedInput, bool hideUsage = false);

    /// The next bytes of a stream, cut anywhere. The blocks that they complete are passed on, unchanged and
    /// together. An event that is no JSON is passed on too: the client will know what to do.
    /// @throws SseTooLarge
    void feed(std::string_view bytes, const Pass& pass);
    /// Where the bytes that are being passed on have running text. Valid inside `pass`.
    [[nodiscard]] const std::vector<TextPiece>& pieces() const noexcept { return pieces_; }
    /// A whole JSON answer. @throws BadAnswer if it is no JSON object
    void whole(std::string_view answer);

    /// Whether the answer came to its end, as the API marks it.
    [[nodiscard]] bool complete() const noexcept { return complete_; }
    /// Whether the stream stopped inside a block; that part was not passed on.
    [[nodiscard]] bool midBlock() const noexcept { return reader_.midBlock(); }
    /// The bytes of that part.
    [[nodiscard]] std::size_t waiting() const noexcept { return reader_.waiting(); }
    /// The provider's own counts where there are any, and estimates for what it did not tell.
    [[nodiscard]] Usage usage() const;
    [[nodiscard]] FinishReason finish() const noexcept { return finish_; }
    /// As the provider names it; empty if it did not say.
    [[nodiscard]] const std::string& model() const noexcept { return model_; }

private:
    /// @return whether the block is the client's
    bool look(const SseBlock& block);
    bool lookAtChunk(const json::Object& chunk);
    void lookAtResponseEvent(const json::Object& event);
    void lookAtMessageEvent(const json::Object& event);
    void lookAtAnswer(const json::Object& answer);
    void lookAtResponse(const json::Object& response);
    void countPiece(const json::Object& object, std::string_view name);
    void notePieces(const json::Object& delta, std::int64_t index);
    void notePiece(const json::Object::Member& member, std::int64_t index);

    const NativeEndpoint endpoint_;
    const std::int64_t estimatedInput_;
    const bool hideUsage_;
    SseReader reader_{maxEventSize};
    std::string passed_;  ///< the blocks of one piece
    std::vector<TextPiece> pieces_;
    std::string_view block_;  ///< that is being looked at
    std::optional<Usage> told_;
    bool outputTold_ = false;
    std::int64_t estimatedOutput_ = 0;
    FinishReason finish_ = FinishReason::unknown;
    std::string model_;
    bool complete_ = false;
};

/// An error body as the API has it, with the machine word that CONTRACT §1 asks for.
[[nodiscard]] std::string nativeError(ProviderType type, int status, std::string_view code,
                                      std::string_view message);
/// The event that ends a stream which can no longer succeed.
[[nodiscard]] std::string streamError(NativeEndpoint endpoint, std::string_view code,
                                      std::string_view message);

}  // namespace sallyport::plugins::llm
