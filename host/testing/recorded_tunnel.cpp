#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <future>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <sallyport/testing/recorded_tunnel.h>

#include "host/entry/rules.h"
#include "host/entry/waiting.h"
#include "host/testing/on_loop.h"

namespace sallyport::testing {

namespace {

/// Bytes of one Tunnel::onData.
constexpr std::size_t piece = std::size_t{64} * 1024;
constexpr std::chrono::seconds patience{10};

}  // namespace

/// What the plugin is given. Its state is changed on the loop's thread alone, and read by tests on theirs.
class RecordedTunnel::Peer final : public TunnelPeer, public std::enable_shared_from_this<Peer> {
public:
    Peer(std::shared_ptr<IoLoop> loop, std::shared_ptr<Tunnel> tunnel)
        : loop_(std::move(loop)), tunnel_(std::move(tunnel)) {}

    bool send(std::string_view bytes) override {
        host::entry::requireLoop(loop_->isCurrent(), "TunnelPeer::send");
        const std::lock_guard lock(mutex_);
        if (!tunnel_ || finished_ || wish_) {
            return false;
        }
        if (kept_.size() + bytes.size() > 2 * buffer) {
            want(TunnelEnd::overrun);
            return false;
        }
        (stalled_ ? kept_ : received_).append(bytes);
        changed_.notify_all();
        full_ = kept_.size() >= buffer;
        return !full_;
    }
    [[nodiscard]] std::size_t room() const override {
        host::entry::requireLoop(loop_->isCurrent(), "TunnelPeer::room");
        const std::lock_guard lock(mutex_);
        return !tunnel_ || finished_ || wish_ ? 0 : buffer - std::min(buffer, kept_.size());
    }
    void pauseReading() override {
        host::entry::requireLoop(loop_->isCurrent(), "TunnelPeer::pauseReading");
        paused_ = true;
    }
    void resumeReading() override {
        host::entry::requireLoop(loop_->isCurrent(), "TunnelPeer::resumeReading");
        if (std::exchange(paused_, false)) {
            serveSoon();
        }
    }
    void finish() override {
        host::entry::requireLoop(loop_->isCurrent(), "TunnelPeer::finish");
        const std::lock_guard lock(mutex_);
        finished_ = true;
        serveSoon();
    }
    void close() override {
        host::entry::requireLoop(loop_->isCurrent(), "TunnelPeer::close");
        const std::lock_guard lock(mutex_);
        received_ += std::exchange(kept_, {});
        want(TunnelEnd::closed);
    }
    void abort() override {
        host::entry::requireLoop(loop_->isCurrent(), "TunnelPeer::abort");
        const std::lock_guard lock(mutex_);
        kept_.clear();
        want(TunnelEnd::closed);
    }

    // What the test does, on the loop's thread.

    void open() {
        enter([this] { tunnel_->onOpened(shared_from_this()); });
    }
    void fromClient(std::string_view bytes) {
        {
            const std::lock_guard lock(mutex_);
            input_ += bytes;
        }
        serve();
    }
    void clientFinished() {
        clientFinished_ = true;
        serve();
    }
    void stall() { stalled_ = true; }
    void drain() {
        bool tell = false;
        {
            const std::lock_guard lock(mutex_);
            stalled_ = false;
            received_ += std::exchange(kept_, {});
            tell = std::exchange(full_, false) && !finished_;
            changed_.notify_all();
        }
        if (tell && tunnel_) {
            enter([this] { tunnel_->onWritable(); });
        }
        serve();
    }
    void announceStop() {
        if (tunnel_) {
            enter([this] { tunnel_->onDrain(); });
        }
    }
    void end(TunnelEnd reason) {
        std::shared_ptr<Tunnel> tunnel;
        {
            const std::lock_guard lock(mutex_);
            tunnel.swap(tunnel_);
        }
        if (!tunnel) {
            return;
        }
        const auto tell = [&] {
            const std::lock_guard lock(mutex_);
            ended_ = reason;
            changed_.notify_all();
        };
        try {
            tunnel->onClosed(reason);
        } catch (...) {
            tell();
            throw;
        }
        tunnel.reset();
        tell();
    }

