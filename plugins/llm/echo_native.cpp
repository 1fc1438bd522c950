// The echo's answers as OpenAI and Anthropic would give them, for clients that know nothing else.
#include <sallyport/json.h>
#include <sallyport/json_writer.h>

#include "echo.h"

namespace sallyport::plugins::llm {

namespace {

using json::quote;

std::string number(std::int64_t value) {
    return std::to_string(value);
}

/// Names, and values that are JSON already.
using Members = std::vector<std::pair<const char*, std::string>>;

std::string object(const Members& members) {
    std::string text;
    json::Writer writer(text);
    writer.beginObject();
    for (const auto& [name, value] : members) {
        writer.rawMember(name, value);
    }
    writer.endObject();
    return text;
}

std::string array(const std::vector<std::string>& elements) {
    std::string text;
    json::Writer writer(text);
    writer.beginArray();
    for (const std::string& element : elements) {
        writer.raw(element);
    }
    writer.endArray();
    return text;
}

std::string namedEvent(const std::string& type, Members members) {
    members.insert(members.begin(), {"type", quote(type)});
    return "event: " + type + "\ndata: " + object(members) + "\n\n";
}

// --- Chat Completions -----------------------------------------------------------------------------------

std::string chatUsageObject(const Usage& usage) {
    return object({{"prompt_tokens", number(usage.input)},
                   {"completion_tokens", number(usage.output)},
                   {"total_tokens", number(usage.input + usage.output)}});
}

std::string chatFinishName(const Completion& completion) {
    return quote(completion.toolCalls.empty() ? "stop" : "tool_calls");
}

std::string chatAnswer(const Completion& completion, const std::string& id) {
    Members message = {{"role", quote("assistant")},
                       {"content", completion.content ? quote(*completion.content) : "null"},
                       {"refusal", "null"}};
    if (!completion.toolCalls.empty()) {
        std::vector<std::string> calls;
        for (const ToolCall& call : completion.toolCalls) {
            calls.push_back(object(
                {{"id", quote(call.id)},
                 {"type", quote("function")},
                 {"function", object({{"name", quote(call.name)}, {"arguments", quote(call.arguments)}})}}));
        }
        message.emplace_back("tool_calls", array(calls));
    }
    const std::string choice = object({{"index", "0"},
                                       {"message", object(message)},
                                       {"logprobs", "null"},
                                       {"finish_reason", chatFinishName(completion)}});
    return object({{"id", quote("chatcmpl-" + id)},
                   {"object", quote("chat.completion")},
                   {"created", "0"},
                   {"model", quote(completion.model)},
                   {"choices", array({choice})},
                   {"usage", chatUsageObject(completion.usage)}});
}

std::string chatDelta(const Delta& delta) {
    if (!delta.toolCall) {
        return object({{"content", quote(delta.text)}});
    }
    const ToolCallDelta& piece = *delta.toolCall;
    Members call = {{"index", number(static_cast<std::int64_t>(piece.index))}};
    Members function;
    if (!piece.id.empty()) {
        call.emplace_back("id", quote(piece.id));
        call.emplace_back("type", quote("function"));
        function.emplace_back("name", quote(piece.name));
    }
    function.emplace_back("arguments", quote(piece.arguments));
    call.emplace_back("function", object(function));
    return object({{"tool_calls", array({object(call)})}});
}

std::vector<std::string> chatStream(const Completion& completion, const std::string& id, bool withUsage) {
    const auto event = [&](const std::vector<std::string>& choices, const std::string& usage) {
        Members chunk = {{"id", quote("chatcmpl-" + id)},
                         {"object", quote("chat.completion.chunk")},
                         {"created", "0"},
                         {"model", quote(completion.model)},
                         {"choices", array(choices)}};
        if (withUsage) {
            chunk.emplace_back("usage", usage);
        }
        return "data: " + object(chunk) + "\n\n";
    };
    const auto choice = [](const std::string& delta, const std::string& finish) {
        return object({{"index", "0"}, {"delta", delta}, {"finish_reason", finish}});
    };
    std::vector<std::string> events = {
        event({choice(object({{"role", quote("assistant")}, {"content", quote("")}}), "null")}, "null")};
    for (const Delta& delta : pieces(completion)) {
        events.push_back(event({choice(chatDelta(delta), "null")}, "null"));
    }
    events.push_back(event({choice("{}", chatFinishName(completion))}, "null"));
    if (withUsage) {
        events.push_back(event({}, chatUsageObject(completion.usage)));
    }
    events.emplace_back("data: [DONE]\n\n");
    return events;
}

// --- Messages -------------------------------------------------------------------------------------------

std::string messagesUsageObject(std::int64_t input, std::int64_t output) {
    return object({{"input_tokens", number(input)}, {"output_tokens", number(output)}});
}

std::string messagesFinishName(const Completion& completion) {
    return quote(completion.toolCalls.empty() ? "end_turn" : "tool_use");
}

std::string textBlock(const std::string& text) {
    return object({{"type", quote("text")}, {"text", quote(text)}});
}

std::string toolUseBlock(const ToolCall& call, const std::string& input) {
    return object(
        {{"type", quote("tool_use")}, {"id", quote(call.id)}, {"name", quote(call.name)}, {"input", input}});
}

std::string messageObject(const Completion& completion, const std::string& id,
                          const std::vector<std::string>& blocks, const std::string& finish,
                          std::int64_t output) {
    return object({{"id", quote("msg_" + id)},
                   {"type", quote("message")},
                   {"role", quote("assistant")},
                   {"model", quote(completion.model)},
                   {"content", array(blocks)},
                   {"stop_reason", finish},
                   {"stop_sequence", "null"},
                   {"usage", messagesUsageObject(completion.usage.input, output)}});
}

std::string messagesAnswer(const Completion& completion, const std::string& id) {
    std::vector<std::string> blocks;
    if (completion.content) {
        blocks.push_back(textBlock(*completion.content));
    }
    for (const ToolCall& call : completion.toolCalls) {
        blocks.push_back(toolUseBlock(call, call.arguments));
    }
    return messageObject(completion, id, blocks, messagesFinishName(completion), completion.usage.output);
}

std::vector<std::string> messagesStream(const Completion& completion, const std::string& id) {
    std::vector<std::string> events = {
        namedEvent("message_start", {{"message", messageObject(completion, id, {}, "null", 0)}})};
    std::int64_t index = 0;
    const auto begin = [&](const std::string& block) {
        events.push_back(
            namedEvent("content_block_start", {{"index", number(index)}, {"content_block", block}}));
    };
    const auto add = [&](const char* type, const char* name, const std::string& piece) {
        events.push_back(namedEvent(
            "content_block_delta",
            {{"index", number(index)}, {"delta", object({{"type", quote(type)}, {name, quote(piece)}})}}));
    };
    const auto end = [&] {
        events.push_back(namedEvent("content_block_stop", {{"index", number(index++)}}));
    };
    if (completion.content) {
        begin(textBlock(""));
        for (const Delta& delta : pieces(completion)) {
            if (!delta.toolCall) {
                add("text_delta", "text", delta.text);
            }
        }
        end();
    }
    for (const ToolCall& call : completion.toolCalls) {
        begin(toolUseBlock(call, "{}"));
        add("input_json_delta", "partial_json", call.arguments);
        end();
    }
    events.push_back(namedEvent(
        "message_delta",
        {{"delta", object({{"stop_reason", messagesFinishName(completion)}, {"stop_sequence", "null"}})},
         {"usage", messagesUsageObject(completion.usage.input, completion.usage.output)}}));
    events.push_back(namedEvent("message_stop", {}));
    return events;
}

// --- Responses ------------------------------------------------------------------------------------------

std::string outputText(const std::string& text) {
    return object({{"type", quote("output_text")}, {"text", quote(text)}, {"annotations", "[]"}});
}

std::string messageItem(const std::string& id, const char* status, const std::vector<std::string>& content) {
    return object({{"type", quote("message")},
                   {"id", quote("msg_" + id)},
                   {"status", quote(status)},
                   {"role", quote("assistant")},
                   {"content", array(content)}});
}

std::string callItem(const ToolCall& call, const char* status, const std::string& arguments) {
    return object({{"type", quote("function_call")},
                   {"id", quote("fc_" + call.id)},
                   {"status", quote(status)},
                   {"call_id", quote(call.id)},
                   {"name", quote(call.name)},
                   {"arguments", quote(arguments)}});
}

std::string responseObject(const Completion& completion, const std::string& id, const char* status,
                           const std::vector<std::string>& output, const std::string& usage) {
    return object({{"id", quote("resp_" + id)},
                   {"object", quote("response")},
                   {"created_at", "0"},
                   {"status", quote(status)},
                   {"error", "null"},
                   {"incomplete_details", "null"},
                   {"instructions", "null"},
                   {"metadata", "{}"},
                   {"model", quote(completion.model)},
                   {"output", array(output)},
                   {"parallel_tool_calls", "true"},
                   {"temperature", "null"},
                   {"tool_choice", quote("auto")},
                   {"tools", "[]"},
                   {"top_p", "null"},
                   {"usage", usage}});
}

std::string responsesAnswer(const Completion& completion, const std::string& id) {
    std::vector<std::string> output;
    if (completion.content) {
        output.push_back(messageItem(id, "completed", {outputText(*completion.content)}));
    }
    for (const ToolCall& call : completion.toolCalls) {
        output.push_back(callItem(call, "completed", call.arguments));
    }
    const Usage& usage = completion.usage;
    return responseObject(completion, id, "completed", output,
                          object({{"input_tokens", number(usage.input)},
                                  {"input_tokens_details", object({{"cached_tokens", "0"}})},
                                  {"output_tokens", number(usage.output)},
                                  {"output_tokens_details", object({{"reasoning_tokens", "0"}})},
                                  {"total_tokens", number(usage.input + usage.output)}}));
}

/// The events of one answer, which count themselves.
class ResponseEvents {
public:
    ResponseEvents(const Completion& completion, const std::string& id) : completion_(completion), id_(id) {}

