// Accepting connections.
#pragma once

#include <functional>
#include <memory>

#include <Poco/Net/HTTPServer.h>
#include <Poco/ThreadPool.h>

#include "host/http/event_loop.h"
#include "host/http/listening_socket.h"

namespace sallyport::host::http {

/// A `Poco::Net::HTTPServer` that accepts connections and hands each to an event loop. When the door is full
/// the connection stays with Poco, whose only request handler says 503.
class Listener {
public:
    /// Chooses the loop for the next connection.
    using NextLoop = std::function<EventLoop&()>;

    /// @param door outlives it.
    Listener(ListeningSocket socket, Door& door, NextLoop nextLoop);
    ~Listener();

    void start();
    /// Stops accepting, at once, and closes the listening socket. Connections that wait in it are refused,
    /// unless somebody else holds it as well.
    void stop() noexcept;

private:
    ListeningSocket socket_;
    FileDescriptor stopping_;  ///< readable once it is to stop
    Poco::ThreadPool busyPool_;
    std::unique_ptr<Poco::Net::HTTPServer> server_;
};

}  // namespace sallyport::host::http
