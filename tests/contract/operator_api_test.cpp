// CONTRACT §4: what an operator may rely on, endpoint by endpoint.
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <Poco/UUIDGenerator.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/shared_daemon_test.h"
#include "tests/support/sse_client.h"

namespace sallyport::tests {

class OperatorApiTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(OperatorApiTest);
    CPPUNIT_TEST(testEveryRouteWantsAToken);
    CPPUNIT_TEST(testWorkerTokenOpensNoOperatorRoute);
    CPPUNIT_TEST(testUnknownRoutesAndMethods);
    CPPUNIT_TEST(testLocalTokenIsPrivate);
    CPPUNIT_TEST(testCreateAnswersWithAllThatAWorkerNeeds);
    CPPUNIT_TEST(testCreateFillsInDefaults);
    CPPUNIT_TEST(testCreateKeepsWhatWasGiven);
    CPPUNIT_TEST(testCreateNamesTheWrongField);
    CPPUNIT_TEST(testCreateRefusesWhatIsNoJson);
    CPPUNIT_TEST(testListPagesNewestFirst);
    CPPUNIT_TEST(testListFiltersByStateAndUser);
    CPPUNIT_TEST(testListRefusesBadParameters);
    CPPUNIT_TEST(testSummaryCountsEachState);
    CPPUNIT_TEST(testDetailRefusesWhatIsNotThere);
    CPPUNIT_TEST(testCancelIsIdempotent);
    CPPUNIT_TEST(testCancelOfAFinishedJobConflicts);
    CPPUNIT_TEST(testRestartRepeatsAFailedJobAndSaysWhyItFailed);
    CPPUNIT_TEST(testRestartOfACancelledJob);
    CPPUNIT_TEST(testRestartConflictsUnlessTheJobFailed);
    CPPUNIT_TEST(testPromptIsQueuedWithANumber);
    CPPUNIT_TEST(testPromptNamesTheWrongField);
    CPPUNIT_TEST(testPromptForAFinishedJobConflicts);
    CPPUNIT_TEST(testHistoryPagesForward);
    CPPUNIT_TEST(testHistoryRefusesBadParameters);
    CPPUNIT_TEST(testStreamRefusesBadParameters);
    CPPUNIT_TEST(testOtherUsersJobsAreNotFound);
    CPPUNIT_TEST(testAdminSeesEveryUsersJobs);
    CPPUNIT_TEST(testViewerMayOnlyRead);
    CPPUNIT_TEST(testUserMayOnlyActForItself);
    CPPUNIT_TEST(testAdminRoutesAreForbiddenToOthers);
    CPPUNIT_TEST(testTokensAreCreatedListedAndRevoked);
    CPPUNIT_TEST(testTokenCreationNamesTheWrongField);
    CPPUNIT_TEST(testRevocationEndsOpenConnectionsRights);
    CPPUNIT_TEST(testRevokingAnUnknownTokenIsNotFound);
    CPPUNIT_TEST(testPluginsAreListedWithTheirRoutes);
    CPPUNIT_TEST(testStatusTellsHowTheDaemonIs);
    CPPUNIT_TEST_SUITE_END();

public:
    void testEveryRouteWantsAToken() {
        const std::string id = anyId();
        const std::vector<std::pair<std::string, std::string>> routes{{"POST", "/jobs"},
                                                                      {"GET", "/jobs"},
                                                                      {"GET", "/jobs/summary"},
                                                                      {"GET", "/jobs/" + id},
                                                                      {"POST", "/jobs/" + id + "/cancel"},
                                                                      {"POST", "/jobs/" + id + "/restart"},
                                                                      {"POST", "/jobs/" + id + "/prompt"},
                                                                      {"GET", "/jobs/" + id + "/events"},
                                                                      {"GET", "/events"},
                                                                      {"GET", "/plugins"},
                                                                      {"POST", "/plugins/reload"},
                                                                      {"GET", "/status"},
                                                                      {"GET", "/tokens"},
                                                                      {"POST", "/tokens"},
                                                                      {"DELETE", "/tokens/1"},
                                                                      {"GET", "/nowhere"}};
        for (const auto& [method, path] : routes) {
            ASSERT_UNAUTHORIZED(exchange(daemon().operators(), Request(method, "/api" + path)));
            ASSERT_UNAUTHORIZED(
                exchange(daemon().operators(), Request(method, "/api" + path).bearer(std::string(64, 'a'))));
        }
    }

