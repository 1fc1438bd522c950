#include "host/http/listen_address.h"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>
#include <sys/un.h>

#include <Poco/Exception.h>
#include <Poco/String.h>

#include <sallyport/file_descriptor.h>

namespace sallyport::host::http {

namespace {

using Poco::Net::IPAddress;
using Poco::Net::SocketAddress;

constexpr std::string_view unixPrefix = "unix:";

bool isTcpShaped(const std::string& text) {
    const auto colon = text.rfind(':');
    return colon != std::string::npos && colon > 0 && colon + 1 < text.size() &&
           text.find_first_not_of("0123456789", colon + 1) == std::string::npos;
}

}  // namespace

std::optional<ListenAddress> ListenAddress::parse(const std::string& text) {
    ListenAddress address;
    address.text_ = text;
    try {
        if (text.starts_with(unixPrefix)) {
            address.path_ = text.substr(unixPrefix.size());
            // sun_path ends in a zero byte.
            if (!address.path_.starts_with('/') || address.path_.size() >= sizeof(sockaddr_un::sun_path)) {
                return std::nullopt;
            }
            address.address_ = SocketAddress(SocketAddress::UNIX_LOCAL, address.path_);
        } else if (isTcpShaped(text)) {
            address.address_ = SocketAddress(text);
        } else {
            return std::nullopt;
        }
    } catch (const Poco::Exception&) {
        return std::nullopt;
    }
    return address;
}

std::uint16_t ListenAddress::port() const {
    return isUnix() ? 0 : address_.port();
}

ListenAddress ListenAddress::withPort(std::uint16_t port) const {
    if (isUnix()) {
        return *this;
    }
    ListenAddress changed = *this;
    changed.text_ = text_.substr(0, text_.rfind(':') + 1) + std::to_string(port);
    changed.address_ = SocketAddress(address_.host(), port);
    return changed;
}

bool ListenAddress::clashesWith(const ListenAddress& other) const {
    if (isUnix() || other.isUnix()) {
        return path_ == other.path_;
    }
    if (port() == 0 || port() != other.port() || address_.family() != other.address_.family()) {
        return false;
    }
    const IPAddress host = address_.host();
    const IPAddress others = other.address_.host();
    return host == others || host.isWildcard() || others.isWildcard();
}

bool ListenAddress::isPresent() const {
    if (isUnix() || address_.host().isWildcard()) {
        return true;
    }
    // Interfaces could be listed only through a netlink socket, which the service's sandbox does not allow.
    const FileDescriptor probe(::socket(address_.af(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress anyPort(address_.host(), 0);
    return !probe.open() || ::bind(probe.get(), anyPort.addr(), anyPort.length()) == 0 ||
           errno != EADDRNOTAVAIL;
}

std::optional<std::vector<ListenAddress>> parseListenAddresses(std::string_view text) {
    std::vector<ListenAddress> addresses;
    for (std::size_t start = 0; start <= text.size();) {
        const auto comma = std::min(text.find(',', start), text.size());
        auto address = ListenAddress::parse(Poco::trim(std::string(text.substr(start, comma - start))));
        if (!address) {
            return std::nullopt;
        }
        addresses.push_back(std::move(*address));
        start = comma + 1;
    }
    return addresses;
}

}  // namespace sallyport::host::http
