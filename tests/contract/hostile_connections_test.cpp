// Peers that want the door for themselves: by their number, by never saying who they are, by never stopping.
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

class HostileConnectionsTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(HostileConnectionsTest);
    CPPUNIT_TEST(testPipelinersLeaveTheDoorToOthers);
    CPPUNIT_TEST(testWhatIsSentAheadStaysWithTheSender);
    CPPUNIT_TEST(testRefusedBodiesAreAllAnswered);
    CPPUNIT_TEST(testWithoutATokenLifeIsShort);
    CPPUNIT_TEST(testTokenMakesItLonger);
    CPPUNIT_TEST(testRevocationMakesItShortAgain);
    CPPUNIT_TEST(testOldestAnonymousConnectionMakesRoom);
    CPPUNIT_TEST(testAddressMakesRoomForItself);
    CPPUNIT_TEST(testJobHasItsShareOfConnections);
    CPPUNIT_TEST(testParkedRequestsCountAsConnections);
    CPPUNIT_TEST(testOperatorsHavePlacesOfTheirOwn);
    CPPUNIT_TEST(testFewDescriptorsAreShared);
    CPPUNIT_TEST_SUITE_END();

    /// Sends requests without a pause and reads the answers, until it goes away.
    class Pipeliner {
    public:
        Pipeliner(const Endpoint& door, const std::string& request) : socket_(door.connect()) {
            for (int i = 0; i < 4096; ++i) {
                block_ += request;
            }
            threads_.emplace_back([this] { send(); });
            threads_.emplace_back([this] { receive(); });
        }
        ~Pipeliner() {
            stopped_ = true;
            ::shutdown(socket_.get(), SHUT_RDWR);
            for (auto& thread : threads_) {
                thread.join();
            }
        }
        Pipeliner(const Pipeliner&) = delete;
        Pipeliner& operator=(const Pipeliner&) = delete;

        [[nodiscard]] std::size_t received() const { return received_; }

    private:
        bool await(short events) const {
            pollfd watched{socket_.get(), events, 0};
            return ::poll(&watched, 1, 100) >= 0 && !stopped_;
        }
        void send() {
            for (std::size_t at = 0; await(POLLOUT);) {
                const auto sent = ::send(socket_.get(), block_.data() + at, block_.size() - at, MSG_NOSIGNAL);
                if (sent < 0 && errno != EAGAIN) {
                    return;
                }
                at = sent < 0 ? at : (at + static_cast<std::size_t>(sent)) % block_.size();
            }
        }
        void receive() {
            std::vector<char> taken(std::size_t{1} << 20U);
            while (await(POLLIN)) {
                const auto got = ::recv(socket_.get(), taken.data(), taken.size(), 0);
                if (got == 0 || (got < 0 && errno != EAGAIN)) {
                    return;
                }
                received_ += got > 0 ? static_cast<std::size_t>(got) : 0;
            }
        }

        FileDescriptor socket_;
        std::string block_;
        std::atomic<bool> stopped_{false};
        std::atomic<std::size_t> received_{0};
        std::vector<std::thread> threads_;
    };

