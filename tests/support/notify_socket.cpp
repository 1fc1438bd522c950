#include "tests/support/notify_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
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

std::string valueIn(std::string_view message, std::string_view name) {
    const std::size_t at = message.find(name);
    if (at == std::string_view::npos) {
        return {};
    }
    const std::string_view rest = message.substr(at + name.size());
    return std::string(rest.substr(0, rest.find('\n')));
}

bool isSame(int one, int other) {
    struct stat a {};
    struct stat b {};
    return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_ino == b.st_ino;
}

}  // namespace

NotifySocket::NotifySocket(std::filesystem::path path, bool keepsSockets)
    : path_(std::move(path)),
      keepsSockets_(keepsSockets),
      socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
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
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec part{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    if (size < 0) {
        return false;
    }
    message.assign(buffer.data(), static_cast<std::size_t>(size));
    FileDescriptor socket;
    const cmsghdr* const attached = CMSG_FIRSTHDR(&header);
    if (attached != nullptr && attached->cmsg_type == SCM_RIGHTS) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(attached), sizeof descriptor);
        socket = FileDescriptor(descriptor);
    }
    if (keepsSockets_) {
        manageStore(message, std::move(socket));
    }
    return true;
}

void NotifySocket::manageStore(std::string_view message, FileDescriptor socket) {
    const std::string name = valueIn(message, "FDNAME=");
    if (hasLine(message, "FDSTOREREMOVE=1")) {
        std::erase_if(kept_, [&](const KeptSocket& kept) { return kept.name == name; });
    } else if (hasLine(message, "FDSTORE=1") && socket.open()) {
        const bool known = std::any_of(kept_.begin(), kept_.end(), [&](const KeptSocket& kept) {
            return isSame(kept.descriptor.get(), socket.get());
        });
        if (!known) {
            kept_.push_back({name, std::move(socket)});
        }
    }
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
