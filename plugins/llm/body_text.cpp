#include "body_text.h"

#include <algorithm>
#include <array>

namespace sallyport::plugins::llm {

namespace {

const char* name(ChatRole role) {
    switch (role) {
        case ChatRole::system:
            return "system";
        case ChatRole::user:
            return "user";
        case ChatRole::assistant:
            return "assistant";
        case ChatRole::tool:
            break;
    }
    return "tool";
}

/// How a character of a JSON text is written in a string: 0 for as it is, or the letter of its escape.
/// Besides the characters of its syntax, only white space between tokens can need one.
constexpr std::array<char, 256> escapes = [] {
    std::array<char, 256> table{};
    table['"'] = '"';
    table['\\'] = '\\';
    table['\n'] = 'n';
    table['\r'] = 'r';
    table['\t'] = 't';
    return table;
}();

char escapeOf(char c) {
    return escapes[static_cast<unsigned char>(c)];
}

}  // namespace

void appendQuotedJson(std::string& out, std::string_view json) {
    out += '"';
    for (std::size_t at = 0; at < json.size();) {
        const std::size_t start = at;
        while (at < json.size() && escapeOf(json[at]) == 0) {
            ++at;
        }
        out += json.substr(start, at - start);
        if (at < json.size()) {
            out += {'\\', escapeOf(json[at++])};
        }
    }
    out += '"';
}

void appendArgumentsObject(std::string& out, Raw arguments) {
    if (arguments.starts_with('{')) {
        out += arguments;
        return;
    }
    out += R"({"arguments":)";
    out += arguments;
    out += '}';
}

void appendFunctionTools(std::string& out, const std::vector<ToolDefinition>& tools) {
    out += '[';
    for (const ToolDefinition& tool : tools) {
        out += R"({"type":"function","function":{"name":)";
        out += tool.name;
        out += R"(,"description":)";
        out += tool.description;
        out += R"(,"parameters":)";
        out += tool.parameters;
        out += "}},";
    }
    out.back() = ']';
}

bool beginMessage(std::string& out, const ChatMessage& message) {
    if (message.orphan) {
        out += R"({"role":"user","content":)" + orphanText(message) + '}';
        return false;
    }
    out += R"({"role":")";
    out += name(message.role);
    out += R"(","content":)";
    return true;
}

bool MemberWriter::begin(std::string_view name) {
    if (std::find(dropped_.begin(), dropped_.end(), name) != dropped_.end()) {
        return false;
    }
    if (!out_.ends_with('{')) {
        out_ += ',';
    }
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return true;
}

void MemberWriter::writeArray(std::string_view name, const std::vector<std::string_view>& values) {
    if (begin(name)) {
        char before = '[';
        for (const std::string_view value : values) {
            out_ += before;
            out_ += value;
            before = ',';
        }
        out_ += ']';
    }
}

}  // namespace sallyport::plugins::llm
