#include "tests/support/fake_upstream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <span>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <arpa/inet.h>
#include <openssl/pem.h>

#include <sallyport/ascii.h>

#include "tests/support/deadline.h"
#include "tests/support/loopback.h"

namespace sallyport::tests {

namespace {

/// The client has gone, or the server is to stop.
struct ConnectionOver {};

int checked(int result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

template <class T>
T tlsChecked(T result) {
    if (!result) {
        throw std::runtime_error("OpenSSL refused");
    }
    return result;
}

std::string urlOf(std::string_view scheme, std::uint16_t port) {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(port);
}

SSL_CTX* newTlsContext(const TlsIdentity& identity) {
    SSL_CTX* const context = tlsChecked(SSL_CTX_new(TLS_server_method()));
    const auto memory = [](const std::string& pem) {
        return std::unique_ptr<BIO, int (*)(BIO*)>(
            tlsChecked(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))), &BIO_free);
    };
    const std::unique_ptr<X509, FreeOpenssl> certificate(
        tlsChecked(PEM_read_bio_X509(memory(identity.certificate).get(), nullptr, nullptr, nullptr)));
    const std::unique_ptr<EVP_PKEY, FreeOpenssl> key(
        tlsChecked(PEM_read_bio_PrivateKey(memory(identity.key).get(), nullptr, nullptr, nullptr)));
    tlsChecked(SSL_CTX_use_certificate(context, certificate.get()) == 1);
    tlsChecked(SSL_CTX_use_PrivateKey(context, key.get()) == 1);
    return context;
}

std::string hex(std::size_t number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%zx", number);
    return text.data();
}

std::string chunkOf(std::string_view data) {
    return hex(data.size()) + "\r\n" + std::string(data) + "\r\n";
}

std::string gzipped(std::string_view text) {
    constexpr int gzipFormat = 15 + 16;
    z_stream stream{};
    std::string bytes(text.size() + text.size() / 100 + 1024, '\0');
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzipFormat, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::runtime_error("zlib refused");
    }
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
    stream.avail_out = static_cast<uInt>(bytes.size());
    const int result = deflate(&stream, Z_FINISH);
    bytes.resize(stream.total_out);
    deflateEnd(&stream);
    if (result != Z_STREAM_END) {
        throw std::runtime_error("zlib did not finish");
    }
    return bytes;
}

/// Waits for the first of the descriptors, whose ends count as well; no later than the time-out, if any.
/// @return whether there was one
bool awaitAny(std::span<pollfd> watched, int timeout) {
    int ready = 0;
    while ((ready = ::poll(watched.data(), watched.size(), timeout)) < 0 && errno == EINTR) {
    }
    return ready > 0;
}

}  // namespace

Permits::Permits() : count_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE), "eventfd")) {}

void Permits::grant(unsigned steps) {
    const std::uint64_t count = steps;
    checked(static_cast<int>(::write(count_.get(), &count, sizeof count)), "write");
}

void Permits::take() {
    std::uint64_t one = 0;
    checked(static_cast<int>(::read(count_.get(), &one, sizeof one)), "read");
}

std::string SeenRequest::header(std::string_view name) const {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const auto& header) { return header.first == name; });
    return found == headers.end() ? "" : found->second;
}

std::size_t SeenRequest::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(),
                                                  [&](const auto& header) { return header.first == name; }));
}

/// Takes requests from a connection.
class FakeUpstream::Reader {
public:
    Reader(int socket, SSL* tls, Pace pace)
        : socket_(socket), tls_(tls), block_(pace.step, '\0'), rest_(pace.rest) {}

    SeenRequest request() {
        const std::string head = upTo("\r\n\r\n");
        std::istringstream lines(head);
        SeenRequest request;
        std::string line;
        std::getline(lines, line);
        std::istringstream(line) >> request.method >> request.target;
        while (std::getline(lines, line)) {
            const std::size_t colon = line.find(':');
            std::string value = line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size()));
            value.erase(value.find_last_not_of('\r') + 1);
            request.headers.emplace_back(ascii::lowered(line.substr(0, colon)), value);
        }
        const std::string length = request.header("content-length");
        request.body = take(length.empty() ? 0 : std::stoul(length));
        return request;
    }

