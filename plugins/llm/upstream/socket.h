// Sockets on an event loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sys/socket.h>

#include <openssl/ssl.h>

#include <sallyport/ext/io.h>
#include <sallyport/file_descriptor.h>

namespace sallyport::plugins::llm {

/// Hears that something happened on a socket. [the loop's thread]
class Watcher {
public:
    virtual ~Watcher() = default;
    /// @param events told once each: what can be read or written has to be until it blocks.
    virtual void onEvents(IoEvents events) = 0;
};

/// What every socket is watched for, on an edge: at once and for good, so that no call has to change it.
inline constexpr IoEvents watchedFor = IoEvents::readable | IoEvents::writable;

/// Where sockets are watched. [the loop's thread]
class SocketSet {
public:
    virtual ~SocketSet() = default;

    /// Watches a socket. @throws std::system_error
    /// @return a number for it, never zero.
    virtual std::uint64_t watch(int descriptor, Watcher& watcher) = 0;
    /// Has another one hear of it.
    virtual void rewatch(std::uint64_t watch, Watcher& watcher) = 0;
    /// The socket is still open.
    virtual void unwatch(std::uint64_t watch) = 0;
};

/// How an attempt to read or write went.
struct Io {
    enum class Kind {
        done,    ///< `size` bytes
        wait,    ///< later, when something has happened
        closed,  ///< by the peer, in order
        failed,  ///< `problem` says how
    };
    Kind kind = Kind::wait;
    std::size_t size = 0;
    std::string problem;
};

/// What Io::problem begins with when the peer is not shown to be who it should be.
inline constexpr std::string_view untrustedPeer = "the certificate is not to be trusted: ";

/// A connected or connecting socket, perhaps with TLS. Closed with its object. [the loop's thread]
class Socket {
public:
    /// Begins to connect. @throws std::system_error when that is out of the question at once.
    Socket(SocketSet& set, Watcher& watcher, const sockaddr& address, socklen_t addressSize);
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    void rewatch(Watcher& watcher) { set_.rewatch(watch_, watcher); }

    /// Zero while and after connecting went well, else errno's number.
    [[nodiscard]] int error() const;

    /// Puts TLS on it, for a server by that name or address.
    /// @throws std::runtime_error
    void startTls(SSL_CTX& context, const std::string& host);
    /// Goes on with the greeting until it is done.
    [[nodiscard]] Io handshake();

    /// Reads once. @param buffer not empty.
    [[nodiscard]] Io read(std::span<char> buffer);
    /// Writes `first` and then `second` as far as that is possible at once.
    [[nodiscard]] Io write(std::string_view first, std::string_view second);

    /// Whether a read of less than was asked for means that there is no more for now.
    [[nodiscard]] bool shortReadIsLast() const noexcept { return !tls_; }

    /// Whether it has read more than it has handed out.
    [[nodiscard]] bool holdsMore() const noexcept { return tls_ && SSL_has_pending(tls_.get()) == 1; }

private:
    struct FreeTls {
        void operator()(SSL* tls) const { SSL_free(tls); }
    };

    [[nodiscard]] Io tlsProblem(int result);

    SocketSet& set_;
    const FileDescriptor descriptor_;
    std::uint64_t watch_ = 0;
    std::unique_ptr<SSL, FreeTls> tls_;
    bool greeted_ = false;  ///< and nothing went wrong since
};

}  // namespace sallyport::plugins::llm
