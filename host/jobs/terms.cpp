#include "host/jobs/terms.h"

namespace sallyport::host::jobs {

Terms::Terms(Registry& registry, auth::WorkerTokens& tokens, std::chrono::milliseconds longestHold)
    : registry_(registry), tokens_(tokens), longestHold_(longestHold) {}

std::optional<JobTerms> Terms::of(const JobId& job) {
    return registry_.terms(job);
}

JobLimits Terms::defaults() const {
    return registry_.limits();
}

bool Terms::setLimits(const JobId& job, const JobLimits& limits) {
    return registry_.setLimits(job, limits);
}

JobLimits Terms::inForce(const JobId& job) {
    const auto lease = tokens_.find(job);
    if (!lease) {
        return registry_.limits();  // it is over just now, and uses nothing up any more
    }
    return {lease->requests.rate(), lease->eventBytes.rate(), lease->maxEvents, lease->maxEventBytes};
}

JobPace Terms::takeEventBytes(const JobId& job, std::int64_t bytes) {
    const auto lease = tokens_.find(job);
    if (!lease) {
        return {};
    }
    const auto verdict = lease->eventBytes.take(bytes, auth::Pacer::Clock::now(), longestHold_);
    return {verdict.wait, verdict.refused, verdict.retryAfter, lease->eventBytes.rate()};
}

}  // namespace sallyport::host::jobs
