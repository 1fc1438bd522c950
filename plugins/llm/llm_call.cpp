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
    abandon(lock, CallOutcome::failed, error.code(), opened_ ? std::nullopt : std::optional(refusal(error)));
}

// Before the first try

void LlmCall::use(std::unique_ptr<Translation> translation, std::vector<Candidate> candidates) {
    const Lock lock(mutex_);
    translation_ = std::move(translation);
    candidates_ = std::move(candidates);
    if (isLarge() && provider().type != ProviderType::echo) {
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
            admission_ = gateway_.parts_.ledger.admit(job, Clock::now());
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
        ticket_ = ticket;
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
    slot_ = std::move(slot);
    tryNext(lock);
}

// Tries

/// Asks the present candidate, or the next one that is not left alone for now.
void LlmCall::tryNext(Lock& lock) {
    const auto time = Clock::now();
    auto wait = std::chrono::milliseconds::max();
    for (; at_ < candidates_.size(); ++at_, retries_ = 0) {
        CircuitBreaker& breaker = candidate().state->breaker;
        pass_ = breaker.pass(time);
        if (pass_) {
            break;
        }
        wait = std::min(wait, breaker.wait(time));
    }
    if (!pass_) {
        RequestError error = badGateway("provider_unavailable", "no provider can be asked for now");
        error.retryAfter(atLeastASecond(wait));
        giveUp(lock, last_ ? *std::exchange(last_, std::nullopt) : Failure{.error = error});
        return;
    }
    if (provider().type == ProviderType::echo) {
        playEcho(lock);
    } else if (auto key = gateway_.keys_.kept(provider(), time)) {
        send(lock, std::move(key));
    } else {
        fetchKey(lock);
    }
}

void LlmCall::fetchKey(Lock& lock) {
    lock.unlock();
    gateway_.tasks_.run(call_->caller().job(), [self = shared_from_this(), &asked = provider()] {
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
    return translation_->request(provider(), candidate().model,
                                 gateway_.parts_.models.dropped(candidate().model));
}

void LlmCall::send(Lock& lock, KeyRing::Key key) {
    head_ = {};
    body_.clear();
    received_ = 0;
    bad_.reset();
    reader_ = nullptr;
    key_ = std::move(key);
    reader_ = translation_->reader(provider(), key_->mask);
    if (auto written = std::exchange(written_, std::nullopt); written && at_ == 0) {
        send(lock, *std::move(written));
        return;
    }
    makeOrRefuse(
        lock, isLarge(), [this] { return write(); },
        [this](Lock& later, UpstreamRequest request) { send(later, std::move(request)); });
}

void LlmCall::send(Lock& lock, UpstreamRequest request) {
    try {
        request.keyHeader = key_->line;
        if (request.body) {
            requestBody_.clear();
            keep(requestBody_, *request.body);
        }
        upstream_ = gateway_.parts_.upstream.start(std::move(request), shared_from_this());
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
            return translation_->echo(candidate().state->echo, call_->caller().job(), call_->requestId());
        },
        [this](Lock& later, EchoAnswer answer) { play(later, std::move(answer)); });
}

void LlmCall::play(Lock& lock, EchoAnswer answer) {
    echoUsage_ = answer.usage;
    if (!translation_->streams()) {
        finish(lock, CallOutcome::ok, "", Reply::text(200, answer.contentType, std::move(answer.body)));
        return;
    }
    relay(answer.body);
    endBody();
    finish(lock, CallOutcome::ok, "", std::nullopt);
}

Failure LlmCall::providersRefusal(const std::string& body) {
    if (head_.status == 401 || head_.status == 403) {
        gateway_.keys_.forget(provider());
    }
    return refusalOf(head_, body, translation_->relaysRefusals());
}

void LlmCall::failed(Lock& lock, Failure failure, const std::string& detail) {
    gateway_.parts_.host.log().warn("a call of a model failed",
                                    {{"provider", provider().name},
                                     {"model", candidate().model},
                                     {"status", head_.status},
                                     {"reason", failure.error.code()},
                                     {"detail", key_ ? key_->mask.maskedCut(detail) : detail},
                                     {"try", retries_ + 1},
                                     {"job", call_->caller().job().str()},
                                     {"request", call_->requestId()}});
    if (pass_) {
        CircuitBreaker& breaker = candidate().state->breaker;
        if (failure.blamesProvider) {
            breaker.failed(*pass_, Clock::now());
        } else {
            breaker.succeeded(*pass_);
        }
        pass_.reset();
    }
    if (opened_) {  // what the client has seen cannot be taken back
        giveUp(lock, std::move(failure));
        return;
    }
    const auto greatest = gateway_.options_.greatestDelay;
    if (failure.again && retries_ < gateway_.options_.retries &&
        failure.retryAfter.value_or(std::chrono::milliseconds(0)) <= greatest) {
        const auto delay = gateway_.backoff_.delay(retries_++, failure.retryAfter, Backoff::random());
        last_ = std::move(failure);
        gateway_.parts_.upstream.after(delay, [self = shared_from_this()] {
            Lock later(self->mutex_);
            if (!self->ended_) {
                self->tryNext(later);
            }
        });
        return;
    }
    if (failure.elsewhere && at_ + 1 < candidates_.size()) {
        last_ = std::move(failure);
        ++at_;
        retries_ = 0;
        tryNext(lock);
        return;
    }
    giveUp(lock, std::move(failure));
}

// The end

void LlmCall::giveUp(Lock& lock, Failure failure) {
    const std::string reason = failure.error.code();
    if (opened_) {
        relay(heldBack() + translation_->brokenEvent(failure.error));
        endBody();
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
    if (opened_) {
        relay(heldBack() + translation_->brokenEvent(error));
        endBody();
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
    const auto upstream = upstream_;
    const auto ticket = ticket_;
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
    if (const auto pass = std::exchange(pass_, std::nullopt)) {
        CircuitBreaker& breaker = candidate().state->breaker;
        if (outcome == CallOutcome::ok) {
            breaker.succeeded(*pass);
        } else {
            breaker.abandoned(*pass);
        }
    }
    auto slot = std::exchange(slot_, std::nullopt);
    const auto stream = std::exchange(stream_, nullptr);
    const auto promise = std::exchange(promise_, std::nullopt);
    settle(outcome, reason);
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
void LlmCall::settle(CallOutcome outcome, const std::string& reason) {
    if (!admission_) {
        return;
    }
    const Candidate& last = candidates_[std::min(at_, candidates_.size() - 1)];
    CallRecord record;
    record.at = beganAt_;
    record.job = call_->caller().job();
    record.user = call_->caller().user();
    record.provider = last.state->provider.name;
    record.model = last.model;
    record.endpoint = translation_->endpoint();
    record.outcome = outcome;
    record.reason = reason;
    // Who leaves before the answer begins has had the provider work all the same.
    const bool leftEarly = upstream_ && head_.status == 0;
    record.usage = reader_ && (leftEarly || isSuccess(head_.status)) ? reader_->usage() : echoUsage_;
    record.costNano = gateway_.parts_.prices.cost(record.model, record.usage);
    record.latency = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
    record.requestId = call_->requestId();
    if (gateway_.options_.logContent) {
        record.content = CallContent{std::move(requestBody_), std::move(answerBody_)};
    }
    gateway_.parts_.ledger.settle(*std::exchange(admission_, std::nullopt), record.usage, record.costNano,
                                  outcome == CallOutcome::failed);
    gateway_.parts_.metrics.count(record);
    gateway_.parts_.log.record(std::move(record));
}

}  // namespace sallyport::plugins::llm
