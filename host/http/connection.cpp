#include "host/http/connection.h"

#include <algorithm>
#include <utility>

#include <sallyport/errors.h>

#include "host/http/connection_stream.h"
#include "host/http/tunnel_session.h"

namespace sallyport::host::http {

namespace {

using namespace std::chrono_literals;

// What a connection has of a turn. The turns are short: whoever comes anew waits for one of each that was
// there before.
constexpr int requestsInATurn = 4;
constexpr std::size_t bytesInATurn = std::size_t{64} * 1024;
constexpr auto lingerTime = 2s;
/// The same while the daemon stops.
constexpr auto lingerTimeDraining = 200ms;
/// What a new connection has for its first request while the daemon stops.
constexpr auto firstRequestDraining = 500ms;
/// What is dropped of a refused body, so that a client that sends first and reads then still gets to read.
constexpr std::size_t lingerBytes = std::size_t{64} * 1024 * 1024;

}  // namespace

Connection::Connection(EventLoop& loop, EventLoop::ConnectionId id, std::unique_ptr<Transport> transport,
                       std::unique_ptr<Door::Place> place, const Door& door)
    : loop_(loop),
      id_(id),
      transport_(std::move(transport)),
      place_(std::move(place)),
      door_(door),
      anonymousUntil_(loop.now() + loop.services().limits.anonymousTimeout),
      reader_(loop.services().limits, {loop.services().bodies, door.options().realm}),
      writer_(*transport_) {
    awaitRequest(loop_.services().limits.headerTimeout);
    place_->onEvicted(
        [&loop, id] { loop.postAtOnce(id, [](Connection& connection) { connection.giveUpPlace(); }); });
}

Connection::~Connection() {
    endTunnel(TunnelEnd::stopping);
    endExchange();
}

void Connection::setDeadline(EventLoop::Clock::time_point deadline) {
    deadline_ = deadline;
    loop_.wakeBy(deadline_);
}

/// Nothing of a request has come. Whoever has not said who it is has little time left for it.
void Connection::awaitRequest(std::chrono::milliseconds patience) {
    const auto until = loop_.now() + patience;
    setDeadline(place_->isAuthenticated() ? until : std::min(until, anonymousUntil_));
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
        peerEnded(ready.gone);
    }
    if (ready.writable) {
        writeOn();
    }
    turn();
}

/// A client may shut down its sending side after the request, and still gets its answer. One that has gone
/// looks just the same until it is sent something.
void Connection::peerEnded(bool gone) {
    const bool first = !std::exchange(peerShut_, true);
    const bool waits = state_ == State::working && (exchange_->isParked() || exchange_->isWatched());
    // Nothing can be told to somebody in the middle of a body: there it has hung up.
    if (state_ == State::streaming || state_ == State::subscribed || (waits && gone)) {
        close();
    } else if (waits && first) {
        probeLater();
    }
}

/// Most answers come before it is worth asking.
void Connection::probeLater() {
    setDeadline(std::min(deadline_, loop_.now() + loop_.services().limits.probeDelay));
}

/// A peer that has gone answers any byte with a reset; one that waits passes an interim response over.
/// HTTP/1.0 has none: there it has hung up, too.
void Connection::probePeer() {
    if (exchange_->head().http10) {
        close();
        return;
    }
    setDeadline(exchange_->waitsUntil());
    writer_.beginInterim();
    flush();
}

void Connection::turn() {
    if (gaveWay_) {
        return;
    }
    share_ = bytesInATurn;
    int requests = requestsInATurn;
    while (state_ == State::receiving) {
        if (reader_.stage() == RequestReader::Stage::idle && requests-- == 0) {
            giveWay();
            break;
        }
        if (!readOn()) {
            break;
        }
    }
    while (state_ == State::tunnelling && tunnelOn()) {
    }
    if (!reader_.store()) {
        close();
    }
    while (state_ == State::lingering && discardInput()) {
    }
}

void Connection::giveWay() {
    if (!std::exchange(gaveWay_, true)) {
        loop_.serveLater(*this);
    }
}

void Connection::goOn() {
    gaveWay_ = false;
    writeOn();
    turn();
}

void Connection::giveUpPlace() {
    // Somebody who has said who it is in the meantime gets its answer.
    if (place_->isAuthenticated() && exchange_) {
        exchange_->closeAfterwards();
    } else {
        close();
    }
}

