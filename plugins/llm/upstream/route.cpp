#include "route.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <Poco/Ascii.h>
#include <Poco/Base64Encoder.h>
#include <Poco/Exception.h>
#include <Poco/Net/IPAddress.h>
#include <Poco/URI.h>

#include <sallyport/ascii.h>

namespace sallyport::plugins::llm {

namespace {

using Poco::Net::IPAddress;

constexpr std::uint16_t httpPort = 80;
constexpr std::uint16_t httpsPort = 443;
constexpr std::uint16_t proxyPort = 1080;

bool isSchemeCharacter(char c) {
    return Poco::Ascii::isAlphaNumeric(static_cast<unsigned char>(c)) || c == '+' || c == '-' || c == '.';
}

/// Takes the scheme off. @return it in lower case; empty when there is none.
std::string takeScheme(std::string_view& text) {
    const auto end = text.find("://");
    // It may also stand in a path or a password.
    if (end == std::string_view::npos ||
        !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), isSchemeCharacter)) {
        return "";
    }
    std::string scheme = ascii::lowered(text.substr(0, end));
    text.remove_prefix(end + 3);
    return scheme;
}

std::uint16_t readPort(std::string_view text, std::uint16_t fallback) {
    if (text.empty()) {
        return fallback;
    }
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
        throw std::invalid_argument("the port of an address is none");
    }
    return port;
}

void requireVisible(std::string_view text) {
    const auto isControlOrBlank = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; };
    if (std::any_of(text.begin(), text.end(), isControlOrBlank)) {
        throw std::invalid_argument("the address has a blank or a control character");
    }
}

struct HostAndPort {
    std::string host;
    std::uint16_t port = 0;
};

bool isIpv6(std::string_view text) {
    IPAddress address;
    return IPAddress::tryParse(std::string(text), address) && address.family() == IPAddress::IPv6;
}

/// `HOST[:PORT]`, an IPv6 address in brackets, without blanks and control characters.
HostAndPort readAuthority(std::string_view text, std::uint16_t fallback) {
    const bool literal = text.starts_with('[');
    const std::size_t end = text.find(literal ? ']' : ':');
    const std::string_view host = literal ? text.substr(1, end - 1) : text.substr(0, end);
    std::string_view rest = text.substr(std::min(host.size() + (literal ? 2 : 0), text.size()));
    if (literal && (end == std::string_view::npos || !isIpv6(host))) {
        throw std::invalid_argument("what an address has in brackets is no IPv6 address");
    }
    if (host.find_first_not_of('.') == std::string_view::npos || (!rest.empty() && rest.front() != ':')) {
        throw std::invalid_argument("an address has no host");
    }
    rest.remove_prefix(rest.empty() ? 0 : 1);
    return {ascii::lowered(host), readPort(rest, fallback)};
}

std::string authorityOf(const HostAndPort& where, std::uint16_t usual) {
    std::string text = bracketed(where.host);
    if (where.port != usual) {
        text.append(":").append(std::to_string(where.port));
    }
    return text;
}

std::string base64(const std::string& text) {
    std::ostringstream encoded;
    Poco::Base64Encoder encoder(encoded);
    encoder.rdbuf()->setLineLength(0);
    encoder << text;
    encoder.close();
    return encoded.str();
}

std::string decoded(std::string_view text) {
    std::string plain;
    try {
        Poco::URI::decode(std::string(text), plain);
    } catch (const Poco::SyntaxException&) {  // its message has the text in it
        throw std::invalid_argument("has a name or password that is not percent-encoded properly");
    }
    return plain;
}

/// @param user `USER[:PASSWORD]`, percent-encoded
std::string loginOf(std::string_view user) {
    const auto colon = user.find(':');
    const std::string_view password = colon == std::string_view::npos ? "" : user.substr(colon + 1);
    return decoded(user.substr(0, colon)) + ":" + decoded(password);
}

std::string variable(std::initializer_list<const char*> names) {
    for (const char* const name : names) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
        if (const char* const value = std::getenv(name); value != nullptr && *value != '\0') {
            return value;
        }
    }
    return "";
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> found;
    while (!text.empty()) {
        const auto end = std::min(text.find_first_of(", \t"), text.size());
        if (end > 0) {
            found.push_back(ascii::lowered(text.substr(0, end)));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return found;
}

/// Whether an address is the one that is written there, or in that network (RFC 4632).
bool isIn(const IPAddress& address, std::string_view written) {
    const auto slash = written.find('/');
    IPAddress network;
    if (!IPAddress::tryParse(std::string(written.substr(0, slash)), network) ||
        network.family() != address.family()) {
        return false;
    }
    const unsigned bits = address.family() == IPAddress::IPv4 ? 32 : 128;
    unsigned prefix = bits;
    if (slash != std::string_view::npos) {
        const std::string_view text = written.substr(slash + 1);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), prefix);
        if (error != std::errc{} || end != text.data() + text.size() || prefix > bits) {
            return false;
        }
    }
    const IPAddress mask(prefix, address.family());
    return (address & mask) == (network & mask);
}

