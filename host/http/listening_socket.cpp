#include "host/http/listening_socket.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <Poco/Exception.h>

namespace sallyport::host::http {

namespace {

using Poco::Net::SocketAddress;

constexpr int backlog = 1024;

[[noreturn]] void fail(const ListenAddress& address, const std::string& why) {
    throw std::runtime_error("cannot listen on " + address.text() + ": " + why);
}

void require(bool done, const ListenAddress& address) {
    if (!done) {
        fail(address, std::strerror(errno));
    }
}

bool set(int descriptor, int level, int option, int value) {
    return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

int get(int descriptor, int level, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(descriptor, level, option, &value, &size) == 0 ? value : -1;
}

/// Where it listens; nothing for what is no stream socket that does.
std::optional<SocketAddress> addressOf(int descriptor) {
    if (get(descriptor, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
        get(descriptor, SOL_SOCKET, SO_ACCEPTCONN) != 1) {
        return std::nullopt;
    }
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
        return std::nullopt;
    }
    if (storage.ss_family != AF_INET && storage.ss_family != AF_INET6 && storage.ss_family != AF_UNIX) {
        return std::nullopt;
    }
    try {
        return SocketAddress(reinterpret_cast<const sockaddr*>(&storage), size);
    } catch (const Poco::Exception&) {
        return std::nullopt;
    }
}

std::string urlOf(const SocketAddress& address) {
    const bool six = address.family() == SocketAddress::IPv6;
    std::string host = address.host().toString();
    if (address.host().isWildcard()) {
        host = six ? "::1" : "127.0.0.1";
    }
    return "http://" + (six ? "[" + host + "]" : host) + ":" + std::to_string(address.port());
}

/// A connection to a Unix socket.
struct Probe {
    explicit Probe(const std::string& path) noexcept
        : socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        connected = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        // Or so many wait already that no more may.
        answered = connected || errno == EAGAIN;
    }

    FileDescriptor socket;
    bool connected = false;
    bool answered = false;
};

/// Who listened with it last.
ucred listenerOf(int descriptor) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    ::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size);
    return credentials;
}

/// Whether the file leads to this socket, and not to nothing or to one that another process made since.
bool isReachedAt(const std::string& path, int descriptor) {
    const Probe probe(path);
    if (!probe.connected) {
        return probe.answered;
    }
    const ucred there = listenerOf(probe.socket.get());
    const ucred here = listenerOf(descriptor);
    return there.pid == here.pid && there.uid == here.uid && there.gid == here.gid;
}

void removeStale(const ListenAddress& address) {
    struct stat status {};
    if (::lstat(address.path().c_str(), &status) != 0) {
        return;
    }
    if (!S_ISSOCK(status.st_mode)) {
        fail(address, "the file exists and is no socket");
    }
    if (listensAt(address.path())) {
        fail(address, "another process does");
    }
    ::unlink(address.path().c_str());
}

FileDescriptor bound(const ListenAddress& address, bool ipv6Only) {
    const SocketAddress& place = address.socketAddress();
    FileDescriptor socket(::socket(place.af(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(socket.open(), address);
    if (address.isUnix()) {
        removeStale(address);
    } else {
        const bool six = place.family() == SocketAddress::IPv6;
        // Not SO_REUSEPORT: it would let a second daemon share the port.
        require(set(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1), address);
        // The address of a bridge may come later than this process.
        require(six ? set(socket.get(), IPPROTO_IPV6, IPV6_FREEBIND, 1)
                    : set(socket.get(), IPPROTO_IP, IP_FREEBIND, 1),
                address);
        require(!six || set(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only ? 1 : 0), address);
    }
    require(::bind(socket.get(), place.addr(), place.length()) == 0, address);
    return socket;
}

}  // namespace

ListeningSocket::ListeningSocket(const ListenAddress& address, const Options& options)
    : ListeningSocket(bound(address, options.ipv6Only), address, options) {}

ListeningSocket::ListeningSocket(FileDescriptor socket, const ListenAddress& address, const Options& options)
    : socket_(std::move(socket)), unixPath_(address.path()) {
    require(!address.isUnix() || ::chmod(unixPath_.c_str(), options.mode) == 0, address);
    // Also with a socket that listens already: who connects to a Unix socket is told who did this last.
    require(::listen(socket_.get(), backlog) == 0, address);
    url_ = address.isUnix() ? address.text() : urlOf(addressOf(socket_.get()).value());
}

bool ListeningSocket::matches(int descriptor, const ListenAddress& address, const Options& options) {
    const auto bound = addressOf(descriptor);
    if (!bound || bound->family() != address.socketAddress().family()) {
        return false;
    }
    if (address.isUnix()) {
        return bound->toString() == address.path() && isReachedAt(address.path(), descriptor);
    }
    if (bound->host() != address.socketAddress().host() ||
        (address.port() != 0 && bound->port() != address.port())) {
        return false;
    }
    // Asked for where it makes a difference.
    return bound->family() != SocketAddress::IPv6 || !bound->host().isWildcard() ||
           get(descriptor, IPPROTO_IPV6, IPV6_V6ONLY) == (options.ipv6Only ? 1 : 0);
}

void ListeningSocket::close() noexcept {
    if (!socket_.open()) {
        return;
    }
    socket_.close();
    if (!unixPath_.empty() && !listensAt(unixPath_)) {
        ::unlink(unixPath_.c_str());
    }
}

std::string describeSocket(int descriptor) {
    const auto bound = addressOf(descriptor);
    if (!bound) {
        return "not one that listens";
    }
    return bound->family() == SocketAddress::UNIX_LOCAL ? "unix:" + bound->toString() : bound->toString();
}

void endListening(int descriptor) {
    const auto bound = addressOf(descriptor);
    ::shutdown(descriptor, SHUT_RDWR);
    if (!bound || bound->family() != SocketAddress::UNIX_LOCAL) {
        return;
    }
    const std::string path = bound->toString();
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) && !listensAt(path)) {
        ::unlink(path.c_str());
    }
}

bool listensAt(const std::string& path) noexcept {
    return Probe(path).answered;
}

}  // namespace sallyport::host::http
