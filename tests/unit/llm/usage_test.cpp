#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

#include "plugins/llm/call_log.h"
#include "plugins/llm/usage_report.h"
#include "plugins/llm/usage_routes.h"

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;
using testing::Answer;

/// Nothing but the table of calls and what is told of it.
class UsagePlugin final : public Plugin {
public:
    void start(Host& host) override {
        log.emplace(host.store(), host.log());
        report.emplace(host.store());
        addUsageRoutes(host.routes(), *log, *report);
        host.provide<JobUsage>(jobUsage(*log, *report));
    }

    std::optional<CallLog> log;
    std::optional<UsageReport> report;
};

/// `GET /api/usage`, and the service.
class UsageTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(UsageTest);
    CPPUNIT_TEST(testNothingUsed);
    CPPUNIT_TEST(testSums);
    CPPUNIT_TEST(testByJobIsTheDefault);
    CPPUNIT_TEST(testByUserModelAndDay);
    CPPUNIT_TEST(testFilters);
    CPPUNIT_TEST(testTotalIsOfAllPages);
    CPPUNIT_TEST(testPagesAreOfOneMoment);
    CPPUNIT_TEST(testUsersAreApart);
    CPPUNIT_TEST(testAdminSeesAll);
    CPPUNIT_TEST(testMalformedQueries);
    CPPUNIT_TEST(testCallsJustMadeAreThere);
    CPPUNIT_TEST(testService);
    CPPUNIT_TEST(testFullDiskDoesNotHideTheRest);
    CPPUNIT_TEST_SUITE_END();

    testing::FakeHost host_{"llm", {}};
    const JobId first_ = JobId::random();
    const JobId second_ = JobId::random();
    const Timestamp noon_ = std::chrono::sys_days(2026y / 1 / 31) + 12h;

public:
    void setUp() override { host_.start(std::make_unique<UsagePlugin>()); }

