// Reading Server-Sent Events (WHATWG HTML, section 9.2).
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::host::client {

/// One dispatched event.
struct SseEvent {
    std::optional<std::string> id;  ///< from an `id:` of its own; nothing when it had none
    std::string type = "message";
    std::string data;
};

/// Takes the bytes of a stream in pieces of any size, cut anywhere, and gives the events in them. An
/// event that the stream ends in the middle of is never given, as the standard wants.
class SseParser {
public:
    /// A line or an event longer than this is an error: no stream may fill the memory.
    static constexpr std::size_t greatestEvent = 256UL << 20U;

    /// @throws std::length_error
    void feed(std::string_view bytes);

    /// The next event, or nothing until more is fed.
    [[nodiscard]] std::optional<SseEvent> next();

private:
    void take(std::string_view bytes);
    void endLine();
    void field(std::string_view name, std::string_view value);
    void dispatch();

    std::string line_;   ///< what came of the line so far
    std::string start_;  ///< the first bytes, until it is known whether they are a BOM
    bool started_ = false;
    bool afterReturn_ = false;  ///< the last byte was CR: an LF now belongs to it
    SseEvent event_{.id = std::nullopt, .type = "", .data = ""};
    std::deque<SseEvent> ready_;
};

}  // namespace sallyport::host::client
