#include "chat_request.h"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/json_reader.h>

#include "request_body.h"

namespace sallyport::plugins::llm {

namespace {

using json::Kind;

/// Where in the body something stands. It is spelled out only when there is something to complain about.
struct Place {
    const Place* outer = nullptr;
    std::string_view list{};  ///< with `index`, an element; without, a member that is an object
    std::size_t index = 0;
    bool isElement = true;

    [[nodiscard]] std::string str() const {
        std::string path = outer == nullptr ? std::string() : outer->str() + '.';
        path += list;
        return isElement ? path + '[' + std::to_string(index) + ']' : path;
    }
};

/// Reads fields whose values are kept as they were written, and refuses those that cannot be.
class Fields {
public:
    Fields(json::Reader& reader, const Place* place) : reader_(reader), place_(place) {}

    [[noreturn]] void refuse(std::string_view field, const std::string& problem) const {
        throw invalidField(place_ == nullptr ? std::string(field) : place_->str() + '.' + std::string(field),
                           problem);
    }

    /// Takes the value that comes next.
    void read(std::string_view field, Kind wanted, Raw& into) {
        requireFirst(field, into.empty());
        requireKind(field, wanted);
        into = reader_.skip();
    }
    /// The same for a field that may be null, which counts as absent.
    void readOptional(std::string_view field, Kind wanted, Raw& into) {
        if (!skipNull()) {
            read(field, wanted, into);
        }
    }
    /// Whatever the value is.
    void readAny(std::string_view field, Raw& into) {
        requireFirst(field, into.empty());
        into = reader_.skip();
    }

    [[nodiscard]] bool skipNull() {
        if (reader_.kind() != Kind::null) {
            return false;
        }
        reader_.skip();
        return true;
    }
    void requireKind(std::string_view field, Kind wanted) const {
        if (const Kind kind = reader_.kind(); kind != wanted) {
            refuse(field, std::string("must be ") + json::describe(wanted) + ", not " + json::describe(kind));
        }
    }
    void requireFirst(std::string_view field, bool first) const {
        if (!first) {
            refuse(field, "is given more than once");
        }
    }
    void requireThere(std::string_view field, Raw value) const {
        if (value.empty()) {
            refuse(field, "is missing");
        }
    }

