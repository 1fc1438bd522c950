// How an exchange becomes a tunnel, or does not.
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/http_token.h>

#include "host/http/exchange.h"
#include "host/http/field_list.h"

namespace sallyport::host::http {

/// The reply, or what is answered instead of a tunnel that cannot be.
Reply Exchange::tunnel(Reply reply) {
    auto& tunnelled = std::get<Reply::Tunnelled>(reply.content());
    const auto problem = tunnelProblem(tunnelled);
    if (!problem) {
        return reply;
    }
    destroyTunnel(reply, *call_);
    auto answer = refusal(*problem);
    if (problem->status() == 426) {
        answer.header("Upgrade", tunnelled.protocol);
    }
    return answer;
}

std::optional<RequestError> Exchange::tunnelProblem(const Reply::Tunnelled& tunnelled) const {
    const bool upgrade = !tunnelled.protocol.empty();
    if (!tunnelled.tunnel || upgrade == isProxied() || (upgrade && !isHttpToken(tunnelled.protocol))) {
        loop_.services().log.error("a plugin answered with a tunnel that cannot be",
                                   {{"plugin", call_->route().gate->plugin()}, {"request", requestId_}});
        return RequestError(500, "internal_error", "the request could not be served");
    }
    if (upgrade && (head_.method == "HEAD" || !listContains(head_.upgrade, tunnelled.protocol))) {
        return RequestError(426, "upgrade_required",
                            "this is there for those who change to " + tunnelled.protocol);
    }
    if (isRevoked()) {
        return unauthorized(isProxied());
    }
    // Its plugin has been told that all of its tunnels end.
    if (loop_.draining() || call_->route().gate->isHeld()) {
        auto error = unavailable("stopping", "what answers this is being stopped");
        error.retryAfter(std::chrono::seconds(1));
        return error;
    }
    return std::nullopt;
}

RequestError Exchange::unauthorized(bool proxied) {
    return {proxied ? 407 : 401, proxied ? "proxy_unauthorized" : "unauthorized",
            "the token has been revoked"};
}

std::optional<Reply> Exchange::expire() {
    abandon();
    return refuse(RequestError(504, "timeout", "the proxy took too long"));
}

}  // namespace sallyport::host::http
