// What the providers' answers, whole or streamed, and the pass-through of both have in common.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/json.h>

#include "chat.h"

namespace sallyport::plugins::llm {

// --- Members of an answer: what is missing or has the wrong type reads as empty -------------------------

/// The object at `name`; one without members if there is none.
[[nodiscard]] json::Object objectAt(const json::Object& object, std::string_view name);
/// The elements of the array at `name`.
[[nodiscard]] std::vector<json::Value> elementsAt(const json::Object& object, std::string_view name);
[[nodiscard]] std::string textAt(const json::Object& object, std::string_view name);
/// A count of tokens or the like, brought into the range that Usage has.
[[nodiscard]] std::int64_t countAt(const json::Object& object, std::string_view name);
/// Whether there is such a member and it is an object.
[[nodiscard]] bool hasObject(const json::Object& object, std::string_view name);

/// A whole answer or event as an object. @throws BadAnswer with its beginning
[[nodiscard]] json::Object answerObject(std::string_view text);
/// For an answer that has `error` in it, whatever its status. @throws BadAnswer with the sentence
void requireNoError(const json::Object& answer, std::string_view text);

// --- Usage ----------------------------------------------------------------------------------------------

/// `usage` of Chat Completions and of embeddings.
[[nodiscard]] Usage chatUsage(const json::Object& usage);
/// `usage` of Responses.
[[nodiscard]] Usage responsesUsage(const json::Object& usage);
/// `usage` of Messages. In a stream it comes in two parts, and what the second leaves out stays as `before`.
[[nodiscard]] Usage messagesUsage(const json::Object& usage, const Usage& before = {});

// --- Why it ended ---------------------------------------------------------------------------------------

/// `finish_reason` of Chat Completions.
[[nodiscard]] FinishReason chatFinish(std::string_view reason);
/// `stop_reason` of Messages.
[[nodiscard]] FinishReason messagesFinish(std::string_view reason);
/// `done_reason` of Ollama.
[[nodiscard]] FinishReason ollamaFinish(std::string_view reason);
/// `status` and `incomplete_details.reason` of Responses; `toolUse` if one of `output` is a function call.
[[nodiscard]] FinishReason responsesFinish(const json::Object& response);

}  // namespace sallyport::plugins::llm
