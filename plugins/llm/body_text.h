// Writing JSON bodies out of spans that are JSON already.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sallyport/json.h>

#include "chat_request.h"

namespace sallyport::plugins::llm {

/// Appends a JSON text as a JSON string, as OpenAI wants a tool call's arguments.
void appendQuotedJson(std::string& out, std::string_view json);

/// Appends a tool call's arguments as the object that some providers insist on. What a worker kept there
/// instead of one must not get lost: it becomes the member `arguments` of one.
void appendArgumentsObject(std::string& out, Raw arguments);

/// Appends `[{"type":"function","function":{…}},…]`, as OpenAI and Ollama want tools; there must be some.
void appendFunctionTools(std::string& out, const std::vector<ToolDefinition>& tools);

/// Appends a message up to its `content`, whose value is next, as OpenAI and Ollama want it. An orphan is
/// appended whole: then @return false.
[[nodiscard]] bool beginMessage(std::string& out, const ChatMessage& message);

/// Appends `"name":value` with a comma before it, unless it is the first of its object or was dropped.
class MemberWriter {
public:
    MemberWriter(std::string& out, const std::vector<std::string>& dropped) : out_(out), dropped_(dropped) {}

    /// Begins a member whose value the caller appends. @return false when it is dropped
    [[nodiscard]] bool begin(std::string_view name);
    void write(std::string_view name, std::string_view value) {
        if (begin(name)) {
            out_ += value;
        }
    }
    void writeText(std::string_view name, std::string_view text) { write(name, json::quote(text)); }
    /// An array of values that are JSON already.
    void writeArray(std::string_view name, const std::vector<std::string_view>& values);

private:
    std::string& out_;
    const std::vector<std::string>& dropped_;
};

}  // namespace sallyport::plugins::llm
