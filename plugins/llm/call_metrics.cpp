#include "call_metrics.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sallyport::plugins::llm {

namespace {

const std::vector<double> secondsBounds{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600};

MetricFamily<Counter>& tokens(Metrics& metrics) {
    return metrics.counters("tokens_total", "Tokens that were used; input has those of the cache in it",
                            {{"kind", {"input", "output", "cache_read", "cache_write"}}});
}

std::uint64_t amount(std::int64_t tokens) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(tokens, 0));
}

}  // namespace

CallMetrics::CallMetrics(Metrics& metrics)
    : calls_(metrics.counters(
          "calls_total", "Calls of models",
          {{"provider", {}},
           {"outcome", {name(CallOutcome::ok), name(CallOutcome::failed), name(CallOutcome::cancelled)}}})),
      seconds_(metrics
                   .histograms("call_seconds", "Time from a call to the last byte of its answer",
                               secondsBounds, {})
                   .of({})),
      input_(tokens(metrics).of({"input"})),
      output_(tokens(metrics).of({"output"})),
      cacheRead_(tokens(metrics).of({"cache_read"})),
      cacheWrite_(tokens(metrics).of({"cache_write"})) {}

void CallMetrics::count(const CallRecord& call) {
    calls_.of({call.provider, name(call.outcome)}).add();
    seconds_.observe(std::chrono::duration<double>(call.latency).count());
    input_.add(amount(call.usage.input));
    output_.add(amount(call.usage.output));
    cacheRead_.add(amount(call.usage.cacheRead));
    cacheWrite_.add(amount(call.usage.cacheWrite));
}

}  // namespace sallyport::plugins::llm
