#include "host/jobs/registry.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <stdexcept>
#include <utility>

#include <sallyport/errors.h>

#include "host/auth/token.h"
#include "host/jobs/cursor.h"
#include "host/jobs/schema.h"
#include "host/jobs/states.h"
#include "host/jobs/unwritten_ends.h"
#include "host/jobs/writes.h"

namespace sallyport::host::jobs {

namespace {

/// Jobs ended by one write, so that a crowd of silent workers does not hold up other writes.
constexpr std::size_t endedTogether = 100;

/// The names of the states that satisfy `wanted`, for `state IN (…)`.
template <class Predicate>
std::string namesOf(Predicate wanted) {
    std::string names;
    for (const JobState state : states) {
        if (wanted(state)) {
            names += std::string(names.empty() ? "'" : ", '") + name(state) + "'";
        }
    }
    return names;
}

/// The condition under which a job may change to `to`.
const std::string& mayBecome(JobState to) {
    static const auto conditions = [] {
        std::array<std::string, states.size()> made;
        for (const JobState target : states) {
            made.at(static_cast<std::size_t>(target)) =
                "state IN (" + namesOf([&](JobState from) { return mayChange(from, target); }) + ")";
        }
        return made;
    }();
    return conditions.at(static_cast<std::size_t>(to));
}

/// The condition for a job that is not over.
const std::string& notOver() {
    static const std::string condition =
        "state IN (" + namesOf([](JobState state) { return !isOver(state); }) + ")";
    return condition;
}

/// A job that a write has ended.
struct Ended {
    JobId job;
    std::string user;
    JobState state;
};

std::string ownerOf(Transaction& transaction, const JobId& id) {
    return transaction.query("SELECT user_id FROM jobs WHERE job_id = ?", {id.str()}).at(0).text(0);
}

/// Lets a pending job run. @return its owner; nothing if it was not pending.
std::optional<std::string> begin(Transaction& transaction, const JobId& id) {
    const std::size_t changed = transaction.execute(
        "UPDATE jobs SET state = ?, started_at = ? WHERE job_id = ? AND " + mayBecome(JobState::running),
        {name(JobState::running), stored(now()), id.str()});
    return changed == 0 ? std::nullopt : std::optional(ownerOf(transaction, id));
}

/// Ends the job if it is not over. @return nothing if it was.
std::optional<Ended> endJob(Transaction& transaction, const JobId& id, const JobEnd& end) {
    const auto& [state, result, at] = end;
    const std::size_t changed = transaction.execute(
        "UPDATE jobs SET state = ?, token_digest = NULL, finished_at = ?, success = ?, result_message = ?,"
        " result_iterations = ? WHERE job_id = ? AND " +
            mayBecome(state),
        {name(state), stored(at), std::int64_t{result.success}, sqlValue(result.message),
         std::int64_t{result.iterations}, id.str()});
    if (changed == 0) {
        return std::nullopt;
    }
    return Ended{id, ownerOf(transaction, id), state};
}

std::uint64_t& countOf(std::vector<JobCount>& counts, JobState state) {
    return std::ranges::find(counts, state, &JobCount::state)->count;
}

/// The WHERE clause of a list, and its values.
class Filter {
public:
    void add(const char* condition, SqlValue value) {
        clause_ += (clause_.empty() ? " WHERE " : " AND ") + std::string(condition);
        values_.push_back(std::move(value));
    }
    [[nodiscard]] const std::string& clause() const noexcept { return clause_; }
    [[nodiscard]] const std::vector<SqlValue>& values() const noexcept { return values_; }

private:
    std::string clause_;
    std::vector<SqlValue> values_;
};

/// Whether the job's worker has called, and no request of it has been under way since.
bool isSilent(const auth::Lease& lease, std::chrono::milliseconds silence) {
    return lease.started && lease.underWay == 0 && lease.lastSeenMs < auth::monotonicMs() - silence.count();
}

bool isOverdue(const auth::Lease& lease) {
    return lease.deadlineMs != 0 && lease.deadlineMs <= auth::monotonicMs();
}

/// What is needed for a lease.
struct Admission {
    JobId job;
    std::string user;
    std::string digest;
    Timestamp createdAt{};
    JobTerms terms{};
    bool started = false;
};

}  // namespace

class Registry::Impl {
public:
    Impl(Store& database, auth::WorkerTokens& leases, Bus& messages, Logger& logger,
         const JobLimits& byDefault, store::IntentLog* intents)
        : store(database),
          tokens(leases),
          bus(messages),
          log(logger),
          limits(byDefault),
          unwritten(intents),
          writes(database) {}

