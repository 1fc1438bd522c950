// CONTRACT §3 "Events" and §4 `GET /api/events`: what is stored, what is broadcast, and to whom.
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/shared_daemon_test.h"
#include "tests/support/sse_client.h"

namespace sallyport::tests {

class EventsTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(EventsTest);
    CPPUNIT_TEST(testStoredAsSent);
    CPPUNIT_TEST(testStoredWhateverTheType);
    CPPUNIT_TEST(testMessageIsBroadcast);
    CPPUNIT_TEST(testToolUseIsBroadcast);
    CPPUNIT_TEST(testToolResultIsBroadcast);
    CPPUNIT_TEST(testToolResultThatIsNoStringIsSentAsCompactJson);
    CPPUNIT_TEST(testResultIsBroadcast);
    CPPUNIT_TEST(testReasoningIsBroadcast);
    CPPUNIT_TEST(testReasoningKeepsOnlyWholeDecisions);
    CPPUNIT_TEST(testAnythingElseIsBroadcastAsStatus);
    CPPUNIT_TEST(testDataThatIsNoObjectTakesEveryDefault);
    CPPUNIT_TEST(testFieldsOfTheWrongTypeTakeTheirDefaults);
    CPPUNIT_TEST(testControlCharactersCannotForgeEvents);
    CPPUNIT_TEST(testStreamIsDeclaredAndNumberedAsTheHistory);
    CPPUNIT_TEST(testSubscriberSeesOnlyItsUsersJobs);
    CPPUNIT_TEST(testAdminMaySubscribeForAUser);
    CPPUNIT_TEST(testSubscriptionOfOneJobSeesOnlyThat);
    CPPUNIT_TEST(testSubscriptionWithoutNumberStartsNow);
    CPPUNIT_TEST(testStartAndEndOfAJobAreTold);
    CPPUNIT_TEST(testResumesAfterTheLastEventId);
    CPPUNIT_TEST(testResumesByQueryParameter);
    CPPUNIT_TEST(testResumesBeyondTheEndWithLiveEvents);
    CPPUNIT_TEST(testResumesAcrossTheSeamWhileWritersPost);
    CPPUNIT_TEST(testResumesAfterARestart);
    CPPUNIT_TEST(testSlowSubscriberIsCutOffAlone);
    CPPUNIT_TEST(testSubscribersShareTheirMemory);
    CPPUNIT_TEST(testRevokedTokenEndsItsStreams);
    CPPUNIT_TEST(testHeartbeatComesOnAQuietStream);
    CPPUNIT_TEST(testSubscribersCostNoThreads);
    CPPUNIT_TEST(testSubscribersThatLeaveAreForgotten);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        SharedDaemonTest::setUp();
        job_ = createJob(admin());
    }

    void tearDown() override {
        broadcasts_.reset();
        SharedDaemonTest::tearDown();
    }

    void testStoredAsSent() {
        const std::vector<std::string> sent{
            R"({"b":1.10,"a":1e300,"b":2,"u":"\u00e9\/\ud83d\ude00","big":123456789012345678901234567890})",
            R"({ "spaced" : [ 1 ,2 ] })",
            "-0",
            "1E+2",
            "\"\"",
            "null",
            R"(["<&>","é"])",
            R"({"":{"":[]}})"};
        Client worker = workerClient(daemon(), job_);
        for (const std::string& data : sent) {
            ASSERT_STATUS(200, worker.post("/event", R"({"data":)" + data + R"(,"event_type":"x"})"));
        }
        const Response history = admin().get("/jobs/" + job_.id + "/events");
        ASSERT_STATUS(200, history);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(history.describe(), sent.size(), history.size("events"));
        for (std::size_t i = 0; i < sent.size(); ++i) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(history.describe(), sent[i],
                                         history.raw("events." + std::to_string(i) + ".data"));
        }
    }

    void testStoredWhateverTheType() {
        Client worker = workerClient(daemon(), job_);
        for (const std::string type : {"message", "Message", "", "job_state", "käse \\u0000 \\n"}) {
            ASSERT_STATUS(200, worker.post("/event", R"({"event_type":")" + type + R"(","data":{}})"));
        }
        const Response history = admin().get("/jobs/" + job_.id + "/events");
        ASSERT_FIELD("message", history, "events.0.event_type");
        ASSERT_FIELD("Message", history, "events.1.event_type");
        ASSERT_FIELD("", history, "events.2.event_type");
        ASSERT_FIELD("job_state", history, "events.3.event_type");
        ASSERT_FIELD(std::string_view("käse \0 \n", 9), history, "events.4.event_type");
    }

    void testMessageIsBroadcast() {
        assertBroadcast("message", R"({"role":"user","content":"a\nb","more":1})", "job_message",
                        {{"role", "user"}, {"content", "a\nb"}, {"more", "(absent)"}});
        assertBroadcast("message", "{}", "job_message", {{"role", "assistant"}, {"content", ""}});
    }

    void testToolUseIsBroadcast() {
        assertBroadcast("tool_use", R"({"tool_name":"shell","input":{"command":"ls","n":1.0}})",
                        "job_tool_use", {{"tool_name", "shell"}, {"input", R"({"command":"ls","n":1.0})"}});
        assertBroadcast("tool_use", "{}", "job_tool_use", {{"tool_name", "unknown"}, {"input", "null"}});
    }

    void testToolResultIsBroadcast() {
        assertBroadcast("tool_result", R"({"tool_name":"shell","output":"done"})", "job_tool_result",
                        {{"tool_name", "shell"}, {"output", "done"}});
        assertBroadcast("tool_result", "{}", "job_tool_result", {{"tool_name", "unknown"}, {"output", ""}});
    }

    void testToolResultThatIsNoStringIsSentAsCompactJson() {
        for (const auto& [output, text] : std::vector<std::pair<std::string, std::string>>{
                 {R"({ "a" : [ 1, "x y" ] })", R"({"a":[1,"x y"]})"},
                 {"[ ]", "[]"},
                 {"1.50", "1.50"},
                 {"false", "false"}}) {
            const StreamedEvent event = assertBroadcast("tool_result", R"({"output":)" + output + "}",
                                                        "job_tool_result", {{"output", text}});
            ASSERT_CONTAINS(R"("output":")", event.data);
        }
    }

    void testResultIsBroadcast() {
        assertBroadcast("result", R"({"status":"done","session_id":"s1","fallback_deliverable":{"a":[1]}})",
                        "job_result",
                        {{"status", "done"}, {"session_id", "s1"}, {"fallback_deliverable", R"({"a":[1]})"}});
        assertBroadcast(
            "result", "{}", "job_result",
            {{"status", "unknown"}, {"session_id", "(absent)"}, {"fallback_deliverable", "(absent)"}});
    }

    void testReasoningIsBroadcast() {
        assertBroadcast(
            "reasoning",
            R"({"narrative":"hm","decisions":[{"tool_name":"a","rationale":"b"},{"tool_name":"c","rationale":"d"}]})",
            "job_reasoning",
            {{"narrative", "hm"},
             {"decisions.0.tool_name", "a"},
             {"decisions.0.rationale", "b"},
             {"decisions.1.tool_name", "c"},
             {"decisions.2", "(absent)"}});
        assertBroadcast("reasoning", "{}", "job_reasoning", {{"narrative", ""}, {"decisions", "[]"}});
    }

    void testReasoningKeepsOnlyWholeDecisions() {
        assertBroadcast(
            "reasoning",
            R"({"decisions":[1,null,{"tool_name":"a"},{"rationale":"b"},{"tool_name":1,"rationale":"x"},)"
            R"({"tool_name":"keep","rationale":"me"},[],"x"]})",
            "job_reasoning", {{"decisions.0.tool_name", "keep"}, {"decisions.1", "(absent)"}});
        assertBroadcast("reasoning", R"({"decisions":{"tool_name":"a","rationale":"b"}})", "job_reasoning",
                        {{"decisions", "[]"}});
    }

    void testAnythingElseIsBroadcastAsStatus() {
        for (const std::string type : {"custom_thing", "status", "", "Message", "job_message"}) {
            assertBroadcast(type, R"({"message":"hello"})", "job_status", {{"message", "hello"}});
            assertBroadcast(type, "{}", "job_status", {{"message", ""}});
        }
    }

    void testDataThatIsNoObjectTakesEveryDefault() {
        for (const std::string data : {"null", "5", "\"role\"", R"([{"role":"user"}])", "true"}) {
            assertBroadcast("message", data, "job_message", {{"role", "assistant"}, {"content", ""}});
            assertBroadcast("tool_use", data, "job_tool_use", {{"tool_name", "unknown"}, {"input", "null"}});
            assertBroadcast("tool_result", data, "job_tool_result",
                            {{"tool_name", "unknown"}, {"output", ""}});
            assertBroadcast("result", data, "job_result",
                            {{"status", "unknown"}, {"session_id", "(absent)"}});
            assertBroadcast("reasoning", data, "job_reasoning", {{"narrative", ""}, {"decisions", "[]"}});
            assertBroadcast("other", data, "job_status", {{"message", ""}});
        }
    }

    void testFieldsOfTheWrongTypeTakeTheirDefaults() {
        assertBroadcast("message", R"({"role":1,"content":["x"]})", "job_message",
                        {{"role", "assistant"}, {"content", ""}});
        assertBroadcast("tool_use", R"({"tool_name":null})", "job_tool_use", {{"tool_name", "unknown"}});
        assertBroadcast("result", R"({"status":{},"session_id":7})", "job_result",
                        {{"status", "unknown"}, {"session_id", "(absent)"}});
        assertBroadcast("reasoning", R"({"narrative":false})", "job_reasoning", {{"narrative", ""}});
        assertBroadcast("x", R"({"message":{}})", "job_status", {{"message", ""}});
    }

    /// A worker must not be able to write lines of the stream itself.
    void testControlCharactersCannotForgeEvents() {
        assertBroadcast("message", R"({"content":"x\n\nevent: forged\r\ndata: {}\u2028"})", "job_message",
                        {{"content", "x\n\nevent: forged\r\ndata: {}\u2028"}});
        // White space between tokens is the worker's own, and may hold line ends.
        assertBroadcast("tool_use", "{\"input\":{\n\n\"a\":\r\n1}}", "job_tool_use", {{"input.a", "1"}});
        assertBroadcast("result", "{\"fallback_deliverable\":[\n\n1]}", "job_result",
                        {{"fallback_deliverable.0", "1"}});
    }

    void testStreamIsDeclaredAndNumberedAsTheHistory() {
        SseClient subscriber = subscribe("?job_id=" + job_.id);
        const Response& head = subscriber.head();
        ASSERT_CONTAINS("text/event-stream", head.header("Content-Type"));
        ASSERT_CONTAINS("no-store", head.header("Cache-Control"));
        post(1);
        post(2);
        const std::string first = subscriber.nextNumbered().id;
        const std::string second = subscriber.nextNumbered().id;
        const Response history = admin().get("/jobs/" + job_.id + "/events");
        ASSERT_FIELD(first, history, "events.0.id");
        ASSERT_FIELD(second, history, "events.1.id");
    }

    void testSubscriberSeesOnlyItsUsersJobs() {
        Client alice = operatorClient(daemon(), createToken(daemon(), "sse-alice", "user"));
        Client bob = operatorClient(daemon(), createToken(daemon(), "sse-bob", "viewer"));
        const CreatedJob alices = createJob(alice);
        const CreatedJob bobs = createJob(admin(), R"({"task":"t","user_id":"sse-bob"})");
        SseClient aliceStream(daemon().operators(), alice.token(), {});
        SseClient bobStream(daemon().operators(), bob.token(), {});
        for (int i = 0; i < 5; ++i) {
            post(bobs, 100 + i);
            post(alices, 200 + i);
            post(job_, 300 + i);
        }
        for (int i = 0; i < 5; ++i) {
            assertNumbered(aliceStream, alices, 200 + i);
            assertNumbered(bobStream, bobs, 100 + i);
        }
        // What is replayed is scoped as what is live.
        SseClient resumed(daemon().operators(), bob.token(), {.lastEventId = "0"});
        for (int i = 0; i < 5; ++i) {
            assertNumbered(resumed, bobs, 100 + i);
        }
    }

    void testAdminMaySubscribeForAUser() {
        const CreatedJob theirs = createJob(admin(), R"({"task":"t","user_id":"sse-carol"})");
        SseClient stream = subscribe("?user_id=sse-carol");
        SseClient ofJob = subscribe("?job_id=" + theirs.id);
        post(1);
        post(theirs, 2);
        assertNumbered(stream, theirs, 2);
        assertNumbered(ofJob, theirs, 2);
    }

    void testSubscriptionOfOneJobSeesOnlyThat() {
        const CreatedJob other = createJob(admin());
        SseClient stream = subscribe("?job_id=" + other.id);
        for (int i = 0; i < 3; ++i) {
            post(job_, i);
            post(other, 10 + i);
        }
        for (int i = 0; i < 3; ++i) {
            assertNumbered(stream, other, 10 + i);
        }
    }

    void testSubscriptionWithoutNumberStartsNow() {
        post(1);
        SseClient stream = subscribe("?job_id=" + job_.id);
        post(2);
        assertNumbered(stream, job_, 2);
    }

    void testStartAndEndOfAJobAreTold() {
        const CreatedJob fresh = createJob(admin());
        SseClient stream = subscribe("?job_id=" + fresh.id);
        Client worker = workerClient(daemon(), fresh);
        ASSERT_STATUS(200, worker.get("/job"));
        assertState(stream.nextOfType("job_state"), fresh, "running");
        ASSERT_STATUS(200, worker.post("/complete", R"({"success":true,"iterations":1})"));
        assertState(stream.nextOfType("job_state"), fresh, "completed");

        const CreatedJob unstarted = createJob(admin());
        SseClient second = subscribe("?job_id=" + unstarted.id);
        ASSERT_STATUS(200, admin().post("/jobs/" + unstarted.id + "/cancel", "{}"));
        assertState(second.nextOfType("job_state"), unstarted, "cancelled");
    }

    void testResumesAfterTheLastEventId() {
        for (int i = 0; i < 5; ++i) {
            post(i);
        }
        const Response history = admin().get("/jobs/" + job_.id + "/events");
        SseClient stream(
            daemon().operators(), admin().token(),
            {.target = "/api/events?job_id=" + job_.id, .lastEventId = history.at("events.1.id")});
        for (int i = 2; i < 5; ++i) {
            const StreamedEvent event = assertNumbered(stream, job_, i);
            CPPUNIT_ASSERT_EQUAL(history.at("events." + std::to_string(i) + ".id"), event.id);
        }
        post(5);
        assertNumbered(stream, job_, 5);
    }

    void testResumesByQueryParameter() {
        post(1);
        post(2);
        const std::string first = admin().get("/jobs/" + job_.id + "/events").at("events.0.id");
        SseClient stream = subscribe("?job_id=" + job_.id + "&last_event_id=" + first);
        assertNumbered(stream, job_, 2);
    }

    void testResumesBeyondTheEndWithLiveEvents() {
        post(1);
        const std::string last = admin().get("/jobs/" + job_.id + "/events").at("events.0.id");
        SseClient stream(daemon().operators(), admin().token(),
                         {.target = "/api/events?job_id=" + job_.id, .lastEventId = last});
        post(2);
        assertNumbered(stream, job_, 2);
    }

    /// A subscriber drops its connection again and again while writers post: it sees each event once, in
    /// the order of strictly growing numbers, however the moment falls between history and live.
    void testResumesAcrossTheSeamWhileWritersPost() {
        constexpr int writers = 8;
        constexpr int each = 60;
        Client owner = operatorClient(daemon(), createToken(daemon(), "sse-seam", "user"));
        std::vector<CreatedJob> jobs;
        for (int i = 0; i < writers; ++i) {
            jobs.push_back(createJob(owner));
        }
        std::vector<std::jthread> threads;
        for (const CreatedJob& job : jobs) {
            threads.emplace_back([worker = workerClient(daemon(), job)]() mutable {
                for (int i = 0; i < each; ++i) {
                    worker.post("/event",
                                R"({"event_type":"n","data":{"message":")" + std::to_string(i) + "\"}}");
                }
            });
        }
        std::map<std::string, int> next;
        std::uint64_t last = 0;
        std::size_t seen = 0;
        for (std::size_t take = 1; seen < std::size_t{writers} * each; take = take % 17 + 1) {
            SseClient stream(daemon().operators(), owner.token(), {.lastEventId = std::to_string(last)});
            for (std::size_t i = 0; i < take && seen < std::size_t{writers} * each; ++i, ++seen) {
                const StreamedEvent event = stream.nextNumbered();
                const std::uint64_t id = std::stoull(event.id);
                CPPUNIT_ASSERT_MESSAGE("number " + event.id + " after " + std::to_string(last), id > last);
                last = id;
                CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::to_string(next[event.at("job_id")]++),
                                             event.at("message"));
            }
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{writers}, next.size());
    }

    void testResumesAfterARestart() {
        Daemon own;
        const CreatedJob job = createJob(own);
        Client worker = workerClient(own, job);
        for (int i = 0; i < 3; ++i) {
            worker.post("/event", R"({"event_type":"n","data":{"message":")" + std::to_string(i) + "\"}}");
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE(own.log(), 0, own.terminate());
        own.start();
        SseClient stream(own.operators(), own.operatorToken(), {.lastEventId = "1"});
        for (int i = 1; i < 3; ++i) {
            const StreamedEvent event = stream.nextNumbered();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::to_string(i), event.at("message"));
        }
        workerClient(own, job).post("/event", R"({"event_type":"n","data":{"message":"3"}})");
        CPPUNIT_ASSERT_EQUAL(std::string("4"), stream.nextNumbered().id);
    }

    void testSlowSubscriberIsCutOffAlone() {
        assertSlowIsCutOffAlone(sharedDaemon({{"sse.buffer", "16KiB"}}));
    }

    void testSubscribersShareTheirMemory() {
        assertSlowIsCutOffAlone(sharedDaemon({{"sse.buffer", "1GiB"}, {"sse.memory", "1MiB"}}));
    }

    void testRevokedTokenEndsItsStreams() {
        const Response made =
            admin().post("/tokens", R"({"name":"left","user_id":"default","role":"viewer"})");
        ASSERT_STATUS(201, made);
        SseClient kept = subscribe("?job_id=" + job_.id);
        std::vector<SseClient> ended;
        for (int i = 0; i < 4; ++i) {
            ended.emplace_back(daemon().operators(), made.at("token"),
                               SseClient::Options{.target = "/api/events?job_id=" + job_.id});
            ASSERT_STATUS(200, ended.back().head());
        }
        ASSERT_STATUS(200, admin().remove("/tokens/" + made.at("token_id")));
        for (SseClient& stream : ended) {
            CPPUNIT_ASSERT(!stream.endsCleanly());
        }
        post(1);
        assertNumbered(kept, job_, 1);
    }

    void testHeartbeatComesOnAQuietStream() {
        Daemon& daemon = sharedDaemon({{"sse.heartbeat", "100ms"}});
        SseClient stream(daemon.operators(), daemon.operatorToken(), {});
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT(stream.nextComment().starts_with(':'));
        }
    }

    void testSubscribersCostNoThreads() {
        const std::size_t before = daemon().threads();
        std::vector<SseClient> streams;
        for (int i = 0; i < 200; ++i) {
            streams.push_back(subscribe("?job_id=" + job_.id));
        }
        post(1);
        for (SseClient& stream : streams) {
            assertNumbered(stream, job_, 1);
        }
        CPPUNIT_ASSERT_EQUAL(before, daemon().threads());
    }

    void testSubscribersThatLeaveAreForgotten() {
        Daemon& own = sharedDaemon({{"sse.buffer", "16KiB"}});
        Client operators = operatorClient(own);
        std::vector<SseClient> streams;
        for (int i = 0; i < 10; ++i) {
            streams.emplace_back(own.operators(), operators.token(), SseClient::Options{});
        }
        streams.clear();
        awaitField(operators, "/status", "subscribers", "0");
    }

