#include "host/http/event_subscriber.h"

#include <utility>

#include "host/http/connection.h"

namespace sallyport::host::http {

namespace {

/// Heartbeats that may be due with the network taking too little.
constexpr int patience = 3;

}  // namespace

EventSubscriber::EventSubscriber(EventLoop& loop, EventLoop::ConnectionId id, Connection& connection,
                                 ResponseWriter& writer)
    : loop_(loop), id_(id), connection_(connection), writer_(writer) {}

EventSubscriber::~EventSubscriber() {
    loop_.fanout().detach(id_);
    loop_.services().hub.left(user_);
}

void EventSubscriber::begin(const std::string& plugin, Subscription subscription) {
    auto& hub = loop_.services().hub;
    user_ = subscription.user;
    hub.joined(user_);
    loop_.fanout().attach(id_, *this, plugin, std::move(subscription), hub.last());
}

bool EventSubscriber::send(const bus::FramePtr& frame) {
    const auto& text = frame->text;
    if (text.size() <= bus::FrameMemory::copied) {
        return send(std::string_view(text));
    }
    return queue(text.size(), [&] { writer_.writeShared(ResponseWriter::Shared(frame, &text)); });
}

bool EventSubscriber::send(std::string_view text) {
    return queue(text.size(), [&] { writer_.write(text); });
}

template <class Write>
bool EventSubscriber::queue(std::size_t size, Write write) {
    // One event may be larger than the buffer: a client that has taken all before it gets it nevertheless.
    if (!writer_.hasRoom(size, loop_.services().limits.subscriberBuffer)) {
        cutOff();
        return false;
    }
    // With something left from before, the network takes no more until it says so.
    const bool blocked = backlog() > 0;
    write();
    return blocked || connection_.flushEvents();
}

void EventSubscriber::cutOff() {
    loop_.postAtOnce(id_, [](Connection& connection) { connection.close(); });
}

bool EventSubscriber::beat() {
    if (backlog() > 0 && ++stalledBeats_ > patience) {
        return false;
    }
    if (send(": heartbeat\n\n")) {
        loop_.fanout().drained(id_);
    }
    return true;
}

}  // namespace sallyport::host::http
