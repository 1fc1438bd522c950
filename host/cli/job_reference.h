// How a command line names a job.
#pragma once

#include <string>

#include <sallyport/job_id.h>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

/// The job that the text names: a whole id in any of its forms, or the first six or more characters of
/// one, looked up among the newest jobs that the caller may see.
/// @throws UsageError if it is neither, or fits no job or more than one; Unreachable, Refused
[[nodiscard]] JobId resolveJob(const Client& client, const std::string& text);

}  // namespace sallyport::host::cli