    void load();
    void admit(Admission admission);
    void applyLimits(auth::Lease& lease, const JobLimits& own) const;
    void insert(const Job& job, const JobTerms& terms, const std::string& digest, const Additions& additions);
    void announceStart(const JobId& job, const std::optional<std::string>& user);
    void announce(const Ended& ended);
    void tellUnwritten(const JobId& job, const JobEnd& end, const std::string& reason);
    [[nodiscard]] Job asItIs(Job job) const;
    [[nodiscard]] bool endUnwritten(const JobId& job, const JobEnd& end, const std::exception_ptr& problem);
    void interrupt(std::span<const std::shared_ptr<auth::Lease>> silent, std::chrono::milliseconds silence);

    Store& store;
    auth::WorkerTokens& tokens;
    Bus& bus;
    Logger& log;
    const JobLimits limits;
    UnwrittenEnds unwritten;
    Writes writes;  ///< last: what is on its way uses the rest
};

/// Admits the workers of the jobs that an earlier run left unfinished.
void Registry::Impl::load() {
    const Rows rows = store.query(std::string("SELECT job_id, user_id, token_digest, state, created_at, ") +
                                  termColumns + " FROM jobs WHERE " + notOver());
    for (const Row& row : rows) {
        try {
            const JobId job = jobIdFrom(row.text(0));
            if (unwritten.find(job)) {
                continue;
            }
            admit({.job = job,
                   .user = row.text(1),
                   .digest = row.text(2),
                   .createdAt = Timestamp(std::chrono::milliseconds(row.integer(4))),
                   .terms = termsFrom(row, 5),
                   .started = stateFrom(row.text(3)) != JobState::pending});
        } catch (const std::invalid_argument&) {
            log.error("a job has no readable token, so that its worker cannot call", {{"job", row.text(0)}});
        }
    }
}

/// @throws std::invalid_argument if its digest is none.
void Registry::Impl::admit(Admission admission) {
    auto lease = std::make_shared<auth::Lease>();
    lease->job = admission.job;
    lease->user = std::move(admission.user);
    lease->digest = auth::fromHex(admission.digest);
    lease->started = admission.started;
    // Whether its worker fell silent is counted from here, not from before the daemon was down.
    lease->lastSeenMs = auth::monotonicMs();
    if (const auto timeout = admission.terms.timeout) {
        // Reckoned once: the wall clock may be set later.
        const auto left = admission.createdAt + *timeout - now();
        lease->timeout = *timeout;
        lease->deadlineMs =
            auth::monotonicMs() + std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
    }
    applyLimits(*lease, admission.terms.limits);
    tokens.add(std::move(lease));
}

void Registry::Impl::applyLimits(auth::Lease& lease, const JobLimits& own) const {
    const auto inForce = [&](std::optional<std::int64_t> JobLimits::*limit) {
        return (own.*limit ? own.*limit : limits.*limit).value_or(0);
    };
    const auto time = auth::Pacer::Clock::now();
    lease.requests.setRate(inForce(&JobLimits::requestsPerSecond), time);
    lease.eventBytes.setRate(inForce(&JobLimits::eventBytesPerSecond), time);
    lease.maxEvents = inForce(&JobLimits::events);
    lease.maxEventBytes = inForce(&JobLimits::eventBytes);
}

/// Stores a new job and admits its worker, on the store's thread so that nothing can end the job before
/// there is a lease to revoke.
void Registry::Impl::insert(const Job& job, const JobTerms& terms, const std::string& digest,
                            const Additions& additions) {
    std::vector<SqlValue> values{job.id.str(),
                                 job.user,
                                 name(job.state),
                                 digest,
                                 stored(job.createdAt),
                                 name(job.mode),
                                 job.restartOf ? SqlValue{job.restartOf->str()} : SqlValue{},
                                 job.title,
                                 sqlValue(job.projectDir),
                                 job.task,
                                 storedNames(job.participants)};
    std::ranges::move(storedTerms(terms), std::back_inserter(values));
    writes.writeThen(
        [&](Transaction& transaction) {
            transaction.execute(
                std::string("INSERT INTO jobs (job_id, user_id, state, token_digest, created_at, mode,"
                            " restart_of, title, project_dir, task, participants, ") +
                    termColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values);
            if (additions.store) {
                additions.store(transaction, job);
            }
        },
        [&] {
            if (additions.stored) {
                additions.stored();
            }
            admit({job.id, job.user, digest, job.createdAt, terms, false});
            bus.publish(JobCreated{job.id, job.user});
        });
    log.info("job created", {{"job", job.id.str()}, {"user", job.user}});
}

/// What follows once it is durable that the job runs. On the store's thread.
/// @param user its owner, if it did not run before.
void Registry::Impl::announceStart(const JobId& job, const std::optional<std::string>& user) {
    if (const auto lease = tokens.find(job)) {
        lease->started = true;
    }
    if (user) {
        log.info("job started", {{"job", job.str()}});
        bus.publish(JobStarted{job, *user});
    }
}

/// What follows once the end of a job is durable. On the store's thread.
void Registry::Impl::announce(const Ended& ended) {
    tokens.revoke(ended.job);
    log.info("job finished", {{"job", ended.job.str()}, {"state", name(ended.state)}});
    bus.publish(JobFinished{ended.job, ended.user, ended.state});
}

/// The job as the database has it, and the end of which it does not know.
Job Registry::Impl::asItIs(Job job) const {
    if (const auto end = isOver(job.state) ? std::nullopt : unwritten.find(job.id)) {
        job.state = end->state;
        job.result = end->result;
        job.finishedAt = end->at;
    }
    return job;
}

/// Lets a job be over though the database did not take that: an end that can be noted, and a cancellation in
/// any case. @return false when it is not over.
bool Registry::Impl::endUnwritten(const JobId& job, const JobEnd& end, const std::exception_ptr& problem) {
    std::string reason;
    try {
        std::rethrow_exception(problem);
    } catch (const StoreError& error) {
        reason = error.detail();
    } catch (...) {
        return false;
    }
    const bool noted = unwritten.note(job, end);
    if (!noted && end.state != JobState::cancelled) {
        return false;
    }
    if (!noted) {
        unwritten.remember(job, end);
    }
    tokens.revoke(job);
    tellUnwritten(job, end, reason);
    return true;
}

void Registry::Impl::tellUnwritten(const JobId& job, const JobEnd& end, const std::string& reason) {
    log.warn(unwritten.durable(job)
                 ? "a job is over and its token revoked; the database is told when it can be written"
                 : "a job is over and its token revoked, until a restart: the disk does not take it yet",
             {{"job", job.str()}, {"state", name(end.state)}, {"reason", reason}});
}

/// Ends those jobs whose workers have still not called when their turn to be written comes.
void Registry::Impl::interrupt(std::span<const std::shared_ptr<auth::Lease>> silent,
                               std::chrono::milliseconds silence) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silence).count();
    std::vector<Ended> ended;
    writes.writeThen(
        [&](Transaction& transaction) {
            ended.clear();
            for (const auto& lease : silent) {
                if (lease->revoked || !isSilent(*lease, silence)) {
                    continue;
                }
                const Rows rows =
                    transaction.query("SELECT iteration FROM jobs WHERE job_id = ?", {lease->job.str()});
                const JobResult result{
                    .success = false,
                    .message = "its worker has not called for " + std::to_string(seconds) + " s",
                    .iterations = rows.empty() ? 0 : static_cast<std::uint32_t>(rows.front().integer(0))};
                if (auto done = endJob(transaction, lease->job, {JobState::interrupted, result, now()})) {
                    ended.push_back(*std::move(done));
                }
            }
        },
        [&] {
            for (const Ended& each : ended) {
                announce(each);
            }
        });
}

