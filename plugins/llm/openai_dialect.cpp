#include "openai_dialect.h"

#include "answer_assembly.h"
#include "answer_fields.h"
#include "body_text.h"
#include "sse_decoder.h"

namespace sallyport::plugins::llm {

namespace {

// --- The body -------------------------------------------------------------------------------------------

void appendTextPart(std::string& out, Raw text) {
    out += R"({"type":"text","text":)";
    out += text;
    out += '}';
}

void appendImagePart(std::string& out, const ContentPart& image) {
    out += R"({"type":"image_url","image_url":{"url":)";
    out += image.value;
    if (!image.detail.empty()) {
        out += R"(,"detail":)";
        out += image.detail;
    }
    out += "}}";
}

void appendContent(std::string& out, const ChatMessage& message) {
    if (message.parts.empty()) {
        // A message that only calls tools has no content, rather than an empty one.
        out += !message.toolCalls.empty() && message.content == "\"\"" ? "null" : message.content;
        return;
    }
    out += '[';
    if (message.content != "\"\"") {
        appendTextPart(out, message.content);
        out += ',';
    }
    for (const ContentPart& part : message.parts) {
        if (part.kind == ContentPart::Kind::text) {
            appendTextPart(out, part.value);
        } else {
            appendImagePart(out, part);
        }
        out += ',';
    }
    out.back() = ']';
}

void appendToolCalls(std::string& out, const std::vector<PastToolCall>& calls) {
    out += R"(,"tool_calls":[)";
    for (const PastToolCall& call : calls) {
        out += R"({"id":)";
        out += call.id;
        out += R"(,"type":"function","function":{"name":)";
        out += call.name;
        out += R"(,"arguments":)";
        if (call.arguments.starts_with('"')) {
            out += call.arguments;
        } else {
            appendQuotedJson(out, call.arguments);
        }
        out += "}},";
    }
    out.back() = ']';
}

void appendMessage(std::string& out, const ChatMessage& message) {
    if (!beginMessage(out, message)) {
        return;
    }
    appendContent(out, message);
    if (message.role == ChatRole::tool) {
        out += R"(,"tool_call_id":)";
        out += message.toolCallId;
    }
    if (message.role == ChatRole::assistant && !message.toolCalls.empty()) {
        appendToolCalls(out, message.toolCalls);
    }
    out += '}';
}

const char* toolChoiceName(ToolChoice choice) {
    switch (choice) {
        case ToolChoice::required:
            return R"("required")";
        case ToolChoice::none:
            return R"("none")";
        case ToolChoice::automatic:
            break;
    }
    return R"("auto")";
}

void appendParameters(MemberWriter& members, const ChatRequest& request, const BodyOptions& options) {
    if (request.maxTokens) {
        members.write(options.maxTokensName, std::to_string(*request.maxTokens));
    }
    if (!request.temperature.empty()) {
        members.write("temperature", request.temperature);
    }
    if (!request.stopSequences.empty()) {
        members.writeArray("stop", request.stopSequences);
    }
    if (options.stream) {
        members.write("stream", "true");
        members.write("stream_options", R"({"include_usage":true})");
    }
}

// --- The answer -----------------------------------------------------------------------------------------

/// The text of `content`: a string, or, from some servers, a list of parts of which the thinking is left out.
std::string contentText(const json::Object& message) {
    std::string text = textAt(message, "content");
    for (const json::Value& part : elementsAt(message, "content")) {
        text += textAt(part.object(), "text");
    }
    return text.empty() ? textAt(message, "refusal") : text;
}

/// The arguments of a call: a string that holds JSON. Some servers send the object itself.
std::string argumentsText(const json::Object& function) {
    return hasObject(function, "arguments") ? std::string(function.find("arguments")->raw())
                                            : textAt(function, "arguments");
}

ToolCall toolCallOf(const json::Object& call) {
    const json::Object function = objectAt(call, "function");
    ToolCall result;
    result.id = textAt(call, "id");
    if (result.id.empty()) {
        result.id = newToolCallId();
    }
    result.name = textAt(function, "name");
    result.arguments = argumentsObject(argumentsText(function), result.name);
    return result;
}

// --- The stream -----------------------------------------------------------------------------------------

class OpenAiDecoder final : public SseDecoder {
public:
    [[nodiscard]] Usage usage() const override {
        return told_.value_or(Usage{.output = assembly_.estimatedOutput()});
    }

private:
    void take(std::string_view data, const Sink& sink) override {
        if (data == "[DONE]") {
            done_ = true;
            return;
        }
        const json::Object chunk = answerObject(data);
        requireNoError(chunk, data);
        if (model_.empty()) {
            model_ = textAt(chunk, "model");
        }
        if (hasObject(chunk, "usage")) {
            told_ = chatUsage(objectAt(chunk, "usage"));
        }
        const auto choices = elementsAt(chunk, "choices");
        if (!choices.empty()) {
            takeChoice(choices.front().object(), sink);
        }
    }

