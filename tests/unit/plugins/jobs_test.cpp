#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/testing/fake_host.h>
#include <sallyport/usage.h>

#include "plugins/jobs/jobs_plugin.h"

namespace sallyport::plugins {
namespace {

using testing::Answer;
using testing::FakeHost;

/// Takes care of `colour`: "pink" is none. Keeps what was stored with which job.
class Colours final : public JobParticipant {
public:
    [[nodiscard]] std::unique_ptr<JobPart> prepare(const JobDraft& draft) override {
        owner = draft.job().user;
        const auto& last = draft.job().restartOf;
        const auto asked = draft.member("colour");
        const std::string colour = asked ? std::string(*asked) : last ? stored[*last] : "";
        if (colour == R"("pink")") {
            throw invalidField("colour", "must be a colour");
        }
        return colour.empty() ? nullptr : std::make_unique<Part>(*this, colour);
    }
    [[nodiscard]] std::optional<std::string> shown(const Job& job, std::string_view member) override {
        CPPUNIT_ASSERT_EQUAL(std::string("colour"), std::string(member));
        if (blind) {
            throw std::runtime_error("it is dark");
        }
        const auto found = stored.find(job.id);
        return found == stored.end() ? std::nullopt : std::optional(found->second);
    }

    bool failing = false;
    bool blind = false;
    bool withholding = false;
    int abandoned = 0;
    std::string owner;
    std::map<JobId, std::string> stored;

private:
    class Part final : public JobPart {
    public:
        Part(Colours& colours, std::string colour) : colours_(colours), colour_(std::move(colour)) {}
        void store(Transaction& transaction, const Job& job) override {
            CPPUNIT_ASSERT_EQUAL(
                std::int64_t{1},
                transaction.query("SELECT count(*) FROM jobs WHERE job_id = ?", {job.id.str()})
                    .at(0)
                    .integer(0));
            if (colours_.failing) {
                throw StoreError("the disk is full");
            }
            id_ = job.id;
        }
        void stored() override { colours_.stored[id_] = colour_; }
        void abandoned() override { ++colours_.abandoned; }
        [[nodiscard]] bool withholdsToken() const override { return colours_.withholding; }

    private:
        Colours& colours_;
        const std::string colour_;
        JobId id_;
    };
};

/// Usage as a plugin for models keeps it.
class FakeUsage final : public JobUsage {
public:
    UsageTotals of(const JobId& job) override { return used[job]; }

    std::map<JobId, UsageTotals> used;
};

class JobsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobsTest);
    CPPUNIT_TEST(testWorkerSeesItsJob);
    CPPUNIT_TEST(testWorkerOfUntitledJob);
    CPPUNIT_TEST(testWorkerSeesItsJobWithoutTheStore);
    CPPUNIT_TEST(testLargeDescriptionsAreReadEachTime);
    CPPUNIT_TEST(testStatusIsKept);
    CPPUNIT_TEST(testStatusIsChecked);
    CPPUNIT_TEST(testStatusMessageIsCut);
    CPPUNIT_TEST(testCompleteKeepsTheResult);
    CPPUNIT_TEST(testFailureIsKept);
    CPPUNIT_TEST(testCompleteIsChecked);
    CPPUNIT_TEST(testCompleteRevokes);
    CPPUNIT_TEST(testCompleteOfAFinishedJob);
    CPPUNIT_TEST(testCreate);
    CPPUNIT_TEST(testCreateWithEverything);
    CPPUNIT_TEST(testCreateIsChecked);
    CPPUNIT_TEST(testCreateLimits);
    CPPUNIT_TEST(testCreateForWhom);
    CPPUNIT_TEST(testMemberWhosePluginDoesNotRun);
    CPPUNIT_TEST(testMembersOfOtherPlugins);
    CPPUNIT_TEST(testMembersOfOtherPluginsAreChecked);
    CPPUNIT_TEST(testJobWhosePartCannotBeStored);
    CPPUNIT_TEST(testTokenIsWithheld);
    CPPUNIT_TEST(testDetail);
    CPPUNIT_TEST(testDetailOfOthers);
    CPPUNIT_TEST(testUsage);
    CPPUNIT_TEST(testListPages);
    CPPUNIT_TEST(testListFilters);
    CPPUNIT_TEST(testListIsChecked);
    CPPUNIT_TEST(testSummary);
    CPPUNIT_TEST(testCancel);
    CPPUNIT_TEST(testCancelOfAJobThatEnded);
    CPPUNIT_TEST(testCancelOfOthers);
    CPPUNIT_TEST(testRestart);
    CPPUNIT_TEST(testRestartTakesPartsAlong);
    CPPUNIT_TEST(testRestartWithoutAPluginThatTookPart);
    CPPUNIT_TEST(testRestartIsChecked);
    CPPUNIT_TEST(testStatesAreShownLive);
    CPPUNIT_TEST(testHowRoutesAreRegistered);
    CPPUNIT_TEST_SUITE_END();

