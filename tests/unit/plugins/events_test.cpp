#include <set>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

#include "plugins/events/events_plugin.h"

namespace sallyport::plugins {
namespace {

using testing::Answer;
using testing::FakeHost;

class EventsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EventsTest);
    CPPUNIT_TEST(testStoredByteForByte);
    CPPUNIT_TEST(testAnyJsonValueIsData);
    CPPUNIT_TEST(testAnyTextIsAType);
    CPPUNIT_TEST(testBodyIsChecked);
    CPPUNIT_TEST(testSizeLimit);
    CPPUNIT_TEST(testNothingIsAcknowledgedThatIsNotStored);
    CPPUNIT_TEST(testPublishedOnceStored);
    CPPUNIT_TEST(testWithoutSubscribersOnlyTheNumberMoves);
    CPPUNIT_TEST(testSubscriberThatComesWhileStoring);
    CPPUNIT_TEST(testNumbersArePublishedInOrder);
    CPPUNIT_TEST(testHubLearnsWhereAnEarlierRunEnded);
    CPPUNIT_TEST(testHistoryPages);
    CPPUNIT_TEST(testHistoryIsChecked);
    CPPUNIT_TEST(testHistoryOfOthers);
    CPPUNIT_TEST(testHistoryOutlivesTheJob);
    CPPUNIT_TEST(testLargeEventsComeInSmallPages);
    CPPUNIT_TEST(testFollowFromNow);
    CPPUNIT_TEST(testFollowAfter);
    CPPUNIT_TEST(testFollowAfterIsChecked);
    CPPUNIT_TEST(testFollowAfterTheEnd);
    CPPUNIT_TEST(testFollowJob);
    CPPUNIT_TEST(testFollowOtherUser);
    CPPUNIT_TEST(testReplayIsTheBroadcast);
    CPPUNIT_TEST(testReplayIsScopedToTheUser);
    CPPUNIT_TEST(testReplayGoesOnWhereItStopped);
    CPPUNIT_TEST(testReplayOutlivesThePlugin);
    CPPUNIT_TEST(testReplayOfDeepData);
    CPPUNIT_TEST(testHowRoutesAreRegistered);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::size_t mebibyte = std::size_t{1024} * 1024;

    FakeHost host_{"events", eventsSettings, {{"events.max_size", "2MiB"}}};
    CreatedJob job_ = host_.makeJob();

public:
    void setUp() override { host_.start(std::make_unique<EventsPlugin>()); }

private:
    Answer post(const std::string& body) { return host_.worker(job_, "POST", "/event", body); }
    Answer post(const std::string& type, const std::string& data) { return postFor(job_, type, data); }
    Answer postFor(const CreatedJob& job, const std::string& type, const std::string& data) {
        return host_.worker(job, "POST", "/event", R"({"event_type":")" + type + R"(","data":)" + data + "}");
    }
    Answer history(const std::string& query = "", const std::string& user = "alice",
                   Role role = Role::viewer) {
        return host_.operators(user, role, "GET", "/jobs/" + job_.job->id.str() + "/events" + query);
    }
    Answer follow(const std::string& query = "", Call::Pairs headers = {}) {
        return host_.operators("alice", Role::viewer, "GET", "/events" + query, "", std::move(headers));
    }

    static std::vector<json::Object> eventsOf(const Answer& answer) {
        std::vector<json::Object> events;
        for (const json::Value& event : answer.json().required("events").elements()) {
            events.push_back(event.object());
        }
        return events;
    }
    static std::vector<std::int64_t> numbersOf(const Answer& answer) {
        std::vector<std::int64_t> numbers;
        for (const json::Object& event : eventsOf(answer)) {
            numbers.push_back(event.required("id").integer().value());
        }
        return numbers;
    }

