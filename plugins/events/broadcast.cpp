#include "broadcast.h"

#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include <sallyport/json_reader.h>
#include <sallyport/json_writer.h>

namespace sallyport::plugins {

namespace {

/// Those of an object's members that are wanted. Data may have a million others, which are stepped over.
class Fields {
public:
    Fields(std::initializer_list<std::string_view> wanted) {
        for (const std::string_view name : wanted) {
            found_.emplace_back(name, std::nullopt);
        }
    }

    /// Takes the value that comes next; nothing is found where that is no object.
    void read(json::Reader& reader) {
        if (reader.kind() != json::Kind::object) {
            reader.skip();
            return;
        }
        reader.enterObject();
        while (const auto name = reader.nextMember()) {
            std::optional<json::Value>* const place = placeOf(*name);
            const json::Kind kind = reader.kind();
            const std::string_view raw = reader.skip();
            if (place != nullptr) {
                *place = json::Value(kind, raw);
            }
        }
    }

    /// The last member of that name, which is one of those that are wanted, or null.
    [[nodiscard]] const json::Value* find(std::string_view name) {
        const std::optional<json::Value>* const place = placeOf(name);
        return place != nullptr && *place ? &**place : nullptr;
    }

    /// The same if it is a string.
    [[nodiscard]] const json::Value* findString(std::string_view name) {
        const json::Value* const value = find(name);
        return value != nullptr && value->kind() == json::Kind::string ? value : nullptr;
    }

private:
    std::optional<json::Value>* placeOf(std::string_view name) {
        for (auto& [wanted, value] : found_) {
            if (wanted == name) {
                return &value;
            }
        }
        return nullptr;
    }

    std::vector<std::pair<std::string_view, std::optional<json::Value>>> found_;
};

/// Writes the object. Values go in as the JSON they were sent as, so that nothing of them is lost.
class Writing {
public:
    Writing(const char* type, const JobId& job, const json::Value& data,
            std::initializer_list<std::string_view> wanted)
        : type_(type), fields_(wanted) {
        json::Reader reader(data.raw(), json::unlimited);
        fields_.read(reader);
        text_.reserve(data.raw().size() + 96);
        writer_.beginObject().member("type", type).member("job_id", job.str());
    }

    /// The field if it is a string, else `fallback`, which is JSON.
    void string(std::string_view name, std::string_view fallback) {
        const json::Value* const value = fields_.findString(name);
        raw(name, value != nullptr ? value->raw() : fallback);
    }

    /// The field if it is a string; left out if not.
    void stringIfThere(std::string_view name) {
        if (const json::Value* const value = fields_.findString(name)) {
            raw(name, value->raw());
        }
    }

    void raw(std::string_view name, std::string_view json) { writer_.rawMember(name, json); }

    [[nodiscard]] Fields& fields() { return fields_; }

    [[nodiscard]] Broadcast finish() && {
        writer_.endObject();
        return {type_, std::move(text_)};
    }

private:
    const char* type_;
    Fields fields_;
    std::string text_;
    json::Writer writer_{text_};
};

/// A tool's output is shown as text: what is no string, as the JSON it is.
std::string outputText(const json::Value* output) {
    if (output == nullptr) {
        return R"("")";
    }
    return output->kind() == json::Kind::string ? std::string(output->raw()) : json::quote(output->compact());
}

/// The entries that say which tool was chosen and why, and nothing else of them.
std::string decisionsOf(const json::Value* decisions) {
    if (decisions == nullptr || decisions->kind() != json::Kind::array) {
        return "[]";
    }
    std::string text;
    json::Writer writer(text);
    writer.beginArray();
    json::Reader reader(decisions->raw(), json::unlimited);
    reader.enterArray();
    while (reader.nextElement()) {
        Fields fields{"tool_name", "rationale"};
        fields.read(reader);
        const json::Value* const tool = fields.findString("tool_name");
        const json::Value* const why = fields.findString("rationale");
        if (tool != nullptr && why != nullptr) {
            writer.beginObject().rawMember("tool_name", tool->raw());
            writer.rawMember("rationale", why->raw()).endObject();
        }
    }
    writer.endArray();
    return text;
}

}  // namespace

Broadcast broadcastOf(const JobId& job, std::string_view eventType, const json::Value& data) {
    if (eventType == "message") {
        Writing event("job_message", job, data, {"role", "content"});
        event.string("role", R"("assistant")");
        event.string("content", R"("")");
        return std::move(event).finish();
    }
    if (eventType == "tool_use") {
        Writing event("job_tool_use", job, data, {"tool_name", "input"});
        event.string("tool_name", R"("unknown")");
        const json::Value* const input = event.fields().find("input");
        event.raw("input", input == nullptr ? "null" : input->compact());
        return std::move(event).finish();
    }
    if (eventType == "tool_result") {
        Writing event("job_tool_result", job, data, {"tool_name", "output"});
        event.string("tool_name", R"("unknown")");
        event.raw("output", outputText(event.fields().find("output")));
        return std::move(event).finish();
    }
    if (eventType == "result") {
        Writing event("job_result", job, data, {"status", "session_id", "fallback_deliverable"});
        event.string("status", R"("unknown")");
        event.stringIfThere("session_id");
        if (const json::Value* const deliverable = event.fields().find("fallback_deliverable")) {
            event.raw("fallback_deliverable", deliverable->compact());
        }
        return std::move(event).finish();
    }
    if (eventType == "reasoning") {
        Writing event("job_reasoning", job, data, {"narrative", "decisions"});
        event.string("narrative", R"("")");
        event.raw("decisions", decisionsOf(event.fields().find("decisions")));
        return std::move(event).finish();
    }
    Writing event("job_status", job, data, {"message"});
    event.string("message", R"("")");
    return std::move(event).finish();
}

}  // namespace sallyport::plugins
