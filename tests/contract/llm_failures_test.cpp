// The LLM gateway when its providers, its clients or the daemon itself fail: what the worker is told, that
// nothing leaks and that nothing is left behind.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/llm_gateway.h"

namespace sallyport::tests {

namespace {

using namespace std::chrono_literals;

/// What a provider does, and what becomes of it.
struct Misdeed {
    const char* what;
    FakeUpstream::Script script;
    const char* code;
    const char* message;
    bool again = true;  ///< whether it is tried once more
};

std::string messageOf(const Response& response) {
    return response.at("error.message");
}

/// A whole answer, but not one that the API has.
scripts::Script oddAnswer(const char* body) {
    return scripts::answer(200, body);
}

std::vector<Misdeed> misdeeds() {
    const std::string answer = answerOf(Api::openai);
    const char* const brokeOff = "the provider's answer broke off";
    const char* const nonsense = "the provider's answer is not what it should be";
    const char* const noKey = "the provider does not accept its key";
    const char* const busy = "the provider takes no more requests for now";
    const std::string quotesKey =
        R"({"error":{"message":"Incorrect API key provided: )" + std::string(providerKey) + R"("}})";
    return {
        {"hangs up", scripts::hangUp(), "broken", brokeOff},
        {"resets before the head", scripts::reset(), "broken", brokeOff},
        {"resets after the head", scripts::resetAfterHead(), "broken", brokeOff},
        {"answers half", scripts::half(answer), "broken", brokeOff},
        {"cuts its chunks", scripts::chunkedCutShort({answer.substr(0, 20)}), "broken", brokeOff},
        {"has chunks of no size", scripts::chunkedWithBadSize(), "broken", brokeOff},
        {"speaks no HTTP", scripts::notHttp(), "broken", brokeOff},
        {"says gzip and is not", scripts::brokenGzip(), "broken", brokeOff},
        {"500", scripts::answer(500, "{}"), "provider_error", "the provider answered with status 500"},
        {"502 in HTML", scripts::html(502), "provider_error", "the provider answered with status 502"},
        {"503 with a path", scripts::answer(503, R"({"error":"/srv/models/secret.bin is not there"})"),
         "provider_error", "the provider answered with status 503"},
        {"529", scripts::answer(529, "{}"), "provider_error", "the provider answered with status 529"},
        {"408", scripts::answer(408, ""), "provider_error", "the provider answered with status 408"},
        {"429", scripts::answer(429, "{}"), "provider_busy", busy},
        {"429 that asks for a while", scripts::answer(429, "{}", {{"Retry-After", "0"}}), "provider_busy",
         busy},
        {"429 that asks for nonsense", scripts::answer(429, "{}", {{"Retry-After", "soon\x01"}}),
         "provider_busy", busy},
        {"401 that quotes the key", scripts::answer(401, quotesKey), "provider_key", noKey, false},
        {"403 that quotes the key", scripts::answer(403, quotesKey), "provider_key", noKey, false},
        {"402", scripts::answer(402, quotesKey), "provider_error", "the provider answered with status 402",
         false},
        {"redirects", scripts::answer(302, "", {{"Location", "http://127.0.0.1:1/"}}), "provider_error",
         "the provider answered with status 302", false},
        {"404", scripts::answer(404, "{}"), "provider_error", "the provider answered with status 404", false},
        {"HTML with 200", scripts::html(200), "bad_answer", nonsense, false},
        {"nothing with 200", oddAnswer(""), "bad_answer", nonsense, false},
        {"204", scripts::answer(204, ""), "bad_answer", nonsense, false},
        {"a list", oddAnswer("[]"), "bad_answer", nonsense, false},
        {"null", oddAnswer("null"), "bad_answer", nonsense, false},
        {"half a JSON", oddAnswer(R"({"choices":[{)"), "bad_answer", nonsense, false},
        {"two JSONs", oddAnswer("{}{}"), "bad_answer", nonsense, false},
        {"a huge body", scripts::huge(1'000'000), "too_large", "the provider's answer is too large", false},
    };
}

}  // namespace

class LlmFailuresTest : public LlmGatewayTest {
    CPPUNIT_TEST_SUITE(LlmFailuresTest);
    CPPUNIT_TEST(everyMisdeedIsToldInOneSentence);
    CPPUNIT_TEST(wrongJsonIsNoAnswer);
    CPPUNIT_TEST(oddButProperAnswersAreTaken);
    CPPUNIT_TEST(largeAnswersComeWhole);
    CPPUNIT_TEST(silenceEnds);
    CPPUNIT_TEST(slowDripEnds);
    CPPUNIT_TEST(refusedConnection);
    CPPUNIT_TEST(certificatesAreVerified);
    CPPUNIT_TEST(refusalsAreRelayedWithoutTheKey);
    CPPUNIT_TEST(brokenStreamsEndWithAnErrorEvent);
    CPPUNIT_TEST(streamThatEndsTooEarlyIsBroken);
    CPPUNIT_TEST(streamThatFallsSilentIsBroken);
    CPPUNIT_TEST(nothingIsRetriedOnceBytesWereSeen);
    CPPUNIT_TEST(streamThatFailsBeforeItsFirstByteIsRetried);
    CPPUNIT_TEST(retriesAreCounted);
    CPPUNIT_TEST(connectionsAreReused);
    CPPUNIT_TEST(longRetryAfterIsNotWaitedFor);
    CPPUNIT_TEST(retryAfterIsWaitedFor);
    CPPUNIT_TEST(failoverTakesTheOtherProvidersName);
    CPPUNIT_TEST(failoverIsForWhatAnotherCanDoBetter);
    CPPUNIT_TEST(openBreakerLetsNothingThrough);
    CPPUNIT_TEST(halfOpenBreakerLetsOneThrough);
    CPPUNIT_TEST(fullQueueIsRefused);
    CPPUNIT_TEST(waitingForATurnEnds);
    CPPUNIT_TEST(turnsGoRoundTheJobs);
    CPPUNIT_TEST(clientThatLeavesEndsTheCall);
    CPPUNIT_TEST(clientThatLeavesTheQueueIsNotServed);
    CPPUNIT_TEST(clientThatLeavesBeforeARetryIsNotServed);
    CPPUNIT_TEST(clientsThatResetAtOnceLeaveNothingBehind);
    CPPUNIT_TEST(endOfTheJobEndsItsCalls);
    CPPUNIT_TEST(slowReaderSlowsTheProvider);
    CPPUNIT_TEST(slowReaderGetsEverything);
    CPPUNIT_TEST(stopLetsStreamsEnd);
    CPPUNIT_TEST(stopCutsStreamsAfterItsGrace);
    CPPUNIT_TEST(reloadLetsCallsEnd);
    CPPUNIT_TEST(reloadLetsStreamsEnd);
    CPPUNIT_TEST_SUITE_END();

public:
    void everyMisdeedIsToldInOneSentence() {
        start({{"llm.retry.max", "1"}, {"llm.max_response", "64KiB"}});
        answerNext();
        ASSERT_STATUS(200, ask());
        const std::size_t threads = daemon().threads();
        for (const Api api : allApis) {
            for (const Misdeed& misdeed : misdeeds()) {
                assertMisdeed(api, misdeed);
            }
            // And it goes on as if nothing had been.
            answerNext(api);
            ASSERT_STATUS(200, ask(api));
        }
        CPPUNIT_ASSERT_EQUAL(threads, daemon().threads());
        upstream().awaitOpen(1);
        ASSERT_LACKS(providerKey, daemon().log());
    }

