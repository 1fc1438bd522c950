// The names under which the operator door is known.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::host::auth {

/// The host of an authority such as `Host` has it (RFC 9110 section 7.2), in lower case, an IPv6 address
/// without its brackets. Nothing if it is malformed.
[[nodiscard]] std::optional<std::string> hostIn(std::string_view authority);

/// Whether that is a host's name, or an IP address, without a port.
[[nodiscard]] bool isHost(std::string_view text);

/// Who is asked for by another name has been made to by a page that had its own name point here (DNS
/// rebinding). [any thread; immutable]
class OwnNames {
public:
    /// Every loopback interface has this name in every browser, and nothing but a console is asked for by it:
    /// cookies know no ports, so that one for `localhost` would go to whatever an agent serves there.
    static constexpr std::string_view consoles = "sallyport.localhost";

    /// @param more names and addresses besides `localhost`, IP addresses and `consoles`; see isHost.
    explicit OwnNames(const std::vector<std::string>& more = {});

    /// Whether a request with that `Host` is meant for this door. True for none, which no browser sends.
    [[nodiscard]] bool answersTo(std::string_view host) const;

    /// Whether cookies are set and taken under that name: `consoles`, and those that were given, but neither
    /// `localhost` nor a loopback address.
    [[nodiscard]] bool takesCookies(std::string_view host) const;

private:
    std::set<std::string, std::less<>> given_;
};

}  // namespace sallyport::host::auth
