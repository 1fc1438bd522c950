#include "host/http/exchange.h"

#include <sallyport/secret_text.h>

namespace sallyport::host::http {

HostCall::HostCall(auth::Identity identity, std::shared_ptr<const Route> route, Gate::Ticket ticket,
                   Parts parts)
    : HostCall(std::make_unique<Kept>(Kept{std::move(route), std::move(ticket), std::move(identity)}),
               std::move(parts)) {}

HostCall::HostCall(std::unique_ptr<Kept> kept, Parts parts)
    : Call(*kept->identity.caller, std::move(parts)), kept_(std::move(kept)) {}

Reply replyFor(std::exception_ptr error, const HostCall& call, Logger& log) {
    const auto& route = call.route();
    const auto failed = [&](const char* what) {
        log.error("a handler failed", {{"plugin", route.gate->plugin()},
                                       {"route", route.method + " " + mountedPath(route)},
                                       {"request", call.requestId()},
                                       {"error", what}});
        return Reply::error(RequestError(500, "internal_error", "the request could not be served"));
    };
    try {
        std::rethrow_exception(std::move(error));
    } catch (const StoreError& storeError) {
        log.warn("the store failed", {{"plugin", route.gate->plugin()},
                                      {"request", call.requestId()},
                                      {"error", storeError.detail()}});
        return Reply::error(storeError);
    } catch (const RequestError& requestError) {
        return Reply::error(requestError);
    } catch (const std::exception& exception) {
        return failed(exception.what());
    } catch (...) {
        return failed("not a std::exception");
    }
}

void wipeBody(Reply& reply) {
    if (auto* const whole = std::get_if<Reply::Whole>(&reply.content()))
        wipe(whole->body);
}

Reply invoke(const HostCall& call, Logger& log) {
    try {
        return call.route().handler(call);
    } catch (...) {
        return replyFor(std::current_exception(), call, log);
    }
}

}  // namespace sallyport::host::http
