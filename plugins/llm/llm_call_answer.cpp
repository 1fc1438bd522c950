// What LlmCall does with an answer.
#include <utility>

#include "llm_call.h"

namespace sallyport::plugins::llm {

void LlmCall::onHead(const UpstreamHead& head) {
    const Lock lock(mutex_);
    attempt_.setHead(head);
}

void LlmCall::onBody(std::string_view piece) {
    Lock lock(mutex_);
    if (ended_ || attempt_.isRefuted()) {
        return;
    }
    attempt_.count(piece.size());
    if (!isStreamed()) {
        attempt_.gather(piece);
        return;
    }
    if (piece.size() + attempt_.reader().waiting() <= loopAnswer) {
        auto bad = attempt_.feed(piece, [this](std::string_view bytes) { relay(bytes); });
        goOn(lock, std::move(bad), false);
        return;
    }
    struct Fed {
        std::string passed{};
        std::optional<BadAnswer> bad{};
    };
    // Nothing more is to come until this has been read.
    gateway_.parts_.upstream.pause(attempt_.upstream().value());
    doWork(
        lock, true,
        [this, piece = std::string(piece)] {
            Fed fed;
            fed.bad = attempt_.feed(piece, [&fed](std::string_view bytes) { fed.passed += bytes; });
            return fed;
        },
        [this](Lock& later, Fed fed) {
            if (!fed.passed.empty()) {
                relay(fed.passed);
            }
            goOn(later, std::move(fed.bad), true);
        });
}

/// A piece of a stream has been handed on. @param held whether the upstream was told to wait meanwhile
void LlmCall::goOn(Lock& lock, std::optional<BadAnswer> bad, bool held) {
    const auto id = attempt_.upstream().value();
    if (bad) {
        attempt_.refute(*std::move(bad));
        lock.unlock();
        gateway_.parts_.upstream.cancel(id);
        return;
    }
    const bool fallsBehind = client_.pauseIfBehind();
    const auto stream = fallsBehind ? client_.stream() : nullptr;
    const bool paused = client_.isPaused();
    lock.unlock();
    if (fallsBehind && !held) {
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
    const std::string_view type = headerOf(attempt_.head(), "content-type");
    return translation_->streams() && isSuccess(attempt_.head().status) &&
           (type.starts_with(eventStream) || type.starts_with("application/x-ndjson"));
}

/// Hands bytes on to the client; the first ones make the answer a stream. With the lock held.
void LlmCall::relay(std::string_view bytes) {
    keep(answerBody_, bytes);
    if (!client_.write(bytes)) {
        return;
    }
    // The last thing, as the connection's thread will want the lock.
    promise_->fulfil(
        Reply::stream(200, eventStream, [self = shared_from_this()](const std::shared_ptr<Stream>& stream) {
            Lock lock(self->mutex_);
            self->whenFree(lock, [call = self.get(), stream](Lock& later) { call->attach(later, stream); });
        }).header("X-Accel-Buffering", "no"));
}

/// The connection can take the body. If the call has ended without one, the stream is cut by letting go of
/// it.
void LlmCall::attach(Lock& lock, const std::shared_ptr<Stream>& stream) {
    if (client_.isCut()) {
        return;
    }
    std::string unsent = client_.takeUnsent();
    const bool takesLong = unsent.size() > ClientStream::greatestBacklog;
    doWork(
        lock, takesLong, [stream, text = std::move(unsent)] { return stream->write(text); },
        [this, stream](Lock& later, bool /*open*/) { attached(later, stream); });
}

void LlmCall::attached(Lock& lock, const std::shared_ptr<Stream>& stream) {
    if (!client_.attach(stream)) {
        return;
    }
    const bool paused = client_.isPaused();
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
    const auto id = attempt_.upstream();
    if (ended_ || !id || !client_.resume()) {
        return;
    }
    lock.unlock();
    gateway_.parts_.upstream.resume(*id);
}

// The end of an attempt

void LlmCall::onDone(UpstreamProblem problem, const std::string& detail) {
    Lock lock(mutex_);
    whenFree(lock, [this, problem, detail](Lock& later) { ended(later, problem, detail); });
}

void LlmCall::ended(Lock& lock, UpstreamProblem problem, const std::string& detail) {
    if (ended_) {
        return;
    }
    const auto bad = attempt_.done();
    client_.resume();
    if (bad) {
        failed(lock, badAnswer(), bad->what());
    } else if (problem != UpstreamProblem::none) {
        failed(lock, failureOf(problem), detail);
    } else {
        conclude(lock);
    }
}

/// The whole answer is there.
void LlmCall::conclude(Lock& lock) {
    doWork(
        lock, attempt_.received() > loopAnswer, [this] { return outcome(); },
        [this](Lock& later, Outcome outcome) { deliver(later, std::move(outcome)); });
}

LlmCall::Outcome LlmCall::outcome() {
    Outcome outcome;
    std::string body = attempt_.takeBody();
    try {
        if (!isSuccess(attempt_.head().status)) {
            outcome.failure = providersRefusal(body);
            outcome.detail = upstreamErrorText(body);
        } else if (isStreamed()) {
            outcome.end = attempt_.reader().end();
        } else {
            keep(answerBody_, body);
            outcome.reply = attempt_.reader().whole(attempt_.head(), std::move(body));
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
        if (!outcome.end.empty() || !client_.isOpened()) {
            relay(outcome.end);
        }
        client_.end();
    }
    finish(lock, CallOutcome::ok, "", std::move(outcome.reply));
}

}  // namespace sallyport::plugins::llm
