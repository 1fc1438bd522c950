#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

#include "host/store/on_behalf_of.h"
#include "plugins/prompts/prompts_plugin.h"

namespace sallyport::plugins {
namespace {

using testing::Answer;
using testing::FakeHost;

class PromptsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PromptsTest);
    CPPUNIT_TEST(testNoneIs204);
    CPPUNIT_TEST(testQueuedAndDelivered);
    CPPUNIT_TEST(testContentIsKept);
    CPPUNIT_TEST(testOldestFirstAndOnce);
    CPPUNIT_TEST(testOtherJobsGetNothing);
    CPPUNIT_TEST(testBodyIsChecked);
    CPPUNIT_TEST(testSizeLimit);
    CPPUNIT_TEST(testQueueLimit);
    CPPUNIT_TEST(testOnlyTheOwnerOrAnAdmin);
    CPPUNIT_TEST(testJobIsOver);
    CPPUNIT_TEST(testWaitIsChecked);
    CPPUNIT_TEST(testWaitWithPromptThere);
    CPPUNIT_TEST(testWaitParksUntilOneComes);
    CPPUNIT_TEST(testOneOfManyWaitersGetsIt);
    CPPUNIT_TEST(testFailedDeliveryGoesToTheFront);
    CPPUNIT_TEST(testReplyThatIsDroppedIsNoLoss);
    CPPUNIT_TEST(testDeliveredIsGoneForGood);
    CPPUNIT_TEST(testUndeliveredSurvivesACrash);
    CPPUNIT_TEST(testPlainRestartDeliversOnce);
    CPPUNIT_TEST(testStopWaitsForRemovals);
    CPPUNIT_TEST(testFinishedJobDropsItsQueue);
    CPPUNIT_TEST(testFailedDeliveryAfterTheEnd);
    CPPUNIT_TEST(testPushThatMeetsTheEnd);
    CPPUNIT_TEST(testRowsOfFinishedJobsAreRemovedAtStart);
    CPPUNIT_TEST(testNothingIsQueuedThatIsNotStored);
    CPPUNIT_TEST(testFailedRemovalIsToldAndHeals);
    CPPUNIT_TEST(testManyPollers);
    CPPUNIT_TEST(testHowRoutesAreRegistered);
    CPPUNIT_TEST_SUITE_END();

    FakeHost host_{"prompts", promptsSettings, {{"prompts.max_size", "16"}, {"prompts.max_queued", "3"}}};
    CreatedJob job_ = host_.makeJob();

public:
    void setUp() override { host_.start(std::make_unique<PromptsPlugin>()); }

private:
    Answer push(const std::string& body) { return pushTo(job_, body); }
    Answer pushTo(const CreatedJob& job, const std::string& body) {
        return host_.operators("alice", Role::user, "POST", "/jobs/" + job.job->id.str() + "/prompt", body);
    }
    Answer next(const std::string& query = "") { return host_.worker(job_, "GET", "/prompt" + query); }

    /// Takes the next prompt for good. @return its content; "none" when there is none.
    std::string content() {
        Answer answer = next();
        if (answer.status() == 204) {
            return "none";
        }
        std::string text = answer.json().string("content");
        answer.delivered(true);
        return text;
    }

    std::int64_t rows() {
        host_.settle();
        return host_.number("SELECT count(*) FROM prompts");
    }
    [[nodiscard]] std::string topic() const { return "prompts/" + job_.job->id.str(); }

    void testNoneIs204() {
        const Answer answer = next();
        CPPUNIT_ASSERT_EQUAL(204, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(), answer.body());
    }

