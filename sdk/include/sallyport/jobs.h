// The registry of jobs: their states, and the only place where these change. Creating a job has participants:
// see ext/job_lifecycle.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/job_id.h>
#include <sallyport/timestamp.h>

namespace sallyport {

/// pending → running → completed | failed | cancelled | interrupted; a pending job may end too.
enum class JobState { pending, running, completed, failed, cancelled, interrupted };

/// The word in answers and in the database: `pending`, `running`, …
[[nodiscard]] const char* name(JobState state);
[[nodiscard]] std::optional<JobState> jobState(std::string_view name);
/// Whether a job in that state is over: its token is dead and it never changes again.
[[nodiscard]] bool isOver(JobState state);

/// What runs in the sandbox. Later headers may name more: a plugin expects values that its own does not name.
enum class JobMode : std::uint32_t {
    worker,      ///< a program that calls the worker door itself
    claudeCode,  ///< Claude Code, behind a bridge
    acp,         ///< an agent that speaks the Agent Client Protocol, behind a bridge
};

/// The word in answers and in the database: `worker`, `claude_code` or `acp`. `unknown` for what this header
/// does not name.
[[nodiscard]] const char* name(JobMode mode);
/// The mode of that name; nothing for any other text.
[[nodiscard]] std::optional<JobMode> jobMode(std::string_view name);

/// How a job ended, as its worker or an operator told. It stays as it is: what else is to be known of an end
/// becomes a member of Job.
struct JobResult {
    bool success = false;                  ///< whether the task was done
    std::optional<std::string> message{};  ///< a sentence for a person
    std::uint32_t iterations = 0;          ///< how many the worker took
};

/// What one job may use up. 0: any amount; not set: what the configuration says (`jobs.limit.*`).
struct JobLimits {
    std::optional<std::int64_t> requestsPerSecond{};    ///< of its worker; half a minute's worth at once
    std::optional<std::int64_t> eventBytesPerSecond{};  ///< the same for what it reports as events
    std::optional<std::int64_t> events{};               ///< stored at a time
    std::optional<std::int64_t> eventBytes{};           ///< stored at a time
};

/// The terms under which a job runs: until when, and what it may use up.
struct JobTerms {
    std::optional<std::chrono::seconds> timeout{};  ///< from its creation on; after it the job is interrupted
    JobLimits limits{};                             ///< of its own
};

/// A job as it stood when it was read. Only the host makes one, so that it may grow at its end.
struct Job {
    JobId id;                                  ///< never reused
    std::string user;                          ///< its owner
    std::string title;                         ///< for people
    std::string task;                          ///< what the worker is to do
    std::optional<std::string> projectDir;     ///< where, for workers that share a file system
    JobMode mode = JobMode::worker;            ///< what runs in the sandbox
    JobState state = JobState::pending;        ///< at the time of reading
    std::optional<std::string> statusMessage;  ///< from the worker's last status report
    std::uint32_t iteration = 0;               ///< from the worker's last status report
    std::optional<JobResult> result;           ///< when it is over
    std::optional<JobId> restartOf;            ///< the job that this one repeats
    Timestamp createdAt{};                     ///< when it was created
    std::optional<Timestamp> startedAt;        ///< when its worker first called
    std::optional<Timestamp> finishedAt;       ///< when it was over
    std::vector<std::string> participants;     ///< plugins that stored something with it when it was created
};

/// What is needed to create a job. It grows at its end.
struct NewJob {
    /// How far the header went that the plugin was built with, in bytes. Not to be set.
    std::size_t size = sizeof(NewJob);
    std::string user = "default";             ///< its owner
    std::string task;                         ///< what the worker is to do
    std::optional<std::string> title{};       ///< `Job <id>` when not given
    std::optional<std::string> projectDir{};  ///< see Job
    JobMode mode = JobMode::worker;           ///< what runs in the sandbox
    std::optional<JobId> restartOf{};         ///< the job that this one repeats
    JobTerms terms{};                         ///< under which it runs
};

/// A job just made, and the only copy of its token there will ever be.
struct CreatedJob {
    std::shared_ptr<const Job> job;  ///< as it is stored
    std::string token;               ///< 64 lower-case hex characters
};

/// Which jobs to list. Newest first. It grows at its end.
struct JobQuery {
    /// How far the header went that the plugin was built with, in bytes. Not to be set.
    std::size_t size = sizeof(JobQuery);
    std::optional<std::string> user{};  ///< anyone's when not set
    std::optional<JobState> state{};    ///< any when not set
    std::size_t limit = 50;             ///< jobs at the most
    std::string cursor{};               ///< from the page before; empty for the first
};

/// One page of a list of jobs.
struct JobPage {
    std::vector<std::shared_ptr<const Job>> jobs;  ///< newest first
    std::string nextCursor;                        ///< empty on the last page
};

/// How many jobs are in a state.
struct JobCount {
    JobState state;       ///< any of them
    std::uint64_t count;  ///< jobs in it
};

/// Published on the bus when a job has been created, after that is durable.
struct JobCreated {
    static constexpr const char* topic = "job.created";  ///< for Bus::subscribe
    JobId job;                                           ///< the job
    std::string user;                                    ///< its owner
};

/// Published on the bus when a job's first authenticated call has arrived, after that is durable.
struct JobStarted {
    static constexpr const char* topic = "job.started";  ///< for Bus::subscribe
    JobId job;                                           ///< the job
    std::string user;                                    ///< its owner
};

/// Published on the bus when a job is over, after that is durable and its token is revoked.
struct JobFinished {
    static constexpr const char* topic = "job.finished";  ///< for Bus::subscribe
    JobId job;                                            ///< the job
    std::string user;                                     ///< its owner
    JobState state;                                       ///< one that is over
};

/// Published on the bus when a job that was over has been deleted (`jobs.keep`), after that is durable:
/// nobody finds it any more. Whoever keeps rows of jobs deletes those of this one, and those of jobs that
/// were deleted while nobody listened: see Retention.
struct JobDeleted {
    static constexpr const char* topic = "job.deleted";  ///< for Bus::subscribe
    JobId job;                                           ///< the job
};

/// The registry. All changes are durable before they are reported. [any thread]
class Jobs {
public:
    /// Called on the store's thread with nothing, or why it failed (a StoreError).
    using Done = std::function<void(std::exception_ptr)>;
    /// Called on the store's thread, or before `finish` returns; `changed` is false when the job was over
    /// already.
    using Finished = std::function<void(std::exception_ptr, bool changed)>;

