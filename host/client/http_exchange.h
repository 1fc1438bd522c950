// One HTTP exchange with the operator door.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>

#include "host/client/locate.h"

namespace sallyport::host::client {

/// A connection for one request, over TCP or a Unix socket. What goes wrong below HTTP becomes
/// Unreachable, and an answer that is no success becomes Refused.
class HttpExchange {
public:
    /// @param timeout for connecting, and for each wait for the other side.
    /// @throws Unreachable also when the process that answers is none of those of `access.peers`: then
    /// nothing
    ///         was sent.
    HttpExchange(const Access& access, std::chrono::milliseconds timeout);

    /// Sends the request and reads the head of the answer; what follows is read with read().
    /// @throws Unreachable, Refused
    void ask(const std::string& method, const std::string& target, const std::string& body,
             const std::string& lastEventId = {});

    /// The next bytes of the answer, as soon as there are any; empty at its end.
    /// @throws Unreachable
    [[nodiscard]] std::string read();

    /// Everything to the answer's end. @throws Unreachable, AnswerTooLong
    [[nodiscard]] std::string readAll();

    /// How long read() waits from now on.
    void setReadTimeout(std::chrono::milliseconds timeout);

    /// A media type, such as `text/event-stream`, without parameters.
    [[nodiscard]] std::string contentType() const { return contentType_; }

    /// The socket, for shutting it down from elsewhere.
    [[nodiscard]] int descriptor();

private:
    template <typename Action>
    auto attempt(const char* what, Action action);
    [[noreturn]] void refuse();

    Access access_;
    std::unique_ptr<Poco::Net::HTTPClientSession> session_;
    Poco::Net::HTTPResponse response_;
    std::istream* answer_ = nullptr;
    std::string contentType_;
};

}  // namespace sallyport::host::client