Registry::Registry(Store& store, auth::WorkerTokens& tokens, Bus& bus, Logger& log, const JobLimits& limits,
                   store::IntentLog* intents)
    : impl_(std::make_unique<Impl>(store, tokens, bus, log, limits, intents)) {
    store.migrate("jobs", migrations());
    impl_->load();
}

Registry::~Registry() = default;

CreatedJob Registry::create(const NewJob& job, const JobId& id, const Additions& additions) {
    const auto made = std::make_shared<Job>();
    made->id = id;
    made->user = job.user;
    made->title = job.title ? *job.title : "Job " + id.str();
    made->task = job.task;
    made->projectDir = job.projectDir;
    made->mode = job.mode;
    made->restartOf = job.restartOf;
    made->createdAt = now();
    made->participants = additions.participants;
    std::string token = auth::newToken();
    impl_->insert(*made, job.terms, auth::hex(auth::digest(token)), additions);
    return {made, std::move(token)};
}

std::string Registry::renewToken(const JobId& id) {
    std::string token = auth::newToken();
    const auth::Digest digest = auth::digest(token);
    bool changed = false;
    if (!impl_->unwritten.find(id)) {
        impl_->writes.writeThen(
            [&](Transaction& transaction) {
                changed =
                    transaction.execute("UPDATE jobs SET token_digest = ? WHERE job_id = ? AND " + notOver(),
                                        {auth::hex(digest), id.str()}) > 0;
            },
            [&] {
                if (changed) {
                    changed = impl_->tokens.renew(id, digest);
                }
            });
    }
    if (!changed) {
        if (find(id) == nullptr) {
            throw notFound("there is no such job");
        }
        throw conflict("job_over", "the job has ended and takes no worker any more");
    }
    impl_->log.info("the token of a job's worker was replaced", {{"job", id.str()}});
    return token;
}