private:
    [[nodiscard]] CallRecord record(const JobId& job, const std::string& user,
                                    const std::string& model) const {
        CallRecord record;
        record.at = noon_;
        record.job = job;
        record.user = user;
        record.model = model;
        record.usage = {.input = 100, .output = 10, .cacheRead = 50, .cacheWrite = 5};
        record.costNano = 12'500'000;
        return record;
    }
    void add(const CallRecord& record) { dynamic_cast<UsagePlugin&>(host_.plugin()).log->record(record); }
    void addThree() {
        add(record(first_, "alice", "gpt"));
        add(record(second_, "alice", "claude"));
        CallRecord late = record(first_, "alice", "claude");
        late.at += 24h;
        late.outcome = CallOutcome::failed;
        add(late);
    }

    Answer get(const std::string& query, const std::string& user = "alice", Role role = Role::viewer) {
        return host_.operators(user, role, "GET", "/usage" + query);
    }
    Answer admin(const std::string& query = "") { return get(query, "root", Role::admin); }

    /// `key=requests` of each group, in order.
    static std::string groups(const Answer& answer) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer.body(), 200, answer.status());
        std::string text;
        for (const json::Value& element : answer.json().required("groups").elements()) {
            const json::Object group = element.object();
            text += *group.members().front().value.string() + '=' +
                    std::string(group.required("requests").raw()) + ' ';
        }
        return text;
    }
    static std::string total(const Answer& answer, const char* member) {
        return std::string(answer.json().required("total").object().required(member).raw());
    }

    void testNothingUsed() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"total":{"requests":0,"failed":0,"input_tokens":0,"output_tokens":0,)"
                        R"("cache_read_input_tokens":0,"cache_creation_input_tokens":0,"cost_usd":0},)"
                        R"("groups":[]})"),
            get("").body());
    }

    void testSums() {
        addThree();
        const std::string claude =
            R"("requests":2,"failed":1,"input_tokens":200,"output_tokens":20,)"
            R"("cache_read_input_tokens":100,"cache_creation_input_tokens":10,"cost_usd":0.025})";
        const std::string body = get("?by=model&limit=1").body();
        CPPUNIT_ASSERT_MESSAGE(body,
                               body.find(R"("groups":[{"model":"claude",)" + claude) != std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(body,
                               body.find(R"({"total":{"requests":3,"failed":1,"input_tokens":300,)") == 0);
    }

    void testByJobIsTheDefault() {
        addThree();
        // The one with the latest call first.
        CPPUNIT_ASSERT_EQUAL(first_.str() + "=2 " + second_.str() + "=1 ", groups(get("")));
        CPPUNIT_ASSERT_EQUAL(groups(get("?by=job")), groups(get("")));
    }

    void testByUserModelAndDay() {
        addThree();
        CPPUNIT_ASSERT_EQUAL(std::string("alice=3 "), groups(get("?by=user")));
        CPPUNIT_ASSERT_EQUAL(std::string("claude=2 gpt=1 "), groups(get("?by=model")));
        CPPUNIT_ASSERT_EQUAL(std::string("2026-02-01=1 2026-01-31=2 "), groups(get("?by=day")));
        CPPUNIT_ASSERT(get("?by=day").body().find(R"({"day":"2026-02-01")") != std::string::npos);
        CPPUNIT_ASSERT(get("?by=user").body().find(R"({"user_id":"alice")") != std::string::npos);
    }

    void testFilters() {
        addThree();
        CPPUNIT_ASSERT_EQUAL(std::string("claude=1 gpt=1 "), groups(get("?by=model&job_id=" + first_.str())));
        CPPUNIT_ASSERT_EQUAL(std::string("2"), total(get("?job_id=" + first_.str()), "requests"));
        CPPUNIT_ASSERT_EQUAL(std::string("1"), total(get("?since=2026-02-01"), "requests"));
        CPPUNIT_ASSERT_EQUAL(std::string("2"), total(get("?until=2026-02-01"), "requests"));
        // From that moment on, and before that moment.
        CPPUNIT_ASSERT_EQUAL(std::string("3"), total(get("?since=2026-01-31T12:00:00Z"), "requests"));
        CPPUNIT_ASSERT_EQUAL(std::string("0"), total(get("?until=2026-01-31T13:00:00%2B01:00"), "requests"));
        CPPUNIT_ASSERT_EQUAL(std::string("0"),
                             total(get("?since=2026-02-01&job_id=" + second_.str()), "requests"));
    }

    void testTotalIsOfAllPages() {
        for (const char* model : {"a", "b", "c"}) {
            add(record(first_, "alice", model));
        }
        const Answer page = get("?by=model&limit=2");
        CPPUNIT_ASSERT_EQUAL(std::string("c=1 b=1 "), groups(page));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), total(page, "requests"));
        const Answer last = get("?by=model&limit=2&cursor=" + page.json().string("next_cursor"));
        CPPUNIT_ASSERT_EQUAL(std::string("a=1 "), groups(last));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), total(last, "requests"));
        CPPUNIT_ASSERT(!last.json().optionalString("next_cursor"));
        CPPUNIT_ASSERT(!get("?by=model&limit=3").json().optionalString("next_cursor"));
    }

    void testPagesAreOfOneMoment() {
        for (const char* model : {"a", "b", "c"}) {
            add(record(first_, "alice", model));
        }
        const std::string cursor = get("?by=model&limit=2").json().string("next_cursor");
        add(record(first_, "alice", "a"));
        add(record(first_, "alice", "d"));
        const Answer last = get("?by=model&limit=2&cursor=" + cursor);
        CPPUNIT_ASSERT_EQUAL(std::string("a=1 "), groups(last));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), total(last, "requests"));
    }

    void testUsersAreApart() {
        addThree();
        add(record(second_, "bob", "gpt"));
        CPPUNIT_ASSERT_EQUAL(std::string("bob=1 "), groups(get("?by=user", "bob")));
        CPPUNIT_ASSERT_EQUAL(std::string("0"), total(get("?job_id=" + first_.str(), "bob"), "requests"));
        CPPUNIT_ASSERT_EQUAL(std::string("bob=1 "), groups(get("?by=user&user_id=bob", "bob")));
        CPPUNIT_ASSERT_EQUAL(404, get("?user_id=bob").status());
        CPPUNIT_ASSERT_EQUAL(403, get("?user_id=*").status());
    }

    void testAdminSeesAll() {
        addThree();
        add(record(second_, "bob", "gpt"));
        CPPUNIT_ASSERT_EQUAL(std::string("bob=1 alice=3 "), groups(admin("?by=user")));
        CPPUNIT_ASSERT_EQUAL(std::string("bob=1 alice=3 "), groups(admin("?by=user&user_id=*")));
        CPPUNIT_ASSERT_EQUAL(std::string("alice=3 "), groups(admin("?by=user&user_id=alice")));
    }

    void testMalformedQueries() {
        for (const char* query :
             {"?by=provider", "?by=", "?job_id=1", "?since=yesterday", "?since=2026-02-30",
              "?until=", "?limit=0", "?limit=201", "?cursor=x", "?cursor=1", "?cursor=1-", "?cursor=-1",
              "?cursor=0-1", "?cursor=1-1-1", "?cursor=1--1", "?cursor=99999999999999999999-1"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(query, 400, get(query).status());
        }
    }

    void testCallsJustMadeAreThere() {
        // The store is kept busy until the query waits for it.
        host_.store().holdWrites();
        add(record(first_, "alice", "gpt"));
        host_.store().awaitHeld();
        std::thread letGo([&] { host_.store().letGo(); });
        CPPUNIT_ASSERT_EQUAL(std::string("1"), total(get(""), "requests"));
        letGo.join();
    }

    void testService() {
        addThree();
        const auto usage = host_.find<JobUsage>();
        const UsageTotals expected{.requests = 2,
                                   .failed = 1,
                                   .inputTokens = 200,
                                   .outputTokens = 20,
                                   .cacheReadTokens = 100,
                                   .cacheWriteTokens = 10,
                                   .costNano = 25'000'000};
        CPPUNIT_ASSERT(usage->of(first_) == expected);
        CPPUNIT_ASSERT(usage->of(JobId::random()) == UsageTotals{});
    }

    void testFullDiskDoesNotHideTheRest() {
        addThree();
        host_.settle();
        get("");
        host_.store().failWrites(true);
        add(record(first_, "alice", "gpt"));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), total(get(""), "requests"));
        host_.store().failWrites(false);
        CPPUNIT_ASSERT_EQUAL(std::string("4"), total(get(""), "requests"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(UsageTest);

}  // namespace
}  // namespace sallyport::plugins::llm
