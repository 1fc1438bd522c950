#include "echo.h"

#include <algorithm>
#include <stdexcept>

#include <sallyport/errors.h>
#include <sallyport/json.h>

#include "answer_fields.h"

namespace sallyport::plugins::llm {

namespace {

bool isSpace(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

std::int64_t countWords(std::string_view text) {
    std::int64_t words = 0;
    bool outside = true;
    for (const char c : text) {
        const bool space = isSpace(c);
        words += static_cast<std::int64_t>(outside && !space);
        outside = space;
    }
    return words;
}

// --- The script -----------------------------------------------------------------------------------------

ToolCall scriptedCall(const json::Object& call) {
    ToolCall result{textAt(call, "id"), textAt(call, "name"), "{}", {}};
    if (result.name.empty()) {
        throw std::invalid_argument("a tool call has no name");
    }
    if (call.find("arguments") != nullptr) {
        if (!hasObject(call, "arguments")) {
            throw std::invalid_argument("the arguments of the tool call " + result.name + " are no object");
        }
        result.arguments = call.find("arguments")->compact();
    }
    return result;
}

EchoScript::Line scriptLine(std::string_view text) {
    const json::Object object = json::Value::parse(text).object();
    EchoScript::Line line;
    if (const json::Value* const content = object.find("content")) {
        line.content = content->string();
    }
    for (const json::Value& call : elementsAt(object, "tool_calls")) {
        line.toolCalls.push_back(scriptedCall(call.object()));
    }
    if (!line.content && line.toolCalls.empty()) {
        throw std::invalid_argument("there is neither content nor tool_calls in it");
    }
    return line;
}

// --- What was asked -------------------------------------------------------------------------------------

/// What an echo goes by.
struct Conversation {
    std::string said;  ///< the last text of a user
    std::int64_t words = 0;

    void add(bool user, const std::string& text) {
        words += countWords(text);
        if (user && !text.empty()) {
            said = text;
        }
    }
};

std::string textOf(const ChatMessage& message) {
    std::string text = decoded(message.content);
    for (const ContentPart& part : message.parts) {
        if (part.kind == ContentPart::Kind::text) {
            text += (text.empty() ? "" : "\n") + decoded(part.value);
        }
    }
    return text;
}

/// The text of `content` in any of the native shapes: a string, or a list of parts.
std::string textOf(const json::Object& object, std::string_view name) {
    std::string text = textAt(object, name);
    for (const json::Value& part : elementsAt(object, name)) {
        if (const std::string more = textAt(part.object(), "text"); !more.empty()) {
            text += (text.empty() ? "" : "\n") + more;
        }
    }
    return text;
}

Conversation readConversation(const NativeRequest& request) {
    const json::Object body = json::Value::parse(request.body).object();
    const char* const list = request.endpoint == NativeEndpoint::responses ? "input" : "messages";
    const json::Value* const messages = body.find(list);
    if (messages == nullptr) {
        throw invalidField(list, "is missing");
    }
    Conversation conversation;
    conversation.add(false, textOf(body, "system") + textOf(body, "instructions"));
    conversation.add(true, messages->string().value_or(""));
    for (const json::Value& element : messages->elements()) {
        const json::Object message = element.object();
        conversation.add(textAt(message, "role") == "user", textOf(message, "content"));
    }
    return conversation;
}

}  // namespace

EchoScript EchoScript::parse(std::string_view text) {
    EchoScript script;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.starts_with('#') || std::all_of(line.begin(), line.end(), isSpace)) {
            continue;
        }
        const std::string where = "line " + std::to_string(number) + " of the script: ";
        try {
            script.lines_.push_back(scriptLine(line));
        } catch (const json::ParseError& error) {
            throw std::invalid_argument(where + error.what());
        } catch (const std::invalid_argument& error) {
            throw std::invalid_argument(where + error.what());
        }
    }
    return script;
}

Completion Echo::answer(const JobId& job, const ChatRequest& request) {
    Conversation conversation;
    for (const ChatMessage& message : request.messages) {
        conversation.add(message.role == ChatRole::user, textOf(message));
    }
    return play(job, conversation.said, conversation.words);
}

Completion Echo::answer(const JobId& job, const NativeRequest& request) {
    if (request.endpoint == NativeEndpoint::embeddings) {
        throw notFound("the built-in echo makes no embeddings");
    }
    const Conversation conversation = readConversation(request);
    if (request.endpoint == NativeEndpoint::countTokens) {
        Completion counted;
        counted.usage.input = conversation.words;
        return counted;
    }
    return play(job, conversation.said, conversation.words);
}

Completion Echo::play(const JobId& job, const std::string& said, std::int64_t words) {
    Completion completion;
    completion.model = modelName;
    completion.finish = FinishReason::stop;
    completion.usage.input = words;
    std::size_t number = 0;
    if (!script_.lines().empty()) {
        const std::lock_guard lock(mutex_);
        number = played_[job]++;
    }
    if (number < script_.lines().size()) {
        const EchoScript::Line& line = script_.lines()[number];
        completion.content = line.content;
        completion.toolCalls = line.toolCalls;
    } else {
        completion.content = "[echo] " + said;
    }
    for (std::size_t i = 0; i < completion.toolCalls.size(); ++i) {
        if (completion.toolCalls[i].id.empty()) {
            completion.toolCalls[i].id = "call_" + std::to_string(number + 1) + '_' + std::to_string(i + 1);
        }
        completion.finish = FinishReason::toolUse;
    }
    completion.usage.output =
        countWords(completion.content.value_or("")) + static_cast<std::int64_t>(completion.toolCalls.size());
    return completion;
}

void Echo::forget(const JobId& job) {
    const std::lock_guard lock(mutex_);
    played_.erase(job);
}

std::vector<Delta> pieces(const Completion& completion) {
    // Each becomes an event, which is many times as long as a word.
    constexpr std::size_t mostPieces = 200;
    std::vector<Delta> result;
    std::string_view rest = completion.content ? std::string_view(*completion.content) : "";
    const std::size_t least = std::max<std::size_t>(1, rest.size() / mostPieces);
    while (!rest.empty()) {
        // A word and the space before it, or several.
        std::size_t end = std::min(least, rest.size());
        while (end < rest.size() && !(isSpace(rest[end]) && !isSpace(rest[end - 1]))) {
            ++end;
        }
        result.push_back({std::string(rest.substr(0, end)), {}});
        rest.remove_prefix(end);
    }
    for (std::size_t i = 0; i < completion.toolCalls.size(); ++i) {
        const ToolCall& call = completion.toolCalls[i];
        result.push_back({{}, ToolCallDelta{i, call.id, call.name, {}}});
        result.push_back({{}, ToolCallDelta{i, {}, {}, call.arguments}});
    }
    return result;
}

}  // namespace sallyport::plugins::llm
