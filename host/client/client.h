// Asking the operator door.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <Poco/JSON/Object.h>

#include <sallyport/json.h>

#include "host/client/http_exchange.h"
#include "host/client/locate.h"
#include "host/client/sse_parser.h"

namespace sallyport::host::client {

/// An answer: a JSON object, and the text it was read from. Cheap to copy.
class Answer {
public:
    /// @throws Refused if the body is no JSON object: whoever answered is no Sallyport.
    explicit Answer(std::string body);

    [[nodiscard]] const std::string& text() const noexcept { return *text_; }
    [[nodiscard]] const json::Value& value() const noexcept { return value_; }
    [[nodiscard]] const json::Object& object() const noexcept { return object_; }

private:
    std::shared_ptr<const std::string> text_;  ///< what the others refer to
    json::Value value_;
    json::Object object_;
};

/// Members of an answer. What is missing, null or of another kind gives the fallback, because a newer or
/// older daemon may leave out what this program would like to show.
[[nodiscard]] std::string textOf(const json::Object& object, std::string_view name,
                                 std::string fallback = {});
[[nodiscard]] std::optional<std::string> optionalText(const json::Object& object, std::string_view name);
/// A string, or a number as it is written: ids are either.
[[nodiscard]] std::string idOf(const json::Object& object, std::string_view name);
[[nodiscard]] std::int64_t numberOf(const json::Object& object, std::string_view name);
[[nodiscard]] bool isTrue(const json::Object& object, std::string_view name);
[[nodiscard]] std::vector<json::Value> elementsOf(const json::Object& object, std::string_view name);
/// A sentence for the person when what was done would not outlast a crash of the daemon; else nothing.
[[nodiscard]] std::optional<std::string> caveatOf(const json::Object& answer);
[[nodiscard]] json::Object objectOf(const json::Object& object, std::string_view name);

/// One sentence about the call into a plugin that has gone on for longest; nothing if none is slow.
/// @param plugin from the answer of `GET /api/plugins`.
[[nodiscard]] std::optional<std::string> slowCallOf(const json::Object& plugin);

/// A request's path with its query, built piece by piece.
class Target {
public:
    explicit Target(std::string path) : text_(std::move(path)) {}
    /// One more segment, percent-encoded.
    Target& segment(std::string_view text);
    /// One more parameter, percent-encoded.
    Target& query(std::string_view name, std::string_view value);
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
    bool hasQuery_ = false;
};

/// A live stream of events.
class EventStream {
public:
    /// @param idle how long the stream may be silent before the connection counts as dead.
    /// @throws Unreachable, Refused
    EventStream(const Access& access, std::chrono::milliseconds timeout, const Target& target,
                std::uint64_t lastEventId, std::chrono::milliseconds idle);

    /// Waits for the next event; nothing when the stream has ended.
    /// @throws Unreachable when it breaks or stays silent too long.
    [[nodiscard]] std::optional<SseEvent> next();

    [[nodiscard]] int descriptor() { return exchange_.descriptor(); }

private:
    HttpExchange exchange_;
    SseParser parser_;
};

/// The operator door, asked with one connection a request: a command asks seldom, and a connection that
/// was never kept cannot have gone stale.
class Client {
public:
    Client(Access access, std::chrono::milliseconds timeout)
        : access_(std::move(access)), timeout_(timeout) {}

    [[nodiscard]] const Address& address() const noexcept { return access_.address; }

    /// Each @throws Unreachable, Refused
    [[nodiscard]] Answer get(const Target& target) const { return ask("GET", target, {}); }
    [[nodiscard]] Answer post(const Target& target) const { return ask("POST", target, {}); }
    [[nodiscard]] Answer post(const Target& target, const Poco::JSON::Object& body) const;
    [[nodiscard]] Answer put(const Target& target, const Poco::JSON::Object& body) const;
    /// @param body JSON, for one that must not be copied.
    [[nodiscard]] Answer put(const Target& target, const std::string& body) const {
        return ask("PUT", target, body);
    }
    [[nodiscard]] Answer patch(const Target& target, const Poco::JSON::Object& body) const;
    [[nodiscard]] Answer remove(const Target& target) const { return ask("DELETE", target, {}); }
    [[nodiscard]] EventStream follow(const Target& target, std::uint64_t lastEventId,
                                     std::chrono::milliseconds idle) const {
        return {access_, timeout_, target, lastEventId, idle};
    }

private:
    [[nodiscard]] Answer ask(const std::string& method, const Target& target, const std::string& body) const;

    Access access_;
    std::chrono::milliseconds timeout_;
};

}  // namespace sallyport::host::client
