// The LLM gateway before providers and proxies that repeat what they were told in secret: neither the worker
// nor the log ever sees it, however it is spelled.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/json.h>

#include "tests/contract/llm_gateway.h"
#include "tests/support/key_spellings.h"

namespace sallyport::tests {

namespace {

const Headers eventStream = {{"Content-Type", "text/event-stream"}};

/// The spelling as a JSON string has it: the backslashes are the spelling's own.
std::string errorOf(const std::string& spelling) {
    return R"({"error":{"type":"invalid_request_error","message":"what is \")" + spelling + R"(\"?"}})";
}

/// An answer with the spelling in it, between other words.
std::string answerWith(Api api, const std::string& spelling) {
    std::string answer = answerOf(api, "it is PLACE, is it not");
    answer.replace(answer.find("PLACE"), 5, spelling);
    return answer;
}

std::string pieceWith(Api api, const std::string& spelling) {
    std::string piece = pieceOf(api, "PLACE");
    piece.replace(piece.find("PLACE"), 5, spelling);
    return piece;
}

/// An event of the Responses API.
std::string responsesEvent(const std::string& type, const std::string& members) {
    return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + members + "}\n\n";
}

/// The running text of a stream, whatever its API.
std::string textOf(std::string_view stream) {
    std::string text;
    for (const std::string_view mark : {R"("content":")", R"("text":")", R"("delta":")"}) {
        for (auto at = stream.find(mark); at != std::string_view::npos; at = stream.find(mark, at + 1)) {
            const auto begin = at + mark.size();
            text += stream.substr(begin, stream.find('"', begin) - begin);
        }
    }
    return text;
}

}  // namespace

class LlmMaskingTest : public LlmGatewayTest {
    CPPUNIT_TEST_SUITE(LlmMaskingTest);
    CPPUNIT_TEST(testEverySpellingInAnAnswer);
    CPPUNIT_TEST(testEverySpellingInARefusal);
    CPPUNIT_TEST(testEverySpellingInAStream);
    CPPUNIT_TEST(testStreamCutAnywhere);
    CPPUNIT_TEST(testKeyInPiecesOfAText);
    CPPUNIT_TEST(testKeyInPiecesOfAnAnswer);
    CPPUNIT_TEST(testBrokenStream);
    CPPUNIT_TEST(testCompressedAnswer);
    CPPUNIT_TEST(testHeadersReasonsAndTrailers);
    CPPUNIT_TEST(testLinesOfOllama);
    CPPUNIT_TEST(testNonsenseIsLoggedWithoutTheKey);
    CPPUNIT_TEST(testRecordsHaveNoKey);
    CPPUNIT_TEST(testKeyInAListOfModels);
    CPPUNIT_TEST(testStreamIsNotHeldBack);
    CPPUNIT_TEST(testProxysPasswordIsMasked);
    CPPUNIT_TEST(testWorkersTokenIsNotForwarded);
    CPPUNIT_TEST(testShortKeyIsNotUsed);
    CPPUNIT_TEST_SUITE_END();

public:
    void testEverySpellingInAnAnswer() {
        start();
        for (const Api api : allApis) {
            for (const auto& [how, text] : spellingsOf(providerKey)) {
                upstream().next(scripts::answer(200, answerWith(api, text)));
                assertMasked(how, text, ask(api).describe());
            }
        }
        assertLogged();
    }

    void testEverySpellingInARefusal() {
        start();
        for (const Api api : allApis) {
            for (const auto& [how, text] : spellingsOf(providerKey)) {
                for (const int status : {400, 429, 500}) {
                    upstream().next(scripts::answer(status, errorOf(text)));
                    const std::string seen = ask(api).describe();
                    if (status == 400) {
                        assertMasked(how, text, seen);
                    } else {
                        assertLacksKey(how, text, seen);
                    }
                    assertLacksKey(how, text, takeLog());
                }
            }
            for (const int status : {401, 402, 403, 404}) {
                upstream().next(scripts::answer(status, errorOf(std::string(providerKey))));
                assertLacksKey("refused", std::string(providerKey), ask(api).describe());
            }
        }
        assertLogged();
    }

    void testEverySpellingInAStream() {
        start();
        for (const Api api : allApis) {
            for (const auto& [how, text] : spellingsOf(providerKey)) {
                upstream().next(
                    scripts::chunked({beginningOf(api) + pieceWith(api, text) + endOf(api)}, eventStream));
                assertMasked(how, text, beginStream(api).rest());
            }
        }
        assertLogged();
    }

