// The LLM gateway's policy: which models and how much of them a job may have, what is counted and kept, the
// providers' keys, and what of a worker's request reaches a provider.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>
#include <sqlite3.h>

#include "tests/contract/llm_gateway.h"

namespace sallyport::tests {

namespace {

constexpr const char* completions = "/openai/v1/chat/completions";

/// A text of so many bytes that nobody takes for an image.
std::string words(std::size_t size) {
    std::string text;
    while (text.size() < size) {
        text += "word ";
    }
    return text;
}

/// Everything that the daemon has written into its directory, as one text.
std::string everythingIn(const std::filesystem::path& directory) {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
        if (entry.is_regular_file()) {
            all += readFile(entry.path());
        }
    }
    return all;
}

}  // namespace

class LlmLimitsTest : public LlmGatewayTest {
    CPPUNIT_TEST_SUITE(LlmLimitsTest);
    CPPUNIT_TEST(testOnlyAllowedModels);
    CPPUNIT_TEST(testAliasesStandForModels);
    CPPUNIT_TEST(testParametersAreDropped);
    CPPUNIT_TEST(testRequestsAreLimited);
    CPPUNIT_TEST(testInputTokensAreLimited);
    CPPUNIT_TEST(testOutputTokensAreLimited);
    CPPUNIT_TEST(testCostIsLimited);
    CPPUNIT_TEST(testRequestsAMinuteAreLimited);
    CPPUNIT_TEST(testCallsAtOnceAreLimited);
    CPPUNIT_TEST(testFailedCallsCountAsRequests);
    CPPUNIT_TEST(testLimitsSurviveAKill);
    CPPUNIT_TEST(testConcurrentCallsOverspendByOneEach);
    CPPUNIT_TEST(testConcurrentCallsNeverExceedTheirNumber);
    CPPUNIT_TEST(testCallsThatWereLeftAreCharged);
    CPPUNIT_TEST(testUsageIsSummedUp);
    CPPUNIT_TEST(testUsageIsPaged);
    CPPUNIT_TEST(testUsageIsForThoseWhoMaySeeIt);
    CPPUNIT_TEST(testUsageIsOnTheJob);
    CPPUNIT_TEST(testCacheIsCounted);
    CPPUNIT_TEST(testCountingIsFree);
    CPPUNIT_TEST(testStreamsAreCounted);
    CPPUNIT_TEST(testStreamsThatWereLeftAreCounted);
    CPPUNIT_TEST(testContentIsNotKept);
    CPPUNIT_TEST(testContentIsKeptOnRequest);
    CPPUNIT_TEST(testKeyFromTheVault);
    CPPUNIT_TEST(testKeyThatWasChangedInTheVault);
    CPPUNIT_TEST(testKeyThatTheVaultDoesNotGive);
    CPPUNIT_TEST(testKeyFromAFile);
    CPPUNIT_TEST(testKeyFromTheEnvironment);
    CPPUNIT_TEST(testKeyThatIsNotThereIsToldInTheLog);
    CPPUNIT_TEST(testKeyThatIsNoHeaderIsNotSent);
    CPPUNIT_TEST(testKeyIsNowhere);
    CPPUNIT_TEST(testHeadersOfAWorkerStayHere);
    CPPUNIT_TEST(testNamedHeadersGoOn);
    CPPUNIT_TEST(testModelNamesChooseNoAddress);
    CPPUNIT_TEST(testBodyMustBeDeclaredAsJson);
    CPPUNIT_TEST(testBadSettingsStopTheStart);
    CPPUNIT_TEST_SUITE_END();

public:
    void testOnlyAllowedModels() {
        start({{"llm.allowed_models", "model-a, model-b*, claude-x"}});
        answerAll();
        for (const char* model : {"model-a", "model-b", "model-b-2"}) {
            for (const Api api : {Api::seed, Api::openai}) {
                ASSERT_STATUS(200, ask(api, "hello", model));
                CPPUNIT_ASSERT_EQUAL(std::string(model), lastBody("model"));
            }
        }
        ASSERT_STATUS(200, ask(Api::anthropic));
        const std::size_t before = asked();
        for (const char* model : {"model-c", "model-a2", "MODEL-A", "model-a ", "*", "model-b*"}) {
            for (const Api api : {Api::seed, Api::openai}) {
                if (std::string_view(model) != "model-b*") {
                    ASSERT_GATEWAY_ERROR(403, "model_not_allowed", ask(api, "hello", model));
                }
            }
        }
        ASSERT_GATEWAY_ERROR(403, "model_not_allowed", ask(Api::anthropic, "hello", "claude-y"));
        ASSERT_GATEWAY_ERROR(403, "model_not_allowed", worker().get("/openai/v1/models/model-c"));
        ASSERT_GATEWAY_ERROR(422, "invalid_field",
                             worker().post(completions, R"({"model":"","messages":[]})"));
        ASSERT_GATEWAY_ERROR(422, "invalid_field",
                             worker().post(completions, R"({"model":7,"messages":[]})"));
        CPPUNIT_ASSERT_EQUAL(before, asked());
        // What is refused before it is a call is in no record.
        ASSERT_FIELD("0", awaitCalls(7), "total.failed");
        // Nobody serves it, though it may be asked for.
        daemon().options().settings["llm.allowed_models"] = "*";
        daemon().terminate();
        daemon().start();
        ASSERT_GATEWAY_ERROR(404, "model_not_found", ask(Api::openai, "hello", "gpt-none"));
    }

