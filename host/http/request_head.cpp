#include "host/http/request_head.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <sallyport/ascii.h>
#include <sallyport/http_token.h>

#include "host/http/authority.h"
#include "host/http/field_list.h"

namespace sallyport::host::http {

namespace {

constexpr std::string_view lineEnd = "\r\n";

/// Visible characters, spaces, tabs and bytes above ASCII (RFC 9110 section 5.5).
bool isFieldValue(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

/// Visible ASCII: no space, control character or raw byte above ASCII can be in a request target.
bool isTarget(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte < 0x7f;
    });
}

/// Splits the target into path and query. Absolute form (RFC 9112 section 3.2.2) loses scheme and authority.
bool splitTarget(std::string_view target, RequestHead& head) {
    if (target == "*") {
        head.path = "*";
        return head.method == "OPTIONS";
    }
    if (target.front() != '/' && head.method == "CONNECT") {
        head.target = parseAuthority(target, std::nullopt);
        head.path = head.target ? head.target->authority() : std::string();
        return head.target.has_value();
    }
    if (target.front() != '/') {
        const auto scheme = target.find("://");
        if (scheme == std::string_view::npos ||
            !ascii::equalsIgnoringCase(target.substr(0, scheme), "http")) {
            return false;
        }
        target.remove_prefix(scheme + 3);
        const auto end = target.find_first_of("/?#");
        head.target = parseAuthority(target.substr(0, end), httpPort);
        if (!head.target) {
            return false;
        }
        target = end == std::string_view::npos ? std::string_view{} : target.substr(end);
        if (target.empty() || target.front() == '?') {
            head.path = "/";
        }
    }
    const auto question = target.find('?');
    head.path += target.substr(0, question);
    if (question != std::string_view::npos) {
        head.query = target.substr(question + 1);
    }
    // A proxy would hand on what no server expects to be sent.
    return head.path.find('#') == std::string::npos &&
           !(head.target && head.query.find('#') != std::string::npos);
}

std::optional<HeadError> parseVersion(std::string_view version, RequestHead& head) {
    const bool shaped = version.size() == 8 && version.substr(0, 5) == "HTTP/" && version[6] == '.' &&
                        version[5] >= '0' && version[5] <= '9' && version[7] >= '0' && version[7] <= '9';
    if (!shaped) {
        return HeadError{400, "bad_request", "the request line does not end in an HTTP version"};
    }
    if (version[5] != '1') {
        return HeadError{505, "http_version_not_supported", "only HTTP/1.0 and HTTP/1.1 are spoken here"};
    }
    head.http10 = version[7] == '0';
    return std::nullopt;
}

std::optional<HeadError> parseRequestLine(std::string_view line, RequestHead& head, const Limits& limits) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last || !isHttpToken(line.substr(0, first))) {
        return HeadError{400, "bad_request", "the request line is not METHOD TARGET VERSION"};
    }
    head.method = line.substr(0, first);
    const auto target = line.substr(first + 1, last - first - 1);
    if (target.size() > limits.maxUriBytes) {
        return HeadError{414, "uri_too_long", "the request target is too long"};
    }
    if (const auto error = parseVersion(line.substr(last + 1), head)) {
        return error;
    }
    if (!isTarget(target) || !splitTarget(target, head)) {
        return HeadError{400, "bad_request", "the request target is malformed"};
    }
    return std::nullopt;
}

std::optional<HeadError> parseField(std::string_view line, RequestHead& head) {
    if (line.front() == ' ' || line.front() == '\t') {
        return HeadError{400, "bad_request", "folded header lines are not accepted"};
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !isHttpToken(line.substr(0, colon))) {
        return HeadError{400, "bad_request", "A header line is not NAME: VALUE."};
    }
    const auto value = trimmed(line.substr(colon + 1));
    if (!isFieldValue(value)) {
        return HeadError{400, "bad_request", "A header value contains a control character."};
    }
    head.headers.emplace_back(ascii::lowered(line.substr(0, colon)), value);
    return std::nullopt;
}

/// What the header fields say about framing and connection, each checked for contradiction.
class Interpreter {
public:
    explicit Interpreter(RequestHead& head) : head_(head) {}

    std::optional<HeadError> run() {
        head_.keepAlive = !head_.http10;
        for (const auto& [name, value] : head_.headers) {
            if (const auto error = field(name, value)) {
                return error;
            }
        }
        return conclude();
    }

private:
    std::optional<HeadError> field(const std::string& name, const std::string& value) {
        if (name == "content-length") {
            return contentLength(value);
        }
        if (name == "transfer-encoding") {
            return transferEncoding(value);
        }
        if (name == "host") {
            ++hosts_;
        } else if (name == "connection") {
            connection(value);
        } else if (name == "upgrade") {
            protocols_.append(protocols_.empty() ? "" : ", ").append(value);
        } else if (name == "expect") {
            return expect(value);
        }
        return std::nullopt;
    }

