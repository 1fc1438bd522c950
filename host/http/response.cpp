#include "host/http/response.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <Poco/Net/HTTPResponse.h>

#include <sallyport/ascii.h>

namespace sallyport::host::http {

namespace {

template <class T>
void appendNumber(std::string& out, T number, int base = 10) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
    out.append(digits.data(), end);
}

bool isFraming(std::string_view name) {
    constexpr std::array<std::string_view, 6> framing{"content-length", "transfer-encoding", "connection",
                                                      "date",           "x-request-id",      "keep-alive"};
    return std::any_of(framing.begin(), framing.end(),
                       [name](std::string_view other) { return ascii::equalsIgnoringCase(name, other); });
}

bool breaksLines(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

void appendField(std::string& out, std::string_view name, std::string_view value) {
    if (name.empty() || isFraming(name) || breaksLines(name) || breaksLines(value)) {
        return;
    }
    out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool isBodyless(int status) {
    return status < 200 || status == 204 || status == 304;
}

void appendHead(std::string& out, const ResponseHead& head) {
    out.append("HTTP/1.1 ");
    appendNumber(out, head.status);
    out.append(" ").append(Poco::Net::HTTPResponse::getReasonForStatus(
        static_cast<Poco::Net::HTTPResponse::HTTPStatus>(head.status)));
    out.append("\r\n").append(head.dateHeader);
    out.append("X-Request-Id: ").append(head.requestId).append("\r\n");
    // Answers carry tokens, prompts and secrets: no cache may keep one.
    out.append("Cache-Control: no-store\r\n");
    if (!isBodyless(head.status)) {
        if (!head.contentType.empty()) {
            appendField(out, "Content-Type", head.contentType);
            out.append("X-Content-Type-Options: nosniff\r\n");
        }
        if (head.framing == ResponseFraming::length) {
            out.append("Content-Length: ");
            appendNumber(out, head.length);
            out.append("\r\n");
        } else if (head.framing == ResponseFraming::chunked) {
            out.append("Transfer-Encoding: chunked\r\n");
        }
    }
    if (head.headers != nullptr) {
        for (const auto& [name, value] : *head.headers) {
            appendField(out, name, value);
        }
    }
    if (!head.upgrade.empty()) {
        appendField(out, "Upgrade", head.upgrade);
        out.append("Connection: Upgrade\r\n");
    } else if (head.close) {
        out.append("Connection: close\r\n");
    } else if (head.http10) {
        out.append("Connection: keep-alive\r\n");
    }
    out.append("\r\n");
}

void appendChunkSize(std::string& out, std::size_t size) {
    appendNumber(out, size, 16);
    out.append("\r\n");
}

}  // namespace sallyport::host::http