    void testAliasesStandForModels() {
        start({{"llm.aliases", "fast=model-b, small=claude-s, hidden=model-h"},
               {"llm.allowed_models", "fast, small, model-a"},
               {"llm.provider.main.models", "model-b=B-2026, model-*"}});
        answerAll();
        for (const Api api : {Api::seed, Api::openai}) {
            ASSERT_STATUS(200, ask(api, "hello", "fast"));
            CPPUNIT_ASSERT_EQUAL(std::string("B-2026"), lastBody("model"));
            // The alias may be used, what it stands for may not.
            ASSERT_GATEWAY_ERROR(403, "model_not_allowed", ask(api, "hello", "model-b"));
            ASSERT_GATEWAY_ERROR(403, "model_not_allowed", ask(api, "hello", "hidden"));
        }
        ASSERT_STATUS(200, ask(Api::anthropic, "hello", "small"));
        CPPUNIT_ASSERT_EQUAL(std::string("claude-s"), lastBody("model"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, asked());
    }

    void testParametersAreDropped() {
        start({{"llm.drop_parameters", "model-a=temperature+stop, model-*=seed, claude-*=temperature"}});
        answerAll();
        const std::string seed = R"({"messages":[{"role":"user","content":"hi"}],"temperature":0.5,)"
                                 R"("stop_sequences":["x"],"model":")";
        Client client = worker();
        ASSERT_STATUS(200, client.post("/llm/complete", seed + "model-a\"}"));
        CPPUNIT_ASSERT_EQUAL(std::string("(absent)"), lastBody("temperature"));
        CPPUNIT_ASSERT_EQUAL(std::string("(absent)"), lastBody("stop"));
        ASSERT_STATUS(200, client.post("/llm/complete", seed + "model-b\"}"));
        CPPUNIT_ASSERT_EQUAL(std::string("0.5"), lastBody("temperature"));
        CPPUNIT_ASSERT_EQUAL(std::string("x"), lastBody("stop.0"));
        // On the provider's own API nothing else is touched.
        ASSERT_STATUS(200, client.post(completions, R"({ "temperature" : 1, "model": "model-a", "seed":3,)"
                                                    "\n\"messages\": [ ],\t\"stop\":[],\"top_p\":1e0 }"));
        CPPUNIT_ASSERT_EQUAL(std::string("{ \"model\": \"model-a\",\n\"messages\": [ ],\"top_p\":1e0 }"),
                             upstream().requests().back().body);
        ASSERT_STATUS(200, client.post("/anthropic/v1/messages",
                                       R"({"model":"claude-x","messages":[],"temperature":1})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"model":"claude-x","messages":[]})"),
                             upstream().requests().back().body);
    }

