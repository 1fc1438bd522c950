// A connection that a plugin has taken over.
#include <algorithm>
#include <utility>

#include "host/http/connection.h"
#include "host/http/tunnel_session.h"

namespace sallyport::host::http {

void Connection::startTunnel(Reply reply) {
    auto& tunnelled = std::get<Reply::Tunnelled>(reply.content());
    const auto& limits = loop_.services().limits;
    const auto call = exchange_->call();
    exchange_->closeAfterwards();
    beginTunnel(reply, tunnelled.protocol);
    call->linger();
    tunnel_ = std::make_shared<TunnelSession>(loop_, *this, call, std::move(tunnelled.tunnel),
                                              loop_.services().metrics.tunnels(door_.options().realm),
                                              limits.tunnelBuffer);
    state_ = State::tunnelling;
    lastMoved_ = loop_.now();
    tunnelUntil_ = limits.tunnelLifetime.count() > 0 ? lastMoved_ + limits.tunnelLifetime : never;
    judgeTunnel();
    writeTunnel();
    // Unless that has found the client gone.
    if (const auto session = tunnel_) {
        session->open(session);
    }
}

/// Answers, and leaves what follows to the tunnel: behind a request in absolute form its content and nothing
/// else, for what could come after that has not been asked for.
void Connection::beginTunnel(const Reply& reply, std::string_view protocol) {
    const auto& request = exchange_->head();
    if (exchange_->isProxied() && !request.asksForTunnel()) {
        reader_.handOverContent(request);
    } else {
        reader_.handOver();
        ResponseHead head;
        head.status = reply.status();
        head.headers = &reply.headers();
        head.framing = ResponseFraming::untilClose;
        head.requestId = exchange_->requestId();
        head.dateHeader = loop_.dateHeader();
        head.upgrade = protocol;
        writer_.begin(head, false);
    }
    writer_.beginRaw();
    exchange_->answered(reply.status());
}

/// @return false when there is nothing to be done for the tunnel for now.
bool Connection::tunnelOn() {
    const auto session = tunnel_;
    if (const auto& wish = session->wish()) {
        if (wish->cut) {
            cutTunnel(wish->reason);
        } else {
            leaveTunnel(wish->reason);
        }
        return false;
    }
    if (session->hasFinished() && writer_.backlog() == 0) {
        shutDownSending();
        if (session->hasInputEnded()) {
            leaveTunnel(TunnelEnd::finished);
            return false;
        }
    }
    return session->reads() && handOver(*session);
}

/// Hands on what has come. @return false when there is nothing.
bool Connection::handOver(TunnelSession& session) {
    const auto piece = reader_.takePiece();
    if (piece.malformed) {
        cutTunnel(TunnelEnd::lost);
        return false;
    }
    if (!piece.bytes.empty()) {
        lastMoved_ = loop_.now();
        session.data(piece.bytes);
        return true;
    }
    if (piece.whole) {
        // What came behind the content.
        reader_.discard();
        session.inputEnded();
        return true;
    }
    if (receive()) {
        return true;
    }
    if (state_ != State::tunnelling || !inputEnded_) {
        return false;
    }
    if (reader_.bodyPending()) {
        cutTunnel(TunnelEnd::lost);
        return false;
    }
    session.inputEnded();
    return true;
}

void Connection::sendTunnelled(std::string_view bytes) {
    const bool blocked = writer_.backlog() > 0;
    writer_.write(bytes);
    // With something left from before, the network takes no more until it says so.
    if (!blocked && !flushTunnel()) {
        // The plugin is on the stack.
        loop_.postAtOnce(id_, [](Connection& connection) { connection.close(); });
    }
}

void Connection::writeTunnel() {
    if (!flushTunnel()) {
        close();
        return;
    }
    if (const auto session = tunnel_) {
        session->taken(writer_.backlog());
    }
}

/// @return false when the connection is of no use any more.
bool Connection::flushTunnel() {
    const auto outcome = writer_.flush();
    if (writer_.progressed()) {
        lastMoved_ = loop_.now();
    }
    if (outcome == ResponseWriter::Outcome::paused) {
        giveWay();
    }
    return outcome != ResponseWriter::Outcome::failed;
}

void Connection::judgeTunnel() {
    const auto idleUntil = lastMoved_ + loop_.services().limits.tunnelIdleTimeout;
    if (loop_.now() >= tunnelUntil_) {
        cutTunnel(TunnelEnd::expired);
    } else if (loop_.now() >= idleUntil) {
        cutTunnel(TunnelEnd::idle);
    } else {
        setDeadline(std::min(tunnelUntil_, idleUntil));
    }
}

/// The client gets what is left for it.
void Connection::leaveTunnel(TunnelEnd reason) {
    endTunnel(reason);
    state_ = State::finishing;
    setDeadline(loop_.services().limits.writeTimeout);
    flush();
}

void Connection::cutTunnel(TunnelEnd reason) noexcept {
    endTunnel(reason);
    close();
}

void Connection::endTunnel(TunnelEnd reason) noexcept {
    if (const auto session = std::exchange(tunnel_, nullptr)) {
        session->end(reason);
    }
}

}  // namespace sallyport::host::http
