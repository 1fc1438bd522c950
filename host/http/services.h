// What every connection needs from the rest of the host.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>

#include <sallyport/caller.h>
#include <sallyport/log.h>

#include "host/auth/filter.h"
#include "host/bus/event_hub.h"
#include "host/http/body_budget.h"
#include "host/http/limits.h"
#include "host/http/topics.h"
#include "host/http/worker_pool.h"

namespace sallyport::host::http {

/// One of the two listeners.
struct Door {
    Realm realm = Realm::worker;
    std::size_t maxBody = 0;         ///< bytes of a request's body
    std::size_t maxConnections = 0;  ///< open at once
    std::atomic<std::size_t> connections{0};
};

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
    Logger& log;
};

}  // namespace sallyport::host::http
