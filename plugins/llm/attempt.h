// Asking one provider after the other.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sallyport/secret_text.h>
#include <sallyport/usage.h>

#include "circuit_breaker.h"
#include "dialect.h"
#include "failure.h"
#include "gateway.h"
#include "key_ring.h"
#include "translation.h"
#include "upstream/upstream.h"

namespace sallyport::plugins::llm {

/// Owns the attempt that is under way: which candidate is asked and how often it has been, the pass of its
/// circuit breaker, the number of the upstream's call, and the answer as far as it has come. It calls the
/// circuit breakers and the reader; the call does all else. The answer of an attempt that failed stays until
/// the next one is prepared: if there is none, what it used is recorded. [with the call's lock; what reads
/// the answer also without it, on one thread, while the call works on the pool]
class Attempt {
public:
    using Time = CircuitBreaker::Time;

    /// The providers that can be asked, at least one, the best first.
    void setCandidates(std::vector<Candidate> candidates) { candidates_ = std::move(candidates); }

    /// The one that is being asked; the last one if none is left.
    [[nodiscard]] const Candidate& candidate() const;
    [[nodiscard]] const Provider& provider() const { return candidate().state->provider; }
    [[nodiscard]] bool isFirstCandidate() const noexcept { return at_ == 0; }
    [[nodiscard]] bool isLastCandidate() const noexcept { return at_ + 1 >= candidates_.size(); }
    /// Of this candidate, after the first try.
    [[nodiscard]] unsigned retries() const noexcept { return retries_; }

    /// Begins with the present candidate, or with the next one whose circuit breaker lets the call through.
    /// @return nothing if there is one; otherwise how long until one of them may be asked
    [[nodiscard]] std::optional<std::chrono::milliseconds> begin(Time now);
    /// Forgets the answer of an earlier attempt and makes ready to read the next.
    void prepare(KeyRing::Key key, const Translation& translation);
    /// The upstream works on it. [after `begin`]
    void sent(Upstream::Id upstream);
    /// The upstream's call; nothing unless one is under way.
    [[nodiscard]] std::optional<Upstream::Id> upstream() const;

    /// Keeps the head, masked.
    void setHead(const UpstreamHead& head);
    /// Counts bytes of the body.
    void count(std::size_t bytes) noexcept { received_ += bytes; }
    /// Keeps a piece of an answer that is read whole.
    void gather(std::string_view piece);
    /// Has the reader take a piece of a stream. @return what is wrong with it
    [[nodiscard]] std::optional<BadAnswer> feed(std::string_view piece, const AnswerReader::Pass& pass);
    /// The answer makes no sense. What is still to come of it is of no interest. [while it is under way]
    void refute(BadAnswer answer);
    [[nodiscard]] bool isRefuted() const noexcept { return std::holds_alternative<Refuted>(state_); }
    /// The upstream's call is over. @return what was wrong with the answer, if it was refuted
    [[nodiscard]] std::optional<BadAnswer> done();

    /// The line with the provider's key. [after `prepare`]
    [[nodiscard]] const std::shared_ptr<const SecretText>& keyLine() const { return key_->line; }
    [[nodiscard]] const UpstreamHead& head() const noexcept { return head_; }
    /// Bytes of the body.
    [[nodiscard]] std::size_t received() const noexcept { return received_; }
    /// [after `prepare`]
    [[nodiscard]] AnswerReader& reader() const { return *reader_; }
    /// What was gathered, masked. There is nothing left afterwards.
    [[nodiscard]] std::string takeBody();
    /// What the client has not seen yet of a stream that breaks off.
    [[nodiscard]] std::string rest();
    /// A text that may tell the key, perhaps cut off.
    [[nodiscard]] std::string masked(const std::string& text) const;

    /// What the built-in provider used.
    void setEchoUsage(const Usage& usage) { echoUsage_ = usage; }

    /// It failed: the circuit breaker is told.
    void fail(bool blamesProvider, Time now);
    /// Another one of the same candidate is to follow. [after `fail`]
    void retry(Failure failure);
    /// The next candidate is to be asked. [after `fail`]
    void moveOn(Failure failure);
    /// Why another one was to follow, if that cannot be.
    [[nodiscard]] std::optional<Failure> takeFailure();

    /// The call has ended: the circuit breaker is told, unless it has been. @return what was used
    Usage end(bool succeeded);

private:
    struct Idle {};  ///< no attempt is under way or to follow
    struct Failed {  ///< another one is to follow
        Failure failure;
    };
    struct Begun {  ///< what it needs is being fetched and written
        CircuitBreaker::Pass pass;
    };
    struct Sent {
        CircuitBreaker::Pass pass;
        Upstream::Id upstream;
    };
    struct Refuted {  ///< the upstream's call is not over yet
        CircuitBreaker::Pass pass;
        Upstream::Id upstream;
        BadAnswer answer;
    };
    struct Answered {  ///< the upstream's call is over
        CircuitBreaker::Pass pass;
    };

    [[nodiscard]] std::optional<CircuitBreaker::Pass> breakerPass() const;
    [[nodiscard]] Usage used() const;

    std::vector<Candidate> candidates_;
    std::size_t at_ = 0;
    unsigned retries_ = 0;
    std::variant<Idle, Failed, Begun, Sent, Refuted, Answered> state_;

    KeyRing::Key key_;
    UpstreamHead head_;
    std::unique_ptr<AnswerReader> reader_;  ///< has the key's mask
    std::vector<std::string> body_;         ///< of an answer that is read whole, in pieces
    std::size_t received_ = 0;
    Usage echoUsage_;
};

}  // namespace sallyport::plugins::llm
