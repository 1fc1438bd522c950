#include "anthropic_dialect.h"

#include <algorithm>
#include <span>

#include "answer_assembly.h"
#include "answer_fields.h"
#include "body_text.h"
#include "sse_decoder.h"

namespace sallyport::plugins::llm {

namespace {

constexpr std::string_view cacheControl = R"(,"cache_control":{"type":"ephemeral"})";

// --- The body -------------------------------------------------------------------------------------------

/// Whether a JSON string holds nothing but white space: Anthropic refuses such text.
bool isBlank(Raw string) {
    std::string_view inside = string.substr(1, string.size() - 2);
    while (!inside.empty()) {
        const std::string_view escape = inside.substr(0, 2);
        if (inside.front() == ' ') {
            inside.remove_prefix(1);
        } else if (escape == "\\n" || escape == "\\r" || escape == "\\t") {
            inside.remove_prefix(2);
        } else {
            return false;
        }
    }
    return true;
}

void appendText(std::string& out, Raw text) {
    if (!isBlank(text)) {
        out += R"({"type":"text","text":)";
        out += text;
        out += "},";
    }
}

void appendImage(std::string& out, const ContentPart& image) {
    const ImageSource source = imageSource(image.value).value_or(ImageSource{});
    out += R"({"type":"image","source":)";
    if (source.mediaType.empty()) {
        out += R"({"type":"url","url":)";
        out += image.value;
    } else {
        out += R"({"type":"base64","media_type":)" + json::quote(source.mediaType) + R"(,"data":")";
        out += source.base64;
        out += '"';
    }
    out += "}},";
}

/// Each block ends with a comma, as those of all functions here do.
void appendContent(std::string& out, const ChatMessage& message) {
    appendText(out, message.content);
    for (const ContentPart& part : message.parts) {
        if (part.kind == ContentPart::Kind::text) {
            appendText(out, part.value);
        } else {
            appendImage(out, part);
        }
    }
}

/// Ends a list; the comma after its last element makes room for the bracket.
void endList(std::string& out) {
    if (out.ends_with(',')) {
        out.pop_back();
    }
    out += ']';
}

void appendToolResult(std::string& out, const ChatMessage& message) {
    out += R"({"type":"tool_result","tool_use_id":)";
    out += message.toolCallId;
    out += R"(,"content":[)";
    appendContent(out, message);
    endList(out);
    out += "},";
}

void appendToolUse(std::string& out, const PastToolCall& call) {
    out += R"({"type":"tool_use","id":)";
    out += call.id;
    out += R"(,"name":)";
    out += call.name;
    out += R"(,"input":)";
    appendArgumentsObject(out, call.arguments);
    out += "},";
}

bool isResult(const ChatMessage& message) {
    return message.role == ChatRole::tool && !message.orphan;
}

/// Messages of one side that follow each other.
using Turn = std::span<const ChatMessage* const>;

void appendBlocks(std::string& out, Turn turn) {
    // Results of tools have to come before anything else that the user says.
    for (const ChatMessage* const message : turn) {
        if (isResult(*message)) {
            appendToolResult(out, *message);
        }
    }
    for (const ChatMessage* const message : turn) {
        if (message->orphan) {
            appendText(out, orphanText(*message));
        } else if (!isResult(*message)) {
            appendContent(out, *message);
        }
        if (message->role == ChatRole::assistant) {
            for (const PastToolCall& call : message->toolCalls) {
                appendToolUse(out, call);
            }
        }
    }
}

void appendTurn(std::string& out, Turn turn) {
    const std::size_t start = out.size();
    out += turn.front()->role == ChatRole::assistant ? R"({"role":"assistant","content":[)"
                                                     : R"({"role":"user","content":[)";
    const std::size_t blocks = out.size();
    appendBlocks(out, turn);
    if (out.size() == blocks) {
        out.resize(start);
        return;
    }
    endList(out);
    out += "},";
}

void appendMessages(std::string& out, const std::vector<ChatMessage>& messages) {
    std::vector<const ChatMessage*> spoken;
    for (const ChatMessage& message : messages) {
        if (message.role != ChatRole::system) {
            spoken.push_back(&message);
        }
    }
    out += '[';
    for (Turn rest = spoken; !rest.empty();) {
        const bool assistant = rest.front()->role == ChatRole::assistant;
        std::size_t length = 1;
        while (length < rest.size() && (rest[length]->role == ChatRole::assistant) == assistant) {
            ++length;
        }
        appendTurn(out, rest.first(length));
        rest = rest.subspan(length);
    }
    endList(out);
}

void appendSystem(std::string& out, MemberWriter& members, const ChatRequest& request, bool cached) {
    std::string blocks;
    for (const ChatMessage& message : request.messages) {
        if (message.role == ChatRole::system) {
            appendContent(blocks, message);
        }
    }
    if (!blocks.empty() && members.begin("system")) {
        if (cached) {
            blocks.insert(blocks.size() - std::string_view("},").size(), cacheControl);
        }
        out += '[';
        out += blocks;
        endList(out);
    }
}

void appendTools(std::string& out, const std::vector<ToolDefinition>& tools, bool cached) {
    out += '[';
    for (const ToolDefinition& tool : tools) {
        out += R"({"name":)";
        out += tool.name;
        out += R"(,"description":)";
        out += tool.description;
        out += R"(,"input_schema":)";
        out += tool.parameters;
        if (cached && &tool == &tools.back()) {
            out += cacheControl;
        }
        out += "},";
    }
    endList(out);
}

const char* toolChoiceObject(ToolChoice choice) {
    switch (choice) {
        case ToolChoice::required:
            return R"({"type":"any"})";
        case ToolChoice::none:
            return R"({"type":"none"})";
        case ToolChoice::automatic:
            break;
    }
    return R"({"type":"auto"})";
}

// --- The stream -----------------------------------------------------------------------------------------

class AnthropicDecoder final : public SseDecoder {
public:
    [[nodiscard]] Usage usage() const override {
        Usage used = usage_;
        if (!outputTold_) {
            // At its start, a stream tells of the first token alone.
            used.output = std::max(used.output, assembly_.estimatedOutput());
        }
        return used;
    }

private:
    void take(std::string_view data, const Sink& sink) override {
        const json::Object event = answerObject(data);
        const std::string type = textAt(event, "type");
        if (type == "content_block_delta") {
            takeDelta(event, sink);
        } else if (type == "content_block_start") {
            takeBlock(countAt(event, "index"), objectAt(event, "content_block"), sink);
        } else if (type == "message_start") {
            const json::Object message = objectAt(event, "message");
            model_ = textAt(message, "model");
            usage_ = messagesUsage(objectAt(message, "usage"));
        } else if (type == "message_delta") {
            finish_ = messagesFinish(textAt(objectAt(event, "delta"), "stop_reason"));
            usage_ = messagesUsage(objectAt(event, "usage"), usage_);
            outputTold_ = true;
        } else if (type == "message_stop") {
            done_ = true;
        } else {
            // A ping, the end of a block, or what was not known when this was written.
            requireNoError(event, data);
        }
    }

