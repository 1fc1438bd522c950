#include "host/http/listener.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/ServerSocketImpl.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <Poco/Net/TCPServer.h>

#include "host/http/socket_transport.h"

namespace sallyport::host::http {

namespace {

using Poco::Net::HTTPServerRequest;
using Poco::Net::HTTPServerResponse;
using Poco::Net::SocketAddress;

/// Says that the door is full, and nothing else.
class BusyHandler final : public Poco::Net::HTTPRequestHandler {
public:
    void handleRequest(HTTPServerRequest&, HTTPServerResponse& response) override {
        static const std::string body =
            R"({"error":{"code":"overloaded","message":"too many connections are open"}})";
        response.setStatusAndReason(HTTPServerResponse::HTTP_SERVICE_UNAVAILABLE);
        response.setContentType("application/json");
        response.set("Retry-After", "1");
        // The body, if any, is not read: the connection cannot be used again.
        response.setKeepAlive(false);
        response.sendBuffer(body.data(), body.size());
    }
};

class BusyHandlerFactory final : public Poco::Net::HTTPRequestHandlerFactory {
public:
    Poco::Net::HTTPRequestHandler* createRequestHandler(const HTTPServerRequest&) override {
        return new BusyHandler;
    }
};

int copyOf(int descriptor) {
    const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        throw Poco::IOException("no descriptor is left", errno);
    }
    return copy;
}

/// The connection with a descriptor and an object of its own: the accepting thread and the loop share
/// nothing, and each closes its own.
std::unique_ptr<Poco::Net::StreamSocket> ownCopy(const Poco::Net::StreamSocket& accepted) {
    return std::make_unique<Poco::Net::StreamSocket>(
        new Poco::Net::StreamSocketImpl(copyOf(accepted.impl()->sockfd())));
}

/// What is counted by address; all that come by a Unix socket are of this host, and not told apart.
std::string addressOf(const Poco::Net::StreamSocket& accepted) {
    const auto peer = accepted.peerAddress();
    return peer.family() == SocketAddress::UNIX_LOCAL ? std::string() : peer.host().toString();
}

/// Moves accepted connections to the event loops.
class Handover final : public Poco::Net::TCPServerConnectionFilter {
public:
    Handover(Door& door, Listener::NextLoop nextLoop) : door_(door), nextLoop_(std::move(nextLoop)) {}

    /// @return whether Poco keeps the connection.
    bool accept(const Poco::Net::StreamSocket& accepted) override {
        try {
            auto place = door_.enter(addressOf(accepted));
            if (!place) {
                return true;
            }
            auto socket = ownCopy(accepted);
            socket->setBlocking(false);
            if (socket->address().family() != SocketAddress::UNIX_LOCAL) {
                socket->setNoDelay(true);
            }
            nextLoop_().adopt(std::make_unique<SocketTransport>(std::move(socket)), std::move(place), door_);
        } catch (const Poco::Exception&) {
            // The peer has gone already, or no descriptor is left.
        }
        return false;
    }

private:
    Door& door_;
    Listener::NextLoop nextLoop_;
};

/// A listening socket as Poco accepts from it, with a descriptor of its own.
class AcceptingSocket final : public Poco::Net::ServerSocket {
public:
    /// @param stopping ends waiting when it is readable: Poco itself looks up only four times a second.
    AcceptingSocket(const ListeningSocket& socket, int stopping)
        : ServerSocket(new Impl(socket, stopping), true) {}

private:
    class Impl final : public Poco::Net::ServerSocketImpl {
    public:
        Impl(const ListeningSocket& socket, int stopping) : stopping_(stopping) {
            reset(copyOf(socket.descriptor()));
        }

        bool poll(const Poco::Timespan& timeout, int /*mode*/) override {
            std::array<pollfd, 2> awaited{{{sockfd(), POLLIN, 0}, {stopping_, POLLIN, 0}}};
            const auto limit = static_cast<int>(timeout.totalMilliseconds());
            return ::poll(awaited.data(), awaited.size(), limit) > 0 && awaited[1].revents == 0;
        }

    private:
        const int stopping_;
    };
};

FileDescriptor newEvent() {
    FileDescriptor event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event.open()) {
        throw Poco::IOException("no descriptor is left", errno);
    }
    return event;
}

}  // namespace

Listener::Listener(ListeningSocket socket, Door& door, NextLoop nextLoop)
    : socket_(std::move(socket)), stopping_(newEvent()), busyPool_("busy", 1, 2) {
    Poco::Net::HTTPServerParams::Ptr params = new Poco::Net::HTTPServerParams;
    params->setKeepAlive(false);
    params->setMaxThreads(1);
    params->setMaxQueued(16);
    params->setTimeout(Poco::Timespan(2, 0));
    params->setServerName("sallyport");
    server_ = std::make_unique<Poco::Net::HTTPServer>(new BusyHandlerFactory, busyPool_,
                                                      AcceptingSocket(socket_, stopping_.get()), params);
    server_->setConnectionFilter(new Handover(door, std::move(nextLoop)));
}

Listener::~Listener() {
    stop();
}

void Listener::start() {
    server_->start();
}

void Listener::stop() noexcept {
    if (!server_) {
        return;
    }
    const std::uint64_t one = 1;
    static_cast<void>(::write(stopping_.get(), &one, sizeof one) == sizeof one);
    try {
        server_->stopAll(true);
    } catch (const std::exception&) {
        // There is no memory for telling those who say 503; they end by themselves.
    }
    server_.reset();
    socket_.close();
}

}  // namespace sallyport::host::http
