// HTTP/1.1 over a raw socket, so that a test decides about each byte.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/file_descriptor.h>

#include "tests/support/deadline.h"

namespace sallyport::tests {

/// Where a daemon listens, as its address files write it: `http://127.0.0.1:50051`, `http://[::1]:50051`
/// or `unix:/path`.
class Endpoint {
public:
    /// @throws std::invalid_argument
    explicit Endpoint(std::string address);

    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    /// 0 for a Unix-domain socket.
    [[nodiscard]] std::uint16_t port() const;
    /// A connected, non-blocking socket. @throws ConnectionLost when nobody listens.
    [[nodiscard]] FileDescriptor connect(std::optional<int> receiveBuffer = std::nullopt) const;

private:
    std::string address_;
};

/// The peer closed or reset the connection where it should have answered.
class ConnectionLost : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An answer as it came over the wire.
struct Response {
    int status = 0;
    std::string version;
    std::vector<std::pair<std::string, std::string>> headers;  ///< in order, names as sent
    std::string body;
    bool keepAlive = false;  ///< whether the head promises that the connection stays open

    /// The first header of that name, in any letter case; empty if there is none.
    [[nodiscard]] std::string header(std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view name) const;

    /// The body's value at a path such as `jobs.0.state`: a string decoded, any other value as it was
    /// written, `(absent)` where there is none, `(no JSON)` for a body that is none.
    [[nodiscard]] std::string at(std::string_view path) const;
    /// The same as it was written, strings with their quotes.
    [[nodiscard]] std::string raw(std::string_view path) const;
    /// How many elements the array at that path has; 0 where there is none.
    [[nodiscard]] std::size_t size(std::string_view path) const;

    /// All of it, for the message of an assertion.
    [[nodiscard]] std::string describe() const;
};

/// `Response::at` for any text.
[[nodiscard]] std::string jsonAt(std::string_view json, std::string_view path);

/// A request to be written down in one expression.
class Request {
public:
    Request(std::string method, std::string target);

    Request& header(std::string name, std::string value);
    Request& bearer(std::string_view token);
    /// `Content-Type: application/json` and the body with its length.
    Request& json(std::string_view body);
    Request& body(std::string_view type, std::string_view body);
    /// Leaves the Host header out.
    Request& withoutHost();

    [[nodiscard]] const std::string& method() const noexcept { return method_; }
    /// What goes over the wire.
    [[nodiscard]] std::string bytes() const;

private:
    std::string method_;
    std::string target_;
    std::vector<std::pair<std::string, std::string>> headers_;
    std::string body_;
    bool host_ = true;
};

/// One connection. Every wait ends with TimedOut after the failure limit.
class Connection {
public:
    /// @param receiveBuffer bytes of the socket's own receive buffer, for a client that reads slowly.
    explicit Connection(const Endpoint& endpoint, std::optional<int> receiveBuffer = std::nullopt);

    /// Writes all bytes. @throws ConnectionLost
    void send(std::string_view bytes);
    /// Writes what the peer takes; @return false once it has closed its end.
    bool trySend(std::string_view bytes);

    /// Reads one response. @throws ConnectionLost
    Response receive(std::string_view method = "GET");
    /// Reads up to the end of the head. The body follows by `receiveBody`.
    Response receiveHead(std::string_view method = "GET");
    /// Appends the next piece of the body. @return false at its proper end. @throws ConnectionLost when it
    ///         is cut short.
    bool receiveBody(std::string& body);

    Response exchange(const Request& request);

    /// Reads bytes that belong to no response until there are that many. @return what there is by then.
    /// @throws ConnectionLost when the peer closes before.
    std::string receiveBytes(std::size_t size);
    /// All bytes until the peer closes; a reset counts as the end.
    std::string receiveUntilClosed();
    /// Whether the peer closes the connection without sending anything more.
    bool closedByPeer() { return receiveUntilClosed().empty(); }
    /// The same, and not by a reset, which can overtake an answer.
    bool closedInOrder();
    /// Whether there is something to read, or the end, by now.
    [[nodiscard]] bool readable() const;

    /// Says that nothing more will be sent.
    void finishSending();
    /// Closes with a reset, as a crashing peer would.
    void reset();

    [[nodiscard]] bool open() const noexcept { return socket_.open(); }
    [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }

private:
    enum class Framing { none, length, chunked, untilClosed };

    /// Reads more into the buffer; @return false at the end of the stream.
    bool fill();
    std::string takeLine();
    bool receiveChunk(std::string& body);

    FileDescriptor socket_;
    std::string buffer_;
    Framing framing_ = Framing::none;
    std::uint64_t remaining_ = 0;
};

/// One request on a connection of its own, which asks to be closed after it.
Response exchange(const Endpoint& endpoint, Request request);

}  // namespace sallyport::tests