    void testRequestsAreLimited() {
        start({{"llm.limit.requests", "3"}});
        answerAll();
        for (const Api api : allApis) {
            ASSERT_STATUS(200, ask(api));
        }
        assertLimited("request_limit");
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, asked());
        // What was refused is not counted, and another job has its own.
        ASSERT_FIELD("3", awaitCalls(3), "total.requests");
        newJob();
        ASSERT_STATUS(200, ask());
    }

    void testInputTokensAreLimited() {
        assertLimitAfter(3, {{"llm.limit.input_tokens", "21"}}, "input_token_limit");
    }

    void testOutputTokensAreLimited() {
        assertLimitAfter(2, {{"llm.limit.output_tokens", "10"}}, "output_token_limit");
    }

    /// A call is 10 tokens in and 5 out: $0.00012.
    void testCostIsLimited() {
        assertLimitAfter(3, {{"llm.limit.cost", "0.00025"}, {"llm.prices", "model-*=2/20, claude-*=2/20"}},
                         "cost_limit");
    }

    void testRequestsAMinuteAreLimited() {
        start({{"llm.limit.requests_per_minute", "2"}});
        answerAll();
        ASSERT_STATUS(200, ask());
        ASSERT_STATUS(200, ask(Api::openai));
        for (const Api api : allApis) {
            const Response response = ask(api);
            ASSERT_GATEWAY_ERROR(429, "rate_limit", response);
            const int seconds = std::stoi(response.header("Retry-After"));
            CPPUNIT_ASSERT_MESSAGE(response.describe(), seconds > 0 && seconds <= 30);
        }
        newJob();
        ASSERT_STATUS(200, ask());
    }

    void testCallsAtOnceAreLimited() {
        start({{"llm.limit.concurrency", "2"}, {"llm.queue.timeout", "1ms"}});
        const auto permits = std::make_shared<Permits>();
        holdNext(permits, 2);
        Connection first = begin();
        Connection second = begin(Api::openai);
        awaitAsked(2);
        for (const Api api : allApis) {
            const Response response = ask(api);
            ASSERT_GATEWAY_ERROR(429, "concurrency_limit", response);
            CPPUNIT_ASSERT_EQUAL(std::string("1"), response.header("Retry-After"));
        }
        const CreatedJob mine = job();
        newJob();
        answerNext();
        ASSERT_STATUS(200, ask());
        permits->grant(2);
        ASSERT_STATUS(200, first.receive());
        ASSERT_STATUS(200, second.receive());
        answerNext();
        ASSERT_STATUS(200, workerClient(daemon(), mine).post("/llm/complete", question(Api::seed)));
    }

    void testFailedCallsCountAsRequests() {
        start({{"llm.limit.requests", "2"}});
        upstream().next(scripts::hangUp());
        ASSERT_GATEWAY_ERROR(502, "broken", ask(Api::openai));
        upstream().next(scripts::answer(500, "{}"));
        ASSERT_GATEWAY_ERROR(502, "provider_error", ask());
        assertLimited("request_limit");
        const Response usage = awaitCalls(2);
        ASSERT_FIELD("2", usage, "total.failed");
        ASSERT_FIELD("0", usage, "total.input_tokens");
        ASSERT_FIELD("0", usage, "total.cost_usd");
    }

    void testLimitsSurviveAKill() {
        for (const auto& [setting, value, code] :
             {std::tuple("llm.limit.requests", "2", "request_limit"),
              std::tuple("llm.limit.input_tokens", "20", "input_token_limit"),
              std::tuple("llm.limit.output_tokens", "10", "output_token_limit"),
              std::tuple("llm.limit.cost", "0.0002", "cost_limit")}) {
            start({{setting, value}, {"llm.prices", "*=10/0"}});
            answerAll();
            ASSERT_STATUS(200, ask());
            ASSERT_STATUS(200, ask(Api::anthropic));
            // Reading it waits until it is stored.
            const std::string usage = awaitCalls(2).at("total");
            daemon().kill();
            daemon().start();
            assertLimited(code);
            CPPUNIT_ASSERT_EQUAL(usage, awaitCalls(2).at("total"));
            newJob();
            ASSERT_STATUS(200, ask());
        }
    }

    /// All were admitted before any of them had used anything.
    void testConcurrentCallsOverspendByOneEach() {
        constexpr std::size_t calls = 4;
        start({{"llm.limit.output_tokens", "1"}, {"llm.limit.concurrency", std::to_string(calls)}});
        const auto permits = std::make_shared<Permits>();
        holdNext(permits, calls);
        std::vector<Connection> running;
        running.reserve(calls);
        for (std::size_t i = 0; i < calls; ++i) {
            running.push_back(begin());
        }
        awaitAsked(calls);
        permits->grant(calls);
        for (Connection& connection : running) {
            ASSERT_STATUS(200, connection.receive());
        }
        assertLimited("output_token_limit");
        CPPUNIT_ASSERT_EQUAL(calls, asked());
        ASSERT_FIELD("20", awaitCalls(calls), "total.output_tokens");
    }

    void testConcurrentCallsNeverExceedTheirNumber() {
        constexpr std::size_t allowed = 5;
        start({{"llm.limit.requests", std::to_string(allowed)}});
        answerAll();
        std::vector<Connection> running;
        for (int i = 0; i < 24; ++i) {
            running.push_back(begin(allApis[i % 3]));
        }
        std::size_t answered = 0;
        for (Connection& connection : running) {
            const Response response = connection.receive();
            if (response.status == 200) {
                ++answered;
            } else {
                ASSERT_GATEWAY_ERROR(429, "request_limit", response);
            }
        }
        CPPUNIT_ASSERT_EQUAL(allowed, answered);
        CPPUNIT_ASSERT_EQUAL(allowed, asked());
        ASSERT_FIELD("0", awaitCalls(allowed), "total.failed");
    }

    /// A worker that leaves each time before it is answered has the provider work for nothing otherwise.
    void testCallsThatWereLeftAreCharged() {
        start({{"llm.limit.input_tokens", "100"}});
        const std::string text = words(1000);
        for (const Api api : allApis) {
            newJob();
            const std::size_t before = asked();
            upstream().next(scripts::silence());
            {
                const Connection gone = begin(api, text);
                awaitAsked(before + 1);
            }
            const Response usage = awaitCalls(1);
            ASSERT_FIELD("0", usage, "total.failed");
            const int tokens = std::stoi(usage.at("total.input_tokens"));
            CPPUNIT_ASSERT_MESSAGE(usage.describe(), tokens >= 250 && tokens < 300);
            ASSERT_GATEWAY_ERROR(429, "input_token_limit", ask(api));
        }
    }

    void testUsageIsSummedUp() {
        start({{"llm.prices", "model-a=1000/2000, model-b=1/1"}});
        answerAll();
        ASSERT_STATUS(200, ask(Api::seed, "hello", "model-a"));
        ASSERT_STATUS(200, ask(Api::openai, "hello", "model-b"));
        ASSERT_STATUS(200, ask(Api::anthropic));
        const std::string mine = job().id;
        Client client = operators();
        const CreatedJob hers = createJob(client, R"({"task":"t","user_id":"alice"})");
        upstream().next(scripts::answer(500, "{}"));
        ASSERT_STATUS(502, workerClient(daemon(), hers).post("/llm/complete", question(Api::seed)));
        ASSERT_STATUS(200, workerClient(daemon(), hers).post("/llm/complete", question(Api::seed)));

        const Response byJob = client.get("/usage");
        ASSERT_STATUS(200, byJob);
        assertTotals(byJob, "total", {5, 1, 40, 20});
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, byJob.size("groups"));
        ASSERT_FIELD(hers.id, byJob, "groups.0.job_id");
        assertTotals(byJob, "groups.0", {2, 1, 10, 5});
        ASSERT_FIELD(mine, byJob, "groups.1.job_id");
        assertTotals(byJob, "groups.1", {3, 0, 30, 15});
        // 10 * 0.001 + 5 * 0.002, and 15 millionths.
        CPPUNIT_ASSERT_DOUBLES_EQUAL(0.020015, std::stod(byJob.at("groups.1.cost_usd")), 1e-12);

        const Response byUser = client.get("/usage?by=user");
        ASSERT_FIELD("alice", byUser, "groups.0.user_id");
        ASSERT_FIELD("default", byUser, "groups.1.user_id");
        assertTotals(byUser, "groups.1", {3, 0, 30, 15});

        const Response byModel = client.get("/usage?by=model");
        const std::map<std::string, Totals> models{{"model-x", {2, 1, 10, 5}},
                                                   {"model-a", {1, 0, 10, 5}},
                                                   {"model-b", {1, 0, 10, 5}},
                                                   {"claude-x", {1, 0, 10, 5}}};
        CPPUNIT_ASSERT_EQUAL(models.size(), byModel.size("groups"));
        for (std::size_t i = 0; i < models.size(); ++i) {
            const std::string group = "groups." + std::to_string(i);
            assertTotals(byModel, group, models.at(byModel.at(group + ".model")));
        }

        const Response byDay = client.get("/usage?by=day");
        // At most two, where midnight came in between.
        CPPUNIT_ASSERT_MESSAGE(byDay.describe(), byDay.size("groups") == 1 || byDay.size("groups") == 2);
        CPPUNIT_ASSERT_EQUAL(std::size_t{10}, byDay.at("groups.0.day").size());
        assertTotals(byDay, "total", {5, 1, 40, 20});

        assertTotals(client.get("/usage?job_id=" + hers.id), "total", {2, 1, 10, 5});
        assertTotals(client.get("/usage?user_id=alice"), "total", {2, 1, 10, 5});
        assertTotals(client.get("/usage?user_id=*&since=2020-01-01"), "total", {5, 1, 40, 20});
        assertTotals(client.get("/usage?until=2020-01-01T00:00:00Z"), "total", {0, 0, 0, 0});
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, client.get("/usage?since=2999-01-01").size("groups"));
        for (const char* query : {"by=hour", "job_id=7", "since=yesterday", "limit=0", "limit=201",
                                  "cursor=x", "until=2026-02-30"}) {
            ASSERT_REFUSED(400, client.get("/usage?" + std::string(query)));
        }
    }

    void testUsageIsPaged() {
        start();
        answerAll();
        std::vector<std::string> jobs;
        for (int i = 0; i < 5; ++i) {
            newJob();
            jobs.insert(jobs.begin(), job().id);
            ASSERT_STATUS(200, ask());
        }
        Client client = operators();
        std::vector<std::string> listed;
        std::string cursor;
        do {
            const Response page =
                client.get("/usage?limit=2" + (cursor.empty() ? cursor : "&cursor=" + cursor));
            ASSERT_STATUS(200, page);
            assertTotals(page, "total", {5, 0, 50, 25});
            for (std::size_t i = 0; i < page.size("groups"); ++i) {
                listed.push_back(page.at("groups." + std::to_string(i) + ".job_id"));
            }
            cursor = page.at("next_cursor");
            if (listed.size() == 2) {
                // What comes meanwhile disturbs nothing.
                ASSERT_STATUS(200, ask());
            }
        } while (cursor != "(absent)");
        CPPUNIT_ASSERT(jobs == listed);
    }

    void testUsageIsForThoseWhoMaySeeIt() {
        start();
        answerAll();
        Client admin = operators();
        std::map<std::string, std::string> jobs;
        for (const std::string user : {"alice", "bob"}) {
            const CreatedJob job = createJob(admin, R"({"task":"t","user_id":")" + user + "\"}");
            jobs[user] = job.id;
            ASSERT_STATUS(200, workerClient(daemon(), job).post("/llm/complete", question(Api::seed)));
        }
        assertTotals(admin.get("/usage"), "total", {2, 0, 20, 10});
        for (const char* role : {"viewer", "user"}) {
            Client alice = operatorClient(daemon(), createToken(daemon(), "alice", role));
            for (const char* query : {"", "?by=user", "?user_id=alice"}) {
                const Response own = alice.get("/usage" + std::string(query));
                assertTotals(own, "total", {1, 0, 10, 5});
                ASSERT_LACKS("bob", own.body);
                ASSERT_LACKS(jobs["bob"], own.body);
            }
            assertTotals(alice.get("/usage?job_id=" + jobs["bob"]), "total", {0, 0, 0, 0});
            ASSERT_REFUSED(404, alice.get("/usage?user_id=bob"));
            ASSERT_REFUSED(403, alice.get("/usage?user_id=*"));
            ASSERT_REFUSED(404, alice.get("/jobs/" + jobs["bob"]));
        }
        ASSERT_UNAUTHORIZED(exchange(daemon().operators(), Request("GET", "/api/usage")));
        ASSERT_UNAUTHORIZED(operatorClient(daemon(), job().token).get("/usage"));
        ASSERT_REFUSED(404, worker().get("/usage"));
    }

    void testUsageIsOnTheJob() {
        start({{"llm.prices", "model-x=100/100"}});
        answerAll();
        const std::string path = "/jobs/" + job().id;
        Client client = operators();
        assertTotals(client.get(path), "usage", {0, 0, 0, 0});
        ASSERT_STATUS(200, ask());
        ASSERT_STATUS(200, ask());
        const Response detail = client.get(path);
        assertTotals(detail, "usage", {2, 0, 20, 10});
        CPPUNIT_ASSERT_DOUBLES_EQUAL(0.003, std::stod(detail.at("usage.cost_usd")), 1e-12);
        // It stays when the job is over, and over a restart of the daemon.
        ASSERT_STATUS(200, worker().post("/complete", R"({"success":true,"iterations":1})"));
        assertTotals(client.get(path), "usage", {2, 0, 20, 10});
        daemon().terminate();
        daemon().start();
        assertTotals(operators().get(path), "usage", {2, 0, 20, 10});
    }

    void testCacheIsCounted() {
        start({{"llm.prices", "model-x=1000/1000/100/2000, claude-x=1000/1000/100/2000"}});
        upstream().next(scripts::answer(
            200, R"({"choices":[{"index":0,"message":{"role":"assistant","content":"x"},)"
                 R"("finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":1,)"
                 R"("prompt_tokens_details":{"cached_tokens":60}}})"));
        ASSERT_STATUS(200, ask());
        Response usage = awaitCalls(1);
        ASSERT_FIELD("100", usage, "total.input_tokens");
        ASSERT_FIELD("60", usage, "total.cache_read_input_tokens");
        // 40 at full price, 60 at a tenth of it, and one of output.
        CPPUNIT_ASSERT_DOUBLES_EQUAL(0.047, std::stod(usage.at("total.cost_usd")), 1e-12);
        newJob();
        upstream().next(scripts::answer(
            200, R"({"type":"message","role":"assistant","content":[],"stop_reason":"end_turn",)"
                 R"("usage":{"input_tokens":10,"output_tokens":1,"cache_read_input_tokens":60,)"
                 R"("cache_creation_input_tokens":30}})"));
        ASSERT_STATUS(200, ask(Api::anthropic));
        usage = awaitCalls(1);
        ASSERT_FIELD("100", usage, "total.input_tokens");
        ASSERT_FIELD("60", usage, "total.cache_read_input_tokens");
        ASSERT_FIELD("30", usage, "total.cache_creation_input_tokens");
        CPPUNIT_ASSERT_DOUBLES_EQUAL(0.077, std::stod(usage.at("total.cost_usd")), 1e-12);
    }

    void testCountingIsFree() {
        start({{"llm.prices", "*=1000/1000"}});
        const std::string path = "/anthropic/v1/messages/count_tokens";
        upstream().on(path, scripts::answer(200, R"({"input_tokens":2095})"));
        const Response response = worker().post(path, question(Api::anthropic));
        ASSERT_FIELD("2095", response, "input_tokens");
        assertTotals(awaitCalls(1), "total", {1, 0, 0, 0});
    }

    void testStreamsAreCounted() {
        start({{"llm.limit.requests", "1"}});
        for (const Api api : allApis) {
            newJob();
            upstream().next(scripts::chunked({streamOf(api)}, {{"Content-Type", "text/event-stream"}}));
            const std::string all = beginStream(api).rest();
            ASSERT_CONTAINS("fine", all);
            assertTotals(awaitCalls(1), "total", {1, 0, 10, 5});
            StreamedAnswer refused = beginStream(api);
            ASSERT_STATUS(429, refused.head());
            ASSERT_CONTAINS("request_limit", refused.rest());
        }
    }

    /// As far as the provider has told, and estimated where it has not.
    void testStreamsThatWereLeftAreCounted() {
        start();
        const auto permits = std::make_shared<Permits>();
        const std::string text(400, 'y');
        for (const Api api : allApis) {
            newJob();
            upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, text), ""}, permits));
            permits->grant();
            {
                StreamedAnswer gone = beginStream(api, words(4000));
                for (std::string seen; seen.find(text) == std::string::npos;) {
                    seen = gone.next();
                }
            }
            const Response usage = awaitCalls(1);
            ASSERT_FIELD("0", usage, "total.failed");
            const int input = std::stoi(usage.at("total.input_tokens"));
            const int output = std::stoi(usage.at("total.output_tokens"));
            CPPUNIT_ASSERT_MESSAGE(usage.describe(), api == Api::anthropic ? input == 10 : input >= 1000);
            CPPUNIT_ASSERT_MESSAGE(usage.describe(), input < 1100);
            CPPUNIT_ASSERT_MESSAGE(usage.describe(), output >= 100 && output < 110);
        }
    }

    void testContentIsNotKept() {
        start();
        converse("marker-of-the-question", "marker-of-the-answer");
        daemon().terminate();
        const std::string all = everythingIn(daemon().dataDirectory()) + daemon().log();
        ASSERT_LACKS("marker-of-the-question", all);
        ASSERT_LACKS("marker-of-the-answer", all);
        daemon().start();
    }

    void testContentIsKeptOnRequest() {
        start({{"llm.log_content", "true"}});
        converse("marker-of-the-question", "marker-of-the-answer");
        awaitCalls(6);
        // Nothing of it is in the answers of the API or in the log.
        Client client = operators();
        for (const std::string path : {"/usage", "/usage?by=model", "/jobs"}) {
            ASSERT_LACKS("marker-of", client.get(path).body);
        }
        ASSERT_LACKS("marker-of", daemon().log());
        daemon().terminate();
        const auto kept = storedContents();
        CPPUNIT_ASSERT_EQUAL(std::size_t{6}, kept.size());
        for (const auto& [question, answer] : kept) {
            ASSERT_CONTAINS("marker-of-the-question", question);
            ASSERT_CONTAINS("marker-of-the-answer", answer);
            ASSERT_LACKS(providerKey, question);
        }
        daemon().start();
    }

    void testKeyFromTheVault() {
        start({{"llm.provider.main.key", "secret:openai"},
               {"llm.provider.claude.key", "secret:alice/claude"},
               {"llm.key_cache", "1h"}});
        answerAll();
        Client client = operators();
        put("/secrets/openai", "sk-vault-1");
        put("/secrets/claude", "sk-vault-2", R"(,"user_id":"alice")");
        for (int i = 0; i < 3; ++i) {
            ASSERT_STATUS(200, ask());
            CPPUNIT_ASSERT_EQUAL(std::string("Bearer sk-vault-1"), lastHeader("authorization"));
            ASSERT_STATUS(200, ask(Api::anthropic));
            CPPUNIT_ASSERT_EQUAL(std::string("sk-vault-2"), lastHeader("x-api-key"));
        }
        // Each reading is in the trail, and one was enough.
        const Response trail = client.get("/audit?secret_name=openai");
        CPPUNIT_ASSERT_EQUAL_MESSAGE(trail.describe(), std::size_t{2}, trail.size("entries"));
        ASSERT_FIELD("reveal", trail, "entries.0.action");
        ASSERT_FIELD("plugin:llm", trail, "entries.0.actor");
        ASSERT_FIELD("ok", trail, "entries.0.outcome");
        assertNowhere("sk-vault-");
    }

    void testKeyThatWasChangedInTheVault() {
        start({{"llm.provider.main.key", "secret:openai"}, {"llm.key_cache", "24h"}, {"llm.retry.max", "3"}});
        const auto onlyNew = [](UpstreamExchange& exchange) {
            const std::string key = exchange.request().header("authorization");
            if (key == "Bearer sk-new-of-the-vault") {
                exchange.answer(200, answerOf(Api::openai));
            } else {
                exchange.answer(401, R"({"error":{"message":"Incorrect API key provided: )" + key + R"("}})");
            }
        };
        put("/secrets/openai", "sk-old-of-the-vault");
        answerNext();
        ASSERT_STATUS(200, ask());
        upstream().on("/v1/chat/completions", onlyNew);
        put("/secrets/openai", "sk-new-of-the-vault");
        // The old one is still in use, until the provider refuses it.
        for (const Api api : {Api::seed, Api::openai}) {
            const Response refused = ask(api);
            if (api == Api::seed) {
                ASSERT_GATEWAY_ERROR(502, "provider_key", refused);
            } else {
                ASSERT_STATUS(200, refused);
            }
            ASSERT_LACKS("sk-old-of-the-vault", refused.describe());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, asked());
        assertNowhere("sk-old-of-the-vault");
        assertNowhere("sk-new-of-the-vault");
    }

    void testKeyThatTheVaultDoesNotGive() {
        start({{"llm.provider.main.key", "secret:not-there"},
               {"llm.provider.claude.key", "secret:not-allowed"},
               {"credentials.plugin.llm.secrets", "not-there"}});
        put("/secrets/not-allowed", "sk-not-allowed");
        for (const Api api : allApis) {
            const Response response = ask(api);
            ASSERT_GATEWAY_ERROR(502, "provider_key", response);
            ASSERT_TELLS_NOTHING(response);
            ASSERT_LACKS("not-there", response.describe());
            ASSERT_LACKS("not-allowed", response.describe());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, asked());
        ASSERT_CONTAINS("not-there", daemon().log());
        const Response trail = operators().get("/audit?secret_name=not-allowed");
        ASSERT_FIELD("denied", trail, "entries.0.outcome");
        // Once it is there it is used.
        put("/secrets/not-there", "sk-now");
        answerNext();
        ASSERT_STATUS(200, ask());
        CPPUNIT_ASSERT_EQUAL(std::string("Bearer sk-now"), lastHeader("authorization"));
    }

    void testKeyFromAFile() {
        const std::filesystem::path file = files() / "key";
        writeFile(file, "  sk-file-1\r\n");
        start({{"llm.provider.main.key", "file:" + file.string()}, {"llm.key_cache", "0"}});
        answerAll();
        ASSERT_STATUS(200, ask());
        CPPUNIT_ASSERT_EQUAL(std::string("Bearer sk-file-1"), lastHeader("authorization"));
        // It is read anew.
        writeFile(file, "sk-file-2");
        ASSERT_STATUS(200, ask());
        CPPUNIT_ASSERT_EQUAL(std::string("Bearer sk-file-2"), lastHeader("authorization"));
        for (const std::string& content : std::vector<std::string>{"", "\n", std::string(20'000, 'k')}) {
            writeFile(file, content);
            const Response response = ask();
            ASSERT_GATEWAY_ERROR(502, "provider_key", response);
            ASSERT_TELLS_NOTHING(response);
        }
        std::filesystem::remove(file);
        ASSERT_GATEWAY_ERROR(502, "provider_key", ask());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked());
        assertNowhere("sk-file-");
    }

    void testKeyFromTheEnvironment() {
        start();
        answerAll();
        ASSERT_STATUS(200, ask());
        CPPUNIT_ASSERT_EQUAL("Bearer " + std::string(providerKey), lastHeader("authorization"));
        ASSERT_STATUS(200, ask(Api::anthropic));
        CPPUNIT_ASSERT_EQUAL(std::string(providerKey), lastHeader("x-api-key"));
        CPPUNIT_ASSERT_EQUAL(std::string(), lastHeader("authorization"));
    }

    void testKeyThatIsNotThereIsToldInTheLog() {
        start({{"llm.provider.main.key", "env:NO_SUCH_KEY"}, {"llm.provider.claude.key", ""}});
        answerAll();
        const Response response = ask();
        ASSERT_GATEWAY_ERROR(502, "provider_key", response);
        CPPUNIT_ASSERT_EQUAL(std::string("the provider's key is not to be had"),
                             response.at("error.message"));
        ASSERT_LACKS("NO_SUCH_KEY", response.describe());
        ASSERT_CONTAINS("NO_SUCH_KEY", daemon().log());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, asked());
        // One that needs none gets none.
        ASSERT_STATUS(200, ask(Api::anthropic));
        CPPUNIT_ASSERT_EQUAL(std::string(), lastHeader("x-api-key"));
        CPPUNIT_ASSERT_EQUAL(std::string(), lastHeader("authorization"));
    }

    void testKeyThatIsNoHeaderIsNotSent() {
        start({{"llm.provider.main.key", "secret:odd"}, {"llm.key_cache", "0"}});
        for (const char* key :
             {R"(sk-odd\r\nX-Injected: 1)", R"(sk odd)", R"(sk-\u00f6dd)", R"(sk-odd\u007f)"}) {
            put("/secrets/odd", key);
            const Response response = ask();
            ASSERT_GATEWAY_ERROR(502, "provider_key", response);
            ASSERT_LACKS("odd", response.describe());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, asked());
        assertNowhere("sk-odd");
    }

    void testKeyIsNowhere() {
        start({{"llm.log_content", "true"}, {"llm.retry.max", "1"}});
        const std::string leak =
            "'Bearer " + std::string(providerKey) + "' x-api-key: " + std::string(providerKey);
        for (const Api api : allApis) {
            for (const int status : {400, 401, 402, 403, 404, 429, 500}) {
                for (int i = 0; i < 2; ++i) {
                    upstream().next(
                        scripts::answer(status, R"({"type":"error","error":{"message":")" + leak + R"("}})"));
                }
                ASSERT_LACKS(providerKey, ask(api).describe());
                // The script that was left over, where it was not tried again.
                ASSERT_LACKS(providerKey, ask(api).describe());
                answerNext(api);
                static_cast<void>(ask(api));
                answerAll();
            }
        }
        ASSERT_LACKS(providerKey, operators().get("/plugins").body);
        assertNowhere(std::string(providerKey));
    }

    void testHeadersOfAWorkerStayHere() {
        start();
        answerAll();
        for (const Api api : allApis) {
            Request request = worker().request("POST", pathOf(api));
            for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
                     {"X-Custom", "smuggled"},
                     {"X-Forwarded-Host", "smuggled.example"},
                     {"Forwarded", "host=smuggled.example"},
                     {"X-Forwarded-For", "smuggled"},
                     {"X-Http-Method-Override", "smuggled"},
                     {"X-Original-Url", "/smuggled"},
                     {"OpenAI-Organization", "smuggled"},
                     {"OpenAI-Project", "smuggled"},
                     {"Anthropic-Dangerous-Direct-Browser-Access", "smuggled"},
                     {"Cookie", "a=smuggled"},
                     {"Referer", "smuggled"},
                     {"User-Agent", "smuggled"},
                     {"Proxy-Authorization", "Basic smuggled"},
                     {"Proxy-Connection", "smuggled"},
                     {"Proxy", "http://smuggled.example"},
                     {"TE", "trailers"},
                     {"Trailer", "X-Smuggled"},
                     {"Connection", "X-Custom, Anthropic-Version"},
                     {"Upgrade", "h2c"},
                     {"X-Api-Key-2", "smuggled"}}) {
                request.header(name, value);
            }
            const Response response = exchange(daemon().worker(), request.json(question(api)));
            ASSERT_STATUS(200, response);
            const SeenRequest seen = upstream().requests().back();
            for (const auto& [name, value] : seen.headers) {
                ASSERT_LACKS("smuggled", value);
                ASSERT_LACKS("smuggled", name);
            }
            for (const char* name : {"te", "trailer", "upgrade", "x-custom", "cookie", "proxy-authorization",
                                     "forwarded", "x-forwarded-for"}) {
                CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::size_t{0}, seen.count(name));
            }
            CPPUNIT_ASSERT_EQUAL(upstream().url().substr(7), seen.header("host"));
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, seen.count("host"));
            // One key, and it is not the worker's token.
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, seen.count("authorization") + seen.count("x-api-key"));
            for (const auto& [name, value] : seen.headers) {
                ASSERT_LACKS(job().token, value);
            }
        }
        // A request for elsewhere, in the form for proxies, is for here.
        Connection connection(daemon().worker());
        connection.send("POST http://smuggled.example/worker/" + job().id +
                        "/llm/complete HTTP/1.1\r\nHost: " + "smuggled.example\r\nAuthorization: Bearer " +
                        job().token + "\r\nContent-Type: application/json\r\nContent-Length: " +
                        std::to_string(question(Api::seed).size()) + "\r\n\r\n" + question(Api::seed));
        static_cast<void>(connection.receive());
        for (const SeenRequest& seen : upstream().requests()) {
            CPPUNIT_ASSERT_EQUAL(upstream().url().substr(7), seen.header("host"));
        }
    }

    void testNamedHeadersGoOn() {
        start({{"llm.forward_headers", "anthropic-beta, x-session"}});
        answerAll();
        const auto send = [&](Api api, const std::string& value) {
            Request request = worker().request("POST", pathOf(api));
            request.header("Anthropic-Beta", value).header("X-Session", value).json(question(api));
            ASSERT_STATUS(200, exchange(daemon().worker(), request));
        };
        for (const Api api : {Api::openai, Api::anthropic}) {
            send(api, "tools-2024, x=1");
            CPPUNIT_ASSERT_EQUAL(std::string("tools-2024, x=1"), lastHeader("anthropic-beta"));
            CPPUNIT_ASSERT_EQUAL(std::string("tools-2024, x=1"), lastHeader("x-session"));
            for (const std::string& odd : {std::string("a\tb"), std::string("\"quoted\""),
                                           std::string("http://x/"), std::string(2000, 'a')}) {
                send(api, odd);
                CPPUNIT_ASSERT_EQUAL(std::string(), lastHeader("anthropic-beta"));
                CPPUNIT_ASSERT_EQUAL(std::string(), lastHeader("x-session"));
            }
        }
        // Those of the gateway's own language have none of a provider's.
        send(Api::seed, "tools-2024");
        CPPUNIT_ASSERT_EQUAL(std::string(), lastHeader("x-session"));
    }

    void testModelNamesChooseNoAddress() {
        start({{"llm.provider.main.models", ""}});
        upstream().on("/v1/models/model-x", scripts::answer(200, R"({"id":"model-x"})"));
        Client client = worker();
        ASSERT_FIELD("model-x", client.get("/openai/v1/models/model-x"), "id");
        CPPUNIT_ASSERT_EQUAL(std::string("/v1/models/model-x"), upstream().requests().back().target);
        for (const auto& [asked, seen] : std::map<std::string, std::string>{
                 {"org/model-x", "/v1/models/org%2Fmodel-x"},
                 {"org%2Fmodel-x", "/v1/models/org%2Fmodel-x"},
                 {"a%3Fkey=1", "/v1/models/a%3Fkey%3D1"},
                 {"a%23b", "/v1/models/a%23b"},
                 {"a%2525b", "/v1/models/a%2525b"},
                 {"http:%2F%2Fsmuggled.example", "/v1/models/http:%2F%2Fsmuggled.example"},
                 {"@smuggled.example", "/v1/models/%40smuggled.example"},
                 {"model-x?after=1&key=2", "/v1/models/model-x"}}) {
            static_cast<void>(client.get("/openai/v1/models/" + asked));
            CPPUNIT_ASSERT_EQUAL(seen, upstream().requests().back().target);
        }
        const std::size_t before = this->asked();
        for (const char* name :
             {"../chat/completions", "..%2f..%2fadmin", "%2e%2e/%2e%2e/admin", "%2e%2e", "a/../../b",
              "a%0d%0ab", "a%00b", "a%20b", "a%5cb", "a%ffb", "a%0aHost:%20smuggled.example"}) {
            const Response response =
                exchange(client.endpoint(), client.request("GET", "/openai/v1/models/" + std::string(name)));
            CPPUNIT_ASSERT_MESSAGE(
                std::string(name) + "\n" + response.describe(),
                response.status == 404 || response.status == 400 || response.status == 405);
        }
        CPPUNIT_ASSERT_EQUAL(before, this->asked());
        // In a body a name is only that.
        upstream().on("/v1/chat/completions", scripts::answer(200, answerOf(Api::openai)));
        for (const char* name : {"../../admin", "http://smuggled.example/", "a?b#c", "@x"}) {
            for (const Api api : {Api::seed, Api::openai}) {
                ASSERT_STATUS(200, ask(api, "hello", name));
                CPPUNIT_ASSERT_EQUAL(std::string("/v1/chat/completions"),
                                     upstream().requests().back().target);
                CPPUNIT_ASSERT_EQUAL(std::string(name), lastBody("model"));
            }
        }
    }

    /// CONTRACT §3, for all that workers send.
    void testBodyMustBeDeclaredAsJson() {
        start();
        for (const Api api : allApis) {
            Client client = worker();
            ASSERT_STATUS(415,
                          exchange(client.endpoint(),
                                   client.request("POST", pathOf(api)).body("text/plain", question(api))));
            ASSERT_STATUS(415, exchange(client.endpoint(),
                                        client.request("POST", pathOf(api))
                                            .body("application/x-www-form-urlencoded", question(api))));
            ASSERT_STATUS(400, client.post(pathOf(api), "{"));
            ASSERT_STATUS(422, client.post(pathOf(api), "[]"));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, asked());
        for (const char* type : {"application/json; charset=utf-8", "Application/JSON"}) {
            for (const Api api : allApis) {
                answerNext(api);
                Client client = worker();
                ASSERT_STATUS(200, exchange(client.endpoint(),
                                            client.request("POST", pathOf(api)).body(type, question(api))));
            }
        }
    }

    /// The plugin is refused with a line that names the key.
    void testBadSettingsStopTheStart() {
        for (const auto& [key, value] : std::map<std::string, std::string>{
                 {"llm.provider.main.type", "gpt"},
                 {"llm.provider.main.base_url", "ftp://127.0.0.1/"},
                 {"llm.provider.claude.base_url", "http://user:password@127.0.0.1/"},
                 {"llm.provider.main.key", "sk-written-here-by-mistake"},
                 {"llm.provider.main.models", "a=,b"},
                 {"llm.providers", "main, main"},
                 {"llm.aliases", "fast"},
                 {"llm.allowed_models", "mo*del"},
                 {"llm.drop_parameters", "model-a"},
                 {"llm.prices", "model-a=cheap"},
                 {"llm.limit.cost", "$2"},
                 {"llm.max_tokens_name", "tokens"}}) {
            start({{key, value}});
            const Response response = ask();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(key + "\n" + response.describe(), 404, response.status);
            ASSERT_CONTAINS(key, daemon().log());
            ASSERT_LACKS("sk-written-here", daemon().log() + operators().get("/plugins").body);
        }
    }

