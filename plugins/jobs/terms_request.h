// The terms of a job as operators send and see them.
#pragma once

#include <Poco/JSON/Object.h>

#include <sallyport/caller.h>
#include <sallyport/job_terms.h>
#include <sallyport/json.h>

namespace sallyport::plugins {

/// The members `timeout` and `limits` of the body of `POST /jobs`.
/// @throws RequestError 422 naming the field; 403 for a limit above the default, unless it is an admin's
[[nodiscard]] JobTerms readTerms(const json::Object& body, const Caller& caller, const JobLimits& defaults);

/// The job's own limits after those were changed that `body` names: to a number, or by null to the default.
/// @throws RequestError as readTerms
[[nodiscard]] JobLimits changedLimits(JobLimits own, const json::Object& body, const Caller& caller,
                                      const JobLimits& defaults);

/// Adds the members `timeout`, `deadline` and `limits` of a job object.
void addTerms(Poco::JSON::Object& json, const Job& job, const JobTerms& terms, const JobLimits& defaults);

/// The limits that hold for a job with these of its own.
[[nodiscard]] Poco::JSON::Object::Ptr limitsJson(const JobLimits& own, const JobLimits& defaults);

}  // namespace sallyport::plugins