std::shared_ptr<const Job> Registry::find(const JobId& id) {
    const Rows rows =
        impl_->store.query(std::string("SELECT ") + jobColumns + " FROM jobs WHERE job_id = ?", {id.str()});
    return rows.empty() ? nullptr : std::make_shared<const Job>(impl_->asItIs(jobFrom(rows.front()).job));
}

std::optional<std::string> Registry::owner(const JobId& id) {
    if (const auto lease = impl_->tokens.find(id)) {
        return lease->user;
    }
    const Rows rows = impl_->store.query("SELECT user_id FROM jobs WHERE job_id = ?", {id.str()});
    return rows.empty() ? std::nullopt : std::optional(rows.front().text(0));
}

JobPage Registry::list(const JobQuery& query) {
    Filter filter;
    if (query.user) {
        filter.add("user_id = ?", *query.user);
    }
    if (query.state) {
        filter.add("state = ?", name(*query.state));
    }
    if (!query.cursor.empty()) {
        filter.add("number < ?", numberIn(query.cursor));
    }
    const std::size_t limit = std::max<std::size_t>(1, query.limit);
    // One more than asked for tells whether there is a next page.
    const Rows rows =
        impl_->store.query(std::string("SELECT ") + jobColumns + " FROM jobs" + filter.clause() +
                               " ORDER BY number DESC LIMIT " + std::to_string(limit + 1),
                           filter.values());
    JobPage page;
    for (std::size_t index = 0; index < std::min(limit, rows.size()); ++index) {
        auto [row, number] = jobFrom(rows[index]);
        Job job = impl_->asItIs(std::move(row));
        // Of an end that is not written the list of its state does not know yet.
        if (!query.state || job.state == *query.state) {
            page.jobs.push_back(std::make_shared<const Job>(std::move(job)));
        }
        page.nextCursor = rows.size() > limit ? cursorAfter(number) : "";
    }
    return page;
}

