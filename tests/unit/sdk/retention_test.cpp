#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/retention.h>
#include <sallyport/testing/fake_host.h>

namespace sallyport {
namespace {

using namespace std::chrono_literals;
using testing::FakeHost;

/// Runs each write once for nothing, as it happens to one in a group with another that fails.
class RepeatingStore final : public Store {
public:
    explicit RepeatingStore(Store& store) : store_(store) {}

    void migrate(std::string_view component, const std::vector<Migration>& steps) override {
        store_.migrate(component, steps);
    }
    void submit(Work work, Done done) override { store_.submit(std::move(work), std::move(done)); }
    void write(Work work) override {
        const auto undone = [&](Transaction& transaction) {
            work(transaction);
            throw std::range_error("another failed");
        };
        CPPUNIT_ASSERT_THROW(store_.write(undone), std::range_error);
        store_.write(work);
    }
    [[nodiscard]] Rows query(std::string_view sql, const std::vector<SqlValue>& values) override {
        return store_.query(sql, values);
    }

private:
    Store& store_;
};

/// A store with rows to delete.
class SweepTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SweepTest);
    CPPUNIT_TEST(testAWriteDeletesNoMoreThanItsBound);
    CPPUNIT_TEST(testAWriteEndsWhenItsTimeIsOver);
    CPPUNIT_TEST(testRunsUntilNothingIsLeft);
    CPPUNIT_TEST(testOthersWriteInBetween);
    CPPUNIT_TEST(testPausesForLongerThanItWrote);
    CPPUNIT_TEST(testATurnEnds);
    CPPUNIT_TEST(testAWriteThatIsRunAgainCountsOnce);
    CPPUNIT_TEST(testAFailedWriteIsTold);
    CPPUNIT_TEST_SUITE_END();

    FakeHost host_{"test", {}};
    SweepPace pace_{.rows = 500, .write = 1h, .pause = 0ms, .turn = 1h};
    std::vector<std::size_t> writes_;  ///< how many rows each deleted

public:
    void setUp() override {
        host_.store().migrate("t", {{1, {"CREATE TABLE t (id {key})", "CREATE TABLE other (id {key})"}}});
        host_.store().write([](Transaction& transaction) {
            for (int row = 0; row < 1200; ++row) {
                transaction.insert("INSERT INTO t DEFAULT VALUES");
            }
        });
    }

private:
    Sweep::Keys find(std::size_t most) {
        writes_.push_back(0);
        return Sweep::keysIn(
            host_.store().query("SELECT id FROM t ORDER BY id LIMIT ?", {static_cast<std::int64_t>(most)}));
    }
    void remove(Transaction& transaction, std::int64_t key) {
        ++writes_.back();
        transaction.execute("DELETE FROM t WHERE id = ?", {key});
    }
    bool run(Sweep& sweep) {
        return sweep.run([this](std::size_t most) { return find(most); },
                         [this](Transaction& transaction, std::int64_t key) { remove(transaction, key); });
    }
    std::int64_t left() { return host_.number("SELECT count(*) FROM t"); }

