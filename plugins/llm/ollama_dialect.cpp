#include "ollama_dialect.h"

#include <utility>

#include "answer_assembly.h"
#include "answer_fields.h"
#include "body_text.h"

namespace sallyport::plugins::llm {

namespace {

// --- The body -------------------------------------------------------------------------------------------

std::string_view inside(Raw string) {
    return string.substr(1, string.size() - 2);
}

/// All that a message says, as one string.
void appendContent(std::string& out, const ChatMessage& message) {
    out += '"';
    const std::size_t start = out.size();
    out += inside(message.content);
    for (const ContentPart& part : message.parts) {
        if (part.kind == ContentPart::Kind::text) {
            out += out.size() == start ? "" : R"(\n)";
            out += inside(part.value);
        }
    }
    out += '"';
}

void appendImages(std::string& out, const std::vector<ContentPart>& parts) {
    const char* before = R"(,"images":[")";
    for (const ContentPart& part : parts) {
        if (part.kind == ContentPart::Kind::image) {
            out += before;
            out += imageSource(part.value).value_or(ImageSource{}).base64;
            before = R"(",")";
        }
    }
    if (*before == '"') {
        out += R"("])";
    }
}

void appendToolCalls(std::string& out, const std::vector<PastToolCall>& calls) {
    out += R"(,"tool_calls":[)";
    for (const PastToolCall& call : calls) {
        out += R"({"function":{"name":)";
        out += call.name;
        out += R"(,"arguments":)";
        appendArgumentsObject(out, call.arguments);
        out += "}},";
    }
    out.back() = ']';
}

void appendMessage(std::string& out, const ChatMessage& message) {
    if (!beginMessage(out, message)) {
        return;
    }
    appendContent(out, message);
    appendImages(out, message.parts);
    if (message.role == ChatRole::tool && !message.name.empty()) {
        out += R"(,"tool_name":)";
        out += message.name;
    }
    if (message.role == ChatRole::assistant && !message.toolCalls.empty()) {
        appendToolCalls(out, message.toolCalls);
    }
    out += '}';
}

std::string optionsObject(const ChatRequest& request, const BodyOptions& options) {
    std::string out = "{";
    MemberWriter members(out, options.dropped);
    if (request.maxTokens) {
        members.write("num_predict", std::to_string(*request.maxTokens));
    }
    if (!request.temperature.empty()) {
        members.write("temperature", request.temperature);
    }
    if (!request.stopSequences.empty()) {
        members.writeArray("stop", request.stopSequences);
    }
    return out + '}';
}

// --- The answer -----------------------------------------------------------------------------------------

ToolCall toolCallOf(const json::Object& call) {
    const json::Object function = objectAt(call, "function");
    ToolCall result{textAt(call, "id"), textAt(function, "name"), "{}", {}};
    if (result.id.empty()) {
        result.id = newToolCallId();
    }
    if (hasObject(function, "arguments")) {
        result.arguments = function.find("arguments")->raw();
    }
    return result;
}

/// The last line of a stream, or the whole answer, says these.
void readEnd(const json::Object& answer, Completion& completion) {
    if (answer.find("eval_count") != nullptr || answer.find("prompt_eval_count") != nullptr) {
        completion.usage.input = countAt(answer, "prompt_eval_count");
        completion.usage.output = countAt(answer, "eval_count");
    } else {
        completion.usage = estimatedUsage(completion);
    }
    completion.finish = ollamaFinish(textAt(answer, "done_reason"));
    if (completion.finish == FinishReason::stop && !completion.toolCalls.empty()) {
        // Ollama has no word of its own for it.
        completion.finish = FinishReason::toolUse;
    }
    completion.model = textAt(answer, "model");
}

/// One JSON object a line.
class OllamaDecoder final : public StreamDecoder {
public:
    void feed(std::string_view bytes, const Sink& sink) override {
        while (!bytes.empty()) {
            const std::size_t end = bytes.find('\n');
            line_ += bytes.substr(0, end);
            if (line_.size() > maxEventSize) {
                throw BadAnswer("a line of the stream is too long");
            }
            if (end == std::string_view::npos) {
                return;
            }
            take(sink);
            bytes.remove_prefix(end + 1);
        }
    }

    [[nodiscard]] std::size_t waiting() const override { return line_.size(); }

    [[nodiscard]] Completion finish() override {
        take([](const Delta&) {});
        if (last_.empty()) {
            throw BadAnswer("the stream ended before the answer did");
        }
        Completion completion = assembly_.take();
        readEnd(answerObject(last_), completion);
        return completion;
    }

    [[nodiscard]] Usage usage() const override { return {.output = assembly_.estimatedOutput()}; }

private:
    void take(const Sink& sink) {
        const std::string line = std::exchange(line_, {});
        if (line.find_first_not_of(" \r\t") == std::string::npos) {
            return;
        }
        const json::Object object = answerObject(line);
        requireNoError(object, line);
        const json::Object message = objectAt(object, "message");
        assembly_.addText(textAt(message, "content"), sink);
        for (const json::Value& element : elementsAt(message, "tool_calls")) {
            const ToolCall call = toolCallOf(element.object());
            const auto key = static_cast<std::int64_t>(assembly_.toolCallCount());
            assembly_.addToolCall(key, call.id, call.name, sink);
            assembly_.addArguments(key, call.arguments, sink);
        }
        if (const json::Value* const done = object.find("done"); done != nullptr && done->boolean() == true) {
            last_ = line;
        }
    }

    std::string line_;
    std::string last_;
    AnswerAssembly assembly_;
};

}  // namespace

std::string OllamaDialect::body(const ChatRequest& request, const BodyOptions& options) const {
    requireImages(request, false);
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
    if (!request.tools.empty() && request.toolChoice != ToolChoice::none && members.begin("tools")) {
        appendFunctionTools(out, request.tools);
    }
    if (const std::string object = optionsObject(request, options); object != "{}") {
        members.write("options", object);
    }
    // It streams unless it is told not to.
    members.write("stream", options.stream ? "true" : "false");
    out += '}';
    return out;
}

Completion OllamaDialect::parse(std::string_view answer) const {
    const json::Object object = answerObject(answer);
    requireNoError(object, answer);
    if (!hasObject(object, "message")) {
        throw BadAnswer("an answer without a message: " + upstreamErrorText(answer));
    }
    const json::Object message = objectAt(object, "message");
    Completion completion;
    for (const json::Value& call : elementsAt(message, "tool_calls")) {
        completion.toolCalls.push_back(toolCallOf(call.object()));
    }
    if (std::string text = textAt(message, "content"); !text.empty() || completion.toolCalls.empty()) {
        completion.content = std::move(text);
    }
    readEnd(object, completion);
    return completion;
}

std::unique_ptr<StreamDecoder> OllamaDialect::decoder() const {
    return std::make_unique<OllamaDecoder>();
}

}  // namespace sallyport::plugins::llm
