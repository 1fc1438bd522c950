#include "host/client/client.h"

#include <sstream>
#include <stdexcept>
#include <utility>

#include <Poco/URI.h>

#include "host/client/failure.h"

namespace sallyport::host::client {

namespace {

/// Events nest as deep as the worker door lets them, inside what the operator door puts around them. How many
/// values they have is limited by the size of a page.
constexpr json::Limits limits{.depth = 512, .values = json::unlimited.values};

json::Value parseObject(const std::string& body) {
    try {
        const json::Value value = json::Value::parse(body, limits);
        if (value.kind() == json::Kind::object) {
            return value;
        }
    } catch (const json::ParseError&) {
        // Said below, as for any other text that is no object.
    }
    throw Refused(200, "the answer is not JSON as Sallyport writes it",
                  {"Is the address that of the operator door?"});
}

std::string textOf(const Poco::JSON::Object& body) {
    std::ostringstream text;
    body.stringify(text);
    return text.str();
}

std::string percentEncoded(std::string_view text) {
    std::string result;
    Poco::URI::encode(std::string(text), "!#$&'()*+,/:;=?@[]", result);
    return result;
}

}  // namespace

Answer::Answer(std::string body)
    : text_(std::make_shared<const std::string>(std::move(body))),
      value_(parseObject(*text_)),
      object_(value_.object()) {}

std::optional<std::string> optionalText(const json::Object& object, std::string_view name) {
    const json::Value* value = object.find(name);
    return value == nullptr ? std::nullopt : value->string();
}

std::string textOf(const json::Object& object, std::string_view name, std::string fallback) {
    return optionalText(object, name).value_or(std::move(fallback));
}

std::string idOf(const json::Object& object, std::string_view name) {
    const json::Value* value = object.find(name);
    if (value != nullptr && value->kind() == json::Kind::number) {
        return std::string(value->raw());
    }
    return textOf(object, name);
}

std::int64_t numberOf(const json::Object& object, std::string_view name) {
    const json::Value* value = object.find(name);
    return value == nullptr ? 0 : value->integer().value_or(0);
}

bool isTrue(const json::Object& object, std::string_view name) {
    const json::Value* value = object.find(name);
    return value != nullptr && value->boolean().value_or(false);
}

std::vector<json::Value> elementsOf(const json::Object& object, std::string_view name) {
    const json::Value* value = object.find(name);
    return value == nullptr ? std::vector<json::Value>() : value->elements();
}

std::optional<std::string> caveatOf(const json::Object& answer) {
    if (answer.optionalBoolean("durable").value_or(true)) {
        return std::nullopt;
    }
    return "The disk takes nothing: this holds until the daemon restarts, and for good once there is room.";
}

json::Object objectOf(const json::Object& object, std::string_view name) {
    const json::Value* value = object.find(name);
    return value == nullptr ? json::Object({}) : value->object();
}

std::optional<std::string> slowCallOf(const json::Object& plugin) {
    std::optional<std::string> sentence;
    std::int64_t longest = -1;
    for (const json::Value& element : elementsOf(plugin, "slow")) {
        const json::Object call = element.object();
        const std::int64_t time = numberOf(call, "running_ms");
        if (time <= longest) {
            continue;
        }
        longest = time;
        const std::string route = textOf(call, "route");
        sentence = "its " + textOf(call, "callback") + (route.empty() ? "" : " of " + route) +
                   " has not returned for " + std::to_string(time / 1000) + " s" +
                   (route.empty() ? "" : " (request " + textOf(call, "request_id") + ")");
    }
    return sentence;
}

Target& Target::segment(std::string_view text) {
    text_ += "/" + percentEncoded(text);
    return *this;
}

Target& Target::query(std::string_view name, std::string_view value) {
    text_ +=
        (std::exchange(hasQuery_, true) ? "&" : "?") + percentEncoded(name) + "=" + percentEncoded(value);
    return *this;
}

EventStream::EventStream(const Access& access, std::chrono::milliseconds timeout, const Target& target,
                         std::uint64_t lastEventId, std::chrono::milliseconds idle)
    : exchange_(access, timeout) {
    exchange_.ask("GET", target.text(), {}, std::to_string(lastEventId));
    if (exchange_.contentType() != "text/event-stream") {
        throw Refused(200, "expected a stream of events, got " + exchange_.contentType());
    }
    exchange_.setReadTimeout(idle);
}

std::optional<SseEvent> EventStream::next() {
    for (;;) {
        if (std::optional<SseEvent> event = parser_.next()) {
            return event;
        }
        const std::string bytes = exchange_.read();
        if (bytes.empty()) {
            return std::nullopt;
        }
        try {
            parser_.feed(bytes);
        } catch (const std::length_error& problem) {
            throw Refused(200, std::string("the stream of events cannot be read: ") + problem.what());
        }
    }
}

Answer Client::post(const Target& target, const Poco::JSON::Object& body) const {
    return ask("POST", target, textOf(body));
}

Answer Client::put(const Target& target, const Poco::JSON::Object& body) const {
    return ask("PUT", target, textOf(body));
}

Answer Client::patch(const Target& target, const Poco::JSON::Object& body) const {
    return ask("PATCH", target, textOf(body));
}

Answer Client::ask(const std::string& method, const Target& target, const std::string& body) const {
    HttpExchange exchange(access_, timeout_);
    exchange.ask(method, target.text(), body);
    return Answer(exchange.readAll());
}

}  // namespace sallyport::host::client
