#include "chat.h"

#include <sallyport/json.h>

namespace sallyport::plugins::llm {

namespace {

std::string toolCallsJson(const std::vector<ToolCall>& calls) {
    std::string json = "[";
    for (const ToolCall& call : calls) {
        json += json.size() > 1 ? "," : "";
        json += R"({"id":)" + json::quote(call.id) + R"(,"name":)" + json::quote(call.name) +
                R"(,"arguments":)" + call.arguments;
        if (call.reasoning) {
            json += R"(,"reasoning":)" + json::quote(*call.reasoning);
        }
        json += '}';
    }
    return json + ']';
}

std::string serverSentEvent(const char* type, const std::string& data) {
    return std::string("event: ") + type + "\ndata: " + data + "\n\n";
}

std::string toolCallJson(const ToolCallDelta& piece) {
    std::string json = R"({"index":)" + std::to_string(piece.index);
    if (!piece.id.empty()) {
        json += R"(,"id":)" + json::quote(piece.id);
    }
    if (!piece.name.empty()) {
        json += R"(,"name":)" + json::quote(piece.name);
    }
    return json + R"(,"arguments":)" + json::quote(piece.arguments) + '}';
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
    std::string json = R"({"content":)";
    if (completion.content || !withTools) {
        json += json::quote(completion.content.value_or(""));
    } else {
        json += "null";
    }
    if (withTools) {
        json += R"(,"tool_calls":)" + toolCallsJson(completion.toolCalls);
    }
    const Usage& usage = completion.usage;
    json += R"(,"input_tokens":)" + std::to_string(usage.input);
    json += R"(,"output_tokens":)" + std::to_string(usage.output);
    json += R"(,"finish_reason":")" + std::string(name(completion.finish)) + '"';
    json += R"(,"cache_read_input_tokens":)" + std::to_string(usage.cacheRead);
    json += R"(,"cache_creation_input_tokens":)" + std::to_string(usage.cacheWrite);
    return json + '}';
}

std::string deltaEvent(const Delta& delta) {
    return serverSentEvent("delta", delta.toolCall ? R"({"tool_call":)" + toolCallJson(*delta.toolCall) + '}'
                                                   : R"({"content":)" + json::quote(delta.text) + '}');
}

std::string completionEvent(const Completion& completion, bool withTools) {
    return serverSentEvent("completion", completionJson(completion, withTools));
}

std::string errorEvent(std::string_view code, std::string_view message) {
    return serverSentEvent(
        "error", R"({"error":{"code":)" + json::quote(code) + R"(,"message":)" + json::quote(message) + "}}");
}

}  // namespace sallyport::plugins::llm