    /// JSON that says nothing, for those who have to understand it.
    void wrongJsonIsNoAnswer() {
        start();
        for (const char* body :
             {"{}", R"({"choices":[]})", R"({"choices":{}})", R"({"choices":[{"message":7}]})",
              R"({"error":{"message":"in disguise"}})"}) {
            upstream().next(scripts::answer(200, body));
            const Response response = ask();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(body) + "\n" + response.describe(), 502,
                                         response.status);
            ASSERT_GATEWAY_ERROR(502, "bad_answer", response);
            ASSERT_TELLS_NOTHING(response);
        }
    }

    void oddButProperAnswersAreTaken() {
        start();
        for (const Api api : allApis) {
            const std::string body = answerOf(api);
            for (const auto& script :
                 {scripts::gzip(body), scripts::chunked({body.substr(0, 1), body.substr(1)}),
                  scripts::chunkedOddly({body.substr(0, 7), body.substr(7)}),
                  scripts::answerAndClose(200, body), scripts::answer(201, body)}) {
                upstream().next(script);
                const Response response = ask(api);
                CPPUNIT_ASSERT_MESSAGE(response.describe(), response.status / 100 == 2);
                CPPUNIT_ASSERT_EQUAL(std::string("fine"),
                                     response.at(api == Api::seed     ? "content"
                                                 : api == Api::openai ? "choices.0.message.content"
                                                                      : "content.0.text"));
                CPPUNIT_ASSERT_EQUAL(std::string(), response.header("Set-Cookie"));
                CPPUNIT_ASSERT_EQUAL(std::string(), response.header("Content-Encoding"));
            }
        }
    }

    void largeAnswersComeWhole() {
        start();
        const std::string text = std::string(std::size_t{1024} * 1024, 'x') + "end";
        for (const Api api : allApis) {
            upstream().on(upstreamPathOf(api), scripts::answer(200, answerOf(api, text)));
            const Response response = ask(api);
            ASSERT_STATUS(200, response);
            CPPUNIT_ASSERT(response.body.find(text) != std::string::npos);
        }
        awaitCalls(std::size(allApis));
    }

