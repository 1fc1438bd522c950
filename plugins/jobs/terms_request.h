// The terms of a job as operators send them.
#pragma once

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

}  // namespace sallyport::plugins
