// A plugin's call, as the host keeps it.
#pragma once

#include <memory>
#include <optional>

#include <sallyport/call.h>
#include <sallyport/ext/tunnels.h>

#include "host/auth/filter.h"
#include "host/http/body_budget.h"
#include "host/http/gate.h"
#include "host/http/router.h"

namespace sallyport::host::http {

/// A call with everything that must live as long as it: who calls, the plugin's code, the count that keeps
/// the plugin from being stopped, and what the body has of the memory.
class HostCall final : public Call {
public:
    /// @param share pays for the body. @param target of a request to a proxy.
    HostCall(auth::Identity identity, std::shared_ptr<const Route> route, Gate::Ticket ticket,
             BodyBudget::Share share, Parts parts, std::optional<ProxyTarget> target = std::nullopt);

    [[nodiscard]] const Route& route() const noexcept { return *kept_->route; }
    [[nodiscard]] const std::shared_ptr<auth::Lease>& lease() const noexcept { return kept_->identity.lease; }
    [[nodiscard]] const auth::Identity& identity() const noexcept { return kept_->identity; }
    /// Where a request to a proxy is to go; null for any other.
    [[nodiscard]] const ProxyTarget* target() const noexcept {
        return kept_->target ? &*kept_->target : nullptr;
    }
    /// For entering the plugin's code.
    [[nodiscard]] const entry::Origin& origin() const noexcept { return kept_->origin; }
    /// The reply has become a stream, which a reload of the plugin does not wait for.
    void linger() { kept_->ticket.linger(); }

private:
    struct Kept {
        std::shared_ptr<const Route> route;
        Gate::Ticket ticket;
        auth::Identity identity;
        BodyBudget::Share share;
        entry::Origin origin;
        std::optional<ProxyTarget> target;
    };
    HostCall(std::unique_ptr<Kept> kept, Parts&& parts);

    std::unique_ptr<Kept> kept_;
};

}  // namespace sallyport::host::http
