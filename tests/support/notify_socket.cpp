#include "tests/support/notify_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/support/deadline.h"
#include "tests/support/process.h"

namespace sallyport::tests {

namespace {

bool hasLine(std::string_view message, std::string_view wanted) {
    for (std::size_t start = 0; start <= message.size();) {
        const std::size_t end = std::min(message.find('\n', start), message.size());
        if (message.substr(start, end - start) == wanted) {
            return true;
        }
        start = end + 1;
    }
    return false;
}

}  // namespace

NotifySocket::NotifySocket(std::filesystem::path path)
    : path_(std::move(path)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (!socket_.open() ||
        ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::system_error(errno, std::generic_category(), "notify socket " + path_.string());
    }
}

bool NotifySocket::receive(std::string& message) {
    std::array<char, 4096> buffer{};
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) {
        return false;
    }
    message.assign(buffer.data(), static_cast<std::size_t>(size));
    return true;
}

bool NotifySocket::await(std::string_view wanted, const Process& sender) {
    const Deadline deadline;
    for (;;) {
        std::string message;
        while (receive(message)) {
            if (hasLine(message, wanted)) {
                return true;
            }
        }
        std::array<pollfd, 2> watched{pollfd{socket_.get(), POLLIN, 0},
                                      pollfd{sender.descriptor(), POLLIN, 0}};
        const int ready = ::poll(watched.data(), watched.size(), deadline.pollTimeout());
        if (ready == 0) {
            throw TimedOut("gave up waiting for the notification " + std::string(wanted));
        }
        if (ready > 0 && watched[0].revents == 0) {
            return false;
        }
    }
}

void NotifySocket::discard() {
    std::string message;
    while (receive(message)) {
    }
}

}  // namespace sallyport::tests
