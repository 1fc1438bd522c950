#include "host/http/listener.h"

#include <cerrno>
#include <stdexcept>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <Poco/Net/TCPServer.h>

#include "host/http/socket_transport.h"

namespace sallyport::host::http {

namespace {

using Poco::Net::HTTPServerRequest;
using Poco::Net::HTTPServerResponse;
using Poco::Net::SocketAddress;

constexpr std::string_view unixPrefix = "unix:";
constexpr int backlog = 1024;

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

/// The connection with a descriptor and an object of its own: the accepting thread and the loop share
/// nothing, and each closes its own.
std::unique_ptr<Poco::Net::StreamSocket> ownCopy(const Poco::Net::StreamSocket& accepted) {
    const int descriptor = ::fcntl(accepted.impl()->sockfd(), F_DUPFD_CLOEXEC, 0);
    if (descriptor < 0)
        throw Poco::IOException("no descriptor is left", errno);
    return std::make_unique<Poco::Net::StreamSocket>(new Poco::Net::StreamSocketImpl(descriptor));
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
            if (!place)
                return true;
            auto socket = ownCopy(accepted);
            socket->setBlocking(false);
            if (socket->address().family() != SocketAddress::UNIX_LOCAL)
                socket->setNoDelay(true);
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

/// Removes the file of a Unix socket that no process listens on; refuses if one does.
void removeStale(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0)
        return;
    if (!S_ISSOCK(status.st_mode))
        throw std::runtime_error("cannot listen on unix:" + path + ": the file exists and is no socket");
    try {
        Poco::Net::StreamSocket probe(SocketAddress(SocketAddress::UNIX_LOCAL, path));
    } catch (const Poco::Exception&) {
        ::unlink(path.c_str());
        return;
    }
    throw std::runtime_error("cannot listen on unix:" + path + ": another process does");
}

std::string urlOf(const SocketAddress& address) {
    const bool six = address.family() == SocketAddress::IPv6;
    std::string host = address.host().toString();
    if (address.host().isWildcard())
        host = six ? "::1" : "127.0.0.1";
    return "http://" + (six ? "[" + host + "]" : host) + ":" + std::to_string(address.port());
}

}  // namespace

bool isListenAddress(const std::string& address) {
    if (address.starts_with(unixPrefix)) {
        // sun_path ends in a zero byte.
        const auto path = address.substr(unixPrefix.size());
        return path.starts_with('/') && path.size() < sizeof(sockaddr_un::sun_path);
    }
    const auto colon = address.rfind(':');
    const bool shaped = colon != std::string::npos && colon > 0 && colon + 1 < address.size() &&
                        address.find_first_not_of("0123456789", colon + 1) == std::string::npos;
    if (!shaped)
        return false;
    try {
        static_cast<void>(SocketAddress(address));
        return true;
    } catch (const Poco::Exception&) {
        return false;
    }
}

Listener::Listener(const std::string& address, Door& door, NextLoop nextLoop) : busyPool_("busy", 1, 2) {
    try {
        if (address.starts_with(unixPrefix)) {
            unixPath_ = address.substr(unixPrefix.size());
            removeStale(unixPath_);
            socket_.bind(SocketAddress(SocketAddress::UNIX_LOCAL, unixPath_), false);
            if (::chmod(unixPath_.c_str(), S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP) != 0)
                throw std::runtime_error("cannot set the mode of " + unixPath_);
            url_ = address;
        } else {
            // Not the two-argument form: it would let a second daemon share the port.
            socket_.bind(SocketAddress(address), true, false);
            url_ = urlOf(socket_.address());
        }
        socket_.listen(backlog);
    } catch (const Poco::Exception& error) {
        throw std::runtime_error("cannot listen on " + address + ": " + error.displayText());
    }
    Poco::Net::HTTPServerParams::Ptr params = new Poco::Net::HTTPServerParams;
    params->setKeepAlive(false);
    params->setMaxThreads(1);
    params->setMaxQueued(16);
    params->setTimeout(Poco::Timespan(2, 0));
    params->setServerName("sallyport");
    server_ = std::make_unique<Poco::Net::HTTPServer>(new BusyHandlerFactory, busyPool_, socket_, params);
    server_->setConnectionFilter(new Handover(door, std::move(nextLoop)));
}

Listener::~Listener() {
    stop();
}

void Listener::start() {
    server_->start();
}

void Listener::stop() {
    if (!server_)
        return;
    server_->stopAll(true);
    server_.reset();
    socket_.close();
    if (!unixPath_.empty())
        ::unlink(unixPath_.c_str());
}

}  // namespace sallyport::host::http
