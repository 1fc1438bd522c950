// The LLM gateway when a provider fails and may do better, or another one may: retries, failover, the circuit
// breaker.
#include <memory>
#include <string>
#include <thread>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/llm_gateway.h"

namespace sallyport::tests {

namespace {

using namespace std::chrono_literals;

std::string errorMessageOf(const Response& response) {
    return response.at("error.message");
}

}  // namespace

class LlmRetriesTest : public LlmGatewayTest {
    CPPUNIT_TEST_SUITE(LlmRetriesTest);
    CPPUNIT_TEST(testRetriesAreCounted);
    CPPUNIT_TEST(testConnectionsAreReused);
    CPPUNIT_TEST(testLongRetryAfterIsNotWaitedFor);
    CPPUNIT_TEST(testRetryAfterIsWaitedFor);
    CPPUNIT_TEST(testFailoverTakesTheOtherProvidersName);
    CPPUNIT_TEST(testFailoverIsForWhatAnotherCanDoBetter);
    CPPUNIT_TEST(testOpenBreakerLetsNothingThrough);
    CPPUNIT_TEST(testHalfOpenBreakerLetsOneThrough);
    CPPUNIT_TEST_SUITE_END();

public:
    void testRetriesAreCounted() {
        start({{"llm.retry.max", "2"}});
        for (const Api api : allApis) {
            const std::size_t before = asked();
            upstream().next(scripts::answer(500, "{}"));
            upstream().next(scripts::reset());
            answerNext(api);
            ASSERT_STATUS(200, ask(api, "again"));
            const auto seen = upstream().requests();
            CPPUNIT_ASSERT_EQUAL(before + 3, seen.size());
            // The same is asked each time, with the key.
            for (std::size_t i = before + 1; i < seen.size(); ++i) {
                CPPUNIT_ASSERT_EQUAL(seen[before].body, seen[i].body);
                CPPUNIT_ASSERT_EQUAL(seen[before].headers.size(), seen[i].headers.size());
            }
            for (int i = 0; i < 3; ++i) {
                upstream().next(scripts::answer(500, "{}"));
            }
            ASSERT_GATEWAY_ERROR(502, "provider_error", ask(api));
            CPPUNIT_ASSERT_EQUAL(before + 6, asked());
        }
        // One call each in the records, however often it was tried.
        const Response usage = awaitCalls(6);
        ASSERT_FIELD("3", usage, "total.failed");
    }

    void testConnectionsAreReused() {
        start();
        answerAll();
        for (int i = 0; i < 10; ++i) {
            for (const Api api : allApis) {
                ASSERT_STATUS(200, ask(api));
            }
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, upstream().connections());
        // One that the provider has closed meanwhile is no failure.
        for (int i = 0; i < 20; ++i) {
            upstream().next(scripts::answerAndClose(200, answerOf(Api::openai)));
            ASSERT_STATUS(200, ask());
        }
    }

    void testLongRetryAfterIsNotWaitedFor() {
        start({{"llm.retry.max", "5"}, {"llm.retry.max_delay", "1h"}});
        for (const Api api : allApis) {
            for (const int status : {429, 503}) {
                const std::size_t before = asked();
                upstream().next(scripts::answer(status, "{}", {{"Retry-After", "3601"}}));
                const Response response = ask(api);
                ASSERT_STATUS(status == 429 && api != Api::seed ? 429 : 502, response);
                CPPUNIT_ASSERT_EQUAL(std::string("3601"), response.header("Retry-After"));
                CPPUNIT_ASSERT_EQUAL(before + 1, asked());
            }
        }
    }

    /// It would be tried again at once if the provider had not asked for an hour.
    void testRetryAfterIsWaitedFor() {
        start({{"llm.retry.max", "5"}, {"llm.retry.max_delay", "2h"}});
        upstream().next(scripts::answer(429, "{}", {{"Retry-After", "3600"}}));
        Connection waiting = begin();
        awaitAsked(1);
        answerAll();
        for (int i = 0; i < 50; ++i) {
            ASSERT_STATUS(200, ask(Api::openai, "meanwhile"));
        }
        CPPUNIT_ASSERT(!waiting.readable());
        const auto seen = upstream().requests();
        CPPUNIT_ASSERT_EQUAL(std::size_t{51}, seen.size());
        for (std::size_t i = 1; i < seen.size(); ++i) {
            ASSERT_CONTAINS("meanwhile", seen[i].body);
        }
        ASSERT_STATUS(200, operators().post("/jobs/" + job().id + "/cancel", "{}"));
        ASSERT_UNAUTHORIZED(waiting.receive());
    }

