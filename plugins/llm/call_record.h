// What is kept of one call of a model.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <sallyport/job_id.h>
#include <sallyport/timestamp.h>

#include "chat.h"

namespace sallyport::plugins::llm {

enum class CallOutcome {
    ok,
    failed,
    cancelled,  ///< the client left, or its token was revoked
};

/// The word in the database: `ok`, `failed` or `cancelled`.
[[nodiscard]] const char* name(CallOutcome outcome);

/// What went over the wire, kept only where the operator wants it (`llm.log_content`).
struct CallContent {
    std::string request;
    std::string answer;
};

/// One call that a provider was asked for, however often it was tried.
struct CallRecord {
    Timestamp at{};  ///< when it began
    JobId job;
    std::string user;
    std::string provider;  ///< its name in the configuration; the last one that was tried
    std::string model;     ///< as the provider was asked for it
    std::string endpoint;  ///< `llm/complete`, `openai/chat/completions`, …
    CallOutcome outcome = CallOutcome::ok;
    std::string reason;  ///< machine word of a failure; empty for the others
    Usage usage{};
    std::int64_t costNano = 0;
    std::chrono::milliseconds latency{};  ///< to the last byte of the answer
    std::string requestId;
    std::optional<CallContent> content{};
};

}  // namespace sallyport::plugins::llm
