#include "host/http/tunnel_session.h"

#include <utility>

#include "host/entry/rules.h"
#include "host/http/connection.h"

namespace sallyport::host::http {

TunnelSession::TunnelSession(EventLoop& loop, Connection& connection, std::shared_ptr<HostCall> call,
                             std::shared_ptr<Tunnel> tunnel, const RequestMetrics::Tunnels& counted,
                             std::size_t buffer)
    : loop_(loop),
      connection_(&connection),
      call_(std::move(call)),
      gate_(call_->route().gate),
      origin_(call_->origin()),
      tunnel_(std::move(tunnel)),
      counted_(counted),
      buffer_(buffer) {}

TunnelSession::~TunnelSession() {
    entry::destroy(gate_->owner(), "destructor of a tunnel", tunnel_);
}

/// Runs a function of the plugin's, after which the connection looks at what it wants.
template <class F>
void TunnelSession::enter(const char* callback, F function) {
    if (!wish_ && !entry::guarded(gate_->owner(), callback, origin_, function)) {
        want(TunnelEnd::failed, true);
    }
}

void TunnelSession::want(TunnelEnd reason, bool cut) {
    if (connection_ == nullptr || (wish_ && wish_->cut)) {
        return;
    }
    wish_ = {wish_ ? wish_->reason : reason, cut};
    connection_->serveSoon();
}

// For the plugin

bool TunnelSession::send(std::string_view bytes) {
    entry::requireLoop(loop_.isCurrent(), "TunnelPeer::send");
    if (connection_ == nullptr || finished_ || wish_) {
        return false;
    }
    if (connection_->backlog() + bytes.size() > 2 * buffer_) {
        want(TunnelEnd::overrun, true);
        return false;
    }
    counted_.sent->add(bytes.size());
    connection_->sendTunnelled(bytes);
    full_ = connection_->backlog() >= buffer_;
    return !full_;
}

std::size_t TunnelSession::room() const {
    entry::requireLoop(loop_.isCurrent(), "TunnelPeer::room");
    if (connection_ == nullptr || finished_ || wish_) {
        return 0;
    }
    const auto backlog = connection_->backlog();
    return backlog < buffer_ ? buffer_ - backlog : 0;
}

void TunnelSession::pauseReading() {
    entry::requireLoop(loop_.isCurrent(), "TunnelPeer::pauseReading");
    paused_ = true;
}

void TunnelSession::resumeReading() {
    entry::requireLoop(loop_.isCurrent(), "TunnelPeer::resumeReading");
    if (std::exchange(paused_, false) && connection_ != nullptr) {
        connection_->serveSoon();
    }
}

void TunnelSession::finish() {
    entry::requireLoop(loop_.isCurrent(), "TunnelPeer::finish");
    if (connection_ != nullptr && !std::exchange(finished_, true)) {
        connection_->serveSoon();
    }
}

void TunnelSession::close() {
    entry::requireLoop(loop_.isCurrent(), "TunnelPeer::close");
    want(TunnelEnd::closed, false);
}

void TunnelSession::abort() {
    entry::requireLoop(loop_.isCurrent(), "TunnelPeer::abort");
    want(TunnelEnd::closed, true);
}

// For the connection

void TunnelSession::open(std::shared_ptr<TunnelSession> self) {
    opened_ = true;
    counted_.open->add(1);
    enter("Tunnel::onOpened", [&] { tunnel_->onOpened(std::move(self)); });
}

void TunnelSession::data(std::string_view bytes) {
    counted_.received->add(bytes.size());
    enter("Tunnel::onData", [&] { tunnel_->onData(bytes); });
}

void TunnelSession::inputEnded() {
    inputEnded_ = true;
    enter("Tunnel::onPeerFinished", [this] { tunnel_->onPeerFinished(); });
}

void TunnelSession::taken(std::size_t backlog) {
    if (full_ && backlog <= buffer_ / 2) {
        full_ = false;
        if (!finished_) {
            enter("Tunnel::onWritable", [this] { tunnel_->onWritable(); });
        }
    }
}

void TunnelSession::drain() {
    enter("Tunnel::onDrain", [this] { tunnel_->onDrain(); });
}

void TunnelSession::end(TunnelEnd reason) noexcept {
    connection_ = nullptr;
    if (opened_) {
        counted_.open->add(-1);
        entry::guarded(gate_->owner(), "Tunnel::onClosed", origin_, [&] { tunnel_->onClosed(reason); });
    }
    entry::destroy(gate_->owner(), "destructor of a tunnel", tunnel_);
    call_.reset();
}

}  // namespace sallyport::host::http
