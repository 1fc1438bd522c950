#include "host/http/connection.h"

#include <utility>

#include <sallyport/errors.h>

#include "host/http/connection_stream.h"
#include "host/http/plugin_entry.h"

namespace sallyport::host::http {

namespace {

using namespace std::chrono_literals;

/// Requests that one connection may have answered in a row while others wait.
constexpr int requestsInARow = 32;
constexpr auto lingerTime = 2s;
/// The same while the daemon stops.
constexpr auto lingerTimeDraining = 200ms;
/// What is dropped of a refused body, so that a client that sends first and reads then still gets to read.
constexpr std::size_t lingerBytes = std::size_t{64} * 1024 * 1024;
constexpr auto never = EventLoop::Clock::time_point::max();

}  // namespace

Connection::Connection(EventLoop& loop, EventLoop::ConnectionId id, std::unique_ptr<Transport> transport,
                       Door& door)
    : loop_(loop),
      id_(id),
      transport_(std::move(transport)),
      door_(door),
      reader_(loop.services().limits),
      writer_(*transport_) {
    setDeadline(loop_.services().limits.headerTimeout);
}

Connection::~Connection() {
    endExchange();
    --door_.connections;
}

void Connection::setDeadline(std::chrono::milliseconds delay) {
    deadline_ = loop_.now() + delay;
    loop_.wakeBy(deadline_);
}

// Input

void Connection::onEvents(std::uint32_t events) {
    const auto ready = transport_->onEvents(events);
    if (ready.failed) {
        close();
        return;
    }
    readable_ |= ready.readable;
    if (ready.ended) {
        peerShut_ = true;
        // Whoever only waits has nobody left to wait for. A request whose answer is being made still gets it:
        // a client may shut down its sending side after the request.
        const bool waits = state_ == State::working && (exchange_->isParked() || exchange_->isWatched());
        if (waits || state_ == State::streaming || state_ == State::subscribed) {
            close();
            return;
        }
    }
    if (ready.writable && writer_.backlog() > 0) {
        flush();
        if (state_ == State::subscribed && writer_.backlog() == 0)
            loop_.fanout().drained(id_);
    }
    turn();
}

void Connection::turn() {
    for (int requests = 0; state_ == State::receiving && requests <= requestsInARow;) {
        if (reader_.stage() == RequestReader::Stage::idle && requests++ == requestsInARow) {
            loop_.postTo(id_, [](Connection& connection) { connection.pump(); });
        } else if (!readOn()) {
            break;
        }
    }
    reader_.store();
    while (state_ == State::lingering && discardInput()) {
    }
}

/// @return false when there is nothing to read for now.
bool Connection::readOn() {
    const auto before = reader_.stage();
    switch (reader_.advance()) {
        case RequestReader::Progress::starved:
            if (before == RequestReader::Stage::idle && reader_.stage() == RequestReader::Stage::head)
                setDeadline(loop_.services().limits.headerTimeout);
            return receive();
        case RequestReader::Progress::head:
            beginExchange();
            break;
        case RequestReader::Progress::body:
            state_ = State::working;
            settle(exchange_->dispatch(reader_.takeBody()));
            break;
        case RequestReader::Progress::dropped:
            nextRequest();
            break;
        case RequestReader::Progress::failed:
            if (before == RequestReader::Stage::dropping) {
                lingeringClose();
                break;
            }
            // Of a head there is no request to speak of.
            if (before != RequestReader::Stage::body)
                exchange_ = std::make_unique<Exchange>(loop_, door_, id_, ++exchanges_);
            refuseAndClose(reader_.error());
            break;
    }
    return true;
}

bool Connection::receive() {
    if (!readable_)
        return false;
    // The scratch is about to be overwritten.
    reader_.store();
    std::size_t bytes = 0;
    const auto input = readInto(bytes);
    if (bytes > 0)
        reader_.supply(input.first(bytes));
    return bytes > 0;
}

/// @return false when there is nothing more to discard for now.
bool Connection::discardInput() {
    if (!readable_)
        return false;
    std::size_t bytes = 0;
    static_cast<void>(readInto(bytes));
    discarded_ += bytes;
    if (discarded_ > lingerBytes)
        close();
    return bytes > 0;
}

std::span<char> Connection::readInto(std::size_t& bytes) {
    const std::span<char> scratch(loop_.scratch());
    const auto result = transport_->read(scratch);
    bytes = result.bytes;
    readable_ = result.more;
    if (result.status == Transport::Status::ended || result.status == Transport::Status::failed)
        close();
    return scratch;
}

void Connection::beginExchange() {
    exchange_ = std::make_unique<Exchange>(loop_, door_, id_, ++exchanges_);
    state_ = State::working;
    auto reply = exchange_->admit(reader_.takeHead(), *transport_);
    if (reply) {
        answer(std::move(*reply));
        return;
    }
    if (exchange_->isSecret())
        reader_.keepSecret();
    if (!reader_.expectBody(exchange_->head(), exchange_->bodyLimit(), exchange_->bodyShare())) {
        settle(exchange_->dispatch({}));
        return;
    }
    state_ = State::receiving;
    setDeadline(loop_.services().limits.bodyTimeout);
    if (exchange_->head().expectsContinue) {
        writer_.beginInterim();
        flush();
    }
}

void Connection::onDeadline() {
    deadline_ = never;
    switch (state_) {
        case State::receiving:
            if (reader_.stage() == RequestReader::Stage::body) {
                refuseAndClose(RequestError(408, "timeout", "the request body took too long"));
            } else if (reader_.stage() == RequestReader::Stage::head) {
                exchange_ = std::make_unique<Exchange>(loop_, door_, id_, ++exchanges_);
                refuseAndClose(RequestError(408, "timeout", "the request head took too long"));
            } else {
                close();
            }
            break;
        case State::working:
            if (exchange_->isParked())
                settle(exchange_->giveUp());
            break;
        case State::subscribed:
            setDeadline(loop_.services().limits.heartbeat);
            if (!subscriber_->beat())
                close();
            break;
        case State::closed:
            break;
        case State::streaming:
        case State::finishing:
        case State::lingering:
            close();
            break;
    }
    turn();
}

// What the exchange comes to

bool Connection::complete(std::uint64_t exchange, Reply& reply) {
    if (!isCurrent(exchange) || !exchange_->awaitsReply())
        return false;
    settle(exchange_->complete(std::move(reply)));
    turn();
    return true;
}

void Connection::resume(std::uint64_t exchange, const std::exception_ptr& error) {
    if (!isCurrent(exchange))
        return;
    settle(exchange_->resume(error));
    turn();
}

void Connection::retry(std::uint64_t exchange) {
    if (!isCurrent(exchange) || !exchange_->isParked())
        return;
    if (transport_->peerHasClosed()) {
        close();
        return;
    }
    settle(exchange_->retry());
    turn();
}

void Connection::settle(std::optional<Reply> reply) {
    if (!reply && exchange_->isParked() && (loop_.draining() || peerShut_))
        reply = exchange_->giveUp();
    if (reply) {
        answer(std::move(*reply));
    } else if (peerShut_ && exchange_->isWatched()) {
        close();
    } else {
        deadline_ = exchange_->parkedUntil();
        loop_.wakeBy(deadline_);
    }
}

void Connection::endRevoked() {
    if (!exchange_ || !exchange_->isRevoked())
        return;
    if (isHeldOpen()) {
        close();
    } else if (state_ == State::working) {
        if (auto reply = exchange_->revoke())
            answer(std::move(*reply));
    }
    turn();
}

void Connection::endWait(const Gate& gate) {
    if (!exchange_ || !exchange_->uses(gate))
        return;
    if (state_ == State::working && exchange_->isParked())
        settle(exchange_->giveUp());
    else if (state_ == State::subscribed)
        finishBody();
    turn();
}

void Connection::drain() {
    if (state_ == State::receiving && reader_.stage() == RequestReader::Stage::idle &&
        reader_.buffered() == 0)
        close();
    else if (state_ == State::working && exchange_->isParked())
        settle(exchange_->giveUp());
    else if (state_ == State::subscribed)
        finishBody();
    turn();
}

// Replies

void Connection::answer(Reply reply) {
    if (exchange_->isSecret()) {
        reader_.keepSecret();
        writer_.keepSecret();
    }
    state_ = State::working;
    deadline_ = never;
    if (std::holds_alternative<Reply::Whole>(reply.content()))
        sendWhole(std::move(reply));
    else if (std::holds_alternative<Reply::Streamed>(reply.content()))
        startStream(std::move(reply));
    else
        subscribe(std::move(reply));
    // A token that was revoked while the handler ran has been told of before there was anything to end.
    if (isHeldOpen() && exchange_->isRevoked())
        close();
}

void Connection::refuseAndClose(const RequestError& error) {
    exchange_->closeAfterwards();
    answer(refusal(error));
}

void Connection::sendHead(const Reply& reply, std::string_view contentType, ResponseFraming framing,
                          std::size_t length) {
    auto& exchange = *exchange_;
    const auto& request = exchange.head();
    // A body that is not read to its end leaves the connection useless for another request.
    const bool unread = reader_.bodyPending() && request.expectsContinue;
    if (loop_.draining() || !reader_.canGoOn() || unread)
        exchange.closeAfterwards();
    ResponseHead head;
    head.status = reply.status();
    head.contentType = contentType;
    head.headers = &reply.headers();
    head.framing = framing;
    head.length = length;
    head.requestId = exchange.requestId();
    head.dateHeader = loop_.dateHeader();
    head.close = !exchange.keepsAlive();
    head.http10 = request.http10;
    writer_.begin(head, request.method == "HEAD");
    exchange.answered(reply.status());
}

void Connection::sendWhole(Reply reply) {
    auto& whole = std::get<Reply::Whole>(reply.content());
    if (auto delivered = reply.takeDelivered()) {
        exchange_->onDelivered(std::move(delivered));
        // What must not get lost is not written to a peer that has gone. A peer that has only shut down its
        // sending side cannot be told from that, and does not get it either.
        if (peerShut_ || transport_->peerHasClosed()) {
            close();
            return;
        }
    }
    sendHead(reply, whole.contentType, ResponseFraming::length, whole.body.size());
    writer_.writeMoved(std::move(whole.body));
    state_ = State::finishing;
    setDeadline(loop_.services().limits.writeTimeout);
    flush();
}

ResponseFraming Connection::openFraming() const {
    return exchange_->head().http10 ? ResponseFraming::untilClose : ResponseFraming::chunked;
}

void Connection::startStream(Reply reply) {
    auto& streamed = std::get<Reply::Streamed>(reply.content());
    if (exchange_->head().http10)
        exchange_->closeAfterwards();
    sendHead(reply, streamed.contentType, openFraming(), 0);
    const auto call = exchange_->call();
    call->linger();
    if (exchange_->head().method == "HEAD") {
        finishBody();
        return;
    }
    state_ = State::streaming;
    stream_ = std::make_shared<ConnectionStream>(loop_, id_, exchange_->number(), call);
    const auto handle = stream_->handle();
    flush();
    // Also when that has found the client gone: whoever made the reply hears of it from the stream alone.
    if (!http::startStream(streamed.producer, handle, *call, loop_.services().log))
        close();
}

void Connection::streamWrite(std::uint64_t exchange, std::string bytes) {
    if (!isCurrent(exchange) || state_ != State::streaming)
        return;
    writer_.writeMoved(std::move(bytes));
    flush();
}

void Connection::streamEnd(std::uint64_t exchange, bool whole) {
    if (!isCurrent(exchange) || state_ != State::streaming)
        return;
    if (whole)
        finishBody();
    else
        close();
    turn();
}

void Connection::finishBody() {
    subscriber_.reset();
    writer_.end();
    state_ = State::finishing;
    setDeadline(loop_.services().limits.writeTimeout);
    flush();
}

void Connection::subscribe(Reply reply) {
    exchange_->closeAfterwards();
    const auto& call = exchange_->call();
    sendHead(Reply::empty(200).header("X-Accel-Buffering", "no"), "text/event-stream", openFraming(), 0);
    call->linger();
    if (exchange_->head().method == "HEAD" || loop_.draining()) {
        finishBody();
        return;
    }
    setDeadline(loop_.services().limits.heartbeat);
    auto subscription = std::move(std::get<Reply::Subscribed>(reply.content()).subscription);
    if (subscription.replay)
        subscription.replay = kept(call, std::move(subscription.replay));
    state_ = State::subscribed;
    subscriber_ = std::make_unique<EventSubscriber>(loop_, id_, *this, writer_);
    subscriber_->begin(call->route().gate->plugin(), std::move(subscription));
    flush();
}

bool Connection::flushEvents() {
    flush();
    return state_ == State::subscribed;
}

// Output

void Connection::flush() {
    const auto outcome = writer_.flush();
    if (outcome == ResponseWriter::Outcome::failed) {
        // The fan-out may be walking over its subscribers, this one among them.
        if (state_ == State::subscribed)
            subscriber_->cutOff();
        else
            close();
        return;
    }
    if (stream_)
        stream_->setBacklog(writer_.backlog());
    if (outcome == ResponseWriter::Outcome::drained) {
        written();
        return;
    }
    // Time-outs for writing count from the last byte that the peer took.
    if ((writer_.progressed() || deadline_ == never) && state_ != State::subscribed &&
        state_ != State::receiving)
        setDeadline(loop_.services().limits.writeTimeout);
}

void Connection::written() {
    if (state_ == State::finishing)
        finishExchange();
    else if (state_ == State::streaming)
        deadline_ = never;
    else if (state_ == State::subscribed)
        subscriber_->drained();
}

void Connection::finishExchange() {
    exchange_->finished();
    if (!exchange_->keepsAlive()) {
        lingeringClose();
    } else if (reader_.dropBody()) {
        endExchange();
        state_ = State::receiving;
        setDeadline(loop_.services().limits.bodyTimeout);
    } else {
        nextRequest();
    }
}

void Connection::endExchange() {
    if (const auto stream = std::exchange(stream_, nullptr))
        stream->detach();
    exchange_.reset();
}

void Connection::nextRequest() {
    endExchange();
    reader_.nextRequest();
    state_ = State::receiving;
    if (loop_.draining())
        lingeringClose();
    else
        setDeadline(loop_.services().limits.idleTimeout);
}

void Connection::lingeringClose() {
    // Closing with unread input would make the kernel send a reset, which can overtake the answer.
    endExchange();
    if (peerShut_) {
        close();
        return;
    }
    transport_->shutDownSending();
    state_ = State::lingering;
    reader_.discard();
    setDeadline(loop_.draining() ? std::chrono::milliseconds(lingerTimeDraining) : lingerTime);
}

void Connection::close() {
    if (state_ == State::closed)
        return;
    subscriber_.reset();
    // Now, and not when the loop comes to bury this: the memory is wanted by others.
    writer_.discard();
    state_ = State::closed;
    endExchange();
    loop_.retire(id_);
}

}  // namespace sallyport::host::http
