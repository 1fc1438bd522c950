// One call of a model, from its admission to its record.
#pragma once

#include <chrono>
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

#include "attempt.h"
#include "call_admission.h"
#include "client_stream.h"
#include "failure.h"
#include "fair_queue.h"
#include "gateway.h"
#include "job_ledger.h"
#include "key_ring.h"
#include "translation.h"
#include "upstream/upstream.h"

namespace sallyport::plugins::llm {

/// Leads a request past the job's budget and the queue to the first provider that answers it, tries again
/// where that may help, hands the answer on, and has what was used recorded, however it ends. What it holds
/// for that is in three parts: its admission, the attempt that is under way, and the client's stream. It
/// keeps the order of what happens to them.
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
    void goOn(Lock& lock, std::optional<BadAnswer> bad, bool held);
    void relay(std::string_view bytes);
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
    void settle(JobLedger::Admission admission, CallOutcome outcome, const std::string& reason,
                const Usage& usage);

    Gateway& gateway_;
    const std::shared_ptr<const Call> call_;
    const Asking asking_;
    const Clock::time_point began_ = Clock::now();
    const Timestamp beganAt_ = now();

    std::mutex mutex_;
    bool readOnPool_ = false;
    std::unique_ptr<const Translation> translation_;  ///< null until the request has been read
    std::optional<UpstreamRequest> written_;          ///< for the first candidate
    bool ended_ = false;
    bool busy_ = false;                                ///< the pool works for it, without the lock
    bool unwanted_ = false;                            ///< nobody waits for the answer any more
    std::deque<std::function<void(Lock&)>> happened_;  ///< while it was busy
    std::optional<Promise> promise_;

    // In this order: where nothing ends the call, its stream is let go of first, and the promise last.
    CallAdmission admission_;
    Attempt attempt_;
    ClientStream client_;

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
