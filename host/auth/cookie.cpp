#include "host/auth/cookie.h"

#include <algorithm>

namespace sallyport::host::auth {

namespace {

constexpr std::string_view plainName = "sallyport_session";
constexpr std::string_view secureName = "__Host-sallyport_session";

std::string setCookie(std::string_view value, bool secure, std::chrono::seconds age) {
    std::string text(cookieName(secure));
    text += '=';
    text += value;
    text += "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(age.count());
    return secure ? text + "; Secure" : text;
}

}  // namespace

std::string_view cookieName(bool secure) {
    return secure ? secureName : plainName;
}

std::string cookieFor(std::string_view secret, bool secure, std::chrono::seconds lifetime) {
    return setCookie(secret, secure, lifetime);
}

std::string expiredCookie(bool secure) {
    return setCookie("", secure, std::chrono::seconds(0));
}

std::vector<std::string_view> cookieValues(std::string_view header, std::string_view name) {
    std::vector<std::string_view> values;
    while (!header.empty()) {
        auto pair = header.substr(0, header.find(';'));
        header.remove_prefix(std::min(pair.size() + 1, header.size()));
        pair.remove_prefix(std::min(pair.find_first_not_of(" \t"), pair.size()));
        const auto equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
            auto value = pair.substr(equals + 1);
            value = value.substr(0, value.find_last_not_of(" \t") + 1);
            values.push_back(value);
        }
    }
    return values;
}

}  // namespace sallyport::host::auth