    void testAWriteDeletesNoMoreThanItsBound() {
        Sweep sweep(host_.store(), pace_);
        const std::size_t removed = sweep.remove(find(10'000), [this](auto& t, auto key) { remove(t, key); });
        CPPUNIT_ASSERT_EQUAL(std::size_t{500}, removed);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{700}, left());
    }

    void testAWriteEndsWhenItsTimeIsOver() {
        pace_.write = 0ms;
        Sweep sweep(host_.store(), pace_);
        const std::size_t removed = sweep.remove(find(500), [this](auto& t, auto key) { remove(t, key); });
        CPPUNIT_ASSERT_EQUAL_MESSAGE("one goes always", std::size_t{1}, removed);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1199}, left());
    }

    void testRunsUntilNothingIsLeft() {
        Sweep sweep(host_.store(), pace_);
        CPPUNIT_ASSERT(run(sweep));
        CPPUNIT_ASSERT((writes_ == std::vector<std::size_t>{500, 500, 200, 0}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1200}, sweep.removed());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, left());
    }

    /// What others queue while a write runs is durable before the next one begins.
    void testOthersWriteInBetween() {
        Sweep sweep(host_.store(), pace_);
        std::vector<std::int64_t> found;
        std::int64_t queued = 0;
        CPPUNIT_ASSERT(sweep.run(
            [&](std::size_t most) {
                found.push_back(host_.number("SELECT count(*) FROM other"));
                return find(most);
            },
            [&](Transaction& transaction, std::int64_t key) {
                remove(transaction, key);
                if (key == 1 || key == 501 || key == 1001) {
                    ++queued;
                    host_.store().submit([](Transaction& t) { t.insert("INSERT INTO other DEFAULT VALUES"); },
                                         [](const std::exception_ptr&) {});
                }
            }));
        host_.settle();
        CPPUNIT_ASSERT_EQUAL(queued, host_.number("SELECT count(*) FROM other"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, found.size());
        CPPUNIT_ASSERT(found[2] >= 1 && found[3] >= 2);
    }

    void testPausesForLongerThanItWrote() {
        Sweep sweep(host_.store(), pace_);
        auto began = std::chrono::steady_clock::now();
        std::chrono::steady_clock::duration wrote{};
        static_cast<void>(sweep.remove(find(1), [&](auto&, auto) {
            began = std::chrono::steady_clock::now();
            while (std::chrono::steady_clock::now() - began < 20ms) {
            }
            wrote = std::chrono::steady_clock::now() - began;
        }));
        const auto ended = std::chrono::steady_clock::now();
        CPPUNIT_ASSERT(sweep.goesOn());
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - ended >= 3 * wrote);
    }

    void testATurnEnds() {
        pace_.turn = 0ms;
        Sweep none(host_.store(), pace_);
        CPPUNIT_ASSERT(!run(none));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1200}, left());
        // A pause that would not end before the turn does is not begun.
        pace_.turn = 1h;
        pace_.pause = 2h;
        Sweep one(host_.store(), pace_);
        CPPUNIT_ASSERT(!run(one));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{700}, left());
    }

    void testAWriteThatIsRunAgainCountsOnce() {
        RepeatingStore repeating(host_.store());
        Sweep sweep(repeating, pace_);
        CPPUNIT_ASSERT(run(sweep));
        CPPUNIT_ASSERT((writes_ == std::vector<std::size_t>{1000, 1000, 400, 0}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1200}, sweep.removed());
    }

    void testAFailedWriteIsTold() {
        host_.store().failWrites(true);
        Sweep sweep(host_.store(), pace_);
        CPPUNIT_ASSERT_THROW(run(sweep), StoreError);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, sweep.removed());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1200}, left());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SweepTest);

/// Rows in memory. Each job has one, whose key is the job's place among them.
class Kept final : public KeptRows {
public:
    std::map<JobId, bool> jobs;  ///< whether its row is there
    std::vector<JobId> removed;
    std::vector<Timestamp> removedBefore;
    int interruptions = 0;  ///< times that a removal comes to no end

    [[nodiscard]] std::optional<JobId> jobAfter(const std::optional<JobId>& job) override {
        for (auto next = job ? jobs.upper_bound(*job) : jobs.begin(); next != jobs.end(); ++next) {
            if (next->second) {
                return next->first;
            }
        }
        return std::nullopt;
    }
    bool removeJob(const JobId& job, Sweep& sweep) override {
        if (interruptions > 0) {
            --interruptions;
            return false;
        }
        return sweep.run([&](std::size_t) { return jobs[job] ? Sweep::Keys{1} : Sweep::Keys{}; },
                         [&](Transaction&, std::int64_t) {
                             jobs[job] = false;
                             removed.push_back(job);
                         });
    }
    bool removeBefore(Timestamp time, Sweep&) override {
        removedBefore.push_back(time);
        return interruptions-- <= 0;
    }
};