private:
    std::string upTo(std::string_view mark) {
        std::size_t end = std::string::npos;
        while ((end = buffer_.find(mark)) == std::string::npos) {
            fill();
        }
        return take(end + mark.size());
    }

    std::string take(std::size_t size) {
        while (buffer_.size() < size) {
            fill();
        }
        std::string text = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return text;
    }

    void fill() {
        const auto got = tls_ == nullptr ? ::recv(socket_, block_.data(), block_.size(), 0)
                                         : SSL_read(tls_, block_.data(), static_cast<int>(block_.size()));
        if (got <= 0) {
            throw ConnectionOver{};
        }
        buffer_.append(block_, 0, static_cast<std::size_t>(got));
        std::this_thread::sleep_for(rest_);
    }

    int socket_;
    SSL* tls_;
    std::string block_;
    std::chrono::milliseconds rest_;
    std::string buffer_;
};

UpstreamExchange::UpstreamExchange(FakeUpstream& server, SeenRequest request, int socket, SSL* tls)
    : server_(server), request_(std::move(request)), socket_(socket), tls_(tls) {}

void UpstreamExchange::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = tls_ == nullptr
                              ? ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                              : SSL_write(tls_, bytes.data(),
                                          static_cast<int>(std::min<std::size_t>(bytes.size(), 1U << 20U)));
        if (sent <= 0) {
            throw ConnectionOver{};
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void UpstreamExchange::sendTogether(const std::vector<std::string>& pieces) {
    int corked = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &corked, sizeof corked);
    for (const std::string& piece : pieces) {
        send(piece);
    }
    corked = 0;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &corked, sizeof corked);
}

void UpstreamExchange::head(int status, const Headers& headers) {
    std::string text = "HTTP/1.1 " + std::to_string(status) + " Reason\r\n";
    for (const auto& [name, value] : headers) {
        text.append(name).append(": ").append(value).append("\r\n");
    }
    send(text + "\r\n");
}

void UpstreamExchange::answer(int status, std::string_view body, const Headers& headers) {
    Headers all = headers;
    const bool typed = std::any_of(headers.begin(), headers.end(), [](const auto& header) {
        return ascii::equalsIgnoringCase(header.first, "content-type");
    });
    if (!typed) {
        all.emplace_back("Content-Type", "application/json");
    }
    all.emplace_back("Content-Length", std::to_string(body.size()));
    head(status, all);
    send(body);
}

void UpstreamExchange::chunk(std::string_view data) {
    send(chunkOf(data));
}

void UpstreamExchange::endChunks() {
    send("0\r\n\r\n");
}

void UpstreamExchange::await(Permits& permits) {
    std::array<pollfd, 3> watched{pollfd{permits.descriptor(), POLLIN, 0},
                                  pollfd{server_.stop_.get(), POLLIN, 0}, pollfd{socket_, POLLRDHUP, 0}};
    awaitAny(watched, -1);
    if (watched[1].revents != 0 || watched[2].revents != 0) {
        throw ConnectionOver{};
    }
    permits.take();
}

void UpstreamExchange::awaitClosed() {
    wait(std::chrono::milliseconds(-1));
    throw ConnectionOver{};
}

void UpstreamExchange::wait(std::chrono::milliseconds time) {
    std::array<pollfd, 2> watched{pollfd{server_.stop_.get(), POLLIN, 0}, pollfd{socket_, POLLRDHUP, 0}};
    if (awaitAny(watched, static_cast<int>(time.count()))) {
        throw ConnectionOver{};
    }
}

void UpstreamExchange::reset() {
    const linger atOnce{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &atOnce, sizeof atOnce);
    closing_ = true;
}

