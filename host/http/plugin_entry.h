// Every way from a connection into a plugin's code, except the callbacks of a stream (connection_stream.h).
// All of them go through the guard (host/entry).
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <sallyport/events.h>
#include <sallyport/log.h>
#include <sallyport/reply.h>

#include "host/http/host_call.h"

namespace sallyport::host::http {

/// Runs the handler. Whatever it throws becomes a reply: RequestError its own, anything else a 500 and a
/// log line that names the plugin. [any thread]
[[nodiscard]] Reply invoke(const HostCall& call, Logger& log);

/// Hands the promise to whoever answers later. @return the reply for what that threw.
[[nodiscard]] std::optional<Reply> startDeferred(const std::function<void(Promise)>& start, Promise promise,
                                                 const HostCall& call, Logger& log);

/// Has a parked request try again. @return its answer, if there is one now.
[[nodiscard]] std::optional<Reply> retryParked(const Reply::Parked& parked, const HostCall& call,
                                               Logger& log);

/// Hands the stream to whoever writes it. @return false when that threw.
[[nodiscard]] bool startStream(const Reply::Producer& producer, std::shared_ptr<Stream> stream,
                               const HostCall& call);

/// Tells whoever asked whether the answer got to the network.
void reportDelivery(const std::function<void(bool)>& delivered, bool whole, const HostCall& call);

/// Destroys the plugin's tunnel of a reply that will not be, if it has one.
void destroyTunnel(Reply& reply, const HostCall& call);

/// Tells whoever makes the answer that nobody waits for it any more.
void declareAbandoned(Abandonment& abandonment, const HostCall& call);

/// The right to answer that a promise has: it ends with the request, so that a promise which is kept for
/// longer neither counts as a call in progress nor keeps the call in memory. [any thread]
class PendingAnswer {
public:
    explicit PendingAnswer(std::shared_ptr<HostCall> call) : call_(std::move(call)) {}

    /// The call, once; null when there is nothing left to answer.
    [[nodiscard]] std::shared_ptr<HostCall> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(call_, nullptr);
    }

private:
    std::mutex mutex_;
    std::shared_ptr<HostCall> call_;
};

/// The same replay, with the plugin whose code it is kept loaded: a read of stored events may outlast its
/// connection.
[[nodiscard]] Replay kept(std::shared_ptr<HostCall> call, Replay replay);

/// Overwrites the body of a complete answer.
void wipeBody(Reply& reply);

}  // namespace sallyport::host::http