    /// By chunks, which are read as they come.
    void testStreamCutAnywhere() {
        start();
        for (const Api api : allApis) {
            const std::string all = ": " + std::string(providerKey) + "\n\n" + beginningOf(api) +
                                    pieceWith(api, std::string(providerKey)) + endOf(api);
            const auto key = all.rfind(providerKey);
            for (std::size_t cut = key - 1; cut <= key + providerKey.size(); ++cut) {
                upstream().next(scripts::chunked({all.substr(0, cut), all.substr(cut)}, eventStream));
                assertMasked("cut", std::string(providerKey), beginStream(api).rest());
            }
            scripts::Pieces bytes;
            for (const char c : all) {
                bytes.emplace_back(1, c);
            }
            upstream().next(scripts::chunked(bytes, eventStream));
            assertMasked("by the byte", std::string(providerKey), beginStream(api).rest());
        }
    }

    /// Each piece in an event of its own.
    void testKeyInPiecesOfAText() {
        start();
        const std::string key(providerKey);
        for (const Api api : allApis) {
            for (const std::size_t cut : {std::size_t{10}, key.size() / 2, key.size() - 1}) {
                upstream().next(
                    scripts::chunked({beginningOf(api) + pieceOf(api, "it is " + key.substr(0, cut)) +
                                      pieceOf(api, key.substr(cut) + ", is it not") + endOf(api)},
                                     eventStream));
                const std::string seen = beginStream(api).rest();
                assertLacksKey("in two", key, seen);
                assertLacksKey("in two", key, textOf(seen));
                ASSERT_CONTAINS("it is [key], is it not", textOf(seen));
            }
        }
        std::string events =
            responsesEvent("response.created", R"(,"response":{"id":"r","status":"in_progress"})");
        for (std::size_t at = 0; at < key.size(); at += 5) {
            events += responsesEvent("response.output_text.delta",
                                     R"(,"output_index":0,"delta":")" + key.substr(at, 5) + '"');
        }
        events +=
            responsesEvent("response.output_text.done", R"(,"output_index":0,"text":")" + key + '"') +
            responsesEvent(
                "response.completed",
                R"(,"response":{"id":"r","status":"completed","usage":{"input_tokens":1,"output_tokens":1}})");
        upstream().next(scripts::chunked({events}, eventStream));
        const Response response =
            worker().post("/openai/v1/responses", R"({"model":"model-x","input":"hello","stream":true})");
        assertMasked("responses", key, response.describe());
        assertLacksKey("responses", key, textOf(response.body));
    }

