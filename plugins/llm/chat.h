// What a model answers, whoever the provider is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::plugins::llm {

/// The tokens of one call, each count from 0 to 2^32-1.
struct Usage {
    std::int64_t input = 0;  ///< all of the prompt, `cacheRead` and `cacheWrite` included
    std::int64_t output = 0;
    std::int64_t cacheRead = 0;   ///< read from the provider's prompt cache
    std::int64_t cacheWrite = 0;  ///< written into it

    bool operator==(const Usage&) const = default;
};

enum class FinishReason { stop, length, toolUse, contentFilter, unknown };

/// As CONTRACT §3 spells it: `stop`, `length`, `tool_use`, `content_filter` or `unknown`.
[[nodiscard]] const char* name(FinishReason reason);

/// A tool that the model asks for.
struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments;  ///< the text of a JSON object
    std::optional<std::string> reasoning{};
};

/// A whole answer.
struct Completion {
    std::optional<std::string> content{};
    std::vector<ToolCall> toolCalls{};
    Usage usage{};
    FinishReason finish = FinishReason::unknown;
    std::string model{};  ///< that answered, as the provider names it
};

/// A piece of a tool call. The pieces of `arguments` that share an index make up the text of one JSON object.
struct ToolCallDelta {
    std::size_t index = 0;  ///< of the call in Completion::toolCalls
    std::string id{};       ///< in the first piece of a call
    std::string name{};     ///< likewise
    std::string arguments{};
};

/// A piece of an answer: of its text, or of a tool call.
struct Delta {
    std::string text{};
    std::optional<ToolCallDelta> toolCall{};
};

/// The answer of `llm/complete`, or of `llm/complete_with_tools`. Without tools, `content` is never null.
[[nodiscard]] std::string completionJson(const Completion& completion, bool withTools);

// --- The same answers as a stream (text/event-stream) ---------------------------------------------------

/// `event: delta` with `{"content":"…"}` or `{"tool_call":{"index","id"?,"name"?,"arguments"}}`.
[[nodiscard]] std::string deltaEvent(const Delta& delta);
/// `event: completion`, the last one, with what `completionJson` gives.
[[nodiscard]] std::string completionEvent(const Completion& completion, bool withTools);
/// `event: error`, the last one of a stream that failed, with the error body of CONTRACT §1.
[[nodiscard]] std::string errorEvent(std::string_view code, std::string_view message);

}  // namespace sallyport::plugins::llm
