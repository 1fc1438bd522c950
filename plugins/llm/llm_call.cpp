#include "llm_call.h"

#include <utility>

#include <sallyport/errors.h>

namespace sallyport::plugins::llm {

namespace {

/// Of a body that is recorded.
constexpr std::size_t recordedContent = std::size_t{256} * 1024;

}  // namespace

LlmCall::LlmCall(Gateway& gateway, const Call& call, Asking asking)
    : gateway_(gateway), call_(call.share()), asking_(std::move(asking)) {}

// What takes long

/// Whether what has to do with all of the request takes long.
bool LlmCall::isLarge() const {
    return readOnPool_ || call_->body().size() > loopBody;
}

/// In the client's language.
Reply LlmCall::refusal(const RequestError& error) const {
    return asking_.refusal(error);
}

/// What has happened while the pool worked.
void LlmCall::catchUp(Lock& lock) {
    for (;;) {
        if (!lock.owns_lock()) {
            lock.lock();
        }
        if (busy_ || happened_.empty()) {
            return;
        }
        const auto event = std::move(happened_.front());
        happened_.pop_front();
        event(lock);
    }
}

/// The pool's work failed in a way that nobody expects.
void LlmCall::crashed() {
    Lock lock(mutex_);
    busy_ = false;
    const RequestError error(500, "internal_error", "the request could not be served");
    abandon(lock, CallOutcome::failed, error.code(),
            client_.isOpened() ? std::nullopt : std::optional(refusal(error)));
}

// Before the first try

void LlmCall::use(std::unique_ptr<Translation> translation, std::vector<Candidate> candidates) {
    const Lock lock(mutex_);
    translation_ = std::move(translation);
    attempt_.setCandidates(std::move(candidates));
    if (isLarge() && attempt_.provider().type != ProviderType::echo) {
        try {
            written_ = write();
        } catch (const RequestError&) {
            // It is refused when its turn has come, like any other.
        }
    }
}

void LlmCall::start(const Promise& promise) {
    gateway_.enter(shared_from_this());
    {
        const Lock lock(mutex_);
        promise_ = promise;
    }
    // Weak: whatever the call waits for keeps it, and when nothing does, the promise must be let go of.
    promise.onAbandoned([weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->clientLeft();
        }
    });
    Lock lock(mutex_);
    if (!translation_) {
        read(lock);
        return;
    }
    lock.unlock();
    if (gateway_.parts_.ledger.known(call_->caller().job())) {
        admit();
    } else {
        gateway_.tasks_.run(call_->caller().job(), [self = shared_from_this()] { self->load(); });
    }
}

void LlmCall::read(Lock& lock) {
    struct Request {
        std::unique_ptr<Translation> translation;
        std::vector<Candidate> candidates;
    };
    readOnPool_ = true;
    makeOrRefuse(
        lock, true,
        [this] {
            Request request{asking_.read(*call_, call_->jsonLimits()), {}};
            request.candidates = gateway_.candidates(*request.translation);
            return request;
        },
        [this](Lock& later, Request request) {
            later.unlock();
            use(std::move(request.translation), std::move(request.candidates));
            load();
        });
}

void LlmCall::load() {
    try {
        gateway_.parts_.ledger.load(call_->caller().job());
    } catch (const RequestError& error) {
        Lock lock(mutex_);
        refuse(lock, error);
        return;
    }
    admit();
}

void LlmCall::admit() {
    const JobId& job = call_->caller().job();
    {
        Lock lock(mutex_);
        if (ended_) {
            return;
        }
        try {
            admission_.admit(gateway_.parts_.ledger.admit(job, Clock::now()));
        } catch (const RequestError& error) {
            refuse(lock, error);
            return;
        }
    }
    const std::size_t memory = call_->body().size() + (written_ ? written_->body->size() : 0);
    auto ticket = gateway_.queue_.enter(
        job, Clock::now() + gateway_.options_.patience,
        {[self = shared_from_this()](FairQueue::Slot slot) { self->takeTurn(std::move(slot)); },
         [self = shared_from_this()](const RequestError& error) {
             Lock lock(self->mutex_);
             self->refuse(lock, error);
         },
         memory});
    Lock lock(mutex_);
    if (!ended_) {
        admission_.setTicket(ticket);
        return;
    }
    lock.unlock();
    gateway_.queue_.leave(ticket);
}

void LlmCall::takeTurn(FairQueue::Slot slot) {
    Lock lock(mutex_);
    if (ended_) {
        lock.unlock();  // before the slot goes to another call
        return;
    }
    admission_.takeSlot(std::move(slot));
    tryNext(lock);
}

// Attempts