/// Without the dot that may end it where it is given in full.
std::string_view withoutRoot(std::string_view name) {
    return name.substr(0, name.size() - (name.ends_with('.') ? 1 : 0));
}

bool isBelow(std::string_view host, std::string_view domain) {
    if (domain.starts_with('.')) {
        domain.remove_prefix(1);
    }
    host = withoutRoot(host);
    domain = withoutRoot(domain);
    return !domain.empty() && host.ends_with(domain) &&
           (host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.');
}

}  // namespace

std::string bracketed(const std::string& host) {
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

Url Url::parse(std::string_view text) {
    requireVisible(text);
    const std::string scheme = takeScheme(text);
    if (scheme != "http" && scheme != "https") {
        throw std::invalid_argument("the address is neither http nor https");
    }
    const std::string_view authority = text.substr(0, text.find_first_of("/?#"));
    if (authority.find('@') != std::string_view::npos) {
        throw std::invalid_argument("the address has a name or password in it");
    }
    Url url;
    url.tls = scheme == "https";
    const std::uint16_t usual = url.tls ? httpsPort : httpPort;
    HostAndPort where = readAuthority(authority, usual);
    url.authority = authorityOf(where, usual);
    url.host = std::move(where.host);
    url.port = where.port;
    const std::string_view target = text.substr(authority.size());
    url.target = target.substr(0, target.find('#'));
    if (!url.target.starts_with('/')) {
        url.target.insert(0, "/");
    }
    return url;
}

Proxy Proxy::parse(std::string_view text) {
    const std::string scheme = takeScheme(text);
    if (!scheme.empty() && scheme != "http") {
        throw std::invalid_argument("is reached by " + scheme + "://, only http:// can be used");
    }
    std::string_view authority = text.substr(0, text.find('/'));
    Proxy proxy;
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        proxy.login = loginOf(authority.substr(0, at));
        proxy.authorization = "Basic " + base64(proxy.login);  // RFC 7617
        authority.remove_prefix(at + 1);
    }
    try {
        requireVisible(authority);
        HostAndPort where = readAuthority(authority, proxyPort);
        proxy.host = std::move(where.host);
        proxy.port = where.port;
    } catch (const std::invalid_argument&) {
        throw std::invalid_argument("is no address such as http://proxy.example.com:3128");
    }
    return proxy;
}

std::string Route::key() const {
    std::string key(tls ? "s" : "p");
    key.append(authority);
    if (proxy) {
        key.append("\n").append(proxy->host).append(" ").append(std::to_string(proxy->port));
        key.append(" ").append(proxy->authorization);
    }
    return key.append("\n").append(caFile);
}

EnvironmentProxies::EnvironmentProxies()
    : http_(variable({"http_proxy", "all_proxy", "ALL_PROXY"})),
      https_(variable({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})),
      direct_(words(variable({"no_proxy", "NO_PROXY"}))) {}

std::string_view EnvironmentProxies::proxyFor(const Url& url) const {
    const std::string& proxy = url.tls ? https_ : http_;
    if (proxy.empty() || direct_.empty()) {
        return proxy;
    }
    IPAddress address;
    const bool isAddress = IPAddress::tryParse(url.host, address);
    const bool direct = std::any_of(direct_.begin(), direct_.end(), [&](const std::string& entry) {
        return entry == "*" || (isAddress ? isIn(address, entry) : isBelow(url.host, entry));
    });
    return direct ? std::string_view() : proxy;
}

std::string_view proxyFor(const Url& url, const Endpoint& endpoint, const EnvironmentProxies& environment) {
    return endpoint.proxy.empty() ? environment.proxyFor(url) : std::string_view(endpoint.proxy);
}

Route routeTo(const Url& url, const Endpoint& endpoint, const EnvironmentProxies& environment) {
    Route route{url.tls, url.host, url.port, url.authority, std::nullopt, endpoint.caFile};
    const std::string_view proxy = proxyFor(url, endpoint, environment);
    if (!proxy.empty()) {
        try {
            route.proxy = Proxy::parse(proxy);
        } catch (const std::invalid_argument& wrong) {
            throw std::invalid_argument(std::string("the proxy ") + wrong.what());
        }
    }
    return route;
}

}  // namespace sallyport::plugins::llm