FakeUpstream::FakeUpstream(std::optional<TlsIdentity> identity)
    : tls_(identity ? newTlsContext(*identity) : nullptr),
      listener_(boundSocket()),
      stop_(checked(::eventfd(0, EFD_CLOEXEC), "eventfd")),
      port_(portOf(listener_)) {
    checked(::listen(listener_.get(), SOMAXCONN), "listen");
    acceptor_ = std::thread([this] { accept(); });
}

FakeUpstream::~FakeUpstream() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        const std::uint64_t one = 1;
        static_cast<void>(!::write(stop_.get(), &one, sizeof one));
        ::shutdown(listener_.get(), SHUT_RDWR);
        for (const auto& connection : connections_) {
            ::shutdown(connection->socket.get(), SHUT_RDWR);
        }
    }
    acceptor_.join();
    for (const auto& connection : connections_) {
        connection->thread.join();
    }
}

std::string FakeUpstream::url(std::string_view path) const {
    return urlOf(tls_ ? "https" : "http", port_).append(path);
}

void FakeUpstream::next(Script script) {
    const std::lock_guard lock(mutex_);
    next_.push_back(std::move(script));
}

void FakeUpstream::on(std::string path, Script script) {
    const std::lock_guard lock(mutex_);
    scripts_.insert_or_assign(std::move(path), std::move(script));
}

void FakeUpstream::readSlowly(std::size_t step, std::chrono::milliseconds rest) {
    const std::lock_guard lock(mutex_);
    pace_ = {step, rest};
    // What the kernel takes in on the script's behalf is nothing to wait for.
    const int size = 64 * 1024;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

FakeUpstream::Pace FakeUpstream::pace() const {
    const std::lock_guard lock(mutex_);
    return pace_;
}

std::vector<SeenRequest> FakeUpstream::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

SeenRequest FakeUpstream::awaitRequest(std::size_t number) {
    awaitThat([&] { return requests_.size() > number; }, "a request to the fake upstream");
    return requests()[number];
}

std::size_t FakeUpstream::connections() const {
    const std::lock_guard lock(mutex_);
    return connections_.size();
}

void FakeUpstream::awaitClosed(std::size_t connection) {
    awaitThat([&] { return connections_.size() > connection && connections_[connection]->closedByClient; },
              "a client to close its connection");
}

void FakeUpstream::awaitOpen(std::size_t most) {
    awaitThat(
        [&] {
            const auto open = std::count_if(connections_.begin(), connections_.end(),
                                            [](const auto& connection) { return connection->socket.open(); });
            return static_cast<std::size_t>(open) <= most;
        },
        "connections to be closed");
}

template <class Condition>
void FakeUpstream::awaitThat(Condition condition, const char* what) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, failureLimit(), condition)) {
        throw TimedOut(std::string("gave up waiting for ") + what);
    }
}

void FakeUpstream::accept() {
    for (;;) {
        FileDescriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        // An answer in pieces would wait for the peer's delayed acknowledgement at each of them.
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const std::lock_guard lock(mutex_);
        if (stopping_ || !socket.open()) {
            return;
        }
        Connection& connection = *connections_.emplace_back(std::make_unique<Connection>());
        connection.socket = std::move(socket);
        connection.thread =
            std::thread([this, &connection, number = connections_.size() - 1] { serve(connection, number); });
    }
}

void FakeUpstream::serve(Connection& connection, std::size_t number) {
    // OpenSSL writes to sockets in a way that raises it.
    sigset_t brokenPipe;
    sigemptyset(&brokenPipe);
    sigaddset(&brokenPipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &brokenPipe, nullptr);

    bool closedByClient = false;
    int descriptor = -1;
    {
        const std::lock_guard lock(mutex_);
        descriptor = connection.socket.get();
    }
    try {
        const std::unique_ptr<SSL, FreeTls> session(tls_ ? tlsChecked(SSL_new(tls_.get())) : nullptr);
        if (session) {
            SSL_set_fd(session.get(), descriptor);
            if (SSL_accept(session.get()) != 1) {
                throw ConnectionOver{};
            }
        }
        serveRequests(number, descriptor, session.get());
    } catch (const ConnectionOver&) {
        closedByClient = true;
    }
    const std::lock_guard lock(mutex_);
    connection.closedByClient = closedByClient;
    connection.socket.close();
    changed_.notify_all();
}