/// Asks the present candidate, or the next one that is not left alone for now.
void LlmCall::tryNext(Lock& lock) {
    const auto time = Clock::now();
    if (const auto wait = attempt_.begin(time)) {
        RequestError error = badGateway("provider_unavailable", "no provider can be asked for now");
        error.retryAfter(atLeastASecond(*wait));
        giveUp(lock, attempt_.takeFailure().value_or(Failure{.error = error}));
        return;
    }
    if (attempt_.provider().type == ProviderType::echo) {
        playEcho(lock);
    } else if (auto key = gateway_.keys_.kept(attempt_.provider(), time)) {
        send(lock, std::move(key));
    } else {
        fetchKey(lock);
    }
}

void LlmCall::fetchKey(Lock& lock) {
    lock.unlock();
    gateway_.tasks_.run(call_->caller().job(), [self = shared_from_this(), &asked = attempt_.provider()] {
        KeyRing::Key key;
        std::string problem;
        try {
            key = self->gateway_.keys_.read(asked, Clock::now());
        } catch (const NoKey& error) {
            problem = error.what();
        }
        Lock later(self->mutex_);
        if (self->ended_) {
            return;
        }
        if (key) {
            self->send(later, std::move(key));
        } else {
            self->failed(later,
                         {.error = badGateway("provider_key", "the provider's key is not to be had"),
                          .elsewhere = true},
                         problem);
        }
    });
}

/// For the present candidate. @throws RequestError
UpstreamRequest LlmCall::write() {
    const std::string& model = attempt_.candidate().model;
    return translation_->request(attempt_.provider(), model, gateway_.parts_.models.dropped(model));
}

void LlmCall::send(Lock& lock, KeyRing::Key key) {
    attempt_.prepare(std::move(key), *translation_);
    if (auto written = std::exchange(written_, std::nullopt); written && attempt_.isFirstCandidate()) {
        send(lock, *std::move(written));
        return;
    }
    makeOrRefuse(
        lock, isLarge(), [this] { return write(); },
        [this](Lock& later, UpstreamRequest request) { send(later, std::move(request)); });
}

void LlmCall::send(Lock& lock, UpstreamRequest request) {
    try {
        request.keyHeader = attempt_.keyLine();
        if (request.body) {
            requestBody_.clear();
            keep(requestBody_, *request.body);
        }
        attempt_.sent(gateway_.parts_.upstream.start(std::move(request), shared_from_this()));
    } catch (const std::invalid_argument& error) {
        failed(lock,
               {.error = badGateway("provider_request", "the provider cannot be asked"), .elsewhere = true},
               error.what());
    }
}

void LlmCall::playEcho(Lock& lock) {
    makeOrRefuse(
        lock, call_->body().size() > loopEcho,
        [this] {
            return translation_->echo(attempt_.candidate().state->echo, call_->caller().job(),
                                      call_->requestId());
        },
        [this](Lock& later, EchoAnswer answer) { play(later, std::move(answer)); });
}

void LlmCall::play(Lock& lock, EchoAnswer answer) {
    attempt_.setEchoUsage(answer.usage);
    if (!translation_->streams()) {
        finish(lock, CallOutcome::ok, "", Reply::text(200, answer.contentType, std::move(answer.body)));
        return;
    }
    relay(answer.body);
    client_.end();
    finish(lock, CallOutcome::ok, "", std::nullopt);
}

Failure LlmCall::providersRefusal(const std::string& body) {
    const UpstreamHead& head = attempt_.head();
    if (head.status == 401 || head.status == 403) {
        gateway_.keys_.forget(attempt_.provider());
    }
    return refusalOf(head, body, translation_->relaysRefusals());
}

void LlmCall::failed(Lock& lock, Failure failure, const std::string& detail) {
    gateway_.parts_.host.log().warn("a call of a model failed", {{"provider", attempt_.provider().name},
                                                                 {"model", attempt_.candidate().model},
                                                                 {"status", attempt_.head().status},
                                                                 {"reason", failure.error.code()},
                                                                 {"detail", attempt_.masked(detail)},
                                                                 {"try", attempt_.retries() + 1},
                                                                 {"job", call_->caller().job().str()},
                                                                 {"request", call_->requestId()}});
    attempt_.fail(failure.blamesProvider, Clock::now());
    if (client_.isOpened()) {  // what the client has seen cannot be taken back
        giveUp(lock, std::move(failure));
        return;
    }
    const auto greatest = gateway_.options_.greatestDelay;
    if (failure.again && attempt_.retries() < gateway_.options_.retries &&
        failure.retryAfter.value_or(std::chrono::milliseconds(0)) <= greatest) {
        const auto delay = gateway_.backoff_.delay(attempt_.retries(), failure.retryAfter, Backoff::random());
        attempt_.retry(std::move(failure));
        gateway_.parts_.upstream.after(delay, [self = shared_from_this()] {
            Lock later(self->mutex_);
            if (!self->ended_) {
                self->tryNext(later);
            }
        });
        return;
    }
    if (failure.elsewhere && !attempt_.isLastCandidate()) {
        attempt_.moveOn(std::move(failure));
        tryNext(lock);
        return;
    }
    giveUp(lock, std::move(failure));
}