private:
    /// One subscriber never reads. Another, who keeps up, and the worker, who posts in step with it, notice
    /// nothing of that.
    static void assertSlowIsCutOffAlone(Daemon& daemon) {
        const CreatedJob job = createJob(daemon);
        Client operators = operatorClient(daemon);
        Client worker = workerClient(daemon, job);
        const std::string target = "/api/events?job_id=" + job.id;
        SseClient fast(daemon.operators(), operators.token(), {.target = target});
        SseClient slow(daemon.operators(), operators.token(), {.target = target, .receiveBuffer = 4096});
        const std::string event =
            R"({"event_type":"message","data":{"content":")" + std::string(12'000, 'x') + "\"}}";
        int posted = 0;
        for (; operators.get("/status").at("subscribers") != "1"; ++posted) {
            CPPUNIT_ASSERT_MESSAGE("the slow subscriber was never cut off", posted < 4000);
            ASSERT_STATUS(200, worker.post("/event", event));
            fast.nextNumbered();
        }
        int received = 0;
        try {
            while (true) {
                slow.nextNumbered();
                ++received;
            }
        } catch (const ConnectionLost&) {
            // The end that is expected.
        }
        CPPUNIT_ASSERT_MESSAGE("it was shown everything, so nothing was cut off", received < posted);
        ASSERT_STATUS(200, worker.post("/event", event));
        fast.nextNumbered();
    }

    using Expected = std::vector<std::pair<std::string, std::string>>;

    SseClient subscribe(const std::string& query) {
        SseClient stream(daemon().operators(), admin().token(), {.target = "/api/events" + query});
        ASSERT_STATUS(200, stream.head());
        return stream;
    }

    void post(int number) { post(job_, number); }

    void post(const CreatedJob& job, int number) {
        ASSERT_STATUS(200, workerClient(daemon(), job)
                               .post("/event", R"({"event_type":"n","data":{"message":")" +
                                                   std::to_string(number) + "\"}}"));
    }

    /// The next numbered event is that of `post(job, number)`.
    static StreamedEvent assertNumbered(SseClient& stream, const CreatedJob& job, int number) {
        StreamedEvent event = stream.nextNumbered();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), job.id, event.at("job_id"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::to_string(number), event.at("message"));
        return event;
    }

    static void assertState(const StreamedEvent& event, const CreatedJob& job, const std::string& state) {
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::string(), event.id);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), job.id, event.at("job_id"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), state, event.at("state"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), std::string("job_state"), event.at("type"));
    }

    /// Posts an event and looks at what a subscriber sees of it.
    StreamedEvent assertBroadcast(const std::string& type, const std::string& data,
                                  const std::string& broadcast, const Expected& fields) {
        if (!broadcasts_) {
            broadcasts_.emplace(subscribe("?job_id=" + job_.id));
        }
        ASSERT_STATUS(200, workerClient(daemon(), job_)
                               .post("/event", R"({"event_type":")" + type + R"(","data":)" + data + "}"));
        StreamedEvent event = broadcasts_->nextNumbered();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), broadcast, event.type);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), broadcast, event.at("type"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), job_.id, event.at("job_id"));
        for (const auto& [path, value] : fields) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(event.describe(), value, event.at(path));
        }
        return event;
    }

    CreatedJob job_;
    std::optional<SseClient> broadcasts_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(EventsTest);

}  // namespace sallyport::tests
