// One call of a model, from its admission to its record.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
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
/// mutex makes them take turns; what may call back into it, or into another call, is done without it. So is
/// what takes long, on the pool, lest a loop do it or wait for it; see `doWork`. [any thread]
class LlmCall final : public UpstreamListener, public std::enable_shared_from_this<LlmCall> {
public:
    LlmCall(Gateway& gateway, const Call& call, Asking asking);

    /// The request has been read. Where that took long, it is written as well for the provider that is first.
    /// [before `start`]
    void use(std::unique_ptr<Translation> translation, std::vector<Candidate> candidates);
    /// Begins, with reading the request if that has not been done. [once]
    void start(const Promise& promise);
    /// The gateway stops: the client is told so, and the upstream is left.
    void stop();

    void onHead(const UpstreamHead& head) override;
    void onBody(std::string_view piece) override;
    void onDone(UpstreamProblem problem, const std::string& detail) override;

private:
    using Lock = std::unique_lock<std::mutex>;
    using Clock = std::chrono::steady_clock;
    /// What a whole answer, or the end of a stream, comes to.
    struct Outcome {
        std::optional<Reply> reply{};
        std::string end{};  ///< of a stream
        std::optional<Failure> failure{};
        std::string detail{};  ///< of the failure
    };

    [[nodiscard]] Candidate& candidate() { return candidates_[at_]; }
    [[nodiscard]] const Provider& provider() { return candidate().state->provider; }

    template <class Work, class Then>
    void doWork(Lock& lock, bool takesLong, Work work, Then then);
    template <class Make, class Then>
    void makeOrRefuse(Lock& lock, bool takesLong, Make make, Then then);
    template <class Event>
    void whenFree(Lock& lock, Event event);
    void catchUp(Lock& lock);
    void crashed();
    [[nodiscard]] bool isLarge() const;
    [[nodiscard]] Reply refusal(const RequestError& error) const;

    void read(Lock& lock);
    void load();
    void admit();
    void takeTurn(FairQueue::Slot slot);
    void tryNext(Lock& lock);
    void fetchKey(Lock& lock);
    [[nodiscard]] UpstreamRequest write();
    void send(Lock& lock, KeyRing::Key key);
    void send(Lock& lock, UpstreamRequest request);
    void playEcho(Lock& lock);
    void play(Lock& lock, EchoAnswer answer);

    [[nodiscard]] bool isStreamed() const;
    template <class Pass>
    [[nodiscard]] std::optional<BadAnswer> feed(std::string_view piece, Pass pass);
    void goOn(Lock& lock, std::optional<BadAnswer> bad, bool held);
    void relay(std::string_view bytes);
    [[nodiscard]] std::string heldBack();
    void endBody();
    void attach(Lock& lock, const std::shared_ptr<Stream>& stream);
    void attached(Lock& lock, const std::shared_ptr<Stream>& stream);
    void awaitDrained(Stream& stream);
    void drained(Lock& lock);
    void ended(Lock& lock, UpstreamProblem problem, const std::string& detail);
    void conclude(Lock& lock);
    [[nodiscard]] Outcome outcome();
    void deliver(Lock& lock, Outcome outcome);

    [[nodiscard]] Failure providersRefusal(const std::string& body);
    void failed(Lock& lock, Failure failure, const std::string& detail);
    void giveUp(Lock& lock, Failure failure);
    void clientLeft();
    void stop(Lock& lock);
    void abandon(Lock& lock, CallOutcome outcome, const std::string& reason, std::optional<Reply> reply);
    void refuse(Lock& lock, const RequestError& error);
    void finish(Lock& lock, CallOutcome outcome, const std::string& reason, std::optional<Reply> reply);
    void keep(std::string& text, std::string_view piece) const;
    void settle(CallOutcome outcome, const std::string& reason);

    Gateway& gateway_;
    const std::shared_ptr<const Call> call_;
    const Asking asking_;
    const Clock::time_point began_ = Clock::now();
    const Timestamp beganAt_ = now();

    std::mutex mutex_;
    bool readOnPool_ = false;
    std::unique_ptr<const Translation> translation_;  ///< null until the request has been read
    std::vector<Candidate> candidates_;
    std::optional<UpstreamRequest> written_;  ///< for the first of them
    std::size_t at_ = 0;                      ///< the candidate that is being tried
    unsigned retries_ = 0;                    ///< of it
    std::optional<Failure> last_;             ///< of an earlier try
    bool ended_ = false;
    bool busy_ = false;                                ///< the pool works for it, without the lock
    bool unwanted_ = false;                            ///< nobody waits for the answer any more
    std::deque<std::function<void(Lock&)>> happened_;  ///< while it was busy
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
    std::vector<std::string> body_;  ///< of an answer that is read whole, in pieces
    std::size_t received_ = 0;       ///< bytes of its body
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

/// Does `work` and goes on with `then`, which is given what it returns and has the lock. What takes long is
/// done on the pool, and releases the lock. What happens to the call until then, waits.
template <class Work, class Then>
void LlmCall::doWork(Lock& lock, bool takesLong, Work work, Then then) {
    if (!takesLong) {
        then(lock, work());
        return;
    }
    busy_ = true;
    lock.unlock();
    gateway_.tasks_.run(call_->caller().job(), [self = shared_from_this(), work = std::move(work),
                                                then = std::move(then)]() mutable {
        try {
            auto result = work();
            Lock later(self->mutex_);
            self->busy_ = false;
            if (!self->unwanted_) {
                then(later, std::move(result));
            }
            self->catchUp(later);
        } catch (...) {
            self->crashed();
            throw;
        }
    });
}

/// Goes on with `then`, which is given what `make` returns; the client is given the refusal that it throws
/// instead. See doWork.
template <class Make, class Then>
void LlmCall::makeOrRefuse(Lock& lock, bool takesLong, Make make, Then then) {
    using Made = std::variant<decltype(make()), RequestError>;
    doWork(
        lock, takesLong,
        [make = std::move(make)]() mutable -> Made {
            try {
                return make();
            } catch (const RequestError& error) {
                return error;
            }
        },
        [this, then = std::move(then)](Lock& later, Made made) mutable {
            if (const auto* const error = std::get_if<RequestError>(&made)) {
                refuse(later, *error);
            } else {
                then(later, std::get<0>(std::move(made)));
            }
        });
}

/// Something happens to the call, now or when the pool has done its work.
template <class Event>
void LlmCall::whenFree(Lock& lock, Event event) {
    if (busy_) {
        happened_.emplace_back(std::move(event));
    } else {
        event(lock);
    }
}

}  // namespace sallyport::plugins::llm
