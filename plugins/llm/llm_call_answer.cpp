// What LlmCall does with an answer.
#include <utility>

#include "llm_call.h"

namespace sallyport::plugins::llm {

namespace {

constexpr const char* eventStream = "text/event-stream";

/// The upstream waits while the client's network has more than this to take.
constexpr std::size_t greatestBacklog = std::size_t{256} * 1024;
/// A larger answer is read on the pool, as the loop has others to serve.
constexpr std::size_t loopAnswer = std::size_t{64} * 1024;

}  // namespace

void LlmCall::onHead(const UpstreamHead& head) {
    const Lock lock(mutex_);
    head_ = head;
    for (auto& [name, value] : head_.headers) {
        key_->mask.apply(value);
    }
}

void LlmCall::onBody(std::string_view piece) {
    Lock lock(mutex_);
    if (ended_ || bad_) {
        return;
    }
    if (!isStreamed()) {
        body_.append(piece);
        return;
    }
    try {
        reader_->feed(piece, [this](std::string_view bytes) { relay(bytes); });
    } catch (const BadAnswer& error) {
        bad_ = error;
        const auto id = *upstream_;
        lock.unlock();
        gateway_.parts_.upstream.cancel(id);
        return;
    }
    const std::size_t backlog = stream_ ? stream_->pending() : unsent_.size();
    if (paused_ || backlog <= greatestBacklog) {
        return;
    }
    paused_ = true;
    const auto id = *upstream_;
    const auto stream = stream_;
    lock.unlock();
    gateway_.parts_.upstream.pause(id);
    if (stream) {
        awaitDrained(*stream);
    }
}

/// Whether what comes is handed on as it comes. A provider that was asked for a stream may refuse, or answer
/// in one piece.
bool LlmCall::isStreamed() const {
    const std::string_view type = headerOf(head_, "content-type");
    return translation_->streams() && isSuccess(head_.status) &&
           (type.starts_with(eventStream) || type.starts_with("application/x-ndjson"));
}

/// Hands bytes on to the client; the first ones make the answer a stream. With the lock held.
void LlmCall::relay(std::string_view bytes) {
    if (!opened_) {
        opened_ = true;
        promise_->fulfil(Reply::stream(200, eventStream,
                                       [self = shared_from_this()](const std::shared_ptr<Stream>& stream) {
                                           self->attach(stream);
                                       })
                             .header("X-Accel-Buffering", "no"));
    }
    keep(answerBody_, bytes);
    if (stream_) {
        stream_->write(bytes);
    } else {
        unsent_.append(bytes);
    }
}

/// What the client has not seen yet of a stream that breaks off. With the lock held.
std::string LlmCall::heldBack() {
    return reader_ ? reader_->rest() : std::string();
}

/// The last byte has been handed on. With the lock held.
void LlmCall::endBody() {
    bodyEnded_ = true;
    if (stream_) {
        stream_->end();
    }
}

/// The connection can take the body. If the call has ended without one, the stream is cut by letting go of
/// it.
void LlmCall::attach(const std::shared_ptr<Stream>& stream) {
    Lock lock(mutex_);
    if (ended_ && !bodyEnded_) {
        return;
    }
    stream->write(std::exchange(unsent_, {}));
    if (bodyEnded_) {
        stream->end();
        return;
    }
    stream_ = stream;
    const bool paused = paused_;
    lock.unlock();
    stream->onClosed([weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->clientLeft();
        }
    });
    if (paused) {
        awaitDrained(*stream);
    }
}

void LlmCall::awaitDrained(Stream& stream) {
    stream.onDrained([weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->drained();
        }
    });
}

void LlmCall::drained() {
    Lock lock(mutex_);
    if (ended_ || !upstream_ || !std::exchange(paused_, false)) {
        return;
    }
    const auto id = *upstream_;
    lock.unlock();
    gateway_.parts_.upstream.resume(id);
}

// The end of a try

void LlmCall::onDone(UpstreamProblem problem, const std::string& detail) {
    Lock lock(mutex_);
    if (ended_) {
        return;
    }
    upstream_.reset();
    paused_ = false;
    if (bad_) {
        failed(lock, badAnswer(), bad_->what());
    } else if (problem != UpstreamProblem::none) {
        failed(lock, failureOf(problem), detail);
    } else if (body_.size() > loopAnswer) {
        lock.unlock();
        gateway_.parts_.host.run([self = shared_from_this()] {
            Lock later(self->mutex_);
            if (!self->ended_) {
                self->conclude(later);
            }
        });
    } else {
        conclude(lock);
    }
}

/// The whole answer is there.
void LlmCall::conclude(Lock& lock) {
    key_->mask.apply(body_);
    if (isSuccess(head_.status)) {
        deliver(lock);
    } else {
        failed(lock, refusal(), upstreamErrorText(body_));
    }
}

void LlmCall::deliver(Lock& lock) {
    std::optional<Reply> reply;
    try {
        if (isStreamed()) {
            const std::string end = reader_->end();
            if (!end.empty() || !opened_) {
                relay(end);
            }
            endBody();
        } else {
            keep(answerBody_, body_);
            reply = reader_->whole(head_, std::move(body_));
        }
    } catch (const BadAnswer& error) {
        failed(lock, badAnswer(), error.what());
        return;
    }
    finish(lock, CallOutcome::ok, "", std::move(reply));
}

}  // namespace sallyport::plugins::llm
