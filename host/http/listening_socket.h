// A socket that listens.
#pragma once

#include <string>

#include <sys/types.h>

#include <sallyport/file_descriptor.h>

#include "host/http/listen_address.h"

namespace sallyport::host::http {

/// A listening socket, bound here or by the process that ran before. Closing it removes the file of a Unix
/// socket, unless somebody else holds the socket as well: then connections wait in it for the next process.
class ListeningSocket {
public:
    struct Options {
        mode_t mode = 0660;     ///< of a Unix socket's file
        bool ipv6Only = false;  ///< whether `[::]` leaves IPv4 to another socket
    };

    /// Binds, also to an address that no interface has yet. The file of a Unix socket on which nobody listens
    /// any more is replaced.
    /// @throws std::runtime_error a sentence naming the address.
    ListeningSocket(const ListenAddress& address, const Options& options);

    /// Goes on with one that `matches`.
    /// @throws std::runtime_error
    ListeningSocket(FileDescriptor socket, const ListenAddress& address, const Options& options);

    ListeningSocket(ListeningSocket&& other) noexcept = default;
    ListeningSocket& operator=(ListeningSocket&&) = delete;
    ~ListeningSocket() { close(); }

    /// Whether the descriptor is a socket that listens where a new one would, and can be reached there: the
    /// file of a Unix socket may have been removed since. For port 0 any port of that host will do.
    [[nodiscard]] static bool matches(int descriptor, const ListenAddress& address, const Options& options);

    void close() noexcept;

    [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
    /// How a client on this host reaches it: `http://127.0.0.1:50051` or `unix:/path`.
    [[nodiscard]] const std::string& url() const noexcept { return url_; }

private:
    FileDescriptor socket_;
    std::string unixPath_;
    std::string url_;
};

/// What the descriptor of a stream socket that listens is bound to, for a person to read; what it is not, for
/// any other.
[[nodiscard]] std::string describeSocket(int descriptor);

/// Ends the listening for everybody who holds the socket: who waits in it is refused, its port can be bound
/// anew, the file of a Unix socket is removed.
void endListening(int descriptor);

/// Whether somebody listens at a Unix socket. Leaves a connection there that is closed already.
[[nodiscard]] bool listensAt(const std::string& path) noexcept;

}  // namespace sallyport::host::http
