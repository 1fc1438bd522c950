#include <chrono>
#include <future>
#include <memory>
#include <utility>
#include <variant>

#include <sallyport/testing/answer.h>

#include "host/entry/waiting.h"

namespace sallyport::testing {

Answer::Answer(Reply reply, std::shared_ptr<const Call> call, Opener opener)
    : call_(std::move(call)), opener_(std::move(opener)) {
    auto* const deferred = std::get_if<Reply::Deferred>(&reply.content());
    if (deferred == nullptr) {
        reply_ = std::move(reply);
        return;
    }
    // Shared, because who fulfils may still be inside the promise when this thread goes on.
    const auto promise = std::make_shared<std::promise<Reply>>();
    coming_ = promise->get_future();
    abandonment_ = std::make_shared<Abandonment>();
    const host::entry::Waiting onTheLoop(host::entry::Waiting::Rule::forbidden);
    deferred->start(Promise([promise](Reply given) { promise->set_value(std::move(given)); }, abandonment_));
}

bool Answer::answered() const {
    return reply_ || coming_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

Reply& Answer::reply() const {
    if (!reply_) {
        reply_ = coming_.get();
    }
    return *reply_;
}

std::optional<std::string> Answer::header(std::string_view name) const {
    for (const auto& [key, value] : headers()) {
        if (key == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::string Answer::body() const {
    const auto* const whole = std::get_if<Reply::Whole>(&reply().content());
    return whole == nullptr ? std::string() : whole->body;
}

json::Object Answer::json() const {
    return json::Value::parse(std::get<Reply::Whole>(reply().content()).body).object();
}

std::string Answer::code() const {
    return json().required("error").object().string("code");
}

std::string Answer::message() const {
    return json().required("error").object().string("message");
}

std::optional<Answer> Answer::retry() {
    const host::entry::Waiting onTheLoop(host::entry::Waiting::Rule::forbidden);
    auto tried = std::get<Reply::Parked>(reply().content()).retry();
    return tried ? std::optional<Answer>(std::in_place, *std::move(tried), call_, opener_) : std::nullopt;
}

const std::string& Answer::topic() const {
    return std::get<Reply::Parked>(reply().content()).topic;
}

Answer Answer::timeOut() {
    return {std::move(*std::get<Reply::Parked>(reply().content()).otherwise), call_};
}

int Answer::statusOnTimeout() const {
    return std::get<Reply::Parked>(reply().content()).otherwise->status();
}

const Subscription& Answer::subscription() const {
    return std::get<Reply::Subscribed>(reply().content()).subscription;
}

std::shared_ptr<RecordedStream> Answer::stream() {
    auto client = std::make_shared<RecordedStream>();
    const host::entry::Waiting onTheLoop(host::entry::Waiting::Rule::forbidden);
    std::get<Reply::Streamed>(reply().content()).producer(client);
    return client;
}

const std::string& Answer::protocol() const {
    return std::get<Reply::Tunnelled>(reply().content()).protocol;
}

std::shared_ptr<RecordedTunnel> Answer::open() {
    return opener_(std::move(std::get<Reply::Tunnelled>(reply().content()).tunnel));
}

void Answer::delivered(bool success) {
    const host::entry::Waiting onTheLoop(host::entry::Waiting::Rule::forbidden);
    reply().takeDelivered()(success);
}

void Answer::hangUp() {
    if (abandonment_ && !answered()) {
        const host::entry::Waiting onTheLoop(host::entry::Waiting::Rule::forbidden);
        abandonment_->declare();
    }
}

}  // namespace sallyport::testing