    /// Reads the array that comes next: `element` is called where each of its objects begins.
    template <class F>
    void readObjects(std::string_view field, F element) {
        requireKind(field, Kind::array);
        reader_.enterArray();
        for (Place at{place_, field}; reader_.nextElement(); ++at.index) {
            if (const Kind kind = reader_.kind(); kind != Kind::object) {
                throw invalidField(at.str(), std::string("must be an object, not ") + json::describe(kind));
            }
            reader_.enterObject();
            element(at);
        }
    }

private:
    json::Reader& reader_;
    const Place* place_;
};

std::optional<ChatRole> roleOf(std::string_view word) {
    constexpr std::pair<std::string_view, ChatRole> roles[] = {{"system", ChatRole::system},
                                                               {"user", ChatRole::user},
                                                               {"assistant", ChatRole::assistant},
                                                               {"tool", ChatRole::tool}};
    const auto* const found = std::find_if(std::begin(roles), std::end(roles),
                                           [&](const auto& entry) { return entry.first == word; });
    return found == std::end(roles) ? std::nullopt : std::optional(found->second);
}

std::optional<ToolChoice> toolChoiceOf(std::string_view word) {
    constexpr std::pair<std::string_view, ToolChoice> choices[] = {
        {"auto", ToolChoice::automatic}, {"required", ToolChoice::required}, {"none", ToolChoice::none}};
    const auto* const found = std::find_if(std::begin(choices), std::end(choices),
                                           [&](const auto& entry) { return entry.first == word; });
    return found == std::end(choices) ? std::nullopt : std::optional(found->second);
}

// --- Messages -------------------------------------------------------------------------------------------

void readImageUrl(json::Reader& reader, const Place& part, ContentPart& into) {
    const Place place{&part, "image_url", 0, false};
    Fields fields(reader, &place);
    reader.enterObject();
    while (const auto name = reader.nextMember()) {
        if (*name == "url") {
            fields.read("url", Kind::string, into.value);
        } else if (*name == "detail") {
            fields.readOptional("detail", Kind::string, into.detail);
        } else {
            reader.skip();
        }
    }
    fields.requireThere("url", into.value);
}

ContentPart readPart(json::Reader& reader, const Place& place) {
    Fields fields(reader, &place);
    Raw type;
    Raw text;
    ContentPart image{ContentPart::Kind::image, {}, {}};
    while (const auto name = reader.nextMember()) {
        if (*name == "type") {
            fields.read("type", Kind::string, type);
        } else if (*name == "text") {
            fields.readOptional("text", Kind::string, text);
        } else if (*name == "image_url" && !fields.skipNull()) {
            fields.requireFirst("image_url", image.value.empty());
            fields.requireKind("image_url", Kind::object);
            readImageUrl(reader, place, image);
        } else if (*name != "image_url") {
            reader.skip();
        }
    }
    fields.requireThere("type", type);
    const std::string kind = decoded(type);
    if (kind == "text") {
        fields.requireThere("text", text);
        return {ContentPart::Kind::text, text, {}};
    }
    if (kind != "image_url") {
        fields.refuse("type", "must be text or image_url");
    }
    fields.requireThere("image_url", image.value);
    return image;
}

PastToolCall readToolCall(json::Reader& reader, const Place& place) {
    Fields fields(reader, &place);
    PastToolCall call;
    while (const auto name = reader.nextMember()) {
        if (*name == "id") {
            fields.read("id", Kind::string, call.id);
        } else if (*name == "name") {
            fields.read("name", Kind::string, call.name);
        } else if (*name == "arguments") {
            fields.readAny("arguments", call.arguments);
        } else if (*name == "reasoning") {
            // Checked, and not sent on: no provider has a place for it.
            Raw reasoning;
            fields.readOptional("reasoning", Kind::string, reasoning);
        } else {
            reader.skip();
        }
    }
    fields.requireThere("id", call.id);
    fields.requireThere("name", call.name);
    fields.requireThere("arguments", call.arguments);
    return call;
}

/// Reads the member `name` of a message.
/// @return whether messages have such a member
bool readMessageMember(json::Reader& reader, const Place& place, std::string_view name, Raw& role,
                       ChatMessage& into) {
    Fields fields(reader, &place);
    if (name == "role") {
        fields.read("role", Kind::string, role);
    } else if (name == "content") {
        fields.read("content", Kind::string, into.content);
    } else if (name == "tool_call_id") {
        fields.readOptional("tool_call_id", Kind::string, into.toolCallId);
    } else if (name == "name") {
        fields.readOptional("name", Kind::string, into.name);
    } else if (name == "content_parts") {
        fields.requireFirst(name, into.parts.empty());
        if (!fields.skipNull()) {
            fields.readObjects("content_parts",
                               [&](const Place& at) { into.parts.push_back(readPart(reader, at)); });
        }
    } else if (name == "tool_calls") {
        fields.requireFirst(name, into.toolCalls.empty());
        if (!fields.skipNull()) {
            fields.readObjects("tool_calls",
                               [&](const Place& at) { into.toolCalls.push_back(readToolCall(reader, at)); });
        }
    } else {
        return false;
    }
    return true;
}

ChatMessage readMessage(json::Reader& reader, const Place& place) {
    Fields fields(reader, &place);
    ChatMessage message;
    Raw roleText;
    while (const auto name = reader.nextMember()) {
        if (!readMessageMember(reader, place, *name, roleText, message)) {
            reader.skip();
        }
    }
    fields.requireThere("role", roleText);
    fields.requireThere("content", message.content);
    const auto role = roleOf(decoded(roleText));
    if (!role) {
        fields.refuse("role", "must be system, user, assistant or tool");
    }
    message.role = *role;
    return message;
}

void markOrphans(std::vector<ChatMessage>& messages) {
    std::unordered_set<std::string> calls;
    for (ChatMessage& message : messages) {
        if (message.role == ChatRole::assistant) {
            for (const PastToolCall& call : message.toolCalls) {
                calls.insert(decoded(call.id));
            }
        }
        message.orphan = message.role == ChatRole::tool && calls.count(decoded(message.toolCallId)) == 0;
    }
}

// --- The rest of a request ------------------------------------------------------------------------------

ToolDefinition readTool(json::Reader& reader, const Place& place) {
    Fields fields(reader, &place);
    ToolDefinition tool;
    while (const auto name = reader.nextMember()) {
        if (*name == "name") {
            fields.read("name", Kind::string, tool.name);
        } else if (*name == "description") {
            fields.read("description", Kind::string, tool.description);
        } else if (*name == "parameters") {
            fields.readAny("parameters", tool.parameters);
        } else {
            reader.skip();
        }
    }
    fields.requireThere("name", tool.name);
    fields.requireThere("description", tool.description);
    fields.requireThere("parameters", tool.parameters);
    return tool;
}

void readStopSequences(json::Reader& reader, Fields& fields, std::vector<Raw>& into) {
    fields.requireFirst("stop_sequences", into.empty());
    if (fields.skipNull()) {
        return;
    }
    fields.requireKind("stop_sequences", Kind::array);
    reader.enterArray();
    for (Place at{nullptr, "stop_sequences"}; reader.nextElement(); ++at.index) {
        if (const Kind kind = reader.kind(); kind != Kind::string) {
            throw invalidField(at.str(), std::string("must be a string, not ") + json::describe(kind));
        }
        into.push_back(reader.skip());
    }
}

std::uint32_t readMaxTokens(const Fields& fields, Raw raw) {
    constexpr auto high = std::numeric_limits<std::uint32_t>::max();
    const auto number = json::Value(Kind::number, raw).integer();
    if (!number || *number < 0 || *number > high) {
        fields.refuse("max_tokens", "must be an integer from 0 to " + std::to_string(high));
    }
    return static_cast<std::uint32_t>(*number);
}

/// Reads a request's members, in whatever order they come.
class RequestReader {
public:
    RequestReader(json::Reader& reader, bool withTools) : reader_(reader), fields_(reader, nullptr) {
        request_.withTools = withTools;
    }

