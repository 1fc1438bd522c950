#include "chat.h"

#include <sallyport/json_writer.h>

namespace sallyport::plugins::llm {

namespace {

void writeToolCalls(json::Writer& writer, const std::vector<ToolCall>& calls) {
    writer.beginArray();
    for (const ToolCall& call : calls) {
        writer.beginObject().member("id", call.id).member("name", call.name);
        writer.rawMember("arguments", call.arguments);
        if (call.reasoning) {
            writer.member("reasoning", *call.reasoning);
        }
        writer.endObject();
    }
    writer.endArray();
}

void writeToolCall(json::Writer& writer, const ToolCallDelta& piece) {
    writer.beginObject().member("index", piece.index);
    if (!piece.id.empty()) {
        writer.member("id", piece.id);
    }
    if (!piece.name.empty()) {
        writer.member("name", piece.name);
    }
    writer.member("arguments", piece.arguments).endObject();
}

void writeCompletion(json::Writer& writer, const Completion& completion, bool withTools) {
    writer.beginObject().key("content");
    if (completion.content || !withTools) {
        writer.string(completion.content.value_or(""));
    } else {
        writer.null();
    }
    if (withTools) {
        writer.key("tool_calls");
        writeToolCalls(writer, completion.toolCalls);
    }
    const Usage& usage = completion.usage;
    writer.member("input_tokens", usage.input).member("output_tokens", usage.output);
    writer.member("finish_reason", name(completion.finish));
    writer.member("cache_read_input_tokens", usage.cacheRead);
    writer.member("cache_creation_input_tokens", usage.cacheWrite).endObject();
}

/// @param write appends the data.
template <class Write>
std::string serverSentEvent(const char* type, Write write) {
    std::string text = std::string("event: ") + type + "\ndata: ";
    json::Writer writer(text);
    write(writer);
    return text + "\n\n";
}

}  // namespace

const char* name(FinishReason reason) {
    switch (reason) {
        case FinishReason::stop:
            return "stop";
        case FinishReason::length:
            return "length";
        case FinishReason::toolUse:
            return "tool_use";
        case FinishReason::contentFilter:
            return "content_filter";
        case FinishReason::unknown:
            break;
    }
    return "unknown";
}

std::string completionJson(const Completion& completion, bool withTools) {
    std::string text;
    json::Writer writer(text);
    writeCompletion(writer, completion, withTools);
    return text;
}

std::string deltaEvent(const Delta& delta) {
    return serverSentEvent("delta", [&](json::Writer& writer) {
        writer.beginObject();
        if (delta.toolCall) {
            writer.key("tool_call");
            writeToolCall(writer, *delta.toolCall);
        } else {
            writer.member("content", delta.text);
        }
        writer.endObject();
    });
}

std::string completionEvent(const Completion& completion, bool withTools) {
    return serverSentEvent("completion",
                           [&](json::Writer& writer) { writeCompletion(writer, completion, withTools); });
}

std::string errorEvent(std::string_view code, std::string_view message) {
    return serverSentEvent("error", [&](json::Writer& writer) {
        writer.beginObject().key("error").beginObject();
        writer.member("code", code).member("message", message).endObject().endObject();
    });
}

}  // namespace sallyport::plugins::llm
