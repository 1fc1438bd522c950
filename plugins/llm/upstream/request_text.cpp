#include "request_text.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

#include <sallyport/ascii.h>
#include <sallyport/http_token.h>

namespace sallyport::plugins::llm {

namespace {

constexpr std::array<std::string_view, 11> ownHeaders = {"connection",      "content-length",
                                                         "expect",          "host",
                                                         "keep-alive",      "te",
                                                         "trailer",         "transfer-encoding",
                                                         "upgrade",         "proxy-authorization",
                                                         "proxy-connection"};

bool isControlByte(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// A line's name, and its value without the blanks around it.
struct Header {
    explicit Header(std::string_view line) : name(line.substr(0, line.find(':'))) {
        value = line.substr(std::min(name.size() + 1, line.size()));
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    }
    std::string_view name;
    std::string_view value;
};

void checkHeader(std::string_view line) {
    const Header header(line);
    if (header.name.size() == line.size() || !isHttpToken(header.name)) {
        throw std::invalid_argument("a header line has no name");
    }
    if (std::any_of(header.value.begin(), header.value.end(),
                    [](char c) { return isControlByte(c) && c != '\t'; })) {
        throw std::invalid_argument("the value of the header " + std::string(header.name) +
                                    " has a control character");
    }
    if (std::any_of(ownHeaders.begin(), ownHeaders.end(),
                    [&](std::string_view own) { return ascii::equalsIgnoringCase(header.name, own); })) {
        throw std::invalid_argument("the header " + std::string(header.name) +
                                    " is not the caller's to give");
    }
}

bool hasHeader(const UpstreamRequest& request, std::string_view name) {
    return std::any_of(request.headers.begin(), request.headers.end(), [&](const std::string& line) {
        return ascii::equalsIgnoringCase(std::string_view(line).substr(0, line.find(':')), name);
    });
}

std::size_t sizeOf(const UpstreamRequest& request, const Url& url, const Route& route) {
    std::size_t size = 256 + request.method.size() + url.target.size() + 2 * url.authority.size();
    size += route.proxy ? route.proxy->authorization.size() : 0;
    size += request.keyHeader ? request.keyHeader->size() : 0;
    for (const std::string& line : request.headers) {
        size += line.size() + 2;
    }
    return size;
}

}  // namespace

void checkRequest(const UpstreamRequest& request) {
    // The answers to HEAD and CONNECT are framed in ways of their own, which nobody here needs.
    if (!isHttpToken(request.method) || request.method == "HEAD" || request.method == "CONNECT") {
        throw std::invalid_argument("the method cannot be used");
    }
    for (const std::string& line : request.headers) {
        checkHeader(line);
    }
    if (request.keyHeader) {
        checkHeader(request.keyHeader->reveal());
    }
}

SecretText requestHead(const UpstreamRequest& request, const Url& url, const Route& route) {
    std::string head;
    // Enough from the beginning, since a string that grows leaves its text behind.
    head.reserve(sizeOf(request, url, route));
    head.append(request.method).append(" ");
    if (route.proxy && !route.tls) {
        head.append("http://").append(url.authority);
    }
    head.append(url.target).append(" HTTP/1.1\r\nHost: ").append(url.authority).append("\r\n");
    if (route.proxy && !route.tls && !route.proxy->authorization.empty()) {
        head.append("Proxy-Authorization: ").append(route.proxy->authorization).append("\r\n");
    }
    // Nothing compressed is asked for; what comes compressed all the same is decoded.
    if (!hasHeader(request, "accept-encoding")) {
        head.append("Accept-Encoding: identity\r\n");
    }
    for (const std::string& line : request.headers) {
        head.append(line).append("\r\n");
    }
    if (request.keyHeader) {
        head.append(request.keyHeader->reveal()).append("\r\n");
    }
    if (request.body || request.method == "POST") {
        const std::size_t length = request.body ? request.body->size() : 0;
        head.append("Content-Length: ").append(std::to_string(length)).append("\r\n");
    }
    head.append("\r\n");
    return SecretText::taken(head);
}

}  // namespace sallyport::plugins::llm
