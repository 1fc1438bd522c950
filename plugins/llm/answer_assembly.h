// Putting an answer together from the pieces of a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chat.h"
#include "dialect.h"

namespace sallyport::plugins::llm {

/// A model's answer while it comes in. Every piece is handed on to the sink at once. [one thread at a time]
class AnswerAssembly {
public:
    void addText(std::string_view text, const StreamDecoder::Sink& sink);

    /// A tool call begins, or goes on if there is one under that key: the provider's own number for it.
    /// @param id one is made up when the provider gives none. @throws BadAnswer for too many calls
    void addToolCall(std::int64_t key, std::string_view id, std::string_view name,
                     const StreamDecoder::Sink& sink);
    /// A piece of the arguments of a call that has begun. @throws BadAnswer if none has
    void addArguments(std::int64_t key, std::string_view piece, const StreamDecoder::Sink& sink);

    [[nodiscard]] bool hasToolCall(std::int64_t key) const { return indexOf(key) < calls_.size(); }
    [[nodiscard]] std::size_t toolCallCount() const noexcept { return calls_.size(); }

    /// The tokens of what has come so far, estimated.
    [[nodiscard]] std::int64_t estimatedOutput() const;

    /// What was put together. @throws BadAnswer if the arguments of a call are no JSON object
    [[nodiscard]] Completion take();

private:
    struct Call {
        std::int64_t key = 0;
        ToolCall call;
    };

    [[nodiscard]] std::size_t indexOf(std::int64_t key) const;

    std::string text_;
    std::vector<Call> calls_;
    std::size_t argumentBytes_ = 0;
};

/// A tool call's arguments as the text of a JSON object. An empty text means one without members.
/// @throws BadAnswer if it is anything else
[[nodiscard]] std::string argumentsObject(std::string_view text, std::string_view tool);

/// What an answer may have cost whose provider does not say: its output alone, by its size.
[[nodiscard]] Usage estimatedUsage(const Completion& completion);

/// An identifier for a tool call to which the provider gave none.
[[nodiscard]] std::string newToolCallId();

}  // namespace sallyport::plugins::llm
