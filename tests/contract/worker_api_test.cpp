// CONTRACT §2 and §3: what a worker may rely on, endpoint by endpoint.
#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

class WorkerApiTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(WorkerApiTest);
    CPPUNIT_TEST(testHealthIsPublicOnBothDoors);
    CPPUNIT_TEST(testTokenIs64LowerCaseHexDigits);
    CPPUNIT_TEST(testJobDescribesTheTask);
    CPPUNIT_TEST(testJobGivesTitleAndProjectDirectoryWhenTheyWereGiven);
    CPPUNIT_TEST(testStatusIsKeptOnTheJob);
    CPPUNIT_TEST(testStatusKeepsTheLastMessageWhenNoneIsGiven);
    CPPUNIT_TEST(testStatusTakesIterationsOfUnsigned32Bits);
    CPPUNIT_TEST(testStatusRefusesIterationsThatAreNone);
    CPPUNIT_TEST(testStatusNamesTheWrongField);
    CPPUNIT_TEST(testCompleteKeepsTheResult);
    CPPUNIT_TEST(testCompleteWithoutSuccessFailsTheJob);
    CPPUNIT_TEST(testCompleteTakesNoMessage);
    CPPUNIT_TEST(testCompleteNamesTheWrongField);
    CPPUNIT_TEST(testCompleteRevokesTheTokenOnEveryConnection);
    CPPUNIT_TEST(testCompleteAtOnceFromManyConnectionsEndsTheJobOnce);
    CPPUNIT_TEST(testCancelRevokesTheTokenOnEveryConnection);
    CPPUNIT_TEST(testEventAnswersWithAnEmptyBody);
    CPPUNIT_TEST(testEventTakesAnyJsonAsData);
    CPPUNIT_TEST(testEventNamesTheWrongField);
    CPPUNIT_TEST(testPromptRefusesWaitsOutOfRange);
    CPPUNIT_TEST(testContentTypeMustBeJson);
    CPPUNIT_TEST(testBodyMustParse);
    CPPUNIT_TEST(testBodyMustBeAnObject);
    CPPUNIT_TEST(testBodyMayNestOnlySoDeep);
    CPPUNIT_TEST(testUnknownFieldsAreIgnored);
    CPPUNIT_TEST(testDuplicateFieldsAreRefused);
    CPPUNIT_TEST(testBodyOfExactlyTheLimitIsTaken);
    CPPUNIT_TEST(testDefaultLimitTakesLargeBodies);
    CPPUNIT_TEST(testBodyOverTheLimitIsRefusedUnread);
    CPPUNIT_TEST(testChunkedBodyOverTheLimitIsRefused);
    CPPUNIT_TEST(testJobIdsAreTakenInEveryForm);
    CPPUNIT_TEST(testWhatIsNoJobIdIsABadRequest);
    CPPUNIT_TEST(testSchemeIsTakenInAnyLetterCase);
    CPPUNIT_TEST(testApiKeyHeaderIsTaken);
    CPPUNIT_TEST(testTokensThatAreNoneAreUnauthorized);
    CPPUNIT_TEST(testOperatorTokenOpensNoWorkerRoute);
    CPPUNIT_TEST(testChecksComeInOrder);
    CPPUNIT_TEST(testUnauthorizedBodyIsNotRead);
    CPPUNIT_TEST(testHeadAnswersWithoutBody);
    CPPUNIT_TEST(testHeadUsesNoPromptUp);
    CPPUNIT_TEST(testOptionsNamesTheMethods);
    CPPUNIT_TEST(testFirstAuthenticatedCallStartsTheJob);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        SharedDaemonTest::setUp();
        job_ = createJob(daemon());
    }

    void testHealthIsPublicOnBothDoors() {
        for (const Endpoint& door : {daemon().worker(), daemon().operators()}) {
            const Response response = exchange(door, Request("GET", "/health"));
            ASSERT_STATUS(200, response);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::string("ok"), response.body);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(response.describe(), std::string("text/plain; charset=utf-8"),
                                         response.header("Content-Type"));
            ASSERT_STATUS(200, exchange(door, Request("GET", "/health").bearer("nonsense")));
        }
    }

    void testTokenIs64LowerCaseHexDigits() {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(job_.token, std::size_t{64}, job_.token.size());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(job_.token, std::string::npos,
                                     job_.token.find_first_not_of("0123456789abcdef"));
    }

    void testJobDescribesTheTask() {
        const Response response = worker().get("/job");
        ASSERT_STATUS(200, response);
        ASSERT_FIELD("Job " + job_.id, response, "title");
        ASSERT_FIELD("count the stars", response, "description");
        ASSERT_FIELD("null", response, "project_dir");
    }

    void testJobGivesTitleAndProjectDirectoryWhenTheyWereGiven() {
        job_ = createJob(daemon(),
                         R"({"task":"t","title":"Sterne \u2605 z\u00e4hlen","project_dir":"/srv/sky"})");
        const Response response = worker().get("/job");
        ASSERT_FIELD("Sterne \u2605 z\u00e4hlen", response, "title");
        ASSERT_FIELD("/srv/sky", response, "project_dir");
    }

    void testStatusIsKeptOnTheJob() {
        const Response response =
            worker().post("/status", R"({"state":"in_progress","message":"half way","iteration":7})");
        ASSERT_STATUS(200, response);
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.body.empty());
        ASSERT_FIELD("half way", detail(), "status_message");
        ASSERT_FIELD("7", detail(), "iteration");
    }

    void testStatusKeepsTheLastMessageWhenNoneIsGiven() {
        Client client = worker();
        ASSERT_STATUS(200, client.post("/status", R"({"state":"a","message":"first","iteration":1})"));
        ASSERT_STATUS(200, client.post("/status", R"({"state":"b","iteration":2})"));
        ASSERT_STATUS(200, client.post("/status", R"({"state":"c","message":null,"iteration":3})"));
        ASSERT_FIELD("first", detail(), "status_message");
        ASSERT_FIELD("3", detail(), "iteration");
    }

    void testStatusTakesIterationsOfUnsigned32Bits() {
        for (const std::string iteration : {"4294967295", "0"}) {
            ASSERT_STATUS(200, worker().post("/status", R"({"state":"x","iteration":)" + iteration + "}"));
            ASSERT_FIELD(iteration, detail(), "iteration");
        }
    }

    void testStatusRefusesIterationsThatAreNone() {
        for (const std::string iteration : {"4294967296", "-1", "1.5", "1.0", "1e1", "\"5\"", "null", "true",
                                            "[1]", "18446744073709551616", "1e300"}) {
            ASSERT_INVALID_FIELD("iteration",
                                 worker().post("/status", R"({"state":"x","iteration":)" + iteration + "}"));
        }
        ASSERT_FIELD("0", detail(), "iteration");
    }

    void testStatusNamesTheWrongField() {
        ASSERT_INVALID_FIELD("state", worker().post("/status", R"({"iteration":1})"));
        ASSERT_INVALID_FIELD("state", worker().post("/status", R"({"state":5,"iteration":1})"));
        ASSERT_INVALID_FIELD("state", worker().post("/status", R"({"state":null,"iteration":1})"));
        ASSERT_INVALID_FIELD("iteration", worker().post("/status", R"({"state":"x"})"));
        ASSERT_INVALID_FIELD("message",
                             worker().post("/status", R"({"state":"x","iteration":1,"message":{}})"));
    }

    void testCompleteKeepsTheResult() {
        const Response response =
            worker().post("/complete", R"({"success":true,"message":"all counted","iterations":12})");
        ASSERT_STATUS(200, response);
        ASSERT_FIELD("ok", response, "status");
        const Response job = detail();
        ASSERT_FIELD("completed", job, "state");
        ASSERT_FIELD("true", job, "result.success");
        ASSERT_FIELD("all counted", job, "result.message");
        ASSERT_FIELD("12", job, "result.iterations");
        CPPUNIT_ASSERT_MESSAGE(job.describe(), job.at("finished_at") != "null");
    }

    void testCompleteWithoutSuccessFailsTheJob() {
        ASSERT_STATUS(200,
                      worker().post("/complete", R"({"success":false,"message":"clouds","iterations":1})"));
        ASSERT_FIELD("failed", detail(), "state");
        ASSERT_FIELD("false", detail(), "result.success");
        ASSERT_FIELD("clouds", detail(), "result.message");
    }

    void testCompleteTakesNoMessage() {
        ASSERT_STATUS(200, worker().post("/complete", R"({"success":true,"iterations":0})"));
        ASSERT_FIELD("null", detail(), "result.message");
    }

    void testCompleteNamesTheWrongField() {
        ASSERT_INVALID_FIELD("success", worker().post("/complete", R"({"iterations":1})"));
        ASSERT_INVALID_FIELD("success", worker().post("/complete", R"({"success":"yes","iterations":1})"));
        ASSERT_INVALID_FIELD("success", worker().post("/complete", R"({"success":1,"iterations":1})"));
        ASSERT_INVALID_FIELD("iterations", worker().post("/complete", R"({"success":true})"));
        ASSERT_INVALID_FIELD("iterations", worker().post("/complete", R"({"success":true,"iterations":-1})"));
        ASSERT_INVALID_FIELD("message",
                             worker().post("/complete", R"({"success":true,"iterations":1,"message":1})"));
        ASSERT_FIELD("running", detail(), "state");
    }

    void testCompleteRevokesTheTokenOnEveryConnection() {
        Client one = worker();
        Client other = worker();
        ASSERT_STATUS(200, other.get("/job"));
        ASSERT_STATUS(200, one.post("/complete", R"({"success":true,"iterations":1})"));
        assertTokenIsDead(one, other);
    }

    /// Each of them was authenticated while the job ran, or is refused. None sees anything else.
    void testCompleteAtOnceFromManyConnectionsEndsTheJobOnce() {
        constexpr int connections = 8;
        std::vector<Response> answers(connections);
        std::vector<std::jthread> threads;
        for (int i = 0; i < connections; ++i) {
            threads.emplace_back([&answer = answers[static_cast<std::size_t>(i)], client = worker(),
                                  i]() mutable {
                answer =
                    client.post("/complete", R"({"success":true,"iterations":)" + std::to_string(i) + "}");
            });
        }
        threads.clear();
        std::size_t taken = 0;
        for (const Response& answer : answers) {
            if (answer.status == 200) {
                ASSERT_FIELD("ok", answer, "status");
                ++taken;
            } else {
                ASSERT_UNAUTHORIZED(answer);
            }
        }
        CPPUNIT_ASSERT_MESSAGE("no request ended the job", taken >= 1);
        const std::string kept = detail().at("result.iterations");
        CPPUNIT_ASSERT_MESSAGE(kept, answers[static_cast<std::size_t>(std::stoi(kept))].status == 200);
    }

    void testCancelRevokesTheTokenOnEveryConnection() {
        Client one = worker();
        Client other = worker();
        ASSERT_STATUS(200, one.get("/job"));
        ASSERT_STATUS(200, other.get("/job"));
        ASSERT_STATUS(200, admin().post("/jobs/" + job_.id + "/cancel", "{}"));
        assertTokenIsDead(one, other);
    }

    void testEventAnswersWithAnEmptyBody() {
        const Response response =
            worker().post("/event", R"({"event_type":"message","data":{"content":"hi"}})");
        ASSERT_STATUS(200, response);
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.body.empty());
    }

    void testEventTakesAnyJsonAsData() {
        for (const std::string data : {"null", "true", "-12.5e3", "\"text\"", "[]", "[1,[2]]", "{}"}) {
            ASSERT_STATUS(200, worker().post("/event", R"({"event_type":"x","data":)" + data + "}"));
        }
    }

    void testEventNamesTheWrongField() {
        ASSERT_INVALID_FIELD("event_type", worker().post("/event", R"({"data":{}})"));
        ASSERT_INVALID_FIELD("event_type", worker().post("/event", R"({"event_type":1,"data":{}})"));
        ASSERT_INVALID_FIELD("event_type", worker().post("/event", R"({"event_type":null,"data":{}})"));
        ASSERT_INVALID_FIELD("data", worker().post("/event", R"({"event_type":"message"})"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, admin().get("/jobs/" + job_.id + "/events").size("events"));
    }

    void testPromptRefusesWaitsOutOfRange() {
        for (const std::string wait : {"61", "-1", "abc", "1.5", "99999999999999999999"}) {
            const Response response = worker().get("/prompt?wait=" + wait);
            ASSERT_REFUSED(400, response);
            ASSERT_CONTAINS("wait", response.at("error.message"));
        }
        ASSERT_STATUS(204, worker().get("/prompt?wait=0"));
    }

    void testContentTypeMustBeJson() {
        const std::string body = R"({"event_type":"x","data":1})";
        const auto post = [&](const std::string& type) {
            return worker().exchange(worker().request("POST", "/event").body(type, body));
        };
        for (const std::string type :
             {"text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json"}) {
            ASSERT_REFUSED(415, post(type));
        }
        for (const std::string type :
             {"application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"}) {
            ASSERT_STATUS(200, post(type));
        }
        Request untyped = worker().request("POST", "/event");
        Connection connection(daemon().worker());
        connection.send(untyped.header("Content-Length", std::to_string(body.size())).bytes() + body);
        ASSERT_REFUSED(415, connection.receive());
    }

    void testBodyMustParse() {
        const std::vector<std::string> broken{"{",
                                              "{\"state\":}",
                                              "nonsense",
                                              R"({"state":"x","iteration":1} trailing)",
                                              R"({"state":"x","iteration":1)",
                                              R"({'state':'x'})",
                                              R"({"state":"x","iteration":01})",
                                              R"({"state":"x","iteration":1,})",
                                              "{\"state\":\"\xff\xfe\",\"iteration\":1}",
                                              "{\"state\":\"a\nb\",\"iteration\":1}",
                                              R"({"state":"\ud800","iteration":1})",
                                              std::string(2, '\0')};
        for (const std::string& body : broken) {
            ASSERT_REFUSED(400, worker().post("/status", body));
        }
        ASSERT_REFUSED(400, worker().exchange(worker().request("POST", "/status").json("")));
    }

    void testBodyMustBeAnObject() {
        for (const std::string body : {"[]", "null", "5", "\"x\"", "true"}) {
            for (const std::string path : {"/status", "/complete", "/event"}) {
                ASSERT_REFUSED(422, worker().post(path, body));
            }
        }
    }

    void testBodyMayNestOnlySoDeep() {
        const auto nested = [](std::size_t depth) {
            return R"({"event_type":"x","data":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
        };
        ASSERT_STATUS(200, worker().post("/event", nested(60)));
        ASSERT_REFUSED(400, worker().post("/event", nested(80)));
        ASSERT_REFUSED(400, worker().post("/event", nested(1'000'000)));
        ASSERT_REFUSED(400, worker().post("/status", nested(1'000'000)));
    }

    void testUnknownFieldsAreIgnored() {
        ASSERT_STATUS(200,
                      worker().post("/status", R"({"state":"x","iteration":1,"later":{"a":[1]},"":null})"));
        ASSERT_STATUS(200, worker().post("/event", R"({"later":1,"event_type":"x","data":1})"));
        ASSERT_STATUS(200, worker().post("/complete", R"({"later":1,"success":true,"iterations":1})"));
    }

    void testDuplicateFieldsAreRefused() {
        ASSERT_INVALID_FIELD("iteration",
                             worker().post("/status", R"({"state":"x","iteration":1,"iteration":2})"));
        ASSERT_INVALID_FIELD("event_type",
                             worker().post("/event", R"({"event_type":"a","event_type":"b","data":1})"));
        ASSERT_INVALID_FIELD(
            "success", worker().post("/complete", R"({"success":true,"success":false,"iterations":1})"));
        ASSERT_STATUS(200, worker().post("/status", R"({"state":"x","iteration":3,"later":1,"later":2})"));
    }

    void testBodyOfExactlyTheLimitIsTaken() {
        Daemon& daemon = smallBodies();
        const CreatedJob job = createJob(daemon);
        ASSERT_STATUS(200, workerClient(daemon, job).post("/event", eventOfSize(smallBody)));
        ASSERT_REFUSED(413, workerClient(daemon, job).post("/event", eventOfSize(smallBody + 1)));
    }

    void testDefaultLimitTakesLargeBodies() {
        constexpr std::size_t mebibyte = 1024 * 1024;
        ASSERT_STATUS(200, worker().post("/event", eventOfSize(32 * mebibyte)));
        ASSERT_REFUSED(413, worker().post("/event", eventOfSize(32 * mebibyte + 1)));
    }

    /// The answer comes though only the head was sent.
    void testBodyOverTheLimitIsRefusedUnread() {
        Daemon& daemon = smallBodies();
        const CreatedJob job = createJob(daemon);
        Connection connection(daemon.worker());
        connection.send(workerClient(daemon, job)
                            .request("POST", "/event")
                            .header("Content-Type", "application/json")
                            .header("Content-Length", "4000000000")
                            .bytes());
        const Response response = connection.receive();
        ASSERT_REFUSED(413, response);
        CPPUNIT_ASSERT_MESSAGE("the rest of the body would be read as a request", !response.keepAlive);
    }

    void testChunkedBodyOverTheLimitIsRefused() {
        Daemon& daemon = smallBodies();
        const CreatedJob job = createJob(daemon);
        Connection connection(daemon.worker());
        connection.send(workerClient(daemon, job)
                            .request("POST", "/event")
                            .header("Content-Type", "application/json")
                            .header("Transfer-Encoding", "chunked")
                            .bytes());
        const std::string chunk = "400\r\n" + std::string(1024, ' ') + "\r\n";
        bool taken = true;
        for (int i = 0; taken && i < 8; ++i) {
            taken = connection.trySend(chunk);
        }
        ASSERT_REFUSED(413, connection.receive());
    }

    void testJobIdsAreTakenInEveryForm() {
        std::string upper = job_.id;
        std::transform(upper.begin(), upper.end(), upper.begin(),
                       [](unsigned char c) { return std::toupper(c); });
        std::string simple = job_.id;
        std::erase(simple, '-');
        for (const std::string& id : {job_.id, upper, simple, "urn:uuid:" + job_.id, "urn:uuid:" + upper,
                                      "{" + job_.id + "}", "%7B" + job_.id + "%7D", "%7b" + upper + "%7d"}) {
            const Response response = as("/worker/" + id + "/job", job_.token);
            ASSERT_STATUS(200, response);
            ASSERT_FIELD("Job " + job_.id, response, "title");
        }
    }

    void testWhatIsNoJobIdIsABadRequest() {
        const std::string id = job_.id;
        for (const std::string& wrong :
             {std::string("x"), id.substr(1), id + "0", "{" + id, id + "}", "urn:" + id, "uuid:" + id,
              "g" + id.substr(1), id.substr(0, 8) + "0" + id.substr(9), "%00" + id.substr(1), "%20" + id,
              std::string("..")}) {
            ASSERT_REFUSED(400, as("/worker/" + wrong + "/job", job_.token));
        }
        ASSERT_REFUSED(400, exchange(daemon().worker(), Request("GET", "/worker/x/job")));
    }

    void testSchemeIsTakenInAnyLetterCase() {
        for (const std::string scheme : {"Bearer", "bearer", "BEARER", "bEaReR"}) {
            Request request("GET", "/worker/" + job_.id + "/job");
            ASSERT_STATUS(
                200, exchange(daemon().worker(), request.header("authorization", scheme + " " + job_.token)));
        }
    }

    void testApiKeyHeaderIsTaken() {
        for (const std::string name : {"x-api-key", "X-Api-Key", "X-API-KEY"}) {
            Request request("GET", "/worker/" + job_.id + "/job");
            ASSERT_STATUS(200, exchange(daemon().worker(), request.header(name, job_.token)));
        }
        Request wrong("GET", "/worker/" + job_.id + "/job");
        ASSERT_UNAUTHORIZED(exchange(daemon().worker(), wrong.header("x-api-key", std::string(64, '0'))));
        // Only the worker door takes it.
        Request operatorRequest("GET", "/api/jobs");
        ASSERT_UNAUTHORIZED(
            exchange(daemon().operators(), operatorRequest.header("x-api-key", daemon().operatorToken())));
    }

    void testTokensThatAreNoneAreUnauthorized() {
        const std::string& token = job_.token;
        std::string upper = token;
        std::transform(upper.begin(), upper.end(), upper.begin(),
                       [](unsigned char c) { return std::toupper(c); });
        for (const std::string& value :
             {std::string(), std::string("Bearer"), std::string("Bearer "), token, "Basic " + token,
              "Bearer" + token, "Bearer " + token + "0", "Bearer " + token.substr(1),
              "Bearer " + token + " x", "Bearer " + upper + "g", "Bearer " + std::string(64, '0'),
              "Bearer " + std::string(5000, 'a')}) {
            Request request("GET", "/worker/" + job_.id + "/job");
            ASSERT_UNAUTHORIZED(exchange(daemon().worker(), request.header("Authorization", value)));
        }
        ASSERT_UNAUTHORIZED(
            exchange(daemon().worker(), Request("GET", "/worker/" + job_.id + "/job?token=" + token)));
        Request twice("GET", "/worker/" + job_.id + "/job");
        ASSERT_UNAUTHORIZED(exchange(daemon().worker(), twice.bearer(token).bearer(token)));
        ASSERT_FIELD("pending", detail(), "state");
    }

    void testOperatorTokenOpensNoWorkerRoute() {
        ASSERT_UNAUTHORIZED(as("/worker/" + job_.id + "/job", daemon().operatorToken()));
    }

    void testChecksComeInOrder() {
        const auto send = [&](const std::string& method, const std::string& target,
                              const std::string& token) {
            Request request(method, target);
            return exchange(daemon().worker(), request.bearer(token).body("text/plain", "no json"));
        };
        const std::string base = "/worker/" + job_.id;
        ASSERT_REFUSED(400, send("PATCH", "/worker/none/nowhere", "bad"));
        ASSERT_UNAUTHORIZED(send("PATCH", base + "/nowhere", "bad"));
        ASSERT_UNAUTHORIZED(send("PATCH", base + "/status", "bad"));
        ASSERT_REFUSED(404, send("PATCH", base + "/nowhere", job_.token));
        ASSERT_REFUSED(404, send("POST", base, job_.token));
        const Response wrongMethod = send("PATCH", base + "/status", job_.token);
        ASSERT_REFUSED(405, wrongMethod);
        ASSERT_CONTAINS("POST", wrongMethod.header("Allow"));
        ASSERT_REFUSED(415, send("POST", base + "/status", job_.token));
        ASSERT_REFUSED(405, send("POST", base + "/job", job_.token));
    }

    void testUnauthorizedBodyIsNotRead() {
        Connection connection(daemon().worker());
        connection.send(Request("POST", "/worker/" + job_.id + "/event")
                            .bearer("bad")
                            .header("Content-Type", "application/json")
                            .header("Content-Length", "30000000")
                            .bytes());
        ASSERT_UNAUTHORIZED(connection.receive());
    }

    void testHeadAnswersWithoutBody() {
        Client client = worker();
        const Response get = client.get("/job");
        const Response head = client.send("HEAD", "/job", {});
        ASSERT_STATUS(200, head);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(head.describe(), get.header("Content-Length"),
                                     head.header("Content-Length"));
        // Had a body been sent, this answer would not parse.
        ASSERT_STATUS(200, client.get("/job"));
        assertHeadIsRefusedWithoutBody(client);
        ASSERT_STATUS(200, exchange(daemon().worker(), Request("HEAD", "/health")));
    }

    void testHeadUsesNoPromptUp() {
        ASSERT_STATUS(200, admin().post("/jobs/" + job_.id + "/prompt", R"({"content":"keep me"})"));
        Client client = worker();
        const Response head = client.send("HEAD", "/prompt", {});
        CPPUNIT_ASSERT_MESSAGE(head.describe(), head.status == 405 || head.status == 200);
        ASSERT_FIELD("keep me", client.get("/prompt"), "content");
    }

    void testOptionsNamesTheMethods() {
        Client client = worker();
        const Response response = client.send("OPTIONS", "/job", {});
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.status == 200 || response.status == 204);
        ASSERT_CONTAINS("GET", response.header("Allow"));
        ASSERT_CONTAINS("POST", client.send("OPTIONS", "/status", {}).header("Allow"));
        ASSERT_UNAUTHORIZED(exchange(daemon().worker(), Request("OPTIONS", "/worker/" + job_.id + "/job")));
    }

    void testFirstAuthenticatedCallStartsTheJob() {
        ASSERT_FIELD("pending", detail(), "state");
        ASSERT_FIELD("null", detail(), "started_at");
        ASSERT_UNAUTHORIZED(as("/worker/" + job_.id + "/job", "bad"));
        ASSERT_FIELD("pending", detail(), "state");
        ASSERT_STATUS(204, worker().get("/prompt"));
        ASSERT_FIELD("running", detail(), "state");
        CPPUNIT_ASSERT(detail().at("started_at") != "null");
    }