    void testFailoverTakesTheOtherProvidersName() {
        start(withBackup({{"llm.retry.max", "1"}}));
        upstream().on("/backup/chat/completions", scripts::answer(200, answerOf(Api::openai, "from backup")));
        for (const auto& script :
             {scripts::answer(500, "{}"), scripts::reset(), scripts::answer(429, "{}"),
              scripts::answer(401, "{}"), scripts::answer(404, "{}"), scripts::html(200)}) {
            upstream().on("/v1/chat/completions", script);
            for (const Api api : {Api::seed, Api::openai}) {
                const Response response = ask(api, "hello", "model-x");
                ASSERT_STATUS(200, response);
                ASSERT_CONTAINS("from backup", response.body);
                const SeenRequest last = upstream().requests().back();
                CPPUNIT_ASSERT_EQUAL(std::string("/backup/chat/completions"), last.target);
                CPPUNIT_ASSERT_EQUAL(std::string("other-name"), jsonAt(last.body, "model"));
                CPPUNIT_ASSERT_EQUAL(std::string("Bearer backup-key"), last.header("authorization"));
            }
        }
        // The one that answered is the one in the records.
        awaitCalls(12);
        const Response usage = operators().get("/usage?by=model");
        ASSERT_FIELD("other-name", usage, "groups.0.model");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, usage.size("groups"));
        ASSERT_FIELD("0", usage, "total.failed");
        // When nobody can, the last one's failure is told.
        upstream().on("/backup/chat/completions", scripts::answer(503, "{}"));
        const Response failed = ask();
        ASSERT_GATEWAY_ERROR(502, "provider_error", failed);
        ASSERT_CONTAINS("503", errorMessageOf(failed));
    }

    void testFailoverIsForWhatAnotherCanDoBetter() {
        start(withBackup({{"llm.retry.max", "1"}}));
        for (const int status : {400, 413, 422}) {
            upstream().on("/v1/chat/completions", scripts::answer(status, "{}"));
            ASSERT_GATEWAY_ERROR(502, "provider_refused", ask());
            ASSERT_STATUS(status, ask(Api::openai));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{6}, asked());
    }

    void testOpenBreakerLetsNothingThrough() {
        start({{"llm.breaker.failures", "3"}, {"llm.breaker.cooldown", "1h"}, {"llm.retry.max", "1"}});
        ASSERT_FIELD("null", llmPlugin(), "trouble");
        upstream().on("/v1/chat/completions", scripts::answer(500, "{}"));
        ASSERT_GATEWAY_ERROR(502, "provider_error", ask());
        // The third failure in a row, and no fourth try.
        ASSERT_GATEWAY_ERROR(502, "provider_error", ask());
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, asked());
        for (const Api api : {Api::seed, Api::openai}) {
            const Response response = ask(api);
            ASSERT_GATEWAY_ERROR(502, "provider_unavailable", response);
            const int seconds = std::stoi(response.header("Retry-After"));
            CPPUNIT_ASSERT_MESSAGE(response.describe(), seconds > 0 && seconds <= 3600);
            ASSERT_TELLS_NOTHING(response);
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, asked());
        ASSERT_CONTAINS("main", llmPlugin().at("trouble"));
        // The other provider has one of its own.
        answerNext(Api::anthropic);
        ASSERT_STATUS(200, ask(Api::anthropic));
    }

    void testHalfOpenBreakerLetsOneThrough() {
        start({{"llm.breaker.failures", "1"}, {"llm.breaker.cooldown", "1ms"}});
        upstream().on("/v1/chat/completions", scripts::answer(500, "{}"));
        ASSERT_GATEWAY_ERROR(502, "provider_error", ask());
        const auto permits = std::make_shared<Permits>();
        const auto held = [permits](UpstreamExchange& exchange) {
            exchange.await(*permits);
            exchange.answer(200, answerOf(Api::openai));
        };
        upstream().on("/v1/chat/completions", held);
        // One goes through as soon as the cooldown is over.
        Connection probe = begin();
        while (asked() == 1) {
            if (probe.readable()) {
                ASSERT_GATEWAY_ERROR(502, "provider_unavailable", probe.receive());
                probe = begin();
            }
            std::this_thread::yield();
        }
        for (int i = 0; i < 5; ++i) {
            ASSERT_GATEWAY_ERROR(502, "provider_unavailable", ask());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked());
        permits->grant(3);
        ASSERT_STATUS(200, probe.receive());
        ASSERT_STATUS(200, ask());
        ASSERT_STATUS(200, ask());
        ASSERT_FIELD("null", llmPlugin(), "trouble");
    }

private:
    /// A third provider, which has another name for the model.
    Settings withBackup(Settings settings) {
        settings["llm.providers"] = "main, claude, backup";
        settings["llm.provider.backup.type"] = "openai";
        settings["llm.provider.backup.base_url"] = upstream().url("/backup");
        settings["llm.provider.backup.models"] = "model-x=other-name";
        settings["llm.provider.backup.model"] = "other-name";
        settings["llm.provider.backup.key"] = "file:" + (files() / "backup.key").string();
        writeFile(files() / "backup.key", "backup-key\n");
        return settings;
    }

    /// What the list of plugins says of this one.
    Response llmPlugin() {
        const Response all = operators().get("/plugins");
        for (std::size_t i = 0; i < all.size("plugins"); ++i) {
            const std::string at = "plugins." + std::to_string(i);
            if (all.at(at + ".name") == "llm") {
                Response one = all;
                one.body = all.raw(at);
                return one;
            }
        }
        CPPUNIT_FAIL("the plugin is not listed: " + all.describe());
        return {};
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmRetriesTest);

}  // namespace sallyport::tests
