// An operator door that says what a test tells it to.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>

#include "host/client/client.h"

namespace sallyport::host::client {

/// One request as it arrived. Header names are in lower case.
struct ScriptedRequest {
    std::string method;
    std::string target;
    std::map<std::string, std::string> headers;
    std::string body;
};

/// Takes one request a connection and hands it, and the socket, to the test's handler, each on a thread
/// of its own. When the handler returns the connection is closed, whatever had been promised.
class ScriptedDoor {
public:
    using Handler = std::function<void(const ScriptedRequest&, Poco::Net::StreamSocket&)>;

    /// Listens on a free port of the loopback interface.
    explicit ScriptedDoor(Handler handler);
    ScriptedDoor(const Poco::Net::SocketAddress& address, Handler handler);
    ~ScriptedDoor();
    ScriptedDoor(const ScriptedDoor&) = delete;
    ScriptedDoor& operator=(const ScriptedDoor&) = delete;

    [[nodiscard]] std::string url() const;
    /// A client that knows this door and the token `operator-token`.
    [[nodiscard]] Client client() const;
    /// `METHOD target` of every request so far, in the order of their arrival.
    [[nodiscard]] std::vector<std::string> asked() const;
    [[nodiscard]] std::vector<ScriptedRequest> requests() const;

private:
    void accept();
    void serve(Poco::Net::StreamSocket socket);

    Poco::Net::ServerSocket listener_;
    Handler handler_;
    mutable std::mutex mutex_;
    bool closing_ = false;
    std::vector<ScriptedRequest> requests_;
    std::vector<std::thread> connections_;
    std::thread acceptor_;
};

/// Sends the bytes as they are.
void send(Poco::Net::StreamSocket& socket, const std::string& bytes);
/// Sends a whole answer.
void answer(Poco::Net::StreamSocket& socket, int status, const std::string& body,
            const std::string& contentType = "application/json");
/// Sends the head of a stream of events.
void openStream(Poco::Net::StreamSocket& socket);
/// Waits until the other side closes the connection.
void awaitClose(Poco::Net::StreamSocket& socket);

/// A handler that answers `METHOD target` from a table, and 404 to all else.
[[nodiscard]] ScriptedDoor::Handler canned(std::map<std::string, std::string> answers);

}  // namespace sallyport::host::client