    FakeHost host_{"jobs", {}};
    const std::shared_ptr<Colours> colours_ = std::make_shared<Colours>();

public:
    void setUp() override { host_.start(std::make_unique<JobsPlugin>()); }

private:
    void offerColours() { host_.offerParticipant("colours", {"colour"}, colours_); }
    Answer create(const std::string& body, const std::string& user = "alice", Role role = Role::user) {
        return host_.operators(user, role, "POST", "/jobs", body);
    }
    Answer get(const std::string& path, const std::string& user = "alice", Role role = Role::viewer) {
        return host_.operators(user, role, "GET", path);
    }
    Answer act(const JobId& job, const std::string& action, const std::string& user = "alice") {
        return host_.operators(user, Role::user, "POST", "/jobs/" + job.str() + "/" + action);
    }
    /// A member of the job's detail, as JSON.
    std::string shown(const JobId& job, const std::string& field) {
        const Answer detail = get("/jobs/" + job.str());
        return std::string(detail.json().required(field).raw());
    }
    std::string created(const std::string& body, const std::string& user = "alice", Role role = Role::user) {
        const Answer answer = create(body, user, role);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(answer.body(), 201, answer.status());
        return answer.json().string("job_id");
    }
    /// The sentence of a 422.
    CreatedJob madeIn(const Answer& answer) {
        const auto json = answer.json();
        return {host_.jobs().find(*JobId::parse(json.string("job_id"))), json.string("token")};
    }
    std::string refusal(const std::string& body) {
        const Answer answer = create(body);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(body.substr(0, 200), 422, answer.status());
        return answer.message();
    }

