// Bodies as a hostile worker may write them: data/json_bodies.txt.
#include <algorithm>
#include <sstream>
#include <string>

#include <cppunit/TestAssert.h>
#include <cppunit/TestCase.h>

#include "tests/support/assertions.h"
#include "tests/support/case_suite.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/sse_client.h"

namespace sallyport::tests {

namespace {

/// Some of the cases are about this size.
Daemon& daemon() {
    return sharedDaemon({{"events.max_size", "2MiB"}});
}

/// One job for all cases, and somebody who follows it.
struct Bench {
    CreatedJob job = createJob(daemon());
    Client worker = workerClient(daemon(), job);
    Client operators = operatorClient(daemon());
    SseClient follower{
        daemon().operators(), daemon().operatorToken(), {.target = "/api/events?job_id=" + job.id}};
    std::string lastEvent = "0";
};

/// While the shared daemon lives, which ends before static objects do.
Bench& bench() {
    static auto* const made = new Bench;
    return *made;
}

bool isOneOf(int status, const std::string& list) {
    std::istringstream in(list);
    for (int each = 0; in >> each;) {
        if (each == status) {
            return true;
        }
    }
    return false;
}

/// One case: sends its body, and looks at what is stored and broadcast if it is an event that was accepted.
class BodyCase final : public CppUnit::TestCase {
public:
    explicit BodyCase(Case given) : CppUnit::TestCase(given.name), case_(std::move(given)) {}

    void runTest() override {
        const std::string data = expanded(case_.value("data"));
        const std::string body = data.empty() && case_.values("data").empty()
                                     ? expanded(case_.value("body"))
                                     : R"({"event_type":"x","data":)" + data + "}";
        const std::string path = case_.value("path", "/event");
        Request request = bench().worker.request("POST", path);
        request.json(body).header("Connection", "close");
        Connection connection(bench().worker.endpoint());
        // A body that is refused need not be read to its end.
        static_cast<void>(connection.trySend(request.bytes()));
        const Response answer = connection.receive();
        CPPUNIT_ASSERT_MESSAGE("status " + std::to_string(answer.status) + ", which is none of " +
                                   case_.value("status") + ": " + answer.describe(),
                               isOneOf(answer.status, case_.value("status")));
        if (answer.status >= 400) {
            CPPUNIT_ASSERT_MESSAGE(answer.describe(), answer.at("error").starts_with('{'));
        } else if (path == "/event") {
            checkEvent(case_.values("data").empty() ? std::nullopt : std::optional(data));
        }
    }

private:
    /// The event is the only one since the last; it is stored as it was sent and shown as one JSON object.
    static void checkEvent(const std::optional<std::string>& data) {
        Bench& shared = bench();
        const Response page =
            shared.operators.get("/jobs/" + shared.job.id + "/events?limit=1000&after=" + shared.lastEvent);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, page.size("events"));
        if (data) {
            CPPUNIT_ASSERT_MESSAGE("stored is something else", *data == page.raw("events.0.data"));
        }
        shared.lastEvent = page.at("events.0.id");
        const StreamedEvent shown = shared.follower.nextNumbered();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(shown.describe(), shared.lastEvent, shown.id);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(shown.describe(), shared.job.id, shown.at("job_id"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(shown.describe(), shown.type, shown.at("type"));
    }

    const Case case_;
};

const CaseSuite<BodyCase> bodySuite("sallyport::tests::JsonBodiesTest",
                                    SALLYPORT_CONTRACT_DATA "/json_bodies.txt");

}  // namespace

}  // namespace sallyport::tests
