#include "socket.h"

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <Poco/Net/IPAddress.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls_contexts.h"

namespace sallyport::plugins::llm {

namespace {

std::string errorText(int number) {
    return std::generic_category().message(number);
}

bool wouldBlock(int number) {
    return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

Io failure(int number) {
    return wouldBlock(number) ? Io{} : Io{Io::Kind::failed, 0, errorText(number)};
}

Io done(std::size_t size) {
    return {Io::Kind::done, size, {}};
}

/// Has the certificate checked for the name or address, and the server told which name is meant
/// (RFC 6066 section 3, which has neither addresses nor a dot at the end of a name; nor have certificates).
bool setPeer(SSL* tls, std::string host) {
    Poco::Net::IPAddress address;
    if (Poco::Net::IPAddress::tryParse(host, address)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host.c_str()) == 1;
    }
    if (host.ends_with('.')) {
        host.pop_back();
    }
    if (host.empty()) {
        return false;  // which OpenSSL would take for any name
    }
    SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(tls, host.c_str()) == 1 && SSL_set_tlsext_host_name(tls, host.c_str()) == 1;
}

}  // namespace

Socket::Socket(SocketSet& set, Watcher& watcher, const sockaddr& address, socklen_t addressSize)
    : set_(set), descriptor_(::socket(address.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    if (!descriptor_.open()) {
        throw std::system_error(errno, std::generic_category());
    }
    const int on = 1;
    ::setsockopt(descriptor_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(descriptor_.get(), &address, addressSize) != 0 && errno != EINPROGRESS) {
        throw std::system_error(errno, std::generic_category());
    }
    watch_ = set_.watch(descriptor_.get(), watcher);
}

Socket::~Socket() {
    if (greeted_) {
        ERR_clear_error();
        SSL_shutdown(tls_.get());
        ERR_clear_error();
    }
    set_.unwatch(watch_);
}

int Socket::error() const {
    int number = 0;
    socklen_t size = sizeof number;
    return ::getsockopt(descriptor_.get(), SOL_SOCKET, SO_ERROR, &number, &size) == 0 ? number : errno;
}

void Socket::startTls(SSL_CTX& context, const std::string& host) {
    ERR_clear_error();
    tls_.reset(SSL_new(&context));
    if (!tls_ || SSL_set_fd(tls_.get(), descriptor_.get()) != 1 || !setPeer(tls_.get(), host)) {
        throw std::runtime_error(takeTlsErrors());
    }
    SSL_set_connect_state(tls_.get());
}

Io Socket::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_.get());
    if (result == 1) {
        greeted_ = true;
        return done(0);
    }
    Io io = tlsProblem(result);
    if (const long verified = SSL_get_verify_result(tls_.get());
        io.kind == Io::Kind::failed && verified != X509_V_OK) {
        io.problem = std::string(untrustedPeer) + X509_verify_cert_error_string(verified);
    }
    return io;
}

Io Socket::read(std::span<char> buffer) {
    if (tls_) {
        ERR_clear_error();
        std::size_t size = 0;
        const int result = SSL_read_ex(tls_.get(), buffer.data(), buffer.size(), &size);
        return result == 1 ? done(size) : tlsProblem(result);
    }
    const ssize_t size = ::recv(descriptor_.get(), buffer.data(), buffer.size(), 0);
    if (size == 0) {
        return {Io::Kind::closed, 0, {}};
    }
    return size > 0 ? done(static_cast<std::size_t>(size)) : failure(errno);
}

Io Socket::write(std::string_view first, std::string_view second) {
    if (tls_) {
        const std::string_view next = first.empty() ? second : first;
        ERR_clear_error();
        std::size_t size = 0;
        const int result = SSL_write_ex(tls_.get(), next.data(), next.size(), &size);
        return result == 1 ? done(size) : tlsProblem(result);
    }
    std::array<iovec, 2> pieces = {iovec{const_cast<char*>(first.data()), first.size()},
                                   iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t size = ::sendmsg(descriptor_.get(), &message, MSG_NOSIGNAL);
    return size >= 0 ? done(static_cast<std::size_t>(size)) : failure(errno);
}

Io Socket::tlsProblem(int result) {
    const int number = errno;
    switch (SSL_get_error(tls_.get(), result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return {};
        case SSL_ERROR_ZERO_RETURN:
            return {Io::Kind::closed, 0, {}};
        case SSL_ERROR_SYSCALL:
            greeted_ = false;
            ERR_clear_error();
            return {Io::Kind::failed, 0, number == 0 ? "the connection was closed" : errorText(number)};
        default:
            greeted_ = false;
            return {Io::Kind::failed, 0, takeTlsErrors()};
    }
}

}  // namespace sallyport::plugins::llm
