#include "host/http/plugin_entry.h"

#include <string>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/secret_text.h>

#include "host/store/on_behalf_of.h"

namespace sallyport::host::http {

namespace {

/// While what it returns lives, this thread works for the call's job.
store::OnBehalfOf onBehalfOf(const HostCall& call) {
    return store::OnBehalfOf({call.caller().job(), call.body().size()});
}

/// The reply for an exception that came out of the plugin's code.
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

struct KeptReplay {
    std::shared_ptr<HostCall> call;
    Replay replay;
    StoredEvents operator()(std::uint64_t after) const { return replay(after); }
};

}  // namespace

Reply invoke(const HostCall& call, Logger& log) {
    const auto working = onBehalfOf(call);
    try {
        return call.route().handler(call);
    } catch (...) {
        return replyFor(std::current_exception(), call, log);
    }
}

std::optional<Reply> startDeferred(const std::function<void(Promise)>& start, Promise promise,
                                   const HostCall& call, Logger& log) {
    const auto working = onBehalfOf(call);
    try {
        start(std::move(promise));
        return std::nullopt;
    } catch (...) {
        // The promise has gone with it and answered already, unless it was kept; whichever comes first
        // counts.
        return replyFor(std::current_exception(), call, log);
    }
}

std::optional<Reply> retryParked(const Reply::Parked& parked, const HostCall& call, Logger& log) {
    try {
        return parked.retry();
    } catch (...) {
        return replyFor(std::current_exception(), call, log);
    }
}

bool startStream(const Reply::Producer& producer, std::shared_ptr<Stream> stream, const HostCall& call,
                 Logger& log) {
    try {
        producer(std::move(stream));
        return true;
    } catch (...) {
        static_cast<void>(replyFor(std::current_exception(), call, log));
        return false;
    }
}

void reportDelivery(const std::function<void(bool)>& delivered, bool whole, const HostCall& call,
                    Logger& log) {
    try {
        delivered(whole);
    } catch (...) {
        static_cast<void>(replyFor(std::current_exception(), call, log));
    }
}

void declareAbandoned(Abandonment& abandonment) {
    abandonment.declare();
}

Replay kept(std::shared_ptr<HostCall> call, Replay replay) {
    return KeptReplay{std::move(call), std::move(replay)};
}

void wipeBody(Reply& reply) {
    if (auto* const whole = std::get_if<Reply::Whole>(&reply.content()))
        wipe(whole->body);
}

}  // namespace sallyport::host::http