/// @return false when there is nothing to read for now.
bool Connection::readOn() {
    const auto before = reader_.stage();
    switch (reader_.advance()) {
        case RequestReader::Progress::starved:
            if (before == RequestReader::Stage::idle && reader_.stage() == RequestReader::Stage::head) {
                setDeadline(loop_.services().limits.headerTimeout);
            }
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
            if (before != RequestReader::Stage::body) {
                exchange_ = std::make_unique<Exchange>(loop_, door_, id_, ++exchanges_);
            }
            refuseAndClose(reader_.error());
            break;
    }
    return true;
}

bool Connection::receive() {
    // The scratch is about to be overwritten.
    if (!reader_.store()) {
        close();
        return false;
    }
    const auto input = readSome(reader_.appetite());
    if (!input.empty()) {
        reader_.supply(input);
    }
    return !input.empty();
}

/// @return false when there is nothing more to discard for now.
bool Connection::discardInput() {
    const auto bytes = readSome(bytesInATurn).size();
    discarded_ += bytes;
    if (discarded_ > lingerBytes) {
        close();
    }
    return bytes > 0;
}

/// @return what was read, lent until the next time; nothing when there is none, or this turn's share is used
/// up.
std::span<char> Connection::readSome(std::size_t most) {
    if (!readable_) {
        return {};
    }
    if (share_ == 0) {
        giveWay();
        return {};
    }
    const auto scratch = std::span(loop_.scratch());
    const auto result = transport_->read(scratch.first(std::min({scratch.size(), most, share_})));
    readable_ = result.more;
    share_ -= result.bytes;
    const bool ended = result.status == Transport::Status::ended;
    if (ended && state_ == State::tunnelling) {
        peerShut_ = inputEnded_ = true;
    } else if (ended || result.status == Transport::Status::failed) {
        close();
    }
    return scratch.first(result.bytes);
}

void Connection::beginExchange() {
    exchange_ = std::make_unique<Exchange>(loop_, door_, id_, ++exchanges_);
    state_ = State::working;
    auto reply = exchange_->admit(reader_.takeHead(), *transport_, *place_);
    if (reply) {
        answer(std::move(*reply));
        return;
    }
    if (exchange_->isSecret()) {
        reader_.keepSecret();
    }
    if (exchange_->isProxied() ||
        !reader_.expectBody(exchange_->head(), exchange_->bodyLimit(), exchange_->bodyShare())) {
        settle(exchange_->dispatch({}));
        return;
    }
    state_ = State::receiving;
    pace_ = BodyPace(loop_.services().limits, loop_.now());
    setDeadline(pace_.deadline());
    if (exchange_->head().expectsContinue) {
        writer_.beginInterim();
        flush();
    }
}

void Connection::judgeBody() {
    switch (pace_.judge(loop_.now(), reader_.bodySize())) {
        case BodyPace::Verdict::goesOn:
            setDeadline(pace_.deadline());
            break;
        case BodyPace::Verdict::tooLate:
            refuseAndClose(RequestError(408, "timeout", "the request body took too long"));
            break;
        case BodyPace::Verdict::tooSlow:
            refuseAndClose(RequestError(408, "too_slow", "the request body came too slowly"));
            break;
    }
}

