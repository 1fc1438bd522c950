// CONTRACT §4: every route of the operator door, asked by every role.
#include <map>
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

namespace {

struct OperatorRoute {
    std::string method;
    std::string path;  ///< as it is mounted, with its parameters
    std::string permission;
    bool ofPlugin = true;
};

/// All of them. Those of plugins are compared with what the daemon says.
const std::vector<OperatorRoute>& operatorRoutes() {
    static const std::vector<OperatorRoute> routes{
        {"POST", "/api/jobs", "jobs.write"},
        {"GET", "/api/jobs", "jobs.read"},
        {"GET", "/api/jobs/summary", "jobs.read"},
        {"GET", "/api/jobs/{job_id}", "jobs.read"},
        {"POST", "/api/jobs/{job_id}/cancel", "jobs.write"},
        {"POST", "/api/jobs/{job_id}/restart", "jobs.write"},
        {"POST", "/api/jobs/{job_id}/finish", "jobs.write"},
        {"GET", "/api/jobs/{job_id}/limits", "jobs.read"},
        {"PATCH", "/api/jobs/{job_id}/limits", "jobs.write"},
        {"PUT", "/api/jobs/{job_id}/credentials", "jobs.write"},
        {"GET", "/api/jobs/{job_id}/events", "events.read"},
        {"GET", "/api/events", "events.read"},
        {"POST", "/api/jobs/{job_id}/prompt", "prompts.write"},
        {"GET", "/api/secrets", "secrets.read"},
        {"GET", "/api/secrets/{name}", "secrets.read"},
        {"PUT", "/api/secrets/{name}", "secrets.write"},
        {"DELETE", "/api/secrets/{name}", "secrets.write"},
        {"POST", "/api/vault/rekey", "secrets.rekey"},
        {"GET", "/api/audit", "audit.read"},
        {"GET", "/api/audit/verify", "audit.read"},
        {"GET", "/api/usage", "usage.read"},
        {"GET", "/api/status", "status.read", false},
        {"GET", "/api/plugins", "plugins.read", false},
        {"POST", "/api/plugins/reload", "plugins.reload", false},
        {"POST", "/api/plugins/{name}/acknowledge", "plugins.acknowledge", false},
        {"POST", "/api/jobs/{job_id}/release", "jobs.release", false},
        {"GET", "/api/tokens", "tokens.read", false},
        {"POST", "/api/tokens", "tokens.write", false},
        {"DELETE", "/api/tokens/{token_id}", "tokens.write", false},
    };
    return routes;
}

const std::set<std::string> reading{"jobs.read",  "events.read", "secrets.read",
                                    "usage.read", "status.read", "plugins.read"};

/// What a role may do, told apart from the daemon's own table.
std::set<std::string> permissionsOfRole(const std::string& role) {
    auto all = reading;
    if (role == "runner") {
        return {"jobs.read"};
    }
    if (role == "user" || role == "admin") {
        all.insert({"jobs.write", "prompts.write", "secrets.write"});
    }
    if (role == "auditor" || role == "admin") {
        all.insert({"audit.read", "tokens.read"});
    }
    if (role == "admin") {
        all.insert(
            {"secrets.rekey", "plugins.reload", "plugins.acknowledge", "jobs.release", "tokens.write"});
    }
    return all;
}

std::string withoutParameters(std::string path, const std::string& job) {
    const std::map<std::string, std::string> values{
        {"{job_id}", job}, {"{name}", "nothing"}, {"{token_id}", "999999999"}};
    for (const auto& [parameter, value] : values) {
        if (const auto at = path.find(parameter); at != std::string::npos) {
            path.replace(at, parameter.size(), value);
        }
    }
    return path;
}

}  // namespace

class PermissionsTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(PermissionsTest);
    CPPUNIT_TEST(testEveryRouteAsksEveryRoleForItsPermission);
    CPPUNIT_TEST(testNoRouteIsLeftOut);
    CPPUNIT_TEST(testAuditorSeesWhatIsEverybodys);
    CPPUNIT_TEST(testAuditorSeesNoSecretsAndNoTokens);
    CPPUNIT_TEST(testRunnerSeesJobsAndNothingElse);
    CPPUNIT_TEST(testLimitsAreRaisedByWhoMay);
    CPPUNIT_TEST(testAuditorAndRunnerOutlastARestart);
    CPPUNIT_TEST_SUITE_END();

