// Deleting jobs that are long over.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>

#include <sallyport/log.h>
#include <sallyport/retention.h>
#include <sallyport/store.h>

#include "host/jobs/registry.h"

namespace sallyport::host::jobs {

/// Deletes jobs that ended `jobs.keep` ago. A row of the registry goes first, so that nobody finds the job
/// any more; then, as Retention says, what plugins have of it.
class JobRetention {
public:
    /// @param keep 0: for ever.
    /// @param settle nothing is deleted for so long from now on.
    JobRetention(Registry& registry, Store& store, Logger& log, std::chrono::milliseconds keep,
                 std::chrono::milliseconds settle = std::chrono::seconds(2));

    /// Another `jobs.keep`, which counts from the next turn on. [any thread]
    void keep(std::chrono::milliseconds time);

    /// Deletes for a fraction of a second, if there is anything to delete. To be called every second. [pool
    /// thread, never twice at once]
    void turn();

private:
    using Clock = std::chrono::steady_clock;

    bool removeOld(Sweep& sweep);

    Registry& registry_;
    Store& store_;
    Logger& log_;
    std::mutex mutex_;
    Aging aging_;  ///< under the lock
    Clock::time_point restsUntil_;
    std::size_t removed_ = 0;  ///< since it was last reported
};

}  // namespace sallyport::host::jobs
