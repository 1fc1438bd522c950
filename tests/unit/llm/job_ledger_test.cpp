#include "plugins/llm/job_ledger.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

class JobLedgerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobLedgerTest);
    CPPUNIT_TEST(testNoLimits);
    CPPUNIT_TEST(testSums);
    CPPUNIT_TEST(testWhatWasUsedBeforeCounts);
    CPPUNIT_TEST(testRequests);
    CPPUNIT_TEST(testTokensAndCost);
    CPPUNIT_TEST(testEachCallUnderWayMayExceedByItself);
    CPPUNIT_TEST(testRate);
    CPPUNIT_TEST(testUnsettledIsTakenBack);
    CPPUNIT_TEST(testRefusedIsNotCounted);
    CPPUNIT_TEST(testJobsAreApart);
    CPPUNIT_TEST(testForgotten);
    CPPUNIT_TEST(testForgottenWithCallsUnderWay);
    CPPUNIT_TEST(testJobThatIsOverIsNotKept);
    CPPUNIT_TEST(testJobThatEndsWhileItIsLoaded);
    CPPUNIT_TEST(testFailedLoadLeavesNothing);
    CPPUNIT_TEST(testLoadedOnce);
    CPPUNIT_TEST(testNegativeCountsGiveNothingBack);
    CPPUNIT_TEST(testManyThreads);
    CPPUNIT_TEST_SUITE_END();

    const JobId job_ = JobId::random();
    const JobLedger::Time begin_{1000s};
    std::optional<UsageTotals> stored_ = UsageTotals{};
    std::optional<JobLedger> ledger_;

    JobLedger& with(const JobLimits& limits) {
        ledger_.emplace(limits, [this](const JobId&) { return stored_; });
        ledger_->load(job_);
        return *ledger_;
    }
    JobLedger::Admission admit(JobLedger::Time time) { return ledger_->admit(job_, time); }
    void call(const Usage& usage = {}, std::int64_t cost = 0) {
        ledger_->settle(admit(begin_), usage, cost, false);
    }
    /// `status code retry-after: sentence` of the refusal.
    std::string refusal(JobLedger::Time time) {
        try {
            const auto admission = admit(time);
            return "admitted";
        } catch (const RequestError& error) {
            const auto wait = error.retryAfter();
            return std::to_string(error.status()) + " " + error.code() +
                   (wait ? " " + std::to_string(wait->count()) : "") + ": " + error.what();
        }
    }
    std::string refusal() { return refusal(begin_); }

    void testNoLimits() {
        with({});
        std::vector<JobLedger::Admission> admissions;
        for (int i = 0; i < 1000; ++i) {
            admissions.push_back(admit(begin_));
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1000}, ledger_->totals(job_)->requests);
    }

    void testSums() {
        with({});
        ledger_->settle(admit(begin_), {.input = 10, .output = 2, .cacheRead = 3, .cacheWrite = 4}, 7, false);
        ledger_->settle(admit(begin_), {.input = 1, .output = 1}, 5, true);
        const UsageTotals expected{.requests = 2,
                                   .failed = 1,
                                   .inputTokens = 11,
                                   .outputTokens = 3,
                                   .cacheReadTokens = 3,
                                   .cacheWriteTokens = 4,
                                   .costNano = 12};
        CPPUNIT_ASSERT(ledger_->totals(job_) == expected);
        CPPUNIT_ASSERT(!ledger_->totals(JobId::random()));
    }

    void testWhatWasUsedBeforeCounts() {
        stored_ = UsageTotals{.requests = 9, .costNano = 100};
        with({.requests = 10});
        call();
        CPPUNIT_ASSERT(refusal().starts_with("429 request_limit"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{100}, ledger_->totals(job_)->costNano);
    }

    void testRequests() {
        with({.requests = 2});
        call();
        const auto second = admit(begin_);
        CPPUNIT_ASSERT_EQUAL(std::string("429 request_limit: this job has reached its limit of 2 requests"),
                             refusal());
    }

    void testTokensAndCost() {
        with({.inputTokens = 100});
        call({.input = 99});
        call({.input = 1});
        CPPUNIT_ASSERT_EQUAL(
            std::string("429 input_token_limit: this job has reached its limit of 100 input tokens"),
            refusal());
        with({.outputTokens = 100});
        call({.output = 150});
        CPPUNIT_ASSERT(refusal().starts_with("429 output_token_limit: "));
        with({.costNano = 1'500'000'000});
        call({}, 1'499'999'999);
        call({}, 1);
        CPPUNIT_ASSERT_EQUAL(std::string("429 cost_limit: this job has reached its limit of 1.50 dollars"),
                             refusal());
    }

    void testEachCallUnderWayMayExceedByItself() {
        with({.outputTokens = 100});
        auto first = admit(begin_);
        auto second = admit(begin_);
        ledger_->settle(std::move(first), {.output = 100}, 0, false);
        CPPUNIT_ASSERT(refusal().starts_with("429 output_token_limit"));
        ledger_->settle(std::move(second), {.output = 100}, 0, false);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{200}, ledger_->totals(job_)->outputTokens);
    }

    void testRate() {
        with({.requestsPerMinute = 4});
        for (int i = 0; i < 4; ++i) {
            call();
        }
        CPPUNIT_ASSERT_EQUAL(
            std::string("429 rate_limit 15: this job has reached its limit of 4 requests a minute"),
            refusal());
        CPPUNIT_ASSERT(refusal(begin_ + 14s).starts_with("429 rate_limit 1:"));
        // Time that seems to go back gives nothing.
        CPPUNIT_ASSERT(refusal(begin_ - 1h).starts_with("429 rate_limit 1:"));
        CPPUNIT_ASSERT_EQUAL(std::string("admitted"), refusal(begin_ + 15s));
        CPPUNIT_ASSERT(refusal(begin_ + 15s).starts_with("429 rate_limit"));
        // Never more than a minute's worth, however long nobody asked.
        for (int i = 0; i < 4; ++i) {
            CPPUNIT_ASSERT_EQUAL(std::string("admitted"), refusal(begin_ + 24h));
        }
        CPPUNIT_ASSERT(refusal(begin_ + 24h).starts_with("429 rate_limit"));
    }

    void testUnsettledIsTakenBack() {
        with({.requests = 1});
        { const auto admission = admit(begin_); }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, ledger_->totals(job_)->requests);
        auto admission = admit(begin_);
        auto moved = std::move(admission);
        CPPUNIT_ASSERT(moved.job() == job_);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, ledger_->totals(job_)->requests);
    }

    void testRefusedIsNotCounted() {
        with({.requests = 5, .requestsPerMinute = 1});
        const auto admission = admit(begin_);
        for (int i = 0; i < 10; ++i) {
            CPPUNIT_ASSERT(refusal().starts_with("429 rate_limit"));
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, ledger_->totals(job_)->requests);
    }

    void testJobsAreApart() {
        with({.requests = 1});
        call();
        const JobId other = JobId::random();
        ledger_->load(other);
        const auto admission = ledger_->admit(other, begin_);
        CPPUNIT_ASSERT(refusal().starts_with("429"));
    }

    void testForgotten() {
        with({});
        CPPUNIT_ASSERT(ledger_->known(job_));
        call();
        ledger_->forget(job_);
        CPPUNIT_ASSERT(!ledger_->known(job_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, ledger_->size());
        CPPUNIT_ASSERT(refusal().starts_with("409 job_over"));
        ledger_->forget(job_);
    }

    void testForgottenWithCallsUnderWay() {
        with({});
        auto first = admit(begin_);
        auto second = admit(begin_);
        ledger_->forget(job_);
        CPPUNIT_ASSERT(refusal().starts_with("409 job_over"));
        ledger_->settle(std::move(first), {.input = 1}, 0, false);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, ledger_->size());
        { const auto gone = std::move(second); }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, ledger_->size());
    }

    void testJobThatIsOverIsNotKept() {
        stored_ = std::nullopt;
        with({});
        CPPUNIT_ASSERT(!ledger_->known(job_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, ledger_->size());
    }

    void testJobThatEndsWhileItIsLoaded() {
        std::optional<JobLedger>& ledger = ledger_;
        ledger.emplace(JobLimits{}, [&](const JobId& job) {
            ledger->forget(job);
            return UsageTotals{};
        });
        ledger->load(job_);
        CPPUNIT_ASSERT(!ledger->known(job_));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, ledger->size());
    }

    void testFailedLoadLeavesNothing() {
        ledger_.emplace(JobLimits{}, [](const JobId&) -> UsageTotals { throw StoreError("gone"); });
        CPPUNIT_ASSERT_THROW(ledger_->load(job_), StoreError);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, ledger_->size());
    }

    void testLoadedOnce() {
        // A second thread comes while the first reads, is quicker, and a call is made before the first is
        // done.
        int reads = 0;
        ledger_.emplace(JobLimits{}, [&](const JobId& job) {
            if (++reads == 1) {
                ledger_->load(job);
                call({.input = 5});
            }
            return UsageTotals{};
        });
        ledger_->load(job_);
        ledger_->load(job_);
        CPPUNIT_ASSERT_EQUAL(2, reads);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, ledger_->totals(job_)->inputTokens);
    }

    void testNegativeCountsGiveNothingBack() {
        with({.inputTokens = 10});
        call({.input = 10});
        CPPUNIT_ASSERT(refusal().starts_with("429"));
        with({});
        call({.input = -10, .output = -1});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, ledger_->totals(job_)->inputTokens);
    }

    void testManyThreads() {
        with({.requests = 100});
        std::atomic<int> admitted{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (int j = 0; j < 200; ++j) {
                    try {
                        auto admission = ledger_->admit(job_, begin_);
                        ++admitted;
                        ledger_->settle(std::move(admission), {.input = 1}, 1, false);
                    } catch (const RequestError&) {
                        std::this_thread::yield();
                    }
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CPPUNIT_ASSERT_EQUAL(100, admitted.load());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{admitted}, ledger_->totals(job_)->inputTokens);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{admitted}, ledger_->totals(job_)->requests);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobLedgerTest);

}  // namespace
}  // namespace sallyport::plugins::llm
