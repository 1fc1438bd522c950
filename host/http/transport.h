// The byte stream under a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::host::http {

/// What a connection reads from and writes to, in the clear: a socket, or TLS over one. Nothing here ever
/// blocks. A transport may have to write before it can read, and the reverse, which is why `onEvents` and not
/// the connection says what an event of the descriptor makes possible. [loop thread]
class Transport {
public:
    enum class Status {
        moved,       ///< some bytes went over
        wouldBlock,  ///< none now; `onEvents` tells when to try again
        ended,       ///< the peer has sent all that it ever will; of reading only
        failed,      ///< the connection is of no use any more
    };

    struct Result {
        Status status = Status::wouldBlock;
        std::size_t bytes = 0;
        bool more = false;  ///< of reading: there may be more by now, which no event will tell
    };

    /// What an event has made possible.
    struct Readiness {
        bool readable = false;
        bool writable = false;
        bool ended = false;   ///< the peer has shut down its sending side, or gone
        bool gone = false;    ///< the peer takes nothing any more
        bool failed = false;  ///< the connection is of no use any more
    };

    Transport() = default;
    virtual ~Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    /// What the loop watches, edge-triggered, in both directions. Stays open as long as the transport lives.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;

    /// @param events as epoll_wait(2) reported them for the descriptor.
    [[nodiscard]] virtual Readiness onEvents(std::uint32_t events) = 0;

    /// Reads up to as many bytes as `into` has room for.
    [[nodiscard]] virtual Result read(std::span<char> into) = 0;

    /// Writes of the buffers, in order, what is taken at once.
    [[nodiscard]] virtual Result write(std::span<const std::string_view> buffers) = 0;

    /// Tells the peer that nothing more comes. A transport that needs several steps takes the others in
    /// `onEvents`.
    virtual void shutDownSending() = 0;

    /// Whether the peer has shut down its sending side and all that it sent has been read. Takes no bytes.
    [[nodiscard]] virtual bool peerHasClosed() = 0;

    /// Whether nobody between could read or change what goes over: TLS, of which there is none yet. Cookies
    /// are made by this.
    [[nodiscard]] virtual bool isSecure() const { return false; }

    /// Who the peer is, for the log: `address:port`, or a word when that cannot be told.
    [[nodiscard]] virtual std::string peer() const = 0;
};

}  // namespace sallyport::host::http
