// One request on its way through the host.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <sallyport/log.h>
#include <sallyport/reply.h>

#include "host/http/admission.h"
#include "host/http/event_loop.h"
#include "host/http/host_call.h"
#include "host/http/plugin_entry.h"
#include "host/http/request_head.h"
#include "host/http/request_reader.h"
#include "host/http/topics.h"

namespace sallyport::host::http {

/// A request's way through filter, router and handler to its reply, and what it holds until the last byte of
/// that is sent: the caller's identity, the call, the body's memory. It never blocks: where something must be
/// waited for (its job's start, its plugin's reload, a pool thread, a promise, a topic) it gives the loop
/// back and is called again through its connection, by its number. [loop thread]
///
/// What may bring the reply returns it: whole, streamed or subscribed; nothing means that the request waits.
class Exchange {
public:
    /// @param connection by which the loop finds it again. @param number unique on that connection.
    Exchange(EventLoop& loop, const Door& door, EventLoop::ConnectionId connection, std::uint64_t number);
    /// Tells whoever still works for it.
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    /// What the head alone decides. @param place the connection's, which is told who it is.
    /// @return the answer, or nothing: the body is to be read, up to `bodyLimit`, and then `dispatch`ed.
    [[nodiscard]] std::optional<Reply> admit(RequestHead head, const Transport& transport,
                                             Door::Place& place);
    /// Whether it came to a proxy, which gets the body as it comes.
    [[nodiscard]] bool isProxied() const noexcept { return proxy_.has_value(); }
    [[nodiscard]] std::uint64_t bodyLimit() const noexcept { return bodyLimit_; }
    /// What is to pay for the body.
    [[nodiscard]] BodyBudget::Share bodyShare() const;

    /// The body has been read.
    [[nodiscard]] std::optional<Reply> dispatch(ReceivedBody body);
    /// What it waited for before its handler's turn (its job's start, its plugin's reload) has come, or
    /// failed.
    [[nodiscard]] std::optional<Reply> resume(const std::exception_ptr& error);
    /// The handler, or the promise it made, has answered. To be asked for with `awaitsReply`.
    [[nodiscard]] std::optional<Reply> complete(Reply reply);
    /// The topic that it is parked on was woken.
    [[nodiscard]] std::optional<Reply> retry();
    /// The time of a parked request is over, or it shall wait no longer.
    [[nodiscard]] std::optional<Reply> giveUp();
    /// The time of a proxy to answer is over.
    [[nodiscard]] std::optional<Reply> expire();
    /// Its token has been revoked.
    [[nodiscard]] std::optional<Reply> revoke();

    /// Whether it waits for what must come before its handler's turn.
    [[nodiscard]] bool awaitsTurn() const noexcept { return state_ == State::waiting; }
    [[nodiscard]] bool awaitsReply() const noexcept { return state_ == State::running; }
    /// Whether it waits for nothing but a time, or a topic until then.
    [[nodiscard]] bool isParked() const noexcept { return state_ == State::parked || state_ == State::held; }
    /// Until when it is parked; for ever, if it is not.
    [[nodiscard]] EventLoop::Clock::time_point parkedUntil() const noexcept { return parkedUntil_; }
    /// Until when something must have come: the end of its being parked, or the answer of a proxy.
    [[nodiscard]] EventLoop::Clock::time_point waitsUntil() const noexcept {
        return std::min(parkedUntil_, answeredUntil_);
    }
    /// Whether nobody but its client wants the answer, and whoever makes it wants to hear that the client
    /// has gone.
    [[nodiscard]] bool isWatched() const;

    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] const RequestHead& head() const noexcept { return head_; }
    [[nodiscard]] const std::string& requestId() const noexcept { return requestId_; }
    /// Once a handler has it.
    [[nodiscard]] const std::shared_ptr<HostCall>& call() const noexcept { return call_; }
    /// Whether its token has been revoked since it was authenticated.
    [[nodiscard]] bool isRevoked() const { return identity().revoked(); }
    [[nodiscard]] bool uses(const Gate& gate) const { return call_ && call_->route().gate.get() == &gate; }
    /// Whether it came to a route for secrets.
    [[nodiscard]] bool isSecret() const noexcept { return secret_; }