    void silenceEnds() {
        const DeafPort deaf;
        const UnreachablePort unreachable;
        start({{"llm.timeout.first_byte", "700ms"},
               {"llm.timeout.idle", "100ms"},
               {"llm.timeout.connect", "1s"},
               {"llm.providers", "main, claude, unreachable, deaf"},
               {"llm.provider.deaf.type", "openai"},
               {"llm.provider.deaf.base_url", deaf.url()},
               {"llm.provider.deaf.models", "deaf"},
               {"llm.provider.unreachable.type", "openai"},
               {"llm.provider.unreachable.base_url", unreachable.url()},
               {"llm.provider.unreachable.models", "unreachable"}});
        for (const Api api : allApis) {
            upstream().next(scripts::silence());
            assertTooLong("first_byte_timeout", ask(api));
            upstream().next(scripts::silenceAfterHead());
            assertTooLong("idle_timeout", ask(api));
        }
        assertTooLong("first_byte_timeout", ask(Api::openai, "hello", "deaf"));
        const Response response = ask(Api::openai, "hello", "unreachable");
        ASSERT_GATEWAY_ERROR(502, "connect_timeout", response);
        CPPUNIT_ASSERT_EQUAL(std::string("the provider cannot be reached"), messageOf(response));
        upstream().awaitOpen(0);
    }

    /// Each byte comes in time, but the whole never does.
    void slowDripEnds() {
        start({{"llm.timeout.total", "300ms"}, {"llm.retry.max", "5"}});
        for (const Api api : allApis) {
            const std::size_t before = asked();
            upstream().next(scripts::drip(5ms));
            assertTooLong("total_timeout", ask(api));
            // It would take as long again.
            CPPUNIT_ASSERT_EQUAL(before + 1, asked());
        }
        upstream().awaitOpen(0);
    }

    void refusedConnection() {
        const RefusingPort refusing;
        // No resolver asks anybody for a name that cannot be.
        const std::string noHost = std::string(64, 'a') + ".invalid";
        start({{"llm.provider.main.base_url", refusing.url("http")},
               {"llm.provider.claude.base_url", "http://" + noHost},
               {"llm.retry.max", "2"}});
        const Response response = ask();
        ASSERT_GATEWAY_ERROR(502, "connect", response);
        CPPUNIT_ASSERT_EQUAL(std::string("the provider cannot be reached"), messageOf(response));
        ASSERT_TELLS_NOTHING(response);
        ASSERT_LACKS(refusing.url().substr(7), response.describe());
        ASSERT_GATEWAY_ERROR(502, "connect", ask(Api::openai));
        const Response nowhere = ask(Api::anthropic);
        ASSERT_GATEWAY_ERROR(502, "resolve", nowhere);
        ASSERT_LACKS(noHost, nowhere.describe());
    }

