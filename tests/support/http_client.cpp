#include "tests/support/http_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>

#include <sallyport/ascii.h>
#include <sallyport/json.h>

namespace sallyport::tests {

namespace {

[[noreturn]] void lost(const std::string& what) {
    throw ConnectionLost(what + ": " + std::strerror(errno));
}

template <class T>
T number(std::string_view text, int base = 10) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw std::runtime_error("'" + std::string(text) + "' is no number");
    }
    return value;
}

union Address {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un local;
};

/// @return the length of what it has filled in.
socklen_t resolve(const std::string& text, Address& address) {
    address = {};
    if (text.starts_with("unix:")) {
        address.local.sun_family = AF_UNIX;
        text.substr(5).copy(address.local.sun_path, sizeof address.local.sun_path - 1);
        return sizeof address.local;
    }
    const auto colon = text.rfind(':');
    if (!text.starts_with("http://") || colon < 7) {
        throw std::invalid_argument("no address: '" + text + "'");
    }
    const std::string host = text.substr(7, colon - 7);
    const auto port = htons(number<std::uint16_t>(text.substr(colon + 1)));
    if (host.starts_with('[')) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = port;
        ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address.v6.sin6_addr);
        return sizeof address.v6;
    }
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = port;
    // A daemon bound to all interfaces is reached by loopback.
    ::inet_pton(AF_INET, host == "0.0.0.0" ? "127.0.0.1" : host.c_str(), &address.v4.sin_addr);
    return sizeof address.v4;
}

constexpr std::string_view absent = "(absent)";

/// The value at the path within `value`, or nothing.
std::optional<json::Value> lookup(json::Value value, std::string_view path) {
    while (!path.empty()) {
        const auto dot = std::min(path.find('.'), path.size());
        const std::string_view step = path.substr(0, dot);
        path.remove_prefix(std::min(dot + 1, path.size()));
        if (value.kind() == json::Kind::array) {
            const auto elements = value.elements();
            const auto index = number<std::size_t>(step);
            if (index >= elements.size()) {
                return std::nullopt;
            }
            value = elements[index];
        } else {
            const json::Object object = value.object();
            const json::Value* member = object.find(step);
            if (member == nullptr) {
                return std::nullopt;
            }
            value = *member;
        }
    }
    return value;
}

constexpr std::size_t deepest = 512;

}  // namespace

Endpoint::Endpoint(std::string address) : address_(std::move(address)) {
    Address checked;
    resolve(address_, checked);
}

std::uint16_t Endpoint::port() const {
    return address_.starts_with("unix:") ? std::uint16_t{0}
                                         : number<std::uint16_t>(address_.substr(address_.rfind(':') + 1));
}

FileDescriptor Endpoint::connect(std::optional<int> receiveBuffer) const {
    Address address;
    const socklen_t size = resolve(address_, address);
    FileDescriptor socket(::socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.open()) {
        throw std::system_error(errno, std::generic_category(), "socket");
    }
    if (receiveBuffer) {
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &*receiveBuffer, sizeof *receiveBuffer);
    }
    if (::connect(socket.get(), &address.any, size) != 0) {
        lost("connect to " + address_);
    }
    if (address.any.sa_family != AF_UNIX) {
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
    return socket;
}

std::string Response::header(std::string_view name) const {
    for (const auto& [field, value] : headers) {
        if (ascii::equalsIgnoringCase(field, name)) {
            return value;
        }
    }
    return {};
}

std::size_t Response::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(), [&](const auto& field) {
        return ascii::equalsIgnoringCase(field.first, name);
    }));
}

std::string Response::at(std::string_view path) const {
    return jsonAt(body, path);
}

std::string Response::raw(std::string_view path) const {
    const auto value = lookup(json::Value::parse(body, deepest), path);
    return std::string(value ? value->raw() : absent);
}

std::size_t Response::size(std::string_view path) const {
    const auto value = lookup(json::Value::parse(body, deepest), path);
    return value ? value->elements().size() : 0;
}

std::string Response::describe() const {
    std::string text = version + ' ' + std::to_string(status);
    for (const auto& [name, value] : headers) {
        text.append("\n").append(name).append(": ").append(value);
    }
    return text + "\n\n" + body.substr(0, 2000);
}

std::string jsonAt(std::string_view json, std::string_view path) {
    try {
        const auto value = lookup(json::Value::parse(json, deepest), path);
        if (!value) {
            return std::string(absent);
        }
        return value->string().value_or(std::string(value->raw()));
    } catch (const json::ParseError&) {
        return "(no JSON)";
    }
}

Request::Request(std::string method, std::string target)
    : method_(std::move(method)), target_(std::move(target)) {}

Request& Request::header(std::string name, std::string value) {
    headers_.emplace_back(std::move(name), std::move(value));
    return *this;
}

Request& Request::bearer(std::string_view token) {
    return header("Authorization", "Bearer " + std::string(token));
}

Request& Request::json(std::string_view text) {
    return body("application/json", text);
}

Request& Request::body(std::string_view type, std::string_view content) {
    body_ = content;
    header("Content-Type", std::string(type));
    return header("Content-Length", std::to_string(content.size()));
}

Request& Request::withoutHost() {
    host_ = false;
    return *this;
}

std::string Request::bytes() const {
    std::string text = method_ + ' ' + target_ + " HTTP/1.1\r\n";
    if (host_) {
        text += "Host: localhost\r\n";
    }
    for (const auto& [name, value] : headers_) {
        text += name;
        text += ": ";
        text += value;
        text += "\r\n";
    }
    text += "\r\n";
    return text + body_;
}

