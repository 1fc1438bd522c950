#include "tests/support/loopback.h"

#include <cerrno>
#include <system_error>

#include <netinet/in.h>
#include <sys/socket.h>

#include <arpa/inet.h>

namespace sallyport::tests {

namespace {

int succeeded(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

}  // namespace

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

FileDescriptor boundSocket() {
    FileDescriptor socket(succeeded(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const sockaddr_in address = loopback(0);
    succeeded(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    return socket;
}

FileDescriptor listeningSocket() {
    FileDescriptor socket = boundSocket();
    succeeded(::listen(socket.get(), SOMAXCONN), "listen");
    return socket;
}

FileDescriptor connectedSocket(std::uint16_t port) {
    FileDescriptor socket(succeeded(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const sockaddr_in address = loopback(port);
    succeeded(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              "connect");
    return socket;
}

std::uint16_t portOf(const FileDescriptor& socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    succeeded(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    return ntohs(address.sin_port);
}

}  // namespace sallyport::tests
