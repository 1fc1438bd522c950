// One connection: requests in, replies out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sallyport/ext/tunnels.h>
#include <sallyport/reply.h>

#include "host/http/body_pace.h"
#include "host/http/door.h"
#include "host/http/event_loop.h"
#include "host/http/event_subscriber.h"
#include "host/http/exchange.h"
#include "host/http/request_reader.h"
#include "host/http/response_writer.h"
#include "host/http/transport.h"

namespace sallyport::host::http {

class ConnectionStream;
class TunnelSession;

/// Ties a transport, a reader, the exchange under way and a writer together, and keeps the deadline that is
/// due. What happens when is in README.md, with a picture of the states. [loop thread]
class Connection {
public:
    Connection(EventLoop& loop, EventLoop::ConnectionId id, std::unique_ptr<Transport> transport,
               std::unique_ptr<Door::Place> place, const Door& door);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// What epoll reported.
    void onEvents(std::uint32_t events);
    /// The deadline has passed.
    void onDeadline();
    [[nodiscard]] EventLoop::Clock::time_point deadline() const noexcept { return deadline_; }
    [[nodiscard]] EventLoop::ConnectionId id() const noexcept { return id_; }
    /// On whose account it has its turns.
    [[nodiscard]] Account account() const noexcept { return place_->account(); }

    // For exchanges, by number; what comes for one that has ended is passed over.

    /// The reply that it was waiting for. @return false, the reply untouched, when it waits no more.
    bool complete(std::uint64_t exchange, Reply& reply);
    /// The topic that it is parked on was woken.
    void retry(std::uint64_t exchange);
    /// What it waited for before its handler's turn has come, or failed.
    void resume(std::uint64_t exchange, const std::exception_ptr& error);

    // For ConnectionStream.
    void streamWrite(std::uint64_t exchange, std::string bytes);
    void streamEnd(std::uint64_t exchange, bool whole);

    // For TunnelSession, whose plugin may be on the stack: what can end the connection is done later.

    void sendTunnelled(std::string_view bytes);
    /// Has it look at what the tunnel wants, soon.
    void serveSoon() { giveWay(); }
    /// Bytes that the network has not taken.
    [[nodiscard]] std::size_t backlog() const noexcept { return writer_.backlog(); }

    // For the loop.

    /// Its turn has come again, after it gave way to others.
    void goOn();
    /// Its place at the door is needed for another.
    void giveUpPlace();
    /// Ends what the exchange holds open, if its token has been revoked.
    /// @param job whose token that was; nothing for an operator's.
    void endRevoked(const std::optional<JobId>& job);
    void endWait(const Gate& gate);
    void drain();
    void close() noexcept;
    /// Keeps the connection that was closed before this one, until both are destroyed.
    void retiredAfter(std::unique_ptr<Connection> other) noexcept { retiredBefore_ = std::move(other); }
    [[nodiscard]] std::unique_ptr<Connection> takeRetiredBefore() noexcept {
        return std::move(retiredBefore_);
    }

    // For EventSubscriber.

    /// Hands what it queued to the network. @return false when that failed.
    [[nodiscard]] bool flushEvents();

private:
    static constexpr auto never = EventLoop::Clock::time_point::max();

    enum class State {
        receiving,   ///< the reader's stage says what
        working,     ///< the exchange has the request
        streaming,   ///< a producer writes the body
        subscribed,  ///< the fan-out writes events
        tunnelling,  ///< a plugin has both directions
        finishing,   ///< the answer is complete and going out
        lingering,   ///< our side is shut; reading until the peer has seen the answer
        closed,
    };

    // Input.
    void turn();
    void giveWay();
    void peerEnded(bool gone);
    void probeLater();
    void probePeer();
    [[nodiscard]] bool readOn();
    [[nodiscard]] bool receive();
    [[nodiscard]] bool discardInput();
    [[nodiscard]] std::span<char> readSome(std::size_t most);
    void beginExchange();
    void judgeBody();
    [[nodiscard]] bool isIdle() const;
    void drainIdle();

    // Replies.
    [[nodiscard]] bool isCurrent(std::uint64_t exchange) const {
        return exchange_ && exchange_->number() == exchange;
    }
    /// Whether an answer goes out that has no end yet.
    [[nodiscard]] bool isHeldOpen() const noexcept {
        return state_ == State::streaming || state_ == State::subscribed || state_ == State::tunnelling;
    }
    void settle(std::optional<Reply> reply);
    void answer(Reply reply);
    void refuseAndClose(const RequestError& error);
    void sendWhole(Reply reply);
    void sendHead(const Reply& reply, std::string_view contentType, ResponseFraming framing,
                  std::size_t length);
    [[nodiscard]] ResponseFraming openFraming() const;
    void startStream(Reply reply);
    void subscribe(Reply reply);
    void finishBody();

    // Tunnels.
    void startTunnel(Reply reply);
    void beginTunnel(const Reply& reply, std::string_view protocol);
    [[nodiscard]] bool tunnelOn();
    [[nodiscard]] bool handOver(TunnelSession& session);
    void writeTunnel();
    [[nodiscard]] bool flushTunnel();
    void judgeTunnel();
    void leaveTunnel(TunnelEnd reason);
    void cutTunnel(TunnelEnd reason) noexcept;
    void endTunnel(TunnelEnd reason) noexcept;

    // Output, and what comes after it.
    void writeOn();
    void flush();
    void written();
    void finishExchange();
    void endExchange();
    void nextRequest();
    void shutDownSending();
    void lingeringClose();
    void setDeadline(std::chrono::milliseconds delay) { setDeadline(loop_.now() + delay); }
    void setDeadline(EventLoop::Clock::time_point deadline);
    void awaitRequest(std::chrono::milliseconds patience);

    EventLoop& loop_;
    const EventLoop::ConnectionId id_;
    const std::unique_ptr<Transport> transport_;
    const std::unique_ptr<Door::Place> place_;
    const Door& door_;
    State state_ = State::receiving;
    EventLoop::Clock::time_point deadline_;
    EventLoop::Clock::time_point anonymousUntil_;  ///< while nobody has said who it is
    BodyPace pace_;                                ///< of the body that is being read
    bool readable_ = true;                         ///< there may be something to read
    bool peerShut_ = false;                        ///< the peer has shut down its sending side, or gone
    bool inputEnded_ = false;                      ///< the same, and all that it sent has been read
    bool shut_ = false;                            ///< our sending side is shut
    bool gaveWay_ = false;                         ///< the loop will have it go on
    std::size_t share_ = 0;                        ///< bytes that it may still read in this turn
    std::size_t discarded_ = 0;                    ///< bytes, while lingering
    std::uint64_t exchanges_ = 0;
    RequestReader reader_;
    ResponseWriter writer_;
    std::unique_ptr<Exchange> exchange_;
    std::shared_ptr<ConnectionStream> stream_;     ///< while streaming
    std::unique_ptr<EventSubscriber> subscriber_;  ///< while subscribed
    std::shared_ptr<TunnelSession> tunnel_;        ///< while tunnelling
    EventLoop::Clock::time_point lastMoved_;       ///< when a tunnel's last byte went through
    EventLoop::Clock::time_point tunnelUntil_;     ///< when it has been open for too long
    std::unique_ptr<Connection> retiredBefore_;
};

}  // namespace sallyport::host::http
