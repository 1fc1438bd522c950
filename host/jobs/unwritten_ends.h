// Jobs that are over before the database knows.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sallyport/jobs.h>
#include <sallyport/timestamp.h>

#include "host/store/intent_log.h"

namespace sallyport::host::jobs {

/// How and when a job ended.
struct JobEnd {
    JobState state;
    JobResult result;
    Timestamp at;
};

/// The ends of jobs that hold and that the database has still to be told. [any thread]
class UnwrittenEnds {
public:
    /// Has those that an earlier run noted. @param log null: nothing is noted.
    explicit UnwrittenEnds(store::IntentLog* log);

    /// Notes an end, so that it outlasts a crash; of a long message it is the beginning that does.
    /// @return false, and nothing is kept, when that cannot be.
    [[nodiscard]] bool note(const JobId& job, JobEnd end);

    /// Keeps an end in memory.
    void remember(const JobId& job, JobEnd end);

    /// Notes what is only in memory, if that is possible by now.
    void noteRemembered();

    [[nodiscard]] std::optional<JobEnd> find(const JobId& job) const;
    /// Whether the job's end, if it is here, outlasts a crash.
    [[nodiscard]] bool durable(const JobId& job) const;
    [[nodiscard]] std::vector<std::pair<JobId, JobEnd>> all() const;
    [[nodiscard]] std::size_t size() const;

    /// The database knows it.
    void remove(const JobId& job);

private:
    struct Kept {
        JobEnd end;
        std::optional<store::IntentLog::Place> place;
    };

    [[nodiscard]] std::optional<store::IntentLog::Place> placeFor(const JobId& job, const JobEnd& end);

    store::IntentLog* const log_;
    mutable std::mutex mutex_;
    std::unordered_map<JobId, Kept> ends_;
};

}  // namespace sallyport::host::jobs