    void testWorkerTokenOpensNoOperatorRoute() {
        const CreatedJob job = createJob(admin());
        ASSERT_UNAUTHORIZED(operatorClient(daemon(), job.token).get("/jobs"));
        ASSERT_UNAUTHORIZED(operatorClient(daemon(), job.token).get("/jobs/" + job.id));
    }

    void testUnknownRoutesAndMethods() {
        ASSERT_REFUSED(404, admin().get("/nowhere"));
        ASSERT_REFUSED(404, admin().get("/jobs/" + anyId() + "/nowhere"));
        const Response response = admin().send("DELETE", "/jobs", {});
        ASSERT_REFUSED(405, response);
        ASSERT_CONTAINS("GET", response.header("Allow"));
        ASSERT_CONTAINS("POST", response.header("Allow"));
        // Each door has only its own routes.
        ASSERT_REFUSED(404, exchange(daemon().worker(), Request("GET", "/api/jobs").bearer(admin().token())));
        const CreatedJob job = createJob(admin());
        ASSERT_REFUSED(404, exchange(daemon().operators(),
                                     Request("GET", "/worker/" + job.id + "/job").bearer(job.token)));
    }

    void testLocalTokenIsPrivate() {
        const auto file = daemon().dataDirectory() / "operator.token";
        CPPUNIT_ASSERT(std::filesystem::status(file).permissions() ==
                       (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
        CPPUNIT_ASSERT_EQUAL(std::size_t{64}, daemon().operatorToken().size());
    }

    void testCreateAnswersWithAllThatAWorkerNeeds() {
        const Response response = admin().post("/jobs", R"({"task":"dig"})");
        ASSERT_STATUS(201, response);
        ASSERT_FIELD("pending", response, "state");
        const std::string id = response.at("job_id");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{36}, id.size());
        const std::string url = response.at("worker_url");
        const std::string address = daemon().worker().address();
        CPPUNIT_ASSERT_EQUAL(address + "/worker/" + id, url);
        Request request("GET", url.substr(address.size()) + "/job");
        ASSERT_FIELD("dig", exchange(daemon().worker(), request.bearer(response.at("token"))), "description");
    }

    void testCreateFillsInDefaults() {
        const CreatedJob job =
            createJob(admin(), R"({"task":"dig","title":null,"project_dir":null,"mode":null})");
        const Response detail = admin().get("/jobs/" + job.id);
        ASSERT_STATUS(200, detail);
        for (const auto& [path, value] :
             std::vector<std::pair<std::string, std::string>>{{"job_id", job.id},
                                                              {"title", "Job " + job.id},
                                                              {"task", "dig"},
                                                              {"user_id", "default"},
                                                              {"state", "pending"},
                                                              {"mode", "worker"},
                                                              {"project_dir", "null"},
                                                              {"started_at", "null"},
                                                              {"finished_at", "null"},
                                                              {"status_message", "null"},
                                                              {"iteration", "0"},
                                                              {"restart_of", "null"},
                                                              {"result", "null"},
                                                              {"credentials", "[]"}}) {
            ASSERT_FIELD(value, detail, path);
        }
        assertTimestamp(detail.at("created_at"));
        ASSERT_LACKS(job.token, detail.body);
    }

    void testCreateKeepsWhatWasGiven() {
        const CreatedJob job = createJob(
            admin(),
            R"({"task":"dig","title":"T","user_id":"alice","project_dir":"/p","mode":"claude_code","later":1})");
        const Response detail = admin().get("/jobs/" + job.id);
        ASSERT_FIELD("T", detail, "title");
        ASSERT_FIELD("alice", detail, "user_id");
        ASSERT_FIELD("/p", detail, "project_dir");
        ASSERT_FIELD("claude_code", detail, "mode");
    }

    void testCreateNamesTheWrongField() {
        ASSERT_INVALID_FIELD("task", admin().post("/jobs", "{}"));
        ASSERT_INVALID_FIELD("task", admin().post("/jobs", R"({"task":null})"));
        ASSERT_INVALID_FIELD("task", admin().post("/jobs", R"({"task":["dig"]})"));
        ASSERT_INVALID_FIELD("task", admin().post("/jobs", R"({"task":"a","task":"b"})"));
        ASSERT_INVALID_FIELD("title", admin().post("/jobs", R"({"task":"t","title":1})"));
        ASSERT_INVALID_FIELD("user_id", admin().post("/jobs", R"({"task":"t","user_id":{}})"));
        ASSERT_INVALID_FIELD("project_dir", admin().post("/jobs", R"({"task":"t","project_dir":false})"));
        ASSERT_INVALID_FIELD("mode", admin().post("/jobs", R"({"task":"t","mode":"gardener"})"));
        ASSERT_INVALID_FIELD("mode", admin().post("/jobs", R"({"task":"t","mode":1})"));
    }

    void testCreateRefusesWhatIsNoJson() {
        ASSERT_REFUSED(400, admin().post("/jobs", "{"));
        ASSERT_REFUSED(422, admin().post("/jobs", "[]"));
        ASSERT_REFUSED(
            415, admin().exchange(admin().request("POST", "/jobs").body("text/plain", R"({"task":"t"})")));
    }

    void testListPagesNewestFirst() {
        Client pages = operatorClient(daemon(), createToken(daemon(), "pager", "user"));
        std::vector<std::string> newestFirst;
        for (int i = 0; i < 7; ++i) {
            newestFirst.insert(newestFirst.begin(), createJob(pages).id);
        }
        std::vector<std::string> listed;
        std::string query = "?limit=3";
        for (int page = 0; page < 3; ++page) {
            const Response response = pages.get("/jobs" + query);
            ASSERT_STATUS(200, response);
            for (std::size_t i = 0; i < response.size("jobs"); ++i) {
                listed.push_back(response.at("jobs." + std::to_string(i) + ".job_id"));
            }
            const std::string cursor = response.at("next_cursor");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), page == 2, cursor == "(absent)");
            query = "?limit=3&cursor=" + cursor;
        }
        CPPUNIT_ASSERT(newestFirst == listed);
        CPPUNIT_ASSERT_EQUAL(std::size_t{7}, pages.get("/jobs").size("jobs"));
    }

    void testListFiltersByStateAndUser() {
        const std::string user = "filter";
        Client own = operatorClient(daemon(), createToken(daemon(), user, "user"));
        const CreatedJob pending = createJob(own);
        const CreatedJob running = createJob(own);
        const CreatedJob cancelled = createJob(own);
        workerClient(daemon(), running).get("/job");
        own.post("/jobs/" + cancelled.id + "/cancel", "{}");
        for (const auto& [state, id] : std::vector<std::pair<std::string, std::string>>{
                 {"pending", pending.id}, {"running", running.id}, {"cancelled", cancelled.id}}) {
            const Response response = admin().get("/jobs?user_id=" + user + "&state=" + state);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{1}, response.size("jobs"));
            ASSERT_FIELD(id, response, "jobs.0.job_id");
            ASSERT_FIELD(state, response, "jobs.0.state");
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, admin().get("/jobs?user_id=filter&state=failed").size("jobs"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, admin().get("/jobs?user_id=filter").size("jobs"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, admin().get("/jobs?user_id=filt%65r%20").size("jobs"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, admin().get("/jobs?user_id=filt%65r").size("jobs"));
        CPPUNIT_ASSERT(admin().get("/jobs?user_id=*&limit=200").size("jobs") >= 3);
    }

    void testListRefusesBadParameters() {
        for (const std::string query : {"limit=0", "limit=201", "limit=abc", "limit=-1", "limit=1e1",
                                        "limit=", "cursor=nonsense", "state=asleep"}) {
            const Response response = admin().get("/jobs?" + query);
            ASSERT_REFUSED(400, response);
            ASSERT_CONTAINS(query.substr(0, query.find('=')), response.at("error.message"));
        }
    }

    void testSummaryCountsEachState() {
        Client own = operatorClient(daemon(), createToken(daemon(), "summary", "user"));
        const CreatedJob running = createJob(own);
        createJob(own);
        createJob(own);
        const CreatedJob completed = createJob(own);
        const CreatedJob failed = createJob(own);
        own.post("/jobs/" + createJob(own).id + "/cancel", "{}");
        workerClient(daemon(), running).get("/job");
        workerClient(daemon(), completed).post("/complete", R"({"success":true,"iterations":1})");
        workerClient(daemon(), failed).post("/complete", R"({"success":false,"iterations":1})");
        const Response response = own.get("/jobs/summary");
        for (const auto& [state, count] :
             std::vector<std::pair<std::string, std::string>>{{"total", "6"},
                                                              {"pending", "2"},
                                                              {"running", "1"},
                                                              {"completed", "1"},
                                                              {"failed", "1"},
                                                              {"cancelled", "1"},
                                                              {"interrupted", "0"}}) {
            ASSERT_FIELD(count, response, state);
        }
        ASSERT_FIELD("6", admin().get("/jobs/summary?user_id=summary"), "total");
    }

    void testDetailRefusesWhatIsNotThere() {
        ASSERT_ERROR(404, "not_found", admin().get("/jobs/" + anyId()));
        ASSERT_REFUSED(400, admin().get("/jobs/nonsense"));
        for (const std::string path : {"/cancel", "/restart"}) {
            ASSERT_ERROR(404, "not_found", admin().post("/jobs/" + anyId() + path, "{}"));
            ASSERT_REFUSED(400, admin().post("/jobs/nonsense" + path, "{}"));
        }
        ASSERT_ERROR(404, "not_found", admin().post("/jobs/" + anyId() + "/prompt", R"({"content":"x"})"));
        ASSERT_ERROR(404, "not_found", admin().get("/jobs/" + anyId() + "/events"));
    }

    void testCancelIsIdempotent() {
        const CreatedJob job = createJob(admin());
        for (int i = 0; i < 3; ++i) {
            const Response response = admin().post("/jobs/" + job.id + "/cancel", i == 0 ? "" : "{}");
            ASSERT_STATUS(200, response);
            ASSERT_FIELD("cancelled", response, "status");
            ASSERT_FIELD(job.id, response, "job_id");
        }
        const Response detail = admin().get("/jobs/" + job.id);
        ASSERT_FIELD("cancelled", detail, "state");
        assertTimestamp(detail.at("finished_at"));
    }

    void testCancelOfAFinishedJobConflicts() {
        const CreatedJob job = createJob(admin());
        workerClient(daemon(), job).post("/complete", R"({"success":true,"iterations":1})");
        ASSERT_ERROR(409, "job_over", admin().post("/jobs/" + job.id + "/cancel", "{}"));
        ASSERT_FIELD("completed", admin().get("/jobs/" + job.id), "state");
    }

    void testRestartRepeatsAFailedJobAndSaysWhyItFailed() {
        const CreatedJob old = createJob(
            admin(), R"({"task":"fetch water","title":"Well","user_id":"jill","project_dir":"/hill"})");
        workerClient(daemon(), old)
            .post("/complete", R"({"success":false,"message":"the pail broke","iterations":3})");
        const Response response = admin().post("/jobs/" + old.id + "/restart", "{}");
        ASSERT_STATUS(201, response);
        ASSERT_FIELD("restarted", response, "status");
        ASSERT_FIELD(old.id, response, "old_job_id");
        const CreatedJob repeated{response.at("new_job_id"), response.at("token")};
        CPPUNIT_ASSERT(repeated.id != old.id);
        const Response detail = admin().get("/jobs/" + repeated.id);
        ASSERT_FIELD("pending", detail, "state");
        ASSERT_FIELD("jill", detail, "user_id");
        ASSERT_FIELD("/hill", detail, "project_dir");
        ASSERT_FIELD(old.id, detail, "restart_of");
        ASSERT_CONTAINS("fetch water", detail.at("task"));
        ASSERT_CONTAINS("the pail broke", detail.at("task"));
        ASSERT_STATUS(200, workerClient(daemon(), repeated).get("/job"));
        ASSERT_UNAUTHORIZED(workerClient(daemon(), old).get("/job"));
        ASSERT_FIELD("failed", admin().get("/jobs/" + old.id), "state");
    }

    void testRestartOfACancelledJob() {
        const CreatedJob old = createJob(admin());
        admin().post("/jobs/" + old.id + "/cancel", "{}");
        const Response response = admin().post("/jobs/" + old.id + "/restart", "");
        ASSERT_STATUS(201, response);
        ASSERT_STATUS(200,
                      workerClient(daemon(), {response.at("new_job_id"), response.at("token")}).get("/job"));
    }

    void testRestartConflictsUnlessTheJobFailed() {
        const CreatedJob job = createJob(admin());
        ASSERT_ERROR(409, "not_restartable", admin().post("/jobs/" + job.id + "/restart", "{}"));
        workerClient(daemon(), job).get("/job");
        ASSERT_ERROR(409, "not_restartable", admin().post("/jobs/" + job.id + "/restart", "{}"));
        workerClient(daemon(), job).post("/complete", R"({"success":true,"iterations":1})");
        ASSERT_ERROR(409, "not_restartable", admin().post("/jobs/" + job.id + "/restart", "{}"));
    }

    void testPromptIsQueuedWithANumber() {
        const CreatedJob job = createJob(admin());
        const Response one = admin().post("/jobs/" + job.id + "/prompt", R"({"content":"one"})");
        const Response two = admin().post("/jobs/" + job.id + "/prompt", R"({"content":"two","done":true})");
        for (const Response& response : {one, two}) {
            ASSERT_STATUS(200, response);
            ASSERT_FIELD("queued", response, "status");
            ASSERT_FIELD(job.id, response, "job_id");
        }
        CPPUNIT_ASSERT_MESSAGE(one.describe(), one.at("prompt_id") != "(absent)");
        CPPUNIT_ASSERT_MESSAGE(two.describe(), one.at("prompt_id") != two.at("prompt_id"));
    }

    void testPromptNamesTheWrongField() {
        const std::string path = "/jobs/" + createJob(admin()).id + "/prompt";
        ASSERT_INVALID_FIELD("content", admin().post(path, "{}"));
        ASSERT_INVALID_FIELD("content", admin().post(path, R"({"content":null})"));
        ASSERT_INVALID_FIELD("content", admin().post(path, R"({"content":7})"));
        ASSERT_INVALID_FIELD("done", admin().post(path, R"({"content":"x","done":"no"})"));
        ASSERT_REFUSED(400, admin().post(path, "{"));
        ASSERT_REFUSED(415, admin().exchange(admin().request("POST", path).body("text/plain", "{}")));
    }

    void testPromptForAFinishedJobConflicts() {
        const CreatedJob job = createJob(admin());
        admin().post("/jobs/" + job.id + "/cancel", "{}");
        ASSERT_ERROR(409, "job_over", admin().post("/jobs/" + job.id + "/prompt", R"({"content":"x"})"));
    }

    void testHistoryPagesForward() {
        const CreatedJob job = createJob(admin());
        Client worker = workerClient(daemon(), job);
        for (int i = 0; i < 5; ++i) {
            ASSERT_STATUS(200,
                          worker.post("/event", R"({"event_type":"t","data":)" + std::to_string(i) + "}"));
        }
        const std::string path = "/jobs/" + job.id + "/events";
        const Response all = admin().get(path);
        ASSERT_FIELD(job.id, all, "job_id");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(all.describe(), std::size_t{5}, all.size("events"));
        assertTimestamp(all.at("events.0.created_at"));
        ASSERT_FIELD("t", all, "events.0.event_type");
        std::string after = "0";
        for (int i = 0; i < 5; ++i) {
            const Response page = admin().get(path + "?limit=1&after=" + after);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(page.describe(), std::size_t{1}, page.size("events"));
            ASSERT_FIELD(std::to_string(i), page, "events.0.data");
            CPPUNIT_ASSERT_MESSAGE(page.describe(), std::stoll(page.at("events.0.id")) > std::stoll(after));
            after = page.at("events.0.id");
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, admin().get(path + "?after=" + after).size("events"));
        ASSERT_STATUS(200, admin().get(path + "?limit=1000"));
    }

    void testHistoryRefusesBadParameters() {
        const std::string path = "/jobs/" + createJob(admin()).id + "/events?";
        for (const std::string query : {"limit=0", "limit=1001", "limit=x", "after=-1", "after=x"}) {
            const Response response = admin().get(path + query);
            ASSERT_REFUSED(400, response);
            ASSERT_CONTAINS(query.substr(0, query.find('=')), response.at("error.message"));
        }
        ASSERT_REFUSED(400, admin().get("/jobs/nonsense/events"));
    }

    void testStreamRefusesBadParameters() {
        ASSERT_REFUSED(400, admin().get("/events?job_id=nonsense"));
        ASSERT_ERROR(404, "not_found", admin().get("/events?job_id=" + anyId()));
        ASSERT_REFUSED(400, admin().get("/events?last_event_id=x"));
        ASSERT_REFUSED(400, admin().exchange(admin().request("GET", "/events").header("Last-Event-ID", "x")));
    }

    void testOtherUsersJobsAreNotFound() {
        const CreatedJob job = createJob(admin(), R"({"task":"t","user_id":"alice"})");
        for (const std::string role : {"user", "viewer"}) {
            Client mallory = operatorClient(daemon(), createToken(daemon(), "mallory", role));
            ASSERT_ERROR(404, "not_found", mallory.get("/jobs/" + job.id));
            ASSERT_ERROR(404, "not_found", mallory.get("/jobs/" + job.id + "/events"));
            ASSERT_ERROR(404, "not_found", mallory.get("/events?job_id=" + job.id));
            for (const std::string query : {"/jobs", "/jobs?user_id=alice", "/jobs?user_id=*"}) {
                ASSERT_LACKS(job.id, mallory.get(query).body);
            }
            for (const std::string path : {"/jobs", "/jobs/summary", "/events", "/secrets", "/usage"}) {
                ASSERT_ERROR(404, "not_found", mallory.get(path + "?user_id=alice"));
            }
            ASSERT_FIELD("0", mallory.get("/jobs/summary"), "total");
        }
        Client mallory = operatorClient(daemon(), createToken(daemon(), "mallory", "user"));
        ASSERT_ERROR(404, "not_found", mallory.post("/jobs/" + job.id + "/cancel", "{}"));
        ASSERT_ERROR(404, "not_found", mallory.post("/jobs/" + job.id + "/restart", "{}"));
        ASSERT_ERROR(404, "not_found", mallory.post("/jobs/" + job.id + "/prompt", R"({"content":"x"})"));
        ASSERT_FIELD("pending", admin().get("/jobs/" + job.id), "state");
    }

    void testAdminSeesEveryUsersJobs() {
        const CreatedJob job = createJob(admin(), R"({"task":"t","user_id":"carol"})");
        ASSERT_STATUS(200, admin().get("/jobs/" + job.id));
        ASSERT_CONTAINS(job.id, admin().get("/jobs?user_id=carol").body);
        ASSERT_CONTAINS(job.id, admin().get("/jobs?user_id=*").body);
        ASSERT_LACKS(job.id, admin().get("/jobs").body);
    }

    void testViewerMayOnlyRead() {
        Client viewer = operatorClient(daemon(), createToken(daemon(), "dora", "viewer"));
        const CreatedJob job = createJob(admin(), R"({"task":"t","user_id":"dora"})");
        ASSERT_STATUS(200, viewer.get("/jobs/" + job.id));
        ASSERT_STATUS(200, viewer.get("/jobs"));
        ASSERT_STATUS(200, viewer.get("/jobs/" + job.id + "/events"));
        ASSERT_ERROR(403, "forbidden", viewer.post("/jobs", R"({"task":"t"})"));
        ASSERT_ERROR(403, "forbidden", viewer.post("/jobs/" + job.id + "/cancel", "{}"));
        ASSERT_ERROR(403, "forbidden", viewer.post("/jobs/" + job.id + "/restart", "{}"));
        ASSERT_ERROR(403, "forbidden", viewer.post("/jobs/" + job.id + "/prompt", R"({"content":"x"})"));
    }

    void testUserMayOnlyActForItself() {
        Client erin = operatorClient(daemon(), createToken(daemon(), "erin", "user"));
        const CreatedJob own = createJob(erin);
        ASSERT_FIELD("erin", erin.get("/jobs/" + own.id), "user_id");
        ASSERT_STATUS(201, erin.post("/jobs", R"({"task":"t","user_id":"erin"})"));
        ASSERT_ERROR(403, "forbidden", erin.post("/jobs", R"({"task":"t","user_id":"frank"})"));
        ASSERT_STATUS(200, erin.post("/jobs/" + own.id + "/prompt", R"({"content":"x"})"));
        ASSERT_STATUS(200, erin.post("/jobs/" + own.id + "/cancel", "{}"));
    }

    void testAdminRoutesAreForbiddenToOthers() {
        for (const std::string role : {"user", "viewer"}) {
            Client other = operatorClient(daemon(), createToken(daemon(), "gina", role));
            ASSERT_ERROR(403, "forbidden", other.get("/tokens"));
            ASSERT_ERROR(403, "forbidden", other.post("/tokens", R"({"name":"x","role":"admin"})"));
            ASSERT_ERROR(403, "forbidden", other.remove("/tokens/1"));
            ASSERT_ERROR(403, "forbidden", other.post("/plugins/reload", "{}"));
        }
    }

    void testTokensAreCreatedListedAndRevoked() {
        const Response created =
            admin().post("/tokens", R"({"name":"laptop","user_id":"hugo","role":"viewer"})");
        ASSERT_STATUS(201, created);
        ASSERT_FIELD("laptop", created, "name");
        ASSERT_FIELD("hugo", created, "user_id");
        ASSERT_FIELD("viewer", created, "role");
        const std::string id = created.at("token_id");
        const std::string token = created.at("token");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(created.describe(), std::size_t{64}, token.size());
        ASSERT_STATUS(200, operatorClient(daemon(), token).get("/jobs"));

        const Response list = admin().get("/tokens");
        ASSERT_STATUS(200, list);
        ASSERT_CONTAINS("laptop", list.body);
        ASSERT_LACKS(token, list.body);
        ASSERT_LACKS(admin().token(), list.body);
        assertTimestamp(list.at("tokens.0.created_at"));

        const Response revoked = admin().remove("/tokens/" + id);
        ASSERT_STATUS(200, revoked);
        ASSERT_FIELD("revoked", revoked, "status");
        ASSERT_FIELD(id, revoked, "token_id");
        ASSERT_UNAUTHORIZED(operatorClient(daemon(), token).get("/jobs"));
        ASSERT_LACKS("laptop", admin().get("/tokens").body);

        const Response defaults = admin().post("/tokens", R"({"name":"plain"})");
        ASSERT_FIELD("default", defaults, "user_id");
        ASSERT_FIELD("user", defaults, "role");
    }

    void testTokenCreationNamesTheWrongField() {
        ASSERT_INVALID_FIELD("name", admin().post("/tokens", "{}"));
        ASSERT_INVALID_FIELD("name", admin().post("/tokens", R"({"name":5})"));
        ASSERT_INVALID_FIELD("role", admin().post("/tokens", R"({"name":"x","role":"emperor"})"));
        ASSERT_INVALID_FIELD("role", admin().post("/tokens", R"({"name":"x","role":1})"));
        for (const std::string user : {"[]", R"("*")", R"("")", R"("a b")", R"("a/b")"}) {
            ASSERT_INVALID_FIELD("user_id",
                                 admin().post("/tokens", R"({"name":"x","user_id":)" + user + "}"));
        }
        ASSERT_REFUSED(400, admin().post("/tokens", "{"));
        ASSERT_REFUSED(415, admin().exchange(admin().request("POST", "/tokens").body("text/plain", "{}")));
    }

    void testRevocationEndsOpenConnectionsRights() {
        const Response created = admin().post("/tokens", R"({"name":"short","role":"admin"})");
        Client holder = operatorClient(daemon(), created.at("token"));
        ASSERT_STATUS(200, holder.get("/jobs"));
        ASSERT_STATUS(200, admin().remove("/tokens/" + created.at("token_id")));
        ASSERT_UNAUTHORIZED(holder.get("/jobs"));
    }

    void testRevokingAnUnknownTokenIsNotFound() {
        ASSERT_ERROR(404, "not_found", admin().remove("/tokens/999999999"));
        const Response nonsense = admin().remove("/tokens/nonsense");
        CPPUNIT_ASSERT_MESSAGE(nonsense.describe(), nonsense.status == 404 || nonsense.status == 400);
    }

    void testPluginsAreListedWithTheirRoutes() {
        const Response response = admin().get("/plugins");
        ASSERT_STATUS(200, response);
        std::set<std::string> names;
        for (std::size_t i = 0; i < response.size("plugins"); ++i) {
            const std::string plugin = "plugins." + std::to_string(i);
            names.insert(response.at(plugin + ".name"));
            ASSERT_FIELD("running", response, plugin + ".state");
            ASSERT_FIELD("null", response, plugin + ".error");
            ASSERT_FIELD("null", response, plugin + ".trouble");
            CPPUNIT_ASSERT_MESSAGE(response.describe(), response.size(plugin + ".routes") > 0);
            CPPUNIT_ASSERT_MESSAGE(response.describe(), response.at(plugin + ".version") != "(absent)");
        }
        for (const std::string name : {"jobs", "events", "prompts"}) {
            CPPUNIT_ASSERT_MESSAGE(response.describe(), names.contains(name));
        }
        ASSERT_CONTAINS("/worker/{job_id}/prompt", response.body);
        ASSERT_CONTAINS("/api/jobs/{job_id}/events", response.body);
    }

    void testStatusTellsHowTheDaemonIs() {
        const Response response = admin().get("/status");
        ASSERT_STATUS(200, response);
        ASSERT_FIELD(std::to_string(daemon().pid()), response, "pid");
        ASSERT_FIELD("true", response, "store.healthy");
        assertTimestamp(response.at("started_at"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::size_t{2}, response.size("listeners"));
        ASSERT_CONTAINS("\"worker\"", response.raw("listeners"));
        ASSERT_CONTAINS("\"operator\"", response.raw("listeners"));
        for (const std::string field :
             {"version", "uptime_seconds", "connections", "subscribers", "jobs.total", "plugins.0.healthy"}) {
            CPPUNIT_ASSERT_MESSAGE(field + response.describe(), response.at(field) != "(absent)");
        }
    }

private:
    static std::string anyId() { return Poco::UUIDGenerator::defaultGenerator().createRandom().toString(); }

    /// RFC 3339 with milliseconds and `Z`.
    static void assertTimestamp(const std::string& text) {
        const std::string pattern = "dddd-dd-ddTdd:dd:dd.dddZ";
        bool fits = text.size() == pattern.size();
        for (std::size_t i = 0; fits && i < text.size(); ++i) {
            fits = pattern[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == pattern[i];
        }
        CPPUNIT_ASSERT_MESSAGE("'" + text + "' is no timestamp", fits);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OperatorApiTest);

}  // namespace sallyport::tests
