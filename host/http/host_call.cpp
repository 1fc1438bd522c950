#include "host/http/host_call.h"

#include <utility>

namespace sallyport::host::http {

HostCall::HostCall(auth::Identity identity, std::shared_ptr<const Route> route, Gate::Ticket ticket,
                   BodyBudget::Share share, Parts parts)
    : HostCall(std::make_unique<Kept>(
                   Kept{std::move(route), std::move(ticket), std::move(identity), std::move(share)}),
               std::move(parts)) {}

HostCall::HostCall(std::unique_ptr<Kept> kept, Parts parts)
    : Call(*kept->identity.caller, std::move(parts)), kept_(std::move(kept)) {}

}  // namespace sallyport::host::http