/// A plugin that keeps rows of jobs.
class RetentionTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RetentionTest);
    CPPUNIT_TEST(testRowsOfADeletedJobGo);
    CPPUNIT_TEST(testNothingGoesRightAfterTheStart);
    CPPUNIT_TEST(testWhatWasMissedIsFound);
    CPPUNIT_TEST(testWhatIsInterruptedGoesOn);
    CPPUNIT_TEST(testASearchThatIsInterruptedGoesOn);
    CPPUNIT_TEST(testMoreDeletedJobsThanAreRemembered);
    CPPUNIT_TEST(testOldRowsGo);
    CPPUNIT_TEST(testRowsAreKeptForEver);
    CPPUNIT_TEST(testARunIsOneLine);
    CPPUNIT_TEST(testRestsWhileTheStoreTakesNothing);
    CPPUNIT_TEST_SUITE_END();

    FakeHost host_{"test", {}};
    Kept rows_;
    std::optional<Retention> retention_;

    void start(std::chrono::milliseconds keep = 0ms, std::chrono::milliseconds settle = 0ms) {
        retention_.emplace(host_, rows_,
                           Retention::Options{.line = "old rows", .keep = keep, .settle = settle});
    }
    /// A job that is over, with a row.
    JobId job() {
        const JobId id = host_.makeJob().job->id;
        host_.finish(id, JobState::completed);
        rows_.jobs[id] = true;
        return id;
    }
    std::size_t lines() { return host_.log().count(LogLevel::info); }

    void testRowsOfADeletedJobGo() {
        start();
        retention_->turn();
        const JobId gone = job();
        const CreatedJob stays = host_.makeJob();
        rows_.jobs[stays.job->id] = true;
        retention_->turn();
        CPPUNIT_ASSERT_MESSAGE("it is over, and still there", rows_.jobs[gone]);
        host_.deleteEnded();
        retention_->turn();
        CPPUNIT_ASSERT(!rows_.jobs[gone]);
        CPPUNIT_ASSERT(rows_.jobs[stays.job->id]);
    }

    void testNothingGoesRightAfterTheStart() {
        start(1h, 1h);
        const JobId gone = job();
        host_.deleteEnded();
        retention_->turn();
        CPPUNIT_ASSERT(rows_.jobs[gone]);
        CPPUNIT_ASSERT(rows_.removedBefore.empty());
    }

    void testWhatWasMissedIsFound() {
        const JobId first = job();
        const JobId second = job();
        const CreatedJob stays = host_.makeJob();
        rows_.jobs[stays.job->id] = true;
        host_.deleteEnded();
        start();
        retention_->turn();
        CPPUNIT_ASSERT(!rows_.jobs[first] && !rows_.jobs[second]);
        CPPUNIT_ASSERT(rows_.jobs[stays.job->id]);
    }

    void testWhatIsInterruptedGoesOn() {
        start();
        const JobId gone = job();
        host_.deleteEnded();
        rows_.interruptions = 2;
        retention_->turn();
        retention_->turn();
        CPPUNIT_ASSERT(rows_.jobs[gone]);
        retention_->turn();
        CPPUNIT_ASSERT(!rows_.jobs[gone]);
    }

    void testASearchThatIsInterruptedGoesOn() {
        const JobId first = job();
        const JobId second = job();
        host_.deleteEnded();
        start();
        rows_.interruptions = 1;
        retention_->turn();
        CPPUNIT_ASSERT(rows_.removed.empty());
        retention_->turn();
        CPPUNIT_ASSERT(!rows_.jobs[first] && !rows_.jobs[second]);
    }

    void testMoreDeletedJobsThanAreRemembered() {
        start();
        retention_->turn();
        for (int i = 0; i < 10'000; ++i) {
            host_.bus().publish(JobDeleted{JobId::random()});
        }
        const JobId last = job();
        host_.deleteEnded();
        while (rows_.jobs[last]) {
            retention_->turn();
        }
    }

    void testOldRowsGo() {
        start(24h);
        rows_.interruptions = 1;
        const Timestamp earliest = now() - 24h;
        retention_->turn();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, rows_.removedBefore.size());
        CPPUNIT_ASSERT(rows_.removedBefore[0] >= earliest && rows_.removedBefore[0] <= now() - 24h);
        retention_->turn();
        CPPUNIT_ASSERT_MESSAGE("it goes on with the same time",
                               rows_.removedBefore.at(1) == rows_.removedBefore[0]);
        retention_->turn();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("it was done a moment ago", std::size_t{2}, rows_.removedBefore.size());
    }

    void testRowsAreKeptForEver() {
        start();
        retention_->turn();
        CPPUNIT_ASSERT(rows_.removedBefore.empty());
    }

    void testARunIsOneLine() {
        start();
        job();
        job();
        host_.deleteEnded();
        const std::size_t before = lines();
        rows_.interruptions = 1;
        retention_->turn();
        CPPUNIT_ASSERT_EQUAL(before, lines());
        retention_->turn();
        CPPUNIT_ASSERT_EQUAL(before + 1, lines());
        retention_->turn();
        CPPUNIT_ASSERT_EQUAL(before + 1, lines());
    }

    void testRestsWhileTheStoreTakesNothing() {
        start();
        const JobId gone = job();
        host_.deleteEnded();
        host_.store().failWrites(true);
        retention_->turn();
        retention_->turn();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.log().count(LogLevel::warn));
        // Not before a minute has passed.
        host_.store().failWrites(false);
        retention_->turn();
        CPPUNIT_ASSERT(rows_.jobs[gone]);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RetentionTest);

}  // namespace
}  // namespace sallyport
