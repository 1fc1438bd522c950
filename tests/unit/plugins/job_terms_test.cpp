// The terms of jobs, and how operators end them, through the plugin's routes.
#include <map>
#include <memory>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/job_terms.h>
#include <sallyport/testing/fake_host.h>

#include "plugins/jobs/jobs_plugin.h"

namespace sallyport::plugins {
namespace {

using testing::Answer;
using testing::FakeHost;

/// The host's service with other defaults: a tenth of what an administrator may grant.
class LimitedTerms final : public JobTermsService {
public:
    explicit LimitedTerms(std::shared_ptr<JobTermsService> service) : service_(std::move(service)) {}

    [[nodiscard]] std::optional<JobTerms> of(const JobId& job) override { return service_->of(job); }
    [[nodiscard]] JobLimits defaults() const override { return {10, 0, 30, 40}; }
    bool setLimits(const JobId& job, const JobLimits& limits) override {
        return service_->setLimits(job, limits);
    }
    [[nodiscard]] JobLimits inForce(const JobId& job) override { return service_->inForce(job); }
    [[nodiscard]] JobPace takeEventBytes(const JobId& job, std::int64_t bytes) override {
        return service_->takeEventBytes(job, bytes);
    }

private:
    std::shared_ptr<JobTermsService> service_;
};

class JobTermsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobTermsTest);
    CPPUNIT_TEST(testTimeout);
    CPPUNIT_TEST(testTimeoutIsChecked);
    CPPUNIT_TEST(testLimits);
    CPPUNIT_TEST(testLimitsAreChecked);
    CPPUNIT_TEST(testOnlyAdminsRaiseLimits);
    CPPUNIT_TEST(testChangedLimits);
    CPPUNIT_TEST(testLimitsOfOthers);
    CPPUNIT_TEST(testRestartTakesTermsAlong);
    CPPUNIT_TEST(testFinish);
    CPPUNIT_TEST(testFinishIsChecked);
    CPPUNIT_TEST(testFinishOfAJobThatEnded);
    CPPUNIT_TEST_SUITE_END();

