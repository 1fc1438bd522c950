#include "host/jobs/registry.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

#include "host/auth/token.h"
#include "host/jobs/states.h"
#include "host/store/database.h"
#include "host/store/outcome.h"
#include "host/store/sql_connection.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::jobs {

namespace {

/// Keeps what was published.
class RecordingBus final : public Bus {
public:
    void wake(std::string_view) override {}

    /// `started <id> <user>` and `<state> <id> <user>`.
    [[nodiscard]] std::vector<std::string> messages() const {
        const std::lock_guard lock(mutex_);
        return messages_;
    }

    /// Of those that a job was created.
    [[nodiscard]] std::vector<std::string> created() const {
        const std::lock_guard lock(mutex_);
        return created_;
    }

    /// Called with each message, while it is being published.
    std::function<void(const JobId&)> onMessage = [](const JobId&) {};

private:
    void subscribeRaw(std::string_view, std::function<void(const void*)>) override {}

    void publishRaw(std::string_view topic, const void* message) override {
        if (topic == JobCreated::topic) {
            const auto& created = *static_cast<const JobCreated*>(message);
            const std::lock_guard lock(mutex_);
            created_.push_back(created.job.str() + " " + created.user);
        } else if (topic == JobStarted::topic) {
            const auto& started = *static_cast<const JobStarted*>(message);
            keep("started", started.job, started.user);
        } else {
            const auto& finished = *static_cast<const JobFinished*>(message);
            keep(name(finished.state), finished.job, finished.user);
        }
    }

    void keep(const std::string& what, const JobId& job, const std::string& user) {
        onMessage(job);
        const std::lock_guard lock(mutex_);
        messages_.push_back(what + " " + job.str() + " " + user);
    }

    mutable std::mutex mutex_;
    std::vector<std::string> messages_;
    std::vector<std::string> created_;
};

/// A store that tells how the engine would answer the last query.
class ExplainingStore final : public Store {
public:
    explicit ExplainingStore(Store& store) : store_(store) {}

    void migrate(std::string_view component, const std::vector<Migration>& steps) override {
        store_.migrate(component, steps);
    }
    void submit(Work work, Done done) override { store_.submit(std::move(work), std::move(done)); }
    void write(Work work) override { store_.write(std::move(work)); }
    Rows query(std::string_view sql, const std::vector<SqlValue>& values) override {
        plan_.clear();
        for (const Row& row : store_.query("EXPLAIN QUERY PLAN " + std::string(sql), values)) {
            plan_ += row.text(3) + "\n";
        }
        return store_.query(sql, values);
    }

    [[nodiscard]] const std::string& plan() const noexcept { return plan_; }

private:
    Store& store_;
    std::string plan_;
};

constexpr std::chrono::milliseconds aMinute{60000};

}  // namespace

class RegistryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RegistryTest);
    CPPUNIT_TEST(testCreatedJobsAreStoredWhole);
    CPPUNIT_TEST(testCreatedJobsHaveDefaults);
    CPPUNIT_TEST(testOnlyTheDigestOfATokenIsStored);
    CPPUNIT_TEST(testOthersStoreInTheSameTransaction);
    CPPUNIT_TEST(testNoJobIsThereWithoutWhatOthersStore);
    CPPUNIT_TEST(testANewTokenReplacesTheLast);
    CPPUNIT_TEST(testANewTokenOutlastsARestart);
    CPPUNIT_TEST(testNoNewTokenForAJobThatIsOver);
    CPPUNIT_TEST(testKnowsNothingOfAnUnknownJob);
    CPPUNIT_TEST(testEveryTransitionAllowedOrRefused);
    CPPUNIT_TEST(testStartedIsPublishedOnceWhenDurable);
    CPPUNIT_TEST(testStatusIsKeptWhileTheJobRuns);
    CPPUNIT_TEST(testFinishKeepsTheResultAndRevokesBeforeItTells);
    CPPUNIT_TEST(testFinishNeedsAStateThatIsOver);
    CPPUNIT_TEST(testOneOfManyFinishesWins);
    CPPUNIT_TEST(testAJobFinishedAtOnceKeepsNoLease);
    CPPUNIT_TEST(testTokensSurviveReopening);
    CPPUNIT_TEST(testAnUnreadableDigestIsLoggedAndTheOthersLoad);
    CPPUNIT_TEST(testOwnersComeFromMemoryOrTheDatabase);
    CPPUNIT_TEST(testListsNewestFirst);
    CPPUNIT_TEST(testListsByUserAndState);
    CPPUNIT_TEST(testPagesWithoutRepeatOrGapWhileJobsAreAdded);
    CPPUNIT_TEST(testRefusesAForeignCursor);
    CPPUNIT_TEST(testCountsNameEveryState);
    CPPUNIT_TEST(testListsAndCountsUseIndexes);
    CPPUNIT_TEST(testSilentJobsAreInterrupted);
    CPPUNIT_TEST(testManySilentJobsAreInterrupted);
    CPPUNIT_TEST(testJobsAreNotSilentBecauseTheDaemonWasDown);
    CPPUNIT_TEST(testWhatCannotBeStoredDidNotHappen);
    CPPUNIT_TEST(testAFullQueueIsToldToTheCaller);
    CPPUNIT_TEST(testACancelledJobsTokenIsDeadBeforeTheDiskHasIt);
    CPPUNIT_TEST(testACancellationHoldsThoughTheDiskTakesNothing);
    CPPUNIT_TEST(testACancellationFindsAFullQueueNoObstacle);
    CPPUNIT_TEST(testAnEndThatIsNotedOutlastsACrash);
    CPPUNIT_TEST(testOfALongMessageTheBeginningIsNoted);
    CPPUNIT_TEST(testWhatIsOverInTheDatabaseStaysAsItIs);
    CPPUNIT_TEST(testNotesThatCannotBeReadAreDropped);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override { open({.file = directory_.file()}); }

    void tearDown() override {
        registry_.reset();
        database_.reset();
    }

    void testCreatedJobsAreStoredWhole() {
        const JobId first = create();
        const Timestamp before = now();
        const CreatedJob created = registry_->create({.user = "anna",
                                                      .task = "do \xe2\x9c\x93",
                                                      .title = "Title",
                                                      .projectDir = "/srv/p",
                                                      .mode = JobMode::claudeCode,
                                                      .restartOf = first});
        const Job job = *registry_->find(created.job->id);
        for (const Job& each : {job, *created.job}) {
            CPPUNIT_ASSERT(each.id == created.job->id);
            CPPUNIT_ASSERT_EQUAL(std::string("anna"), each.user);
            CPPUNIT_ASSERT_EQUAL(std::string("Title"), each.title);
            CPPUNIT_ASSERT_EQUAL(std::string("do \xe2\x9c\x93"), each.task);
            CPPUNIT_ASSERT_EQUAL(std::string("/srv/p"), each.projectDir.value());
            CPPUNIT_ASSERT(each.mode == JobMode::claudeCode);
            CPPUNIT_ASSERT(each.state == JobState::pending);
            CPPUNIT_ASSERT(each.restartOf == first);
            CPPUNIT_ASSERT(each.createdAt >= before && each.createdAt <= now());
            CPPUNIT_ASSERT(each.createdAt == created.job->createdAt);
            CPPUNIT_ASSERT(!each.startedAt && !each.finishedAt && !each.result && !each.statusMessage);
            CPPUNIT_ASSERT_EQUAL(std::uint32_t{0}, each.iteration);
        }
    }

    void testCreatedJobsHaveDefaults() {
        const Job job = *registry_->find(create());
        CPPUNIT_ASSERT_EQUAL("Job " + job.id.str(), job.title);
        CPPUNIT_ASSERT_EQUAL(std::string("default"), job.user);
        CPPUNIT_ASSERT(job.mode == JobMode::worker);
        CPPUNIT_ASSERT(!job.projectDir && !job.restartOf);
    }

    void testOnlyTheDigestOfATokenIsStored() {
        const CreatedJob created = registry_->create({.task = "task"});
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, created.token.size());
        CPPUNIT_ASSERT(auth::digest(created.token) == tokens_->find(created.job->id)->digest);
        CPPUNIT_ASSERT_EQUAL(auth::hex(auth::digest(created.token)), storedDigest(created.job->id));
    }

    void testOthersStoreInTheSameTransaction() {
        const JobId id = JobId::random();
        std::vector<std::string> order;
        const CreatedJob created = registry_->create(
            {.user = "anna", .task = "t"}, id,
            {{"labels", "budget"},
             [&](Transaction& transaction, const Job& job) {
                 CPPUNIT_ASSERT(job.id == id);
                 CPPUNIT_ASSERT_EQUAL(
                     std::size_t{1},
                     transaction.query("SELECT user_id FROM jobs WHERE job_id = ?", {id.str()}).size());
                 order.emplace_back("store");
             },
             [&] {
                 CPPUNIT_ASSERT(tokens_->find(id) == nullptr);
                 CPPUNIT_ASSERT(bus_.created().empty());
                 order.emplace_back("stored");
                 // It would wait for the thread that it is on.
                 CPPUNIT_ASSERT_THROW(static_cast<void>(registry_->renewToken(id)), std::logic_error);
             }});
        CPPUNIT_ASSERT((std::vector<std::string>{"store", "stored"}) == order);
        CPPUNIT_ASSERT(std::vector<std::string>{id.str() + " anna"} == bus_.created());
        const std::vector<std::string> both{"labels", "budget"};
        CPPUNIT_ASSERT(both == created.job->participants);
        CPPUNIT_ASSERT(both == registry_->find(id)->participants);
    }

    void testNoJobIsThereWithoutWhatOthersStore() {
        const JobId id = JobId::random();
        CPPUNIT_ASSERT_THROW(
            static_cast<void>(registry_->create(
                {.task = "t"}, id,
                {{"budget"}, [](Transaction&, const Job&) { throw conflict("spent", "no budget"); }, {}})),
            RequestError);
        CPPUNIT_ASSERT(registry_->find(id) == nullptr);
        CPPUNIT_ASSERT(tokens_->find(id) == nullptr);
        CPPUNIT_ASSERT(bus_.created().empty());
    }

    void testANewTokenReplacesTheLast() {
        const CreatedJob job =
            registry_->create({.task = "t", .terms = {.limits = {.requestsPerSecond = 7}}});
        start(job.job->id);
        const auto last = tokens_->find(job.job->id);
        const std::string token = registry_->renewToken(job.job->id);
        CPPUNIT_ASSERT(last->revoked);
        const auto lease = tokens_->find(job.job->id);
        CPPUNIT_ASSERT(lease != last);
        CPPUNIT_ASSERT(!lease->revoked);
        CPPUNIT_ASSERT(lease->started);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, lease->requests.rate());
        CPPUNIT_ASSERT(lease->digest == auth::digest(token));
        CPPUNIT_ASSERT(tokens_->find(auth::digest(token)) == lease);
        CPPUNIT_ASSERT(tokens_->find(auth::digest(job.token)) == nullptr);
    }

    void testANewTokenOutlastsARestart() {
        const JobId job = create();
        const std::string token = registry_->renewToken(job);
        open({.file = directory_.file()});
        CPPUNIT_ASSERT(tokens_->find(job)->digest == auth::digest(token));
    }

    void testNoNewTokenForAJobThatIsOver() {
        const auto refused = [this](const JobId& job) {
            try {
                static_cast<void>(registry_->renewToken(job));
            } catch (const RequestError& error) {
                return error.status();
            }
            return 200;
        };
        const JobId job = create();
        finish(job, JobState::cancelled);
        CPPUNIT_ASSERT_EQUAL(409, refused(job));
        CPPUNIT_ASSERT(tokens_->find(job) == nullptr);
        CPPUNIT_ASSERT_EQUAL(404, refused(JobId::random()));
    }

    void testKnowsNothingOfAnUnknownJob() {
        const JobId unknown = JobId::random();
        CPPUNIT_ASSERT(!registry_->find(unknown));
        CPPUNIT_ASSERT(!registry_->owner(unknown));
        CPPUNIT_ASSERT(!finish(unknown, JobState::failed));
        start(unknown);
        report(unknown, "message", 1);
        CPPUNIT_ASSERT(bus_.messages().empty());
    }

    void testEveryTransitionAllowedOrRefused() {
        for (const JobState from : states) {
            for (const JobState to : states) {
                if (to == JobState::pending) {
                    continue;  // nothing leads there
                }
                const JobId job = jobIn(from);
                const Job before = *registry_->find(job);
                CPPUNIT_ASSERT(before.state == from);
                move(job, to);
                const Job after = *registry_->find(job);
                CPPUNIT_ASSERT(after.state == (mayChange(from, to) ? to : from));
                CPPUNIT_ASSERT_EQUAL(isOver(after.state), after.finishedAt.has_value());
                CPPUNIT_ASSERT(!isOver(from) || after.finishedAt == before.finishedAt);
                CPPUNIT_ASSERT_EQUAL(isOver(after.state), tokens_->find(job) == nullptr);
                CPPUNIT_ASSERT_EQUAL(isOver(after.state), storedDigest(job).empty());
            }
        }
    }

    void testStartedIsPublishedOnceWhenDurable() {
        const JobId job = create("anna");
        const auto lease = tokens_->find(job);
        CPPUNIT_ASSERT(!lease->started);
        bool runningWhenPublished = false;
        bus_.onMessage = [&](const JobId& id) {
            runningWhenPublished = lease->started && registry_->find(id)->state == JobState::running;
        };
        start(job);
        start(job);
        CPPUNIT_ASSERT(runningWhenPublished);
        CPPUNIT_ASSERT(registry_->find(job)->startedAt.has_value());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, bus_.messages().size());
        CPPUNIT_ASSERT_EQUAL("started " + job.str() + " anna", bus_.messages().front());
    }

    void testStatusIsKeptWhileTheJobRuns() {
        const JobId job = jobIn(JobState::running);
        report(job, "reading", 3);
        report(job, std::nullopt, 4294967295);
        CPPUNIT_ASSERT_EQUAL(std::string("reading"), registry_->find(job)->statusMessage.value());
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{4294967295}, registry_->find(job)->iteration);
        CPPUNIT_ASSERT(finish(job, JobState::completed));
        report(job, "too late", 9);
        CPPUNIT_ASSERT_EQUAL(std::string("reading"), registry_->find(job)->statusMessage.value());
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{4294967295}, registry_->find(job)->iteration);
    }

    void testFinishKeepsTheResultAndRevokesBeforeItTells() {
        const JobId job = create("anna");
        const auto lease = tokens_->find(job);
        bool revokedWhenPublished = false;
        bus_.onMessage = [&](const JobId& id) {
            revokedWhenPublished = lease->revoked && !tokens_->find(id) && isOver(registry_->find(id)->state);
        };
        bool revokedWhenDone = false;
        std::promise<bool> changed;
        registry_->finish(job, JobState::failed, {.success = false, .message = "broke", .iterations = 7},
                          [&](const std::exception_ptr&, bool didChange) {
                              revokedWhenDone = lease->revoked && bus_.messages().size() == 1;
                              changed.set_value(didChange);
                          });
        CPPUNIT_ASSERT(changed.get_future().get());
        CPPUNIT_ASSERT(revokedWhenPublished);
        CPPUNIT_ASSERT(revokedWhenDone);
        CPPUNIT_ASSERT_EQUAL("failed " + job.str() + " anna", bus_.messages().front());

        const JobResult result = registry_->find(job)->result.value();
        CPPUNIT_ASSERT(!result.success);
        CPPUNIT_ASSERT_EQUAL(std::string("broke"), result.message.value());
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{7}, result.iterations);
        CPPUNIT_ASSERT(!finish(job, JobState::completed));
        CPPUNIT_ASSERT_EQUAL(std::string("broke"), registry_->find(job)->result->message.value());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, bus_.messages().size());
    }

    void testFinishNeedsAStateThatIsOver() {
        const JobId job = create();
        for (const JobState state : {JobState::pending, JobState::running}) {
            CPPUNIT_ASSERT_THROW(registry_->finish(job, state, {}, [](const std::exception_ptr&, bool) {}),
                                 std::invalid_argument);
        }
    }

    void testOneOfManyFinishesWins() {
        constexpr std::array ends{JobState::completed, JobState::failed, JobState::cancelled,
                                  JobState::interrupted};
        for (int round = 0; round < 20; ++round) {
            const JobId job = jobIn(JobState::running);
            const std::size_t published = bus_.messages().size();
            std::mutex mutex;
            std::vector<JobState> winners;
            std::vector<std::thread> threads;
            for (std::size_t thread = 0; thread < 8; ++thread) {
                threads.emplace_back([&, end = ends.at(thread % ends.size())] {
                    if (finish(job, end)) {
                        const std::lock_guard lock(mutex);
                        winners.push_back(end);
                    }
                });
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, winners.size());
            CPPUNIT_ASSERT(registry_->find(job)->state == winners.front());
            CPPUNIT_ASSERT_EQUAL(published + 1, bus_.messages().size());
        }
    }

    void testAJobFinishedAtOnceKeepsNoLease() {
        // Others see a new job before its creator has returned.
        std::atomic<bool> over = false;
        std::thread canceller([&] {
            while (!over) {
                for (const auto& job : registry_->list({.state = JobState::pending}).jobs) {
                    finish(job->id, JobState::cancelled);
                }
            }
        });
        std::vector<JobId> made;
        made.reserve(100);
        for (int round = 0; round < 100; ++round) {
            made.push_back(create());
        }
        over = true;
        canceller.join();
        for (const JobId& job : made) {
            CPPUNIT_ASSERT_EQUAL(isOver(registry_->find(job)->state), tokens_->find(job) == nullptr);
        }
    }

    void testTokensSurviveReopening() {
        const CreatedJob pending = registry_->create({.user = "anna", .task = "t"});
        const JobId running = jobIn(JobState::running);
        const JobId over = jobIn(JobState::cancelled);
        open({.file = directory_.file()});
        const auto lease = tokens_->find(pending.job->id);
        CPPUNIT_ASSERT(lease != nullptr);
        CPPUNIT_ASSERT(auth::digest(pending.token) == lease->digest);
        CPPUNIT_ASSERT_EQUAL(std::string("anna"), lease->user);
        CPPUNIT_ASSERT(!lease->started);
        CPPUNIT_ASSERT(tokens_->find(running)->started);
        CPPUNIT_ASSERT(!tokens_->find(over));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, everybody().size());
    }

    void testAnUnreadableDigestIsLoggedAndTheOthersLoad() {
        const JobId whole = create();
        const JobId broken = create();
        database_->write([&](Transaction& transaction) {
            transaction.execute("UPDATE jobs SET token_digest = 'x' WHERE job_id = ?", {broken.str()});
        });
        open({.file = directory_.file()});
        CPPUNIT_ASSERT(tokens_->find(whole));
        CPPUNIT_ASSERT(!tokens_->find(broken));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1},
                             log_.count("so that its worker cannot call job=" + broken.str()));
    }

    void testOwnersComeFromMemoryOrTheDatabase() {
        const JobId running = create("anna");
        const JobId over = create("bob");
        finish(over, JobState::cancelled);
        CPPUNIT_ASSERT_EQUAL(std::string("bob"), registry_->owner(over).value());
        database_->close();
        CPPUNIT_ASSERT_EQUAL(std::string("anna"), registry_->owner(running).value());
        CPPUNIT_ASSERT_THROW(static_cast<void>(registry_->owner(over)), StoreError);
    }

    void testListsNewestFirst() {
        std::vector<JobId> made;
        made.reserve(20);
        for (int job = 0; job < 20; ++job) {
            made.push_back(create());
        }
        std::ranges::reverse(made);
        const JobPage page = registry_->list({});
        CPPUNIT_ASSERT(made == idsOf(page.jobs));
        CPPUNIT_ASSERT(page.nextCursor.empty());
    }

    void testListsByUserAndState() {
        const JobId annasRunning = create("anna");
        const JobId annasOver = create("anna");
        const JobId bobsRunning = create("bob");
        start(annasRunning);
        start(bobsRunning);
        finish(annasOver, JobState::completed);
        using Ids = std::vector<JobId>;
        CPPUNIT_ASSERT((Ids{annasOver, annasRunning}) == idsOf(registry_->list({.user = "anna"}).jobs));
        CPPUNIT_ASSERT((Ids{bobsRunning, annasRunning}) ==
                       idsOf(registry_->list({.state = JobState::running}).jobs));
        CPPUNIT_ASSERT((Ids{annasRunning}) ==
                       idsOf(registry_->list({.user = "anna", .state = JobState::running}).jobs));
        CPPUNIT_ASSERT(registry_->list({.user = "nobody"}).jobs.empty());
    }

    void testPagesWithoutRepeatOrGapWhileJobsAreAdded() {
        std::vector<JobId> made;
        made.reserve(25);
        for (int job = 0; job < 25; ++job) {
            made.push_back(create());
        }
        std::ranges::reverse(made);
        std::vector<JobId> seen;
        JobQuery query{.limit = 5};
        int pages = 0;
        do {
            const JobPage page = registry_->list(query);
            std::ranges::copy(idsOf(page.jobs), std::back_inserter(seen));
            query.cursor = page.nextCursor;
            ++pages;
            create();
            create();
        } while (!query.cursor.empty());
        CPPUNIT_ASSERT(made == seen);
        CPPUNIT_ASSERT_EQUAL(5, pages);
    }

    void testRefusesAForeignCursor() {
        for (const char* cursor : {"x", "j", "j0", "MTIz"}) {
            try {
                static_cast<void>(registry_->list({.cursor = cursor}));
                CPPUNIT_FAIL(cursor);
            } catch (const RequestError& error) {
                CPPUNIT_ASSERT_EQUAL(400, error.status());
            }
        }
    }

    void testCountsNameEveryState() {
        for (const JobState state : states) {
            jobIn(state);
        }
        create("anna");
        for (const auto& [state, count] : registry_->count(std::nullopt)) {
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{state == JobState::pending ? 2U : 1U}, count);
        }
        const std::vector<JobCount> annas = registry_->count("anna");
        CPPUNIT_ASSERT_EQUAL(states.size(), annas.size());
        for (const auto& [state, count] : annas) {
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{state == JobState::pending ? 1U : 0U}, count);
        }
        CPPUNIT_ASSERT_EQUAL(states.size(), registry_->count("nobody").size());
    }

    void testListsAndCountsUseIndexes() {
        ExplainingStore store(*database_);
        auth::WorkerTokens tokens;
        Registry registry(store, tokens, bus_, log_);
        CPPUNIT_ASSERT_MESSAGE(store.plan(), served(store, "jobs_by_state"));
        const JobId job = create();

        static_cast<void>(registry.list({}));
        CPPUNIT_ASSERT_EQUAL(std::string("SCAN jobs\n"), store.plan());  // in the order of its key
        const struct {
            JobQuery query;
            const char* index;
        } cases[] = {
            {{.cursor = "j9"}, "INTEGER PRIMARY KEY"},
            {{.user = "anna", .cursor = "j9"}, "jobs_by_user "},
            {{.state = JobState::failed, .cursor = "j9"}, "jobs_by_state "},
            {{.user = "anna", .state = JobState::failed, .cursor = "j9"}, "jobs_by_user_and_state "},
        };
        for (const auto& [query, index] : cases) {
            static_cast<void>(registry.list(query));
            CPPUNIT_ASSERT_MESSAGE(store.plan(), served(store, index));
        }
        static_cast<void>(registry.count(std::nullopt));
        CPPUNIT_ASSERT_MESSAGE(store.plan(), served(store, "COVERING INDEX jobs_by_state"));
        static_cast<void>(registry.count("anna"));
        CPPUNIT_ASSERT_MESSAGE(store.plan(), served(store, "COVERING INDEX jobs_by_user_and_state"));
        static_cast<void>(registry.find(job));
        CPPUNIT_ASSERT_MESSAGE(store.plan(), served(store, "job_id=?"));
    }

    void testSilentJobsAreInterrupted() {
        const JobId silent = create("anna");
        const JobId talking = jobIn(JobState::running);
        const JobId pending = create();
        start(silent);
        report(silent, "working", 5);
        silence(silent);
        silence(pending);
        const JobId waiting = jobIn(JobState::running);
        auto longPoll = auth::Presence::of(tokens_->find(waiting));
        silence(waiting);
        registry_->interruptSilent(aMinute);

        const Job job = *registry_->find(silent);
        CPPUNIT_ASSERT(job.state == JobState::interrupted);
        CPPUNIT_ASSERT(!job.result->success);
        CPPUNIT_ASSERT_EQUAL(std::string("its worker has not called for 60 s"), job.result->message.value());
        CPPUNIT_ASSERT_EQUAL(std::uint32_t{5}, job.result->iterations);
        CPPUNIT_ASSERT(!tokens_->find(silent));
        CPPUNIT_ASSERT_EQUAL("interrupted " + silent.str() + " anna", bus_.messages().back());
        CPPUNIT_ASSERT(registry_->find(talking)->state == JobState::running);
        CPPUNIT_ASSERT(registry_->find(pending)->state == JobState::pending);
        CPPUNIT_ASSERT(registry_->find(waiting)->state == JobState::running);
        // It has been silent since the answer, not since the question.
        longPoll.reset();
        registry_->interruptSilent(aMinute);
        CPPUNIT_ASSERT(registry_->find(waiting)->state == JobState::running);
        silence(waiting);
        registry_->interruptSilent(aMinute);
        CPPUNIT_ASSERT(registry_->find(waiting)->state == JobState::interrupted);
    }

    void testManySilentJobsAreInterrupted() {
        constexpr int jobs = 250;
        for (int job = 0; job < jobs; ++job) {
            const JobId id = create();
            start(id);
            silence(id);
        }
        registry_->interruptSilent(aMinute);
        CPPUNIT_ASSERT(everybody().empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2} * jobs, bus_.messages().size());
    }

    void testJobsAreNotSilentBecauseTheDaemonWasDown() {
        const JobId job = jobIn(JobState::running);
        open({.file = directory_.file()});
        registry_->interruptSilent(aMinute);
        CPPUNIT_ASSERT(registry_->find(job)->state == JobState::running);
    }

    void testWhatCannotBeStoredDidNotHappen() {
        const JobId pending = create();
        const JobId running = jobIn(JobState::running);
        open({.file = directory_.file(), .lockWait = std::chrono::milliseconds(1)});
        const std::size_t published = bus_.messages().size();
        silence(running);
        {
            store::SqlConnection other(directory_.file(), std::chrono::milliseconds(0));
            other.run("BEGIN IMMEDIATE");
            CPPUNIT_ASSERT_THROW(create(), StoreError);
            CPPUNIT_ASSERT_THROW(start(pending), StoreError);
            CPPUNIT_ASSERT_THROW(report(running, "lost", 1), StoreError);
            CPPUNIT_ASSERT_THROW(finish(running, JobState::completed), StoreError);
            CPPUNIT_ASSERT_THROW(registry_->interruptSilent(aMinute), StoreError);
            other.run("ROLLBACK");
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, everybody().size());
        CPPUNIT_ASSERT(!tokens_->find(running)->revoked);
        CPPUNIT_ASSERT(!tokens_->find(pending)->started);
        CPPUNIT_ASSERT_EQUAL(published, bus_.messages().size());
        CPPUNIT_ASSERT(!registry_->find(running)->statusMessage);
        CPPUNIT_ASSERT(finish(running, JobState::completed));
    }

    void testAFullQueueIsToldToTheCaller() {
        open({.file = directory_.file(), .queue = 1});
        const JobId job = create();
        store::Blockade blockade(*database_);
        auto filler = store::submitted(*database_, [](Transaction&) {});
        bool called = false;
        const auto done = [&](const std::exception_ptr&) { called = true; };
        CPPUNIT_ASSERT_THROW(registry_->start(job, done), StoreError);
        CPPUNIT_ASSERT_THROW(registry_->reportStatus(job, std::nullopt, 1, done), StoreError);
        CPPUNIT_ASSERT_THROW(registry_->finish(job, JobState::failed, {},
                                               [&](const std::exception_ptr&, bool) { called = true; }),
                             StoreError);
        CPPUNIT_ASSERT_THROW(create(), StoreError);
        blockade.lift();
        filler->await();
        CPPUNIT_ASSERT(!called);
        CPPUNIT_ASSERT(finish(job, JobState::failed));
    }

    void testACancelledJobsTokenIsDeadBeforeTheDiskHasIt() {
        open({.file = directory_.file()});
        const JobId job = jobIn(JobState::running);
        const auto lease = tokens_->find(job);
        store::Blockade blockade(*database_);
        const auto outcome = std::make_shared<store::Outcome>();
        registry_->finish(job, JobState::cancelled, {},
                          [outcome](std::exception_ptr error, bool) { outcome->set(std::move(error)); });
        CPPUNIT_ASSERT(lease->revoked);
        CPPUNIT_ASSERT(!tokens_->find(job));
        blockade.lift();
        outcome->await();
        CPPUNIT_ASSERT(registry_->durable(job));
    }

    void testACancellationHoldsThoughTheDiskTakesNothing() {
        open({.file = directory_.file(), .lockWait = std::chrono::milliseconds(1)});
        const JobId job = jobIn(JobState::running);
        const JobId other = jobIn(JobState::running);
        const std::size_t published = bus_.messages().size();
        {
            const Lock lock(directory_.file());
            CPPUNIT_ASSERT(finish(job, JobState::cancelled));
            CPPUNIT_ASSERT(!tokens_->find(job));
            CPPUNIT_ASSERT(!registry_->durable(job));
            CPPUNIT_ASSERT(registry_->durable(other));
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, registry_->unwritten());
            const Job found = *registry_->find(job);
            CPPUNIT_ASSERT(found.state == JobState::cancelled && found.finishedAt && found.result);
            CPPUNIT_ASSERT(registry_->list({}).jobs.back()->state == JobState::cancelled);
            CPPUNIT_ASSERT(idsOf(registry_->list({.state = JobState::running}).jobs) == std::vector{other});
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, counted(JobState::running));
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, counted(JobState::cancelled));
            // Again, and in another way: it is over.
            CPPUNIT_ASSERT(!finish(job, JobState::cancelled));
            CPPUNIT_ASSERT(!finish(job, JobState::completed));
            registry_->writeUnwritten();
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, registry_->unwritten());
        }
        CPPUNIT_ASSERT_EQUAL(published, bus_.messages().size());
        registry_->writeUnwritten();
        CPPUNIT_ASSERT(registry_->durable(job));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, registry_->unwritten());
        CPPUNIT_ASSERT_EQUAL("cancelled " + job.str() + " default", bus_.messages().back());
        CPPUNIT_ASSERT(registry_->find(job)->state == JobState::cancelled);
        CPPUNIT_ASSERT_EQUAL(std::string(), storedDigest(job));
    }

    void testACancellationFindsAFullQueueNoObstacle() {
        open({.file = directory_.file(), .queue = 1});
        const JobId job = create();
        store::Blockade blockade(*database_);
        auto filler = store::submitted(*database_, [](Transaction&) {});
        bool changed = false;
        registry_->finish(job, JobState::cancelled, {},
                          [&](const std::exception_ptr& error, bool did) { changed = !error && did; });
        CPPUNIT_ASSERT(changed && !tokens_->find(job) && !registry_->durable(job));
        blockade.lift();
        filler->await();
        registry_->writeUnwritten();
        CPPUNIT_ASSERT(registry_->durable(job));
    }

    void testAnEndThatIsNotedOutlastsACrash() {
        open({.file = directory_.file(), .lockWait = std::chrono::milliseconds(1)}, true);
        const JobId completed = jobIn(JobState::running);
        const JobId cancelled = create("anna");
        {
            const Lock lock(directory_.file());
            CPPUNIT_ASSERT(finish(completed, JobState::completed,
                                  {.success = true, .message = "two\nlines", .iterations = 7}));
            CPPUNIT_ASSERT(finish(cancelled, JobState::cancelled));
            CPPUNIT_ASSERT(registry_->durable(completed) && registry_->durable(cancelled));
            CPPUNIT_ASSERT(!tokens_->find(completed) && !tokens_->find(cancelled));
        }
        for (const bool written : {false, true}) {
            open({.file = directory_.file()}, true);
            CPPUNIT_ASSERT(everybody().empty());
            const Job job = *registry_->find(completed);
            CPPUNIT_ASSERT(job.state == JobState::completed && job.finishedAt);
            CPPUNIT_ASSERT(job.result->success);
            CPPUNIT_ASSERT_EQUAL(std::string("two\nlines"), job.result->message.value());
            CPPUNIT_ASSERT_EQUAL(7U, job.result->iterations);
            CPPUNIT_ASSERT(!registry_->find(cancelled)->result->message);
            CPPUNIT_ASSERT_EQUAL(written ? std::size_t{0} : std::size_t{2}, registry_->unwritten());
            registry_->writeUnwritten();
        }
        CPPUNIT_ASSERT(intents_->notes("job").empty());
    }

    void testOfALongMessageTheBeginningIsNoted() {
        open({.file = directory_.file(), .lockWait = std::chrono::milliseconds(1)}, true);
        const JobId job = jobIn(JobState::running);
        std::string message = "x";
        for (int i = 0; i < 5000; ++i) {
            message += "\xc3\xa9";
        }
        {
            const Lock lock(directory_.file());
            CPPUNIT_ASSERT(finish(job, JobState::failed, {.success = false, .message = message}));
            CPPUNIT_ASSERT_EQUAL(message, registry_->find(job)->result->message.value());
        }
        open({.file = directory_.file()}, true);
        const std::string kept = registry_->find(job)->result->message.value();
        CPPUNIT_ASSERT(kept.size() > 3000 && kept.size() % 2 == 1);
        CPPUNIT_ASSERT_EQUAL(message.substr(0, kept.size()), kept);
    }

    void testWhatIsOverInTheDatabaseStaysAsItIs() {
        open({.file = directory_.file()}, true);
        const JobId job = jobIn(JobState::completed);
        CPPUNIT_ASSERT(intents_->add("job", job.str() + " cancelled 5 0 0"));
        CPPUNIT_ASSERT(intents_->add("job", JobId::random().str() + " cancelled 5 0 0"));
        open({.file = directory_.file()}, true);
        CPPUNIT_ASSERT(registry_->find(job)->state == JobState::completed);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, counted(JobState::cancelled));
        registry_->writeUnwritten();
        CPPUNIT_ASSERT(registry_->find(job)->state == JobState::completed);
        CPPUNIT_ASSERT(intents_->notes("job").empty());
    }

    void testNotesThatCannotBeReadAreDropped() {
        open({.file = directory_.file()}, true);
        const JobId job = create();
        for (const std::string& text : {std::string("nonsense"), job.str() + " running 5 0 0",
                                        job.str() + " cancelled", std::string("x cancelled 5 0 0")}) {
            CPPUNIT_ASSERT(intents_->add("job", text));
        }
        open({.file = directory_.file()}, true);
        CPPUNIT_ASSERT(intents_->notes("job").empty());
        CPPUNIT_ASSERT(tokens_->find(job));
    }

