#include "host/client/address.h"

#include <stdexcept>

#include <Poco/Exception.h>
#include <Poco/URI.h>

namespace sallyport::host::client {

namespace {

[[noreturn]] void reject(std::string_view text, const std::string& why) {
    throw std::invalid_argument("'" + std::string(text) + "' is no address of the operator door: " + why);
}

Poco::URI parseUri(std::string_view text) {
    try {
        return Poco::URI(std::string(text));
    } catch (const Poco::Exception&) {
        reject(text, "it is no URL");
    }
}

/// Poco keeps the brackets of an IPv6 host in some releases; sockets want none.
std::string withoutBrackets(const std::string& host) {
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        return host.substr(1, host.size() - 2);
    }
    return host;
}

}  // namespace

Address Address::parse(std::string_view text) {
    Address address;
    address.text = text;
    if (text.starts_with("unix:")) {
        address.unixSocket = true;
        address.path = text.substr(5);
        if (!address.path.starts_with('/')) {
            reject(text, "the path after 'unix:' must begin with '/'");
        }
        return address;
    }
    if (isWorkerAddress(text)) {
        reject(text, "it is that of a job's worker");
    }
    const Poco::URI uri = parseUri(text);
    if (uri.getScheme() == "https") {
        reject(text, "https is not spoken; reach a remote daemon through an SSH tunnel");
    }
    if (uri.getScheme() != "http" || uri.getHost().empty()) {
        reject(text, "expected http://HOST:PORT or unix:/PATH");
    }
    if (!uri.getUserInfo().empty() || !uri.getRawQuery().empty() || !uri.getFragment().empty()) {
        reject(text, "it must not have a user, a query or a fragment");
    }
    address.host = withoutBrackets(uri.getHost());
    address.port = uri.getPort();
    address.basePath = uri.getPathEtc();
    while (address.basePath.ends_with('/')) {
        address.basePath.pop_back();
    }
    return address;
}

std::string Address::authority() const {
    if (unixSocket) {
        return "localhost";
    }
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool isWorkerAddress(std::string_view text) {
    return text.starts_with("http") && text.find("/worker/") != std::string_view::npos;
}

}  // namespace sallyport::host::client
