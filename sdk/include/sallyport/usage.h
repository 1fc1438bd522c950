// What jobs used of language models: the service that a plugin for models provides.
#pragma once

#include <cstdint>

#include <sallyport/job_id.h>
#include <sallyport/json_writer.h>

namespace sallyport {

/// Sums over calls of models. Numbers of tokens are those that the providers counted.
struct UsageTotals {
    std::int64_t requests = 0;          ///< calls
    std::int64_t failed = 0;            ///< of these, how many failed; one that the client gave up did not
    std::int64_t inputTokens = 0;       ///< with those read from and written to a cache
    std::int64_t outputTokens = 0;      ///< of what models wrote
    std::int64_t cacheReadTokens = 0;   ///< of the input, read from a provider's cache
    std::int64_t cacheWriteTokens = 0;  ///< of the input, written to a provider's cache
    std::int64_t costNano = 0;          ///< in billionths of a dollar

    /// Member by member.
    auto operator<=>(const UsageTotals&) const = default;
};

/// Adds the members that every answer about usage has: `requests`, `failed`, `input_tokens`, `output_tokens`,
/// `cache_read_input_tokens`, `cache_creation_input_tokens` and `cost_usd`.
/// @param json is writing an object.
void addTotals(json::Writer& json, const UsageTotals& totals);

/// The usage of jobs, also of those that are over. [any thread; may block on the database]
class JobUsage {
public:
    /// For Host::provide and Host::find.
    static constexpr const char* serviceName = "job_usage";

    virtual ~JobUsage() = default;

    /// All zero for a job that called no model. @throws StoreError
    [[nodiscard]] virtual UsageTotals of(const JobId& job) = 0;
};

}  // namespace sallyport
