#include "host/cli/job_event.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

namespace {

/// Lines that a tool filled are cut to the screen's width; what is written for the reader is not, but
/// no event may fill the screen for ever.
constexpr std::size_t linesOfTool = 1;
constexpr std::size_t linesOfProse = 40;

/// Builds an event whose data is `{"type":…,"job_id":…,…}`. Values are handed on as they were written.
class Broadcast {
public:
    Broadcast(const char* type, const JobId& job) : type_(type) {
        add("type", json::quote(type));
        add("job_id", json::quote(job.str()));
    }

    Broadcast& add(std::string_view name, std::string_view raw) {
        data_ += (data_.empty() ? "{" : ",") + json::quote(name) + ":";
        data_ += raw;
        return *this;
    }

    [[nodiscard]] JobEvent event() const { return {.id = std::nullopt, .type = type_, .json = data_ + "}"}; }

private:
    std::string type_;
    std::string data_;
};

std::string quotedOr(const json::Object& data, std::string_view name, std::string_view fallback) {
    return json::quote(textOf(data, name, std::string(fallback)));
}

std::string rawOr(const json::Object& data, std::string_view name, std::string_view fallback) {
    const json::Value* value = data.find(name);
    return value == nullptr ? std::string(fallback) : value->compact();
}

/// A tool's output is text; what is not is told as its JSON text.
std::string outputOf(const json::Object& data) {
    const json::Value* value = data.find("output");
    return value == nullptr ? std::string() : value->string().value_or(value->compact());
}

std::string decisionsOf(const json::Object& data) {
    std::string list;
    for (const json::Value& element : elementsOf(data, "decisions")) {
        const json::Object decision = element.object();
        const auto tool = optionalText(decision, "tool_name");
        const auto rationale = optionalText(decision, "rationale");
        if (tool && rationale) {
            list += list.empty() ? "" : ",";
            list +=
                R"({"tool_name":)" + json::quote(*tool) + R"(,"rationale":)" + json::quote(*rationale) + "}";
        }
    }
    return "[" + list + "]";
}

JobEvent resultOf(const JobId& job, const json::Object& data) {
    Broadcast result("job_result", job);
    result.add("status", quotedOr(data, "status", "unknown"));
    if (const auto session = optionalText(data, "session_id")) {
        result.add("session_id", json::quote(*session));
    }
    if (const json::Value* deliverable = data.find("fallback_deliverable")) {
        result.add("fallback_deliverable", deliverable->compact());
    }
    return result.event();
}

JobEvent broadcastOf(std::string_view type, const JobId& job, const json::Object& data) {
    if (type == "message") {
        return Broadcast("job_message", job)
            .add("role", quotedOr(data, "role", "assistant"))
            .add("content", quotedOr(data, "content", ""))
            .event();
    }
    if (type == "tool_use") {
        return Broadcast("job_tool_use", job)
            .add("tool_name", quotedOr(data, "tool_name", "unknown"))
            .add("input", rawOr(data, "input", "null"))
            .event();
    }
    if (type == "tool_result") {
        return Broadcast("job_tool_result", job)
            .add("tool_name", quotedOr(data, "tool_name", "unknown"))
            .add("output", json::quote(outputOf(data)))
            .event();
    }
    if (type == "result") {
        return resultOf(job, data);
    }
    if (type == "reasoning") {
        return Broadcast("job_reasoning", job)
            .add("narrative", quotedOr(data, "narrative", ""))
            .add("decisions", decisionsOf(data))
            .event();
    }
    return Broadcast("job_status", job).add("message", quotedOr(data, "message", "")).event();
}

/// A line's second column, and how what follows it is shown.
struct Look {
    const char* type;
    const char* label;
    Style style;
    std::size_t lines;
};

constexpr std::array<Look, 7> looks = {{
    {"job_message", "message", Style::bold, linesOfProse},
    {"job_tool_use", "tool", Style::cyan, linesOfTool},
    {"job_tool_result", "tool result", Style::blue, linesOfTool},
    {"job_result", "result", Style::green, linesOfProse},
    {"job_reasoning", "reasoning", Style::dim, linesOfProse},
    {"job_status", "status", Style::yellow, linesOfProse},
    {"job_state", "state", Style::bold, linesOfProse},
}};

/// A type that a newer daemon has and this program does not know.
constexpr Look unknownLook{"", "", Style::plain, linesOfTool};

const Look& lookOf(const std::string& type) {
    const auto* const look =
        std::find_if(looks.begin(), looks.end(), [&](const Look& one) { return type == one.type; });
    return look == looks.end() ? unknownLook : *look;
}

Line reasoningOf(const json::Object& data) {
    Line spans{{textOf(data, "narrative")}};
    for (const json::Value& element : elementsOf(data, "decisions")) {
        const json::Object decision = element.object();
        spans.push_back({" [" + textOf(decision, "tool_name"), Style::cyan});
        spans.push_back({": " + textOf(decision, "rationale")});
        spans.push_back({"]", Style::cyan});
    }
    return spans;
}

Line contentOf(const std::string& type, const json::Object& data, const std::string& whole) {
    if (type == "job_message") {
        return {{textOf(data, "role") + ": ", Style::bold}, {textOf(data, "content")}};
    }
    if (type == "job_tool_use") {
        return {{textOf(data, "tool_name"), Style::cyan}, {" " + rawOr(data, "input", "null")}};
    }
    if (type == "job_tool_result") {
        return {{textOf(data, "tool_name"), Style::blue}, {" " + textOf(data, "output")}};
    }
    if (type == "job_result") {
        const std::string deliverable = rawOr(data, "fallback_deliverable", "");
        return {{textOf(data, "status"), Style::bold}, {deliverable.empty() ? "" : " " + deliverable}};
    }
    if (type == "job_reasoning") {
        return reasoningOf(data);
    }
    if (type == "job_status") {
        return {{textOf(data, "message")}};
    }
    if (type == "job_state") {
        const std::string state = textOf(data, "state");
        return {{state, styleOfState(state)}};
    }
    return {{type, Style::bold}, {" " + whole}};
}

std::string rightAligned(const std::string& text, std::size_t columns) {
    return std::string(columns - std::min(columns, text.size()), ' ') + text;
}

std::string leftAligned(const std::string& text, std::size_t columns) {
    return text + std::string(columns - std::min(columns, text.size()), ' ');
}

}  // namespace

