#include "host/auth/own_names.h"

#include <algorithm>

#include <netinet/in.h>

#include <arpa/inet.h>

#include <sallyport/ascii.h>

namespace sallyport::host::auth {

namespace {

constexpr std::string_view everybodys = "localhost";
constexpr std::size_t longestName = 253;

bool isIpv4(const std::string& text) {
    in_addr address{};
    return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool isIpv6(const std::string& text) {
    in6_addr address{};
    return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool isLoopback(const std::string& text) {
    in6_addr address{};
    return (isIpv4(text) && text.starts_with("127.")) ||
           (::inet_pton(AF_INET6, text.c_str(), &address) == 1 &&
            (IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_V4MAPPED(&address)));
}

bool isNameCharacter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool isPort(std::string_view text) {
    return text.size() <= 5 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::string> hostIn(std::string_view authority) {
    std::string_view host = authority;
    if (host.starts_with('[')) {
        const auto end = host.find(']');
        const auto rest = end == std::string_view::npos ? std::string_view{} : host.substr(end + 1);
        const bool followed = rest.empty() || (rest.front() == ':' && isPort(rest.substr(1)));
        auto address = ascii::lowered(host.substr(1, std::min(end, host.size()) - 1));
        return end != std::string_view::npos && followed && isIpv6(address)
                   ? std::optional(std::move(address))
                   : std::nullopt;
    }
    const auto colon = host.find(':');
    if (colon != std::string_view::npos && !isPort(host.substr(colon + 1))) {
        return std::nullopt;
    }
    auto name = ascii::lowered(host.substr(0, colon));
    return isHost(name) ? std::optional(std::move(name)) : std::nullopt;
}

bool isHost(std::string_view text) {
    const std::string name = ascii::lowered(text);
    return isIpv6(name) || (!name.empty() && name.size() <= longestName && name.front() != '.' &&
                            std::all_of(name.begin(), name.end(), isNameCharacter));
}

OwnNames::OwnNames(const std::vector<std::string>& more) {
    for (const auto& name : more) {
        given_.insert(ascii::lowered(name));
    }
}

bool OwnNames::answersTo(std::string_view host) const {
    if (host.empty()) {
        return true;
    }
    const auto name = hostIn(host);
    return name && (*name == everybodys || *name == consoles || isIpv4(*name) || isIpv6(*name) ||
                    given_.contains(*name));
}

bool OwnNames::takesCookies(std::string_view host) const {
    const auto name = hostIn(host);
    return name && *name != everybodys && !isLoopback(*name) && (*name == consoles || given_.contains(*name));
}

}  // namespace sallyport::host::auth
