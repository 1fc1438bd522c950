// How long to wait before a call is tried again.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include <sallyport/timestamp.h>

namespace sallyport::plugins::llm {

/// Exponential backoff with full jitter. [any thread; immutable]
class Backoff {
public:
    using Delay = std::chrono::milliseconds;

    /// @param greatest no delay is longer, not even one that a provider asks for.
    Backoff(Delay base, Delay greatest) : base_(base), greatest_(greatest) {}

    /// Before retry number `retry`, counted from 0: anything up to the base doubled so many times. If the
    /// provider said how long, that, and up to the base on top, so that not all come back at once.
    /// @param chance from 0 to 1; random().
    [[nodiscard]] Delay delay(unsigned retry, std::optional<Delay> retryAfter, double chance) const;

    /// From 0 (included) to 1, evenly.
    [[nodiscard]] static double random();

private:
    const Delay base_;
    const Delay greatest_;
};

/// The value of a `Retry-After` header (RFC 9110 section 10.2.3): seconds, or a date in any of the three
/// forms of HTTP. A date that has passed is zero. Nothing for any other text.
[[nodiscard]] std::optional<std::chrono::milliseconds> parseRetryAfter(std::string_view value, Timestamp now);

}  // namespace sallyport::plugins::llm
