// What every connection needs from the rest of the host.
#pragma once

#include <exception>
#include <functional>

#include <sallyport/caller.h>
#include <sallyport/log.h>

#include "host/auth/filter.h"
#include "host/bus/event_hub.h"
#include "host/http/body_budget.h"
#include "host/http/limits.h"
#include "host/http/load_metrics.h"
#include "host/http/request_metrics.h"
#include "host/http/time_share.h"
#include "host/http/topics.h"
#include "host/http/worker_pool.h"

namespace sallyport::host::http {

/// Shared by all loops; outlives them.
struct Services {
    Limits limits;
    const auth::Filter& filter;
    /// Moves a pending job to running and calls back once that is durable.
    std::function<void(const JobId&, std::function<void(std::exception_ptr)>)> startJob;
    WorkerPool& pool;
    Topics& topics;
    bus::LiveHub& hub;
    BodyBudget& bodies;
    Crowd& crowd;
    RequestMetrics& metrics;
    LoopMetrics& loops;
    Logger& log;
};

}  // namespace sallyport::host::http
