// From a client's request to a provider's answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/call.h>
#include <sallyport/host.h>
#include <sallyport/reply.h>

#include "backoff.h"
#include "call_log.h"
#include "call_metrics.h"
#include "circuit_breaker.h"
#include "echo.h"
#include "fair_queue.h"
#include "job_ledger.h"
#include "job_tasks.h"
#include "key_ring.h"
#include "models.h"
#include "prices.h"
#include "provider.h"
#include "translation.h"
#include "upstream/upstream.h"

namespace sallyport::plugins::llm {

class LlmCall;

// What an event loop does by itself: what takes a fraction of a millisecond at the most. All else is the
// pool's, for the loop has others to serve.

/// The largest request that a loop reads and writes anew for a provider, in bytes: text takes 0.4
/// microseconds a KiB, and if it is all escapes, four times as much.
constexpr std::size_t loopBody = std::size_t{64} * 1024;
/// And in elements and members, which take a tenth of a microsecond each.
constexpr std::size_t loopValues = 1000;
/// The largest request that it echoes. The words of an answer are counted, and each piece of a stream is an
/// event.
constexpr std::size_t loopEcho = std::size_t{4} * 1024;
/// The largest answer, or new part of a stream, that it reads, masks and writes anew: 18 microseconds a KiB.
constexpr std::size_t loopAnswer = std::size_t{8} * 1024;

/// What the operator decides of all calls.
struct GatewayOptions {
    unsigned retries = 3;  ///< of one provider, after the first try
    std::chrono::milliseconds baseDelay{};
    std::chrono::milliseconds greatestDelay{};
    int breakerFailures = 5;
    std::chrono::milliseconds breakerCooldown{};
    FairQueue::Bounds queue;
    std::chrono::milliseconds patience{};  ///< how long calls wait for their turn
    std::chrono::milliseconds keepKeys{};
    bool logContent = false;
    /// Whether models without a price are refused: a limit on cost could not be kept with them.
    bool requirePrices = false;
};

/// A provider and how it has been doing.
struct ProviderState {
    ProviderState(Provider described, const GatewayOptions& options, EchoScript script)
        : provider(std::move(described)),
          breaker(options.breakerFailures, options.breakerCooldown),
          echo(std::move(script)) {}

    const Provider provider;
    CircuitBreaker breaker;
    Echo echo;  ///< of a provider of that type
};

/// A provider that can answer a request, and its name for the model.
struct Candidate {
    ProviderState* state;
    std::string model;
};

/// Everything that calls share. [any thread]
class Gateway {
public:
    struct Parts {
        Host& host;
        JobLedger& ledger;
        CallLog& log;
        CallMetrics& metrics;
        const Models& models;
        const Prices& prices;
        Upstream& upstream;
    };

    Gateway(const Parts& parts, const GatewayOptions& options,
            std::vector<std::unique_ptr<ProviderState>> providers)
        : parts_(parts),
          options_(options),
          backoff_(options.baseDelay, options.greatestDelay),
          keys_(parts.host, options.keepKeys),
          queue_(options.queue),
          tasks_([&host = parts.host](std::function<void()> task) { host.run(std::move(task)); }),
          providers_(std::move(providers)) {}

    /// Answers a request, later. A body of more than `loopBody` must come on a pool thread.
    [[nodiscard]] Reply answer(const Call& call, const Asking& asking);

    /// Says of each provider whose key is in a file or the environment if it cannot be used.
    void examineKeys();

    /// Refuses calls that have waited too long for their turn. To be called every now and then.
    void expire();

    /// For a job that is over.
    void forget(const JobId& job);

    /// Ends all calls and takes no more. To be called before the upstream goes.
    void stop();

    /// Nothing while all providers can be asked.
    [[nodiscard]] std::optional<std::string> trouble() const;

private:
    friend class LlmCall;

    [[nodiscard]] std::unique_ptr<Translation> readAtOnce(const Call& call, const Asking& asking) const;
    [[nodiscard]] std::vector<Candidate> candidates(const Translation& translation) const;
    [[nodiscard]] bool isPriced(const Provider& provider, const Translation& translation,
                                const std::string& model) const;
    void enter(const std::shared_ptr<LlmCall>& call);
    void leave(const LlmCall* call);

    const Parts parts_;
    const GatewayOptions options_;
    const Backoff backoff_;
    KeyRing keys_;
    FairQueue queue_;
    JobTasks tasks_;
    const std::vector<std::unique_ptr<ProviderState>> providers_;

    std::mutex mutex_;
    bool stopped_ = false;
    std::map<const LlmCall*, std::weak_ptr<LlmCall>> calls_;  ///< under way
};

}  // namespace sallyport::plugins::llm
