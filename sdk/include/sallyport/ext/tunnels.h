// The extension `tunnels`: connections that a plugin takes over in both directions, as a proxy does (CONNECT,
// requests in absolute form) and as WebSocket does (Upgrade).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/call.h>
#include <sallyport/reply.h>
#include <sallyport/route.h>

namespace sallyport {

/// Why a tunnel is over. A newer host may know of more.
enum class TunnelEnd {
    finished,  ///< both sides have said that they send no more
    closed,    ///< the plugin has ended it: TunnelPeer::close or abort
    lost,      ///< the connection failed, or what came on it is no request any more
    revoked,   ///< the caller's token has been revoked, as at the end of its job
    idle,      ///< no byte has moved for `tunnels.idle_timeout`
    expired,   ///< it has been open for `tunnels.max_lifetime`
    stopping,  ///< the daemon stops, or the plugin is replaced or unloaded
    overrun,   ///< the plugin went on sending when it had been told to stop
    failed,    ///< an exception came out of one of the plugin's functions
};

/// The word for it, for logs: `finished`, `closed`, …
[[nodiscard]] const char* name(TunnelEnd end);

/// The client's end of a tunnel, made by the host. Once the tunnel is over all of its functions do nothing.
///
/// What it holds in memory is bounded in both directions. Of what is sent to the client it keeps at most
/// twice `tunnels.buffer` (64 KiB by default) that the network has not taken, or else the tunnel ends. Of
/// what comes from the client it keeps nothing beyond what arrived together with the request's head, which is
/// at most 16 KiB and counts to `http.body_memory`: all else stays in the kernel until it is read, and TCP
/// slows the client down.
///
/// It is for the thread of the connection's loop, on which the Tunnel is called, too.
/// @throws std::logic_error from all functions on any other thread.
class TunnelPeer {
public:
    virtual ~TunnelPeer() = default;

    /// Sends bytes to the client, in order, never blocking: what the network does not take at once is kept.
    /// @return whether there is room for more. Once there is none, stop until Tunnel::onWritable: going on
    /// beyond
    ///         twice `tunnels.buffer` ends the tunnel with TunnelEnd::overrun. Also false when nothing more
    ///         can be sent, after `finish` or the tunnel's end.
    virtual bool send(std::string_view bytes) = 0;

    /// How much more can be sent until `send` says that there is no room. A relay reads that much from its
    /// other side at the most, and so never has to keep anything. 0 where nothing more can be sent.
    [[nodiscard]] virtual std::size_t room() const = 0;

    /// Has nothing more read from the client until `resumeReading`. It holds from the return of the function
    /// of the Tunnel that is being called: Tunnel::onData is not called after it.
    virtual void pauseReading() = 0;

    /// Goes on reading, soon and not before this returns.
    virtual void resumeReading() = 0;

    /// Says to the client, after all that was sent, that nothing more comes (a half close). What the client
    /// sends still comes. When the client has finished as well the tunnel is over: TunnelEnd::finished.
    virtual void finish() = 0;

    /// Ends the tunnel in order: the client still gets all that was sent, within `http.write_timeout`; what
    /// it sends is dropped. Tunnel::onClosed is called soon, and not before this returns.
    virtual void close() = 0;

    /// Cuts the tunnel: what was sent and not been taken by the network is dropped, so that the client can
    /// tell that it is not whole. Tunnel::onClosed is called soon, and not before this returns.
    virtual void abort() = 0;
};

/// The plugin's end of a tunnel, given to the host by Reply::tunnel or Reply::upgrade.
///
/// All functions are called on the thread of the connection's loop (IoLoop::isCurrent), one at a time, and
/// must not block: many connections share that thread. What they throw ends the tunnel with TunnelEnd::failed
/// and is logged. The host lets go of the object there, after `onClosed` has returned. Where the client has
/// gone before, no function is called; a Promise that comes too late lets go of it on its own thread.
class Tunnel {
public:
    /// Of this header. The interface grows at its end, and this with it.
    static constexpr std::uint32_t currentVersion = 1;

    virtual ~Tunnel() = default;

    /// What the plugin was built with: the host calls nothing that came later. Not to be overridden.
    [[nodiscard]] virtual std::uint32_t version() const { return currentVersion; }

    /// The tunnel is open. For CONNECT and Upgrade the head of the answer has gone out; for a request in
    /// absolute form nothing has, and the plugin sends the whole response, head and all. What the client had
    /// sent behind the request comes next, by `onData`.
    /// @param peer the client's end, to be kept as long as it is of use.
    virtual void onOpened(std::shared_ptr<TunnelPeer> peer) = 0;

    /// Bytes from the client, in order, at most 64 KiB at once. They are valid during the call.
    virtual void onData(std::string_view bytes) = 0;