std::vector<JobCount> Registry::count(const std::optional<std::string>& user) {
    Filter filter;
    if (user) {
        filter.add("user_id = ?", *user);
    }
    std::vector<JobCount> counts;
    counts.reserve(states.size());
    for (const JobState state : states) {
        counts.push_back({state, 0});
    }
    const Rows rows = impl_->store.query(
        "SELECT state, count(*) FROM jobs" + filter.clause() + " GROUP BY state", filter.values());
    for (const Row& row : rows) {
        const JobState state = stateFrom(row.text(0));
        countOf(counts, state) = static_cast<std::uint64_t>(row.integer(1));
    }
    for (const auto& [id, end] : impl_->unwritten.all()) {
        const Rows found = impl_->store.query("SELECT state, user_id FROM jobs WHERE job_id = ?", {id.str()});
        const bool counted = !found.empty() && (!user || found.front().text(1) == *user);
        if (counted && !isOver(stateFrom(found.front().text(0)))) {
            --countOf(counts, stateFrom(found.front().text(0)));
            ++countOf(counts, end.state);
        }
    }
    return counts;
}

void Registry::reportStatus(const JobId& id, std::optional<std::string> message, std::uint32_t iteration,
                            Done done) {
    impl_->writes.submit(
        [id, message = std::move(message), iteration](Transaction& transaction) {
            transaction.execute(
                "UPDATE jobs SET status_message = coalesce(?, status_message), iteration = ?"
                " WHERE job_id = ? AND " +
                    notOver(),
                {sqlValue(message), std::int64_t{iteration}, id.str()});
        },
        std::move(done));
}

void Registry::finish(const JobId& id, JobState state, JobResult result, Finished done) {
    if (!isOver(state)) {
        throw std::invalid_argument(std::string("a job cannot finish as ") + name(state));
    }
    if (impl_->unwritten.find(id)) {
        done(nullptr, false);
        return;
    }
    const JobEnd end{state, std::move(result), now()};
    const bool live = impl_->tokens.find(id) != nullptr;
    if (state == JobState::cancelled) {
        // Whatever the disk does meanwhile.
        impl_->tokens.revoke(id);
    }
    const auto ended = std::make_shared<std::optional<Ended>>();
    const auto settle = [=, impl = impl_.get()](std::exception_ptr error) {
        bool changed = !error && ended->has_value();
        if (changed) {
            impl->announce(**ended);
        } else if (error && live && impl->endUnwritten(id, end, error)) {
            changed = true;
        }
        done(changed || impl->unwritten.find(id) ? nullptr : std::move(error), changed);
    };
    try {
        impl_->writes.submit([=](Transaction& transaction) { *ended = endJob(transaction, id, end); },
                             settle);
    } catch (const StoreError& problem) {
        if (state != JobState::cancelled || !live) {
            throw;
        }
        impl_->unwritten.remember(id, end);
        impl_->tellUnwritten(id, end, problem.detail());
        done(nullptr, true);
    }
}

bool Registry::durable(const JobId& id) {
    return impl_->unwritten.durable(id);
}

std::size_t Registry::unwritten() const {
    return impl_->unwritten.size();
}

