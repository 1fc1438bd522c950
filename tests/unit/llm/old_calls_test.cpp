#include "plugins/llm/old_calls.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

#include "plugins/llm/call_log.h"
#include "plugins/llm/usage_report.h"

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

/// What remains of records that are deleted.
class OldCallsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OldCallsTest);
    CPPUNIT_TEST(testSumsRemain);
    CPPUNIT_TEST(testSumsOfADeletedJobRemain);
    CPPUNIT_TEST(testWhatWasSummedUpOfADeletedJobRemains);
    CPPUNIT_TEST(testOnlyOldRecordsGo);
    CPPUNIT_TEST(testContentGoes);
    CPPUNIT_TEST(testDaysRemain);
    CPPUNIT_TEST(testPagesGoOnWhileRecordsGo);
    CPPUNIT_TEST(testAllRecordsGone);
    CPPUNIT_TEST(testJobsInTurn);
    CPPUNIT_TEST(testNothingIsFoundByReadingAll);
    CPPUNIT_TEST(testWhatAJobHasTooManyOfGoes);
    CPPUNIT_TEST(testMadeUpModelsAreOneSum);
    CPPUNIT_TEST(testAnyNumberIsKept);
    CPPUNIT_TEST_SUITE_END();

    testing::FakeHost host_{"llm", {}};
    CallLog log_{host_.store(), host_.log()};
    UsageReport report_{host_.store()};
    static constexpr std::int64_t keptPerJob = 20;
    OldCalls old_{host_.store(), keptPerJob};
    Sweep sweep_{host_.store(), {.pause = 0ms, .turn = 1h}};
    const JobId first_ = *JobId::parse("00000000-0000-4000-8000-000000000001");
    const JobId second_ = *JobId::parse("ff000000-0000-4000-8000-000000000001");
    const Timestamp noon_ = std::chrono::sys_days(2026y / 1 / 31) + 12h;

    void add(const JobId& job, const std::string& user, const std::string& model, Timestamp at,
             CallOutcome outcome = CallOutcome::ok,
             const Usage& usage = {.input = 100, .output = 10, .cacheRead = 50, .cacheWrite = 5}) {
        CallRecord record;
        record.at = at;
        record.job = job;
        record.user = user;
        record.model = model;
        record.outcome = outcome;
        record.usage = usage;
        record.costNano = usage.input > 0 ? 12'500'000 : 0;
        record.content = CallContent{"question", "answer"};
        log_.record(record);
        log_.flush();
    }
    /// Two days, two users, two models.
    void addSome() {
        add(first_, "alice", "gpt", noon_);
        add(first_, "alice", "gpt", noon_ + 1h);
        add(first_, "alice", "claude", noon_ + 2h, CallOutcome::failed);
        add(second_, "bob", "gpt", noon_ + 3h);
        add(first_, "alice", "gpt", noon_ + 24h);
    }
    void removeBefore(Timestamp time) { CPPUNIT_ASSERT(old_.removeBefore(time, sweep_)); }

    /// All there is to say about usage.
    std::string reported(std::vector<UsageBy> ways = {UsageBy::job, UsageBy::user, UsageBy::model,
                                                      UsageBy::day}) {
        std::string text;
        for (const UsageBy by : ways) {
            const UsagePage page = report_.page(by, {}, 100, "");
            for (const UsageGroup& group : page.groups) {
                text += group.key + ": " + shown(group.totals) + "\n";
            }
            text += "total: " + shown(page.total) + "\n";
        }
        return text;
    }
    static std::string shown(const UsageTotals& totals) {
        std::string text;
        for (const std::int64_t number :
             {totals.requests, totals.failed, totals.inputTokens, totals.outputTokens, totals.cacheReadTokens,
              totals.cacheWriteTokens, totals.costNano}) {
            text += std::to_string(number) + ' ';
        }
        return text;
    }
    std::int64_t records() { return host_.number("SELECT count(*) FROM llm_call"); }

    void testSumsRemain() {
        addSome();
        const std::string before = reported();
        for (const auto hours : {1h, 2h, 4h, 48h}) {
            removeBefore(noon_ + hours);
            CPPUNIT_ASSERT_EQUAL(before, reported());
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, records());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, report_.total({.job = first_}).requests);
        // What comes is added.
        add(first_, "alice", "gpt", noon_ + 24h);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, report_.total({.job = first_}).requests);
        removeBefore(noon_ + 48h);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, report_.total({.job = first_}).requests);
    }

    void testSumsOfADeletedJobRemain() {
        addSome();
        const std::vector<UsageBy> ways{UsageBy::user, UsageBy::model, UsageBy::day};
        const std::string before = reported(ways);
        CPPUNIT_ASSERT(old_.removeJob(first_, sweep_));
        CPPUNIT_ASSERT_EQUAL(before, reported(ways));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, records());
        CPPUNIT_ASSERT(report_.total({.job = first_}) == UsageTotals{});
        const auto groups = report_.page(UsageBy::job, {}, 100, "").groups;
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, groups.size());
        CPPUNIT_ASSERT_EQUAL(std::string(), groups[0].key);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, groups[0].totals.requests);
        CPPUNIT_ASSERT_EQUAL(second_.str(), groups[1].key);
        // Those of further deleted jobs are added.
        CPPUNIT_ASSERT(old_.removeJob(second_, sweep_));
        CPPUNIT_ASSERT_EQUAL(before, reported(ways));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, report_.page(UsageBy::job, {}, 100, "").groups.size());
    }

    void testWhatWasSummedUpOfADeletedJobRemains() {
        addSome();
        const std::vector<UsageBy> ways{UsageBy::user, UsageBy::model, UsageBy::day};
        const std::string before = reported(ways);
        removeBefore(noon_ + 4h);
        for (const JobId& job : {first_, second_}) {
            CPPUNIT_ASSERT(old_.removeJob(job, sweep_));
            CPPUNIT_ASSERT_EQUAL(before, reported(ways));
            CPPUNIT_ASSERT(report_.total({.job = job}) == UsageTotals{});
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0},
                             host_.number("SELECT count(*) FROM llm_usage WHERE job_id <> ''"));
    }

    void testOnlyOldRecordsGo() {
        addSome();
        removeBefore(noon_);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, records());
        removeBefore(noon_ + 2h);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, records());
    }

    void testContentGoes() {
        addSome();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, host_.number("SELECT count(*) FROM llm_call_content"));
        removeBefore(noon_ + 1h);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, host_.number("SELECT count(*) FROM llm_call_content"));
        CPPUNIT_ASSERT(old_.removeJob(first_, sweep_));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.number("SELECT count(*) FROM llm_call_content"));
    }

    void testDaysRemain() {
        addSome();
        removeBefore(noon_ + 48h);
        const Timestamp day = std::chrono::sys_days(2026y / 1 / 31);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, report_.total({.since = day}).requests);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, report_.total({.since = day + 24h}).requests);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, report_.total({.until = day + 24h}).requests);
        // The time of the day is forgotten.
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, report_.total({.since = day + 1ms}).requests);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, report_.total({.until = day + 1ms}).requests);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1},
                             report_.total({.user = "bob", .since = day, .until = day + 24h}).requests);
    }

    void testPagesGoOnWhileRecordsGo() {
        for (const char* model : {"a", "b", "c"}) {
            add(first_, "alice", model, noon_);
        }
        const UsagePage page = report_.page(UsageBy::model, {}, 1, "");
        CPPUNIT_ASSERT_EQUAL(std::string("c"), page.groups.at(0).key);
        removeBefore(noon_ + 1h);
        const UsagePage next = report_.page(UsageBy::model, {}, 1, page.nextCursor);
        CPPUNIT_ASSERT_EQUAL(std::string("b"), next.groups.at(0).key);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, next.total.requests);
        CPPUNIT_ASSERT(old_.removeJob(first_, sweep_));
        const UsagePage last = report_.page(UsageBy::model, {}, 1, next.nextCursor);
        CPPUNIT_ASSERT_EQUAL(std::string("a"), last.groups.at(0).key);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, last.total.requests);
        CPPUNIT_ASSERT(last.nextCursor.empty());
    }

    void testAllRecordsGone() {
        addSome();
        removeBefore(noon_ + 48h);
        const UsagePage page = report_.page(UsageBy::user, {}, 1, "");
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), page.groups.at(0).key);
        CPPUNIT_ASSERT_EQUAL(std::string("bob"),
                             report_.page(UsageBy::user, {}, 1, page.nextCursor).groups.at(0).key);
    }

    void testJobsInTurn() {
        CPPUNIT_ASSERT(!old_.jobAfter(std::nullopt));
        addSome();
        removeBefore(noon_ + 4h);  // nothing but a sum is left of the second
        CPPUNIT_ASSERT(old_.jobAfter(std::nullopt) == first_);
        CPPUNIT_ASSERT(old_.jobAfter(first_) == second_);
        CPPUNIT_ASSERT(!old_.jobAfter(second_));
        CPPUNIT_ASSERT(old_.removeJob(second_, sweep_));
        CPPUNIT_ASSERT(!old_.jobAfter(first_));
    }

    void testNothingIsFoundByReadingAll() {
        for (const char* const query :
             {"SELECT id FROM llm_call WHERE at < ? ORDER BY at LIMIT 500",
              "SELECT id FROM llm_call WHERE job_id = ? ORDER BY id LIMIT 500",
              "SELECT id FROM llm_call WHERE job_id = ? ORDER BY id DESC LIMIT 1 OFFSET 9",
              "SELECT id FROM llm_call WHERE job_id = ? AND id <= 5 ORDER BY id LIMIT 9",
              "SELECT DISTINCT at FROM llm_usage WHERE job_id = ? LIMIT 500",
              "SELECT MIN(job_id) FROM llm_call WHERE job_id > ?",
              "SELECT count(*) FROM llm_call WHERE at >= ? AND +id <= 5"}) {
            const Rows plan =
                host_.store().query("EXPLAIN QUERY PLAN " + std::string(query), {std::int64_t{1}});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(query, std::size_t{1}, plan.size());
            const std::string step = plan.at(0).text(3);
            CPPUNIT_ASSERT_MESSAGE(step, step.starts_with("SEARCH ") && step.find("INDEX") != step.npos);
        }
    }

    void testWhatAJobHasTooManyOfGoes() {
        addSome();
        const std::string begun = reported();
        CPPUNIT_ASSERT(old_.removeSurplus(sweep_));
        CPPUNIT_ASSERT_EQUAL(begun, reported());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{5}, records());
        // Again and again, each time a few more than are kept.
        for (int more = 0; more < 4 * keptPerJob; ++more) {
            add(first_, "alice", "gpt", noon_);
            if (more % 7 == 0) {
                CPPUNIT_ASSERT(old_.removeSurplus(sweep_));
            }
        }
        const std::string before = reported();
        CPPUNIT_ASSERT(old_.removeSurplus(sweep_));
        CPPUNIT_ASSERT_EQUAL(before, reported());
        // The other job's one, too; and it is looked at again after a tenth more.
        CPPUNIT_ASSERT(keptPerJob + 1 <= records() && records() <= keptPerJob + keptPerJob / 10 + 1);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4 + 4 * keptPerJob}, report_.total({.job = first_}).requests);
        // What was there before a start counts as well.
        for (int more = 0; more < 2 * keptPerJob; ++more) {
            add(second_, "bob", "gpt", noon_);
        }
        OldCalls restarted(host_.store(), keptPerJob);
        CPPUNIT_ASSERT(restarted.removeSurplus(sweep_));
        CPPUNIT_ASSERT_EQUAL(2 * keptPerJob, records());
    }

    void testMadeUpModelsAreOneSum() {
        for (int call = 0; call < 2 * keptPerJob; ++call) {
            add(first_, "alice", "made-up-" + std::to_string(call), noon_, CallOutcome::failed, {});
            add(second_, "bob", "real-" + std::to_string(call), noon_, CallOutcome::failed);
        }
        CPPUNIT_ASSERT(old_.removeSurplus(sweep_));
        CPPUNIT_ASSERT_EQUAL(2 * keptPerJob, records());
        CPPUNIT_ASSERT_EQUAL(keptPerJob, host_.number("SELECT requests FROM llm_usage WHERE model = '' AND "
                                                      "user_id = 'alice' AND failed = requests"));
        CPPUNIT_ASSERT_EQUAL(keptPerJob, host_.number("SELECT count(*) FROM llm_usage WHERE model <> ''"));
    }

    void testAnyNumberIsKept() {
        OldCalls all(host_.store(), 0);
        for (int call = 0; call < 3 * keptPerJob; ++call) {
            add(first_, "alice", "gpt", noon_);
        }
        CPPUNIT_ASSERT(all.removeSurplus(sweep_));
        CPPUNIT_ASSERT_EQUAL(3 * keptPerJob, records());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OldCallsTest);

}  // namespace
}  // namespace sallyport::plugins::llm