public:
    void testEveryRouteAsksEveryRoleForItsPermission() {
        // A job that nobody has: whoever is let in is told so, or that the body is wrong, and changes
        // nothing.
        const std::string job = Poco::UUIDGenerator::defaultGenerator().createRandom().toString();
        for (const std::string role : {"viewer", "user", "admin", "auditor", "runner"}) {
            const auto its = permissionsOfRole(role);
            const std::string token = createToken(daemon(), "matrix", role);
            for (const auto& route : operatorRoutes()) {
                const std::string what = role + " " + route.method + " " + route.path;
                // Not asked of the daemon that all tests share.
                const bool works =
                    route.permission == "plugins.reload" || route.permission == "secrets.rekey";
                if (its.contains(route.permission) && works) {
                    continue;
                }
                const Response answer = ask(token, route, withoutParameters(route.path, job));
                if (its.contains(route.permission)) {
                    CPPUNIT_ASSERT_MESSAGE(what + " " + answer.describe(), answer.status != 403);
                    continue;
                }
                CPPUNIT_ASSERT_EQUAL_MESSAGE(what, 403, answer.status);
                ASSERT_ERROR(403, "forbidden", answer);
                ASSERT_CONTAINS("'" + route.permission + "'", answer.at("error.message"));
            }
        }
    }

    void testNoRouteIsLeftOut() {
        std::map<std::string, std::string> known;
        for (const auto& route : operatorRoutes()) {
            if (route.ofPlugin) {
                known.emplace(route.method + " " + route.path, route.permission);
            }
        }
        std::map<std::string, std::string> told;
        const Response list = admin().get("/plugins");
        for (std::size_t i = 0; i < list.size("plugins"); ++i) {
            const std::string plugin = "plugins." + std::to_string(i) + ".routes";
            for (std::size_t k = 0; k < list.size(plugin); ++k) {
                const std::string route = plugin + "." + std::to_string(k);
                const std::string path = list.at(route + ".path");
                if (path.starts_with("/api/")) {
                    told.emplace(list.at(route + ".method") + " " + path, list.at(route + ".permission"));
                } else {
                    ASSERT_FIELD("null", list, route + ".permission");
                }
            }
        }
        CPPUNIT_ASSERT_EQUAL(known.size(), told.size());
        for (const auto& [route, permission] : known) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(route, permission, told[route]);
        }
    }

    void testAuditorSeesWhatIsEverybodys() {
        const CreatedJob job = createJob(admin(), R"({"task":"t","user_id":"olga"})");
        Client auditor = operatorClient(daemon(), createToken(daemon(), "audrey", "auditor"));
        ASSERT_STATUS(200, auditor.get("/jobs/" + job.id));
        ASSERT_CONTAINS(job.id, auditor.get("/jobs?user_id=*").body);
        ASSERT_CONTAINS(job.id, auditor.get("/jobs?user_id=olga").body);
        ASSERT_STATUS(200, auditor.get("/jobs/" + job.id + "/events"));
        for (const std::string path : {"/audit", "/audit/verify", "/usage?user_id=*", "/usage?user_id=olga",
                                       "/secrets?user_id=olga", "/tokens", "/status", "/plugins"}) {
            ASSERT_STATUS(200, auditor.get(path));
        }
        ASSERT_ERROR(403, "forbidden", auditor.post("/jobs/" + job.id + "/cancel", "{}"));
        ASSERT_FIELD("pending", admin().get("/jobs/" + job.id), "state");
    }

    void testAuditorSeesNoSecretsAndNoTokens() {
        ASSERT_STATUS(201, admin().put("/secrets/of-olga", R"({"value":"swordfish","user_id":"olga"})"));
        const CreatedJob job = createJob(admin(), R"({"task":"t","user_id":"olga"})");
        const std::string token = createToken(daemon(), "audrey", "auditor");
        Client auditor = operatorClient(daemon(), token);
        for (const std::string path : {"/secrets/of-olga?user_id=olga", "/secrets?user_id=olga", "/audit",
                                       "/tokens", "/jobs?user_id=*", "/plugins", "/status"}) {
            const Response answer = auditor.get(path);
            ASSERT_STATUS(200, answer);
            for (const std::string& secret : {std::string("swordfish"), job.token, token, admin().token()}) {
                ASSERT_LACKS(secret, answer.body);
            }
        }
        ASSERT_LACKS(job.token, auditor.get("/jobs/" + job.id).body);
    }

    void testRunnerSeesJobsAndNothingElse() {
        const CreatedJob job = createJob(admin(), R"({"task":"t","user_id":"olga"})");
        Client runner = operatorClient(daemon(), createToken(daemon(), "box", "runner"));
        const Response seen = runner.get("/jobs/" + job.id);
        ASSERT_STATUS(200, seen);
        ASSERT_LACKS(job.token, seen.body);
        ASSERT_ERROR(403, "forbidden", runner.get("/jobs/" + job.id + "/events"));
        ASSERT_ERROR(403, "forbidden", runner.get("/events?job_id=" + job.id));
        ASSERT_ERROR(403, "forbidden", runner.get("/status"));
    }

    void testLimitsAreRaisedByWhoMay() {
        Client user = operatorClient(daemon(), createToken(daemon(), "lena", "user"));
        const CreatedJob job = createJob(user);
        const std::string body = R"({"events":100000000})";
        const Response refused = user.send("PATCH", "/jobs/" + job.id + "/limits", body);
        ASSERT_ERROR(403, "forbidden", refused);
        ASSERT_CONTAINS("'limits.raise'", refused.at("error.message"));
        ASSERT_STATUS(200, admin().send("PATCH", "/jobs/" + job.id + "/limits", body));
        const Response forAnother = user.post("/jobs", R"({"task":"t","user_id":"olga"})");
        ASSERT_ERROR(403, "forbidden", forAnother);
        ASSERT_CONTAINS("'users.all'", forAnother.at("error.message"));
    }

    void testAuditorAndRunnerOutlastARestart() {
        Daemon own;
        const std::string auditor = createToken(own, "audrey", "auditor");
        const std::string runner = createToken(own, "box", "runner");
        own.terminate();
        own.start();
        ASSERT_STATUS(200, operatorClient(own, auditor).get("/audit"));
        ASSERT_STATUS(200, operatorClient(own, runner).get("/jobs"));
        ASSERT_ERROR(403, "forbidden", operatorClient(own, runner).get("/audit"));
    }

private:
    /// A stream of events is only looked at.
    static Response ask(const std::string& token, const OperatorRoute& route, const std::string& path) {
        Request request(route.method, path);
        request.bearer(token);
        if (route.method != "GET") {
            request.json("[]");
        }
        Connection connection(daemon().operators());
        connection.send(request.bytes());
        Response head = connection.receiveHead(route.method);
        if (route.path != "/api/events" || head.status != 200) {
            while (connection.receiveBody(head.body)) {
            }
        }
        return head;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PermissionsTest);

}  // namespace sallyport::tests
