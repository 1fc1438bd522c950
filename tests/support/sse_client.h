// A subscriber of Server-Sent Events.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/support/http_client.h"

namespace sallyport::tests {

/// One event as it came: a field that was not sent is empty.
struct StreamedEvent {
    std::string id;
    std::string type;
    std::string data;

    /// A value within `data`, as Response::at gives it.
    [[nodiscard]] std::string at(std::string_view path) const { return jsonAt(data, path); }
    [[nodiscard]] std::string describe() const;
};

/// Follows one stream on a connection of its own.
class SseClient {
public:
    struct Options {
        std::string target = "/api/events";
        std::optional<std::string> lastEventId{};
        std::optional<int> receiveBuffer{};
    };

    /// Subscribes and awaits the head of the answer.
    SseClient(const Endpoint& endpoint, const std::string& token, const Options& options);

    [[nodiscard]] const Response& head() const noexcept { return head_; }

    /// The next event. @throws TimedOut, ConnectionLost when the stream ends first
    StreamedEvent next();
    /// The next event with a number, letting those without pass.
    StreamedEvent nextNumbered();
    /// The next event of that type, letting others pass.
    StreamedEvent nextOfType(std::string_view type);

    /// The next comment, letting events pass.
    std::string nextComment();

    /// Reads on to the end. @return whether the stream was ended properly and not cut.
    bool endsCleanly();

    [[nodiscard]] Connection& connection() noexcept { return connection_; }

private:
    /// The lines of the next block. Empty at the end of the stream.
    std::vector<std::string> nextBlock();

    Connection connection_;
    Response head_;
    std::string text_;
};

}  // namespace sallyport::tests
