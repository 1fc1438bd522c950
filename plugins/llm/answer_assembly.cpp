#include "answer_assembly.h"

#include <random>

#include <sallyport/json.h>

#include "request_body.h"

namespace sallyport::plugins::llm {

namespace {

/// More than any model asks for in one answer.
constexpr std::size_t mostCalls = 512;

}  // namespace

void AnswerAssembly::addText(std::string_view text, const StreamDecoder::Sink& sink) {
    if (!text.empty()) {
        text_ += text;
        sink({std::string(text), {}});
    }
}

std::size_t AnswerAssembly::indexOf(std::int64_t key) const {
    std::size_t index = calls_.size();
    while (index > 0 && calls_[index - 1].key != key) {
        --index;
    }
    return index == 0 ? calls_.size() : index - 1;
}

void AnswerAssembly::addToolCall(std::int64_t key, std::string_view id, std::string_view name,
                                 const StreamDecoder::Sink& sink) {
    const std::size_t index = indexOf(key);
    if (index < calls_.size()) {
        // Some servers repeat both with every piece.
        return;
    }
    if (index == mostCalls) {
        throw BadAnswer("the answer has more than " + std::to_string(mostCalls) + " tool calls");
    }
    const ToolCall& call =
        calls_
            .emplace_back(Call{key, {id.empty() ? newToolCallId() : std::string(id), std::string(name), {}}})
            .call;
    sink({{}, ToolCallDelta{index, call.id, call.name, {}}});
}

void AnswerAssembly::addArguments(std::int64_t key, std::string_view piece, const StreamDecoder::Sink& sink) {
    if (piece.empty()) {
        return;
    }
    const std::size_t index = indexOf(key);
    if (index == calls_.size()) {
        throw BadAnswer("arguments of a tool call that did not begin");
    }
    calls_[index].call.arguments += piece;
    argumentBytes_ += piece.size();
    sink({{}, ToolCallDelta{index, {}, {}, std::string(piece)}});
}

std::int64_t AnswerAssembly::estimatedOutput() const {
    return estimatedTokens(text_.size() + argumentBytes_);
}

Completion AnswerAssembly::take() {
    Completion completion;
    if (!text_.empty() || calls_.empty()) {
        completion.content = std::move(text_);
    }
    for (Call& entry : calls_) {
        entry.call.arguments = argumentsObject(entry.call.arguments, entry.call.name);
        completion.toolCalls.push_back(std::move(entry.call));
    }
    return completion;
}

std::string argumentsObject(std::string_view text, std::string_view tool) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        return "{}";
    }
    try {
        if (const json::Value value = json::Value::parse(text); value.kind() == json::Kind::object) {
            return std::string(value.raw());
        }
    } catch (const json::ParseError&) {
        // Said below, as for any other value.
    }
    throw BadAnswer("the arguments of a call of the tool " + std::string(tool) + " are no JSON object");
}

Usage estimatedUsage(const Completion& completion) {
    std::size_t bytes = completion.content ? completion.content->size() : 0;
    for (const ToolCall& call : completion.toolCalls) {
        bytes += call.name.size() + call.arguments.size();
    }
    return {.output = estimatedTokens(bytes)};
}

std::string newToolCallId() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::random_device random;
    std::string id = "call_";
    for (int i = 0; i < 24; ++i) {
        id += digits[random() % digits.size()];
    }
    return id;
}

}  // namespace sallyport::plugins::llm
