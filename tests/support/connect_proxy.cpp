#include "tests/support/connect_proxy.h"

#include <array>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/loopback.h"

namespace sallyport::tests {

namespace {

bool sendAll(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// Waits for something from one of two, or for the end of all. @return false for that
bool await(int stop, pollfd& one, pollfd& other) {
    std::array<pollfd, 3> watched{pollfd{stop, POLLIN, 0}, one, other};
    ::poll(watched.data(), watched.size(), -1);
    one = watched[1];
    other = watched[2];
    return watched[0].revents == 0;
}

/// A byte at a time, so that nothing of what follows is taken. @return what there was before the end
std::string readHead(int socket, int stop) {
    std::string head;
    pollfd client{socket, POLLIN, 0};
    pollfd none{-1, 0, 0};
    char byte = 0;
    while (!head.ends_with("\r\n\r\n") && await(stop, client, none) && ::recv(socket, &byte, 1, 0) == 1) {
        head += byte;
    }
    return head;
}

/// Hands on what is there. @return false when one of them has closed.
bool relay(int from, int to) {
    std::array<char, 16384> buffer{};
    const ssize_t size = ::recv(from, buffer.data(), buffer.size(), 0);
    return size > 0 && sendAll(to, {buffer.data(), static_cast<std::size_t>(size)});
}

}  // namespace

ConnectProxy::ConnectProxy(std::uint16_t target)
    : target_(target),
      listener_(listeningSocket()),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      port_(portOf(listener_)) {
    acceptor_ = std::thread([this] { accept(); });
}

ConnectProxy::~ConnectProxy() {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(stop_.get(), &one, sizeof one));
    acceptor_.join();
    for (std::thread& connection : connections_) {
        connection.join();
    }
}

std::string ConnectProxy::url(std::string_view user) const {
    return "http://" + std::string(user) + (user.empty() ? "" : "@") + "127.0.0.1:" + std::to_string(port_);
}

std::vector<std::string> ConnectProxy::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

void ConnectProxy::accept() {
    for (;;) {
        pollfd listener{listener_.get(), POLLIN, 0};
        pollfd none{-1, 0, 0};
        if (!await(stop_.get(), listener, none)) {
            return;
        }
        if (const int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC); client >= 0) {
            connections_.emplace_back([this, client] { serve(client); });
        }
    }
}

void ConnectProxy::serve(int client) {
    const FileDescriptor owner(client);
    std::string head = readHead(client, stop_.get());
    {
        const std::lock_guard lock(mutex_);
        requests_.push_back(std::move(head));
    }
    const FileDescriptor server = connectedSocket(target_);
    if (!sendAll(client, "HTTP/1.1 200 Connection established\r\n\r\n")) {
        return;
    }
    pollfd fromClient{client, POLLIN, 0};
    pollfd fromServer{server.get(), POLLIN, 0};
    while (await(stop_.get(), fromClient, fromServer) &&
           (fromClient.revents == 0 || relay(client, server.get())) &&
           (fromServer.revents == 0 || relay(server.get(), client))) {
    }
}

}  // namespace sallyport::tests