void FakeUpstream::serveRequests(std::size_t number, int socket, SSL* tls) {
    Reader reader(socket, tls, pace());
    for (bool closing = false; !closing;) {
        SeenRequest request = reader.request();
        request.connection = number;
        const char* const serverName =
            tls == nullptr ? nullptr : SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
        request.serverName = serverName == nullptr ? "" : serverName;
        const Script script = scriptFor(request);
        UpstreamExchange exchange(*this, std::move(request), socket, tls);
        script(exchange);
        closing = exchange.closing();
    }
}

FakeUpstream::Script FakeUpstream::scriptFor(const SeenRequest& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    if (!next_.empty()) {
        Script script = std::move(next_.front());
        next_.pop_front();
        return script;
    }
    const auto found = scripts_.find(std::string_view(request.target).substr(0, request.target.find('?')));
    return found == scripts_.end() ? scripts::answer(404, R"({"error":{"message":"nothing was scripted"}})")
                                   : found->second;
}

namespace scripts {

Script answer(int status, std::string body, Headers headers) {
    return [status, body = std::move(body), headers = std::move(headers)](UpstreamExchange& exchange) {
        exchange.answer(status, body, headers);
    };
}

Script html(int status) {
    return answer(status, "<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>\n",
                  {{"Content-Type", "text/html; charset=utf-8"}});
}

Script answerAndClose(int status, std::string body) {
    return [status, body = std::move(body)](UpstreamExchange& exchange) {
        exchange.answer(status, body);
        exchange.close();
    };
}

Script hangUp() {
    return [](UpstreamExchange& exchange) { exchange.close(); };
}

Script reset() {
    return [](UpstreamExchange& exchange) { exchange.reset(); };
}

Script resetAfterHead() {
    return [](UpstreamExchange& exchange) {
        exchange.head(200, {{"Content-Type", "application/json"}, {"Content-Length", "100"}});
        exchange.reset();
    };
}

Script silence() {
    return [](UpstreamExchange& exchange) { exchange.awaitClosed(); };
}

Script silenceAfterHead() {
    return [](UpstreamExchange& exchange) {
        exchange.head(200, {{"Content-Type", "application/json"}, {"Content-Length", "100"}});
        exchange.awaitClosed();
    };
}

Script half(std::string body) {
    return [body = std::move(body)](UpstreamExchange& exchange) {
        exchange.head(
            200, {{"Content-Type", "application/json"}, {"Content-Length", std::to_string(body.size())}});
        exchange.send(std::string_view(body).substr(0, body.size() / 2));
        exchange.close();
    };
}

Script drip(std::chrono::milliseconds interval) {
    return [interval](UpstreamExchange& exchange) {
        exchange.head(200, {{"Content-Type", "application/json"}, {"Transfer-Encoding", "chunked"}});
        for (;;) {
            exchange.chunk(" ");
            exchange.wait(interval);
        }
    };
}

Script notHttp() {
    return [](UpstreamExchange& exchange) {
        exchange.send("220 mail.example.com ESMTP\r\n\r\n");
        exchange.close();
    };
}

Script chunked(Pieces pieces, Headers headers) {
    headers.emplace_back("Transfer-Encoding", "chunked");
    return [pieces = std::move(pieces), headers = std::move(headers)](UpstreamExchange& exchange) {
        exchange.head(200, headers);
        for (const std::string& piece : pieces) {
            exchange.chunk(piece);
        }
        exchange.endChunks();
    };
}

Script chunkedOddly(Pieces pieces) {
    return [pieces = std::move(pieces)](UpstreamExchange& exchange) {
        exchange.head(100, {});
        exchange.head(103, {{"Link", "</style.css>; rel=preload"}});
        exchange.head(200, {{"Content-Type", "application/json"},
                            {"Transfer-Encoding", "Chunked"},
                            {"Trailer", "X-Checksum"}});
        for (const std::string& piece : pieces) {
            exchange.send("000" + hex(piece.size()) + ";name=value;quoted=\"a;b\"\r\n" + piece + "\r\n");
        }
        exchange.send("00000\r\nX-Checksum: 1234\r\nSet-Cookie: late=1\r\n\r\n");
    };
}

Script chunkedWithBadSize() {
    return [](UpstreamExchange& exchange) {
        exchange.head(200, {{"Content-Type", "application/json"}, {"Transfer-Encoding", "chunked"}});
        exchange.send("no size\r\n{}\r\n0\r\n\r\n");
        exchange.awaitClosed();
    };
}

Script chunkedCutShort(Pieces pieces) {
    return [pieces = std::move(pieces)](UpstreamExchange& exchange) {
        exchange.head(200, {{"Content-Type", "application/json"}, {"Transfer-Encoding", "chunked"}});
        for (const std::string& piece : pieces) {
            exchange.chunk(piece);
        }
        exchange.close();
    };
}

Script gzip(std::string_view body) {
    return answer(200, gzipped(body), {{"Content-Encoding", "gzip"}});
}

Script gzipWithoutEnd(std::string_view body) {
    return [bytes = gzipped(body)](UpstreamExchange& exchange) {
        exchange.head(200,
                      {{"Content-Encoding", "gzip"}, {"Content-Length", std::to_string(bytes.size() + 1)}});
        exchange.send(bytes);
        exchange.awaitClosed();
    };
}

Script brokenGzip() {
    return answer(200, R"({"this":"is not compressed"})", {{"Content-Encoding", "gzip"}});
}

Script huge(std::size_t bytes) {
    return [bytes](UpstreamExchange& exchange) {
        exchange.head(200, {{"Content-Type", "application/json"}, {"Content-Length", std::to_string(bytes)}});
        const std::string block(std::size_t{64} * 1024, ' ');
        for (std::size_t left = bytes; left > 0; left -= std::min(left, block.size())) {
            exchange.send(std::string_view(block).substr(0, left));
        }
    };
}

Script stream(Pieces pieces, std::shared_ptr<Permits> permits) {
    return [pieces = std::move(pieces), permits = std::move(permits)](UpstreamExchange& exchange) {
        exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
        for (const std::string& piece : pieces) {
            exchange.await(*permits);
            exchange.chunk(piece);
        }
        exchange.await(*permits);
        exchange.endChunks();
    };
}

Script brokenStream(Pieces pieces) {
    return [pieces = std::move(pieces)](UpstreamExchange& exchange) {
        exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
        for (const std::string& piece : pieces) {
            exchange.chunk(piece);
        }
        exchange.close();
    };
}

}  // namespace scripts

RefusingPort::RefusingPort() : socket_(boundSocket()) {}

std::string RefusingPort::url(std::string_view scheme) const {
    return urlOf(scheme, portOf(socket_));
}

DeafPort::DeafPort() : socket_(boundSocket()) {
    checked(::listen(socket_.get(), SOMAXCONN), "listen");
}

std::string DeafPort::url(std::string_view scheme) const {
    return urlOf(scheme, portOf(socket_));
}

FileDescriptor DeafPort::accept() const {
    Deadline().await(socket_.get(), POLLIN, "a connection");
    return FileDescriptor(checked(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept"));
}

UnreachablePort::UnreachablePort() : socket_(boundSocket()) {
    checked(::listen(socket_.get(), 0), "listen");
    const sockaddr_in address = loopback(portOf(socket_));
    // The queue takes one more than its length; the second of these already waits for a place.
    for (int i = 0; i < 3; ++i) {
        FileDescriptor socket(
            checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
        static_cast<void>(
            ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
        queued_.push_back(std::move(socket));
    }
}

std::string UnreachablePort::url(std::string_view scheme) const {
    return urlOf(scheme, portOf(socket_));
}

}  // namespace sallyport::tests
