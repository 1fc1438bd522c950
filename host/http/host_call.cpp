#include "host/http/host_call.h"

#include <optional>
#include <utility>

namespace sallyport::host::http {

namespace {

entry::Origin originOf(const std::shared_ptr<const Route>& route, const auth::Identity& identity,
                       const Call::Parts& parts) {
    std::optional<JobId> job;
    if (identity.lease) {
        job = identity.lease->job;
    }
    return std::make_shared<const entry::Request>(entry::Request{route, route->label, parts.requestId, job});
}

}  // namespace

HostCall::HostCall(auth::Identity identity, std::shared_ptr<const Route> route, Gate::Ticket ticket,
                   BodyBudget::Share share, Parts parts, std::optional<ProxyTarget> target)
    : HostCall(std::make_unique<Kept>(Kept{route, std::move(ticket), identity, std::move(share),
                                           originOf(route, identity, parts), std::move(target)}),
               std::move(parts)) {}

HostCall::HostCall(std::unique_ptr<Kept> kept, Parts&& parts)
    : Call(*kept->identity.caller, std::move(parts)), kept_(std::move(kept)) {}

}  // namespace sallyport::host::http
