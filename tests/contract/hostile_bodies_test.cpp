// Bodies that are made to cost others: by their framing, their number, their pace.
#include <algorithm>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/ioctl.h>

#include <cppunit/extensions/HelperMacros.h>
#include <linux/sockios.h>

#include "tests/support/assertions.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

class HostileBodiesTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(HostileBodiesTest);
    CPPUNIT_TEST(testChunkExtensionsAreBounded);
    CPPUNIT_TEST(testTrailersAreBounded);
    CPPUNIT_TEST(testDroppedBodiesAreBounded);
    CPPUNIT_TEST(testJobLeavesMemoryToOthers);
    CPPUNIT_TEST(testDoorsLeaveMemoryToEachOther);
    CPPUNIT_TEST(testUnfinishedHeadsTakeMemory);
    CPPUNIT_TEST(testUnwantedBodiesAreNotHeldByWhoWaits);
    CPPUNIT_TEST(testStalledBodyIsRefused);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    // Their shadow memory alone takes more than there is to be.
    CPPUNIT_TEST(testOutOfMemoryEndsTheConnectionAlone);
#endif
    CPPUNIT_TEST_SUITE_END();

public:
    void testChunkExtensionsAreBounded() {
        const CreatedJob job = createJob(admin());
        const std::string chunk = "1;" + std::string(250, 'x') + "\r\n \r\n";
        ASSERT_REFUSED(400, sendWithoutEnd(job, chunk));
    }

    void testTrailersAreBounded() {
        const CreatedJob job = createJob(admin());
        ASSERT_REFUSED(400, sendWithoutEnd(job, "0\r\n", "a: b\r\n"));
    }

    /// What is dropped of a refused body counts as well.
    void testDroppedBodiesAreBounded() {
        const CreatedJob job = createJob(admin());
        Connection connection(daemon().worker());
        connection.send(Request("POST", "/worker/" + job.id + "/nowhere")
                            .bearer(job.token)
                            .header("Transfer-Encoding", "chunked")
                            .bytes());
        ASSERT_REFUSED(404, connection.receive());
        assertCutOff(connection, "1;" + std::string(250, 'x') + "\r\n \r\n");
    }

    void testJobLeavesMemoryToOthers() {
        Daemon& daemon = small();
        Client operators = operatorClient(daemon);
        const CreatedJob greedy = createJob(operators);
        std::vector<Connection> held;
        bool refused = false;
        for (int i = 0; i < 8 && !refused; ++i) {
            held.push_back(begin(daemon, greedy, 1'000'000, 999'999));
            refused = !awaitHeld(held.back());
        }
        CPPUNIT_ASSERT_MESSAGE("nothing bounds the bodies of a job", refused);
        const Response answer = held.back().receive();
        ASSERT_ERROR(429, "too_many_bodies", answer);
        CPPUNIT_ASSERT_MESSAGE(answer.describe(), !answer.header("Retry-After").empty());
        const std::string event = R"({"event_type":"x","data":1})";
        ASSERT_STATUS(200, workerClient(daemon, createJob(operators)).post("/event", event));
        // It has what it had, and more again once that is done.
        held.pop_back();
        held.front().send("1");
        ASSERT_REFUSED(422, held.front().receive());
        held.clear();
        const Deadline deadline;
        while (workerClient(daemon, greedy).post("/event", event).status != 200) {
            CPPUNIT_ASSERT_MESSAGE("it is never given back", deadline.pollTimeout() > 0);
        }
    }

    void testDoorsLeaveMemoryToEachOther() {
        Daemon& daemon = small();
        Client operators = operatorClient(daemon);
        std::vector<Connection> held;
        bool refused = false;
        for (int i = 0; i < 12 && !refused; ++i) {
            held.push_back(begin(daemon, createJob(operators), 1'000'000, 999'999));
            refused = !awaitHeld(held.back());
        }
        CPPUNIT_ASSERT(refused);
        ASSERT_ERROR(503, "overloaded", held.back().receive());
        ASSERT_STATUS(201, operators.post("/jobs", R"({"task":")" + std::string(500'000, 'x') + "\"}"));
    }

    void testUnfinishedHeadsTakeMemory() {
        Daemon daemon({.settings = {{"http.body_memory", "1MiB"},
                                    {"worker.max_body", "64KiB"},
                                    {"http.header_timeout", "1h"},
                                    {"http.anonymous_timeout", "1h"}}});
        std::vector<Connection> held;
        const auto isAnyClosed = [&held] {
            return std::any_of(held.begin(), held.end(),
                               [](const Connection& connection) { return connection.readable(); });
        };
        for (int i = 0; i < 400 && !isAnyClosed(); ++i) {
            held.emplace_back(daemon.worker());
            held.back().trySend("GET /health HTTP/1.1\r\nX: " + std::string(5'000, 'x'));
        }
        const Deadline deadline;
        while (!isAnyClosed()) {
            CPPUNIT_ASSERT_MESSAGE("the heads count for nothing", deadline.pollTimeout() > 0);
        }
        ASSERT_STATUS(200, operatorClient(daemon).get("/jobs"));
    }

    /// A long poll has no use for a body, and does not hold one.
    void testUnwantedBodiesAreNotHeldByWhoWaits() {
        Daemon daemon({.settings = {{"http.body_memory", "1MiB"}, {"worker.max_body", "64KiB"}}});
        const CreatedJob job = createJob(daemon);
        Client worker = workerClient(daemon, job);
        std::vector<Connection> parked;
        for (int i = 0; i < 40; ++i) {
            parked.emplace_back(daemon.worker());
            parked.back().send(worker.request("GET", "/prompt?wait=60")
                                   .body("text/plain", std::string(60'000, 'x'))
                                   .bytes());
            ASSERT_STATUS(200, worker.post("/event", R"({"event_type":"x","data":1})"));
        }
        for (Connection& connection : parked) {
            CPPUNIT_ASSERT(!connection.readable());
        }
    }

    /// It came fast and stops: the memory that it holds is wanted by others.
    void testStalledBodyIsRefused() {
        Daemon& daemon = sharedDaemon({{"http.min_body_rate", "64KiB"}, {"http.body_timeout", "1h"}});
        Connection stalled = begin(daemon, createJob(daemon), 1'000'000, 999'999);
        ASSERT_ERROR(408, "too_slow", stalled.receive());
        CPPUNIT_ASSERT(stalled.closedByPeer());
    }

    void testOutOfMemoryEndsTheConnectionAlone() {
        Daemon daemon({.settings = {{"http.body_memory", "4GiB"}, {"worker.max_body", "64MiB"}},
                       .wrapper = {"/usr/bin/prlimit", "--as=" + std::to_string(std::size_t{900} << 20U)}});
        Client operators = operatorClient(daemon);
        std::vector<Connection> held;
        for (int i = 0; i < 40; ++i) {
            const auto body = std::size_t{64} << 20U;
            held.emplace_back(daemon.worker());
            held.back().trySend(head(createJob(operators), body));
            const std::string piece(std::size_t{1} << 20U, ' ');
            bool taken = true;
            for (std::size_t sent = piece.size(); taken && sent < body; sent += piece.size()) {
                taken = held.back().trySend(piece);
            }
            if (!taken) {
                break;
            }
        }
        held.clear();
        ASSERT_STATUS(200, exchange(daemon.worker(), Request("GET", "/health")));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
    }

private:
    /// Little memory for bodies: of 8 MiB a door has six, and a job two.
    static Daemon& small() {
        return sharedDaemon({{"http.body_memory", "8MiB"},
                             {"worker.max_body", "1MiB"},
                             {"http.body_timeout", "1h"},
                             {"http.min_body_rate", "0"}});
    }

    static std::string head(const CreatedJob& job, std::size_t length) {
        return Request("POST", "/worker/" + job.id + "/event")
            .bearer(job.token)
            .header("Content-Type", "application/json")
            .header("Content-Length", std::to_string(length))
            .bytes();
    }

    /// A request of which `sent` bytes of the body are sent.
    static Connection begin(const Daemon& daemon, const CreatedJob& job, std::size_t length,
                            std::size_t sent) {
        Connection connection(daemon.worker());
        connection.trySend(head(job, length));
        connection.trySend(std::string(sent, ' '));
        return connection;
    }

    /// Whether what was sent has been read, as opposed to refused.
    static bool awaitHeld(Connection& connection) {
        const Deadline deadline;
        int unread = 1;
        while (unread != 0 && !connection.readable()) {
            CPPUNIT_ASSERT(::ioctl(connection.descriptor(), SIOCOUTQ, &unread) == 0);
            CPPUNIT_ASSERT_MESSAGE("it is not read", deadline.pollTimeout() > 0);
        }
        pollfd watched{connection.descriptor(), POLLIN, 0};
        return ::poll(&watched, 1, 100) == 0;
    }

    /// Sends a chunked body that begins and goes on like that until it is refused.
    Response sendWithoutEnd(const CreatedJob& job, const std::string& beginning,
                            const std::string& rest = {}) {
        Connection connection(daemon().worker());
        connection.trySend(Request("POST", "/worker/" + job.id + "/event")
                               .bearer(job.token)
                               .header("Content-Type", "application/json")
                               .header("Transfer-Encoding", "chunked")
                               .bytes() +
                           beginning);
        const std::string& again = rest.empty() ? beginning : rest;
        std::string block;
        while (block.size() < 100'000) {
            block += again;
        }
        const Deadline deadline;
        while (!connection.readable()) {
            CPPUNIT_ASSERT_MESSAGE("it may go on for ever", deadline.pollTimeout() > 0);
            if (!connection.trySend(block)) {
                break;
            }
        }
        return connection.receive();
    }

    static void assertCutOff(Connection& connection, const std::string& bytes) {
        std::string block;
        while (block.size() < 100'000) {
            block += bytes;
        }
        const Deadline deadline;
        while (!connection.readable() && connection.trySend(block)) {
            CPPUNIT_ASSERT_MESSAGE("it may go on for ever", deadline.pollTimeout() > 0);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HostileBodiesTest);

}  // namespace sallyport::tests
