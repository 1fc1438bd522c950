// What a request shows of who sent it.
#pragma once

#include <optional>
#include <string_view>

namespace sallyport::host::auth {

/// The credentials that a request carried, and what tells whether a browser sent it, and from which page. A
/// header that came more than once makes it malformed.
struct Presented {
    std::optional<std::string_view> authorization{};
    std::optional<std::string_view> apiKey{};  ///< `x-api-key`, looked at on the worker door only
    bool repeated = false;                     ///< one of these headers came more than once

    // Looked at on the operator door only.
    std::optional<std::string_view> cookie{};
    std::optional<std::string_view> host{};
    std::optional<std::string_view> origin{};
    std::optional<std::string_view> fetchSite{};  ///< `Sec-Fetch-Site`
    std::optional<std::string_view> csrfToken{};  ///< `X-CSRF-Token`
    bool browserRepeated = false;                 ///< one of these headers came more than once
    std::string_view method{};
    std::string_view peer{};  ///< its address, without a port
    bool secure = false;      ///< it came under TLS
    bool upgrade = false;     ///< it asks for another protocol, with which it may do anything

    /// Looked at for requests to the worker door's proxy, and nothing else.
    std::optional<std::string_view> proxyAuthorization{};
};

}  // namespace sallyport::host::auth
