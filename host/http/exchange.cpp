#include "host/http/exchange.h"

#include <algorithm>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/secret_text.h>

#include "host/http/connection.h"
#include "host/http/proxy_request.h"

namespace sallyport::host::http {

namespace {

using namespace std::chrono_literals;

/// Whether the host is to blame.
bool failed(int status) {
    return status >= 500;
}

RequestError quarantined() {
    return {403, "job_quarantined",
            "requests of this job crashed the daemon twice; none is answered until an operator releases it"};
}

RequestError tooManyRequests() {
    RequestError error(503, "overloaded", "too many requests are waiting");
    error.retryAfter(1s);
    return error;
}

/// On whose behalf a handler runs.
Origin originOf(const HostCall& call) {
    const auto& caller = call.caller();
    const auto& plugin = call.route().gate->plugin();
    return caller.realm() == Realm::worker ? Origin{Lane::worker, caller.job().str(), plugin}
                                           : Origin{Lane::operators, caller.user(), plugin};
}

RequestError tooManyConnections() {
    RequestError error(429, "too_many_connections", "the job has too many connections open");
    error.retryAfter(1s);
    return error;
}

RequestError tooManyRequests(std::int64_t perSecond, std::chrono::seconds retryAfter) {
    RequestError error(429, "rate_limited",
                       "the job makes more than " + std::to_string(perSecond) +
                           " requests in a second (jobs.limit.requests_per_second)");
    error.retryAfter(retryAfter);
    return error;
}

bool isCredential(const std::string& header) {
    return header == "authorization" || header == "x-api-key" || header == "cookie" ||
           header == "proxy-authorization";
}

}  // namespace

Exchange::Exchange(EventLoop& loop, const Door& door, EventLoop::ConnectionId connection,
                   std::uint64_t number)
    : loop_(loop),
      door_(door),
      connection_(connection),
      number_(number),
      requestId_(loop.newRequestId()),
      began_(loop.now()) {
    loop_.requestBegan();
}

Exchange::~Exchange() {
    leaveTopic();
    abandon();
    if (pendingAnswer_) {
        static_cast<void>(pendingAnswer_->take());
    }
    reportDelivered(false);
    if (secret_) {
        wipe(body_.text);
    }
    loop_.requestEnded();
}

std::optional<Reply> Exchange::refuse(const RequestError& error) {
    state_ = State::replied;
    return refusal(error);
}

// Before the handler

std::optional<Reply> Exchange::asset() const {
    if (door_.options().realm != Realm::operators) {
        return std::nullopt;
    }
    const auto field = [this](std::string_view name) {
        const auto* const value = head_.find(name);
        return value == nullptr ? std::string_view() : std::string_view(*value);
    };
    return loop_.routes().asset({head_.method, head_.path, field("accept-encoding"), field("if-none-match")});
}

/// What needs nobody to say who it is.
std::optional<Reply> Exchange::answerOutside() const {
    const Realm realm = door_.options().realm;
    if (proxy_) {
        return routeProxy(loop_.routes(), realm, *proxy_).answer;
    }
    if (auto answer = publicAnswer(head_)) {
        return answer;
    }
    if (pathInside(realm, head_.path)) {
        return std::nullopt;
    }
    auto answer = asset();
    if (!answer) {
        return refusal(notFound("there is nothing at this path"));
    }
    const auto wrongDoor = misdirected(loop_.services().filter, head_);
    return wrongDoor ? refusal(*wrongDoor) : std::move(answer);
}

std::variant<Authenticated, RequestError> Exchange::authenticated(const Transport& transport) const {
    const auto& filter = loop_.services().filter;
    const Realm realm = door_.options().realm;
    return proxy_ ? authenticateProxy(filter, head_)
                  : authenticate(filter, realm, head_, *pathInside(realm, head_.path), transport);
}

std::optional<Reply> Exchange::admit(RequestHead head, const Transport& transport, Door::Place& place) {
    head_ = std::move(head);
    // What follows a CONNECT, of whatever form, may be meant for a tunnel, and must not be taken for
    // requests.
    keepAlive_ = head_.keepAlive && head_.method != "CONNECT" && !loop_.draining();
    place.asked();
    proxy_ = proxyKind(head_, door_.options().realm, loop_.routes());
    if (auto answer = answerOutside()) {
        state_ = State::replied;
        return answer;
    }
    auto result = authenticated(transport);
    if (const auto* denied = std::get_if<RequestError>(&result)) {
        loop_.logDenial(requestId_, head_.shownTarget(), transport);
        return refuse(*denied);
    }
    who_ = std::move(std::get<Authenticated>(result));
    const bool stranger = identity().isStranger();
    if (!stranger && !place.authenticate(identity().lease ? &identity().lease->job : nullptr)) {
        closeAfterwards();
        return refuse(tooManyConnections());
    }
    if (identity().lease && identity().lease->quarantined) {
        return refuse(quarantined());
    }
    if (const auto problem = proxy_ ? tokenGivenAway(head_, identity()) : std::nullopt) {
        // Nor is it for the log.
        head_.path.clear();
        return refuse(*problem);
    }
    if (auto answer = reroute()) {
        return answer;
    }
    if (auto answer = pace()) {
        return answer;
    }
    if (proxy_) {
        answeredUntil_ = loop_.now() + loop_.services().limits.tunnelEstablishTimeout;
        return std::nullopt;
    }
    auto admission = admitBody(head_, *match_.route, door_.options().maxBody);
    if (admission.refusal) {
        if (admission.refusal->status() == 413) {
            closeAfterwards();
        }
        return refuse(*admission.refusal);
    }
    bodyLimit_ = admission.limit;
    return std::nullopt;
}

std::optional<Reply> Exchange::reroute() {
    const Realm realm = door_.options().realm;
    auto routed = proxy_ ? routeProxy(loop_.routes(), realm, *proxy_)
                         : route(loop_.routes(), realm, head_.method, who_);
    routesVersion_ = loop_.routesVersion();
    match_ = std::move(routed.match);
    secret_ |= match_.route && match_.route->secret;
    if (routed.answer) {
        state_ = State::replied;
    }
    return std::move(routed.answer);
}

BodyBudget::Share Exchange::bodyShare() const {
    const auto& lease = identity().lease;
    auto account = lease ? std::shared_ptr<BodyBudget::Account>(lease, &lease->bodyBytes) : nullptr;
    return {loop_.services().bodies, door_.options().realm, std::move(account)};
}

/// Slows a job that is over its rate, and refuses what would have to wait for too long.
std::optional<Reply> Exchange::pace() {
    const auto& lease = identity().lease;
    if (!lease || !isPaced(*match_.route)) {
        return std::nullopt;
    }
    const auto verdict = lease->requests.take(1, loop_.now(), loop_.services().limits.longestHold);
    if (verdict.refused) {
        return refuse(tooManyRequests(lease->requests.rate(), verdict.retryAfter));
    }
    heldUntil_ = loop_.now() + verdict.wait;
    return std::nullopt;
}

std::optional<Reply> Exchange::dispatch(ReceivedBody body) {
    // What a route has no use for takes no memory while the request waits.
    if (match_.route->body != Body::none) {
        body_ = std::move(body);
    } else if (secret_) {
        wipe(body.text);
    }
    if (heldUntil_ <= loop_.now()) {
        return startJob();
    }
    state_ = State::held;
    parkedUntil_ = heldUntil_;
    return std::nullopt;
}

std::optional<Reply> Exchange::startJob() {
    const auto& lease = identity().lease;
    if (!lease || lease->started) {
        return enterHandler();
    }
    state_ = State::waiting;
    try {
        loop_.services().startJob(lease->job, [&loop = loop_, id = connection_,
                                               number = number_](const std::exception_ptr& error) {
            loop.postTo(id, [number, error](Connection& connection) { connection.resume(number, error); });
        });
    } catch (const RequestError& error) {
        return refuse(error);
    }
    return std::nullopt;
}

std::optional<Reply> Exchange::resume(const std::exception_ptr& error) {
    if (!error) {
        return enterHandler();
    }
    try {
        std::rethrow_exception(error);
    } catch (const RequestError& refusal) {
        return refuse(refusal);
    } catch (...) {
        return refuse(RequestError(500, "internal_error", "the request could not be served"));
    }
}

std::optional<Reply> Exchange::enterHandler() {
    if (isRevoked()) {
        return refuse(unauthorized(isProxied()));
    }
    // A reload may have come between reading the head and now.
    if (routesVersion_ != loop_.routesVersion()) {
        if (auto answer = reroute()) {
            return answer;
        }
    }
    auto ticket = match_.route->gate->enter();
    if (!ticket) {
        state_ = State::waiting;
        match_.route->gate->whenReleased([&loop = loop_, id = connection_, number = number_] {
            loop.postTo(id, [number](Connection& connection) { connection.resume(number, nullptr); });
        });
        return std::nullopt;
    }
    makeCall(std::move(*ticket));
    return runHandler();
}

void Exchange::makeCall(Gate::Ticket ticket) {
    Call::Parts parts;
    parts.method = head_.method;
    parts.path = head_.path;
    parts.query = head_.query;
    parts.params = match_.params;
    if (proxy_) {
        parts.headers = forwardedFields(std::move(head_.headers), *head_.target);
    } else {
        parts.headers = std::move(head_.headers);
        std::erase_if(parts.headers, [](const auto& header) { return isCredential(header.first); });
    }
    parts.body = std::move(body_.text);
    parts.requestId = requestId_;
    parts.maxJsonDepth = loop_.services().limits.json.depth;
    parts.maxJsonMembers = loop_.services().limits.json.values;
    parts.secret = match_.route->secret;
    call_ = std::make_shared<HostCall>(identity(), match_.route, std::move(ticket), std::move(body_.share),
                                       std::move(parts), proxy_ ? head_.target : std::nullopt);
}

// The handler and its reply

std::optional<Reply> Exchange::runHandler() {
    state_ = State::running;
    auto& services = loop_.services();
    // Reading a large body takes its time wherever it is done; the loop has others to serve.
    const bool small = call_->body().size() <= match_.route->loopBody;
    if (match_.route->run == Run::loop && small) {
        return handle(invoke(*call_, services.log));
    }
    const bool queued = services.pool.submit(
        originOf(*call_), [&loop = loop_, id = connection_, number = number_, call = call_] {
            // It may have waited while its token was revoked or replaced.
            loop.postReply(id, number, call,
                           call->identity().revoked() ? Reply::error(unauthorized(call->target() != nullptr))
                                                      : invoke(*call, loop.services().log));
        });
    return queued ? std::nullopt : refuse(tooManyRequests());
}

std::optional<Reply> Exchange::complete(Reply reply) {
    abandonment_.reset();
    return handle(std::move(reply));
}

std::optional<Reply> Exchange::handle(Reply reply) {
    auto& content = reply.content();
    if (auto* deferred = std::get_if<Reply::Deferred>(&content)) {
        // Taken out of the reply, which a start that answers at once would destroy.
        const auto start = std::move(deferred->start);
        return defer(start);
    }
    if (auto* parked = std::get_if<Reply::Parked>(&content)) {
        return park(std::move(*parked));
    }
    state_ = State::replied;
    if (std::holds_alternative<Reply::Tunnelled>(content)) {
        return tunnel(std::move(reply));
    }
    return reply;
}

std::optional<Reply> Exchange::defer(const std::function<void(Promise)>& start) {
    abandonment_ = std::make_shared<Abandonment>();
    pendingAnswer_ = std::make_shared<PendingAnswer>(call_);
    Promise promise(
        [&loop = loop_, id = connection_, number = number_, pending = pendingAnswer_](Reply answer) {
            if (auto call = pending->take()) {
                loop.postReply(id, number, std::move(call), std::move(answer));
            } else if (const auto delivered = answer.takeDelivered()) {
                delivered(false);
            }
        },
        abandonment_);
    auto answer = startDeferred(start, std::move(promise), *call_, loop_.services().log);
    return answer ? complete(std::move(*answer)) : std::nullopt;
}

bool Exchange::isWatched() const {
    return state_ == State::running && abandonment_ && abandonment_->watched();
}

std::optional<Reply> Exchange::park(Reply::Parked parked) {
    parked_ = std::move(parked);
    parkedUntil_ = loop_.now() + parked_->timeout;
    state_ = State::parked;
    topicKey_ =
        loop_.services().topics.join(parked_->topic, [&loop = loop_, id = connection_, number = number_] {
            loop.postTo(id, [number](Connection& connection) { connection.retry(number); });
        });
    // A token that was revoked while the handler ran has been told of before there was anything to end.
    return isRevoked() ? revoke() : retry();
}

std::optional<Reply> Exchange::retry() {
    auto answer = retryParked(*parked_, *call_, loop_.services().log);
    return answer ? unpark(std::move(*answer)) : std::nullopt;
}

std::optional<Reply> Exchange::giveUp() {
    if (state_ == State::held) {
        parkedUntil_ = EventLoop::Clock::time_point::max();
        return startJob();
    }
    auto otherwise = std::move(*parked_->otherwise);
    return unpark(std::move(otherwise));
}

std::optional<Reply> Exchange::unpark(Reply reply) {
    leaveTopic();
    parked_.reset();
    state_ = State::running;
    return handle(std::move(reply));
}

void Exchange::leaveTopic() {
    if (topicKey_ != 0) {
        loop_.services().topics.leave(parked_->topic, std::exchange(topicKey_, 0));
    }
    parkedUntil_ = EventLoop::Clock::time_point::max();
}

std::optional<Reply> Exchange::revoke() {
    if (state_ == State::held) {
        return refuse(unauthorized(isProxied()));
    }
    if (isParked()) {
        return unpark(refusal(unauthorized(isProxied())));
    }
    if (!isWatched()) {
        return std::nullopt;
    }
    abandon();
    return refuse(unauthorized(isProxied()));
}

void Exchange::abandon() {
    if (abandonment_) {
        declareAbandoned(*abandonment_, *call_);
    }
}

// The answer

void Exchange::answered(int status) {
    state_ = State::replied;
    status_ = status;
    loop_.services().metrics.answered(door_.options().realm, status, EventLoop::Clock::now() - began_);
    if (failed(status_)) {
        log(LogLevel::warn);
    }
}

void Exchange::finished() {
    if (!failed(status_)) {
        log(LogLevel::debug);
    }
    reportDelivered(true);
}

void Exchange::reportDelivered(bool whole) {
    if (const auto delivered = std::exchange(delivered_, nullptr)) {
        reportDelivery(delivered, whole, *call_);
    }
}

void Exchange::log(LogLevel level) const {
    auto& log = loop_.services().log;
    if (!log.enabled(level)) {
        return;
    }
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(EventLoop::Clock::now() - began_);
    const auto target = head_.shownTarget();
    const auto write = [&](Logger::Fields fields) { log.write(level, "request", fields); };
    // The job has its lines counted apart from those of others.
    if (identity().lease) {
        write({{"method", head_.method},
               {"path", target},
               {"status", status_},
               {"micros", micros.count()},
               {"job", identity().lease->job.str()},
               {"request", requestId_}});
    } else {
        write({{"method", head_.method},
               {"path", target},
               {"status", status_},
               {"micros", micros.count()},
               {"request", requestId_}});
    }
}

}  // namespace sallyport::host::http