private:
    struct Totals {
        int requests;
        int failed;
        int input;
        int output;
    };

    static void assertTotals(const Response& response, const std::string& at, const Totals& expected) {
        ASSERT_STATUS(200, response);
        ASSERT_FIELD(std::to_string(expected.requests), response, at + ".requests");
        ASSERT_FIELD(std::to_string(expected.failed), response, at + ".failed");
        ASSERT_FIELD(std::to_string(expected.input), response, at + ".input_tokens");
        ASSERT_FIELD(std::to_string(expected.output), response, at + ".output_tokens");
    }

    /// All APIs refuse the job's calls for that reason, and the provider does not hear of it.
    void assertLimited(const char* code) {
        const std::size_t before = asked();
        for (const Api api : allApis) {
            const Response response = ask(api);
            ASSERT_GATEWAY_ERROR(429, code, response);
            ASSERT_CONTAINS("limit", response.at("error.message"));
            // No use in waiting.
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, response.count("Retry-After"));
        }
        CPPUNIT_ASSERT_EQUAL(before, asked());
    }

    /// So many calls are answered, one after another, and no more.
    void assertLimitAfter(std::size_t calls, const Settings& settings, const char* code) {
        start(settings);
        answerAll();
        for (std::size_t i = 0; i < calls; ++i) {
            ASSERT_STATUS(200, ask(allApis[i % 3]));
        }
        assertLimited(code);
        CPPUNIT_ASSERT_EQUAL(calls, asked());
        newJob();
        ASSERT_STATUS(200, ask());
    }

    void holdNext(const std::shared_ptr<Permits>& permits, std::size_t requests) {
        for (std::size_t i = 0; i < requests; ++i) {
            upstream().next([permits](UpstreamExchange& exchange) {
                exchange.await(*permits);
                exchange.answer(200, answerOf(Api::openai));
            });
        }
    }

    /// In all APIs, whole and streamed.
    void converse(const std::string& question, const std::string& answer) {
        for (const Api api : allApis) {
            upstream().next(scripts::answer(200, answerOf(api, answer)));
            ASSERT_STATUS(200, ask(api, question));
            upstream().next(
                scripts::chunked({streamOf(api, answer)}, {{"Content-Type", "text/event-stream"}}));
            ASSERT_CONTAINS(answer, beginStream(api, question).rest());
        }
    }

    /// What the daemon, which must not run, has stored of questions and answers.
    std::vector<std::pair<std::string, std::string>> storedContents() {
        sqlite3* database = nullptr;
        const std::string file = (daemon().dataDirectory() / "sallyport.db").string();
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, ::sqlite3_open(file.c_str(), &database));
        std::vector<std::pair<std::string, std::string>> contents;
        const auto keep = [](void* into, int, char** values, char**) {
            static_cast<decltype(contents)*>(into)->emplace_back(values[0], values[1]);
            return 0;
        };
        const int result = ::sqlite3_exec(
            database, "SELECT CAST(request AS TEXT), CAST(answer AS TEXT) FROM llm_call_content", keep,
            &contents, nullptr);
        ::sqlite3_close(database);
        CPPUNIT_ASSERT_EQUAL(SQLITE_OK, result);
        return contents;
    }

    /// @param value with JSON's escapes.
    void put(const std::string& path, const std::string& value, const std::string& more = "") {
        const Response response = operators().put(path, R"({"value":")" + value + "\"" + more + "}");
        CPPUNIT_ASSERT_MESSAGE(response.describe(), response.status == 200 || response.status == 201);
    }

    /// Not in the log, and in no file of the daemon's.
    void assertNowhere(const std::string& text) {
        static_cast<void>(operators().get("/usage"));  // has what is recorded stored
        ASSERT_LACKS(text, daemon().log());
        ASSERT_LACKS(text, everythingIn(daemon().dataDirectory()));
    }

    [[nodiscard]] std::string lastBody(std::string_view path) {
        return jsonAt(upstream().requests().back().body, path);
    }
    [[nodiscard]] std::string lastHeader(std::string_view name) {
        return upstream().requests().back().header(name);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmLimitsTest);

}  // namespace sallyport::tests
