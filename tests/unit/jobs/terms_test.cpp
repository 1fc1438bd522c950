#include "host/jobs/terms.h"

#include <memory>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/bus/message_bus.h"
#include "host/store/database.h"
#include "host/store/outcome.h"
#include "tests/unit/store/fixture.h"

namespace sallyport::host::jobs {

namespace {

using namespace std::chrono_literals;

class TermsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TermsTest);
    CPPUNIT_TEST(testTermsAreKept);
    CPPUNIT_TEST(testDefaultsHoldWhereNothingIsSaid);
    CPPUNIT_TEST(testLimitsAreChanged);
    CPPUNIT_TEST(testLimitsOfJobsThatAreOver);
    CPPUNIT_TEST(testEventBytesArePaced);
    CPPUNIT_TEST(testOverdueJobsAreInterrupted);
    CPPUNIT_TEST(testDeadlinesSurviveARestart);
    CPPUNIT_TEST_SUITE_END();

    static constexpr JobLimits defaults{10, 20, 30, 40};

    store::TemporaryDirectory directory_;
    testing::RecordingLog log_;
    bus::MessageBus messages_{log_};
    std::unique_ptr<Bus> bus_ = messages_.group();
    std::unique_ptr<auth::WorkerTokens> tokens_;
    std::unique_ptr<store::Database> database_;
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<Terms> terms_;

public:
    void setUp() override { open(); }

    void tearDown() override {
        terms_.reset();
        registry_.reset();
        database_.reset();
    }

private:
    void open() {
        tearDown();
        tokens_ = std::make_unique<auth::WorkerTokens>();
        database_ =
            std::make_unique<store::Database>(store::Database::Options{.file = directory_.file()}, log_);
        registry_ = std::make_unique<Registry>(*database_, *tokens_, *bus_, log_, defaults);
        terms_ = std::make_unique<Terms>(*registry_, *tokens_, 10s);
    }

    JobId create(const JobTerms& terms = {}) {
        return registry_->create({.task = "t", .terms = terms}).job->id;
    }

    void interruptOverdue() {
        registry_->interruptOverdue();
        database_->write([](Transaction&) {});  // behind those
    }

    void finish(const JobId& job) {
        const auto outcome = std::make_shared<store::Outcome>();
        registry_->finish(job, JobState::completed, {},
                          [outcome](std::exception_ptr error, bool) { outcome->set(std::move(error)); });
        outcome->await();
    }

    static void assertEqual(const JobLimits& expected, const JobLimits& limits) {
        CPPUNIT_ASSERT(expected.requestsPerSecond == limits.requestsPerSecond);
        CPPUNIT_ASSERT(expected.eventBytesPerSecond == limits.eventBytesPerSecond);
        CPPUNIT_ASSERT(expected.events == limits.events);
        CPPUNIT_ASSERT(expected.eventBytes == limits.eventBytes);
    }

    /// Makes it look as if the job had been created that much earlier.
    void makeOlder(const JobId& job, std::chrono::milliseconds by) {
        database_->write([&](Transaction& transaction) {
            transaction.execute("UPDATE jobs SET created_at = created_at - ? WHERE job_id = ?",
                                {std::int64_t{by.count()}, job.str()});
        });
    }

    void testTermsAreKept() {
        const JobLimits own{1, 2, 3, 0};
        const JobId job = create({2h, own});
        for (int run = 0; run < 2; ++run) {
            const JobTerms kept = terms_->of(job).value();
            CPPUNIT_ASSERT(kept.timeout == std::chrono::seconds(7200));
            assertEqual(own, kept.limits);
            assertEqual(own, terms_->inForce(job));
            open();
        }
        CPPUNIT_ASSERT(!terms_->of(JobId::random()));
    }

