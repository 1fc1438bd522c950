#include <stdexcept>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/json.h>
#include <sallyport/reply.h>
#include <sallyport/store.h>

namespace sallyport {
namespace {

const Reply::Whole& whole(const Reply& reply) {
    return std::get<Reply::Whole>(reply.content());
}

/// Runs what is submitted when the test says so.
class HeldStore final : public Store {
public:
    void migrate(std::string_view /*component*/, const std::vector<Migration>& /*steps*/) override {}
    void submit(Work work, Done done) override {
        if (full) {
            throw StoreError("the queue is full at /var/lib");
        }
        submitted.emplace_back(std::move(work), std::move(done));
    }
    void write(Work /*work*/) override {}
    Rows query(std::string_view /*sql*/, const std::vector<SqlValue>& /*values*/) override { return {}; }

    bool full = false;
    std::vector<std::pair<Work, Done>> submitted;
};

/// Starts a deferred reply; `answers` gets what it is answered with.
void start(Reply reply, std::vector<Reply>& answers) {
    std::get<Reply::Deferred>(reply.content()).start(Promise([&answers](Reply answer) {
        answers.push_back(std::move(answer));
    }));
}

class ReplyTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReplyTest);
    CPPUNIT_TEST(testJson);
    CPPUNIT_TEST(testJsonEscapes);
    CPPUNIT_TEST(testJsonIsUtf8WhateverIsInIt);
    CPPUNIT_TEST(testPlainKinds);
    CPPUNIT_TEST(testError);
    CPPUNIT_TEST(testRetryAfter);
    CPPUNIT_TEST(testFailure);
    CPPUNIT_TEST(testHeadersAndDelivery);
    CPPUNIT_TEST(testWaitFor);
    CPPUNIT_TEST(testPromiseIsFulfilledOnce);
    CPPUNIT_TEST(testDroppedPromiseAnswers500);
    CPPUNIT_TEST(testAbandonedPromiseTellsOnce);
    CPPUNIT_TEST(testAbandonedBeforeItWasAskedFor);
    CPPUNIT_TEST(testWhenStoredAnswersAfterwards);
    CPPUNIT_TEST(testWhenStoredFails);
    CPPUNIT_TEST(testWhenStoredWithFullQueue);
    CPPUNIT_TEST(testWhenStoredThenThrows);
    CPPUNIT_TEST(testWhenStoredLeavesOtherExceptionsToTheStore);
    CPPUNIT_TEST_SUITE_END();

