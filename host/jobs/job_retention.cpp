#include "host/jobs/job_retention.h"

#include <optional>
#include <utility>

#include <sallyport/errors.h>

namespace sallyport::host::jobs {

namespace {

/// Between two tries while the store takes nothing.
constexpr std::chrono::minutes rest{1};

}  // namespace

JobRetention::JobRetention(Registry& registry, Store& store, Logger& log, std::chrono::milliseconds keep,
                           std::chrono::milliseconds settle)
    : registry_(registry), store_(store), log_(log), aging_(keep), restsUntil_(Clock::now() + settle) {}

void JobRetention::keep(std::chrono::milliseconds time) {
    const std::lock_guard lock(mutex_);
    if (time != aging_.keep()) {
        aging_ = Aging(time);
    }
}

void JobRetention::turn() {
    if (Clock::now() < restsUntil_) {
        return;
    }
    Sweep sweep(store_);
    bool done = false;
    try {
        done = removeOld(sweep);
    } catch (const StoreError& error) {
        restsUntil_ = Clock::now() + rest;
        log_.warn("old jobs cannot be deleted; this is tried again in a minute",
                  {{"reason", error.detail()}});
    }
    removed_ += sweep.removed();
    if (done && removed_ > 0) {
        log_.info("old jobs were deleted", {{"jobs", std::exchange(removed_, 0)}});
    }
}

/// @return whether nothing is left.
bool JobRetention::removeOld(Sweep& sweep) {
    std::optional<Timestamp> before;
    {
        const std::lock_guard lock(mutex_);
        before = aging_.due();
    }
    if (!before) {
        return true;
    }
    if (!registry_.removeEndedBefore(*before, sweep)) {
        return false;
    }
    const std::lock_guard lock(mutex_);
    aging_.done();
    return true;
}

}  // namespace sallyport::host::jobs
