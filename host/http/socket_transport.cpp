#include "host/http/socket_transport.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace sallyport::host::http {

namespace {

/// Buffers handed to the kernel at once.
constexpr std::size_t mostVectors = 16;

bool wouldBlock(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

SocketTransport::SocketTransport(std::unique_ptr<Poco::Net::StreamSocket> socket)
    : socket_(std::move(socket)), descriptor_(socket_->impl()->sockfd()) {}

SocketTransport::~SocketTransport() = default;

Transport::Readiness SocketTransport::onEvents(std::uint32_t events) {
    Readiness ready;
    ready.failed = (events & EPOLLERR) != 0;
    ready.gone = (events & EPOLLHUP) != 0;
    ready.ended = ready.gone || (events & EPOLLRDHUP) != 0;
    ready.readable = ready.ended || (events & EPOLLIN) != 0;
    ready.writable = (events & EPOLLOUT) != 0;
    ended_ |= ready.ended;
    return ready;
}

Transport::Result SocketTransport::read(std::span<char> into) {
    ssize_t received = 0;
    do {
        received = ::recv(descriptor_, into.data(), into.size(), 0);
    } while (received < 0 && errno == EINTR);
    if (received > 0) {
        const auto bytes = static_cast<std::size_t>(received);
        // A short read has emptied the socket; the next byte will be reported, an end already was.
        return {Status::moved, bytes, bytes == into.size() || ended_};
    }
    if (received == 0) {
        return {Status::ended};
    }
    return {wouldBlock(errno) ? Status::wouldBlock : Status::failed};
}

Transport::Result SocketTransport::write(std::span<const std::string_view> buffers) {
    std::array<iovec, mostVectors> vectors{};
    const auto count = std::min(buffers.size(), mostVectors);
    for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {const_cast<char*>(buffers[i].data()), buffers[i].size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    ssize_t sent = 0;
    do {
        sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return {Status::moved, static_cast<std::size_t>(sent)};
    }
    return {wouldBlock(errno) ? Status::wouldBlock : Status::failed};
}

void SocketTransport::shutDownSending() {
    ::shutdown(descriptor_, SHUT_WR);
}

bool SocketTransport::peerHasClosed() {
    char byte = 0;
    return ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

std::string SocketTransport::peer() const {
    try {
        return socket_->peerAddress().toString();
    } catch (const Poco::Exception&) {
        return "gone";
    }
}

}  // namespace sallyport::host::http
