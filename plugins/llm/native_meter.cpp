#include <algorithm>
#include <functional>

#include <sallyport/json.h>

#include "answer_fields.h"
#include "native.h"
#include "request_body.h"

namespace sallyport::plugins::llm {

NativeMeter::NativeMeter(NativeEndpoint endpoint, std::int64_t estimatedInput, bool hideUsage)
    : endpoint_(endpoint), estimatedInput_(estimatedInput), hideUsage_(hideUsage) {}

void NativeMeter::feed(std::string_view bytes, const Pass& pass) {
    passed_.clear();
    pieces_.clear();
    reader_.feed(bytes, [&](const SseBlock& block) {
        const std::size_t before = pieces_.size();
        block_ = block.raw;
        if (look(block)) {
            passed_ += block.raw;
        } else {
            pieces_.resize(before);
        }
    });
    if (!passed_.empty()) {
        pass(passed_);
    }
}

void NativeMeter::whole(std::string_view answer) {
    lookAtAnswer(answerObject(answer));
    complete_ = true;
}

bool NativeMeter::look(const SseBlock& block) {
    if (!block.dispatched) {
        return true;
    }
    if (block.data == "[DONE]") {
        complete_ = true;
        return true;
    }
    try {
        const json::Object event = json::Value::parse(block.data).object();
        if (endpoint_ == NativeEndpoint::messages) {
            lookAtMessageEvent(event);
        } else if (endpoint_ == NativeEndpoint::responses) {
            lookAtResponseEvent(event);
        } else {
            return lookAtChunk(event);
        }
    } catch (const json::ParseError&) {
        // Nothing to be counted.
    }
    return true;
}

bool NativeMeter::lookAtChunk(const json::Object& chunk) {
    const bool tellsUsage = hasObject(chunk, "usage");
    if (tellsUsage) {
        told_ = chatUsage(objectAt(chunk, "usage"));
        outputTold_ = true;
    }
    if (model_.empty()) {
        model_ = textAt(chunk, "model");
    }
    // The provider itself has said that it is over.
    complete_ = complete_ || hasObject(chunk, "error");
    const auto choices = elementsAt(chunk, "choices");
    for (const json::Value& element : choices) {
        const json::Object choice = element.object();
        const json::Object delta = objectAt(choice, "delta");
        const std::int64_t index = countAt(choice, "index");
        notePieces(delta, index);
        countPiece(delta, "content");
        countPiece(delta, "reasoning_content");
        for (const json::Value& call : elementsAt(delta, "tool_calls")) {
            const json::Object function = objectAt(call.object(), "function");
            countPiece(function, "arguments");
            notePieces(function, (index << 32) + countAt(call.object(), "index"));
        }
        if (const std::string reason = textAt(choice, "finish_reason"); !reason.empty()) {
            finish_ = chatFinish(reason);
            complete_ = true;
        }
    }
    return !(hideUsage_ && tellsUsage && choices.empty());
}

void NativeMeter::lookAtResponseEvent(const json::Object& event) {
    const std::string type = textAt(event, "type");
    if (type.ends_with(".delta")) {
        countPiece(event, "delta");
        for (const json::Object::Member& member : event.members()) {
            if (member.name == "delta") {
                notePiece(member, countAt(event, "output_index"));
            }
        }
    } else if (type == "error") {
        complete_ = true;
    } else if (hasObject(event, "response")) {
        lookAtResponse(objectAt(event, "response"));
        complete_ = complete_ || type == "response.completed" || type == "response.incomplete" ||
                    type == "response.failed";
    }
}

void NativeMeter::lookAtMessageEvent(const json::Object& event) {
    const std::string type = textAt(event, "type");
    if (type == "content_block_delta") {
        const json::Object delta = objectAt(event, "delta");
        notePieces(delta, countAt(event, "index"));
        countPiece(delta, "text");
        countPiece(delta, "thinking");
        countPiece(delta, "partial_json");
    } else if (type == "message_start") {
        const json::Object message = objectAt(event, "message");
        model_ = textAt(message, "model");
        if (hasObject(message, "usage")) {
            told_ = messagesUsage(objectAt(message, "usage"));
        }
    } else if (type == "message_delta") {
        finish_ = messagesFinish(textAt(objectAt(event, "delta"), "stop_reason"));
        if (hasObject(event, "usage")) {
            told_ = messagesUsage(objectAt(event, "usage"), told_.value_or(Usage{}));
            outputTold_ = true;
        }
    } else if (type == "message_stop" || type == "error") {
        complete_ = true;
    }
}

void NativeMeter::lookAtAnswer(const json::Object& answer) {
    switch (endpoint_) {
        case NativeEndpoint::responses:
            lookAtResponse(answer);
            return;
        case NativeEndpoint::countTokens:
            // It is free, and its answer is no usage.
            told_ = Usage{};
            outputTold_ = true;
            return;
        case NativeEndpoint::messages:
            finish_ = messagesFinish(textAt(answer, "stop_reason"));
            for (const json::Value& block : elementsAt(answer, "content")) {
                countPiece(block.object(), "text");
                countPiece(block.object(), "input");
            }
            break;
        case NativeEndpoint::chatCompletions:
        case NativeEndpoint::embeddings:
            for (const json::Value& choice : elementsAt(answer, "choices")) {
                finish_ = chatFinish(textAt(choice.object(), "finish_reason"));
                countPiece(choice.object(), "message");
            }
            break;
    }
    model_ = textAt(answer, "model");
    if (hasObject(answer, "usage")) {
        const json::Object usage = objectAt(answer, "usage");
        told_ = endpoint_ == NativeEndpoint::messages ? messagesUsage(usage) : chatUsage(usage);
        outputTold_ = true;
    }
}

void NativeMeter::lookAtResponse(const json::Object& response) {
    if (model_.empty()) {
        model_ = textAt(response, "model");
    }
    finish_ = responsesFinish(response);
    if (hasObject(response, "usage")) {
        told_ = responsesUsage(objectAt(response, "usage"));
        outputTold_ = true;
    }
}

void NativeMeter::countPiece(const json::Object& object, std::string_view name) {
    constexpr std::size_t quotes = 2;
    const json::Value* const piece = object.find(name);
    if (piece != nullptr && piece->kind() != json::Kind::null && piece->raw().size() > quotes) {
        estimatedOutput_ += estimatedTokens(piece->raw().size() - quotes);
    }
}

/// Every string of a delta may be a piece of a text, but for what says which delta it is.
void NativeMeter::notePieces(const json::Object& delta, std::int64_t index) {
    for (const json::Object::Member& member : delta.members()) {
        if (member.name != "type" && member.name != "role") {
            notePiece(member, index);
        }
    }
}

/// Data that was joined out of several lines has no place in the bytes.
void NativeMeter::notePiece(const json::Object::Member& member, std::int64_t index) {
    constexpr std::size_t quotes = 2;
    const std::string_view raw = member.value.raw();
    const std::less_equal<> notAfter;
    if (member.value.kind() == json::Kind::string && raw.size() > quotes &&
        notAfter(block_.data(), raw.data()) &&
        notAfter(raw.data() + raw.size(), block_.data() + block_.size())) {
        const auto offset = static_cast<std::size_t>(raw.data() - block_.data());
        pieces_.push_back({.channel = std::hash<std::string>()(member.name) + static_cast<std::size_t>(index),
                           .begin = passed_.size() + offset + 1,
                           .size = raw.size() - quotes});
    }
}

Usage NativeMeter::usage() const {
    Usage usage = told_.value_or(Usage{.input = estimatedInput_});
    if (!outputTold_) {
        usage.output = std::max(usage.output, estimatedOutput_);
    }
    return usage;
}

}  // namespace sallyport::plugins::llm
