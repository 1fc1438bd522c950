// What a connection sends.
#include <utility>

#include <sallyport/errors.h>

#include "host/http/connection.h"
#include "host/http/connection_stream.h"
#include "host/http/plugin_entry.h"

namespace sallyport::host::http {

// Replies

void Connection::answer(Reply reply) {
    if (exchange_->isSecret()) {
        reader_.keepSecret();
        writer_.keepSecret();
    }
    state_ = State::working;
    deadline_ = never;
    if (std::holds_alternative<Reply::Whole>(reply.content())) {
        sendWhole(std::move(reply));
    } else if (std::holds_alternative<Reply::Streamed>(reply.content())) {
        startStream(std::move(reply));
    } else if (std::holds_alternative<Reply::Tunnelled>(reply.content())) {
        startTunnel(std::move(reply));
    } else {
        subscribe(std::move(reply));
    }
    // A token that was revoked while the handler ran has been told of before there was anything to end.
    if (isHeldOpen() && exchange_->isRevoked()) {
        cutTunnel(TunnelEnd::revoked);
    }
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
    const bool unknown = !place_->isAuthenticated() && loop_.now() >= anonymousUntil_;
    if (loop_.draining() || !reader_.canGoOn() || unread || unknown) {
        exchange.closeAfterwards();
    }
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
    if (exchange_->head().http10) {
        exchange_->closeAfterwards();
    }
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
    if (!http::startStream(streamed.producer, handle, *call)) {
        close();
    }
}

void Connection::streamWrite(std::uint64_t exchange, std::string bytes) {
    if (!isCurrent(exchange) || state_ != State::streaming) {
        return;
    }
    writer_.writeMoved(std::move(bytes));
    flush();
}

void Connection::streamEnd(std::uint64_t exchange, bool whole) {
    if (!isCurrent(exchange) || state_ != State::streaming) {
        return;
    }
    if (whole) {
        finishBody();
    } else {
        close();
    }
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
    if (subscription.replay) {
        subscription.replay = kept(call, std::move(subscription.replay));
    }
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

void Connection::writeOn() {
    if (writer_.backlog() == 0) {
        return;
    }
    if (state_ == State::tunnelling) {
        writeTunnel();
        return;
    }
    flush();
    if (state_ == State::subscribed && writer_.backlog() == 0) {
        loop_.fanout().drained(id_);
    }
}

void Connection::flush() {
    const auto outcome = writer_.flush();
    if (outcome == ResponseWriter::Outcome::failed) {
        // The fan-out may be walking over its subscribers, this one among them.
        if (state_ == State::subscribed) {
            subscriber_->cutOff();
        } else {
            close();
        }
        return;
    }
    if (stream_) {
        stream_->setBacklog(writer_.backlog());
    }
    if (outcome == ResponseWriter::Outcome::drained) {
        written();
        return;
    }
    if (outcome == ResponseWriter::Outcome::paused) {
        giveWay();
    }
    // Time-outs for writing count from the last byte that the peer took.
    if ((writer_.progressed() || deadline_ == never) && state_ != State::subscribed &&
        state_ != State::receiving) {
        setDeadline(loop_.services().limits.writeTimeout);
    }
}

void Connection::written() {
    if (state_ == State::finishing) {
        finishExchange();
    } else if (state_ == State::streaming) {
        deadline_ = never;
    } else if (state_ == State::subscribed) {
        subscriber_->drained();
    }
}

}  // namespace sallyport::host::http