    /// They are put together where the answer is translated.
    void testKeyInPiecesOfAnAnswer() {
        start();
        const std::string key(providerKey);
        upstream().next(scripts::answer(
            200,
            R"({"id":"m","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":")" +
                key.substr(0, 10) + R"("},{"type":"text","text":")" + key.substr(10) +
                R"("}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}})"));
        assertMasked("two blocks", key, ask(Api::seed, "hello", "claude-x").describe());
    }

    void testBrokenStream() {
        start();
        const std::string begun = std::string(providerKey).substr(0, 25);
        for (const Api api : allApis) {
            const auto seen = std::make_shared<Permits>();
            upstream().next([api, begun, seen](UpstreamExchange& exchange) {
                exchange.head(200, {{"Content-Type", "text/event-stream"}, {"Transfer-Encoding", "chunked"}});
                exchange.chunk(beginningOf(api) + pieceOf(api, "so far "));
                exchange.await(*seen);
                exchange.chunk(pieceOf(api, begun));
                exchange.close();
            });
            StreamedAnswer stream = beginStream(api);
            std::string all;
            while (all.find("so far") == std::string::npos) {
                all += stream.next();
            }
            seen->grant();
            all += stream.rest();
            ASSERT_CONTAINS("[key]", all);
            ASSERT_LACKS(begun, all);
            ASSERT_CONTAINS("broken", all);
        }
    }

    void testCompressedAnswer() {
        start();
        for (const Api api : allApis) {
            upstream().next(scripts::gzip(answerWith(api, std::string(providerKey))));
            assertMasked("gzip", std::string(providerKey), ask(api).describe());
        }
    }

    void testHeadersReasonsAndTrailers() {
        start();
        const std::string key(providerKey);
        for (const Api api : allApis) {
            const Headers headers = {{"Request-Id", "id-" + key},
                                     {"OpenAI-Version", base64("x" + key)},
                                     {"Retry-After", key},
                                     {"X-Should-Retry", key},
                                     {"Set-Cookie", key}};
            upstream().next(scripts::answer(200, answerOf(api), headers));
            assertLacksKey("headers", key, ask(api).describe());
            upstream().next(
                scripts::answer(400, errorOf("nothing"),
                                {{"Content-Type", "application/json; for=" + key}, {"Retry-After", key}}));
            assertLacksKey("headers", key, ask(api).describe());
            upstream().next([key](UpstreamExchange& exchange) {
                exchange.send("HTTP/1.1 400 " + key + "\r\nContent-Length: 2\r\n\r\n{}");
            });
            assertLacksKey("reason", key, ask(api).describe());
            upstream().next([key, api](UpstreamExchange& exchange) {
                exchange.head(200, {{"Content-Type", "application/json"}, {"Transfer-Encoding", "chunked"}});
                const std::string body = answerOf(api);
                exchange.chunk(body);
                exchange.send("0;ext=" + key + "\r\nRequest-Id: " + key + "\r\n\r\n");
            });
            assertLacksKey("trailer", key, ask(api).describe());
            upstream().next(scripts::answer(200, "{}", {{"Content-Encoding", key}}));
            assertLacksKey("coding", key, ask(api).describe());
        }
        assertLogged();
    }

    void testLinesOfOllama() {
        start({{"llm.providers", "local"},
               {"llm.provider.local.type", "ollama"},
               {"llm.provider.local.base_url", upstream().url()},
               {"llm.provider.local.model", "model-x"},
               {"llm.provider.local.key", "env:PROVIDER_KEY"}});
        const std::string key(providerKey);
        const auto line = [](const std::string& text, bool done) {
            return R"({"model":"model-x","message":{"role":"assistant","content":")" + text +
                   R"("},"done":)" +
                   (done ? R"(true,"done_reason":"stop","prompt_eval_count":1,"eval_count":1})" : "false}") +
                   "\n";
        };
        const Headers lines = {{"Content-Type", "application/x-ndjson"}};
        for (const auto& [how, text] : spellingsOf(providerKey)) {
            upstream().next(scripts::chunked({line(text, false), line("", true)}, lines));
            assertMasked(how, text, beginStream(Api::seed).rest());
        }
        upstream().next(scripts::chunked(
            {line(key.substr(0, 12), false), line(key.substr(12), false), line("", true)}, lines));
        const std::string seen = beginStream(Api::seed).rest();
        assertMasked("in two", key, seen);
        assertLacksKey("in two", key, textOf(seen));
        upstream().next(scripts::answer(400, R"({"error":")" + key + R"("})"));
        assertMasked("refusal", key, ask().describe());
        assertLogged();
    }

    void testNonsenseIsLoggedWithoutTheKey() {
        start();
        const std::string key(providerKey);
        // Cut where a log line ends, too.
        for (std::size_t size = 460; size < 505; ++size) {
            for (const int status : {200, 500}) {
                upstream().next(scripts::answer(status, std::string(size, '.') + key));
                assertLacksKey("nonsense", key, ask().describe());
            }
            upstream().next(
                scripts::answer(200, R"({"error":{"message":")" + std::string(size, '.') + key + R"("}})"));
            assertLacksKey("error", key, ask().describe());
            upstream().next(
                scripts::chunked({"data: " + std::string(size, '.') + key + "\n\n"}, eventStream));
            assertLacksKey("event", key, beginStream(Api::seed).rest());
        }
        const std::string log = takeLog();
        assertLogged();
        for (std::size_t size = 8; size < key.size(); ++size) {
            ASSERT_LACKS(key.substr(0, size), log);
        }
    }

    void testRecordsHaveNoKey() {
        start({{"llm.log_content", "true"}});
        const std::string key(providerKey);
        for (const Api api : allApis) {
            upstream().next(scripts::answer(200, answerWith(api, key)));
            ASSERT_STATUS(200, ask(api));
            upstream().next(
                scripts::chunked({beginningOf(api) + pieceWith(api, key) + endOf(api)}, eventStream));
            assertMasked("stream", key, beginStream(api).rest());
        }
        awaitCalls(2 * std::size(allApis));
        assertLacksKey("usage", key, operators().get("/usage?by=model").describe());
        daemon().terminate();
        ASSERT_LACKS(key, readFile(daemon().dataDirectory() / "sallyport.db"));
    }

    void testKeyInAListOfModels() {
        start();
        const std::string key(providerKey);
        upstream().next(scripts::answer(
            200, R"({"object":"list","data":[{"id":"model-x","owned_by":")" + key + R"("}]})"));
        assertMasked("models", key, worker().get("/openai/v1/models").describe());
    }

    /// A piece goes on when it comes, unless it may be the beginning of a key.
    void testStreamIsNotHeldBack() {
        start();
        for (const Api api : allApis) {
            const auto permits = std::make_shared<Permits>();
            upstream().next(scripts::stream(
                {beginningOf(api) + pieceOf(api, "one s"), pieceOf(api, "two sk-"), endOf(api)}, permits));
            permits->grant();
            StreamedAnswer stream = beginStream(api);
            std::string seen;
            for (const char* text : {"one s", "two sk-"}) {
                while (seen.find(text) == std::string::npos) {
                    seen += stream.next();
                }
                permits->grant();
            }
            permits->grant();
            static_cast<void>(stream.rest());
        }
    }

    void testProxysPasswordIsMasked() {
        const std::string login = "gatekeeper:pass-word-of-the-proxy";
        const std::string proxy = upstream().url();
        start({{"llm.provider.main.base_url", "http://provider.example/v1"},
               {"llm.provider.main.proxy", "http://" + login + "@" + proxy.substr(proxy.find("//") + 2)}});
        for (const Api api : {Api::seed, Api::openai}) {
            for (const int status : {400, 407, 502}) {
                upstream().next([status](UpstreamExchange& exchange) {
                    exchange.answer(status, errorOf(exchange.request().header("proxy-authorization")));
                });
                const std::string seen = ask(api).describe() + takeLog();
                for (const std::string& secret :
                     {login, base64(login), std::string("pass-word-of-the-proxy")}) {
                    assertLacksKey("proxy", secret, seen);
                }
            }
        }
        // What a proxy wants to be told is nothing that a worker could tell it.
        upstream().next(scripts::answer(407, errorOf("nothing")));
        ASSERT_GATEWAY_ERROR(502, "provider_error", ask(Api::openai));
        CPPUNIT_ASSERT_EQUAL(
            "Basic " + base64(login),
            upstream().requests().back().header("proxy-authorization").substr(0, 6 + base64(login).size()));
    }

    void testWorkersTokenIsNotForwarded() {
        start({{"llm.forward_headers", "authorization, x-api-key, cookie, proxy-authorization, x-other"}});
        for (const Api api : allApis) {
            answerNext(api);
            Request request = worker().request("POST", pathOf(api));
            ASSERT_STATUS(200, exchange(daemon().worker(), request.header("X-Api-Key", worker().token())
                                                               .header("Cookie", "token=" + worker().token())
                                                               .header("X-Other", "seen")
                                                               .json(question(api))));
            const SeenRequest seen = upstream().requests().back();
            for (const auto& [name, value] : seen.headers) {
                ASSERT_LACKS(worker().token(), value);
            }
            ASSERT_LACKS(worker().token(), seen.target);
        }
    }

    void testShortKeyIsNotUsed() {
        writeFile(files() / "short.key", "h7-Qz\n");
        Settings settings{{"llm.provider.main.key", "file:" + (files() / "short.key").string()}};
        // On this machine it may be a placeholder.
        start(settings);
        answerNext();
        ASSERT_STATUS(200, ask());
        CPPUNIT_ASSERT_EQUAL(std::string("Bearer h7-Qz"),
                             upstream().requests().back().header("authorization"));
        settings["llm.provider.main.base_url"] = "http://provider.invalid/v1";
        start(settings);
        ASSERT_CONTAINS("has fewer than 8 characters", daemon().log());
        ASSERT_CONTAINS("has fewer than 8 characters", operators().get("/plugins").body);
        ASSERT_GATEWAY_ERROR(502, "provider_key", ask());
        ASSERT_LACKS("h7-Qz", daemon().log());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, asked());
        // Through a proxy it would leave this machine.
        settings["llm.provider.main.base_url"] = upstream().url("/v1");
        settings["llm.provider.main.proxy"] = upstream().url();
        start(settings);
        ASSERT_GATEWAY_ERROR(502, "provider_key", ask());
    }