    FakeHost host_{"jobs", {}};

public:
    void setUp() override {
        host_.offer<JobTermsService>(std::make_shared<LimitedTerms>(host_.find<JobTermsService>()));
        host_.start(std::make_unique<JobsPlugin>());
    }

private:
    Answer ask(const std::string& method, const std::string& path, const std::string& body = "",
               const std::string& user = "alice", Role role = Role::user) {
        return host_.operators(user, role, method, path, body);
    }
    Answer create(const std::string& members, Role role = Role::user) {
        return ask("POST", "/jobs", R"({"task":"t",)" + members + "}", "alice", role);
    }
    std::string created(const std::string& members, Role role = Role::user) {
        const Answer answer = create(members, role);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer.body(), 201, answer.status());
        return answer.json().string("job_id");
    }
    /// A member of the job's detail, as JSON.
    std::string shown(const std::string& job, const std::string& field) {
        const Answer detail = ask("GET", "/jobs/" + job);
        return std::string(detail.json().required(field).raw());
    }
    static std::string limits(const std::string& requests, const std::string& rate, const std::string& events,
                              const std::string& bytes) {
        return R"({"requests_per_second":)" + requests + R"(,"event_bytes_per_second":)" + rate +
               R"(,"events":)" + events + R"(,"event_bytes":)" + bytes + "}";
    }

    void testTimeout() {
        const std::map<std::string, std::string> timeouts{
            {R"("2h")", "7200"}, {R"("90m")", "5400"}, {"45", "45"}, {R"("1d")", "86400"}, {R"("1s")", "1"}};
        for (const auto& [given, seconds] : timeouts) {
            const std::string job = created(R"("timeout":)" + given);
            CPPUNIT_ASSERT_EQUAL(seconds, shown(job, "timeout"));
            const auto deadline = parseRfc3339(ask("GET", "/jobs/" + job).json().string("deadline"));
            const auto createdAt = parseRfc3339(ask("GET", "/jobs/" + job).json().string("created_at"));
            CPPUNIT_ASSERT(*deadline - *createdAt == std::chrono::seconds(std::stol(seconds)));
        }
        const std::string job = created(R"("timeout":null)");
        CPPUNIT_ASSERT_EQUAL(std::string("null"), shown(job, "timeout"));
        CPPUNIT_ASSERT_EQUAL(std::string("null"), shown(job, "deadline"));
    }

    void testTimeoutIsChecked() {
        for (const char* timeout :
             {"0", "-1", "1.5", "true", "[]", R"("")", R"("2")", R"("h")", R"("2 h")", R"("2hours")",
              R"("0s")", R"("-1h")", R"("3651d")", "315360001", R"("99999999999999999999d")", R"("1.5h")"}) {
            const Answer answer = create(std::string(R"("timeout":)") + timeout);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(timeout, 422, answer.status());
            CPPUNIT_ASSERT(answer.message().find("'timeout'") != std::string::npos);
        }
        CPPUNIT_ASSERT_EQUAL(201, create(R"("timeout":"3650d")").status());
    }

    void testLimits() {
        CPPUNIT_ASSERT_EQUAL(limits("10", "0", "30", "40"), shown(created(R"("title":"x")"), "limits"));
        const std::string job =
            created(R"("limits":{"events":7,"event_bytes_per_second":99,"event_bytes":null,"other":1})");
        CPPUNIT_ASSERT_EQUAL(limits("10", "99", "7", "40"), shown(job, "limits"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7},
                             host_.find<JobTermsService>()->inForce(*JobId::parse(job)).events.value());
        CPPUNIT_ASSERT_EQUAL(limits("10", "0", "30", "40"), shown(created(R"("limits":null)"), "limits"));
    }

    void testLimitsAreChecked() {
        for (const char* given : {"[]", "5", R"("events=5")"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(given, 422, create(std::string(R"("limits":)") + given).status());
        }
        for (const char* value : {"-1", "1.5", R"("5")", "true", "9007199254740993", "{}"}) {
            const Answer answer = create(std::string(R"("limits":{"events":)") + value + "}");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value, 422, answer.status());
            CPPUNIT_ASSERT(answer.message().find("'events'") != std::string::npos);
        }
    }

    void testOnlyAdminsRaiseLimits() {
        for (const char* given : {R"({"events":31})", R"({"events":0})", R"({"requests_per_second":11})"}) {
            const std::string members = std::string(R"("limits":)") + given;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(given, 403, create(members).status());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(given, 201, create(members, Role::admin).status());
        }
        CPPUNIT_ASSERT_EQUAL(201,
                             create(R"("limits":{"events":30,"event_bytes_per_second":1000000})").status());
    }

    void testChangedLimits() {
        const std::string job = created(R"("limits":{"events":7})");
        const std::string path = "/jobs/" + job + "/limits";
        CPPUNIT_ASSERT_EQUAL(R"({"job_id":")" + job + R"(","limits":)" + limits("10", "0", "7", "40") + "}",
                             ask("GET", path).body());
        const Answer changed = ask("PATCH", path, R"({"requests_per_second":5})");
        CPPUNIT_ASSERT_EQUAL(200, changed.status());
        CPPUNIT_ASSERT_EQUAL(R"({"job_id":")" + job + R"(","limits":)" + limits("5", "0", "7", "40") + "}",
                             changed.body());
        CPPUNIT_ASSERT_EQUAL(200, ask("PATCH", path, R"({"events":null})").status());
        CPPUNIT_ASSERT_EQUAL(limits("5", "0", "30", "40"), shown(job, "limits"));
        CPPUNIT_ASSERT_EQUAL(403, ask("PATCH", path, R"({"events":31})").status());
        CPPUNIT_ASSERT_EQUAL(422, ask("PATCH", path, R"({"events":-1})").status());
        CPPUNIT_ASSERT_EQUAL(200, ask("PATCH", path, "{}").status());
        CPPUNIT_ASSERT_EQUAL(limits("5", "0", "30", "40"), shown(job, "limits"));
        host_.finish(*JobId::parse(job), JobState::completed);
        const Answer over = ask("PATCH", path, R"({"events":1})");
        CPPUNIT_ASSERT_EQUAL(409, over.status());
        CPPUNIT_ASSERT_EQUAL(std::string("job_over"), over.code());
        CPPUNIT_ASSERT_EQUAL(200, ask("GET", path).status());
    }

    void testLimitsOfOthers() {
        const std::string path = "/jobs/" + created(R"("title":"x")") + "/limits";
        CPPUNIT_ASSERT_EQUAL(404, ask("GET", path, "", "bob").status());
        CPPUNIT_ASSERT_EQUAL(404, ask("PATCH", path, R"({"events":1})", "bob").status());
        CPPUNIT_ASSERT_EQUAL(403, ask("PATCH", path, R"({"events":1})", "alice", Role::viewer).status());
        CPPUNIT_ASSERT_EQUAL(200, ask("PATCH", path, R"({"events":1})", "root", Role::admin).status());
    }

    void testRestartTakesTermsAlong() {
        const std::string old = created(R"("timeout":"2h","limits":{"events":7})");
        host_.finish(*JobId::parse(old), JobState::failed);
        const Answer restarted = ask("POST", "/jobs/" + old + "/restart");
        CPPUNIT_ASSERT_EQUAL(201, restarted.status());
        const std::string fresh = restarted.json().string("new_job_id");
        CPPUNIT_ASSERT_EQUAL(std::string("7200"), shown(fresh, "timeout"));
        CPPUNIT_ASSERT_EQUAL(limits("10", "0", "7", "40"), shown(fresh, "limits"));
    }

    void testFinish() {
        const CreatedJob job = host_.makeJob();
        host_.begin(job.job->id);
        host_.worker(job, "POST", "/status", R"({"state":"x","iteration":3})");
        const std::string id = job.job->id.str();
        const Answer failed =
            ask("POST", "/jobs/" + id + "/finish", R"({"success":false,"message":"its machine died"})");
        CPPUNIT_ASSERT_EQUAL(200, failed.status());
        CPPUNIT_ASSERT_EQUAL(R"({"status":"failed","job_id":")" + id + R"("})", failed.body());
        CPPUNIT_ASSERT_EQUAL(std::string(R"("failed")"), shown(id, "state"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":false,"message":"its machine died","iterations":3})"),
                             shown(id, "result"));
        CPPUNIT_ASSERT_EQUAL(401, host_.worker(job, "GET", "/job").status());
        const auto lines = host_.log().lines();
        CPPUNIT_ASSERT_EQUAL(std::string("an operator told how a job ended"), lines.back().message);
        const std::string pending = host_.makeJob().job->id.str();
        CPPUNIT_ASSERT_EQUAL(200,
                             ask("POST", "/jobs/" + pending + "/finish", R"({"success":true})").status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"("completed")"), shown(pending, "state"));
    }

    void testFinishIsChecked() {
        const std::string path = "/jobs/" + host_.makeJob().job->id.str() + "/finish";
        for (const char* body :
             {"{}", R"({"success":"no"})", R"({"success":null})", R"({"success":false,"message":5})"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, 422, ask("POST", path, body).status());
        }
        CPPUNIT_ASSERT_EQUAL(404, ask("POST", path, R"({"success":true})", "bob").status());
        CPPUNIT_ASSERT_EQUAL(403, ask("POST", path, R"({"success":true})", "alice", Role::viewer).status());
        CPPUNIT_ASSERT_EQUAL(
            404, ask("POST", "/jobs/" + JobId::random().str() + "/finish", R"({"success":true})").status());
    }

    void testFinishOfAJobThatEnded() {
        for (const JobState state :
             {JobState::completed, JobState::failed, JobState::cancelled, JobState::interrupted}) {
            const CreatedJob job = host_.makeJob();
            host_.finish(job.job->id, state);
            const Answer answer =
                ask("POST", "/jobs/" + job.job->id.str() + "/finish", R"({"success":false})");
            CPPUNIT_ASSERT_EQUAL(409, answer.status());
            CPPUNIT_ASSERT_EQUAL(std::string("job_over"), answer.code());
            CPPUNIT_ASSERT(answer.message().find(name(state)) != std::string::npos);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobTermsTest);

}  // namespace
}  // namespace sallyport::plugins