    std::optional<HeadError> contentLength(const std::string& value) {
        if (head_.framing == Framing::length) {
            return HeadError{400, "ambiguous_length", "Content-Length was given more than once"};
        }
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), head_.length);
        if (value.empty() || error != std::errc{} || end != value.data() + value.size()) {
            return HeadError{400, "bad_request", "Content-Length is not a number"};
        }
        if (head_.framing == Framing::chunked) {
            return ambiguous();
        }
        head_.framing = Framing::length;
        return std::nullopt;
    }

    std::optional<HeadError> transferEncoding(const std::string& value) {
        if (head_.framing == Framing::length) {
            return ambiguous();
        }
        if (head_.framing == Framing::chunked) {
            return HeadError{400, "ambiguous_length", "Transfer-Encoding was given more than once"};
        }
        if (head_.http10) {
            return HeadError{400, "bad_request", "HTTP/1.0 has no Transfer-Encoding."};
        }
        if (!ascii::equalsIgnoringCase(value, "chunked")) {
            return HeadError{501, "transfer_encoding", "the only transfer coding accepted is chunked"};
        }
        head_.framing = Framing::chunked;
        return std::nullopt;
    }

    static HeadError ambiguous() {
        return {400, "ambiguous_length", "Content-Length and Transfer-Encoding contradict each other"};
    }

    void connection(const std::string& value) {
        if (listContains(value, "close")) {
            close_ = true;
        } else if (head_.http10 && listContains(value, "keep-alive")) {
            head_.keepAlive = true;
        }
        upgrades_ |= listContains(value, "upgrade");
    }

    std::optional<HeadError> expect(const std::string& value) {
        if (!ascii::equalsIgnoringCase(value, "100-continue")) {
            return HeadError{417, "expectation_failed", "the only expectation met is 100-continue"};
        }
        head_.expectsContinue = !head_.http10;
        return std::nullopt;
    }

    std::optional<HeadError> conclude() {
        if (hosts_ > 1 || (hosts_ == 0 && !head_.http10)) {
            return HeadError{400, "bad_request", "A request needs exactly one Host header."};
        }
        if (close_) {
            head_.keepAlive = false;
        }
        if (head_.framing == Framing::length && head_.length == 0) {
            head_.framing = Framing::none;
        }
        // RFC 9110 section 9.3.6: what follows belongs to the tunnel, if there will be one.
        if (head_.asksForTunnel() && head_.framing != Framing::none) {
            return HeadError{400, "bad_request", "CONNECT has no content"};
        }
        if (head_.target) {
            tellLength(*head_.target);
        }
        // RFC 9110 section 7.8: HTTP/1.0 has none.
        if (upgrades_ && !head_.http10) {
            head_.upgrade = std::move(protocols_);
        }
        return std::nullopt;
    }

    void tellLength(ProxyTarget& target) const {
        if (head_.framing == Framing::chunked) {
            target.length.reset();
        } else {
            target.length = head_.framing == Framing::length ? head_.length : 0;
        }
    }

    RequestHead& head_;
    int hosts_ = 0;
    bool close_ = false;
    bool upgrades_ = false;
    std::string protocols_;
};

constexpr std::size_t methodAndVersion = 64;
/// RFC 9112 section 2.2: an empty line before the request line is tolerated. So many are.
constexpr int emptyLinesBefore = 4;

/// A line, or the beginning of one, without the carriage return of its end.
std::string_view withoutReturn(std::string_view line) {
    return line.substr(0, line.size() - (line.ends_with('\r') ? 1 : 0));
}

constexpr HeadError badLineEnd{400, "bad_request", "lines of a request head end in CR LF"};
constexpr HeadError headTooLarge{431, "header_too_large", "the header fields are too large or too many"};

}  // namespace

const std::string* RequestHead::find(std::string_view name) const {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const auto& header) { return header.first == name; });
    return found == headers.end() ? nullptr : &found->second;
}

std::string RequestHead::shownTarget() const {
    return target && !asksForTunnel() ? "http://" + target->authority() + path : path;
}

std::size_t HeadParser::feed(std::string_view input) {
    std::size_t taken = 0;
    while (state_ == State::reading) {
        const auto rest = input.substr(taken);
        const auto end = rest.find('\n', scanned_);
        if (end == std::string_view::npos) {
            scanned_ = rest.size();
            checkBounds(withoutReturn(rest).size());
            break;
        }
        scanned_ = 0;
        taken += end + 1;
        takeLine(rest.substr(0, end));
    }
    return taken;
}

void HeadParser::takeLine(std::string_view line) {
    // A line feed without a carriage return, or the reverse, is an error.
    const bool ended = !line.empty() && line.find('\r') == line.size() - 1;
    const auto text = withoutReturn(line);
    checkBounds(text.size());
    if (state_ == State::refused) {
        return;
    }
    if (!ended) {
        refuse(badLineEnd);
    } else if (inFields_) {
        takeField(text);
    } else if (!text.empty() || emptyLines_ == emptyLinesBefore) {
        takeRequestLine(text);
    } else {
        ++emptyLines_;
    }
}

void HeadParser::checkBounds(std::size_t lineSize) {
    if (!inFields_ && lineSize > limits_.maxUriBytes + methodAndVersion) {
        refuse({414, "uri_too_long", "the request target is too long"});
    } else if (inFields_ && fieldBytes_ + lineSize > limits_.maxHeaderBytes) {
        refuse(headTooLarge);
    }
}

void HeadParser::takeRequestLine(std::string_view line) {
    if (const auto error = parseRequestLine(line, head_, limits_)) {
        refuse(*error);
        return;
    }
    inFields_ = true;
    head_.headers.reserve(12);
}

void HeadParser::takeField(std::string_view line) {
    fieldBytes_ += line.size() + lineEnd.size();
    if (line.empty()) {
        conclude();
    } else if (head_.headers.size() == limits_.maxHeaders) {
        refuse(headTooLarge);
    } else if (const auto error = parseField(line, head_)) {
        refuse(*error);
    }
}

void HeadParser::conclude() {
    if (const auto error = Interpreter(head_).run()) {
        refuse(*error);
    } else {
        state_ = State::complete;
    }
}

void HeadParser::refuse(const HeadError& error) {
    error_ = error;
    state_ = State::refused;
}

RequestHead HeadParser::take() {
    state_ = State::reading;
    inFields_ = false;
    emptyLines_ = 0;
    fieldBytes_ = 0;
    return std::exchange(head_, {});
}

}  // namespace sallyport::host::http