    virtual ~Jobs() = default;

    /// Null if there is no such job. May read the database. @throws StoreError
    [[nodiscard]] virtual std::shared_ptr<const Job> find(const JobId& id) = 0;

    /// Who owns the job, from memory for jobs that are not over. @throws StoreError
    [[nodiscard]] virtual std::optional<std::string> owner(const JobId& id) = 0;

    /// @throws RequestError 400 for a cursor that this registry did not give, StoreError
    [[nodiscard]] virtual JobPage list(const JobQuery& query) = 0;

    /// How many jobs are in each state, every state named. All users' when `user` is not set.
    /// @throws StoreError
    [[nodiscard]] virtual std::vector<JobCount> count(const std::optional<std::string>& user) = 0;

    /// Keeps the worker's last message (left as it was when not set) and iteration. Nothing changes on
    /// a job that is over. Never blocks.
    /// @throws StoreError when the store's queue is full; then `done` is not called.
    virtual void reportStatus(const JobId& id, std::optional<std::string> message, std::uint32_t iteration,
                              Done done) = 0;

    /// Ends a job that is not over: state becomes `end`, the result is kept, and the token is revoked on
    /// every connection before `done` is called. Never blocks. `end` must be a state that is over.
    ///
    /// It is over also where the database takes nothing, as on a full disk: if its end can at least be noted
    /// beside it, or if `end` is `cancelled`, which revokes the token at once whatever becomes of the rest.
    /// The database is told later. Until then everybody who asks finds the job over; JobFinished is published
    /// after.
    /// @throws StoreError when the store's queue is full, unless `end` is `cancelled`; then `done` is not
    /// called.
    virtual void finish(const JobId& id, JobState end, JobResult result, Finished done) = 0;

    /// Whether what is known of the job would outlast a crash. It would not after a cancellation while the
    /// disk takes nothing at all, until it does. Never blocks.
    [[nodiscard]] virtual bool durable(const JobId& id) = 0;
};

}  // namespace sallyport
