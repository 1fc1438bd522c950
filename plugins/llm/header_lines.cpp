#include "header_lines.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace sallyport::plugins::llm {

namespace {

constexpr std::array<std::string_view, 11> ownHeaders = {"connection",      "content-length",
                                                         "expect",          "host",
                                                         "keep-alive",      "te",
                                                         "trailer",         "transfer-encoding",
                                                         "upgrade",         "proxy-authorization",
                                                         "proxy-connection"};

/// RFC 9110's tchar.
bool isTokenCharacter(char c) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           marks.find(c) != std::string_view::npos;
}

bool isToken(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), isTokenCharacter);
}

bool isControl(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

char lowered(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equalsIgnoringCase(std::string_view text, std::string_view lowerCase) {
    return std::equal(text.begin(), text.end(), lowerCase.begin(), lowerCase.end(),
                      [](char a, char b) { return lowered(a) == b; });
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
    if (header.name.size() == line.size() || !isToken(header.name)) {
        throw std::invalid_argument("a header line has no name");
    }
    if (std::any_of(header.value.begin(), header.value.end(),
                    [](char c) { return isControl(c) && c != '\t'; })) {
        throw std::invalid_argument("the value of the header " + std::string(header.name) +
                                    " has a control character");
    }
    if (std::any_of(ownHeaders.begin(), ownHeaders.end(),
                    [&](std::string_view own) { return equalsIgnoringCase(header.name, own); })) {
        throw std::invalid_argument("the header " + std::string(header.name) +
                                    " is not the caller's to give");
    }
}

void checkUrl(std::string_view url) {
    const std::string_view scheme = url.substr(0, url.find("://"));
    if (scheme.size() == url.size() ||
        !(equalsIgnoringCase(scheme, "http") || equalsIgnoringCase(scheme, "https"))) {
        throw std::invalid_argument("the address is neither http nor https");
    }
    if (std::any_of(url.begin(), url.end(), [](char c) { return isControl(c) || c == ' '; })) {
        throw std::invalid_argument("the address has a blank or a control character");
    }
}

}  // namespace

void checkRequest(const UpstreamRequest& request) {
    // The answers to HEAD and CONNECT are framed in ways of their own, which nobody here needs.
    if (!isToken(request.method) || request.method == "HEAD" || request.method == "CONNECT") {
        throw std::invalid_argument("the method cannot be used");
    }
    checkUrl(request.url);
    for (const std::string& line : request.headers) {
        checkHeader(line);
    }
    if (request.keyHeader) {
        checkHeader(request.keyHeader->reveal());
    }
}

curl_slist* HeaderLines::assign(const UpstreamRequest& request) {
    clear();
    // Both are sized beforehand: a string that grows leaves its text behind, and the nodes point at each
    // other.
    std::size_t size = request.keyHeader ? request.keyHeader->size() + 1 : 0;
    for (const std::string& line : request.headers) {
        size += line.size() + 1;
    }
    text_.reserve(size + sizeof "Expect:" + sizeof "Content-Type:");
    nodes_.reserve(request.headers.size() + 3);

    bool typed = false;
    for (const std::string& line : request.headers) {
        const Header header(line);
        typed = typed || equalsIgnoringCase(header.name, "content-type");
        // `Name:` is how libcurl is told to leave one of its own headers out, `Name;` how to send no value.
        add(header.value.empty() ? std::string(header.name) + ";" : line);
    }
    if (request.keyHeader) {
        add(request.keyHeader->reveal());
    }
    if (request.body) {
        add("Expect:");
        if (!typed) {
            add("Content-Type:");
        }
    }
    return nodes_.empty() ? nullptr : nodes_.data();
}

void HeaderLines::clear() noexcept {
    wipe(text_);
    nodes_.clear();
}

void HeaderLines::add(std::string_view line) {
    char* const start = text_.data() + text_.size();
    text_.append(line).push_back('\0');
    curl_slist& node = nodes_.emplace_back(curl_slist{start, nullptr});
    if (nodes_.size() > 1) {
        nodes_[nodes_.size() - 2].next = &node;
    }
}

}  // namespace sallyport::plugins::llm