private:
    static constexpr std::size_t smallBody = 4096;

    /// A daemon whose `worker.max_body` is small.
    static Daemon& smallBodies() { return sharedDaemon({{"worker.max_body", std::to_string(smallBody)}}); }

    static std::string eventOfSize(std::size_t size) {
        const std::string begin = R"({"event_type":"x","data":")";
        return begin + std::string(size - begin.size() - 2, 'x') + "\"}";
    }

    Client worker() const { return workerClient(daemon(), job_); }
    Response detail() { return admin().get("/jobs/" + job_.id); }

    Response as(const std::string& target, const std::string& token) {
        return exchange(daemon().worker(), Request("GET", target).bearer(token));
    }

    void assertTokenIsDead(Client& one, Client& other) {
        for (Client* client : {&one, &other}) {
            ASSERT_UNAUTHORIZED(client->get("/job"));
            ASSERT_UNAUTHORIZED(client->post("/event", R"({"event_type":"x","data":1})"));
            ASSERT_UNAUTHORIZED(client->post("/complete", R"({"success":true,"iterations":1})"));
        }
        ASSERT_UNAUTHORIZED(worker().get("/prompt"));
    }

    void assertHeadIsRefusedWithoutBody(Client& client) {
        const Response response = client.exchange(Request("HEAD", client.target("/job")).bearer("bad"));
        ASSERT_STATUS(401, response);
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.body.empty());
    }

    CreatedJob job_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(WorkerApiTest);

}  // namespace sallyport::tests