    void testJson() {
        const Reply reply = Reply::json(201, [](json::Writer& answer) {
            answer.member("zebra", "x").member("apple", true).key("inner").beginObject();
            answer.member("z", 1).key("a").null().endObject();
            answer.member("n", std::uint64_t{18446744073709551615U});
        });
        CPPUNIT_ASSERT_EQUAL(201, reply.status());
        CPPUNIT_ASSERT_EQUAL(std::string("application/json"), whole(reply).contentType);
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"zebra":"x","apple":true,"inner":{"z":1,"a":null},"n":18446744073709551615})"),
            whole(reply).body);
        CPPUNIT_ASSERT_EQUAL(std::string("{}"), whole(Reply::json(200, [](json::Writer&) {})).body);
    }

    void testJsonEscapes() {
        std::string text = "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
        for (int c = 0; c < 128; ++c) {
            text += static_cast<char>(c);
        }
        const Reply reply = Reply::json(
            200, [&](json::Writer& answer) { answer.member("text", text).member("key \"\n", ""); });
        const json::Object read = json::Value::parse(whole(reply).body).object();
        CPPUNIT_ASSERT_EQUAL(text, read.string("text"));
        CPPUNIT_ASSERT_EQUAL(std::string(), read.string("key \"\n"));
    }

    void testJsonIsUtf8WhateverIsInIt() {
        const Reply reply =
            Reply::json(200, [](json::Writer& answer) { answer.member("text", "a\xFF\xC3\xA9\xE2\x82"); });
        CPPUNIT_ASSERT_EQUAL(std::string("a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD"),
                             json::Value::parse(whole(reply).body).object().string("text"));
    }

    void testPlainKinds() {
        CPPUNIT_ASSERT_EQUAL(204, Reply::empty(204).status());
        CPPUNIT_ASSERT(whole(Reply::empty(204)).contentType.empty() && whole(Reply::empty(204)).body.empty());
        const Reply text = Reply::text(200, "text/csv", "a,b");
        CPPUNIT_ASSERT_EQUAL(std::string("text/csv"), whole(text).contentType);
        CPPUNIT_ASSERT_EQUAL(std::string("a,b"), whole(text).body);
        CPPUNIT_ASSERT_EQUAL(std::string("{}"), whole(Reply::jsonText(200, "{}")).body);
        const Reply stream = Reply::stream(200, "text/plain", [](const std::shared_ptr<Stream>&) {});
        CPPUNIT_ASSERT_EQUAL(std::string("text/plain"),
                             std::get<Reply::Streamed>(stream.content()).contentType);
        Subscription subscription;
        subscription.user = "alice";
        const Reply events = Reply::events(subscription);
        CPPUNIT_ASSERT_EQUAL(std::string("alice"),
                             std::get<Reply::Subscribed>(events.content()).subscription.user);
    }

    void testError() {
        const Reply reply = Reply::error(RequestError(418, "teapot", "a \"short\"\nsentence"));
        CPPUNIT_ASSERT_EQUAL(418, reply.status());
        CPPUNIT_ASSERT_EQUAL(std::string("application/json"), whole(reply).contentType);
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"error":{"code":"teapot","message":"a \"short\"\nsentence"}})"),
                             whole(reply).body);
        CPPUNIT_ASSERT(reply.headers().empty());
    }

    void testRetryAfter() {
        RequestError error(429, "rate_limited", "slow down");
        const Reply reply = Reply::error(error.retryAfter(std::chrono::seconds(30)));
        CPPUNIT_ASSERT((reply.headers() == Reply::Headers{{"Retry-After", "30"}}));
    }

    void testFailure() {
        CPPUNIT_ASSERT_EQUAL(404, Reply::failure(std::make_exception_ptr(notFound("x"))).status());
        const Reply store = Reply::failure(std::make_exception_ptr(StoreError("/secret/path")));
        CPPUNIT_ASSERT_EQUAL(503, store.status());
        CPPUNIT_ASSERT(whole(store).body.find("secret") == std::string::npos);
        for (const auto& problem :
             {std::make_exception_ptr(std::runtime_error("/secret/path")), std::make_exception_ptr(7)}) {
            const Reply bare = Reply::failure(problem);
            CPPUNIT_ASSERT_EQUAL(500, bare.status());
            CPPUNIT_ASSERT(whole(bare).body.find("secret") == std::string::npos);
        }
    }

    void testHeadersAndDelivery() {
        bool told = false;
        Reply reply =
            Reply::empty(200).header("X-One", "1").header("X-Two", "2").onDelivered([&](bool delivered) {
                told = delivered;
            });
        CPPUNIT_ASSERT((reply.headers() == Reply::Headers{{"X-One", "1"}, {"X-Two", "2"}}));
        reply.takeDelivered()(true);
        CPPUNIT_ASSERT(told);
        CPPUNIT_ASSERT(!reply.takeDelivered());
    }

    void testWaitFor() {
        Reply reply = Reply::waitFor(
            "topic", std::chrono::seconds(3), [] { return Reply::empty(201); }, Reply::empty(204));
        auto& parked = std::get<Reply::Parked>(reply.content());
        CPPUNIT_ASSERT_EQUAL(std::string("topic"), parked.topic);
        CPPUNIT_ASSERT(parked.timeout == std::chrono::seconds(3));
        CPPUNIT_ASSERT_EQUAL(201, parked.retry()->status());
        CPPUNIT_ASSERT_EQUAL(204, parked.otherwise->status());
    }

    void testPromiseIsFulfilledOnce() {
        std::vector<Reply> answers;
        {
            const std::vector<Promise> copies(
                2, Promise([&](Reply answer) { answers.push_back(std::move(answer)); }));
            copies[1].fulfil(Reply::empty(200));
            copies[0].fulfil(Reply::empty(201));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, answers.size());
        CPPUNIT_ASSERT_EQUAL(200, answers[0].status());
    }

    void testAbandonedPromiseTellsOnce() {
        const auto abandonment = std::make_shared<Abandonment>();
        const Promise promise([](Reply) {}, abandonment);
        int told = 0;
        CPPUNIT_ASSERT(!abandonment->watched());
        promise.onAbandoned([&] { ++told; });
        CPPUNIT_ASSERT(abandonment->watched());
        CPPUNIT_ASSERT_EQUAL(0, told);
        abandonment->declare();
        abandonment->declare();
        CPPUNIT_ASSERT_EQUAL(1, told);
        CPPUNIT_ASSERT(!abandonment->watched());
    }

    void testAbandonedBeforeItWasAskedFor() {
        const auto abandonment = std::make_shared<Abandonment>();
        const Promise promise([](Reply) {}, abandonment);
        abandonment->declare();
        int told = 0;
        promise.onAbandoned([&] { ++told; });
        CPPUNIT_ASSERT_EQUAL(1, told);
    }

    void testDroppedPromiseAnswers500() {
        std::vector<Reply> answers;
        auto first = std::make_unique<Promise>([&](Reply answer) { answers.push_back(std::move(answer)); });
        auto last = std::make_unique<Promise>(*first);
        first.reset();
        CPPUNIT_ASSERT(answers.empty());
        last.reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, answers.size());
        CPPUNIT_ASSERT_EQUAL(500, answers[0].status());
    }

    void testWhenStoredAnswersAfterwards() {
        HeldStore store;
        std::vector<Reply> answers;
        bool stored = false;
        start(Reply::whenStored(
                  store, [](Transaction&) {},
                  [&] {
                      stored = true;
                      return Reply::empty(201);
                  }),
              answers);
        CPPUNIT_ASSERT(answers.empty() && !stored);
        store.submitted.at(0).second(nullptr);
        CPPUNIT_ASSERT(stored);
        CPPUNIT_ASSERT_EQUAL(201, answers.at(0).status());
    }

    void testWhenStoredFails() {
        HeldStore store;
        std::vector<Reply> answers;
        bool stored = false;
        start(Reply::whenStored(
                  store, [](Transaction&) {},
                  [&] {
                      stored = true;
                      return Reply::empty(200);
                  }),
              answers);
        store.submitted.at(0).second(std::make_exception_ptr(StoreError("no space on /var/lib")));
        CPPUNIT_ASSERT(!stored);
        CPPUNIT_ASSERT_EQUAL(503, answers.at(0).status());
        CPPUNIT_ASSERT(whole(answers.at(0)).body.find("/var/lib") == std::string::npos);
    }

    void testWhenStoredWithFullQueue() {
        HeldStore store;
        store.full = true;
        std::vector<Reply> answers;
        start(Reply::whenStored(
                  store, [](Transaction&) {}, [] { return Reply::empty(200); }),
              answers);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, answers.size());
        CPPUNIT_ASSERT_EQUAL(503, answers[0].status());
        CPPUNIT_ASSERT(whole(answers[0]).body.find("/var/lib") == std::string::npos);
    }

    void testWhenStoredThenThrows() {
        HeldStore store;
        std::vector<Reply> answers;
        start(Reply::whenStored(
                  store, [](Transaction&) {}, []() -> Reply { throw conflict("job_over", "x"); }),
              answers);
        store.submitted.at(0).second(nullptr);
        CPPUNIT_ASSERT_EQUAL(409, answers.at(0).status());
    }

    void testWhenStoredLeavesOtherExceptionsToTheStore() {
        HeldStore store;
        std::vector<Reply> answers;
        start(Reply::whenStored(
                  store, [](Transaction&) {}, []() -> Reply { throw std::runtime_error("a bug"); }),
              answers);
        CPPUNIT_ASSERT_THROW(store.submitted.at(0).second(nullptr), std::runtime_error);
        store.submitted.clear();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, answers.size());
        CPPUNIT_ASSERT_EQUAL(500, answers[0].status());
        CPPUNIT_ASSERT(whole(answers[0]).body.find("bug") == std::string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ReplyTest);

}  // namespace
}  // namespace sallyport