    void testWorkerSeesItsJob() {
        const Answer answer = create(R"({"task":"do \"it\"\n","title":"A title","project_dir":"/srv"})");
        const CreatedJob job = madeIn(answer);
        const Answer seen = host_.worker(job, "GET", "/job");
        CPPUNIT_ASSERT_EQUAL(200, seen.status());
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"title":"A title","description":"do \"it\"\n","project_dir":"/srv"})"),
            seen.body());
    }

    void testWorkerOfUntitledJob() {
        const CreatedJob job = host_.makeJob();
        const Answer seen = host_.worker(job, "GET", "/job");
        CPPUNIT_ASSERT_EQUAL("Job " + job.job->id.str(), seen.json().string("title"));
        CPPUNIT_ASSERT(seen.json().required("project_dir").kind() == json::Kind::null);
    }

    void testWorkerSeesItsJobWithoutTheStore() {
        const CreatedJob job = host_.makeJob();
        const std::string first = host_.worker(job, "GET", "/job").body();
        host_.store().write([&](Transaction& transaction) {
            transaction.execute("DELETE FROM jobs WHERE job_id = ?", {job.job->id.str()});
        });
        CPPUNIT_ASSERT_EQUAL(first, host_.worker(job, "GET", "/job").body());
    }

    void testLargeDescriptionsAreReadEachTime() {
        const std::string task(DescriptionCache::largest, 'x');
        const CreatedJob job = madeIn(create(R"({"task":")" + task + R"("})"));
        CPPUNIT_ASSERT_EQUAL(task, host_.worker(job, "GET", "/job").json().string("description"));
        host_.store().write([&](Transaction& transaction) {
            transaction.execute("DELETE FROM jobs WHERE job_id = ?", {job.job->id.str()});
        });
        CPPUNIT_ASSERT_EQUAL(404, host_.worker(job, "GET", "/job").status());
    }

    void testStatusIsKept() {
        const CreatedJob job = host_.makeJob();
        const Answer answer = host_.worker(job, "POST", "/status",
                                           R"({"state":"in_progress","message":"at it","iteration":3})");
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(), answer.body());
        CPPUNIT_ASSERT_EQUAL(std::string(R"("at it")"), shown(job.job->id, "status_message"));
        CPPUNIT_ASSERT_EQUAL(std::string("3"), shown(job.job->id, "iteration"));
        host_.worker(job, "POST", "/status", R"({"state":"x","message":null,"iteration":4294967295})");
        CPPUNIT_ASSERT_EQUAL(std::string(R"("at it")"), shown(job.job->id, "status_message"));
        CPPUNIT_ASSERT_EQUAL(std::string("4294967295"), shown(job.job->id, "iteration"));
    }

    void testStatusIsChecked() {
        const CreatedJob job = host_.makeJob();
        for (const char* body :
             {R"({"message":"x","iteration":1})", R"({"state":"x"})", R"({"state":7,"iteration":1})",
              R"({"state":"x","iteration":-1})", R"({"state":"x","iteration":4294967296})",
              R"({"state":"x","iteration":1.0})", R"({"state":"x","iteration":"1"})",
              R"({"state":"x","iteration":1,"message":7})", "[]"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, 422, host_.worker(job, "POST", "/status", body).status());
        }
        CPPUNIT_ASSERT_EQUAL(400, host_.worker(job, "POST", "/status", "{").status());
    }

    void testStatusMessageIsCut() {
        const CreatedJob job = host_.makeJob();
        const std::string text(100'000, 'x');
        host_.worker(job, "POST", "/status", R"({"state":"x","iteration":1,"message":")" + text + R"("})");
        CPPUNIT_ASSERT_EQUAL(std::size_t{65536} + 2, shown(job.job->id, "status_message").size());
    }

    void testCompleteKeepsTheResult() {
        const CreatedJob job = host_.makeJob();
        host_.begin(job.job->id);
        const Answer answer =
            host_.worker(job, "POST", "/complete", R"({"success":true,"message":"done","iterations":5})");
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"status":"ok"})"), answer.body());
        CPPUNIT_ASSERT_EQUAL(std::string(R"("completed")"), shown(job.job->id, "state"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":true,"message":"done","iterations":5})"),
                             shown(job.job->id, "result"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.metric("started_total"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.metric("finished_total", {"completed"}));
    }

    void testFailureIsKept() {
        const CreatedJob job = host_.makeJob();
        host_.worker(job, "POST", "/complete", R"({"success":false,"iterations":0})");
        CPPUNIT_ASSERT_EQUAL(std::string(R"("failed")"), shown(job.job->id, "state"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":false,"message":null,"iterations":0})"),
                             shown(job.job->id, "result"));
    }

    void testCompleteIsChecked() {
        const CreatedJob job = host_.makeJob();
        for (const char* body :
             {R"({"iterations":1})", R"({"success":true})", R"({"success":"yes","iterations":1})",
              R"({"success":true,"iterations":1.5})", R"({"success":true,"iterations":1,"message":{}})"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, 422, host_.worker(job, "POST", "/complete", body).status());
        }
        CPPUNIT_ASSERT_EQUAL(std::string(R"("pending")"), shown(job.job->id, "state"));
    }

    void testCompleteRevokes() {
        const CreatedJob job = host_.makeJob();
        host_.worker(job, "POST", "/complete", R"({"success":true,"iterations":1})");
        CPPUNIT_ASSERT_EQUAL(401, host_.worker(job, "GET", "/job").status());
    }

    /// Its request was under way when somebody else ended the job.
    void testCompleteOfAFinishedJob() {
        const CreatedJob job = host_.makeJob();
        const auto caller = host_.callerOf(job);
        host_.finish(job.job->id, JobState::cancelled);
        const Answer answer = host_.worker(caller, "POST", "/complete", R"({"success":true,"iterations":1})");
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"status":"ok"})"), answer.body());
        CPPUNIT_ASSERT_EQUAL(std::string(R"("cancelled")"), shown(job.job->id, "state"));
    }

    void testCreate() {
        const Answer answer = create(R"({"task":"a task","unknown":1})");
        CPPUNIT_ASSERT_EQUAL(201, answer.status());
        const std::string id = answer.json().string("job_id");
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, answer.json().string("token").size());
        CPPUNIT_ASSERT_EQUAL("http://host:1/worker/" + id, answer.json().string("worker_url"));
        CPPUNIT_ASSERT_EQUAL(std::string("pending"), answer.json().string("state"));
        const Answer detail = get("/jobs/" + id);
        CPPUNIT_ASSERT_EQUAL("Job " + id, detail.json().string("title"));
        CPPUNIT_ASSERT_EQUAL(std::string("worker"), detail.json().string("mode"));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), detail.json().string("user_id"));
        CPPUNIT_ASSERT(detail.body().find(answer.json().string("token")) == std::string::npos);
    }

    void testCreateWithEverything() {
        const std::string id = created(
            R"({"task":"t","title":"\u00dcber","user_id":"alice","project_dir":"/srv/x","mode":"claude_code"})");
        const Answer detail = get("/jobs/" + id);
        CPPUNIT_ASSERT_EQUAL(std::string("\xC3\x9C"
                                         "ber"),
                             detail.json().string("title"));
        CPPUNIT_ASSERT_EQUAL(std::string("/srv/x"), detail.json().string("project_dir"));
        CPPUNIT_ASSERT_EQUAL(std::string("claude_code"), detail.json().string("mode"));
        created(
            R"({"task":"t","title":null,"user_id":null,"project_dir":null,"mode":null,"credentials":null})");
    }

    void testCreateIsChecked() {
        CPPUNIT_ASSERT_EQUAL(std::string("field 'task' is missing"), refusal("{}"));
        CPPUNIT_ASSERT_EQUAL(std::string("field 'task' must be a string, not a number"),
                             refusal(R"({"task":1})"));
        CPPUNIT_ASSERT_EQUAL(std::string("field 'task' must not be empty"), refusal(R"({"task":" \n\t"})"));
        const std::map<std::string, std::vector<std::string>> values = {
            {"title", {"\"\"", "7", "\"a\\nb\"", "\"\\u007f\""}},
            {"user_id", {"\"\"", "\"a b\"", "\"*\"", "\"a/b\"", "\"\\u00e9\"", "\"a\\u0000\"", "[]"}},
            {"project_dir", {"\"\"", "\"/a\\u0000b\"", "1"}},
            {"mode", {"\"other\"", "\"Worker\"", "\"\"", "1"}}};
        for (const auto& [field, wrong] : values) {
            for (const std::string& value : wrong) {
                const std::string sentence = refusal(
                    std::string(R"({"task":"t",")").append(field).append("\":").append(value).append("}"));
                CPPUNIT_ASSERT_MESSAGE(sentence, sentence.starts_with("field '" + field + "' must "));
            }
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM jobs"));
    }

    void testCreateLimits() {
        const auto with = [](const std::string& field, const std::string& value) {
            return R"({"task":"t",")" + field + R"(":")" + value + R"("})";
        };
        const std::string task(std::size_t{1024} * 1024, 'x');
        created(R"({"task":")" + task + R"("})");
        refusal(R"({"task":")" + task + R"(x"})");
        std::string title;
        for (int i = 0; i < 500; ++i) {
            title += "\xE2\x82\xAC";
        }
        created(with("title", title));
        refusal(with("title", title + "x"));
        created(with("user_id", std::string(128, 'u')), "root", Role::admin);
        refusal(with("user_id", std::string(129, 'u')));
        created(with("project_dir", std::string(4096, 'd')));
        refusal(with("project_dir", std::string(4097, 'd')));
    }

    void testCreateForWhom() {
        CPPUNIT_ASSERT_EQUAL(403, create(R"({"task":"t","user_id":"bob"})").status());
        CPPUNIT_ASSERT_EQUAL(std::string("forbidden"), create(R"({"task":"t","user_id":"bob"})").code());
        const JobId own = *JobId::parse(created(R"({"task":"t"})"));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), host_.jobs().owner(own).value());
        const JobId bobs = *JobId::parse(created(R"({"task":"t","user_id":"bob"})", "root", Role::admin));
        CPPUNIT_ASSERT_EQUAL(std::string("bob"), host_.jobs().owner(bobs).value());
        const JobId standard = *JobId::parse(created(R"({"task":"t"})", "root", Role::admin));
        CPPUNIT_ASSERT_EQUAL(std::string("default"), host_.jobs().owner(standard).value());
    }

    void testMemberWhosePluginDoesNotRun() {
        const Answer answer = create(R"({"task":"t","credentials":[{"secret_name":"s","env_var":"E"}]})");
        CPPUNIT_ASSERT_EQUAL(503, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("plugin_unavailable"), answer.code());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM jobs"));
        // What nobody has ever declared is passed over, and so is null.
        CPPUNIT_ASSERT_EQUAL(201, create(R"({"task":"t","colour":7})").status());
        CPPUNIT_ASSERT_EQUAL(201, create(R"({"task":"t","credentials":null})").status());
    }

    void testMembersOfOtherPlugins() {
        offerColours();
        const JobId id = *JobId::parse(created(R"({"task":"t","colour":  {"r": 1}})"));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), colours_->owner);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"r": 1})"), shown(id, "colour"));
        CPPUNIT_ASSERT(std::vector<std::string>{"colours"} == host_.jobs().find(id)->participants);
        // What a plugin cannot show keeps nobody from the rest.
        colours_->blind = true;
        const Answer rest = get("/jobs/" + id.str());
        CPPUNIT_ASSERT_EQUAL(200, rest.status());
        CPPUNIT_ASSERT(rest.json().find("colour") == nullptr);
        colours_->blind = false;
        const JobId plain = *JobId::parse(created(R"({"task":"t"})"));
        CPPUNIT_ASSERT(get("/jobs/" + plain.str()).json().find("colour") == nullptr);
        CPPUNIT_ASSERT(host_.jobs().find(plain)->participants.empty());
        CPPUNIT_ASSERT_EQUAL(0, colours_->abandoned);
    }

    void testMembersOfOtherPluginsAreChecked() {
        offerColours();
        CPPUNIT_ASSERT_EQUAL(422, create(R"({"task":"t","colour":"pink"})").status());
        CPPUNIT_ASSERT_EQUAL(422, create(R"({"task":"t","colour":"red","colour":"red"})").status());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM jobs"));
    }

    /// No job that could run without what it was to have.
    void testJobWhosePartCannotBeStored() {
        offerColours();
        colours_->failing = true;
        const Answer answer = create(R"({"task":"t","colour":"red"})");
        CPPUNIT_ASSERT_EQUAL(503, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM jobs"));
        CPPUNIT_ASSERT_EQUAL(1, colours_->abandoned);
    }

    void testTokenIsWithheld() {
        offerColours();
        colours_->withholding = true;
        const Answer answer = create(R"({"task":"t","colour":"red"})");
        CPPUNIT_ASSERT_EQUAL(201, answer.status());
        CPPUNIT_ASSERT(answer.json().find("token") == nullptr);
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, create(R"({"task":"t"})").json().string("token").size());
    }

    void testDetail() {
        const std::string terms =
            R"(,"timeout":null,"deadline":null,"limits":{"requests_per_second":0,"event_bytes_per_second":0,"events":0,"event_bytes":0},"quarantined":false})";
        const CreatedJob job = host_.makeJob();
        const std::string start =
            R"({"job_id":")" + job.job->id.str() + R"(","title":"Job )" + job.job->id.str() +
            R"(","task":"a task","user_id":"alice","state":"pending","mode":"worker","project_dir":null,"created_at":")" +
            rfc3339(job.job->createdAt) + "\"";
        CPPUNIT_ASSERT_EQUAL(
            start +
                R"(,"started_at":null,"finished_at":null,"status_message":null,"iteration":0,"restart_of":null,"result":null)" +
                terms,
            get("/jobs/" + job.job->id.str()).body());
        host_.begin(job.job->id);
        CPPUNIT_ASSERT_EQUAL(std::string(R"("running")"), shown(job.job->id, "state"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{26}, shown(job.job->id, "started_at").size());
        host_.finish(job.job->id, JobState::interrupted, {false, "silent", 7});
        CPPUNIT_ASSERT_EQUAL(std::size_t{26}, shown(job.job->id, "finished_at").size());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"success":false,"message":"silent","iterations":7})"),
                             shown(job.job->id, "result"));
    }

    void testUsage() {
        const JobId id = host_.makeJob().job->id;
        const std::string path = "/jobs/" + id.str();
        CPPUNIT_ASSERT(get(path).json().find("usage") == nullptr);
        const auto usage = std::make_shared<FakeUsage>();
        usage->used[id] = {.requests = 3,
                           .failed = 1,
                           .inputTokens = 200,
                           .outputTokens = 20,
                           .cacheReadTokens = 100,
                           .cacheWriteTokens = 10,
                           .costNano = 12'500'000};
        host_.offer<JobUsage>(usage);
        const Answer answer = get(path);
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"requests":3,"failed":1,"input_tokens":200,"output_tokens":20,)"
                R"("cache_read_input_tokens":100,"cache_creation_input_tokens":10,"cost_usd":0.0125})"),
            std::string(answer.json().required("usage").raw()));
        // Not in lists, which would ask the database for each.
        CPPUNIT_ASSERT(get("/jobs").body().find("usage") == std::string::npos);
    }

    void testDetailOfOthers() {
        const std::string path = "/jobs/" + host_.makeJob().job->id.str();
        CPPUNIT_ASSERT_EQUAL(404, get(path, "bob").status());
        CPPUNIT_ASSERT_EQUAL(std::string("not_found"), get(path, "bob").code());
        CPPUNIT_ASSERT_EQUAL(200, get(path, "root", Role::admin).status());
        CPPUNIT_ASSERT_EQUAL(404, get("/jobs/" + JobId::random().str()).status());
        CPPUNIT_ASSERT_EQUAL(400, get("/jobs/7").status());
    }

    static std::vector<std::string> idsOf(const Answer& answer) {
        std::vector<std::string> ids;
        for (const json::Value& job : answer.json().required("jobs").elements()) {
            ids.push_back(job.object().string("job_id"));
        }
        return ids;
    }

    void testListPages() {
        std::vector<std::string> newestFirst;
        for (int i = 0; i < 5; ++i) {
            newestFirst.insert(newestFirst.begin(), host_.makeJob().job->id.str());
        }
        std::vector<std::string> collected;
        std::string cursor;
        do {
            const Answer page = get("/jobs?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
            CPPUNIT_ASSERT_EQUAL(200, page.status());
            const auto ids = idsOf(page);
            collected.insert(collected.end(), ids.begin(), ids.end());
            cursor = page.json().optionalString("next_cursor").value_or("");
        } while (!cursor.empty());
        CPPUNIT_ASSERT(newestFirst == collected);
        const Answer all = get("/jobs");
        CPPUNIT_ASSERT(all.json().find("next_cursor") == nullptr);
        CPPUNIT_ASSERT_EQUAL(get("/jobs/" + newestFirst[0]).body(),
                             std::string(all.json().required("jobs").elements()[0].raw()));
    }

    void testListFilters() {
        const std::string pending = host_.makeJob().job->id.str();
        const CreatedJob done = host_.makeJob();
        host_.finish(done.job->id, JobState::completed);
        const std::string bobs = host_.makeJob("bob").job->id.str();
        using Ids = std::vector<std::string>;
        CPPUNIT_ASSERT((idsOf(get("/jobs")) == Ids{done.job->id.str(), pending}));
        CPPUNIT_ASSERT((idsOf(get("/jobs?state=pending")) == Ids{pending}));
        CPPUNIT_ASSERT(idsOf(get("/jobs?state=failed")).empty());
        CPPUNIT_ASSERT((idsOf(get("/jobs?user_id=bob", "root", Role::admin)) == Ids{bobs}));
        CPPUNIT_ASSERT(idsOf(get("/jobs", "root", Role::admin)).empty());
        CPPUNIT_ASSERT(
            (idsOf(get("/jobs?user_id=*&state=pending", "root", Role::admin)) == Ids{bobs, pending}));
    }

    void testListIsChecked() {
        for (const char* query :
             {"?state=done", "?state=", "?limit=0", "?limit=201", "?limit=x", "?cursor=nonsense"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(query, 400, get(std::string("/jobs") + query).status());
        }
        for (const char* path : {"/jobs?user_id=bob", "/jobs/summary?user_id=bob"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(path, 404, get(path).status());
        }
        CPPUNIT_ASSERT_EQUAL(403, get("/jobs?user_id=*").status());
    }

    void testSummary() {
        host_.makeJob("bob");
        host_.begin(host_.makeJob().job->id);
        host_.finish(host_.makeJob().job->id, JobState::completed);
        host_.finish(host_.makeJob().job->id, JobState::completed);
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"({"total":3,"pending":0,"running":1,"completed":2,"failed":0,"cancelled":0,"interrupted":0})"),
            get("/jobs/summary").body());
        CPPUNIT_ASSERT_EQUAL(
            std::string("4"),
            std::string(get("/jobs/summary?user_id=*", "root", Role::admin).json().required("total").raw()));
    }

    void testCancel() {
        const CreatedJob job = host_.makeJob();
        const Answer answer = act(job.job->id, "cancel");
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(R"({"status":"cancelled","job_id":")" + job.job->id.str() + R"("})",
                             answer.body());
        CPPUNIT_ASSERT_EQUAL(std::string(R"("cancelled")"), shown(job.job->id, "state"));
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"success":false,"message":"cancelled by alice","iterations":0})"),
            shown(job.job->id, "result"));
        CPPUNIT_ASSERT_EQUAL(401, host_.worker(job, "GET", "/job").status());
        CPPUNIT_ASSERT_EQUAL(answer.body(), act(job.job->id, "cancel").body());
    }

    void testCancelOfAJobThatEnded() {
        for (const JobState state : {JobState::completed, JobState::failed, JobState::interrupted}) {
            const CreatedJob job = host_.makeJob();
            host_.finish(job.job->id, state);
            const Answer answer = act(job.job->id, "cancel");
            CPPUNIT_ASSERT_EQUAL(409, answer.status());
            CPPUNIT_ASSERT_EQUAL(std::string("job_over"), answer.code());
        }
    }

    void testCancelOfOthers() {
        const CreatedJob job = host_.makeJob();
        CPPUNIT_ASSERT_EQUAL(404, act(job.job->id, "cancel", "bob").status());
        CPPUNIT_ASSERT_EQUAL(404, act(JobId::random(), "cancel").status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"("pending")"), shown(job.job->id, "state"));
    }

    void testRestart() {
        const CreatedJob old = host_.makeJob();
        host_.finish(old.job->id, JobState::failed, {false, "no compiler", 2});
        const Answer answer = act(old.job->id, "restart");
        CPPUNIT_ASSERT_EQUAL(201, answer.status());
        const std::string id = answer.json().string("new_job_id");
        CPPUNIT_ASSERT_EQUAL(std::string("restarted"), answer.json().string("status"));
        CPPUNIT_ASSERT_EQUAL(old.job->id.str(), answer.json().string("old_job_id"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, answer.json().string("token").size());
        CPPUNIT_ASSERT_EQUAL("http://host:1/worker/" + id, answer.json().string("worker_url"));
        const Answer detail = get("/jobs/" + id);
        CPPUNIT_ASSERT(detail.json().string("task").find("failed: no compiler") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(old.job->id.str(), detail.json().string("restart_of"));
        CPPUNIT_ASSERT_EQUAL(std::string("pending"), detail.json().string("state"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"("failed")"), shown(old.job->id, "state"));
    }

    void testRestartTakesPartsAlong() {
        offerColours();
        const JobId old = *JobId::parse(created(R"({"task":"t","colour":"red"})"));
        host_.finish(old, JobState::interrupted);
        const std::string id = act(old, "restart").json().string("new_job_id");
        CPPUNIT_ASSERT_EQUAL(std::string(R"("red")"), shown(*JobId::parse(id), "colour"));
    }

    /// The new job would lack what the old one had.
    void testRestartWithoutAPluginThatTookPart() {
        offerColours();
        const JobId old = *JobId::parse(created(R"({"task":"t","colour":"red"})"));
        host_.finish(old, JobState::interrupted);
        host_.withdrawParticipant("colours");
        const Answer refused = act(old, "restart");
        CPPUNIT_ASSERT_EQUAL(503, refused.status());
        CPPUNIT_ASSERT_EQUAL(std::string("plugin_unavailable"), refused.code());
        // It is remembered that somebody took care of it.
        CPPUNIT_ASSERT_EQUAL(503, create(R"({"task":"t","colour":"red"})").status());
    }

    void testRestartIsChecked() {
        const CreatedJob job = host_.makeJob();
        const Answer pending = act(job.job->id, "restart");
        CPPUNIT_ASSERT_EQUAL(409, pending.status());
        CPPUNIT_ASSERT_EQUAL(std::string("not_restartable"), pending.code());
        host_.begin(job.job->id);
        CPPUNIT_ASSERT_EQUAL(409, act(job.job->id, "restart").status());
        host_.finish(job.job->id, JobState::completed);
        CPPUNIT_ASSERT_EQUAL(409, act(job.job->id, "restart").status());
        CPPUNIT_ASSERT_EQUAL(404, act(job.job->id, "restart", "bob").status());
        for (const JobState state : {JobState::failed, JobState::interrupted, JobState::cancelled}) {
            const CreatedJob ended = host_.makeJob();
            host_.finish(ended.job->id, state);
            CPPUNIT_ASSERT_EQUAL(201, act(ended.job->id, "restart").status());
        }
    }

    void testStatesAreShownLive() {
        const CreatedJob job = host_.makeJob();
        host_.begin(job.job->id);
        host_.worker(job, "POST", "/complete", R"({"success":true,"iterations":1})");
        host_.settle();
        const auto published = host_.events().published();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, published.size());
        const std::string start = R"({"type":"job_state","job_id":")" + job.job->id.str() + R"(","state":")";
        CPPUNIT_ASSERT_EQUAL(start + R"(running"})", published[0].data);
        CPPUNIT_ASSERT_EQUAL(start + R"(completed"})", published[1].data);
        for (const LiveEvent& event : published) {
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, event.id);
            CPPUNIT_ASSERT_EQUAL(std::string("job_state"), event.type);
            CPPUNIT_ASSERT_EQUAL(std::string("alice"), event.user);
            CPPUNIT_ASSERT(event.job == job.job->id);
        }
    }

    void testHowRoutesAreRegistered() {
        CPPUNIT_ASSERT(host_.options(Realm::worker, "POST", "/status").run == Run::loop);
        CPPUNIT_ASSERT(host_.options(Realm::worker, "POST", "/complete").run == Run::loop);
        CPPUNIT_ASSERT(host_.options(Realm::worker, "GET", "/job").run == Run::loop);
        // Clients send these without a body.
        CPPUNIT_ASSERT(host_.options(Realm::operators, "POST", "/jobs/{job_id}/cancel").body == Body::none);
        CPPUNIT_ASSERT(host_.options(Realm::operators, "POST", "/jobs/{job_id}/restart").body == Body::none);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobsTest);

}  // namespace
}  // namespace sallyport::plugins
