// Points in time as they are stored and shown.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

/// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z; stored as an integer.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

/// The current wall-clock time.
[[nodiscard]] Timestamp now();

/// `2026-01-31T23:59:59.123Z`, the RFC 3339 form that every answer uses.
[[nodiscard]] std::string rfc3339(Timestamp time);

/// Reads an RFC 3339 time with any offset; what is finer than a millisecond is dropped. Nothing for any
/// other text, for a day that no month has, and for a leap second.
[[nodiscard]] std::optional<Timestamp> parseRfc3339(std::string_view text);

}  // namespace sallyport
