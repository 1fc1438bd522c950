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

/// The job has its lines counted apart from those of others.
void logStoreFailure(const std::string& plugin, const HostCall& call, const std::string& error, Logger& log) {
    constexpr const char* message = "the store failed";
    if (call.lease()) {
        log.warn(message, {{"plugin", plugin},
                           {"job", call.lease()->job.str()},
                           {"request", call.requestId()},
                           {"error", error}});
    } else {
        log.warn(message, {{"plugin", plugin}, {"request", call.requestId()}, {"error", error}});
    }
}

/// The reply for an exception that came out of the plugin's code.
Reply replyFor(const entry::Entry& entry, const std::exception_ptr& error, const HostCall& call,
               Logger& log) {
    try {
        std::rethrow_exception(error);
    } catch (const StoreError& storeError) {
        logStoreFailure(entry.plugin().name, call, storeError.detail(), log);
        return Reply::error(storeError);
    } catch (const RequestError& requestError) {
        return Reply::error(requestError);
    } catch (...) {
        entry::logFailure(entry, error);
        return Reply::error(RequestError(500, "internal_error", "the request could not be served"));
    }
}

/// Calls what makes an answer. What it throws becomes one.
template <class F>
auto answered(const HostCall& call, const char* callback, Logger& log, F function) -> decltype(function()) {
    const entry::Entry entry(call.route().gate->owner(), callback, call.origin());
    const auto working = onBehalfOf(call);
    try {
        return function();
    } catch (...) {
        return replyFor(entry, std::current_exception(), call, log);
    }
}

template <class F>
bool guarded(const HostCall& call, const char* callback, F&& function) noexcept {
    return entry::guarded(call.route().gate->owner(), callback, call.origin(), std::forward<F>(function));
}

class KeptReplay {
public:
    KeptReplay(std::shared_ptr<HostCall> call, Replay replay)
        : call_(std::move(call)), replay_(std::move(replay)) {}
    ~KeptReplay() { entry::destroy(call_->route().gate->owner(), "destructor", replay_); }
    KeptReplay(const KeptReplay&) = delete;
    KeptReplay& operator=(const KeptReplay&) = delete;

    [[nodiscard]] StoredEvents operator()(std::uint64_t after) const {
        const entry::Entry entry(call_->route().gate->owner(), "Subscription::replay", call_->origin());
        return replay_(after);
    }

private:
    std::shared_ptr<HostCall> call_;
    Replay replay_;
};

}  // namespace

Reply invoke(const HostCall& call, Logger& log) {
    return answered(call, "handler", log, [&call] {
        const auto& route = call.route();
        return route.proxy ? route.proxy(call, *call.target()) : route.handler(call);
    });
}

std::optional<Reply> startDeferred(const std::function<void(Promise)>& start, Promise promise,
                                   const HostCall& call, Logger& log) {
    // When it throws, the promise has gone with it and answered already, unless it was kept; whichever comes
    // first counts.
    return answered(call, "Reply::deferred", log, [&]() -> std::optional<Reply> {
        start(std::move(promise));
        return std::nullopt;
    });
}

std::optional<Reply> retryParked(const Reply::Parked& parked, const HostCall& call, Logger& log) {
    return answered(call, "Reply::waitFor", log, [&parked] { return parked.retry(); });
}

bool startStream(const Reply::Producer& producer, std::shared_ptr<Stream> stream, const HostCall& call) {
    return guarded(call, "Reply::stream", [&] { producer(std::move(stream)); });
}

void reportDelivery(const std::function<void(bool)>& delivered, bool whole, const HostCall& call) {
    guarded(call, "Reply::onDelivered", [&] { delivered(whole); });
}

void destroyTunnel(Reply& reply, const HostCall& call) {
    if (auto* const tunnelled = std::get_if<Reply::Tunnelled>(&reply.content())) {
        entry::destroy(call.route().gate->owner(), "destructor of a tunnel", tunnelled->tunnel);
    }
}

void declareAbandoned(Abandonment& abandonment, const HostCall& call) {
    guarded(call, "Promise::onAbandoned", [&abandonment] { abandonment.declare(); });
}

Replay kept(std::shared_ptr<HostCall> call, Replay replay) {
    // Shared, so that copying it runs none of the plugin's code.
    return [kept = std::make_shared<const KeptReplay>(std::move(call), std::move(replay))](
               std::uint64_t after) { return (*kept)(after); };
}

void wipeBody(Reply& reply) {
    if (auto* const whole = std::get_if<Reply::Whole>(&reply.content())) {
        wipe(whole->body);
    }
}

}  // namespace sallyport::host::http
