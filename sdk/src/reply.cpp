#include <atomic>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/reply.h>
#include <sallyport/store.h>

namespace sallyport {

namespace {

constexpr const char* jsonType = "application/json";

Reply internalError() {
    return Reply::error(RequestError(500, "internal_error", "the request could not be completed"));
}

}  // namespace

struct Promise::State {
    explicit State(Sink target) : sink(std::move(target)) {}
    ~State() {
        if (!used.exchange(true)) {
            sink(internalError());
        }
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Sink sink;
    std::atomic<bool> used{false};
};

bool Abandonment::watched() const {
    const std::lock_guard lock(mutex_);
    return abandoned_ != nullptr;
}

void Abandonment::declare() {
    std::function<void()> abandoned;
    {
        const std::lock_guard lock(mutex_);
        declared_ = true;
        abandoned.swap(abandoned_);
    }
    if (abandoned) {
        abandoned();
    }
}

Promise::Promise(Sink sink, std::shared_ptr<Abandonment> abandonment)
    : state_(std::make_shared<State>(std::move(sink))), abandonment_(std::move(abandonment)) {}

void Promise::onAbandoned(std::function<void()> abandoned) const {
    if (!abandonment_) {
        return;
    }
    {
        const std::lock_guard lock(abandonment_->mutex_);
        if (!abandonment_->declared_) {
            // What was there before is destroyed without the lock.
            abandonment_->abandoned_.swap(abandoned);
            return;
        }
    }
    abandoned();
}

void Promise::fulfil(Reply reply) const {
    if (!state_->used.exchange(true)) {
        state_->sink(std::move(reply));
    }
}

Reply Reply::jsonText(int status, std::string text) {
    return {status, Whole{jsonType, std::move(text)}};
}

Reply Reply::empty(int status) {
    return {status, Whole{}};
}

Reply Reply::text(int status, std::string contentType, std::string body) {
    return {status, Whole{std::move(contentType), std::move(body)}};
}

Reply Reply::error(const RequestError& error) {
    Reply reply = json(error.status(), [&error](json::Writer& answer) {
        answer.key("error").beginObject();
        answer.member("code", error.code()).member("message", error.what()).endObject();
    });
    if (error.retryAfter()) {
        reply.headers_.emplace_back("Retry-After", std::to_string(error.retryAfter()->count()));
    }
    return reply;
}

Reply Reply::failure(const std::exception_ptr& problem) {
    try {
        std::rethrow_exception(problem);
    } catch (const RequestError& refusal) {
        return error(refusal);
    } catch (...) {
        return internalError();
    }
}

Reply Reply::deferred(std::function<void(Promise)> start) {
    return {200, Deferred{std::move(start)}};
}

Reply Reply::whenStored(Store& store, std::function<void(Transaction&)> work, std::function<Reply()> then) {
    return deferred([&store, work = std::move(work), then = std::move(then)](const Promise& promise) mutable {
        const auto answer = [promise, then = std::move(then)](const std::exception_ptr& problem) {
            try {
                if (problem) {
                    std::rethrow_exception(problem);
                }
                promise.fulfil(then());
            } catch (const RequestError& refusal) {
                promise.fulfil(error(refusal));
            }
            // Anything else goes on to the store, which logs it; the promise, unused, becomes a 500.
        };
        try {
            store.submit(std::move(work), answer);
        } catch (const RequestError& refusal) {
            promise.fulfil(error(refusal));
        }
    });
}

Reply Reply::stream(int status, std::string contentType, Producer producer) {
    return {status, Streamed{std::move(contentType), std::move(producer)}};
}

Reply Reply::events(Subscription subscription) {
    return {200, Subscribed{std::move(subscription)}};
}

Reply Reply::waitFor(std::string topic, std::chrono::milliseconds timeout, Retry retry, Reply otherwise) {
    return {200, Parked{std::move(topic), timeout, std::move(retry),
                        std::make_shared<Reply>(std::move(otherwise))}};
}

Reply Reply::tunnel(std::shared_ptr<Tunnel> tunnel) {
    return {200, Tunnelled{{}, std::move(tunnel)}};
}

Reply Reply::upgrade(std::string protocol, std::shared_ptr<Tunnel> tunnel) {
    return {101, Tunnelled{std::move(protocol), std::move(tunnel)}};
}

Reply& Reply::header(std::string name, std::string value) & {
    headers_.emplace_back(std::move(name), std::move(value));
    return *this;
}

Reply&& Reply::header(std::string name, std::string value) && {
    return std::move(header(std::move(name), std::move(value)));
}

Reply&& Reply::onDelivered(std::function<void(bool)> delivered) && {
    delivered_ = std::move(delivered);
    return std::move(*this);
}

}  // namespace sallyport
