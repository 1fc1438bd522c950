// A job as operators see it.
#pragma once

#include <string>
#include <vector>

#include <Poco/JSON/Object.h>

#include <sallyport/grants.h>
#include <sallyport/jobs.h>
#include <sallyport/usage.h>

namespace sallyport::plugins {

/// What the registry knows of a job, for the job object of lists and details.
[[nodiscard]] Poco::JSON::Object::Ptr jobJson(const Job& job, const std::vector<Grant>& grants);

/// What the job's worker is told of it.
[[nodiscard]] std::string workerJson(const Job& job);

/// The member `usage` of details.
[[nodiscard]] Poco::JSON::Object::Ptr usageJson(const UsageTotals& totals);

/// An object that keeps its members in the order in which they were set.
[[nodiscard]] Poco::JSON::Object::Ptr orderedObject();

}  // namespace sallyport::plugins
