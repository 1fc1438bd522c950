// Accepting connections.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/ThreadPool.h>

#include "host/http/event_loop.h"

namespace sallyport::host::http {

/// Whether a door could listen there: `host:port`, `[v6]:port` or `unix:/path`. Nothing is opened; a name is
/// looked up.
[[nodiscard]] bool isListenAddress(const std::string& address);

/// A `Poco::Net::HTTPServer` that accepts connections and hands each to an event loop. When the door is full
/// the connection stays with Poco, whose only request handler says 503.
class Listener {
public:
    /// Chooses the loop for the next connection.
    using NextLoop = std::function<EventLoop&()>;

    /// @param address see isListenAddress; port 0 takes a free one. The file of a Unix
    ///        socket that nobody listens on any more is replaced.
    /// @throws std::runtime_error a sentence naming the address.
    Listener(const std::string& address, Door& door, NextLoop nextLoop);
    ~Listener();

    void start();
    /// Stops accepting and closes the listening socket.
    void stop();

    /// How a client on this host reaches it: `http://127.0.0.1:50051` or `unix:/path`.
    [[nodiscard]] const std::string& url() const noexcept { return url_; }

private:
    std::string unixPath_;
    Poco::Net::ServerSocket socket_;
    Poco::ThreadPool busyPool_;
    std::unique_ptr<Poco::Net::HTTPServer> server_;
    std::string url_;
};

}  // namespace sallyport::host::http