    /// Does what there is to do, as the daemon does in a connection's turn.
    void serve() {
        while (tunnel_) {
            if (wish_) {
                end(*wish_);
            } else if (finished_ && inputEnded_ && pending() == 0) {
                end(TunnelEnd::finished);
            } else if (paused_ || inputEnded_) {
                return;
            } else if (!input_.empty()) {
                const auto bytes = input_.substr(0, piece);
                {
                    const std::lock_guard lock(mutex_);
                    input_.erase(0, bytes.size());
                }
                enter([&] { tunnel_->onData(bytes); });
            } else if (clientFinished_) {
                inputEnded_ = true;
                enter([this] { tunnel_->onPeerFinished(); });
            } else {
                return;
            }
        }
    }

    // What the test asks.

    template <class F>
    [[nodiscard]] auto look(F function) const {
        const std::lock_guard lock(mutex_);
        return function(*this);
    }
    [[nodiscard]] std::size_t pending() const {
        return look([](const Peer& peer) { return peer.kept_.size(); });
    }
    template <class F>
    void await(const char* what, F reached) const {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [&] { return reached(*this); })) {
            throw std::runtime_error(std::string(what) + " did not come; received so far: " + received_);
        }
    }

private:
    friend class RecordedTunnel;

    /// Called with the lock held.
    void want(TunnelEnd reason) {
        wish_ = wish_.value_or(reason);
        serveSoon();
    }
    void serveSoon() {
        loop_->post([self = shared_from_this()] {
            try {
                self->serve();
            } catch (...) {
                // It has ended the tunnel, which the test sees.
            }
        });
    }
    template <class F>
    void enter(F function) {
        const host::entry::Waiting onTheLoop(host::entry::Waiting::Rule::forbidden);
        try {
            function();
        } catch (...) {
            end(TunnelEnd::failed);
            throw;
        }
    }

    const std::shared_ptr<IoLoop> loop_;
    bool paused_ = false;          ///< the loop's
    bool clientFinished_ = false;  ///< likewise
    bool inputEnded_ = false;      ///< likewise

    mutable std::mutex mutex_;  ///< guards what follows, which only the loop's thread changes
    mutable std::condition_variable changed_;
    std::shared_ptr<Tunnel> tunnel_;  ///< null once it is over
    std::string input_;
    std::string received_;
    std::string kept_;
    bool stalled_ = false;
    bool full_ = false;
    bool finished_ = false;
    std::optional<TunnelEnd> wish_;
    std::optional<TunnelEnd> ended_;
};

RecordedTunnel::RecordedTunnel(std::shared_ptr<IoLoop> loop, std::shared_ptr<Tunnel> tunnel)
    : loop_(std::move(loop)), peer_(std::make_shared<Peer>(loop_, std::move(tunnel))) {
    onLoop(*loop_, [this] {
        peer_->open();
        peer_->serve();
    });
}

RecordedTunnel::~RecordedTunnel() {
    try {
        hangUp();
    } catch (const std::exception&) {
        // There is no test any more that could be told.
    }
}

void RecordedTunnel::send(std::string_view bytes) {
    onLoop(*loop_, [&] { peer_->fromClient(bytes); });
}

void RecordedTunnel::finishSending() {
    onLoop(*loop_, [this] { peer_->clientFinished(); });
}

void RecordedTunnel::stall() {
    onLoop(*loop_, [this] {
        const std::lock_guard lock(peer_->mutex_);
        peer_->stall();
    });
}

void RecordedTunnel::drain() {
    onLoop(*loop_, [this] { peer_->drain(); });
}

void RecordedTunnel::announceStop() {
    onLoop(*loop_, [this] {
        peer_->announceStop();
        peer_->serve();
    });
}

void RecordedTunnel::hangUp(TunnelEnd end) {
    onLoop(*loop_, [this, end] { peer_->end(end); });
}

std::string RecordedTunnel::received() const {
    return peer_->look([](const Peer& peer) { return peer.received_; });
}

std::size_t RecordedTunnel::pending() const {
    return peer_->pending();
}

std::size_t RecordedTunnel::unread() const {
    return peer_->look([](const Peer& peer) { return peer.input_.size(); });
}

bool RecordedTunnel::finished() const {
    return peer_->look([](const Peer& peer) { return peer.finished_; });
}

std::optional<TunnelEnd> RecordedTunnel::ended() const {
    return peer_->look([](const Peer& peer) { return peer.ended_; });
}

void RecordedTunnel::awaitReceived(std::size_t bytes) const {
    peer_->await("what the plugin should send",
                 [bytes](const Peer& peer) { return peer.received_.size() >= bytes; });
}

void RecordedTunnel::awaitEnd() const {
    peer_->await("the end of the tunnel", [](const Peer& peer) { return peer.ended_.has_value(); });
}

}  // namespace sallyport::testing