    /// The client sends no more: it has shut down its sending side or, for a request in absolute form, the
    /// request's body has ended. The other direction stays open until TunnelPeer::finish or `close`.
    virtual void onPeerFinished() = 0;

    /// There is room again, of at least half of `tunnels.buffer`, after TunnelPeer::send had said that there
    /// was none.
    virtual void onWritable() {}

    /// The daemon is about to stop, and cuts tunnels that are left when `shutdown.grace` has passed. There is
    /// nothing that has to be done: a console says good-bye, a relay goes on.
    virtual void onDrain() {}

    /// The tunnel is over. Nothing is called after it but the destructor. Called once if `onOpened` was.
    /// @param end why.
    virtual void onClosed(TunnelEnd end) = 0;
};

/// Where a request to a proxy is to go, as the client asked. It has been checked for its form and nothing
/// else: what it resolves to, and whether anybody may go there, is for the plugin to judge.
struct ProxyTarget {
    /// A name in lower case, of letters, digits, `-`, `_` and dots, without one at its end; an IPv4 address
    /// of four decimal numbers; or an IPv6 address as RFC 5952 writes it, without brackets and without a
    /// zone. A name whose last part is a number, which some resolvers take for an IPv4 address, is refused by
    /// the host.
    std::string host;
    /// Whether `host` is an IPv4 or IPv6 address.
    bool address = false;
    /// 1 to 65535. The scheme's (80) for a request in absolute form that names none.
    std::uint16_t port = 0;
    /// Bytes of the request's content, which come by Tunnel::onData; nothing for a chunked one, whose end is
    /// told by Tunnel::onPeerFinished alone. 0 for CONNECT.
    std::optional<std::uint64_t> length = 0;

    /// `host:port`, or `[host]:port` for an IPv6 address (RFC 3986 section 3.2).
    [[nodiscard]] std::string authority() const;
};

/// Answers one request to a proxy: by Reply::tunnel, by a Reply::deferred that is fulfilled with one, or by
/// any complete reply, which is then a refusal such as 403 or 502.
/// @param call   what the client asked, see Tunnels.
/// @param target as long as the call.
using ProxyHandler = std::function<Reply(const Call& call, const ProxyTarget& target)>;

/// The extension: `host.extension<Tunnels>()`. By it a plugin becomes the proxy of the worker door: for
/// CONNECT (RFC 9110 section 9.3.6), and for requests in absolute form, `GET http://host/path` (RFC 9112
/// section 3.2.2). For Upgrade (RFC 9110 section 7.8) nothing needs to be registered: the handler of any
/// route returns Reply::upgrade.
///
/// Callers are authenticated by `Proxy-Authorization` alone: `Basic` with the job's id and its token (RFC
/// 7617), or `Bearer` with the token (RFC 6750). Without it the answer is 407. The field is gone when the
/// plugin sees the request. `Authorization`, `Cookie` and `X-Api-Key` are the target's, and in these calls
/// alone they are there; a request that has the job's own token in one of its fields is refused by the host.
///
/// Call::method is the client's. Call::path and rawQuery are the target's path and query; for CONNECT the
/// path is `host:port`. Call::headers have `host` as the target says it, whatever the client's `Host` said.
/// Taken out are the fields of the connection to the proxy (`Connection` and what that names,
/// `Proxy-Connection`, `Keep-Alive`, `TE`, `Upgrade`), and those that frame the content (`Content-Length`,
/// `Transfer-Encoding`): see ProxyTarget::length. Call::body is empty.
///
/// The content of a request in absolute form is read as HTTP by the host, so that no second request can hide
/// behind the first: Tunnel::onData gets the content without its framing, and after onPeerFinished nothing
/// more. What the plugin sends goes out as it is, and should say `Connection: close`: the connection ends
/// with the tunnel.
///
/// A tunnel counts as one connection of its job (`worker.max_connections_per_job`). A proxy request that is
/// not answered within `tunnels.establish_timeout` is answered 504; Promise::onAbandoned tells of that.
///
/// [during start] @throws std::logic_error later than that, std::invalid_argument if any plugin has
/// registered for the same kind of requests.
class Tunnels {
public:
    static constexpr const char* extensionName = "tunnels";  ///< for Host::extension
    static constexpr std::uint32_t extensionVersion = 1;     ///< likewise

    virtual ~Tunnels() = default;

    /// Answers CONNECT.
    /// @param handler see ProxyHandler.
    /// @param run where the handler runs. With Run::loop that is the tunnel's own loop: a socket can be
    ///        watched there (ext/io.h), and one thread does it all.
    virtual void connect(ProxyHandler handler, Run run = Run::pool) = 0;

    /// Answers requests in absolute form, of all methods but CONNECT. While nobody does, they are taken as if
    /// they had come without scheme and authority.
    /// @param handler as above.
    /// @param run as above.
    virtual void forward(ProxyHandler handler, Run run = Run::pool) = 0;
};

}  // namespace sallyport