    void testStoredByteForByte() {
        const std::string data =
            "{ \"n\" : 1.50e+3,\t\"big\":123456789012345678901234567890 , \"s\":\"\\u00e9\\/\xC3\xA9\","
            "\"a\":1,\"a\":2,\n\"z\":[ ] }";
        const Answer answer = post("{\"data\": " + data + " , \"more\":1, \"event_type\":\"m\\u0079type\"}");
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(), answer.body());
        const Answer read = history();
        const auto events = eventsOf(read);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, events.size());
        CPPUNIT_ASSERT_EQUAL(data, std::string(events[0].required("data").raw()));
        CPPUNIT_ASSERT_EQUAL(std::string("mytype"), events[0].string("event_type"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{24}, events[0].string("created_at").size());
        CPPUNIT_ASSERT_EQUAL(job_.job->id.str(), read.json().string("job_id"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.metric("stored_total"));
        CPPUNIT_ASSERT_EQUAL(static_cast<std::int64_t>(data.size()), host_.metric("stored_bytes_total"));
    }

    void testAnyJsonValueIsData() {
        const std::vector<std::string> values = {"null", "false", "-0.0", R"("text\u0000")", "[1, 2]", "{}"};
        for (const std::string& value : values) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(value, 200, post("status", value).status());
        }
        const Answer read = history();
        std::vector<std::string> stored;
        for (const json::Object& event : eventsOf(read)) {
            stored.emplace_back(event.required("data").raw());
        }
        CPPUNIT_ASSERT(values == stored);
    }

    void testAnyTextIsAType() {
        const std::vector<std::string> types = {"", "message", R"(k\u00e4se \u0000 \n\")"};
        for (const std::string& type : types) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(type, 200, post(type, "{}").status());
        }
        const Answer read = history();
        const auto events = eventsOf(read);
        CPPUNIT_ASSERT_EQUAL(std::string(), events.at(0).string("event_type"));
        CPPUNIT_ASSERT_EQUAL(std::string("message"), events.at(1).string("event_type"));
        CPPUNIT_ASSERT_EQUAL(std::string("k\xC3\xA4se \0 \n\"", 10), events.at(2).string("event_type"));
    }

    void testBodyIsChecked() {
        const std::string longest(256, 'x');
        CPPUNIT_ASSERT_EQUAL(200, post(longest, "{}").status());
        for (const std::string& body :
             {std::string(R"({"data":{}})"), std::string(R"({"event_type":"x"})"),
              std::string(R"({"event_type":7,"data":{}})"), std::string(R"({"event_type":null,"data":{}})"),
              R"({"event_type":")" + longest + R"(x","data":{}})",
              std::string(R"({"event_type":"x","data":{},"data":1})"), std::string("[]")}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, 422, post(body).status());
        }
        CPPUNIT_ASSERT_EQUAL(std::string("field 'data' is missing"), post(R"({"event_type":"x"})").message());
        CPPUNIT_ASSERT_EQUAL(400, post(R"({"event_type":"x","data":})").status());
        CPPUNIT_ASSERT_EQUAL(415, post("").status());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.number("SELECT count(*) FROM events"));
    }

    void testSizeLimit() {
        const std::string data = '"' + std::string(2 * mebibyte - 2, 'x') + '"';
        CPPUNIT_ASSERT_EQUAL(200, post("x", data).status());
        const Answer refused = post("x", "[" + data + "]");
        CPPUNIT_ASSERT_EQUAL(413, refused.status());
        CPPUNIT_ASSERT_EQUAL(std::string("too_large"), refused.code());
    }

    void testNothingIsAcknowledgedThatIsNotStored() {
        host_.events().setSubscribers(1);
        host_.store().failWrites(true);
        CPPUNIT_ASSERT_EQUAL(503, post("x", "{}").status());
        host_.store().failWrites(false);
        host_.store().refuseWrites(true);
        CPPUNIT_ASSERT_EQUAL(503, post("x", "{}").status());
        CPPUNIT_ASSERT(host_.events().published().empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, host_.events().last());
    }

    void testPublishedOnceStored() {
        host_.events().setSubscribers(1);
        CPPUNIT_ASSERT_EQUAL(200, post("message", R"({"content":"Hello"})").status());
        const auto published = host_.events().published();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, published.size());
        CPPUNIT_ASSERT_EQUAL(host_.number("SELECT id FROM events"),
                             static_cast<std::int64_t>(published[0].id));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), published[0].user);
        CPPUNIT_ASSERT(published[0].job == job_.job->id);
        CPPUNIT_ASSERT_EQUAL(std::string("job_message"), published[0].type);
        CPPUNIT_ASSERT_EQUAL(R"({"type":"job_message","job_id":")" + job_.job->id.str() +
                                 R"(","role":"assistant","content":"Hello"})",
                             published[0].data);
    }

    void testWithoutSubscribersOnlyTheNumberMoves() {
        post("message", "{}");
        post("message", "{}");
        CPPUNIT_ASSERT(host_.events().published().empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, host_.events().last());
    }

    /// Nobody followed when the event came, somebody does when it has been stored.
    void testSubscriberThatComesWhileStoring() {
        host_.store().holdWrites();
        const Answer answer = post("tool_use", R"({"input":[1, 2]})");
        CPPUNIT_ASSERT(!answer.answered());
        host_.events().setSubscribers(1);
        host_.store().letGo();
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        const auto published = host_.events().published();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, published.size());
        CPPUNIT_ASSERT_EQUAL(R"({"type":"job_tool_use","job_id":")" + job_.job->id.str() +
                                 R"(","tool_name":"unknown","input":[1,2]})",
                             published[0].data);
    }

    void testNumbersArePublishedInOrder() {
        constexpr std::size_t each = 50;
        constexpr std::size_t posters = 4;
        host_.events().setSubscribers(1);
        std::vector<std::thread> workers;
        workers.reserve(posters);
        while (workers.size() < posters) {
            workers.emplace_back([this] {
                for (std::size_t i = 0; i < each; ++i) {
                    post("status", "{}");
                }
            });
        }
        for (std::thread& worker : workers) {
            worker.join();
        }
        const auto published = host_.events().published();
        CPPUNIT_ASSERT_EQUAL(posters * each, published.size());
        for (std::size_t i = 0; i < published.size(); ++i) {
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{i + 1}, published[i].id);
        }
    }

    void testHubLearnsWhereAnEarlierRunEnded() {
        post("status", "{}");
        post("status", "{}");
        FakeHost fresh{"events", eventsSettings};
        fresh.start(std::make_unique<EventsPlugin>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, fresh.events().last());
        host_.events().forget();
        host_.start(std::make_unique<EventsPlugin>());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, host_.events().last());
    }

    void testHistoryPages() {
        const CreatedJob other = host_.makeJob();
        for (int i = 0; i < 3; ++i) {
            post("status", "{}");
            postFor(other, "status", "{}");
        }
        CPPUNIT_ASSERT((numbersOf(history()) == std::vector<std::int64_t>{1, 3, 5}));
        const Answer all = history();
        CPPUNIT_ASSERT(all.json().find("next_after") == nullptr);
        const Answer two = history("?limit=2");
        CPPUNIT_ASSERT((numbersOf(two) == std::vector<std::int64_t>{1, 3}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, two.json().required("next_after").integer().value());
        CPPUNIT_ASSERT((numbersOf(history("?after=3&limit=2")) == std::vector<std::int64_t>{5}));
        CPPUNIT_ASSERT((numbersOf(history("?after=2")) == std::vector<std::int64_t>{3, 5}));
        CPPUNIT_ASSERT(numbersOf(history("?after=5")).empty());
        CPPUNIT_ASSERT(numbersOf(history("?after=9223372036854775807")).empty());
        for (int i = 0; i < 100; ++i) {
            post("status", "{}");
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{100}, numbersOf(history()).size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{103}, numbersOf(history("?limit=1000")).size());
    }

    void testHistoryIsChecked() {
        for (const char* query : {"?limit=0", "?limit=1001", "?limit=x", "?after=-1", "?after=x",
                                  "?after=9223372036854775808", "?limit="}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(query, 400, history(query).status());
        }
    }

    void testHistoryOfOthers() {
        CPPUNIT_ASSERT_EQUAL(404, history("", "bob", Role::user).status());
        CPPUNIT_ASSERT_EQUAL(200, history("", "root", Role::admin).status());
        CPPUNIT_ASSERT_EQUAL(
            404, host_.operators("alice", Role::user, "GET", "/jobs/" + JobId::random().str() + "/events")
                     .status());
        CPPUNIT_ASSERT_EQUAL(400, host_.operators("alice", Role::user, "GET", "/jobs/x/events").status());
    }

    void testHistoryOutlivesTheJob() {
        post("status", "{}");
        host_.finish(job_.job->id, JobState::completed);
        CPPUNIT_ASSERT_EQUAL(401, post("status", "{}").status());
        CPPUNIT_ASSERT((numbersOf(history()) == std::vector<std::int64_t>{1}));
    }

    /// However large events are, reading them takes no more than a bounded amount of memory.
    void testLargeEventsComeInSmallPages() {
        const std::string data = '"' + std::string(2 * mebibyte - 2, 'x') + '"';
        for (int i = 0; i < 6; ++i) {
            post("x", data);
        }
        const Answer first = history();
        CPPUNIT_ASSERT((numbersOf(first) == std::vector<std::int64_t>{1, 2, 3, 4}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, first.json().required("next_after").integer().value());
        const Answer second = history("?after=4");
        CPPUNIT_ASSERT((numbersOf(second) == std::vector<std::int64_t>{5, 6}));
        CPPUNIT_ASSERT(second.json().find("next_after") == nullptr);
        const StoredEvents replayed = follow().subscription().replay(4);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, replayed.events.size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, replayed.events[0].id);
        CPPUNIT_ASSERT(replayed.more);
        CPPUNIT_ASSERT(!follow().subscription().replay(5).more);
    }

    void testFollowFromNow() {
        const Answer answer = follow();
        CPPUNIT_ASSERT(answer.subscribed());
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), answer.subscription().user);
        CPPUNIT_ASSERT(!answer.subscription().job);
        CPPUNIT_ASSERT(!answer.subscription().after);
        // The hub reads what is stored between the request and its first look at live events.
        CPPUNIT_ASSERT(answer.subscription().replay);
    }

    void testFollowAfter() {
        for (int i = 0; i < 9; ++i) {
            post("status", "{}");
        }
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{7},
                             follow("", {{"last-event-id", "7"}}).subscription().after.value());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, follow("?last_event_id=3").subscription().after.value());
        // A browser that reconnects says where it is in the header, and repeats its first address.
        CPPUNIT_ASSERT_EQUAL(
            std::uint64_t{8},
            follow("?last_event_id=3", {{"last-event-id", "8"}}).subscription().after.value());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, follow("?last_event_id=0").subscription().after.value());
    }

    void testFollowAfterIsChecked() {
        for (const char* id :
             {"", "x", "-1", "-0", "+1", " 1", "0x1", "1.5", "9223372036854775808", "99999999999999999999"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(id, 400, follow("", {{"last-event-id", id}}).status());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(id, 400, follow(std::string("?last_event_id=") + id).status());
        }
    }

    void testFollowAfterTheEnd() {
        post("status", "{}");
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, follow("?last_event_id=500").subscription().after.value());
    }

    void testFollowJob() {
        const std::string id = job_.job->id.str();
        const Answer own = follow("?job_id=" + id);
        CPPUNIT_ASSERT(own.subscription().job == job_.job->id);
        CPPUNIT_ASSERT_EQUAL(400, follow("?job_id=x").status());
        CPPUNIT_ASSERT_EQUAL(404, follow("?job_id=" + JobId::random().str()).status());
        CPPUNIT_ASSERT_EQUAL(404, follow("?job_id=" + host_.makeJob("bob").job->id.str()).status());
        const Answer admins = host_.operators("root", Role::admin, "GET", "/events?job_id=" + id);
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), admins.subscription().user);
    }

    void testFollowOtherUser() {
        CPPUNIT_ASSERT_EQUAL(404, follow("?user_id=bob").status());
        CPPUNIT_ASSERT_EQUAL(403, follow("?user_id=*").status());
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), follow("?user_id=alice").subscription().user);
        const auto asAdmin = [this](const std::string& query) {
            return host_.operators("root", Role::admin, "GET", "/events" + query);
        };
        CPPUNIT_ASSERT_EQUAL(std::string("root"), asAdmin("").subscription().user);
        CPPUNIT_ASSERT_EQUAL(std::string("bob"), asAdmin("?user_id=bob").subscription().user);
        CPPUNIT_ASSERT_EQUAL(400, asAdmin("?user_id=*").status());
        CPPUNIT_ASSERT_EQUAL(404, asAdmin("?user_id=bob&job_id=" + job_.job->id.str()).status());
    }

    void testReplayIsTheBroadcast() {
        host_.events().setSubscribers(1);
        post("message", R"({"content":"a"})");
        post("tool_result", R"({"output":[ 1 ]})");
        post("other", "7");
        const Answer answer = follow("?last_event_id=0");
        const auto replayed = answer.subscription().replay(0).events;
        const auto published = host_.events().published();
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, replayed.size());
        for (std::size_t i = 0; i < replayed.size(); ++i) {
            CPPUNIT_ASSERT_EQUAL(published[i].id, replayed[i].id);
            CPPUNIT_ASSERT_EQUAL(published[i].user, replayed[i].user);
            CPPUNIT_ASSERT(published[i].job == replayed[i].job);
            CPPUNIT_ASSERT_EQUAL(published[i].type, replayed[i].type);
            CPPUNIT_ASSERT_EQUAL(published[i].data, replayed[i].data);
        }
    }

    void testReplayIsScopedToTheUser() {
        const CreatedJob second = host_.makeJob();
        const CreatedJob bobs = host_.makeJob("bob");
        post("status", "{}");
        postFor(bobs, "status", "{}");
        postFor(second, "status", "{}");
        const auto numbers = [this](const std::string& query) {
            std::vector<std::uint64_t> result;
            for (const LiveEvent& event : follow(query).subscription().replay(0).events) {
                result.push_back(event.id);
            }
            return result;
        };
        CPPUNIT_ASSERT((numbers("") == std::vector<std::uint64_t>{1, 3}));
        CPPUNIT_ASSERT((numbers("?job_id=" + second.job->id.str()) == std::vector<std::uint64_t>{3}));
    }

    void testReplayGoesOnWhereItStopped() {
        constexpr std::uint64_t count = 600;
        for (std::uint64_t i = 0; i < count; ++i) {
            post("status", "{}");
        }
        const Replay replay = follow().subscription().replay;
        std::uint64_t last = 0;
        for (bool more = true; more;) {
            const StoredEvents stored = replay(last);
            for (const LiveEvent& event : stored.events) {
                CPPUNIT_ASSERT_EQUAL(++last, event.id);
            }
            more = stored.more;
        }
        CPPUNIT_ASSERT_EQUAL(count, last);
        CPPUNIT_ASSERT(replay(last).events.empty());
    }

    /// A subscriber stays while the plugin is reloaded.
    void testReplayOutlivesThePlugin() {
        post("status", "{}");
        const Replay replay = follow().subscription().replay;
        host_.crash();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, replay(0).events.size());
    }

    void testReplayOfDeepData() {
        const auto deep = [](std::size_t levels) {
            return std::string(levels, '[') + std::string(levels, ']');
        };
        CPPUNIT_ASSERT_EQUAL(200,
                             post("tool_use", R"({"input":)" + deep(json::defaultDepth - 2) + "}").status());
        // As if it had been accepted under another limit.
        const std::string deeper = R"({"input":)" + deep(500) + "}";
        host_.settle();
        host_.store().write([&](Transaction& transaction) {
            EventLog::insert(transaction, EventLog::row(job_.job->id, "alice", "tool_use", deeper, now()));
        });
        const auto events = follow().subscription().replay(0).events;
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, events.size());
        CPPUNIT_ASSERT(events[1].data.find(deep(500)) != std::string::npos);
    }

    void testHowRoutesAreRegistered() {
        CPPUNIT_ASSERT(host_.options(Realm::worker, "POST", "/event").run == Run::loop);
        CPPUNIT_ASSERT(!host_.options(Realm::operators, "GET", "/events").head);
        CPPUNIT_ASSERT(host_.options(Realm::operators, "GET", "/jobs/{job_id}/events").run == Run::pool);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(EventsTest);

}  // namespace
}  // namespace sallyport::plugins
