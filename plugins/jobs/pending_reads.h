// Requests that wait for the same read of the database.
#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <sallyport/job_id.h>
#include <sallyport/reply.h>

namespace sallyport::plugins {

/// Has one read answer all requests of a job that come while it goes on, so that no job occupies more than
/// one thread. Outlives its reads. [any thread]
class PendingReads {
public:
    /// One read. Whoever waits when it goes away unanswered is told to come again.
    class Read {
    public:
        ~Read();
        Read(const Read&) = delete;
        Read& operator=(const Read&) = delete;

        /// Answers `200` with that JSON text to all who wait.
        void succeed(const std::string& json);
        /// Answers why there is none to all who wait.
        void fail(const std::exception_ptr& problem);

    private:
        friend class PendingReads;
        Read(PendingReads& reads, const JobId& job) : reads_(&reads), job_(job) {}
        [[nodiscard]] std::vector<Promise> take();

        PendingReads* reads_;  ///< null once all have been answered: the next read may be another's
        const JobId job_;
    };

    /// Has the promise wait for a read of that job.
    /// @return the read, if the caller has to do it; null while another one goes on.
    [[nodiscard]] std::shared_ptr<Read> join(const JobId& job, const Promise& promise);

private:
    std::mutex mutex_;
    std::unordered_map<JobId, std::vector<Promise>> waiting_;  ///< an entry for each read
};

}  // namespace sallyport::plugins
