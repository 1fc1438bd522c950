// A connection's tunnel, between its client and the plugin that has taken it over.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include <sallyport/ext/tunnels.h>

#include "host/http/event_loop.h"
#include "host/http/host_call.h"
#include "host/http/request_metrics.h"

namespace sallyport::host::http {

class Connection;

/// Calls the plugin's tunnel, and is what that knows of the connection. What a plugin asks for is noted here
/// and done by the connection when no function of the plugin is on the stack: so neither finds the other
/// gone. After `end` the plugin may keep it for as long as it likes. [loop thread]
class TunnelSession final : public TunnelPeer {
public:
    /// @param connection until `end`. @param buffer bytes for the client, see Limits::tunnelBuffer.
    TunnelSession(EventLoop& loop, Connection& connection, std::shared_ptr<HostCall> call,
                  std::shared_ptr<Tunnel> tunnel, const RequestMetrics::Tunnels& counted, std::size_t buffer);
    /// Destroys the plugin's tunnel, if it was never opened.
    ~TunnelSession() override;
    TunnelSession(const TunnelSession&) = delete;
    TunnelSession& operator=(const TunnelSession&) = delete;

    // For the plugin.
    bool send(std::string_view bytes) override;
    [[nodiscard]] std::size_t room() const override;
    void pauseReading() override;
    void resumeReading() override;
    void finish() override;
    void close() override;
    void abort() override;

    // For the connection. Each calls a function of the plugin's.

    /// @param self what the plugin is given.
    void open(std::shared_ptr<TunnelSession> self);
    void data(std::string_view bytes);
    /// The client sends no more.
    void inputEnded();
    /// The network has taken something. @param backlog what it has not.
    void taken(std::size_t backlog);
    void drain();
    /// It is over, whatever the plugin wants. Once.
    void end(TunnelEnd reason) noexcept;

    // What the connection is to do.

    /// Whether to read from the client.
    [[nodiscard]] bool reads() const noexcept { return !paused_ && !inputEnded_ && !wish_; }
    [[nodiscard]] bool hasInputEnded() const noexcept { return inputEnded_; }
    /// Whether nothing more will be sent to the client.
    [[nodiscard]] bool hasFinished() const noexcept { return finished_; }

    /// How the tunnel is to end now, because of what the plugin has done.
    struct Wish {
        TunnelEnd reason = TunnelEnd::closed;
        bool cut = false;  ///< without sending what is left
    };
    [[nodiscard]] const std::optional<Wish>& wish() const noexcept { return wish_; }

private:
    void want(TunnelEnd reason, bool cut);
    template <class F>
    void enter(const char* callback, F function);

    EventLoop& loop_;
    Connection* connection_;  ///< null once it is over
    std::shared_ptr<HostCall> call_;
    const std::shared_ptr<Gate> gate_;
    const entry::Origin origin_;
    std::shared_ptr<Tunnel> tunnel_;
    const RequestMetrics::Tunnels& counted_;
    const std::size_t buffer_;
    bool opened_ = false;
    bool paused_ = false;
    bool full_ = false;  ///< the plugin has been told to stop, and not been told to go on
    bool finished_ = false;
    bool inputEnded_ = false;
    std::optional<Wish> wish_;
};

}  // namespace sallyport::host::http
