// A daemon goes on with the sockets of the one before, so that nobody is refused while there is none.
#include <atomic>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/loopback.h"

namespace sallyport::tests {

namespace {

ino_t inodeOf(int descriptor) {
    struct stat status {};
    CPPUNIT_ASSERT_EQUAL(0, ::fstat(descriptor, &status));
    return status.st_ino;
}

/// Of all sockets that the process has open.
std::set<std::string> socketsOf(pid_t process) {
    std::set<std::string> sockets;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
        std::error_code gone;
        sockets.insert(std::filesystem::read_symlink(entry.path(), gone).string());
    }
    return sockets;
}

bool hasSocket(pid_t process, ino_t inode) {
    return socketsOf(process).count("socket:[" + std::to_string(inode) + "]") > 0;
}

bool refuses(const Endpoint& endpoint) {
    try {
        static_cast<void>(endpoint.connect());
        return false;
    } catch (const ConnectionLost&) {
        return true;
    }
}

/// Clients that ask without a pause, each time on a connection of its own.
class Load {
public:
    explicit Load(const std::vector<Endpoint>& endpoints) {
        for (const Endpoint& endpoint : endpoints) {
            threads_.emplace_back([this, endpoint] { ask(endpoint); });
        }
    }
    ~Load() { end(); }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    /// @return what went wrong.
    std::vector<std::string> end() {
        ending_ = true;
        for (std::thread& thread : threads_) {
            thread.join();
        }
        threads_.clear();
        return problems_;
    }

    [[nodiscard]] std::size_t answered() const noexcept { return answered_; }
    /// Until so many more were answered. @throws TimedOut
    void await(std::size_t more) const {
        const Deadline deadline;
        for (const std::size_t enough = answered_ + more; answered_ < enough;) {
            if (deadline.pollTimeout() == 0) {
                throw TimedOut("the load stands still");
            }
            std::this_thread::yield();
        }
    }

private:
    void ask(const Endpoint& endpoint) {
        while (!ending_) {
            try {
                const Response response = exchange(endpoint, Request("GET", "/health"));
                if (response.status == 200) {
                    ++answered_;
                    continue;
                }
                note(response.describe());
            } catch (const std::exception& error) {
                note(error.what());
            }
        }
    }

    void note(const std::string& problem) {
        const std::lock_guard lock(mutex_);
        problems_.push_back(problem);
    }

    std::atomic<bool> ending_{false};
    std::atomic<std::size_t> answered_{0};
    std::mutex mutex_;
    std::vector<std::string> problems_;
    std::vector<std::thread> threads_;
};

}  // namespace

class HandoverTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HandoverTest);
    CPPUNIT_TEST(testWhoConnectsMeanwhileIsServedByTheNext);
    CPPUNIT_TEST(testTheSameAfterACrash);
    CPPUNIT_TEST(testARestartUnderLoadRefusesNobody);
    CPPUNIT_TEST(testASocketThatIsNoLongerNamedIsClosed);
    CPPUNIT_TEST(testAnAddressIsNarrowed);
    CPPUNIT_TEST(testStrangeSocketsAreClosedWithAWarning);
    CPPUNIT_TEST(testASocketThatComesTwiceIsOne);
    CPPUNIT_TEST(testASocketWithoutItsFileIsMadeAnew);
    CPPUNIT_TEST(testSocketsOfAnotherProcessAreLeftAlone);
    CPPUNIT_TEST(testAfterTheLastStopNothingIsLeft);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        socket_ = "unix:" + (places_ / "worker.sock").string();
        options_.settings["worker.listen"] = "127.0.0.1:0, " + socket_;
        options_.keepsSockets = true;
    }

    void testWhoConnectsMeanwhileIsServedByTheNext() {
        Daemon daemon(options_);
        awaitsTheNext(daemon, [&] { CPPUNIT_ASSERT_EQUAL(0, daemon.terminate()); });
    }

    void testTheSameAfterACrash() {
        Daemon daemon(options_);
        awaitsTheNext(daemon, [&] { daemon.kill(); });
    }

    void testARestartUnderLoadRefusesNobody() {
        Daemon daemon(options_);
        Load load({daemon.worker(), daemon.worker(), Endpoint(socket_), daemon.operators()});
        for (int i = 0; i < 3; ++i) {
            load.await(100);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
            daemon.start();
        }
        load.await(100);
        const auto problems = load.end();
        CPPUNIT_ASSERT_MESSAGE(std::to_string(problems.size()) +
                                   " were refused, such as: " + (problems.empty() ? "" : problems.front()),
                               problems.empty());
    }

    void testASocketThatIsNoLongerNamedIsClosed() {
        Daemon daemon(options_);
        const Endpoint former = daemon.worker();
        daemon.terminate();
        daemon.options().settings["worker.listen"] = "[::1]:0";
        daemon.start();
        CPPUNIT_ASSERT(refuses(former));
        CPPUNIT_ASSERT(refuses(Endpoint(socket_)));
        CPPUNIT_ASSERT(!std::filesystem::exists(places_ / "worker.sock"));
        ASSERT_CONTAINS("an inherited socket was closed: the configuration does not name it", daemon.log());
        ASSERT_CONTAINS(former.address().substr(7), daemon.log());
        // The manager keeps those of now: one of the worker door, two of the operator's.
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, daemon.notifications().kept().size());
        const Endpoint latter = daemon.worker();
        daemon.terminate();
        daemon.start();
        CPPUNIT_ASSERT_EQUAL(latter.address(), daemon.worker().address());
    }

    void testAnAddressIsNarrowed() {
        const std::string port = std::to_string(portOf(boundSocket()));
        options_.settings["worker.listen"] = "[::]:" + port;
        Daemon daemon(options_);
        for (const std::string& next :
             {"0.0.0.0:" + port + ", [::]:" + port, "127.0.0.1:" + port, "0.0.0.0:" + port}) {
            daemon.terminate();
            daemon.options().settings["worker.listen"] = next;
            daemon.start();
            ASSERT_STATUS(200, exchange(daemon.worker(), Request("GET", "/health")));
        }
    }

    void testStrangeSocketsAreClosedWithAWarning() {
        Daemon daemon({.settings = {{"worker.listen", "127.0.0.1:0"}}});
        daemon.terminate();
        const FileDescriptor named = listeningSocket();
        const FileDescriptor stranger = listeningSocket();
        const FileDescriptor bound = boundSocket();
        daemon.options().settings["worker.listen"] = "127.0.0.1:" + std::to_string(portOf(named));
        Command command = daemon.command();
        command.sockets = {{"anything", named.get()}, {"stranger", stranger.get()}, {"bound", bound.get()}};
        // Waits in the queue before there is a daemon.
        Connection early(Endpoint("http://127.0.0.1:" + std::to_string(portOf(named))));
        early.send(Request("GET", "/health").bytes());
        Process process(command);
        CPPUNIT_ASSERT(daemon.notifications().await("READY=1", process));
        ASSERT_STATUS(200, early.receive());
        CPPUNIT_ASSERT(hasSocket(process.pid(), inodeOf(named.get())));
        for (const FileDescriptor* closed : {&stranger, &bound}) {
            CPPUNIT_ASSERT(!hasSocket(process.pid(), inodeOf(closed->get())));
        }
        ASSERT_CONTAINS("name=stranger socket=127.0.0.1:" + std::to_string(portOf(stranger)), daemon.log());
        ASSERT_CONTAINS("name=bound socket=\"not one that listens\"", daemon.log());
        // Whose it is may go on with it.
        CPPUNIT_ASSERT(!refuses(Endpoint("http://127.0.0.1:" + std::to_string(portOf(stranger)))));
        process.signal(SIGTERM);
        CPPUNIT_ASSERT_EQUAL(0, process.wait());
    }

    void testASocketThatComesTwiceIsOne() {
        Daemon daemon({.settings = {{"worker.listen", "127.0.0.1:0"}}});
        daemon.terminate();
        const FileDescriptor socket = listeningSocket();
        daemon.options().settings["worker.listen"] = "127.0.0.1:" + std::to_string(portOf(socket));
        Command command = daemon.command();
        // As a socket unit's is, which is in the store, too.
        command.sockets = {{"sallyport.socket", socket.get()}, {"worker", socket.get()}};
        Process process(command);
        CPPUNIT_ASSERT(daemon.notifications().await("READY=1", process));
        ASSERT_STATUS(200, exchange(daemon.worker(), Request("GET", "/health")));
        ASSERT_LACKS("was closed", daemon.log());
        process.signal(SIGTERM);
        CPPUNIT_ASSERT_EQUAL(0, process.wait());
    }

    void testASocketWithoutItsFileIsMadeAnew() {
        Daemon daemon(options_);
        daemon.terminate();
        std::filesystem::remove(places_ / "worker.sock");
        daemon.start();
        ASSERT_STATUS(200, exchange(Endpoint(socket_), Request("GET", "/health")));
    }

    void testSocketsOfAnotherProcessAreLeftAlone() {
        Daemon daemon({.settings = {{"worker.listen", "127.0.0.1:0"}}});
        daemon.terminate();
        Command command = daemon.command();
        command.environment["LISTEN_FDS"] = "1";
        command.environment["LISTEN_PID"] = std::to_string(::getpid());
        Process process(command);
        CPPUNIT_ASSERT(daemon.notifications().await("READY=1", process));
        ASSERT_LACKS("inherited", daemon.log());
        process.signal(SIGTERM);
        CPPUNIT_ASSERT_EQUAL(0, process.wait());
    }

    void testAfterTheLastStopNothingIsLeft() {
        Daemon daemon(options_);
        const Endpoint worker = daemon.worker();
        daemon.notifications().forget();
        daemon.terminate();
        CPPUNIT_ASSERT(!std::filesystem::exists(places_ / "worker.sock"));
        CPPUNIT_ASSERT(!std::filesystem::exists(daemon.dataDirectory() / "operator.sock"));
        CPPUNIT_ASSERT(refuses(worker));
    }

private:
    template <class End>
    void awaitsTheNext(Daemon& daemon, End end) {
        const CreatedJob job = createJob(daemon);
        const Endpoint operators = daemon.operators();
        std::vector<Client> workers{workerClient(daemon, job),
                                    {Endpoint(socket_), "/worker/" + job.id, job.token}};
        Connection kept(daemon.worker());
        ASSERT_STATUS(200, kept.exchange(Request("GET", "/health")));
        end();
        CPPUNIT_ASSERT_MESSAGE("a kept connection has its end", kept.closedByPeer());
        CPPUNIT_ASSERT(std::filesystem::exists(places_ / "worker.sock"));
        std::vector<Connection*> waiting;
        for (Client& worker : workers) {
            waiting.push_back(&worker.connection());
            waiting.back()->send(worker.request("GET", "/job").bytes());
        }
        daemon.start();
        for (Connection* const connection : waiting) {
            ASSERT_STATUS(200, connection->receive());
        }
        CPPUNIT_ASSERT_EQUAL(workers.front().endpoint().address(), daemon.worker().address());
        CPPUNIT_ASSERT_EQUAL(operators.address(), daemon.operators().address());
        ASSERT_LACKS("was closed", daemon.log());
    }

    TemporaryDirectory places_;
    std::string socket_;
    Daemon::Options options_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(HandoverTest);

}  // namespace sallyport::tests
