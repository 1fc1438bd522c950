// The client of a tunnel, as a test plays it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/ext/io.h>
#include <sallyport/ext/tunnels.h>

namespace sallyport::testing {

/// A client whose connection a plugin has taken over: see Answer::open. It plays both the client and what the
/// daemon does for the connection. The plugin's tunnel is called on the thread of the loop that the extension
/// `io` has, as with the daemon; each function here returns when that is done, and what the plugin throws
/// ends the tunnel with TunnelEnd::failed and goes on to the test. At first the client reads everything at
/// once. [any thread]
class RecordedTunnel {
public:
    /// `tunnels.buffer`, as it is by default.
    static constexpr std::size_t buffer = std::size_t{64} * 1024;

    /// Opens the tunnel.
    /// @param loop   on whose thread it is.
    /// @param tunnel the plugin's end.
    RecordedTunnel(std::shared_ptr<IoLoop> loop, std::shared_ptr<Tunnel> tunnel);
    /// Ends it, if it is not over, as a client that goes away does.
    ~RecordedTunnel();
    RecordedTunnel(const RecordedTunnel&) = delete;
    RecordedTunnel& operator=(const RecordedTunnel&) = delete;

    /// Sends bytes. While the plugin has paused reading they wait.
    void send(std::string_view bytes);
    /// Sends nothing more, but still reads.
    void finishSending();
    /// Reads no more: what the plugin sends from now on is kept for the client.
    void stall();
    /// Reads what was kept, and goes on reading.
    void drain();
    /// The daemon is about to stop: Tunnel::onDrain.
    void announceStop();
    /// Ends the tunnel. @param end as the daemon would tell it.
    void hangUp(TunnelEnd end = TunnelEnd::lost);

    /// All that the client has read.
    [[nodiscard]] std::string received() const;
    /// Bytes that the plugin has sent and the client has not read.
    [[nodiscard]] std::size_t pending() const;
    /// Bytes that the client has sent and the plugin does not want yet.
    [[nodiscard]] std::size_t unread() const;
    /// Whether the plugin has said that it sends no more.
    [[nodiscard]] bool finished() const;
    /// How the tunnel ended; nothing while it is open.
    [[nodiscard]] std::optional<TunnelEnd> ended() const;

    /// Returns when the client has read that much. @throws std::runtime_error after ten seconds
    void awaitReceived(std::size_t bytes) const;
    /// Returns when the tunnel is over. @throws std::runtime_error after ten seconds
    void awaitEnd() const;

private:
    class Peer;

    const std::shared_ptr<IoLoop> loop_;
    const std::shared_ptr<Peer> peer_;
};

}  // namespace sallyport::testing
