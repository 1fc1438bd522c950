#include "host/daemon/crash_watch.h"

#include <algorithm>

namespace sallyport::host {

CrashWatch::CrashWatch(const std::string& dataDirectory, const log::Emergency& emergency,
                       auth::WorkerTokens& tokens, Logger& log)
    : tokens_(tokens), log_(log), journal_(dataDirectory), handler_(emergency, journal_.descriptor()) {}

void CrashWatch::begin() {
    if (journal_.descriptor() < 0) {
        log_.warn(
            "a crash could not be told of at the next start: crashes.jsonl in data.dir cannot be opened");
    }
    const auto history = journal_.history();
    for (const auto& crash : history.crashes) {
        log_.warn("a plugin crashed in an earlier run, which nobody has acknowledged yet",
                  {{"plugin", crash.plugin},
                   {"version", crash.version},
                   {"callback", crash.callback},
                   {"route", crash.route},
                   {"signal", crash.signal},
                   {"crashed_at", crash.time}});
    }
    for (const auto& job : history.quarantined) {
        if (const auto lease = tokens_.find(job)) {
            lease->quarantined = true;
            log_.warn(
                "a job's requests are refused, because they crashed the daemon; sallyport job release "
                "lets them in",
                {{"job", job.str()}});
        }
    }
}

bool CrashWatch::holds(const JobId& job) const {
    const auto lease = tokens_.find(job);
    return lease && lease->quarantined;
}

std::size_t CrashWatch::acknowledge(const std::string& plugin) {
    const auto count = journal_.acknowledge(plugin);
    if (count > 0) {
        log_.info("crashes were acknowledged", {{"plugin", plugin}, {"crashes", count}});
    }
    return count;
}

bool CrashWatch::release(const JobId& job) {
    if (!journal_.release(job)) {
        return false;
    }
    if (const auto lease = tokens_.find(job)) {
        lease->quarantined = false;
    }
    log_.info("a job was released from quarantine", {{"job", job.str()}});
    return true;
}

}  // namespace sallyport::host