public:
    void testPipelinersLeaveTheDoorToOthers() {
        Daemon daemon;
        Client operators = operatorClient(daemon);
        const CreatedJob job = createJob(operators);
        std::vector<std::unique_ptr<Pipeliner>> crowd;
        for (int i = 0; i < 6; ++i) {
            const auto request = i % 2 == 0 ? Request("GET", "/health") : Request("GET", "/worker/x/job");
            crowd.push_back(std::make_unique<Pipeliner>(daemon.worker(), request.bytes()));
        }
        const Deadline deadline;
        for (const auto& one : crowd) {
            while (one->received() < 1'000'000) {
                CPPUNIT_ASSERT_MESSAGE("pipelined requests are not answered", deadline.pollTimeout() > 0);
            }
        }
        for (int i = 0; i < 20; ++i) {
            ASSERT_STATUS(200, exchange(daemon.worker(), workerClient(daemon, job).request("GET", "/job")));
            ASSERT_STATUS(200, operators.get("/jobs/" + job.id));
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
    }

    /// A request is under way, and what comes behind it fills the kernel's buffers and no more.
    void testWhatIsSentAheadStaysWithTheSender() {
        const CreatedJob job = createJob(admin());
        Client worker = workerClient(daemon(), job);
        Connection connection(daemon().worker());
        connection.send(worker.request("GET", "/prompt?wait=60").bytes());
        const std::string ahead(std::size_t{1} << 20U, '\n');
        std::size_t sent = 0;
        pollfd watched{connection.descriptor(), POLLOUT, 0};
        while (::poll(&watched, 1, 200) > 0) {
            const auto taken = ::send(connection.descriptor(), ahead.data(), ahead.size(), MSG_NOSIGNAL);
            CPPUNIT_ASSERT(taken > 0);
            sent += static_cast<std::size_t>(taken);
            CPPUNIT_ASSERT_MESSAGE("all of it is taken", sent < std::size_t{64} << 20U);
        }
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/prompt", R"({"content":"on"})"));
        ASSERT_STATUS(200, connection.receive());
    }

    /// However they fall into the pieces that are read at once. The buffers of a Unix socket are small.
    void testRefusedBodiesAreAllAnswered() {
        const TemporaryDirectory place;
        Daemon daemon({.settings = {{"operator.listen", "unix:" + (place / "door.sock").string()}}});
        Client operators = operatorClient(daemon);
        const auto refused = operators.request("POST", "/nowhere").json("\"hello\"").bytes();
        for (const int count : {100, 350, 390}) {
            Connection connection(daemon.operators());
            std::string all;
            for (int i = 0; i < count; ++i) {
                all += refused;
            }
            std::thread sender([&] { connection.trySend(all); });
            for (int i = 0; i < count; ++i) {
                ASSERT_REFUSED(404, connection.receive());
            }
            sender.join();
        }
    }

    void testWithoutATokenLifeIsShort() {
        Daemon& daemon = impatient();
        for (const Endpoint& door : {daemon.worker(), daemon.operators()}) {
            Connection silent(door);
            CPPUNIT_ASSERT(silent.closedByPeer());
            Connection idle(door);
            ASSERT_STATUS(200, idle.exchange(Request("GET", "/health")));
            CPPUNIT_ASSERT(idle.closedByPeer());
            // Nor does it help to go on asking.
            Connection busy(door);
            const Deadline deadline;
            try {
                while (busy.exchange(Request("GET", "/health")).keepAlive) {
                    CPPUNIT_ASSERT_MESSAGE("each request extends it", deadline.pollTimeout() > 0);
                }
            } catch (const ConnectionLost&) {
                // It was closed just as it asked again.
            }
        }
    }

    void testTokenMakesItLonger() {
        Daemon& daemon = impatient();
        Client worker = workerClient(daemon, createJob(daemon));
        Connection connection(daemon.worker());
        ASSERT_STATUS(200, connection.exchange(worker.request("GET", "/job")));
        // It outlasts one that came later and said nothing.
        Connection silent(daemon.worker());
        CPPUNIT_ASSERT(silent.closedByPeer());
        ASSERT_STATUS(200, connection.exchange(worker.request("GET", "/job")));
    }

    void testRevocationMakesItShortAgain() {
        Daemon& daemon = impatient();
        Client operators = operatorClient(daemon);
        const CreatedJob job = createJob(operators);
        Connection connection(daemon.worker());
        ASSERT_STATUS(200, connection.exchange(workerClient(daemon, job).request("GET", "/job")));
        ASSERT_STATUS(200, operators.post("/jobs/" + job.id + "/cancel", ""));
        CPPUNIT_ASSERT(connection.closedByPeer());
    }

    void testOldestAnonymousConnectionMakesRoom() {
        Daemon daemon({.settings = {{"worker.max_connections", "4"}, {"http.loops", "2"}}});
        Client worker = workerClient(daemon, createJob(daemon));
        Connection known(daemon.worker());
        ASSERT_STATUS(200, known.exchange(worker.request("GET", "/job")));
        std::vector<Connection> silent;
        for (int i = 0; i < 3; ++i) {
            silent.emplace_back(daemon.worker());
        }
        awaitJob(daemon, worker);
        CPPUNIT_ASSERT_MESSAGE("the oldest is not the one that went", silent.front().closedByPeer());
        ASSERT_STATUS(200, known.exchange(worker.request("GET", "/job")));
    }

    void testAddressMakesRoomForItself() {
        Daemon daemon({.settings = {{"worker.max_connections_per_address", "3"}}});
        Client worker = workerClient(daemon, createJob(daemon));
        std::vector<Connection> known;
        for (int i = 0; i < 5; ++i) {
            known.emplace_back(daemon.worker());
            ASSERT_STATUS(200, known.back().exchange(worker.request("GET", "/job")));
        }
        std::vector<Connection> silent;
        for (int i = 0; i < 3; ++i) {
            silent.emplace_back(daemon.worker());
        }
        awaitJob(daemon, worker);
        CPPUNIT_ASSERT(silent.front().closedByPeer());
        for (Connection& connection : known) {
            ASSERT_STATUS(200, connection.exchange(worker.request("GET", "/job")));
        }
    }

    void testJobHasItsShareOfConnections() {
        Daemon& daemon = sharedDaemon({{"worker.max_connections_per_job", "3"}});
        Client operators = operatorClient(daemon);
        Client greedy = workerClient(daemon, createJob(operators));
        std::vector<Connection> held;
        for (int i = 0; i < 3; ++i) {
            held.emplace_back(daemon.worker());
            ASSERT_STATUS(200, held.back().exchange(greedy.request("GET", "/job")));
        }
        Connection extra(daemon.worker());
        const Response refused = extra.exchange(greedy.request("GET", "/job"));
        ASSERT_ERROR(429, "too_many_connections", refused);
        CPPUNIT_ASSERT_MESSAGE(refused.describe(), !refused.header("Retry-After").empty());
        CPPUNIT_ASSERT(extra.closedByPeer());
        // It is the job's alone.
        ASSERT_STATUS(200, workerClient(daemon, createJob(operators)).get("/job"));
        ASSERT_STATUS(200, held.front().exchange(greedy.request("GET", "/job")));
        held.clear();
        awaitJob(daemon, greedy);
    }

    void testParkedRequestsCountAsConnections() {
        Daemon& daemon = sharedDaemon({{"worker.max_connections_per_job", "3"}});
        Client greedy = workerClient(daemon, createJob(daemon));
        std::vector<Connection> parked;
        for (int i = 0; i < 4; ++i) {
            parked.emplace_back(daemon.worker());
            parked.back().send(greedy.request("GET", "/prompt?wait=60").bytes());
        }
        // One of the four, whichever came last.
        std::vector<pollfd> watched;
        for (const Connection& connection : parked) {
            watched.push_back({connection.descriptor(), POLLIN, 0});
        }
        CPPUNIT_ASSERT_EQUAL(1, ::poll(watched.data(), watched.size(), Deadline().pollTimeout()));
        for (std::size_t i = 0; i < parked.size(); ++i) {
            if (watched[i].revents != 0) {
                ASSERT_ERROR(429, "too_many_connections", parked[i].receive());
            }
        }
    }

    void testOperatorsHavePlacesOfTheirOwn() {
        Daemon daemon({.settings = {{"worker.max_connections", "3"}}});
        Client operators = operatorClient(daemon);
        Client worker = workerClient(daemon, createJob(operators));
        std::vector<Connection> held;
        for (int i = 0; i < 3; ++i) {
            held.emplace_back(daemon.worker());
            ASSERT_STATUS(200, held.back().exchange(worker.request("GET", "/job")));
        }
        Connection extra(daemon.worker());
        extra.trySend(Request("GET", "/health").bytes());
        const std::string answer = extra.receiveUntilClosed();
        CPPUNIT_ASSERT_MESSAGE(answer, answer.empty() || answer.starts_with("HTTP/1.1 503"));
        ASSERT_STATUS(200, operatorClient(daemon).get("/jobs"));
    }

    /// A crowd at the worker door does not use up what operators, and the daemon itself, need.
    void testFewDescriptorsAreShared() {
        Daemon daemon({.wrapper = {"/usr/bin/prlimit", "--nofile=256"}});
        ASSERT_CONTAINS("too few descriptors", daemon.log());
        std::vector<Connection> crowd;
        for (int i = 0; i < 300; ++i) {
            crowd.emplace_back(daemon.worker());
        }
        for (int i = 0; i < 10; ++i) {
            ASSERT_STATUS(201, operatorClient(daemon).post("/jobs", R"({"task":"t"})"));
        }
        Client worker = workerClient(daemon, createJob(daemon));
        awaitJob(daemon, worker);
    }

private:
    /// A daemon that gives little time to those who have no token.
    static Daemon& impatient() { return sharedDaemon({{"http.anonymous_timeout", "300ms"}}); }

    /// Asks on new connections until one is served.
    static void awaitJob(Daemon& daemon, Client& worker) {
        const Deadline deadline;
        for (;;) {
            try {
                if (exchange(daemon.worker(), worker.request("GET", "/job")).status == 200) {
                    return;
                }
            } catch (const ConnectionLost&) {
                // The door is full still.
                CPPUNIT_ASSERT(deadline.pollTimeout() > 0);
            }
            CPPUNIT_ASSERT_MESSAGE("nobody makes room", deadline.pollTimeout() > 0);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HostileConnectionsTest);

}  // namespace sallyport::tests
