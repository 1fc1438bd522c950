// One connection: requests in, replies out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <Poco/Net/StreamSocket.h>

#include "host/bus/fanout.h"
#include "host/http/event_loop.h"
#include "host/http/exchange.h"
#include "host/http/response.h"

namespace sallyport::host::http {

class ConnectionStream;

/// Reads one request at a time within limits and deadlines, has it authenticated, routed and handled, and
/// writes the answer or keeps the connection for whoever waits. [loop thread]
class Connection final : public bus::Subscriber {
public:
    Connection(EventLoop& loop, EventLoop::ConnectionId id, std::unique_ptr<Poco::Net::StreamSocket> socket,
               Door& door);
    ~Connection() override;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// What epoll reported.
    void onEvents(std::uint32_t events);
    /// The deadline has passed.
    void onDeadline();
    [[nodiscard]] EventLoop::Clock::time_point deadline() const noexcept { return deadline_; }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

    /// The reply that exchange `exchange` was waiting for.
    /// @return false, the reply untouched, when that has ended.
    bool complete(std::uint64_t exchange, Reply& reply);
    /// The topic that exchange `exchange` is parked on was woken.
    void retry(std::uint64_t exchange);
    /// Goes on with exchange `exchange`, which waited for its job to start or its plugin to be reloaded.
    void resume(std::uint64_t exchange, const std::exception_ptr& error);
    /// Goes on reading, for a connection that gave way to others.
    void pump();

    void revoked(const JobId& job);
    void endWait(const Gate& gate);
    void drain();
    void close();

    // For ConnectionStream.
    void streamWrite(std::uint64_t exchange, std::string_view bytes);
    void streamEnd(std::uint64_t exchange, bool whole);

    // As a subscriber to events.
    bool send(std::string_view text) override;
    [[nodiscard]] std::size_t backlog() const override { return out_.size() - sent_; }
    void cutOff() override;

private:
    enum class State {
        head,        ///< reading a request head, or idle before one
        body,        ///< reading a body
        busy,        ///< a handler, or what it waits for, has the request
        parked,      ///< waiting for a topic
        streaming,   ///< a producer writes the body
        subscribed,  ///< the fan-out writes events
        writing,     ///< a complete answer is going out
        draining,    ///< reading what is left of a refused body
        lingering,   ///< our side is shut; reading until the peer has seen the answer
        closed,
    };

    // Input.
    void read();
    void consume(std::string_view input);
    std::size_t feed(std::string_view input);
    std::size_t feedHead(std::string_view input);
    std::size_t feedBody(std::string_view input);
    std::size_t feedDrain(std::string_view input);
    [[nodiscard]] bool wantsInput() const;
    [[nodiscard]] bool peerHasClosed() const;

    // A request's way.
    void begin(RequestHead head);
    void enterRealm(std::string_view path);
    bool authenticate(std::string_view path, std::string_view prefix);
    bool route();
    bool admitBody();
    bool growBody();
    void dispatch();
    void enterHandler();
    void runHandler();
    void handle(Reply reply);
    void defer(const std::function<void(Promise)>& start);
    [[nodiscard]] bool awaitsWatched() const;
    void park(Reply::Parked parked);
    void unpark();
    void answerParked(Reply reply);
    void startStream(Reply reply);
    void subscribe(Reply reply);

    // Output.
    void refuse(const RequestError& error);
    void refuseHead(const HeadError& error);
    void refuseAndClose(const RequestError& error);
    void sendWhole(Reply reply);
    void sendHead(const Reply& reply, std::string_view contentType, ResponseFraming framing,
                  std::size_t length);
    [[nodiscard]] ResponseFraming openFraming() const;
    void appendBody(std::string_view bytes);
    void finishBody();
    void flush();
    void clearOutput();
    void written();
    void finishExchange();
    void reportDelivery(bool whole);
    Exchange& newExchange();
    void endExchange();
    void nextRequest();
    void lingeringClose();
    void setDeadline(std::chrono::milliseconds delay);
    void beat();
    void logRequest(LogLevel level) const;
    [[nodiscard]] bool isCurrent(std::uint64_t exchange) const {
        return exchange_ && exchange_->id == exchange;
    }

    EventLoop& loop_;
    const EventLoop::ConnectionId id_;
    std::unique_ptr<Poco::Net::StreamSocket> socket_;
    const int descriptor_;
    Door& door_;
    State state_ = State::head;
    EventLoop::Clock::time_point deadline_;
    bool readable_ = true;
    bool peerShut_ = false;
    bool feeding_ = false;
    bool headBegun_ = false;
    bool holdsSecrets_ = false;   ///< a route was for secrets: buffers are overwritten once they are used
    bool endAfterWrite_ = false;  ///< of a stream or subscription: the body is complete
    int stalledBeats_ = 0;        ///< heartbeats due since the network last took everything
    std::size_t discarded_ = 0;
    std::string in_;   ///< received and not yet used
    std::string out_;  ///< to be sent
    std::size_t sent_ = 0;
    std::uint64_t exchanges_ = 0;
    std::unique_ptr<Exchange> exchange_;
    std::shared_ptr<ConnectionStream> stream_;
};

}  // namespace sallyport::host::http
