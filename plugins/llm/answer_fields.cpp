#include "answer_fields.h"

#include <algorithm>
#include <limits>
#include <span>

#include <sallyport/json_reader.h>

#include "dialect.h"

namespace sallyport::plugins::llm {

namespace {

struct Mapping {
    std::string_view word;
    FinishReason reason;
};

// CONTRACT §3. Whatever is not in a table is `unknown`.
constexpr Mapping chatReasons[] = {{"stop", FinishReason::stop},
                                   {"length", FinishReason::length},
                                   {"tool_calls", FinishReason::toolUse},
                                   {"content_filter", FinishReason::contentFilter}};
constexpr Mapping messagesReasons[] = {{"end_turn", FinishReason::stop},
                                       {"stop_sequence", FinishReason::stop},
                                       {"max_tokens", FinishReason::length},
                                       {"tool_use", FinishReason::toolUse},
                                       {"refusal", FinishReason::contentFilter}};
constexpr Mapping ollamaReasons[] = {{"stop", FinishReason::stop}, {"length", FinishReason::length}};
constexpr Mapping incompleteReasons[] = {{"max_output_tokens", FinishReason::length},
                                         {"content_filter", FinishReason::contentFilter}};

FinishReason mapped(std::span<const Mapping> table, std::string_view word) {
    const auto found =
        std::find_if(table.begin(), table.end(), [&](const Mapping& entry) { return entry.word == word; });
    return found == table.end() ? FinishReason::unknown : found->reason;
}

/// Many more than any answer has.
constexpr std::size_t mostAnswerMembers = 1000;

/// @throws BadAnswer for too many
std::vector<json::Object::Member> membersOf(json::Reader& reader) {
    std::vector<json::Object::Member> members;
    reader.enterObject();
    while (const auto name = reader.nextMember()) {
        if (members.size() == mostAnswerMembers) {
            throw BadAnswer("the answer has more than " + std::to_string(mostAnswerMembers) + " members");
        }
        const json::Kind kind = reader.kind();
        std::string owned(*name);
        members.push_back({std::move(owned), json::Value(kind, reader.skip())});
    }
    return members;
}

constexpr std::int64_t mostTokens = std::numeric_limits<std::uint32_t>::max();

std::int64_t countAt(const json::Object& object, std::string_view name, std::int64_t fallback) {
    const json::Value* const value = object.find(name);
    const auto number = value == nullptr ? std::nullopt : value->integer();
    return number ? std::clamp<std::int64_t>(*number, 0, mostTokens) : fallback;
}

}  // namespace

json::Object objectAt(const json::Object& object, std::string_view name) {
    const json::Value* const value = object.find(name);
    return value == nullptr ? json::Object({}) : value->object();
}

std::vector<json::Value> elementsAt(const json::Object& object, std::string_view name) {
    const json::Value* const value = object.find(name);
    return value == nullptr ? std::vector<json::Value>() : value->elements();
}

std::string textAt(const json::Object& object, std::string_view name) {
    const json::Value* const value = object.find(name);
    return value == nullptr ? std::string() : value->string().value_or("");
}

std::int64_t countAt(const json::Object& object, std::string_view name) {
    return countAt(object, name, 0);
}

bool hasObject(const json::Object& object, std::string_view name) {
    const json::Value* const value = object.find(name);
    return value != nullptr && value->kind() == json::Kind::object;
}

json::Object answerObject(std::string_view text) {
    try {
        // Embeddings are millions of numbers, which are stepped over. The answer itself has few members.
        json::Reader reader(text, {.values = json::unlimited.values});
        if (reader.kind() == json::Kind::object) {
            json::Object object(membersOf(reader));
            reader.end();
            return object;
        }
        static_cast<void>(reader.skip());
        reader.end();
    } catch (const json::ParseError& error) {
        throw BadAnswer(std::string(error.what()) + ": " + upstreamErrorText(text));
    }
    throw BadAnswer("no JSON object: " + upstreamErrorText(text));
}

void requireNoError(const json::Object& answer, std::string_view text) {
    const json::Value* const error = answer.find("error");
    if (error != nullptr && error->kind() != json::Kind::null) {
        throw BadAnswer(upstreamErrorText(text));
    }
}

Usage chatUsage(const json::Object& usage) {
    Usage result;
    result.input = countAt(usage, "prompt_tokens");
    result.output = countAt(usage, "completion_tokens");
    // DeepSeek has a name of its own for what was read from the cache.
    result.cacheRead = countAt(objectAt(usage, "prompt_tokens_details"), "cached_tokens",
                               countAt(usage, "prompt_cache_hit_tokens"));
    return result;
}

Usage responsesUsage(const json::Object& usage) {
    Usage result;
    result.input = countAt(usage, "input_tokens");
    result.output = countAt(usage, "output_tokens");
    result.cacheRead = countAt(objectAt(usage, "input_tokens_details"), "cached_tokens");
    return result;
}

Usage messagesUsage(const json::Object& usage, const Usage& before) {
    const std::int64_t uncached = before.input - before.cacheRead - before.cacheWrite;
    Usage result;
    result.cacheRead = countAt(usage, "cache_read_input_tokens", before.cacheRead);
    result.cacheWrite = countAt(usage, "cache_creation_input_tokens", before.cacheWrite);
    result.input =
        std::min(countAt(usage, "input_tokens", uncached) + result.cacheRead + result.cacheWrite, mostTokens);
    result.output = countAt(usage, "output_tokens", before.output);
    return result;
}

FinishReason chatFinish(std::string_view reason) {
    return mapped(chatReasons, reason);
}

FinishReason messagesFinish(std::string_view reason) {
    return mapped(messagesReasons, reason);
}

FinishReason ollamaFinish(std::string_view reason) {
    return mapped(ollamaReasons, reason);
}

FinishReason responsesFinish(const json::Object& response) {
    if (textAt(response, "status") != "completed") {
        return mapped(incompleteReasons, textAt(objectAt(response, "incomplete_details"), "reason"));
    }
    const auto output = elementsAt(response, "output");
    const bool calls = std::any_of(output.begin(), output.end(), [](const json::Value& item) {
        return textAt(item.object(), "type") == "function_call";
    });
    return calls ? FinishReason::toolUse : FinishReason::stop;
}

}  // namespace sallyport::plugins::llm
