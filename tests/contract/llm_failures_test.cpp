// The LLM gateway when its providers fail: what the worker is told, and that nothing leaks.
#include <memory>
#include <string>
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
    CPPUNIT_TEST(testEveryMisdeedIsToldInOneSentence);
    CPPUNIT_TEST(testWrongJsonIsNoAnswer);
    CPPUNIT_TEST(testOddButProperAnswersAreTaken);
    CPPUNIT_TEST(testLargeAnswersComeWhole);
    CPPUNIT_TEST(testSilenceEnds);
    CPPUNIT_TEST(testSlowDripEnds);
    CPPUNIT_TEST(testRefusedConnection);
    CPPUNIT_TEST(testCertificatesAreVerified);
    CPPUNIT_TEST(testRefusalsAreRelayedWithoutTheKey);
    CPPUNIT_TEST(testBrokenStreamsEndWithAnErrorEvent);
    CPPUNIT_TEST(testStreamThatEndsTooEarlyIsBroken);
    CPPUNIT_TEST(testStreamThatFallsSilentIsBroken);
    CPPUNIT_TEST(testNothingIsRetriedOnceBytesWereSeen);
    CPPUNIT_TEST(testStreamThatFailsBeforeItsFirstByteIsRetried);
    CPPUNIT_TEST_SUITE_END();

public:
    void testEveryMisdeedIsToldInOneSentence() {
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
    void testWrongJsonIsNoAnswer() {
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

    void testOddButProperAnswersAreTaken() {
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

    void testLargeAnswersComeWhole() {
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

    void testSilenceEnds() {
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
    void testSlowDripEnds() {
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

    void testRefusedConnection() {
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

    void testCertificatesAreVerified() {
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

    void testRefusalsAreRelayedWithoutTheKey() {
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

    void testBrokenStreamsEndWithAnErrorEvent() {
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

    void testStreamThatEndsTooEarlyIsBroken() {
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

    void testStreamThatFallsSilentIsBroken() {
        start({{"llm.timeout.idle", "1s"}});
        const auto permits = std::make_shared<Permits>();
        for (const Api api : allApis) {
            upstream().next(scripts::stream({beginningOf(api) + pieceOf(api, "so far")}, permits));
            permits->grant();
            assertErrorEvent(api, "idle_timeout", "falls silent");
        }
        upstream().awaitOpen(0);
    }

    void testNothingIsRetriedOnceBytesWereSeen() {
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

    void testStreamThatFailsBeforeItsFirstByteIsRetried() {
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
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmFailuresTest);

}  // namespace sallyport::tests