JobEvent fromHistory(const JobId& job, const json::Value& stored) {
    const json::Object members = stored.object();
    const json::Value* id = members.find("id");
    const json::Value* data = members.find("data");
    if (id == nullptr || id->integer().value_or(0) <= 0 || data == nullptr) {
        throw Refused(200, "the history of the job cannot be read: an event has no number or no data");
    }
    JobEvent event = broadcastOf(textOf(members, "event_type"), job, data->object());
    event.id = static_cast<std::uint64_t>(*id->integer());
    return event;
}

JobEvent fromStream(const SseEvent& event) {
    JobEvent result{.id = std::nullopt, .type = event.type, .json = Answer(event.data).value().compact()};
    if (event.id) {
        std::uint64_t number = 0;
        const char* const end = event.id->data() + event.id->size();
        if (std::from_chars(event.id->data(), end, number).ptr == end && number > 0) {
            result.id = number;
        }
    }
    return result;
}

JobEvent stateEvent(const JobId& job, const std::string& state) {
    return Broadcast("job_state", job).add("state", json::quote(state)).event();
}

std::string jsonLine(const JobEvent& event) {
    if (!event.id) {
        return event.json;
    }
    const std::string id = R"({"id":)" + std::to_string(*event.id);
    return event.json == "{}" ? id + "}" : id + "," + event.json.substr(1);
}

void show(const JobEvent& event, Terminal& terminal) {
    const Look& look = lookOf(event.type);
    const Answer data(event.json);
    const std::string number = event.id ? std::to_string(*event.id) : std::string();
    Line spans{{rightAligned(number, 6) + "  ", Style::dim},
               {leftAligned(look.label, 11) + "  ", look.style}};
    for (Span& span : contentOf(event.type, data.object(), event.json)) {
        spans.push_back(std::move(span));
    }
    terminal.fittedLine(spans, look.lines);
}

Style styleOfState(const std::string& state) {
    if (state == "completed") {
        return Style::green;
    }
    if (state == "failed" || state == "interrupted") {
        return Style::red;
    }
    if (state == "cancelled") {
        return Style::yellow;
    }
    return state == "running" ? Style::cyan : Style::plain;
}

}  // namespace sallyport::host::cli