void Registry::writeUnwritten() {
    for (const auto& [id, end] : impl_->unwritten.all()) {
        std::optional<Ended> ended;
        try {
            impl_->writes.writeThen([&](Transaction& transaction) { ended = endJob(transaction, id, end); },
                                    [&] {
                                        impl_->unwritten.remove(id);
                                        if (ended) {
                                            impl_->announce(*ended);
                                        }
                                    });
        } catch (const StoreError&) {
            // Of which the store has told the log.
            impl_->unwritten.noteRemembered();
            return;
        }
    }
}

void Registry::start(const JobId& id, Done done) {
    const auto user = std::make_shared<std::optional<std::string>>();
    impl_->writes.submit([=](Transaction& transaction) { *user = begin(transaction, id); },
                         [user, id, impl = impl_.get(), done = std::move(done)](std::exception_ptr error) {
                             if (!error) {
                                 impl->announceStart(id, *user);
                             }
                             done(std::move(error));
                         });
}

std::optional<JobTerms> Registry::terms(const JobId& id) {
    const Rows rows =
        impl_->store.query(std::string("SELECT ") + termColumns + " FROM jobs WHERE job_id = ?", {id.str()});
    return rows.empty() ? std::nullopt : std::optional(termsFrom(rows.front()));
}

bool Registry::setLimits(const JobId& id, const JobLimits& limits) {
    bool changed = false;
    impl_->writes.writeThen(
        [&](Transaction& transaction) {
            changed = transaction.execute(
                          "UPDATE jobs SET limit_requests = ?, limit_event_bytes_rate = ?, limit_events = ?,"
                          " limit_event_bytes = ? WHERE job_id = ? AND " +
                              notOver(),
                          {sqlValue(limits.requestsPerSecond), sqlValue(limits.eventBytesPerSecond),
                           sqlValue(limits.events), sqlValue(limits.eventBytes), id.str()}) > 0;
        },
        [&] {
            if (const auto lease = changed ? impl_->tokens.find(id) : nullptr) {
                impl_->applyLimits(*lease, limits);
            }
        });
    return changed;
}

const JobLimits& Registry::limits() const {
    return impl_->limits;
}

void Registry::interruptSilent(std::chrono::milliseconds silence) {
    const auto silent =
        impl_->tokens.those([&](const auth::Lease& lease) { return isSilent(lease, silence); });
    for (std::size_t first = 0; first < silent.size(); first += endedTogether) {
        impl_->interrupt(std::span(silent).subspan(first, std::min(endedTogether, silent.size() - first)),
                         silence);
    }
}

void Registry::interruptOverdue() {
    for (const auto& lease : impl_->tokens.those(isOverdue)) {
        const auto job = find(lease->job);
        const JobResult result{
            .success = false,
            .message = "its timeout of " + std::to_string(lease->timeout.count()) + " s is over",
            .iterations = job ? job->iteration : 0};
        // What fails is tried again in a second; the store tells the log why it did.
        finish(lease->job, JobState::interrupted, result, [](const std::exception_ptr&, bool) {});
    }
}

bool Registry::removeEndedBefore(Timestamp time, Sweep& sweep) {
    while (sweep.goesOn()) {
        const Rows ended = impl_->store.query(
            "SELECT number, job_id FROM jobs WHERE finished_at < ? ORDER BY finished_at LIMIT ?",
            {stored(time), static_cast<std::int64_t>(sweep.most())});
        if (ended.empty()) {
            return true;
        }
        const std::size_t removed =
            sweep.remove(Sweep::keysIn(ended), [](Transaction& transaction, std::int64_t number) {
                transaction.execute("DELETE FROM jobs WHERE number = ?", {number});
            });
        for (std::size_t index = 0; index < removed; ++index) {
            impl_->bus.publish(JobDeleted{jobIdFrom(ended[index].text(1))});
        }
    }
    return false;
}

}  // namespace sallyport::host::jobs
