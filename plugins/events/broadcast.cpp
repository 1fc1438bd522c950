#include "broadcast.h"

#include <utility>
#include <vector>

namespace sallyport::plugins {

namespace {

/// Writes the object. Values go in as the JSON they were sent as, so that nothing of them is lost.
class Writing {
public:
    Writing(const char* type, const JobId& job, const json::Value& data)
        : type_(type), fields_(data.object()) {
        text_.reserve(data.raw().size() + 96);
        text_.append(R"({"type":")").append(type).append(R"(","job_id":")").append(job.str()).append("\"");
    }

    /// The field if it is a string, else `fallback`, which is JSON.
    void string(std::string_view name, std::string_view fallback) {
        const json::Value* const value = fields_.find(name);
        raw(name, value != nullptr && value->kind() == json::Kind::string ? value->raw() : fallback);
    }

    /// The field if it is a string; left out if not.
    void stringIfThere(std::string_view name) {
        const json::Value* const value = fields_.find(name);
        if (value != nullptr && value->kind() == json::Kind::string) {
            raw(name, value->raw());
        }
    }

    void raw(std::string_view name, std::string_view json) {
        text_.append(",\"").append(name).append("\":").append(json);
    }

    [[nodiscard]] const json::Object& fields() const { return fields_; }

    [[nodiscard]] Broadcast finish() && { return {type_, std::move(text_) + "}"}; }

private:
    const char* type_;
    json::Object fields_;
    std::string text_;
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
    std::string text = "[";
    for (const json::Value& entry :
         decisions == nullptr ? std::vector<json::Value>() : decisions->elements()) {
        const json::Object fields = entry.object();
        const json::Value* const tool = fields.find("tool_name");
        const json::Value* const why = fields.find("rationale");
        if (tool != nullptr && tool->kind() == json::Kind::string && why != nullptr &&
            why->kind() == json::Kind::string) {
            text.append(text.size() > 1 ? "," : "");
            text.append(R"({"tool_name":)").append(tool->raw());
            text.append(R"(,"rationale":)").append(why->raw()).append("}");
        }
    }
    return text + "]";
}

}  // namespace

Broadcast broadcastOf(const JobId& job, std::string_view eventType, const json::Value& data) {
    if (eventType == "message") {
        Writing event("job_message", job, data);
        event.string("role", R"("assistant")");
        event.string("content", R"("")");
        return std::move(event).finish();
    }
    if (eventType == "tool_use") {
        Writing event("job_tool_use", job, data);
        event.string("tool_name", R"("unknown")");
        const json::Value* const input = event.fields().find("input");
        event.raw("input", input == nullptr ? "null" : input->compact());
        return std::move(event).finish();
    }
    if (eventType == "tool_result") {
        Writing event("job_tool_result", job, data);
        event.string("tool_name", R"("unknown")");
        event.raw("output", outputText(event.fields().find("output")));
        return std::move(event).finish();
    }
    if (eventType == "result") {
        Writing event("job_result", job, data);
        event.string("status", R"("unknown")");
        event.stringIfThere("session_id");
        if (const json::Value* const deliverable = event.fields().find("fallback_deliverable")) {
            event.raw("fallback_deliverable", deliverable->compact());
        }
        return std::move(event).finish();
    }
    if (eventType == "reasoning") {
        Writing event("job_reasoning", job, data);
        event.string("narrative", R"("")");
        event.raw("decisions", decisionsOf(event.fields().find("decisions")));
        return std::move(event).finish();
    }
    Writing event("job_status", job, data);
    event.string("message", R"("")");
    return std::move(event).finish();
}

}  // namespace sallyport::plugins