// The end

void LlmCall::giveUp(Lock& lock, Failure failure) {
    const std::string reason = failure.error.code();
    if (client_.isOpened()) {
        relay(attempt_.rest() + translation_->brokenEvent(failure.error));
        client_.end();
        finish(lock, CallOutcome::failed, reason, std::nullopt);
    } else if (failure.relayed) {
        Reply reply = Reply::text(failure.relayed->status, failure.relayed->contentType,
                                  std::move(failure.relayed->body));
        if (failure.error.retryAfter()) {
            reply.header("Retry-After", std::to_string(failure.error.retryAfter()->count()));
        }
        finish(lock, CallOutcome::failed, reason, std::move(reply));
    } else {
        finish(lock, CallOutcome::failed, reason, refusal(failure.error));
    }
}

void LlmCall::clientLeft() {
    Lock lock(mutex_);
    unwanted_ = true;
    whenFree(lock, [this](Lock& later) { abandon(later, CallOutcome::cancelled, "", std::nullopt); });
}

void LlmCall::stop() {
    Lock lock(mutex_);
    unwanted_ = true;
    whenFree(lock, [this](Lock& later) { stop(later); });
}

void LlmCall::stop(Lock& lock) {
    if (ended_) {
        return;
    }
    const RequestError error = unavailable("stopping", "the gateway is stopping; try again in a moment");
    std::optional<Reply> reply;
    if (client_.isOpened()) {
        relay(attempt_.rest() + translation_->brokenEvent(error));
        client_.end();
    } else {
        reply = refusal(error);
    }
    abandon(lock, CallOutcome::failed, error.code(), std::move(reply));
}

/// Ends the call while the upstream or the queue still works for it.
void LlmCall::abandon(Lock& lock, CallOutcome outcome, const std::string& reason,
                      std::optional<Reply> reply) {
    if (ended_) {
        return;
    }
    const auto upstream = attempt_.upstream();
    const auto ticket = admission_.ticket();
    finish(lock, outcome, reason, std::move(reply));
    if (upstream) {
        gateway_.parts_.upstream.cancel(*upstream);
    }
    if (ticket) {
        gateway_.queue_.leave(*ticket);
    }
}

void LlmCall::refuse(Lock& lock, const RequestError& error) {
    if (!ended_) {
        finish(lock, CallOutcome::failed, error.code(), refusal(error));
    }
}

/// Ends the call, releasing the lock: what is let go of here may call back.
void LlmCall::finish(Lock& lock, CallOutcome outcome, const std::string& reason, std::optional<Reply> reply) {
    ended_ = true;
    const Usage usage = attempt_.end(outcome == CallOutcome::ok);
    auto returned = admission_.giveBack();
    const auto stream = client_.release();
    const auto promise = std::exchange(promise_, std::nullopt);
    if (returned.admission) {
        settle(*std::move(returned.admission), outcome, reason, usage);
    }
    lock.unlock();
    if (reply && promise) {
        promise->fulfil(*std::move(reply));
    }
    gateway_.leave(this);
}

/// Adds to what is recorded of the request or the answer.
void LlmCall::keep(std::string& text, std::string_view piece) const {
    if (gateway_.options_.logContent) {
        text.append(piece.substr(0, recordedContent - std::min(recordedContent, text.size())));
    }
}

/// Books what was used. A call that was not admitted never was.
void LlmCall::settle(JobLedger::Admission admission, CallOutcome outcome, const std::string& reason,
                     const Usage& usage) {
    const Candidate& last = attempt_.candidate();
    CallRecord record;
    record.at = beganAt_;
    record.job = call_->caller().job();
    record.user = call_->caller().user();
    record.provider = last.state->provider.name;
    record.model = last.model;
    record.endpoint = translation_->endpoint();
    record.outcome = outcome;
    record.reason = reason;
    record.usage = usage;
    record.costNano = gateway_.parts_.prices.cost(record.model, record.usage);
    record.latency = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
    record.requestId = call_->requestId();
    if (gateway_.options_.logContent) {
        record.content = CallContent{std::move(requestBody_), std::move(answerBody_)};
    }
    gateway_.parts_.ledger.settle(std::move(admission), record.usage, record.costNano,
                                  outcome == CallOutcome::failed);
    gateway_.parts_.metrics.count(record);
    gateway_.parts_.log.record(std::move(record));
}

}  // namespace sallyport::plugins::llm
