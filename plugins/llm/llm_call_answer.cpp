// What LlmCall does with an answer.
#include <utility>

#include "llm_call.h"

namespace sallyport::plugins::llm {

namespace {

/// The upstream waits while the client's network has more than this to take.
constexpr std::size_t greatestBacklog = std::size_t{256} * 1024;
/// A whole answer is gathered in pieces of about this: what grows as one is copied again and again.
constexpr std::size_t pieceOfBody = std::size_t{64} * 1024;

std::string joined(std::vector<std::string> pieces) {
    if (pieces.size() == 1) {
        return std::move(pieces.front());
    }
    std::string text;
    for (const std::string& piece : pieces) {
        text += piece;
    }
    return text;
}

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
    received_ += piece.size();
    if (!isStreamed()) {
        if (body_.empty() || body_.back().size() >= pieceOfBody) {
            body_.emplace_back();
        }
        body_.back().append(piece);
        return;
    }
    if (piece.size() + reader_->waiting() <= loopAnswer) {
        auto bad = feed(piece, [this](std::string_view bytes) { relay(bytes); });
        goOn(lock, std::move(bad), false);
        return;
    }
    struct Fed {
        std::string passed{};
        std::optional<BadAnswer> bad{};
    };
    // Nothing more is to come until this has been read.
    gateway_.parts_.upstream.pause(*upstream_);
    doWork(
        lock, true,
        [this, piece = std::string(piece)] {
            Fed fed;
            fed.bad = feed(piece, [&fed](std::string_view bytes) { fed.passed += bytes; });
            return fed;
        },
        [this](Lock& later, Fed fed) {
            if (!fed.passed.empty()) {
                relay(fed.passed);
            }
            goOn(later, std::move(fed.bad), true);
        });
}

/// Has the reader take a piece of a stream. @return what is wrong with it
template <class Pass>
std::optional<BadAnswer> LlmCall::feed(std::string_view piece, Pass pass) {
    try {
        reader_->feed(piece, pass);
        return std::nullopt;
    } catch (const BadAnswer& error) {
        return error;
    }
}

/// A piece of a stream has been handed on. @param held whether the upstream was told to wait meanwhile
void LlmCall::goOn(Lock& lock, std::optional<BadAnswer> bad, bool held) {
    const auto id = *upstream_;
    if (bad) {
        bad_ = std::move(bad);
        lock.unlock();
        gateway_.parts_.upstream.cancel(id);
        return;
    }
    const std::size_t backlog = stream_ ? stream_->pending() : unsent_.size();
    const bool waits = paused_;
    paused_ = paused_ || backlog > greatestBacklog;
    const auto stream = paused_ && !waits ? stream_ : nullptr;
    const bool paused = paused_;
    lock.unlock();
    if (paused && !waits && !held) {
        gateway_.parts_.upstream.pause(id);
    } else if (!paused && held) {
        gateway_.parts_.upstream.resume(id);
    }
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
    keep(answerBody_, bytes);
    if (stream_) {
        stream_->write(bytes);
    } else {
        unsent_.append(bytes);
    }
    if (std::exchange(opened_, true)) {
        return;
    }
    // The last thing, as the connection's thread will want the lock.
    promise_->fulfil(
        Reply::stream(200, eventStream, [self = shared_from_this()](const std::shared_ptr<Stream>& stream) {
            Lock lock(self->mutex_);
            self->whenFree(lock, [call = self.get(), stream](Lock& later) { call->attach(later, stream); });
        }).header("X-Accel-Buffering", "no"));
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
void LlmCall::attach(Lock& lock, const std::shared_ptr<Stream>& stream) {
    if (ended_ && !bodyEnded_) {
        return;
    }
    const bool takesLong = unsent_.size() > greatestBacklog;
    doWork(
        lock, takesLong, [stream, text = std::exchange(unsent_, {})] { return stream->write(text); },
        [this, stream](Lock& later, bool /*open*/) { attached(later, stream); });
}

void LlmCall::attached(Lock& lock, const std::shared_ptr<Stream>& stream) {
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
            Lock lock(self->mutex_);
            self->whenFree(lock, [call = self.get()](Lock& later) { call->drained(later); });
        }
    });
}

void LlmCall::drained(Lock& lock) {
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
    whenFree(lock, [this, problem, detail](Lock& later) { ended(later, problem, detail); });
}

void LlmCall::ended(Lock& lock, UpstreamProblem problem, const std::string& detail) {
    if (ended_) {
        return;
    }
    upstream_.reset();
    paused_ = false;
    if (bad_) {
        failed(lock, badAnswer(), bad_->what());
    } else if (problem != UpstreamProblem::none) {
        failed(lock, failureOf(problem), detail);
    } else {
        conclude(lock);
    }
}

/// The whole answer is there.
void LlmCall::conclude(Lock& lock) {
    doWork(
        lock, received_ > loopAnswer, [this] { return outcome(); },
        [this](Lock& later, Outcome outcome) { deliver(later, std::move(outcome)); });
}

LlmCall::Outcome LlmCall::outcome() {
    Outcome outcome;
    std::string body = joined(std::exchange(body_, {}));
    key_->mask.apply(body);
    try {
        if (!isSuccess(head_.status)) {
            outcome.failure = providersRefusal(body);
            outcome.detail = upstreamErrorText(body);
        } else if (isStreamed()) {
            outcome.end = reader_->end();
        } else {
            keep(answerBody_, body);
            outcome.reply = reader_->whole(head_, std::move(body));
        }
    } catch (const BadAnswer& error) {
        outcome.failure = badAnswer();
        outcome.detail = error.what();
    }
    return outcome;
}

void LlmCall::deliver(Lock& lock, Outcome outcome) {
    if (outcome.failure) {
        failed(lock, *std::move(outcome.failure), outcome.detail);
        return;
    }
    if (!outcome.reply) {
        if (!outcome.end.empty() || !opened_) {
            relay(outcome.end);
        }
        endBody();
    }
    finish(lock, CallOutcome::ok, "", std::move(outcome.reply));
}

}  // namespace sallyport::plugins::llm