    /// Whether the connection may be used for another request after this one.
    [[nodiscard]] bool keepsAlive() const noexcept { return keepAlive_; }
    void closeAfterwards() noexcept { keepAlive_ = false; }

    /// Its answer goes out with that status. Failures are logged now, before the client has it, so that
    /// whoever asks finds it in the log; the others when they are `finished`.
    void answered(int status);
    /// `delivered` is told by `finished`, or else when this goes away.
    void onDelivered(std::function<void(bool)> delivered) { delivered_ = std::move(delivered); }
    /// The last byte of the answer has been handed to the network.
    void finished();

private:
    enum class State {
        reading,  ///< the head has been admitted, or not yet
        held,     ///< until its job is within its rate again
        waiting,  ///< for what must come before the handler
        running,  ///< the handler has it, or the promise it made
        parked,   ///< until a topic is woken
        replied,
    };

    [[nodiscard]] const auth::Identity& identity() const noexcept { return who_.identity; }
    [[nodiscard]] std::optional<Reply> answerOutside() const;
    [[nodiscard]] std::variant<Authenticated, RequestError> authenticated(const Transport& transport) const;
    [[nodiscard]] std::optional<Reply> asset() const;
    [[nodiscard]] std::optional<Reply> reroute();
    [[nodiscard]] std::optional<Reply> pace();
    [[nodiscard]] std::optional<Reply> startJob();
    [[nodiscard]] std::optional<Reply> enterHandler();
    void makeCall(Gate::Ticket ticket);
    [[nodiscard]] std::optional<Reply> runHandler();
    [[nodiscard]] std::optional<Reply> handle(Reply reply);
    [[nodiscard]] std::optional<Reply> defer(const std::function<void(Promise)>& start);
    [[nodiscard]] std::optional<Reply> park(Reply::Parked parked);
    [[nodiscard]] std::optional<Reply> unpark(Reply reply);
    [[nodiscard]] Reply tunnel(Reply reply);
    [[nodiscard]] std::optional<RequestError> tunnelProblem(const Reply::Tunnelled& tunnelled) const;
    [[nodiscard]] static RequestError unauthorized(bool proxied);
    void abandon();
    void leaveTopic();
    [[nodiscard]] std::optional<Reply> refuse(const RequestError& error);
    void reportDelivered(bool whole);
    void log(LogLevel level) const;

    // The call comes first so that closures from the plugin, further down, are destroyed before what keeps
    // the plugin's code loaded.
    std::shared_ptr<HostCall> call_;  ///< null until the handler's turn
    EventLoop& loop_;
    const Door& door_;
    const EventLoop::ConnectionId connection_;
    const std::uint64_t number_;
    const std::string requestId_;
    const EventLoop::Clock::time_point began_;
    State state_ = State::reading;
    RequestHead head_;
    Authenticated who_;
    std::optional<RouteKind> proxy_;  ///< if it is for the proxy
    RouteTable::Match match_;
    std::uint64_t routesVersion_ = 0;
    std::uint64_t bodyLimit_ = 0;
    ReceivedBody body_;
    bool keepAlive_ = true;
    bool secret_ = false;
    int status_ = 0;
    std::function<void(bool)> delivered_;
    std::shared_ptr<Abandonment> abandonment_;      ///< of a promise
    std::shared_ptr<PendingAnswer> pendingAnswer_;  ///< of a promise
    std::optional<Reply::Parked> parked_;
    Topics::Key topicKey_ = 0;
    EventLoop::Clock::time_point heldUntil_;
    EventLoop::Clock::time_point answeredUntil_ = EventLoop::Clock::time_point::max();
    EventLoop::Clock::time_point parkedUntil_ = EventLoop::Clock::time_point::max();
};

}  // namespace sallyport::host::http