private:
    /// Neither the key nor the half of a spelling of it is there.
    static void assertLacksKey(const std::string& how, const std::string& spelling, const std::string& seen) {
        const std::string all = how + "\n" + seen;
        for (const std::string& text :
             {std::string(providerKey), spelling, spelling.substr(0, spelling.size() / 2 + 1),
              spelling.substr(spelling.size() / 2 - 1)}) {
            CPPUNIT_ASSERT_MESSAGE(all, seen.find(text) == std::string::npos);
            CPPUNIT_ASSERT_MESSAGE(all,
                                   seen.find(json::quote(text).substr(1, text.size())) == std::string::npos);
        }
    }

    static void assertMasked(const std::string& how, const std::string& spelling, const std::string& seen) {
        assertLacksKey(how, spelling, seen);
        CPPUNIT_ASSERT_MESSAGE(how + "\n" + seen, seen.find("[key]") != std::string::npos);
    }

    /// What was logged since the last time.
    std::string takeLog() {
        std::string log = daemon().log();
        const std::size_t from = std::min(std::exchange(logged_, log.size()), log.size());
        return log.substr(from);
    }

    void assertLogged() { ASSERT_LACKS(providerKey, daemon().log()); }

    std::size_t logged_ = 0;
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmMaskingTest);

}  // namespace sallyport::tests
