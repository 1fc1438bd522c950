#include "host/http/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <sallyport/errors.h>
#include <sallyport/secret_text.h>

#include "host/http/connection_stream.h"
#include "host/http/response.h"

namespace sallyport::host::http {

namespace {

using namespace std::chrono_literals;

/// An unread body up to this size is read and dropped so that the connection can go on; a larger one costs
/// the client its connection.
constexpr std::size_t drainLimit = std::size_t{64} * 1024;
/// Bodies are accounted for in steps of this size.
constexpr std::size_t bodyStep = std::size_t{64} * 1024;
/// Requests that one connection may have answered in a row while others wait.
constexpr int requestsInARow = 32;
/// A body gets so much memory at once, if it says that it is that long. What is not sent is not used either.
constexpr std::uint64_t bodyReserve = std::uint64_t{1024} * 1024;
constexpr auto lingerTime = 2s;
/// The same while the daemon stops.
constexpr auto lingerTimeDraining = 200ms;
/// What is dropped of a refused body, so that a client that sends first and reads then still gets to read.
constexpr std::size_t lingerBytes = std::size_t{64} * 1024 * 1024;
/// A buffer above this size is given back once it is empty.
constexpr std::size_t keptBuffer = std::size_t{16} * 1024;

constexpr std::string_view jsonType = "application/json";
constexpr std::string_view healthMethods = "GET, HEAD, OPTIONS";

/// Whether the host is to blame.
bool failed(int status) {
    return status >= 500;
}

RequestError unauthorized() {
    return {401, "unauthorized", "the token has been revoked"};
}

RequestError overloaded(const char* message) {
    RequestError error(503, "overloaded", message);
    error.retryAfter(1s);
    return error;
}

/// Whether the media type is application/json or ends in +json (RFC 6839 section 3.1).
bool isJson(std::string_view contentType) {
    std::string type(contentType.substr(0, contentType.find(';')));
    type.erase(type.find_last_not_of(" \t") + 1);
    std::transform(type.begin(), type.end(), type.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return type == jsonType || (type.starts_with("application/") && type.ends_with("+json"));
}

/// On whose behalf a handler runs.
Origin originOf(const HostCall& call) {
    const auto& caller = call.caller();
    const auto& plugin = call.route().gate->plugin();
    return caller.realm() == Realm::worker ? Origin{Lane::worker, caller.job().str(), plugin}
                                           : Origin{Lane::operators, caller.user(), plugin};
}

/// A read of stored events may outlast its connection; the plugin whose code it is must not go before it.
struct KeptReplay {
    std::shared_ptr<HostCall> call;
    Replay replay;
    StoredEvents operator()(std::uint64_t after) const { return replay(after); }
};

}  // namespace

Connection::Connection(EventLoop& loop, EventLoop::ConnectionId id,
                       std::unique_ptr<Poco::Net::StreamSocket> socket, Door& door)
    : loop_(loop), id_(id), socket_(std::move(socket)), descriptor_(socket_->impl()->sockfd()), door_(door) {
    setDeadline(loop_.services().limits.headerTimeout);
}

Connection::~Connection() {
    endExchange();
    clearOutput();
    --door_.connections;
}

void Connection::setDeadline(std::chrono::milliseconds delay) {
    deadline_ = loop_.now() + delay;
    loop_.wakeBy(deadline_);
}

// Input

void Connection::onEvents(std::uint32_t events) {
    if (events & EPOLLERR) {
        close();
        return;
    }
    if (events & EPOLLIN)
        readable_ = true;
    if (events & (EPOLLRDHUP | EPOLLHUP)) {
        readable_ = true;
        peerShut_ = true;
        // Whoever only waits has nobody left to wait for. A request whose answer is being made still gets it:
        // a client may shut down its sending side after the request.
        if (state_ == State::parked || state_ == State::streaming || state_ == State::subscribed ||
            awaitsWatched()) {
            close();
            return;
        }
    }
    if ((events & EPOLLOUT) && backlog() > 0) {
        flush();
        if (state_ == State::subscribed && backlog() == 0)
            loop_.fanout().drained(id_);
    }
    if (state_ != State::closed)
        read();
}

bool Connection::wantsInput() const {
    return state_ == State::head || state_ == State::body || state_ == State::draining ||
           state_ == State::lingering;
}

void Connection::read() {
    auto& scratch = loop_.scratch();
    while (readable_ && wantsInput()) {
        const auto received = ::recv(descriptor_, scratch.data(), scratch.size(), 0);
        if (received > 0) {
            const auto size = static_cast<std::size_t>(received);
            // A short read has emptied the socket; the next byte will be reported, an end already was.
            readable_ = size == scratch.size() || peerShut_;
            consume({scratch.data(), size});
            if (holdsSecrets_)
                ::explicit_bzero(scratch.data(), size);
        } else if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            readable_ = false;
        } else if (received == 0 || errno != EINTR) {
            close();
        }
    }
}

void Connection::consume(std::string_view input) {
    std::string joined;
    if (!in_.empty()) {
        joined = std::exchange(in_, {});
        joined.append(input);
        input = joined;
    }
    const auto used = feed(input);
    if (state_ != State::closed && used < input.size())
        in_.assign(input.substr(used));
    if (holdsSecrets_)
        wipe(joined);
}

std::size_t Connection::feed(std::string_view input) {
    std::size_t used = 0;
    int requests = 0;
    feeding_ = true;
    for (bool progress = true; progress;) {
        const auto before = used;
        const auto state = state_;
        const auto rest = input.substr(used);
        if (state == State::head) {
            if (++requests > requestsInARow) {
                loop_.post([&loop = loop_, id = id_] {
                    if (auto* connection = loop.find(id))
                        connection->pump();
                });
                break;
            }
            used += feedHead(rest);
        } else if (state == State::body) {
            used += feedBody(rest);
        } else if (state == State::draining) {
            used += feedDrain(rest);
        } else if (state == State::lingering) {
            used = input.size();
            discarded_ += rest.size();
            if (discarded_ > lingerBytes)
                close();
        }
        progress = (used != before || state != state_) && state_ != State::closed;
    }
    feeding_ = false;
    return used;
}

std::size_t Connection::feedHead(std::string_view input) {
    if (input.empty())
        return 0;
    if (!headBegun_) {
        headBegun_ = true;
        setDeadline(loop_.services().limits.headerTimeout);
    }
    auto result = parseHead(input, loop_.services().limits);
    if (const auto* error = std::get_if<HeadError>(&result)) {
        refuseHead(*error);
        return input.size();
    }
    if (auto* parsed = std::get_if<ParsedHead>(&result)) {
        const auto size = parsed->size;
        headBegun_ = false;
        begin(std::move(parsed->head));
        return size;
    }
    return 0;
}

std::size_t Connection::feedBody(std::string_view input) {
    auto& exchange = *exchange_;
    const auto used = exchange.decoder.feed(input, exchange.body);
    if (!growBody()) {
        refuseAndClose(overloaded("too many request bodies are being received at once"));
        return used;
    }
    switch (exchange.decoder.state()) {
        case BodyDecoder::State::reading:
            break;
        case BodyDecoder::State::complete:
            dispatch();
            break;
        case BodyDecoder::State::malformed:
            refuseAndClose(badRequest("the chunked body is malformed"));
            break;
        case BodyDecoder::State::tooLarge:
            refuseAndClose(tooLarge("the request body is larger than is accepted here"));
            break;
    }
    return used;
}

bool Connection::growBody() {
    auto& exchange = *exchange_;
    if (exchange.body.size() <= exchange.reserved)
        return true;
    const auto wanted = (exchange.body.size() / bodyStep + 1) * bodyStep;
    if (!loop_.services().bodies.take(wanted - exchange.reserved))
        return false;
    exchange.reserved = wanted;
    return true;
}

std::size_t Connection::feedDrain(std::string_view input) {
    std::string dropped;
    const auto used = exchange_->decoder.feed(input, dropped);
    if (holdsSecrets_)
        wipe(dropped);
    if (exchange_->decoder.state() == BodyDecoder::State::complete)
        nextRequest();
    else if (exchange_->decoder.state() != BodyDecoder::State::reading)
        lingeringClose();
    return used;
}

void Connection::pump() {
    if (state_ != State::head || feeding_)
        return;
    if (!in_.empty())
        consume({});
    if (state_ != State::closed)
        read();
}

bool Connection::peerHasClosed() const {
    char byte = 0;
    return ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

// A request's way

void Connection::begin(RequestHead head) {
    auto& exchange = newExchange();
    exchange.head = std::move(head);
    exchange.keepAlive = exchange.head.keepAlive && !loop_.draining();
    exchange.decoder = BodyDecoder(exchange.head, drainLimit);
    state_ = State::busy;
    deadline_ = EventLoop::Clock::time_point::max();

    const auto& [method, path] = std::tie(exchange.head.method, exchange.head.path);
    if (path == "/health") {
        if (method == "GET" || method == "HEAD")
            sendWhole(Reply::text(200, "text/plain; charset=utf-8", "ok"));
        else if (method == "OPTIONS")
            sendWhole(Reply::empty(204).header("Allow", std::string(healthMethods)));
        else
            sendWhole(Reply::error(RequestError(405, "method_not_allowed", "/health is only read."))
                          .header("Allow", std::string(healthMethods)));
    } else if (path == "*") {
        sendWhole(Reply::empty(204).header("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS"));
    } else {
        enterRealm(path);
    }
}

void Connection::enterRealm(std::string_view path) {
    const std::string_view prefix = door_.realm == Realm::worker ? "/worker" : "/api";
    const bool inside = path.starts_with(prefix) && path.size() > prefix.size() && path[prefix.size()] == '/';
    if (!inside) {
        refuse(notFound("there is nothing at this path"));
        return;
    }
    if (!authenticate(path, prefix) || !route() || !admitBody())
        return;
    if (exchange_->decoder.state() == BodyDecoder::State::complete) {
        dispatch();
        return;
    }
    state_ = State::body;
    setDeadline(loop_.services().limits.bodyTimeout);
    if (exchange_->head.expectsContinue) {
        out_.append("HTTP/1.1 100 Continue\r\n\r\n");
        flush();
    }
}

bool Connection::authenticate(std::string_view path, std::string_view prefix) {
    auto& exchange = *exchange_;
    auth::Presented presented;
    for (const auto& [name, value] : exchange.head.headers) {
        auto* field = name == "authorization" ? &presented.authorization
                      : name == "x-api-key"   ? &presented.apiKey
                                              : nullptr;
        if (field == nullptr)
            continue;
        presented.repeated |= field->has_value();
        *field = value;
    }

    path.remove_prefix(prefix.size());
    auto result = [&] {
        const auto& filter = loop_.services().filter;
        if (door_.realm == Realm::operators) {
            exchange.subpath = path;
            return filter.operators(presented);
        }
        const auto end = path.find('/', 1);
        exchange.subpath = end == std::string_view::npos ? std::string_view{} : path.substr(end);
        // What cannot be decoded is no UUID either.
        const auto job = percentDecode(path.substr(1, end == std::string_view::npos ? end : end - 1));
        return filter.worker(job.value_or(std::string()), presented);
    }();
    if (const auto* denied = std::get_if<RequestError>(&result)) {
        loop_.logDenial(exchange.requestId, exchange.head.path, *socket_);
        refuse(*denied);
        return false;
    }
    exchange.identity = std::move(std::get<auth::Identity>(result));
    return true;
}

bool Connection::route() {
    auto& exchange = *exchange_;
    exchange.routesVersion = loop_.routesVersion();
    exchange.match = loop_.routes().match(door_.realm, exchange.head.method, exchange.subpath);
    const auto& match = exchange.match;
    holdsSecrets_ |= match.route && match.route->secret;
    if (!match.route && match.allow.empty()) {
        refuse(notFound("there is nothing at this path"));
    } else if (!match.route && exchange.head.method == "OPTIONS") {
        sendWhole(Reply::empty(204).header("Allow", match.allow));
    } else if (!match.route) {
        sendWhole(
            Reply::error(RequestError(405, "method_not_allowed", "the method is not one of: " + match.allow))
                .header("Allow", match.allow));
    } else if (door_.realm == Realm::operators && exchange.identity.caller->role() < match.route->role) {
        refuse(
            forbidden(std::string("this needs an operator token with the role ") + name(match.route->role)));
    } else if (match.badEncoding) {
        refuse(badRequest("the path's percent-encoding is malformed"));
    } else {
        return true;
    }
    return false;
}

bool Connection::admitBody() {
    auto& exchange = *exchange_;
    const auto& head = exchange.head;
    const bool wanted = exchange.match.route->body != Body::none;
    exchange.decoder = BodyDecoder(head, wanted ? door_.maxBody : drainLimit);
    if (exchange.decoder.state() == BodyDecoder::State::tooLarge) {
        refuseAndClose(tooLarge("the request body is larger than is accepted here"));
        return false;
    }
    if (!wanted || head.framing == Framing::none)
        return true;
    const auto* encoding = head.find("content-encoding");
    if (encoding != nullptr && *encoding != "identity") {
        exchange.decoder = BodyDecoder(head, drainLimit);
        refuse(RequestError(415, "unsupported_encoding", "the body must not have a content coding"));
        return false;
    }
    const auto* type = head.find("content-type");
    if (exchange.match.route->body == Body::json && (type == nullptr || !isJson(*type))) {
        exchange.decoder = BodyDecoder(head, drainLimit);
        refuse(RequestError(415, "unsupported_media_type", "the body must be application/json"));
        return false;
    }
    // Growing the body would copy it again and again, and leave pieces of a secret behind.
    if (head.framing == Framing::length)
        exchange.body.reserve(std::min<std::uint64_t>(head.length, bodyReserve));
    return true;
}

void Connection::dispatch() {
    auto& exchange = *exchange_;
    state_ = State::busy;
    deadline_ = EventLoop::Clock::time_point::max();
    const auto& lease = exchange.identity.lease;
    if (!lease || lease->started) {
        enterHandler();
        return;
    }
    try {
        loop_.services().startJob(
            lease->job, [&loop = loop_, id = id_, current = exchange.id](const std::exception_ptr& error) {
                loop.post([&loop, id, current, error] {
                    if (auto* connection = loop.find(id))
                        connection->resume(current, error);
                });
            });
    } catch (const RequestError& error) {
        refuse(error);
    }
}

void Connection::resume(std::uint64_t exchange, const std::exception_ptr& error) {
    if (!isCurrent(exchange))
        return;
    if (!error) {
        enterHandler();
        return;
    }
    try {
        std::rethrow_exception(error);
    } catch (const RequestError& refusal) {
        refuse(refusal);
    } catch (...) {
        refuse(RequestError(500, "internal_error", "the request could not be served"));
    }
}

void Connection::enterHandler() {
    auto& exchange = *exchange_;
    if (exchange.identity.lease && exchange.identity.lease->revoked) {
        refuse(unauthorized());
        return;
    }
    // A reload may have come between reading the head and now.
    if (exchange.routesVersion != loop_.routesVersion() && !route())
        return;
    auto ticket = exchange.match.route->gate->enter();
    if (!ticket) {
        exchange.match.route->gate->whenReleased([&loop = loop_, id = id_, current = exchange.id] {
            loop.post([&loop, id, current] {
                if (auto* connection = loop.find(id))
                    connection->resume(current, nullptr);
            });
        });
        return;
    }

    Call::Parts parts;
    parts.method = exchange.head.method;
    parts.path = exchange.head.path;
    parts.query = exchange.head.query;
    parts.params = exchange.match.params;
    parts.headers = std::move(exchange.head.headers);
    std::erase_if(parts.headers, [](const auto& header) {
        return header.first == "authorization" || header.first == "x-api-key" || header.first == "cookie" ||
               header.first == "proxy-authorization";
    });
    parts.body = std::move(exchange.body);
    parts.requestId = exchange.requestId;
    parts.maxJsonDepth = loop_.services().limits.maxJsonDepth;
    parts.secret = exchange.match.route->secret;
    exchange.call = std::make_shared<HostCall>(exchange.identity, exchange.match.route, std::move(*ticket),
                                               std::move(parts));
    runHandler();
}

void Connection::runHandler() {
    auto& exchange = *exchange_;
    auto& services = loop_.services();
    // Reading a large body takes its time wherever it is done; the loop has others to serve.
    const bool small = exchange.call->body().size() <= exchange.match.route->loopBody;
    if (exchange.match.route->run == Run::loop && small) {
        handle(invoke(*exchange.call, services.log));
        return;
    }
    const bool queued = services.pool.submit(
        originOf(*exchange.call), [&loop = loop_, id = id_, current = exchange.id, call = exchange.call] {
            loop.postReply(id, current, call, invoke(*call, loop.services().log));
        });
    if (!queued)
        refuse(overloaded("too many requests are waiting"));
}

bool Connection::complete(std::uint64_t exchange, Reply& reply) {
    if (!isCurrent(exchange) || state_ != State::busy)
        return false;
    exchange_->abandonment.reset();
    handle(std::move(reply));
    return true;
}

void Connection::handle(Reply reply) {
    auto& content = reply.content();
    if (std::holds_alternative<Reply::Whole>(content)) {
        sendWhole(std::move(reply));
    } else if (auto* deferred = std::get_if<Reply::Deferred>(&content)) {
        // Taken out of the reply, which a start that answers at once would destroy.
        const auto start = std::move(deferred->start);
        defer(start);
    } else if (auto* parked = std::get_if<Reply::Parked>(&content)) {
        park(std::move(*parked));
    } else if (std::holds_alternative<Reply::Streamed>(content)) {
        startStream(std::move(reply));
    } else {
        subscribe(std::move(reply));
    }
}

// Waiting

void Connection::defer(const std::function<void(Promise)>& start) {
    const auto call = exchange_->call;
    exchange_->abandonment = std::make_shared<Abandonment>();
    try {
        start(Promise([&loop = loop_, id = id_, current = exchange_->id,
                       call](Reply answer) { loop.postReply(id, current, call, std::move(answer)); },
                      exchange_->abandonment));
    } catch (...) {
        // The promise has gone with it and answered already, unless it was kept; whichever comes first
        // counts.
        auto answer = replyFor(std::current_exception(), *call, loop_.services().log);
        complete(exchange_->id, answer);
        return;
    }
    if (peerShut_ && awaitsWatched())
        close();
}

/// Whether whoever makes the answer wants to know that nobody waits for it.
bool Connection::awaitsWatched() const {
    return state_ == State::busy && exchange_->abandonment && exchange_->abandonment->watched();
}

void Connection::park(Reply::Parked parked) {
    auto& exchange = *exchange_;
    const auto timeout = parked.timeout;
    exchange.parked = std::move(parked);
    if (loop_.draining() || peerShut_) {
        answerParked(std::move(*exchange.parked->otherwise));
        return;
    }
    state_ = State::parked;
    setDeadline(timeout);
    exchange.topicKey = loop_.services().topics.join(exchange.parked->topic,
                                                     [&loop = loop_, id = id_, current = exchange.id] {
                                                         loop.post([&loop, id, current] {
                                                             if (auto* connection = loop.find(id))
                                                                 connection->retry(current);
                                                         });
                                                     });
    retry(exchange.id);
}

void Connection::retry(std::uint64_t exchange) {
    if (!isCurrent(exchange) || state_ != State::parked)
        return;
    if (peerHasClosed()) {
        close();
        return;
    }
    std::optional<Reply> reply;
    try {
        reply = exchange_->parked->retry();
    } catch (...) {
        reply = replyFor(std::current_exception(), *exchange_->call, loop_.services().log);
    }
    if (reply)
        answerParked(std::move(*reply));
}

void Connection::unpark() {
    auto& exchange = *exchange_;
    if (exchange.topicKey != 0)
        loop_.services().topics.leave(exchange.parked->topic, std::exchange(exchange.topicKey, 0));
    exchange.parked.reset();
}

void Connection::answerParked(Reply reply) {
    unpark();
    state_ = State::busy;
    deadline_ = EventLoop::Clock::time_point::max();
    handle(std::move(reply));
}

void Connection::revoked(const JobId& job) {
    if (!exchange_ || !exchange_->identity.lease || exchange_->identity.lease->job != job)
        return;
    if (state_ == State::parked) {
        answerParked(Reply::error(unauthorized()).header("WWW-Authenticate", "Bearer"));
    } else if (awaitsWatched()) {
        exchange_->abandonment->declare();
        refuse(unauthorized());
    } else if (state_ == State::streaming) {
        close();
    }
}

void Connection::endWait(const Gate& gate) {
    if (!exchange_ || !exchange_->call || exchange_->call->route().gate.get() != &gate)
        return;
    if (state_ == State::parked) {
        auto otherwise = std::move(*exchange_->parked->otherwise);
        answerParked(std::move(otherwise));
    } else if (state_ == State::subscribed) {
        finishBody();
    }
}

void Connection::drain() {
    if (state_ == State::head && !headBegun_ && in_.empty()) {
        close();
    } else if (state_ == State::parked) {
        auto otherwise = std::move(*exchange_->parked->otherwise);
        answerParked(std::move(otherwise));
    } else if (state_ == State::subscribed) {
        finishBody();
    }
}

// Streams and subscriptions

ResponseFraming Connection::openFraming() const {
    return exchange_->head.http10 ? ResponseFraming::untilClose : ResponseFraming::chunked;
}

void Connection::startStream(Reply reply) {
    auto& exchange = *exchange_;
    auto& streamed = std::get<Reply::Streamed>(reply.content());
    exchange.keepAlive = exchange.keepAlive && !exchange.head.http10;
    sendHead(reply, streamed.contentType, openFraming(), 0);
    state_ = State::streaming;
    endAfterWrite_ = false;
    exchange.call->linger();
    if (exchange.head.method == "HEAD") {
        finishBody();
        return;
    }
    const auto call = exchange.call;
    stream_ = std::make_shared<ConnectionStream>(loop_, id_, exchange.id, call);
    const auto handle = stream_->handle();
    flush();
    // Also when that has found the client gone: whoever made the reply hears of it from the stream alone.
    try {
        streamed.producer(handle);
    } catch (...) {
        static_cast<void>(replyFor(std::current_exception(), *call, loop_.services().log));
        close();
    }
}

void Connection::streamWrite(std::uint64_t exchange, std::string_view bytes) {
    if (!isCurrent(exchange) || state_ != State::streaming)
        return;
    appendBody(bytes);
    flush();
}

void Connection::streamEnd(std::uint64_t exchange, bool whole) {
    if (!isCurrent(exchange) || state_ != State::streaming)
        return;
    if (whole)
        finishBody();
    else
        close();
}

void Connection::appendBody(std::string_view bytes) {
    if (exchange_->head.method == "HEAD")
        return;
    if (openFraming() == ResponseFraming::chunked)
        appendChunk(out_, bytes);
    else
        out_.append(bytes);
}

void Connection::finishBody() {
    if (endAfterWrite_)
        return;
    if (openFraming() == ResponseFraming::chunked && exchange_->head.method != "HEAD")
        out_.append("0\r\n\r\n");
    endAfterWrite_ = true;
    setDeadline(loop_.services().limits.writeTimeout);
    flush();
}

void Connection::subscribe(Reply reply) {
    auto& exchange = *exchange_;
    exchange.keepAlive = false;
    Reply head = Reply::empty(200).header("X-Accel-Buffering", "no");
    sendHead(head, "text/event-stream", openFraming(), 0);
    state_ = State::subscribed;
    endAfterWrite_ = false;
    exchange.call->linger();
    if (exchange.head.method == "HEAD" || loop_.draining()) {
        finishBody();
        return;
    }
    setDeadline(loop_.services().limits.heartbeat);
    auto subscription = std::move(std::get<Reply::Subscribed>(reply.content()).subscription);
    if (subscription.replay)
        subscription.replay = KeptReplay{exchange.call, std::move(subscription.replay)};
    auto& hub = loop_.services().hub;
    hub.joined();
    exchange.subscribed = true;
    loop_.fanout().attach(id_, *this, exchange.call->route().gate->plugin(), std::move(subscription),
                          hub.last());
    flush();
}

bool Connection::send(std::string_view text) {
    if (state_ != State::subscribed || endAfterWrite_)
        return false;
    // One event may be larger than the buffer: a client that has taken all before it gets it nevertheless.
    if (backlog() > 0 && backlog() + text.size() > loop_.services().limits.subscriberBuffer) {
        cutOff();
        return false;
    }
    appendBody(text);
    flush();
    return state_ == State::subscribed;
}

void Connection::cutOff() {
    // Not now: the fan-out is walking over its subscribers.
    loop_.post([&loop = loop_, id = id_] {
        if (auto* connection = loop.find(id))
            connection->close();
    });
}

// Output

void Connection::refuse(const RequestError& error) {
    auto reply = Reply::error(error);
    if (error.status() == 401)
        sendWhole(std::move(reply).header("WWW-Authenticate", "Bearer"));
    else
        sendWhole(std::move(reply));
}

void Connection::refuseAndClose(const RequestError& error) {
    exchange_->keepAlive = false;
    refuse(error);
}

void Connection::refuseHead(const HeadError& error) {
    // There is no request to speak of: what follows on this connection cannot be told apart.
    newExchange();
    headBegun_ = false;
    refuseAndClose(RequestError(error.status, error.code, error.message));
}

void Connection::sendHead(const Reply& reply, std::string_view contentType, ResponseFraming framing,
                          std::size_t length) {
    auto& exchange = *exchange_;
    const auto body = exchange.decoder.state();
    // A body that is not read to its end leaves the connection useless for another request.
    exchange.keepAlive = exchange.keepAlive && !loop_.draining() &&
                         (body == BodyDecoder::State::complete ||
                          (body == BodyDecoder::State::reading && !exchange.head.expectsContinue));
    exchange.status = reply.status();
    ResponseHead head;
    head.status = reply.status();
    head.contentType = contentType;
    head.headers = &reply.headers();
    head.framing = framing;
    head.length = length;
    head.requestId = exchange.requestId;
    head.dateHeader = loop_.dateHeader();
    head.close = !exchange.keepAlive;
    head.http10 = exchange.head.http10;
    appendHead(out_, head);
    // Before the client has it, so that whoever asks finds it in the log.
    if (failed(exchange.status))
        logRequest(LogLevel::warn);
}

void Connection::sendWhole(Reply reply) {
    auto& exchange = *exchange_;
    auto& whole = std::get<Reply::Whole>(reply.content());
    exchange.delivered = reply.takeDelivered();
    // What must not get lost is not written to a peer that has gone. A peer that has only shut down its
    // sending side cannot be told from that, and does not get it either.
    if (exchange.delivered && (peerShut_ || peerHasClosed())) {
        close();
        return;
    }
    sendHead(reply, whole.contentType, ResponseFraming::length, whole.body.size());
    if (exchange.head.method != "HEAD" && !isBodyless(reply.status())) {
        if (holdsSecrets_)
            out_.reserve(out_.size() + whole.body.size());
        out_.append(whole.body);
    }
    if (holdsSecrets_)
        wipe(whole.body);
    state_ = State::writing;
    setDeadline(loop_.services().limits.writeTimeout);
    flush();
}

void Connection::flush() {
    bool progress = false;
    while (sent_ < out_.size()) {
        const auto sent = ::send(descriptor_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
        if (sent >= 0) {
            sent_ += static_cast<std::size_t>(sent);
            progress = true;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            // The fan-out may be walking over its subscribers, this one among them.
            if (state_ == State::subscribed)
                cutOff();
            else
                close();
            return;
        }
    }
    if (stream_)
        stream_->setBacklog(backlog());
    if (sent_ < out_.size()) {
        if (sent_ > keptBuffer) {
            out_.erase(0, sent_);
            sent_ = 0;
        }
        // Time-outs for writing count from the last byte that the peer took.
        const bool unbounded = deadline_ == EventLoop::Clock::time_point::max();
        if ((progress || unbounded) && state_ != State::subscribed && state_ != State::body)
            setDeadline(loop_.services().limits.writeTimeout);
        return;
    }
    clearOutput();
    written();
}

void Connection::clearOutput() {
    sent_ = 0;
    if (holdsSecrets_)
        wipe(out_);
    out_.clear();
    if (out_.capacity() > keptBuffer)
        out_.shrink_to_fit();
}

void Connection::written() {
    if (state_ == State::writing || endAfterWrite_)
        finishExchange();
    else if (state_ == State::streaming)
        deadline_ = EventLoop::Clock::time_point::max();
    else if (state_ == State::subscribed)
        stalledBeats_ = 0;
}

void Connection::finishExchange() {
    auto& exchange = *exchange_;
    endAfterWrite_ = false;
    if (!failed(exchange.status))
        logRequest(LogLevel::debug);
    reportDelivery(true);
    if (!exchange.keepAlive) {
        lingeringClose();
        return;
    }
    if (exchange.decoder.state() == BodyDecoder::State::reading) {
        state_ = State::draining;
        setDeadline(loop_.services().limits.bodyTimeout);
        if (!feeding_)
            pump();
        return;
    }
    nextRequest();
}

void Connection::reportDelivery(bool whole) {
    const auto delivered = std::exchange(exchange_->delivered, nullptr);
    if (!delivered)
        return;
    try {
        delivered(whole);
    } catch (...) {
        static_cast<void>(replyFor(std::current_exception(), *exchange_->call, loop_.services().log));
    }
}

void Connection::nextRequest() {
    endExchange();
    state_ = State::head;
    if (loop_.draining()) {
        lingeringClose();
        return;
    }
    setDeadline(loop_.services().limits.idleTimeout);
    if (!feeding_)
        pump();
}

Exchange& Connection::newExchange() {
    exchange_ = std::make_unique<Exchange>();
    exchange_->id = ++exchanges_;
    exchange_->requestId = loop_.newRequestId();
    exchange_->began = loop_.now();
    loop_.requestBegan();
    return *exchange_;
}

void Connection::endExchange() {
    if (!exchange_)
        return;
    auto& exchange = *exchange_;
    if (exchange.parked)
        unpark();
    if (exchange.subscribed) {
        loop_.fanout().detach(id_);
        loop_.services().hub.left();
    }
    if (exchange.abandonment)
        exchange.abandonment->declare();
    if (const auto stream = std::exchange(stream_, nullptr))
        stream->detach();
    reportDelivery(false);
    if (holdsSecrets_)
        wipe(exchange.body);
    loop_.services().bodies.give(exchange.reserved);
    exchange_.reset();
    loop_.requestEnded();
}

void Connection::lingeringClose() {
    // Closing with unread input would make the kernel send a reset, which can overtake the answer.
    endExchange();
    if (peerShut_) {
        close();
        return;
    }
    ::shutdown(descriptor_, SHUT_WR);
    state_ = State::lingering;
    discarded_ = 0;
    in_.clear();
    setDeadline(loop_.draining() ? std::chrono::milliseconds(lingerTimeDraining) : lingerTime);
    if (!feeding_)
        read();
}

void Connection::close() {
    if (state_ == State::closed)
        return;
    state_ = State::closed;
    endExchange();
    loop_.retire(id_);
}

void Connection::onDeadline() {
    deadline_ = EventLoop::Clock::time_point::max();
    switch (state_) {
        case State::head:
            if (headBegun_)
                refuseHead({408, "timeout", "the request head took too long"});
            else
                close();
            break;
        case State::body:
            refuseAndClose(RequestError(408, "timeout", "the request body took too long"));
            break;
        case State::parked: {
            auto otherwise = std::move(*exchange_->parked->otherwise);
            answerParked(std::move(otherwise));
            break;
        }
        case State::subscribed:
            beat();
            break;
        case State::busy:
        case State::closed:
            break;
        case State::streaming:
        case State::writing:
        case State::draining:
        case State::lingering:
            close();
            break;
    }
}

void Connection::beat() {
    constexpr int patience = 3;
    if (endAfterWrite_ || (backlog() > 0 && ++stalledBeats_ > patience)) {
        close();
        return;
    }
    setDeadline(loop_.services().limits.heartbeat);
    if (send(": heartbeat\n\n"))
        loop_.fanout().drained(id_);
}

void Connection::logRequest(LogLevel level) const {
    auto& log = loop_.services().log;
    const auto& exchange = *exchange_;
    if (!log.enabled(level))
        return;
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(EventLoop::Clock::now() - exchange.began);
    log.write(level, "request",
              {{"method", exchange.head.method},
               {"path", exchange.head.path},
               {"status", exchange.status},
               {"micros", micros.count()},
               {"request", exchange.requestId}});
}

}  // namespace sallyport::host::http