    void certificatesAreVerified() {
        const CertificateAuthority authority;
        const CertificateAuthority stranger;
        FakeUpstream good(authority.issue("127.0.0.1"));
        FakeUpstream wrongName(authority.issue("api.example.com"));
        FakeUpstream expired(authority.issue("127.0.0.1", false));
        FakeUpstream own(selfSigned("127.0.0.1"));
        FakeUpstream unknown(stranger.issue("127.0.0.1"));
        const std::string trusted = (files() / "ca.pem").string();
        writeFile(trusted, authority.certificate());
        Settings settings{{"llm.providers", "good, wrong-name, expired, own, unknown, unset"},
                          {"llm.provider.unset.type", "openai"},
                          {"llm.provider.unset.base_url", good.url("/v1")},
                          {"llm.provider.unset.models", "unset"},
                          {"llm.retry.max", "2"}};
        const auto add = [&](const std::string& name, const FakeUpstream& server) {
            const std::string prefix = "llm.provider." + name + ".";
            settings[prefix + "type"] = "openai";
            settings[prefix + "base_url"] = server.url("/v1");
            settings[prefix + "models"] = name;
            settings[prefix + "ca_file"] = trusted;
            settings[prefix + "key"] = "env:PROVIDER_KEY";
        };
        add("good", good);
        add("wrong-name", wrongName);
        add("expired", expired);
        add("own", own);
        add("unknown", unknown);
        start(settings);
        good.on("/v1/chat/completions", scripts::answer(200, answerOf(Api::openai)));
        ASSERT_STATUS(200, ask(Api::seed, "hello", "good"));
        for (const char* model : {"wrong-name", "expired", "own", "unknown", "unset"}) {
            const Response response = ask(Api::seed, "hello", model);
            ASSERT_GATEWAY_ERROR(502, "tls", response);
            CPPUNIT_ASSERT_EQUAL(std::string("there is no trusted connection to the provider"),
                                 messageOf(response));
            ASSERT_TELLS_NOTHING(response);
        }
        for (FakeUpstream* server : {&wrongName, &expired, &own, &unknown}) {
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, server->requests().size());
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, server->connections());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good.requests().size());
    }

    void refusalsAreRelayedWithoutTheKey() {
        start();
        const std::string refusal =
            R"({"error":{"type":"invalid_request_error","message":"too many stars"}})";
        const std::string leak =
            R"({"error":{"message":"bad header 'Bearer )" + std::string(providerKey) + R"('"}})";
        for (const Api api : {Api::openai, Api::anthropic}) {
            for (const int status : {400, 404, 413, 422, 429}) {
                upstream().next(
                    scripts::answer(status, refusal, {{"Retry-After", "7"}, {"X-Own", "secret"}}));
                const Response response = ask(api);
                ASSERT_STATUS(status, response);
                CPPUNIT_ASSERT_EQUAL(refusal, response.body);
                CPPUNIT_ASSERT_EQUAL(std::string("7"), response.header("Retry-After"));
                CPPUNIT_ASSERT_EQUAL(std::string(), response.header("X-Own"));
                upstream().next(scripts::answer(status, leak));
                ASSERT_TELLS_NOTHING(ask(api));
            }
        }
        upstream().next(scripts::answer(400, refusal));
        const Response told = ask();
        ASSERT_GATEWAY_ERROR(502, "provider_refused", told);
        ASSERT_CONTAINS("too many stars", messageOf(told));
        upstream().next(scripts::answer(400, leak));
        ASSERT_TELLS_NOTHING(ask());
        ASSERT_LACKS(providerKey, daemon().log());
    }

    void brokenStreamsEndWithAnErrorEvent() {
        start({{"llm.retry.max", "3"}, {"llm.max_response", "64KiB"}});
        const std::size_t threads = daemon().threads();
        for (const Api api : allApis) {
            const std::string begun = beginningOf(api) + pieceOf(api, "so far");
            upstream().next(scripts::brokenStream({begun}));
            assertErrorEvent(api, "broken", "dies");
            upstream().next(scripts::brokenStream({begun, "data: {\"half"}));
            assertErrorEvent(api, "broken", "dies within an event");
            upstream().next(endlessStream(begun, pieceOf(api, std::string(1000, 'x'))));
            assertErrorEvent(api, "too_large", "goes on for ever");
            const auto seen = std::make_shared<Permits>();
            upstream().next(resetStream(begun, seen));
            assertErrorEvent(api, "broken", "resets", seen.get());
        }
        // Only garbage in between is read, where it has to be understood.
        upstream().next(
            scripts::chunked({beginningOf(Api::seed), pieceOf(Api::seed, "so far"), "data: {\n\n"},
                             {{"Content-Type", "text/event-stream"}}));
        assertErrorEvent(Api::seed, "bad_answer", "speaks garbage");
        CPPUNIT_ASSERT_EQUAL(threads, daemon().threads());
        upstream().awaitOpen(1);
    }

    void streamThatEndsTooEarlyIsBroken() {
        start();
        for (const Api api : allApis) {
            upstream().next(scripts::chunked({beginningOf(api), pieceOf(api, "so far")},
                                             {{"Content-Type", "text/event-stream"}}));
            assertErrorEvent(api, "bad_answer", "ends early");
            // Before anything was said it is a plain answer.
            upstream().next(scripts::chunked({": nothing\n\n"}, {{"Content-Type", "text/event-stream"}}));
            StreamedAnswer empty = beginStream(api);
            const std::string rest = empty.rest();
            ASSERT_CONTAINS("bad_answer", rest);
        }
    }

    void streamThatFallsSilentIsBroken() {
        start({{"llm.timeout.idle", "1s"}});
        const auto permits = std::make_shared<Permits>();
        for (const Api api : allApis) {
            upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, "so far")}, permits));
            permits->grant();
            assertErrorEvent(api, "idle_timeout", "falls silent");
        }
        upstream().awaitOpen(0);
    }

    void nothingIsRetriedOnceBytesWereSeen() {
        start({{"llm.retry.max", "5"},
               {"llm.providers", "main, claude, other"},
               {"llm.provider.other.type", "openai"},
               {"llm.provider.other.base_url", upstream().url("/other")}});
        for (const Api api : {Api::seed, Api::openai}) {
            const std::size_t before = asked();
            upstream().next(scripts::brokenStream({beginningOf(api), pieceOf(api, "so far")}));
            assertErrorEvent(api, "broken", "dies");
            answerNext();
            ASSERT_STATUS(200, ask());
            CPPUNIT_ASSERT_EQUAL(before + 2, asked());
        }
    }

    void streamThatFailsBeforeItsFirstByteIsRetried() {
        start({{"llm.retry.max", "3"}});
        for (const Api api : allApis) {
            const std::size_t before = asked();
            upstream().next(scripts::reset());
            upstream().next(scripts::answer(503, "{}"));
            upstream().next(scripts::brokenStream({}));
            upstream().next(
                scripts::chunked({streamOf(api, "at last")}, {{"Content-Type", "text/event-stream"}}));
            StreamedAnswer answer = beginStream(api);
            ASSERT_STATUS(200, answer.head());
            const std::string rest = answer.rest();
            ASSERT_CONTAINS("at last", rest);
            ASSERT_LACKS("error", rest);
            CPPUNIT_ASSERT_EQUAL(before + 4, asked());
        }
    }

    void retriesAreCounted() {
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

    void connectionsAreReused() {
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

    void longRetryAfterIsNotWaitedFor() {
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
    void retryAfterIsWaitedFor() {
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

    void failoverTakesTheOtherProvidersName() {
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
        ASSERT_CONTAINS("503", messageOf(failed));
    }

    void failoverIsForWhatAnotherCanDoBetter() {
        start(withBackup({{"llm.retry.max", "1"}}));
        for (const int status : {400, 413, 422}) {
            upstream().on("/v1/chat/completions", scripts::answer(status, "{}"));
            ASSERT_GATEWAY_ERROR(502, "provider_refused", ask());
            ASSERT_STATUS(status, ask(Api::openai));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{6}, asked());
    }

    void openBreakerLetsNothingThrough() {
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

    void halfOpenBreakerLetsOneThrough() {
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

    void fullQueueIsRefused() {
        start({{"llm.concurrency", "1"}, {"llm.queue.max", "1"}});
        const auto permits = holdAll();
        Connection first = begin();
        awaitAsked(1);
        for (const Api api : allApis) {
            Connection one = begin(api);
            Connection other = begin(api);
            Connection& refused = awaitEither(one, other);
            const Response response = refused.receive();
            ASSERT_GATEWAY_ERROR(503, "overloaded", response);
            CPPUNIT_ASSERT(std::stoi(response.header("Retry-After")) > 0);
            ASSERT_TELLS_NOTHING(response);
            // The other one waits until the job is out of the way, and its place is free again then.
            const std::size_t before = asked();
            permits->grant();
            ASSERT_STATUS(200, first.receive());
            awaitAsked(before + 1);
            first = std::move(&refused == &one ? other : one);
        }
        permits->grant();
        ASSERT_STATUS(200, first.receive());
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, asked());
    }

    void waitingForATurnEnds() {
        start({{"llm.concurrency", "1"}, {"llm.queue.timeout", "1ms"}});
        const auto permits = holdAll();
        Connection first = begin();
        awaitAsked(1);
        for (const Api api : allApis) {
            const Response response = ask(api);
            ASSERT_GATEWAY_ERROR(503, "overloaded", response);
            CPPUNIT_ASSERT(std::stoi(response.header("Retry-After")) > 0);
        }
        permits->grant();
        ASSERT_STATUS(200, first.receive());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, asked());
    }

    void turnsGoRoundTheJobs() {
        start({{"llm.concurrency", "1"}, {"http.loops", "1"}});
        answerAll();
        const CreatedJob greedy = createJob(daemon());
        const CreatedJob modest = createJob(daemon());
        for (const CreatedJob& job : {greedy, modest}) {
            ASSERT_STATUS(200, workerClient(daemon(), job).post(pathOf(Api::seed), question(Api::seed)));
        }
        const auto permits = holdAll();
        std::vector<Connection> waiting;
        for (const auto& [job, text] :
             std::vector<std::pair<const CreatedJob*, std::string>>{{&greedy, "first"},
                                                                    {&greedy, "second"},
                                                                    {&greedy, "third"},
                                                                    {&greedy, "fourth"},
                                                                    {&modest, "alone"}}) {
            waiting.push_back(begin(workerClient(daemon(), *job), Api::seed, text));
            // The first one has its turn, and the others wait.
            awaitAsked(3);
            awaitReceived();
        }
        permits->grant(5);
        for (Connection& connection : waiting) {
            ASSERT_STATUS(200, connection.receive());
        }
        std::string order;
        for (const SeenRequest& request : upstream().requests()) {
            order += jsonAt(request.body, "messages.0.content") + " ";
        }
        CPPUNIT_ASSERT_EQUAL(std::string("hello hello first second alone third fourth "), order);
    }

    void clientThatLeavesEndsTheCall() {
        start();
        const auto permits = std::make_shared<Permits>();
        std::size_t connection = 0;
        for (const Api api : allApis) {
            for (const bool reset : {false, true}) {
                // While it waits for a whole answer.
                upstream().next(scripts::silence());
                const std::size_t before = asked();
                {
                    Connection gone = begin(api);
                    connection = awaitAsked(before + 1).connection;
                    leave(gone, reset);
                }
                upstream().awaitClosed(connection);
                // In the middle of a stream.
                upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, "so far"), ""}, permits));
                permits->grant();
                {
                    StreamedAnswer gone = beginStream(api);
                    CPPUNIT_ASSERT(!gone.next().empty());
                    connection = upstream().requests().back().connection;
                    leave(gone.connection(), reset);
                }
                upstream().awaitClosed(connection);
            }
        }
        // None of these is a failure of the provider, nor of the call.
        const Response usage = awaitCalls(12);
        ASSERT_FIELD("0", usage, "total.failed");
        upstream().awaitOpen(0);
    }

    void clientThatLeavesTheQueueIsNotServed() {
        start({{"llm.concurrency", "1"}, {"llm.queue.max", "1"}, {"http.loops", "1"}});
        const auto permits = holdAll();
        Connection first = begin();
        awaitAsked(1);
        Connection gone = begin(Api::seed, "gone");
        awaitReceived();
        Client client = operators();
        leave(gone, true);
        // Of the two connections that are left one is the operator's own.
        awaitField(client, "/status", "connections", "2");
        Connection second = begin(Api::seed, "second");
        awaitReceived();
        permits->grant(2);
        ASSERT_STATUS(200, first.receive());
        ASSERT_STATUS(200, second.receive());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked());
        ASSERT_CONTAINS("second", upstream().requests().back().body);
    }

    void clientThatLeavesBeforeARetryIsNotServed() {
        start({{"llm.retry.max", "5"},
               {"llm.retry.max_delay", "2h"},
               {"llm.concurrency", "1"},
               {"llm.limit.concurrency", "1"}});
        upstream().next(scripts::answer(429, "{}", {{"Retry-After", "3600"}}));
        Connection gone = begin();
        awaitAsked(1);
        leave(gone, true);
        // Neither its slot nor its share of the job's is kept.
        awaitCalls(1);
        answerNext();
        ASSERT_STATUS(200, ask());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, asked());
    }

    /// Whatever the moment at which they go: before the head of the answer, with it, or after.
    void clientsThatResetAtOnceLeaveNothingBehind() {
        constexpr int clients = 150;
        start({{"llm.concurrency", "4"}});
        for (const Api api : {Api::openai, Api::anthropic}) {
            upstream().on(upstreamPathOf(api), [api](UpstreamExchange& exchange) {
                exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
                exchange.chunk(beginningOf(api) + pieceOf(api, "so far"));
                exchange.awaitClosed();
            });
        }
        for (int i = 0; i < clients; ++i) {
            for (const Api api : allApis) {
                Connection gone(daemon().worker());
                gone.send(streamRequest(api).bytes());
                if (i % 3 == 1) {
                    static_cast<void>(gone.receiveHead());
                } else if (i % 3 == 2) {
                    // About when the answer comes.
                    const std::size_t before = asked();
                    while (asked() == before && !gone.readable()) {
                        std::this_thread::yield();
                    }
                }
                gone.reset();
            }
        }
        upstream().awaitOpen(0);
        // All turns are free again.
        answerAll();
        for (int i = 0; i < 8; ++i) {
            ASSERT_STATUS(200, ask());
        }
    }

    void endOfTheJobEndsItsCalls() {
        start();
        const auto permits = std::make_shared<Permits>();
        for (const Api api : allApis) {
            for (const bool cancelled : {true, false}) {
                newJob();
                upstream().next(scripts::silence());
                const std::size_t before = asked();
                Connection whole = begin(api);
                const std::size_t first = awaitAsked(before + 1).connection;
                upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, "so far"), ""}, permits));
                permits->grant();
                StreamedAnswer stream = beginStream(api);
                const std::size_t second = upstream().requests().back().connection;
                if (cancelled) {
                    ASSERT_STATUS(200, operators().post("/jobs/" + job().id + "/cancel", "{}"));
                } else {
                    ASSERT_STATUS(200, worker().post("/complete", R"({"success":true,"iterations":1})"));
                }
                ASSERT_UNAUTHORIZED(whole.receive());
                CPPUNIT_ASSERT_THROW(static_cast<void>(stream.rest()), ConnectionLost);
                upstream().awaitClosed(first);
                upstream().awaitClosed(second);
                ASSERT_UNAUTHORIZED(ask(api));
                awaitCalls(2);
            }
        }
        upstream().awaitOpen(0);
    }

    /// The provider sends as fast as it can, and the client reads nothing until it is cut off for that.
    void slowReaderSlowsTheProvider() {
        constexpr std::size_t plenty = std::size_t{48} * 1024 * 1024;
        start({{"http.write_timeout", "1s"}, {"llm.max_response", "100GiB"}});
        const std::size_t memory = peakMemory();
        const auto sent = std::make_shared<std::atomic<std::size_t>>(0);
        for (const Api api : allApis) {
            const std::size_t before = *sent;
            const std::size_t requests = asked();
            const std::string piece = pieceOf(api, std::string(16'000, 'x'));
            upstream().next([sent, piece, api](UpstreamExchange& exchange) {
                exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
                exchange.chunk(beginningOf(api));
                for (;;) {
                    exchange.chunk(piece);
                    *sent += piece.size();
                }
            });
            Connection lazy(daemon().worker(), 4096);
            lazy.send(streamRequest(api).bytes());
            upstream().awaitClosed(awaitAsked(requests + 1).connection);
            CPPUNIT_ASSERT_MESSAGE("the provider could send " + std::to_string(*sent - before) + " bytes",
                                   *sent - before < plenty);
        }
        CPPUNIT_ASSERT_MESSAGE(daemonMemory(), peakMemory() < memory + plenty);
    }

    void slowReaderGetsEverything() {
        constexpr int pieces = 2000;
        start();
        answerAll();
        const auto permits = std::make_shared<Permits>();
        permits->grant(3 * (pieces + 3));
        for (const Api api : allApis) {
            std::vector<std::string> script{beginningOf(api)};
            for (int i = 0; i < pieces; ++i) {
                script.push_back(pieceOf(api, std::to_string(i) + std::string(16'000, '.')));
            }
            script.push_back(endOf(api));
            upstream().next(scripts::stream(script, permits));
            Connection slow(daemon().worker(), 64 * 1024);
            slow.send(streamRequest(api).bytes());
            ASSERT_STATUS(200, slow.receiveHead("POST"));
            // It has other things to do before it reads on.
            for (int i = 0; i < 50; ++i) {
                ASSERT_STATUS(200, ask());
            }
            std::string body;
            while (slow.receiveBody(body)) {
            }
            std::size_t at = 0;
            for (int i = 0; i < pieces; ++i) {
                at = body.find("\"" + std::to_string(i) + "...", at);
                CPPUNIT_ASSERT_MESSAGE("piece " + std::to_string(i), at != std::string::npos);
            }
            ASSERT_CONTAINS(api == Api::seed     ? "event: completion"
                            : api == Api::openai ? "data: [DONE]"
                                                 : "event: message_stop",
                            body.substr(at));
        }
    }

    void stopLetsStreamsEnd() {
        start({{"shutdown.grace", "1h"}});
        const auto permits = std::make_shared<Permits>();
        upstream().next(scripts::stream({beginningOf(Api::seed) + pieceOf(Api::seed, "so far"),
                                         pieceOf(Api::seed, "the rest") + endOf(Api::seed)},
                                        permits));
        permits->grant();
        StreamedAnswer stream = beginStream(Api::seed);
        ASSERT_CONTAINS("so far", stream.next());
        daemon().beginTermination();
        permits->grant(2);
        const std::string rest = stream.rest();
        ASSERT_CONTAINS("the rest", rest);
        ASSERT_CONTAINS("event: completion", rest);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon().log(), 0, daemon().awaitExit());
        // What was used is in the books.
        daemon().start();
        ASSERT_FIELD("10", awaitCalls(1), "total.input_tokens");
    }

    void stopCutsStreamsAfterItsGrace() {
        start({{"shutdown.grace", "10ms"}, {"llm.retry.max", "5"}, {"llm.retry.max_delay", "2h"}});
        std::vector<StreamedAnswer> streams;
        for (const Api api : allApis) {
            const auto permits = std::make_shared<Permits>();
            upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, "so far"), ""}, permits));
            permits->grant();
            streams.push_back(beginStream(api));
        }
        upstream().next(scripts::silence());
        Connection whole = begin();
        awaitAsked(4);
        upstream().next(scripts::answer(429, "{}", {{"Retry-After", "3600"}}));
        Connection retrying = begin();
        awaitAsked(5);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon().log(), 0, daemon().terminate());
        for (StreamedAnswer& stream : streams) {
            CPPUNIT_ASSERT_THROW(static_cast<void>(stream.rest()), ConnectionLost);
        }
        CPPUNIT_ASSERT_THROW(whole.receive(), ConnectionLost);
        CPPUNIT_ASSERT_THROW(retrying.receive(), ConnectionLost);
        upstream().awaitOpen(0);
        daemon().start();
        ASSERT_FIELD("0", awaitCalls(5), "total.failed");
    }

    void reloadLetsCallsEnd() {
        startWithOwnPlugins();
        const auto permits = holdAll();
        Connection whole = begin();
        awaitAsked(1);
        renewPlugin();
        Connection reloading(daemon().operators());
        reloading.send(operators().request("POST", "/plugins/reload").json("{}").bytes());
        permits->grant();
        ASSERT_STATUS(200, whole.receive());
        const Response report = reloading.receive();
        ASSERT_STATUS(200, report);
        ASSERT_FIELD("llm", report, "reloaded.0");
        // What the job has used it has used.
        permits->grant();
        ASSERT_STATUS(200, ask());
        ASSERT_GATEWAY_ERROR(429, "request_limit", ask());
    }

    /// They go on with the version that they began with.
    void reloadLetsStreamsEnd() {
        startWithOwnPlugins();
        for (const Api api : allApis) {
            newJob();
            const auto permits = std::make_shared<Permits>();
            upstream().next(scripts::stream(
                {beginningOf(api) + pieceOf(api, "so far"), pieceOf(api, "the rest") + endOf(api)}, permits));
            permits->grant();
            StreamedAnswer stream = beginStream(api);
            renewPlugin();
            const Response report = operators().post("/plugins/reload", "{}");
            ASSERT_FIELD("llm", report, "reloaded.0");
            answerNext(api);
            ASSERT_STATUS(200, ask(api));
            permits->grant(2);
            const std::string rest = stream.rest();
            ASSERT_CONTAINS("so far", rest);
            ASSERT_CONTAINS("the rest", rest);
            ASSERT_LACKS("error", rest);
            ASSERT_FIELD("20", awaitCalls(2), "total.input_tokens");
        }
        // What has outlived its use is gone: the last version keeps one connection.
        ASSERT_STATUS(200, operators().post("/plugins/reload", "{}"));
        upstream().awaitOpen(1);
    }