private:
    /// Another process's lock, under which the database takes no write.
    class Lock {
    public:
        explicit Lock(const std::string& file) : other_(file, std::chrono::milliseconds(0)) {
            other_.run("BEGIN IMMEDIATE");
        }

    private:
        store::SqlConnection other_;
    };

    /// @param noting whether what the database does not take is noted beside it.
    void open(const store::Database::Options& options, bool noting = false) {
        registry_.reset();
        database_.reset();
        intents_.reset();
        if (noting) {
            intents_ = std::make_unique<store::IntentLog>(directory_.file("intents"), log_);
        }
        tokens_ = std::make_unique<auth::WorkerTokens>();
        database_ = std::make_unique<store::Database>(options, log_);
        registry_ =
            std::make_unique<Registry>(*database_, *tokens_, bus_, log_, Registry::unlimited, intents_.get());
    }

    JobId create(const std::string& user = "default") {
        return registry_->create({.user = user, .task = "task"}).job->id;
    }

    /// These wait for the outcome, and throw what it was.
    void start(const JobId& job) {
        const auto outcome = std::make_shared<store::Outcome>();
        registry_->start(job, [outcome](std::exception_ptr error) { outcome->set(std::move(error)); });
        outcome->await();
    }

    void report(const JobId& job, std::optional<std::string> message, std::uint32_t iteration) {
        const auto outcome = std::make_shared<store::Outcome>();
        registry_->reportStatus(job, std::move(message), iteration,
                                [outcome](std::exception_ptr error) { outcome->set(std::move(error)); });
        outcome->await();
    }

    bool finish(const JobId& job, JobState end, JobResult result = {}) {
        const auto outcome = std::make_shared<store::Outcome>();
        bool changed = false;
        registry_->finish(job, end, std::move(result),
                          [outcome, &changed](std::exception_ptr error, bool didChange) {
                              changed = didChange;
                              outcome->set(std::move(error));
                          });
        outcome->await();
        return changed;
    }

    /// Tries to move the job to that state, whatever comes of it.
    void move(const JobId& job, JobState to) {
        if (isOver(to)) {
            finish(job, to);
        } else {
            start(job);
        }
    }

    JobId jobIn(JobState state) {
        const JobId job = create();
        if (state != JobState::pending) {
            move(job, state);
        }
        return job;
    }

    /// The leases of all jobs that are not over.
    [[nodiscard]] std::vector<std::shared_ptr<auth::Lease>> everybody() const {
        return tokens_->those([](const auth::Lease& /*lease*/) { return true; });
    }

    /// Makes it look as if the job's worker had last called a long time ago.
    void silence(const JobId& job) {
        tokens_->find(job)->lastSeenMs = auth::monotonicMs() - 2 * aMinute.count();
    }

    std::uint64_t counted(JobState state) {
        const auto counts = registry_->count(std::nullopt);
        return std::ranges::find(counts, state, &JobCount::state)->count;
    }

    std::string storedDigest(const JobId& job) {
        return database_->query("SELECT token_digest FROM jobs WHERE job_id = ?", {job.str()}).at(0).text(0);
    }

    static std::vector<JobId> idsOf(const std::vector<std::shared_ptr<const Job>>& jobs) {
        std::vector<JobId> ids;
        std::ranges::transform(jobs, std::back_inserter(ids), [](const auto& job) { return job->id; });
        return ids;
    }

    /// Whether the last query was answered by that index, in the order in which it stands there.
    static bool served(const ExplainingStore& store, const char* index) {
        return store::contains(store.plan(), index) && !store::contains(store.plan(), "TEMP B-TREE");
    }

    store::TemporaryDirectory directory_;
    testing::RecordingLog log_;
    RecordingBus bus_;
    std::unique_ptr<auth::WorkerTokens> tokens_;
    std::unique_ptr<store::IntentLog> intents_;
    std::unique_ptr<store::Database> database_;
    std::unique_ptr<Registry> registry_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(RegistryTest);

}  // namespace sallyport::host::jobs