    void testQueuedAndDelivered() {
        const Answer queued = push(R"({"content":"go on"})");
        CPPUNIT_ASSERT_EQUAL(200, queued.status());
        CPPUNIT_ASSERT_EQUAL(std::string("queued"), queued.json().string("status"));
        CPPUNIT_ASSERT_EQUAL(job_.job->id.str(), queued.json().string("job_id"));
        CPPUNIT_ASSERT_EQUAL(host_.number("SELECT id FROM prompts"),
                             queued.json().required("prompt_id").integer().value());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.metric("queued_total"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.metric("delivered_total"));
        Answer answer = next();
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"content":"go on","done":false})"), answer.body());
        answer.delivered(true);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.metric("delivered_total"));
    }

    void testContentIsKept() {
        push(R"({"content":"\u00e9\n\"\u0000\ud83d\ude00","done":true})");
        const Answer answer = next();
        CPPUNIT_ASSERT_EQUAL(std::string("\xC3\xA9\n\"\0\xF0\x9F\x98\x80", 9),
                             answer.json().string("content"));
        CPPUNIT_ASSERT(answer.json().boolean("done"));
    }

    void testOldestFirstAndOnce() {
        push(R"({"content":"1"})");
        push(R"({"content":"2"})");
        push(R"({"content":"3"})");
        CPPUNIT_ASSERT_EQUAL(std::string("1"), content());
        CPPUNIT_ASSERT_EQUAL(std::string("2"), content());
        CPPUNIT_ASSERT_EQUAL(std::string("3"), content());
        CPPUNIT_ASSERT_EQUAL(std::string("none"), content());
    }

    void testOtherJobsGetNothing() {
        const CreatedJob other = host_.makeJob();
        push(R"({"content":"1"})");
        CPPUNIT_ASSERT_EQUAL(204, host_.worker(other, "GET", "/prompt").status());
        CPPUNIT_ASSERT_EQUAL(std::string("1"), content());
    }

    void testBodyIsChecked() {
        for (const char* body :
             {"{}", R"({"content":""})", R"({"content":null})", R"({"content":7})",
              R"({"content":"a","content":"b"})", R"({"content":"a","done":"yes"})", "[]"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(body, 422, push(body).status());
        }
        CPPUNIT_ASSERT_EQUAL(std::string("field 'content' must not be empty"),
                             push(R"({"content":""})").message());
        CPPUNIT_ASSERT_EQUAL(400, push("{").status());
        CPPUNIT_ASSERT_EQUAL(415, push("").status());
        CPPUNIT_ASSERT_EQUAL(std::string("none"), content());
        CPPUNIT_ASSERT_EQUAL(200, push(R"({"content":"","done":true})").status());
        CPPUNIT_ASSERT_EQUAL(std::string(), content());
    }

    void testSizeLimit() {
        const Answer answer = push(R"({"content":"12345678901234567"})");
        CPPUNIT_ASSERT_EQUAL(413, answer.status());
        CPPUNIT_ASSERT_EQUAL(200, push(R"({"content":"1234567890123456"})").status());
    }

    void testQueueLimit() {
        push(R"({"content":"1"})");
        push(R"({"content":"2"})");
        push(R"({"content":"3"})");
        const Answer refused = push(R"({"content":"4"})");
        CPPUNIT_ASSERT_EQUAL(429, refused.status());
        CPPUNIT_ASSERT_EQUAL(std::string("queue_full"), refused.code());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, rows());
        content();
        CPPUNIT_ASSERT_EQUAL(200, push(R"({"content":"4"})").status());
        CPPUNIT_ASSERT_EQUAL(200, pushTo(host_.makeJob(), R"({"content":"1"})").status());
    }

    void testOnlyTheOwnerOrAnAdmin() {
        const std::string path = "/jobs/" + job_.job->id.str() + "/prompt";
        const std::string body = R"({"content":"x"})";
        const Answer stranger = host_.operators("bob", Role::user, "POST", path, body);
        CPPUNIT_ASSERT_EQUAL(404, stranger.status());
        CPPUNIT_ASSERT_EQUAL(std::string("not_found"), stranger.code());
        CPPUNIT_ASSERT_EQUAL(std::string("none"), content());
        CPPUNIT_ASSERT_EQUAL(200, host_.operators("root", Role::admin, "POST", path, body).status());
        CPPUNIT_ASSERT_EQUAL(
            404,
            host_.operators("root", Role::admin, "POST", "/jobs/" + JobId::random().str() + "/prompt", body)
                .status());
        CPPUNIT_ASSERT_EQUAL(400,
                             host_.operators("root", Role::admin, "POST", "/jobs/7/prompt", body).status());
    }

    void testJobIsOver() {
        host_.finish(job_.job->id, JobState::completed);
        const Answer answer = push(R"({"content":"x"})");
        CPPUNIT_ASSERT_EQUAL(409, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("job_over"), answer.code());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, rows());
    }

    void testWaitIsChecked() {
        for (const char* query : {"?wait=61", "?wait=-1", "?wait=x", "?wait=1.5", "?wait=", "?wait"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(query, 400, next(query).status());
        }
        CPPUNIT_ASSERT_EQUAL(204, next("?wait=0").status());
        CPPUNIT_ASSERT_EQUAL(204, next("?other=1").status());
        CPPUNIT_ASSERT(next("?wait=60").parked());
    }

    void testWaitWithPromptThere() {
        push(R"({"content":"1"})");
        const Answer answer = next("?wait=5");
        CPPUNIT_ASSERT(!answer.parked());
        CPPUNIT_ASSERT_EQUAL(200, answer.status());
    }

    void testWaitParksUntilOneComes() {
        Answer waiting = next("?wait=5");
        CPPUNIT_ASSERT(waiting.parked());
        CPPUNIT_ASSERT_EQUAL(204, waiting.statusOnTimeout());
        CPPUNIT_ASSERT(!waiting.retry());
        CPPUNIT_ASSERT(host_.woken().empty());
        push(R"({"content":"1"})");
        CPPUNIT_ASSERT((host_.woken() == std::vector<std::string>{topic()}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"content":"1","done":false})"), waiting.retry()->body());
    }

    void testOneOfManyWaitersGetsIt() {
        Answer first = next("?wait=5");
        Answer second = next("?wait=5");
        push(R"({"content":"1"})");
        auto got = first.retry();
        CPPUNIT_ASSERT(got.has_value());
        CPPUNIT_ASSERT(!second.retry());
        // Its connection breaks: the other gets it after all.
        got->delivered(false);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, host_.woken().size());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"content":"1","done":false})"), second.retry()->body());
    }

    void testFailedDeliveryGoesToTheFront() {
        push(R"({"content":"1"})");
        push(R"({"content":"2"})");
        push(R"({"content":"3"})");
        Answer first = next();
        Answer second = next();
        first.delivered(false);
        second.delivered(false);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, rows());
        CPPUNIT_ASSERT_EQUAL(std::string("1"), content());
        CPPUNIT_ASSERT_EQUAL(std::string("2"), content());
        CPPUNIT_ASSERT_EQUAL(std::string("3"), content());
    }

    void testReplyThatIsDroppedIsNoLoss() {
        push(R"({"content":"1"})");
        CPPUNIT_ASSERT_EQUAL(200, next().status());
        CPPUNIT_ASSERT_EQUAL(std::string("1"), content());
    }

    void testDeliveredIsGoneForGood() {
        push(R"({"content":"1"})");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, rows());
        Answer answer = next();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, rows());
        answer.delivered(true);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, rows());
    }

    void testUndeliveredSurvivesACrash() {
        push(R"({"content":"1"})");
        push(R"({"content":"2","done":true})");
        {
            // Written to the socket, and not yet taken out of the table.
            Answer first = next();
            host_.store().refuseWrites(true);
            first.delivered(true);
            host_.store().refuseWrites(false);
        }
        host_.crash();
        host_.start(std::make_unique<PromptsPlugin>());
        CPPUNIT_ASSERT_EQUAL(std::string("1"), content());
        const Answer second = next();
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"content":"2","done":true})"), second.body());
    }

    void testPlainRestartDeliversOnce() {
        push(R"({"content":"1"})");
        push(R"({"content":"2"})");
        CPPUNIT_ASSERT_EQUAL(std::string("1"), content());
        host_.start(std::make_unique<PromptsPlugin>());
        CPPUNIT_ASSERT_EQUAL(std::string("2"), content());
        host_.start(std::make_unique<PromptsPlugin>());
        CPPUNIT_ASSERT_EQUAL(std::string("none"), content());
    }

    /// The removal waits behind much else that the job has had written, and what is written for nobody's job
    /// does not.
    void testStopWaitsForRemovals() {
        push(R"({"content":"1"})");
        {
            const host::store::OnBehalfOf much({job_.job->id, std::size_t{64} << 20U});
            for (int i = 0; i < 10; ++i) {
                host_.store().submit([](Transaction& transaction) { transaction.execute("SELECT 1"); }, {});
            }
            CPPUNIT_ASSERT_EQUAL(std::string("1"), content());
        }
        host_.plugin().stop();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM prompts"));
    }

    void testFinishedJobDropsItsQueue() {
        push(R"({"content":"1"})");
        host_.finish(job_.job->id, JobState::cancelled);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, rows());
        CPPUNIT_ASSERT_EQUAL(401, next().status());
    }

    void testFailedDeliveryAfterTheEnd() {
        push(R"({"content":"1"})");
        Answer answer = next();
        host_.finish(job_.job->id, JobState::cancelled);
        answer.delivered(false);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, rows());
        CPPUNIT_ASSERT(host_.woken().size() == 1);
    }

    /// The prompt is being stored when the job ends.
    void testPushThatMeetsTheEnd() {
        host_.store().holdWrites();
        const Answer answer = push(R"({"content":"1"})");
        CPPUNIT_ASSERT(!answer.answered());
        host_.finish(job_.job->id, JobState::completed);
        host_.store().letGo();
        CPPUNIT_ASSERT_EQUAL(409, answer.status());
        CPPUNIT_ASSERT_EQUAL(std::string("job_over"), answer.code());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, rows());
    }

    void testRowsOfFinishedJobsAreRemovedAtStart() {
        push(R"({"content":"1"})");
        const CreatedJob running = host_.makeJob();
        pushTo(running, R"({"content":"2"})");
        host_.store().failWrites(true);
        host_.finish(job_.job->id, JobState::completed);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, rows());
        host_.store().failWrites(false);
        host_.start(std::make_unique<PromptsPlugin>());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, rows());
        CPPUNIT_ASSERT_EQUAL(200, host_.worker(running, "GET", "/prompt").status());
    }

    void testNothingIsQueuedThatIsNotStored() {
        host_.store().failWrites(true);
        CPPUNIT_ASSERT_EQUAL(503, push(R"({"content":"1"})").status());
        host_.store().failWrites(false);
        host_.store().refuseWrites(true);
        CPPUNIT_ASSERT_EQUAL(503, push(R"({"content":"2"})").status());
        host_.store().refuseWrites(false);
        CPPUNIT_ASSERT_EQUAL(std::string("none"), content());
        // The places that they had are free again.
        host_.settle();
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT_EQUAL(200, push(R"({"content":"3"})").status());
        }
    }

    void testFailedRemovalIsToldAndHeals() {
        push(R"({"content":"1"})");
        push(R"({"content":"2"})");
        CPPUNIT_ASSERT(!host_.plugin().trouble());
        host_.store().failWrites(true);
        CPPUNIT_ASSERT_EQUAL(std::string("1"), content());
        host_.settle();
        host_.store().failWrites(false);
        CPPUNIT_ASSERT(host_.plugin().trouble().has_value());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.log().count(LogLevel::error));
        CPPUNIT_ASSERT_EQUAL(std::string("2"), content());
        host_.settle();
        CPPUNIT_ASSERT(!host_.plugin().trouble());
        CPPUNIT_ASSERT_EQUAL(std::string("none"), content());
    }

    void testManyPollers() {
        constexpr int prompts = 60;
        constexpr int count = 4;
        std::atomic<int> left{prompts};
        std::mutex mutex;
        std::map<std::string, int> seen;
        std::vector<std::thread> pollers;
        pollers.reserve(count);
        for (int poller = 0; poller < count; ++poller) {
            pollers.emplace_back([&, poller] {
                for (int round = poller; left > 0; ++round) {
                    Answer answer = next();
                    if (answer.status() != 200) {
                        std::this_thread::yield();
                    } else if (round % 3 == 0) {
                        answer.delivered(false);
                    } else {
                        {
                            const std::lock_guard lock(mutex);
                            ++seen[answer.json().string("content")];
                        }
                        answer.delivered(true);
                        --left;
                    }
                }
            });
        }
        for (int prompt = 0; prompt < prompts;) {
            prompt += push(R"({"content":")" + std::to_string(prompt) + R"("})").status() == 200 ? 1 : 0;
        }
        for (std::thread& poller : pollers) {
            poller.join();
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{prompts}, seen.size());
        CPPUNIT_ASSERT(
            std::all_of(seen.begin(), seen.end(), [](const auto& entry) { return entry.second == 1; }));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, rows());
    }

    void testHowRoutesAreRegistered() {
        const RouteOptions& options = host_.options(Realm::worker, "GET", "/prompt");
        CPPUNIT_ASSERT(options.run == Run::loop);
        CPPUNIT_ASSERT(!options.head);
        CPPUNIT_ASSERT(host_.options(Realm::operators, "POST", "/jobs/{job_id}/prompt").run == Run::pool);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PromptsTest);

}  // namespace
}  // namespace sallyport::plugins
