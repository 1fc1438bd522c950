#include "host/client/client.h"

#include <filesystem>
#include <string>

#include <unistd.h>

#include <Poco/TemporaryFile.h>
#include <cppunit/extensions/HelperMacros.h>

#include "host/client/failure.h"
#include "tests/unit/client/scripted_door.h"

namespace sallyport::host::client {

class ClientTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ClientTest);
    CPPUNIT_TEST(testAsksWithItsToken);
    CPPUNIT_TEST(testSendsAJsonBody);
    CPPUNIT_TEST(testSpeaksOverAUnixSocket);
    CPPUNIT_TEST(testSendsNothingToAnotherUsersSocket);
    CPPUNIT_TEST(testEncodesWhatGoesIntoATarget);
    CPPUNIT_TEST(testSaysThatNothingListens);
    CPPUNIT_TEST(testSaysWhatTheDaemonSaid);
    CPPUNIT_TEST(testSaysWhereARefusedTokenCameFrom);
    CPPUNIT_TEST(testDoesNotRepeatAForeignErrorPage);
    CPPUNIT_TEST(testRefusesAnswersThatAreNotSallyports);
    CPPUNIT_TEST(testNoticesAnAnswerCutShort);
    CPPUNIT_TEST(testGivesUpOnSilence);
    CPPUNIT_TEST(testReadsMembersLeniently);
    CPPUNIT_TEST(testReadsAnswersWithManyValues);
    CPPUNIT_TEST(testReadsAStream);
    CPPUNIT_TEST(testReadsAChunkedStream);
    CPPUNIT_TEST(testRefusesAStreamThatIsNone);
    CPPUNIT_TEST_SUITE_END();

    static ScriptedDoor::Handler sending(std::string bytes) {
        return [bytes = std::move(bytes)](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            send(socket, bytes);
        };
    }

    /// What asking the client comes to, in words.
    template <typename Expected>
    static Expected failureOf(const Client& client) {
        try {
            static_cast<void>(client.get(Target("/api/status")));
        } catch (const Expected& failure) {
            return failure;
        }
        CPPUNIT_FAIL("it should have failed");
        throw;  // not reached
    }

    static bool says(const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    }

    void testAsksWithItsToken() {
        const ScriptedDoor door(canned({{"GET /api/status", R"({"version": "1"})"}}));
        const Answer answer = door.client().get(Target("/api/status"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"version": "1"})"), answer.text());
        CPPUNIT_ASSERT_EQUAL(std::string("1"), textOf(answer.object(), "version"));
        const ScriptedRequest request = door.requests().front();
        CPPUNIT_ASSERT_EQUAL(std::string("Bearer operator-token"), request.headers.at("authorization"));
        CPPUNIT_ASSERT_EQUAL(door.url(), "http://" + request.headers.at("host"));
        CPPUNIT_ASSERT(!request.headers.contains("content-type"));
    }

    void testSendsAJsonBody() {
        const ScriptedDoor door(canned({{"POST /api/jobs", "{}"}, {"DELETE /api/tokens/1", "{}"}}));
        Poco::JSON::Object body;
        body.set("task", "line\n\"quoted\" ü");
        static_cast<void>(door.client().post(Target("/api/jobs"), body));
        static_cast<void>(door.client().post(Target("/api/jobs")));
        static_cast<void>(door.client().remove(Target("/api/tokens").segment("1")));
        const auto requests = door.requests();
        CPPUNIT_ASSERT_EQUAL(std::string("application/json"), requests[0].headers.at("content-type"));
        CPPUNIT_ASSERT_EQUAL(std::string("line\n\"quoted\" ü"),
                             textOf(json::Value::parse(requests[0].body).object(), "task"));
        CPPUNIT_ASSERT_EQUAL(std::string("0"), requests[1].headers.at("content-length"));
        CPPUNIT_ASSERT(!requests[1].headers.contains("content-type"));
    }

    void testSpeaksOverAUnixSocket() {
        const std::string path = Poco::TemporaryFile::tempName();
        {
            const ScriptedDoor door({Poco::Net::SocketAddress::UNIX_LOCAL, path},
                                    canned({{"GET /api/status", "{}"}}));
            CPPUNIT_ASSERT_EQUAL("unix:" + path, door.url());
            CPPUNIT_ASSERT_EQUAL(std::string("{}"), door.client().get(Target("/api/status")).text());
            CPPUNIT_ASSERT_EQUAL(std::string("localhost"), door.requests().front().headers.at("host"));
        }
        std::filesystem::remove(path);
    }

    void testSendsNothingToAnotherUsersSocket() {
        const std::string path = Poco::TemporaryFile::tempName();
        {
            const ScriptedDoor door({Poco::Net::SocketAddress::UNIX_LOCAL, path},
                                    canned({{"GET /api/status", "{}"}}));
            Access access{.address = Address::parse(door.url()),
                          .addressOrigin = "the test",
                          .token = "t",
                          .tokenOrigin = "",
                          .peers = {::geteuid() + 1, ::geteuid() + 2},
                          .dataDir = "/var/lib/x"};
            const auto failure = failureOf<Unreachable>(Client(access, std::chrono::seconds(30)));
            CPPUNIT_ASSERT(says(failure.what(), "neither root nor the owner of /var/lib/x"));
            CPPUNIT_ASSERT(says(failure.what(), door.url() + " (from the test)"));
            CPPUNIT_ASSERT(door.requests().empty());
            access.peers.push_back(::geteuid());
            static_cast<void>(Client(access, std::chrono::seconds(30)).get(Target("/api/status")));
        }
        std::filesystem::remove(path);
    }

    void testEncodesWhatGoesIntoATarget() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("/api/x%2F..%3Fy/z?a=1%262&b=%2A%20%C3%BC"),
            Target("/api").segment("x/..?y").segment("z").query("a", "1&2").query("b", "* ü").text());
    }

    void testReadsAnswersWithManyValues() {
        std::string events = R"({"events":[0)";
        for (std::size_t i = 0; i < json::defaultValues; ++i) {
            events += ",0";
        }
        const Answer answer(events + "]}");
        CPPUNIT_ASSERT(answer.object().find("events") != nullptr);
    }

    void testSaysThatNothingListens() {
        std::string url;
        {
            const ScriptedDoor door(canned({}));
            url = door.url();
        }
        const Client client(
            {.address = Address::parse(url), .addressOrigin = "--url", .token = "t", .tokenOrigin = ""},
            std::chrono::seconds(30));
        const auto failure = failureOf<Unreachable>(client);
        CPPUNIT_ASSERT(says(failure.what(), url + " (from --url)"));
        CPPUNIT_ASSERT_EQUAL(std::string("Is the daemon running?"), failure.hints().front());
    }

    void testSaysWhatTheDaemonSaid() {
        const ScriptedDoor door([](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            answer(socket, 409, R"({"error":{"code":"job_over","message":"The job is over."}})");
        });
        const auto failure = failureOf<Refused>(door.client());
        CPPUNIT_ASSERT_EQUAL(409, failure.status());
        CPPUNIT_ASSERT_EQUAL(std::string("The job is over. (job_over, HTTP 409)"),
                             std::string(failure.what()));
        CPPUNIT_ASSERT(failure.code() == ExitCode::refused);
    }

    void testSaysWhereARefusedTokenCameFrom() {
        const ScriptedDoor door([](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            answer(socket, 401, R"({"error":{"code":"unauthorized","message":"No."}})");
        });
        const auto failure = failureOf<Refused>(door.client());
        CPPUNIT_ASSERT_EQUAL(401, failure.status());
        CPPUNIT_ASSERT(says(failure.hints().front(), "the test's token file"));
        CPPUNIT_ASSERT(!says(failure.hints().front(), "operator-token"));
    }

    void testDoesNotRepeatAForeignErrorPage() {
        const ScriptedDoor door([](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            answer(socket, 502, "<html>proxy</html>", "text/html");
        });
        const auto failure = failureOf<Refused>(door.client());
        CPPUNIT_ASSERT_EQUAL(502, failure.status());
        CPPUNIT_ASSERT(says(failure.what(), "HTTP 502"));
        CPPUNIT_ASSERT(!says(failure.what(), "<html>"));
    }

    void testRefusesAnswersThatAreNotSallyports() {
        for (const char* body : {"", "hello", "[]", "{\"a\":", "null"}) {
            const ScriptedDoor door([body](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
                answer(socket, 200, body);
            });
            CPPUNIT_ASSERT(says(failureOf<Refused>(door.client()).what(), "not JSON as Sallyport writes it"));
        }
        const ScriptedDoor redirecting(
            sending("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(302, failureOf<Refused>(redirecting.client()).status());
        const ScriptedDoor ssh(sending("SSH-2.0-OpenSSH\r\n"));
        CPPUNIT_ASSERT(says(failureOf<Unreachable>(ssh.client()).what(), "did not answer with HTTP"));
    }

    void testNoticesAnAnswerCutShort() {
        const ScriptedDoor short1(sending("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"));
        CPPUNIT_ASSERT(says(failureOf<Unreachable>(short1.client()).what(), "in the middle"));
        const ScriptedDoor short2(sending("HTTP/1.1 200 OK\r\nContent-"));
        CPPUNIT_ASSERT(failureOf<Unreachable>(short2.client()).code() == ExitCode::unreachable);
        const ScriptedDoor nothing(sending(""));
        CPPUNIT_ASSERT(failureOf<Unreachable>(nothing.client()).code() == ExitCode::unreachable);
    }

    void testGivesUpOnSilence() {
        const ScriptedDoor door(
            [](const ScriptedRequest&, Poco::Net::StreamSocket& socket) { awaitClose(socket); });
        const Client client(
            {.address = Address::parse(door.url()), .addressOrigin = "", .token = "t", .tokenOrigin = ""},
            std::chrono::milliseconds(20));
        CPPUNIT_ASSERT(says(failureOf<Unreachable>(client).what(), "did not answer in time"));
    }

    void testReadsMembersLeniently() {
        const Answer answer(R"({"s":"text","n":-5,"t":true,"z":null,"a":[1,2],"o":{"x":"y"}})");
        const json::Object& object = answer.object();
        CPPUNIT_ASSERT_EQUAL(std::string("text"), textOf(object, "s"));
        CPPUNIT_ASSERT_EQUAL(std::string("else"), textOf(object, "z", "else"));
        CPPUNIT_ASSERT_EQUAL(std::string(), textOf(object, "n"));
        CPPUNIT_ASSERT(!optionalText(object, "missing"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{-5}, numberOf(object, "n"));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, numberOf(object, "s"));
        CPPUNIT_ASSERT(isTrue(object, "t") && !isTrue(object, "z") && !isTrue(object, "missing"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, elementsOf(object, "a").size());
        CPPUNIT_ASSERT(elementsOf(object, "o").empty());
        CPPUNIT_ASSERT_EQUAL(std::string("y"), textOf(objectOf(object, "o"), "x"));
        const json::Object missing = objectOf(object, "missing");
        CPPUNIT_ASSERT(missing.members().empty());
    }

    void testReadsAStream() {
        const ScriptedDoor door([](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            send(socket, ": hello\n\nid: 5\nevent: job_status\nda");
            send(socket, "ta: {}\n\n: beat\n\nid: 6\ndata: cut");
        });
        EventStream stream = door.client().follow(Target("/api/events"), 4, std::chrono::seconds(30));
        const auto event = stream.next();
        CPPUNIT_ASSERT_EQUAL(std::string("5"), event.value().id.value());
        CPPUNIT_ASSERT_EQUAL(std::string("job_status"), event->type);
        CPPUNIT_ASSERT(!stream.next());
        CPPUNIT_ASSERT_EQUAL(std::string("4"), door.requests().front().headers.at("last-event-id"));
    }

    void testReadsAChunkedStream() {
        const ScriptedDoor door([](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            send(socket,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n");
            send(socket, "4\r\ndata\r\n8\r\n: a\n\ndat\r\n6\r\na: b\n\n\r\n");
            awaitClose(socket);
        });
        EventStream stream = door.client().follow(Target("/api/events"), 0, std::chrono::seconds(30));
        CPPUNIT_ASSERT_EQUAL(std::string("a"), stream.next().value().data);
        // The stream stays open: what has arrived is given without waiting for more.
        CPPUNIT_ASSERT_EQUAL(std::string("b"), stream.next().value().data);
    }

    void testRefusesAStreamThatIsNone() {
        const ScriptedDoor door(canned({{"GET /api/events", "{}"}}));
        CPPUNIT_ASSERT_THROW(door.client().follow(Target("/api/events"), 0, std::chrono::seconds(30)),
                             Refused);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ClientTest);

}  // namespace sallyport::host::client
