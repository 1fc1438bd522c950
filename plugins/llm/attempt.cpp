#include "attempt.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace sallyport::plugins::llm {

namespace {

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

const Candidate& Attempt::candidate() const {
    return candidates_[std::min(at_, candidates_.size() - 1)];
}

std::optional<std::chrono::milliseconds> Attempt::begin(Time now) {
    auto wait = std::chrono::milliseconds::max();
    for (; at_ < candidates_.size(); ++at_, retries_ = 0) {
        CircuitBreaker& breaker = candidate().state->breaker;
        if (const auto passed = breaker.pass(now)) {
            state_ = Begun{*passed};
            return std::nullopt;
        }
        wait = std::min(wait, breaker.wait(now));
    }
    return wait;
}

void Attempt::prepare(KeyRing::Key key, const Translation& translation) {
    head_ = {};
    body_.clear();
    received_ = 0;
    reader_ = nullptr;
    key_ = std::move(key);
    reader_ = translation.reader(provider(), key_->mask);
}

void Attempt::sent(Upstream::Id upstream) {
    state_ = Sent{std::get<Begun>(state_).pass, upstream};
}

std::optional<Upstream::Id> Attempt::upstream() const {
    if (const auto* const sent = std::get_if<Sent>(&state_)) {
        return sent->upstream;
    }
    if (const auto* const refuted = std::get_if<Refuted>(&state_)) {
        return refuted->upstream;
    }
    return std::nullopt;
}

void Attempt::setHead(const UpstreamHead& head) {
    head_ = head;
    for (auto& [name, value] : head_.headers) {
        key_->mask.apply(value);
    }
}

void Attempt::gather(std::string_view piece) {
    if (body_.empty() || body_.back().size() >= pieceOfBody) {
        body_.emplace_back();
    }
    body_.back().append(piece);
}

std::optional<BadAnswer> Attempt::feed(std::string_view piece, const AnswerReader::Pass& pass) {
    try {
        reader_->feed(piece, pass);
        return std::nullopt;
    } catch (const BadAnswer& error) {
        return error;
    }
}

void Attempt::refute(BadAnswer answer) {
    state_ = Refuted{breakerPass().value(), upstream().value(), std::move(answer)};
}

std::optional<BadAnswer> Attempt::done() {
    std::optional<BadAnswer> bad;
    if (auto* const refuted = std::get_if<Refuted>(&state_)) {
        bad = std::move(refuted->answer);
    }
    state_ = Answered{breakerPass().value()};
    return bad;
}

std::string Attempt::takeBody() {
    std::string body = joined(std::exchange(body_, {}));
    key_->mask.apply(body);
    return body;
}

std::string Attempt::rest() {
    return reader_ ? reader_->rest() : std::string();
}

std::string Attempt::masked(const std::string& text) const {
    return key_ ? key_->mask.maskedCut(text) : text;
}

void Attempt::fail(bool blamesProvider, Time now) {
    if (const auto passed = breakerPass()) {
        CircuitBreaker& breaker = candidate().state->breaker;
        if (blamesProvider) {
            breaker.failed(*passed, now);
        } else {
            breaker.succeeded(*passed);
        }
    }
    state_ = Idle{};
}

void Attempt::retry(Failure failure) {
    ++retries_;
    state_ = Failed{std::move(failure)};
}

void Attempt::moveOn(Failure failure) {
    ++at_;
    retries_ = 0;
    state_ = Failed{std::move(failure)};
}

std::optional<Failure> Attempt::takeFailure() {
    std::optional<Failure> failure;
    if (auto* const failed = std::get_if<Failed>(&state_)) {
        failure = std::move(failed->failure);
        state_ = Idle{};
    }
    return failure;
}

Usage Attempt::end(bool succeeded) {
    const Usage usage = used();
    if (const auto passed = breakerPass()) {
        CircuitBreaker& breaker = candidate().state->breaker;
        if (succeeded) {
            breaker.succeeded(*passed);
        } else {
            breaker.abandoned(*passed);
        }
    }
    state_ = Idle{};
    return usage;
}

/// Of an attempt that is under way.
std::optional<CircuitBreaker::Pass> Attempt::breakerPass() const {
    return std::visit(
        [](const auto& state) -> std::optional<CircuitBreaker::Pass> {
            using State = std::decay_t<decltype(state)>;
            if constexpr (std::is_same_v<State, Idle> || std::is_same_v<State, Failed>) {
                return std::nullopt;
            } else {
                return state.pass;
            }
        },
        state_);
}

Usage Attempt::used() const {
    // Who leaves before the answer begins has had the provider work all the same.
    const bool leftEarly = upstream() && head_.status == 0;
    return reader_ && (leftEarly || isSuccess(head_.status)) ? reader_->usage() : echoUsage_;
}

}  // namespace sallyport::plugins::llm