private:
    /// The call fails as described, after the number of tries that is right for it.
    void assertMisdeed(Api api, const Misdeed& misdeed) {
        // On a connection of its own: one that was kept, and dies before it has answered anything, is
        // replaced without a word.
        upstream().next(scripts::answerAndClose(200, answerOf(api)));
        ASSERT_STATUS(200, ask(api));
        const std::size_t before = asked();
        const std::size_t tries = misdeed.again ? 2 : 1;
        for (std::size_t i = 0; i < tries; ++i) {
            upstream().next(misdeed.script);
        }
        const Response response = ask(api);
        const std::string what = std::string(misdeed.what) + "\n" + response.describe();
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, before + tries, asked());
        ASSERT_TELLS_NOTHING(response);
        const bool relayed = api != Api::seed && isRelayed(misdeed);
        if (relayed) {
            return;  // what the provider itself said
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, 502, response.status);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, std::string(misdeed.code), response.at("error.code"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, std::string(misdeed.message), messageOf(response));
        ASSERT_GATEWAY_ERROR(502, misdeed.code, response);
    }

    /// Refusals that the client of a provider's own API can act on.
    static bool isRelayed(const Misdeed& misdeed) {
        const std::string what = misdeed.what;
        return what.starts_with("404") || what.starts_with("408") || what.starts_with("429");
    }

    void assertTooLong(const char* code, const Response& response) {
        ASSERT_GATEWAY_ERROR(502, code, response);
        CPPUNIT_ASSERT_EQUAL(std::string("the provider took too long to answer"), messageOf(response));
        ASSERT_TELLS_NOTHING(response);
    }

    /// A stream begins, and ends properly with an error as its API has it; nothing is tried again.
    /// @param seen is granted a step once it has begun.
    void assertErrorEvent(Api api, const char* code, const std::string& what, Permits* seen = nullptr) {
        const std::size_t before = asked();
        StreamedAnswer stream = beginStream(api);
        ASSERT_STATUS(200, stream.head());
        std::string last;
        std::string all;
        for (std::string block = stream.next(); !block.empty(); block = stream.next()) {
            all += block;
            last = block;
            if (seen != nullptr && block.find("so far") != std::string::npos) {
                seen->grant();
            }
        }
        CPPUNIT_ASSERT_MESSAGE(what + "\n" + all.substr(0, 1000), all.find("so far") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, api != Api::openai, last.starts_with("event: error\n"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what + "\n" + last, std::string(code), dataAt(last, "error.code"));
        CPPUNIT_ASSERT_MESSAGE(what + "\n" + last, dataAt(last, "error.message").size() > 10);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, api == Api::anthropic ? std::string("error") : "(absent)",
                                     dataAt(last, "type"));
        ASSERT_LACKS("[DONE]", all);
        ASSERT_LACKS("event: completion", all);
        ASSERT_LACKS("message_stop", all);
        ASSERT_LACKS("127.0.0.1", all);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(what, before + 1, asked());
    }

    /// Resets once the client has seen the beginning, which the reset might overtake otherwise.
    static scripts::Script resetStream(const std::string& begun, const std::shared_ptr<Permits>& seen) {
        return [begun, seen](UpstreamExchange& exchange) {
            exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
            exchange.chunk(begun);
            exchange.await(*seen);
            exchange.reset();
        };
    }

    static scripts::Script endlessStream(const std::string& begun, const std::string& piece) {
        return [begun, piece](UpstreamExchange& exchange) {
            exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
            exchange.chunk(begun);
            for (;;) {
                exchange.chunk(piece);
            }
        };
    }

    /// Each request waits for a permit, and is answered well then.
    std::shared_ptr<Permits> holdAll() {
        auto permits = std::make_shared<Permits>();
        for (const Api api : {Api::openai, Api::anthropic}) {
            upstream().on(upstreamPathOf(api), [permits, api](UpstreamExchange& exchange) {
                exchange.await(*permits);
                exchange.answer(200, answerOf(api));
            });
        }
        return permits;
    }

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

    /// With one loop for all connections: what was sent on others before has been received when it answers.
    void awaitReceived() { ASSERT_STATUS(200, exchange(daemon().worker(), Request("GET", "/health"))); }

    static void leave(Connection& connection, bool reset) {
        if (reset) {
            connection.reset();
        } else {
            const Connection gone = std::move(connection);
        }
    }

    /// The one of the two that is answered first.
    static Connection& awaitEither(Connection& one, Connection& other) {
        const Deadline deadline;
        while (!one.readable() && !other.readable()) {
            CPPUNIT_ASSERT_MESSAGE("neither was answered", deadline.pollTimeout() > 0);
            std::this_thread::yield();
        }
        return one.readable() ? one : other;
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

    [[nodiscard]] std::string daemonMemory() {
        return readFile("/proc/" + std::to_string(daemon().pid()) + "/status");
    }

    /// The most that it ever had, in bytes.
    [[nodiscard]] std::size_t peakMemory() {
        const std::string status = daemonMemory();
        constexpr std::string_view field = "VmHWM:";
        return std::stoul(status.substr(status.find(field) + field.size())) * 1024;
    }

    /// With copies of the plugins, so that one of them can be renewed. A job may make two calls.
    void startWithOwnPlugins() {
        for (const std::string name : {"jobs", "llm"}) {
            std::filesystem::copy_file(SALLYPORT_PLUGIN_PATH "/" + name + ".so", files() / (name + ".so"));
        }
        start({{"plugins.dir", files().path().string()}, {"llm.limit.requests", "2"}});
    }

    void renewPlugin() {
        std::filesystem::copy_file(SALLYPORT_PLUGIN_PATH "/llm.so", files() / "fresh");
        std::filesystem::rename(files() / "fresh", files() / "llm.so");
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmFailuresTest);

}  // namespace sallyport::tests
