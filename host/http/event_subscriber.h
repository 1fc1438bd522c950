// A connection that follows events.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <sallyport/events.h>

#include "host/bus/fanout.h"
#include "host/http/event_loop.h"
#include "host/http/response_writer.h"

namespace sallyport::host::http {

class Connection;

/// Makes a connection known to its loop's fan-out for as long as this lives, and queues what that sends
/// within the bound for one subscriber. The fan-out must not be walking over its subscribers when this goes
/// away, so a connection that fails under it is closed afterwards. [loop thread]
class EventSubscriber final : public bus::Subscriber {
public:
    /// @param connection and `writer` outlive this.
    EventSubscriber(EventLoop& loop, EventLoop::ConnectionId id, Connection& connection,
                    ResponseWriter& writer);
    ~EventSubscriber() override;
    EventSubscriber(const EventSubscriber&) = delete;
    EventSubscriber& operator=(const EventSubscriber&) = delete;

    /// Begins to send; once. @param plugin whose subscription it is.
    void begin(const std::string& plugin, Subscription subscription);

    bool send(const bus::FramePtr& frame) override;
    bool send(std::string_view text) override;
    [[nodiscard]] std::size_t backlog() const override { return writer_.backlog(); }
    void cutOff() override;

    /// The time for a heartbeat has come. @return false when the network has taken too little for too long.
    [[nodiscard]] bool beat();
    /// The network has taken everything.
    void drained() noexcept { stalledBeats_ = 0; }

private:
    template <class Write>
    bool queue(std::size_t size, Write write);

    EventLoop& loop_;
    const EventLoop::ConnectionId id_;
    Connection& connection_;
    ResponseWriter& writer_;
    std::string user_;      ///< whose events it follows
    int stalledBeats_ = 0;  ///< heartbeats due since the network last took everything
};

}  // namespace sallyport::host::http