    ChatRequest read() {
        reader_.enterObject();
        while (const auto name = reader_.nextMember()) {
            if (!readMember(*name) && !(request_.withTools && readToolsMember(*name))) {
                reader_.skip();
            }
        }
        reader_.end();
        finish();
        return std::move(request_);
    }

private:
    bool readMember(std::string_view name) {
        if (name == "messages") {
            fields_.requireFirst(name, !std::exchange(messages_, true));
            fields_.readObjects(
                "messages", [&](const Place& at) { request_.messages.push_back(readMessage(reader_, at)); });
        } else if (name == "model") {
            fields_.readOptional("model", Kind::string, model_);
        } else if (name == "max_tokens") {
            fields_.readOptional("max_tokens", Kind::number, maxTokens_);
        } else if (name == "temperature") {
            fields_.readOptional("temperature", Kind::number, request_.temperature);
        } else if (name == "stop_sequences") {
            readStopSequences(reader_, fields_, request_.stopSequences);
        } else {
            return false;
        }
        return true;
    }

    bool readToolsMember(std::string_view name) {
        if (name == "tools") {
            fields_.requireFirst(name, !std::exchange(tools_, true));
            fields_.readObjects("tools",
                                [&](const Place& at) { request_.tools.push_back(readTool(reader_, at)); });
        } else if (name == "tool_choice") {
            fields_.readOptional("tool_choice", Kind::string, toolChoice_);
        } else {
            return false;
        }
        return true;
    }

    void finish() {
        if (!messages_) {
            fields_.refuse("messages", "is missing");
        }
        if (request_.withTools && !tools_) {
            fields_.refuse("tools", "is missing");
        }
        if (!maxTokens_.empty()) {
            request_.maxTokens = readMaxTokens(fields_, maxTokens_);
        }
        if (std::string model = decoded(model_); !model.empty()) {
            requireModelName(model);
            request_.model = std::move(model);
        }
        if (!toolChoice_.empty()) {
            request_.toolChoice = toolChoiceOf(decoded(toolChoice_));
            if (!request_.toolChoice) {
                fields_.refuse("tool_choice", "must be auto, required or none");
            }
        }
        markOrphans(request_.messages);
        request_.size = reader_.position();
        request_.estimatedInput = estimatedTokens(reader_.textBytes());
    }

    json::Reader& reader_;
    Fields fields_;
    ChatRequest request_;
    bool messages_ = false;
    bool tools_ = false;
    Raw model_;
    Raw maxTokens_;
    Raw toolChoice_;
};

}  // namespace

ChatRequest parseChatRequest(std::string_view body, bool withTools, const json::Limits& limits) {
    return readingBody(body, limits,
                       [&](json::Reader& reader) { return RequestReader(reader, withTools).read(); });
}

std::string orphanText(const ChatMessage& message) {
    const auto inside = [](Raw string) { return string.substr(1, string.size() - 2); };
    std::string text = "\"[Tool `";
    text += message.name.empty() ? std::string_view("unknown") : inside(message.name);
    text += "` returned: ";
    text += inside(message.content);
    return text + "]\"";
}

std::string decoded(Raw string) {
    return string.empty() ? std::string() : *json::Value(Kind::string, string).string();
}

std::optional<ImageSource> imageSource(Raw url) {
    const std::string_view text = url.substr(1, url.size() - 2);
    // No escape has a comma in it, so that what stands before one can be decoded by itself.
    const auto comma = std::min(text.find(','), text.size());
    const std::string head = decoded('"' + std::string(text.substr(0, comma)) + '"');
    if (head.starts_with("https://") || head.starts_with("http://")) {
        return ImageSource{};
    }
    constexpr std::string_view scheme = "data:";
    constexpr std::string_view encoding = ";base64";
    if (comma == text.size() || !head.starts_with(scheme) || !head.ends_with(encoding)) {
        return std::nullopt;
    }
    std::string mediaType = head.substr(scheme.size(), head.find(';') - scheme.size());
    if (mediaType.empty()) {
        return std::nullopt;
    }
    return ImageSource{std::move(mediaType), text.substr(comma + 1)};
}

void requireImages(const ChatRequest& request, bool addresses) {
    for (Place at{nullptr, "messages"}; at.index < request.messages.size(); ++at.index) {
        const std::vector<ContentPart>& parts = request.messages[at.index].parts;
        for (Place part{&at, "content_parts"}; part.index < parts.size(); ++part.index) {
            if (parts[part.index].kind != ContentPart::Kind::image) {
                continue;
            }
            const auto source = imageSource(parts[part.index].value);
            if (!source || (source->mediaType.empty() && !addresses)) {
                throw invalidField(part.str() + ".image_url.url",
                                   addresses ? "must be an http(s) address or a base64 data URL"
                                             : "must be a base64 data URL for this model");
            }
        }
    }
}

}  // namespace sallyport::plugins::llm
