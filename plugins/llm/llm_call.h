// One call of a model, from its admission to its record.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/call.h>
#include <sallyport/reply.h>

#include "circuit_breaker.h"
#include "failure.h"
#include "fair_queue.h"
#include "gateway.h"
#include "job_ledger.h"
#include "key_ring.h"
#include "translation.h"
#include "upstream/upstream.h"

namespace sallyport::plugins::llm {

/// Leads a request past the job's budget and the queue to the first provider that answers it, tries again
/// where that may help, hands the answer on, and has what was used recorded, however it ends.
///
/// It moves forward by callbacks on many threads: the connection's (its beginning, a client that leaves, a
/// network that has taken what was written), the store's pool (reading what blocks), and the upstream's. A
/// mutex makes them take turns; what may call back into it, or into another call, is done without it.
/// [any thread]
class LlmCall final : public UpstreamListener, public std::enable_shared_from_this<LlmCall> {
public:
    LlmCall(Gateway& gateway, const Call& call, std::unique_ptr<Translation> translation,
            std::vector<Candidate> candidates);

    /// Begins. [once]
    void start(const Promise& promise);
    /// The gateway stops: the client is told so, and the upstream is left.
    void stop();

    void onHead(const UpstreamHead& head) override;
    void onBody(std::string_view piece) override;
    void onDone(UpstreamProblem problem, const std::string& detail) override;

private:
    using Lock = std::unique_lock<std::mutex>;
    using Clock = std::chrono::steady_clock;

    [[nodiscard]] Candidate& candidate() { return candidates_[at_]; }
    [[nodiscard]] const Provider& provider() { return candidate().state->provider; }

    void load();
    void admit();
    void takeTurn(FairQueue::Slot slot);
    void tryNext(Lock& lock);
    void fetchKey();
    void send(Lock& lock, KeyRing::Key key);
    void playEcho(Lock& lock);

    [[nodiscard]] bool isStreamed() const;
    void relay(std::string_view bytes);
    [[nodiscard]] std::string heldBack();
    void endBody();
    void attach(const std::shared_ptr<Stream>& stream);
    void awaitDrained(Stream& stream);
    void drained();
    void conclude(Lock& lock);
    void deliver(Lock& lock);

    [[nodiscard]] Failure refusal();
    void failed(Lock& lock, Failure failure, const std::string& detail);
    void giveUp(Lock& lock, Failure failure);
    void clientLeft();
    void abandon(Lock& lock, CallOutcome outcome, const std::string& reason, std::optional<Reply> reply);
    void refuse(Lock& lock, const RequestError& error);
    void finish(Lock& lock, CallOutcome outcome, const std::string& reason, std::optional<Reply> reply);
    void keep(std::string& text, std::string_view piece) const;
    void settle(CallOutcome outcome, const std::string& reason);

    Gateway& gateway_;
    const std::shared_ptr<const Call> call_;
    const std::unique_ptr<Translation> translation_;
    const Clock::time_point began_ = Clock::now();
    const Timestamp beganAt_ = now();

    std::mutex mutex_;
    std::vector<Candidate> candidates_;
    std::size_t at_ = 0;           ///< the candidate that is being tried
    unsigned retries_ = 0;         ///< of it
    std::optional<Failure> last_;  ///< of an earlier try
    bool ended_ = false;
    std::optional<Promise> promise_;
    std::optional<JobLedger::Admission> admission_;
    std::optional<FairQueue::Ticket> ticket_;
    std::optional<FairQueue::Slot> slot_;
    std::optional<CircuitBreaker::Pass> pass_;

    // The try that is under way.
    std::optional<Upstream::Id> upstream_;
    KeyRing::Key key_;
    UpstreamHead head_;
    std::unique_ptr<AnswerReader> reader_;
    std::string body_;  ///< of an answer that is read whole
    std::optional<BadAnswer> bad_;
    Usage echoUsage_;

    // A stream to the client.
    bool opened_ = false;
    bool bodyEnded_ = false;
    bool paused_ = false;
    std::shared_ptr<Stream> stream_;
    std::string unsent_;  ///< until there is a stream

    std::string requestBody_;  ///< for the record, where content is recorded
    std::string answerBody_;
};

}  // namespace sallyport::plugins::llm
