// How operators and other plugins learn what was used.
#pragma once

#include <memory>

#include <sallyport/route.h>
#include <sallyport/usage.h>

#include "call_log.h"
#include "usage_report.h"

namespace sallyport::plugins::llm {

/// `GET /usage?by=job|user|model|day&job_id=&user_id=&since=&until=&limit=&cursor=` on the operator door.
/// Both must outlive the routes.
void addUsageRoutes(Routes& routes, CallLog& log, const UsageReport& report);

/// The service for plugins. Both must outlive it.
[[nodiscard]] std::shared_ptr<JobUsage> jobUsage(CallLog& log, const UsageReport& report);

}  // namespace sallyport::plugins::llm
