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
    : loop_(loop), id_(id), connection_(connection), writer_(writer) {
    loop_.services().hub.joined();
}

EventSubscriber::~EventSubscriber() {
    loop_.fanout().detach(id_);
    loop_.services().hub.left();
}

void EventSubscriber::begin(const std::string& plugin, Subscription subscription) {
    loop_.fanout().attach(id_, *this, plugin, std::move(subscription), loop_.services().hub.last());
}

bool EventSubscriber::send(std::string_view text) {
    // One event may be larger than the buffer: a client that has taken all before it gets it nevertheless.
    if (!writer_.hasRoom(text.size(), loop_.services().limits.subscriberBuffer)) {
        cutOff();
        return false;
    }
    writer_.write(text);
    return connection_.flushEvents();
}

void EventSubscriber::cutOff() {
    loop_.postTo(id_, [](Connection& connection) { connection.close(); });
}

bool EventSubscriber::beat() {
    if (backlog() > 0 && ++stalledBeats_ > patience)
        return false;
    if (send(": heartbeat\n\n"))
        loop_.fanout().drained(id_);
    return true;
}

}  // namespace sallyport::host::http