    std::vector<std::string> all() {
        const std::string begun = responseObject(completion_, id_, "in_progress", {}, "null");
        add("response.created", {{"response", begun}});
        add("response.in_progress", {{"response", begun}});
        if (completion_.content) {
            addMessage(*completion_.content);
        }
        for (const ToolCall& call : completion_.toolCalls) {
            addCall(call);
        }
        add("response.completed", {{"response", responsesAnswer(completion_, id_)}});
        return std::move(events_);
    }

private:
    void add(const std::string& type, Members members) {
        members.insert(members.begin(), {"sequence_number", number(sequence_++)});
        events_.push_back(namedEvent(type, std::move(members)));
    }

    void addItem(const char* type, const std::string& item) {
        add(type, {{"output_index", number(output_)}, {"item", item}});
    }

    /// An event about what is inside the present item.
    void addInside(const char* type, const std::string& item, Members members) {
        members.insert(members.begin(), {{"item_id", quote(item)}, {"output_index", number(output_)}});
        add(type, std::move(members));
    }

    void addMessage(const std::string& text) {
        const std::string item = "msg_" + id_;
        addItem("response.output_item.added", messageItem(id_, "in_progress", {}));
        addInside("response.content_part.added", item, {{"content_index", "0"}, {"part", outputText("")}});
        for (const Delta& delta : pieces(completion_)) {
            if (!delta.toolCall) {
                addInside("response.output_text.delta", item,
                          {{"content_index", "0"}, {"delta", quote(delta.text)}, {"logprobs", "[]"}});
            }
        }
        addInside("response.output_text.done", item,
                  {{"content_index", "0"}, {"text", quote(text)}, {"logprobs", "[]"}});
        addInside("response.content_part.done", item, {{"content_index", "0"}, {"part", outputText(text)}});
        addItem("response.output_item.done", messageItem(id_, "completed", {outputText(text)}));
        ++output_;
    }

