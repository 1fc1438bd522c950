// A job as operators see it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/job_terms.h>
#include <sallyport/jobs.h>
#include <sallyport/json_writer.h>

namespace sallyport::plugins {

/// Adds what the registry knows of a job to the job object of lists and details.
void addJob(json::Writer& json, const Job& job);

/// Adds the members that other plugins show of it, as JSON.
void addMembers(json::Writer& json, const std::vector<std::pair<std::string, std::string>>& members);

/// Adds the members `timeout`, `deadline` and `limits` of a job object.
void addTerms(json::Writer& json, const Job& job, const JobTerms& terms, const JobLimits& defaults);

/// Writes the limits that hold for a job with these of its own, as a value.
void writeLimits(json::Writer& json, const JobLimits& own, const JobLimits& defaults);

/// What the job's worker is told of it.
[[nodiscard]] std::string workerJson(const Job& job);

}  // namespace sallyport::plugins