    void takeChoice(const json::Object& choice, const Sink& sink) {
        const json::Object delta = objectAt(choice, "delta");
        assembly_.addText(contentText(delta), sink);
        for (const json::Value& call : elementsAt(delta, "tool_calls")) {
            takeToolCall(call.object(), sink);
        }
        if (const std::string reason = textAt(choice, "finish_reason"); !reason.empty()) {
            finish_ = chatFinish(reason);
            done_ = true;
        }
    }

    void takeToolCall(const json::Object& call, const Sink& sink) {
        const json::Object function = objectAt(call, "function");
        const std::string id = textAt(call, "id");
        const json::Value* const index = call.find("index");
        // A server that gives no numbers sends each call whole, with an id.
        std::int64_t key = static_cast<std::int64_t>(assembly_.toolCallCount()) - (id.empty() ? 1 : 0);
        if (index != nullptr) {
            key = index->integer().value_or(key);
        }
        assembly_.addToolCall(key, id, textAt(function, "name"), sink);
        assembly_.addArguments(key, argumentsText(function), sink);
    }

    std::optional<Usage> told_;
};

}  // namespace

std::string OpenAiDialect::body(const ChatRequest& request, const BodyOptions& options) const {
    std::string out = "{";
    out.reserve(request.size + 4096);
    MemberWriter members(out, options.dropped);
    members.writeText("model", options.model);
    if (members.begin("messages")) {
        out += '[';
        for (const ChatMessage& message : request.messages) {
            out += out.ends_with('[') ? "" : ",";
            appendMessage(out, message);
        }
        out += ']';
    }
    if (!request.tools.empty() && members.begin("tools")) {
        appendFunctionTools(out, request.tools);
        if (request.toolChoice) {
            members.write("tool_choice", toolChoiceName(*request.toolChoice));
        }
    }
    appendParameters(members, request, options);
    out += '}';
    return out;
}

Completion OpenAiDialect::parse(std::string_view answer) const {
    const json::Object object = answerObject(answer);
    requireNoError(object, answer);
    const auto choices = elementsAt(object, "choices");
    const json::Object choice = choices.empty() ? json::Object({}) : choices.front().object();
    if (!hasObject(choice, "message")) {
        throw BadAnswer("an answer without a message: " + upstreamErrorText(answer));
    }
    const json::Object message = objectAt(choice, "message");
    Completion completion;
    for (const json::Value& call : elementsAt(message, "tool_calls")) {
        completion.toolCalls.push_back(toolCallOf(call.object()));
    }
    std::string text = contentText(message);
    if (!text.empty() || completion.toolCalls.empty()) {
        completion.content = std::move(text);
    }
    completion.usage =
        hasObject(object, "usage") ? chatUsage(objectAt(object, "usage")) : estimatedUsage(completion);
    completion.finish = chatFinish(textAt(choice, "finish_reason"));
    completion.model = textAt(object, "model");
    return completion;
}

std::unique_ptr<StreamDecoder> OpenAiDialect::decoder() const {
    return std::make_unique<OpenAiDecoder>();
}

}  // namespace sallyport::plugins::llm
