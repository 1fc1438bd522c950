// What is counted of calls.
#pragma once

#include <sallyport/ext/metrics.h>

#include "call_record.h"

namespace sallyport::plugins::llm {

/// `calls_total` by provider and outcome, `tokens_total` by kind, `call_seconds`. [any thread]
class CallMetrics {
public:
    explicit CallMetrics(Metrics& metrics);

    /// A call has ended.
    void count(const CallRecord& call);

private:
    MetricFamily<Counter>& calls_;
    Histogram& seconds_;
    Counter& input_;
    Counter& output_;
    Counter& cacheRead_;
    Counter& cacheWrite_;
};

}  // namespace sallyport::plugins::llm
