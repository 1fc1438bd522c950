// An answer that comes as Server-Sent Events.
#pragma once

#include <string>

#include "tests/support/http_client.h"

namespace sallyport::tests {

/// Sends one request on a connection of its own and reads the answer as it comes.
class StreamedAnswer {
public:
    /// Returns when the head is there.
    StreamedAnswer(const Endpoint& endpoint, const Request& request);

    [[nodiscard]] const Response& head() const noexcept { return head_; }

    /// The next block with its blank line; what is left when the stream ends, empty after that.
    /// @throws ConnectionLost when it is cut, TimedOut
    std::string next();
    /// All that comes until the stream ends.
    std::string rest();

    [[nodiscard]] Connection& connection() noexcept { return connection_; }

private:
    Connection connection_;
    Response head_;
    std::string text_;
};

}  // namespace sallyport::tests