    void takeBlock(std::int64_t index, const json::Object& block, const Sink& sink) {
        const std::string type = textAt(block, "type");
        if (type == "text") {
            assembly_.addText(textAt(block, "text"), sink);
        } else if (type == "tool_use") {
            assembly_.addToolCall(index, textAt(block, "id"), textAt(block, "name"), sink);
        }
    }

    void takeDelta(const json::Object& event, const Sink& sink) {
        const json::Object delta = objectAt(event, "delta");
        const std::string type = textAt(delta, "type");
        if (type == "text_delta") {
            assembly_.addText(textAt(delta, "text"), sink);
        } else if (type == "input_json_delta" && assembly_.hasToolCall(countAt(event, "index"))) {
            // Tools that run at the provider have input, too, and are none of the worker's.
            assembly_.addArguments(countAt(event, "index"), textAt(delta, "partial_json"), sink);
        }
    }

    Usage usage_;
    bool outputTold_ = false;
};

}  // namespace

std::string AnthropicDialect::body(const ChatRequest& request, const BodyOptions& options) const {
    requireImages(request, true);
    std::string out = "{";
    out.reserve(request.size + 4096);
    MemberWriter members(out, options.dropped);
    members.writeText("model", options.model);
    members.write("max_tokens", std::to_string(request.maxTokens.value_or(options.defaultMaxTokens)));
    appendSystem(out, members, request, options.cachePrompts);
    if (members.begin("messages")) {
        appendMessages(out, request.messages);
    }
    if (!request.tools.empty() && members.begin("tools")) {
        appendTools(out, request.tools, options.cachePrompts);
        if (request.toolChoice) {
            members.write("tool_choice", toolChoiceObject(*request.toolChoice));
        }
    }
    if (!request.temperature.empty()) {
        members.write("temperature", request.temperature);
    }
    if (!request.stopSequences.empty()) {
        members.writeArray("stop_sequences", request.stopSequences);
    }
    if (options.stream) {
        members.write("stream", "true");
    }
    out += '}';
    return out;
}

Completion AnthropicDialect::parse(std::string_view answer) const {
    const json::Object object = answerObject(answer);
    requireNoError(object, answer);
    const json::Value* const content = object.find("content");
    if (content == nullptr || content->kind() != json::Kind::array) {
        throw BadAnswer("an answer without content: " + upstreamErrorText(answer));
    }
    Completion completion;
    std::string text;
    for (const json::Value& element : content->elements()) {
        const json::Object block = element.object();
        const std::string type = textAt(block, "type");
        if (type == "text") {
            text += textAt(block, "text");
        } else if (type == "tool_use") {
            const std::string_view input = hasObject(block, "input") ? block.find("input")->raw() : "{}";
            completion.toolCalls.push_back(
                {textAt(block, "id"), textAt(block, "name"), std::string(input), {}});
        }
    }
    if (!text.empty() || completion.toolCalls.empty()) {
        completion.content = std::move(text);
    }
    completion.usage =
        hasObject(object, "usage") ? messagesUsage(objectAt(object, "usage")) : estimatedUsage(completion);
    completion.finish = messagesFinish(textAt(object, "stop_reason"));
    completion.model = textAt(object, "model");
    return completion;
}

std::unique_ptr<StreamDecoder> AnthropicDialect::decoder() const {
    return std::make_unique<AnthropicDecoder>();
}

}  // namespace sallyport::plugins::llm