    void testDefaultsHoldWhereNothingIsSaid() {
        assertEqual(defaults, terms_->defaults());
        const JobId job = create({std::nullopt, {.events = 7}});
        CPPUNIT_ASSERT(!terms_->of(job)->timeout);
        assertEqual({std::nullopt, std::nullopt, 7, std::nullopt}, terms_->of(job)->limits);
        assertEqual({10, 20, 7, 40}, terms_->inForce(job));
        assertEqual(defaults, terms_->inForce(JobId::random()));
    }

    void testLimitsAreChanged() {
        const JobId job = create({1h, {.events = 7}});
        CPPUNIT_ASSERT(terms_->setLimits(job, {.requestsPerSecond = 5, .eventBytes = 0}));
        for (int run = 0; run < 2; ++run) {
            assertEqual({5, 20, 30, 0}, terms_->inForce(job));
            assertEqual({5, std::nullopt, std::nullopt, 0}, terms_->of(job)->limits);
            CPPUNIT_ASSERT(terms_->of(job)->timeout == std::chrono::seconds(3600));
            open();
        }
    }

    void testLimitsOfJobsThatAreOver() {
        const JobId job = create();
        finish(job);
        CPPUNIT_ASSERT(!terms_->setLimits(job, {.events = 1}));
        CPPUNIT_ASSERT(!terms_->setLimits(JobId::random(), {.events = 1}));
        CPPUNIT_ASSERT(!terms_->of(job)->limits.events);
    }

    void testEventBytesArePaced() {
        const JobId job = create({std::nullopt, {.eventBytesPerSecond = 100}});
        CPPUNIT_ASSERT(terms_->takeEventBytes(job, 3500).wait == 0ms);
        const JobPace slowed = terms_->takeEventBytes(job, 10'000);
        CPPUNIT_ASSERT(!slowed.refused && slowed.wait > 0ms && slowed.wait <= 5s);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{100}, slowed.perSecond);
        const JobPace refused = terms_->takeEventBytes(job, 1);
        CPPUNIT_ASSERT(refused.refused && refused.retryAfter > 80s);
        CPPUNIT_ASSERT(
            terms_->takeEventBytes(create({std::nullopt, {.eventBytesPerSecond = 0}}), 1 << 30).wait == 0ms);
        CPPUNIT_ASSERT(!terms_->takeEventBytes(JobId::random(), 1).refused);
    }

    void testOverdueJobsAreInterrupted() {
        const JobId overdue = create({60s, {}});
        const JobId pending = create({60s, {}});
        const JobId other = create();
        CPPUNIT_ASSERT(tokens_->find(other)->deadlineMs == 0);
        interruptOverdue();
        CPPUNIT_ASSERT(registry_->find(overdue)->state == JobState::pending);
        tokens_->find(overdue)->deadlineMs = auth::monotonicMs();
        interruptOverdue();
        const Job job = *registry_->find(overdue);
        CPPUNIT_ASSERT(job.state == JobState::interrupted);
        CPPUNIT_ASSERT_EQUAL(std::string("its timeout of 60 s is over"), job.result->message.value());
        CPPUNIT_ASSERT(!tokens_->find(overdue));
        CPPUNIT_ASSERT(registry_->find(pending)->state == JobState::pending);
        CPPUNIT_ASSERT(registry_->find(other)->state == JobState::pending);
    }

    /// The time during which the daemon did not run counts.
    void testDeadlinesSurviveARestart() {
        const JobId late = create({60s, {}});
        const JobId early = create({60s, {}});
        makeOlder(late, 2min);
        makeOlder(early, 30s);
        open();
        interruptOverdue();
        CPPUNIT_ASSERT(registry_->find(late)->state == JobState::interrupted);
        CPPUNIT_ASSERT(registry_->find(early)->state == JobState::pending);
        CPPUNIT_ASSERT(tokens_->find(early)->deadlineMs <= auth::monotonicMs() + 30'000);
        CPPUNIT_ASSERT(tokens_->find(early)->deadlineMs > auth::monotonicMs());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TermsTest);

}  // namespace
}  // namespace sallyport::host::jobs