void Connection::onDeadline() {
    deadline_ = never;
    switch (state_) {
        case State::receiving:
            if (reader_.stage() == RequestReader::Stage::body) {
                judgeBody();
            } else if (reader_.stage() == RequestReader::Stage::head) {
                exchange_ = std::make_unique<Exchange>(loop_, door_, id_, ++exchanges_);
                refuseAndClose(RequestError(408, "timeout", "the request head took too long"));
            } else {
                close();
            }
            break;
        case State::working:
            if (exchange_->isParked() && loop_.now() >= exchange_->parkedUntil()) {
                settle(exchange_->giveUp());
            } else if (loop_.now() >= exchange_->waitsUntil()) {
                settle(exchange_->expire());
            } else if (peerShut_) {
                probePeer();
            }
            break;
        case State::subscribed:
            setDeadline(loop_.services().limits.heartbeat);
            if (!subscriber_->beat()) {
                close();
            }
            break;
        case State::tunnelling:
            judgeTunnel();
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
    if (!isCurrent(exchange) || !exchange_->awaitsReply()) {
        return false;
    }
    settle(exchange_->complete(std::move(reply)));
    turn();
    return true;
}

void Connection::resume(std::uint64_t exchange, const std::exception_ptr& error) {
    if (!isCurrent(exchange) || !exchange_->awaitsTurn()) {
        return;
    }
    settle(exchange_->resume(error));
    turn();
}

void Connection::retry(std::uint64_t exchange) {
    if (!isCurrent(exchange) || !exchange_->isParked()) {
        return;
    }
    settle(exchange_->retry());
    turn();
}

void Connection::settle(std::optional<Reply> reply) {
    if (!reply && exchange_->isParked() && loop_.draining()) {
        reply = exchange_->giveUp();
    }
    if (reply) {
        answer(std::move(*reply));
        return;
    }
    setDeadline(exchange_->waitsUntil());
    if (peerShut_ && (exchange_->isParked() || exchange_->isWatched())) {
        probeLater();
    }
}

void Connection::endRevoked(const std::optional<JobId>& job) {
    if (job && place_->isOf(*job)) {
        place_->forget();
        anonymousUntil_ = loop_.now() + loop_.services().limits.anonymousTimeout;
        if (state_ == State::receiving && reader_.stage() == RequestReader::Stage::idle) {
            setDeadline(std::min(deadline_, anonymousUntil_));
        }
    }
    if (!exchange_ || !exchange_->isRevoked()) {
        return;
    }
    if (isHeldOpen()) {
        cutTunnel(TunnelEnd::revoked);
    } else if (state_ == State::working) {
        if (auto reply = exchange_->revoke()) {
            answer(std::move(*reply));
        }
    }
    turn();
}

void Connection::endWait(const Gate& gate) {
    if (!exchange_ || !exchange_->uses(gate)) {
        return;
    }
    if (state_ == State::working && exchange_->isParked()) {
        settle(exchange_->giveUp());
    } else if (state_ == State::subscribed) {
        finishBody();
    } else if (state_ == State::tunnelling) {
        cutTunnel(TunnelEnd::stopping);
    }
    turn();
}

bool Connection::isIdle() const {
    return state_ == State::receiving && reader_.stage() == RequestReader::Stage::idle &&
           reader_.buffered() == 0;
}

void Connection::drainIdle() {
    // What has arrived before the end is answered, also if others should have had their turn first.
    readable_ = true;
    gaveWay_ = false;
    turn();
    if (!isIdle()) {
        return;
    }
    // Who has just come is about to ask.
    if (exchanges_ == 0) {
        setDeadline(firstRequestDraining);
    } else {
        lingeringClose();
    }
}

void Connection::drain() {
    if (isIdle()) {
        drainIdle();
    } else if (state_ == State::working && exchange_->isParked()) {
        settle(exchange_->giveUp());
    } else if (state_ == State::subscribed) {
        finishBody();
    } else if (state_ == State::tunnelling) {
        tunnel_->drain();
    }
    turn();
}

// Between two requests

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
    if (const auto stream = std::exchange(stream_, nullptr)) {
        stream->detach();
    }
    exchange_.reset();
}

void Connection::nextRequest() {
    endExchange();
    reader_.nextRequest();
    state_ = State::receiving;
    if (loop_.draining()) {
        lingeringClose();
    } else {
        awaitRequest(loop_.services().limits.idleTimeout);
    }
}

void Connection::shutDownSending() {
    if (!std::exchange(shut_, true)) {
        transport_->shutDownSending();
    }
}

void Connection::lingeringClose() {
    // Closing with unread input would make the kernel send a reset, which can overtake the answer.
    endExchange();
    if (peerShut_) {
        close();
        return;
    }
    shutDownSending();
    state_ = State::lingering;
    reader_.discard();
    setDeadline(loop_.draining() ? std::chrono::milliseconds(lingerTimeDraining) : lingerTime);
}

void Connection::close() noexcept {
    if (state_ == State::closed) {
        return;
    }
    subscriber_.reset();
    // Now, and not when the loop comes to bury this: the memory is wanted by others.
    writer_.discard();
    state_ = State::closed;
    endTunnel(loop_.draining() ? TunnelEnd::stopping : TunnelEnd::lost);
    endExchange();
    loop_.retire(id_);
}

}  // namespace sallyport::host::http