    void addCall(const ToolCall& call) {
        const std::string item = "fc_" + call.id;
        addItem("response.output_item.added", callItem(call, "in_progress", ""));
        addInside("response.function_call_arguments.delta", item, {{"delta", quote(call.arguments)}});
        addInside("response.function_call_arguments.done", item, {{"arguments", quote(call.arguments)}});
        addItem("response.output_item.done", callItem(call, "completed", call.arguments));
        ++output_;
    }

    const Completion& completion_;
    const std::string& id_;
    std::vector<std::string> events_;
    std::int64_t sequence_ = 0;
    std::int64_t output_ = 0;
};

}  // namespace

std::string nativeAnswer(NativeEndpoint endpoint, const Completion& completion, const std::string& id) {
    switch (endpoint) {
        case NativeEndpoint::messages:
            return messagesAnswer(completion, id);
        case NativeEndpoint::countTokens:
            return object({{"input_tokens", number(completion.usage.input)}});
        case NativeEndpoint::responses:
            return responsesAnswer(completion, id);
        case NativeEndpoint::chatCompletions:
        case NativeEndpoint::embeddings:
            break;
    }
    return chatAnswer(completion, id);
}

std::vector<std::string> nativeStream(NativeEndpoint endpoint, const Completion& completion,
                                      const std::string& id, bool withUsage) {
    switch (endpoint) {
        case NativeEndpoint::messages:
            return messagesStream(completion, id);
        case NativeEndpoint::responses:
            return ResponseEvents(completion, id).all();
        case NativeEndpoint::chatCompletions:
        case NativeEndpoint::countTokens:
        case NativeEndpoint::embeddings:
            break;
    }
    return chatStream(completion, id, withUsage);
}

std::string nativeModel(ProviderType type, const std::string& model) {
    if (type == ProviderType::anthropic) {
        return object({{"type", quote("model")},
                       {"id", quote(model)},
                       {"display_name", quote(model)},
                       {"created_at", quote("1970-01-01T00:00:00Z")}});
    }
    return object({{"id", quote(model)},
                   {"object", quote("model")},
                   {"created", "0"},
                   {"owned_by", quote("sallyport")}});
}

std::string nativeModels(ProviderType type, const std::vector<std::string>& models) {
    std::vector<std::string> list;
    list.reserve(models.size());
    for (const std::string& model : models) {
        list.push_back(nativeModel(type, model));
    }
    if (type != ProviderType::anthropic) {
        return object({{"object", quote("list")}, {"data", array(list)}});
    }
    return object({{"data", array(list)},
                   {"has_more", "false"},
                   {"first_id", models.empty() ? "null" : quote(models.front())},
                   {"last_id", models.empty() ? "null" : quote(models.back())}});
}

}  // namespace sallyport::plugins::llm
