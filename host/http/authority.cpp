#include "host/http/authority.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include <netinet/in.h>

#include <arpa/inet.h>

#include <sallyport/ascii.h>

namespace sallyport::host::http {

namespace {

/// RFC 1035 section 2.3.4.
constexpr std::size_t longestName = 253;
constexpr std::size_t longestLabel = 63;

bool isDigits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::uint16_t> parsePort(std::string_view text) {
    std::uint16_t port = 0;
    if (!isDigits(text) || text.front() == '0' ||
        std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc{}) {
        return std::nullopt;
    }
    return port;
}

bool isLabel(std::string_view label) {
    return !label.empty() && label.size() <= longestLabel &&
           std::all_of(label.begin(), label.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
           });
}

/// What inet_aton(3) and some resolvers take for (a part of) an IPv4 address: 127.1, 0x7f000001, 2130706433.
bool isNumber(std::string_view label) {
    return isDigits(label) || label.starts_with("0x");
}

/// @param text in lower case.
bool isName(std::string_view text) {
    if (text.size() > longestName) {
        return false;
    }
    for (;;) {
        const auto dot = text.find('.');
        if (!isLabel(text.substr(0, dot))) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return !isNumber(text);
        }
        text.remove_prefix(dot + 1);
    }
}

bool isIpv4(const std::string& text) {
    in_addr address{};
    return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

/// As RFC 5952 writes it; empty for what is none.
std::string canonicalIpv6(std::string_view text) {
    in6_addr address{};
    std::array<char, INET6_ADDRSTRLEN> written{};
    if (::inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1 ||
        ::inet_ntop(AF_INET6, &address, written.data(), written.size()) == nullptr) {
        return {};
    }
    return written.data();
}

bool setHost(std::string_view text, ProxyTarget& target) {
    target.host = ascii::lowered(text);
    if (target.host.ends_with('.')) {
        target.host.pop_back();
    }
    target.address = isIpv4(target.host);
    return target.address ? text.back() != '.' : isName(target.host);
}

}  // namespace

std::optional<ProxyTarget> parseAuthority(std::string_view text, std::optional<std::uint16_t> defaultPort) {
    ProxyTarget target;
    std::string_view rest;
    if (text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        target.host = canonicalIpv6(text.substr(1, end == std::string_view::npos ? 0 : end - 1));
        if (target.host.empty()) {
            return std::nullopt;
        }
        target.address = true;
        rest = text.substr(end + 1);
    } else {
        const auto colon = std::min(text.find(':'), text.size());
        if (colon == 0 || !setHost(text.substr(0, colon), target)) {
            return std::nullopt;
        }
        rest = text.substr(colon);
    }
    const auto port = rest.empty()          ? defaultPort
                      : rest.front() == ':' ? parsePort(rest.substr(1))
                                            : std::nullopt;
    if (!port) {
        return std::nullopt;
    }
    target.port = *port;
    return target;
}

std::string hostField(const ProxyTarget& target) {
    auto text = target.authority();
    if (target.port == httpPort) {
        text.resize(text.rfind(':'));
    }
    return text;
}

}  // namespace sallyport::host::http