Connection::Connection(const Endpoint& endpoint, std::optional<int> receiveBuffer)
    : socket_(endpoint.connect(receiveBuffer)) {}

bool Connection::trySend(std::string_view bytes) {
    const Deadline deadline;
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            deadline.await(socket_.get(), POLLOUT, "the peer to read");
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

void Connection::send(std::string_view bytes) {
    if (!trySend(bytes)) {
        lost("send");
    }
}

bool Connection::fill() {
    const Deadline deadline;
    std::array<char, 65536> piece;
    for (;;) {
        const ssize_t size = ::recv(socket_.get(), piece.data(), piece.size(), 0);
        if (size > 0) {
            buffer_.append(piece.data(), static_cast<std::size_t>(size));
            return true;
        }
        if (size == 0) {
            return false;
        }
        if (errno == EAGAIN) {
            deadline.await(socket_.get(), POLLIN, "the peer to send");
        } else if (errno != EINTR) {
            lost("receive");
        }
    }
}

std::string Connection::takeLine() {
    for (;;) {
        const auto end = buffer_.find("\r\n");
        if (end != std::string::npos) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 2);
            return line;
        }
        if (!fill()) {
            throw ConnectionLost("the connection was closed where a line was due; before that came '" +
                                 buffer_ + "'");
        }
    }
}

Response Connection::receiveHead(std::string_view method) {
    Response response;
    const std::string statusLine = takeLine();
    const auto space = statusLine.find(' ');
    response.version = statusLine.substr(0, space);
    response.status =
        number<int>(std::string_view(statusLine).substr(std::min(space, statusLine.size() - 1) + 1, 3));
    for (std::string line = takeLine(); !line.empty(); line = takeLine()) {
        const auto colon = line.find(": ");
        response.headers.emplace_back(line.substr(0, colon), line.substr(std::min(colon + 2, line.size())));
    }
    const std::string connection = response.header("Connection");
    response.keepAlive = response.version == "HTTP/1.1" ? !ascii::equalsIgnoringCase(connection, "close")
                                                        : ascii::equalsIgnoringCase(connection, "keep-alive");
    const bool bodiless =
        response.status < 200 || response.status == 204 || response.status == 304 || method == "HEAD";
    remaining_ = 0;
    if (bodiless) {
        framing_ = Framing::none;
    } else if (ascii::equalsIgnoringCase(response.header("Transfer-Encoding"), "chunked")) {
        framing_ = Framing::chunked;
    } else if (response.count("Content-Length") != 0) {
        framing_ = Framing::length;
        remaining_ = number<std::uint64_t>(response.header("Content-Length"));
    } else {
        framing_ = Framing::untilClosed;
    }
    return response;
}

bool Connection::receiveChunk(std::string& body) {
    const std::string line = takeLine();
    const auto size = number<std::size_t>(std::string_view(line).substr(0, line.find(';')), 16);
    while (buffer_.size() < size + 2) {
        if (!fill()) {
            throw ConnectionLost("the connection was closed within a chunk");
        }
    }
    body.append(buffer_, 0, size);
    buffer_.erase(0, size + 2);
    return size != 0;
}

bool Connection::receiveBody(std::string& body) {
    if (framing_ == Framing::none || (framing_ == Framing::length && remaining_ == 0)) {
        return false;
    }
    if (framing_ == Framing::chunked) {
        return receiveChunk(body);
    }
    if (buffer_.empty() && !fill()) {
        if (framing_ == Framing::length) {
            throw ConnectionLost("the connection was closed before the end of the body");
        }
        return false;
    }
    const std::size_t take =
        framing_ == Framing::length
            ? static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, buffer_.size()))
            : buffer_.size();
    body.append(buffer_, 0, take);
    buffer_.erase(0, take);
    remaining_ -= std::min<std::uint64_t>(remaining_, take);
    return true;
}

Response Connection::receive(std::string_view method) {
    Response response = receiveHead(method);
    while (receiveBody(response.body)) {
    }
    return response;
}

Response Connection::exchange(const Request& request) {
    send(request.bytes());
    return receive(request.method());
}

std::string Connection::receiveBytes(std::size_t size) {
    while (buffer_.size() < size) {
        if (!fill()) {
            throw ConnectionLost("the connection was closed after '" + buffer_.substr(0, 1000) + "'");
        }
    }
    return std::exchange(buffer_, {});
}

std::string Connection::receiveUntilClosed() {
    try {
        while (fill()) {
        }
    } catch (const ConnectionLost&) {
        // A reset ends it as well as a close does.
    }
    return std::exchange(buffer_, {});
}

bool Connection::closedInOrder() {
    try {
        while (fill()) {
        }
    } catch (const ConnectionLost&) {
        return false;
    }
    return buffer_.empty();
}

bool Connection::readable() const {
    pollfd watched{socket_.get(), POLLIN, 0};
    return !buffer_.empty() || ::poll(&watched, 1, 0) > 0;
}

void Connection::finishSending() {
    ::shutdown(socket_.get(), SHUT_WR);
}

void Connection::reset() {
    const linger abort{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    socket_.close();
}

Response exchange(const Endpoint& endpoint, Request request) {
    request.header("Connection", "close");
    return Connection(endpoint).exchange(request);
}

}  // namespace sallyport::tests
