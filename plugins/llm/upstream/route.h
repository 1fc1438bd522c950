// Which way a call goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "upstream.h"

namespace sallyport::plugins::llm {

/// A host as it stands in an address: IPv6 in brackets (RFC 3986 section 3.2.2).
[[nodiscard]] std::string bracketed(const std::string& host);

/// An http or https address taken apart (RFC 3986).
struct Url {
    bool tls = false;
    std::string host;  ///< without the brackets of an IPv6 address
    std::uint16_t port = 0;
    std::string authority;  ///< host and port as in a Host header (RFC 9110 section 7.2)
    std::string target;  ///< path and query as they were written, `/` at the least (RFC 9112 section 3.2.1)

    /// @throws std::invalid_argument with a sentence, also where there is a name or password in it.
    [[nodiscard]] static Url parse(std::string_view text);
};

/// A proxy that is spoken to in plain HTTP (RFC 9110 section 9.3.6, RFC 9112 section 3.2.2).
struct Proxy {
    std::string host;
    std::uint16_t port = 0;
    std::string login;          ///< `USER:PASSWORD`, decoded; empty: the address named nobody
    std::string authorization;  ///< of a Proxy-Authorization header with that; empty likewise

    /// @param text `http://[USER:PASSWORD@]HOST[:PORT]`, also without `http://`; without a port it is 1080,
    ///             as with curl.
    /// @throws std::invalid_argument with the rest of a sentence about it, which does not repeat the
    ///         password.
    [[nodiscard]] static Proxy parse(std::string_view text);
};

/// What calls to one server have in common, so that they can share connections.
struct Route {
    bool tls = false;
    std::string host;
    std::uint16_t port = 0;
    std::string authority;
    std::optional<Proxy> proxy;
    std::string caFile;

    /// The same for routes whose connections may serve each other's calls.
    [[nodiscard]] std::string key() const;
};

/// The proxies that the environment names: `http_proxy`, `https_proxy` or `HTTPS_PROXY`, `all_proxy` or
/// `ALL_PROXY` for both, except for hosts in `no_proxy` or `NO_PROXY`: names, which stand for all below them
/// too, addresses, networks such as 10.0.0.0/8, or `*`, with commas or blanks between them. `HTTP_PROXY` is
/// not looked at, since in a CGI program it would be the client's.
class EnvironmentProxies {
public:
    /// Reads the process's environment. [no other thread may change that]
    EnvironmentProxies();

    /// @return the address of the proxy; empty if there is none for that server.
    [[nodiscard]] std::string_view proxyFor(const Url& url) const;

private:
    std::string http_;
    std::string https_;
    std::vector<std::string> direct_;
};

/// The address of the proxy on the way to a server; empty if there is none. What was named for the server is
/// not for `no_proxy` to overrule.
[[nodiscard]] std::string_view proxyFor(const Url& url, const Endpoint& endpoint,
                                        const EnvironmentProxies& environment);

/// @throws std::invalid_argument with a sentence about a proxy that cannot be used.
[[nodiscard]] Route routeTo(const Url& url, const Endpoint& endpoint, const EnvironmentProxies& environment);

}  // namespace sallyport::plugins::llm
