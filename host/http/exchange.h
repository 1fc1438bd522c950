// One request on its way through the host.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sallyport/call.h>
#include <sallyport/log.h>
#include <sallyport/reply.h>

#include "host/auth/filter.h"
#include "host/http/body_decoder.h"
#include "host/http/gate.h"
#include "host/http/request_head.h"
#include "host/http/router.h"
#include "host/http/topics.h"

namespace sallyport::host::http {

/// A call with everything that must live as long as it: who calls, the plugin's code, and the count that
/// keeps the plugin from being stopped.
class HostCall final : public Call {
public:
    HostCall(auth::Identity identity, std::shared_ptr<const Route> route, Gate::Ticket ticket, Parts parts);

    [[nodiscard]] const Route& route() const noexcept { return *kept_->route; }
    [[nodiscard]] const std::shared_ptr<auth::Lease>& lease() const noexcept { return kept_->identity.lease; }
    /// The reply has become a stream, which a reload of the plugin does not wait for.
    void linger() { kept_->ticket.linger(); }

private:
    struct Kept {
        std::shared_ptr<const Route> route;
        Gate::Ticket ticket;
        auth::Identity identity;
    };
    HostCall(std::unique_ptr<Kept> kept, Parts parts);

    std::unique_ptr<Kept> kept_;
};

/// Runs the handler. Whatever it throws becomes a reply: RequestError its own, anything else a 500 and a
/// log line that names the plugin.
[[nodiscard]] Reply invoke(const HostCall& call, Logger& log);

/// Overwrites the body of a complete answer.
void wipeBody(Reply& reply);

/// The reply for an exception that came out of the plugin's code.
[[nodiscard]] Reply replyFor(std::exception_ptr error, const HostCall& call, Logger& log);

/// A request from its head to the last byte of its answer. The call comes first so that closures from the
/// plugin, further down, are destroyed before what keeps the plugin's code loaded.
struct Exchange {
    std::shared_ptr<HostCall> call;  ///< null until the handler's turn
    std::uint64_t id = 0;
    RequestHead head;
    std::string requestId;
    std::chrono::steady_clock::time_point began;
    auth::Identity identity;
    RouteTable::Match match;
    std::uint64_t routesVersion = 0;
    std::string subpath;  ///< below the realm's mount point
    BodyDecoder decoder;
    std::string body;
    std::size_t reserved = 0;  ///< of the body budget
    bool keepAlive = true;
    int status = 0;
    std::function<void(bool)> delivered;
    std::shared_ptr<Abandonment> abandonment;  ///< of a deferred reply
    std::optional<Reply::Parked> parked;
    Topics::Key topicKey = 0;
    bool subscribed = false;
};

}  // namespace sallyport::host::http
