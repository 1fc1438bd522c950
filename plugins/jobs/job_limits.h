// The limits of a job by their names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include <sallyport/jobs.h>

namespace sallyport::plugins {

/// Every limit by its name in requests, answers and `jobs.limit.*`.
inline constexpr std::array<std::pair<const char*, std::optional<std::int64_t> JobLimits::*>, 4> limitNames{{
    {"requests_per_second", &JobLimits::requestsPerSecond},
    {"event_bytes_per_second", &JobLimits::eventBytesPerSecond},
    {"events", &JobLimits::events},
    {"event_bytes", &JobLimits::eventBytes},
}};

}  // namespace sallyport::plugins
