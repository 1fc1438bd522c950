// CONTRACT §1: where the doors listen, and who may be asked there.
#include <array>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/loopback.h"

namespace sallyport::tests {

namespace {

std::string freeAddress() {
    return "127.0.0.1:" + std::to_string(portOf(boundSocket()));
}

std::string line(const std::filesystem::path& file) {
    const std::string text = readFile(file);
    return text.substr(0, text.find('\n'));
}

unsigned modeOf(const std::filesystem::path& path) {
    struct stat status {};
    CPPUNIT_ASSERT_EQUAL(0, ::stat(path.c_str(), &status));
    return status.st_mode & 07777U;
}

bool knocked(const FileDescriptor& listening) {
    pollfd watched{listening.get(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 1;
}

/// All that whoever connected has sent until it closed.
std::string takenFrom(const FileDescriptor& listening) {
    const FileDescriptor accepted(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string taken;
    std::array<char, 1024> buffer{};
    for (ssize_t size = 0; (size = ::recv(accepted.get(), buffer.data(), buffer.size(), 0)) > 0;) {
        taken.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return taken;
}

/// A Unix socket on which a process of nobody's listens, as those who connect are told.
class NobodysSocket {
public:
    static constexpr uid_t nobody = 65534;

    explicit NobodysSocket(const std::filesystem::path& path)
        : listening_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        CPPUNIT_ASSERT_EQUAL(
            0, ::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
        const pid_t child = ::fork();
        if (child == 0) {
            ::_exit(::setresuid(nobody, nobody, nobody) == 0 && ::listen(listening_.get(), 8) == 0 ? 0 : 1);
        }
        int status = -1;
        CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
        CPPUNIT_ASSERT_EQUAL(0, status);
    }

    [[nodiscard]] const FileDescriptor& listening() const noexcept { return listening_; }

private:
    FileDescriptor listening_;
};

}  // namespace

class DoorsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DoorsTest);
    CPPUNIT_TEST(testADoorListensOnAllItsAddresses);
    CPPUNIT_TEST(testTheConnectionsOfADoorAreCountedTogether);
    CPPUNIT_TEST(testBothFamiliesShareAPort);
    CPPUNIT_TEST(testAddressesThatCannotBeAreRefused);
    CPPUNIT_TEST(testAnAddressThatIsNotThereYetIsListenedOn);
    CPPUNIT_TEST(testOrchestratorPortIsThatOfAllAddresses);
    CPPUNIT_TEST(testSocketsHaveTheModeThatIsSet);
    CPPUNIT_TEST(testASocketOfAnotherProcessStopsTheStart);
    CPPUNIT_TEST(testTheOperatorDoorHasASocketByItself);
    CPPUNIT_TEST(testASocketThatIsNamedIsTheOnlyOne);
    CPPUNIT_TEST(testTheSocketDemandsAToken);
    CPPUNIT_TEST(testTheCommandLinePrefersTheSocket);
    CPPUNIT_TEST(testTheSocketIsFoundWithoutTheFileThatNamesIt);
    CPPUNIT_TEST(testTheTokenIsNotGivenToWhoTookThePort);
    CPPUNIT_TEST(testTheTokenIsNotGivenToAnotherUsersProcess);
    CPPUNIT_TEST(testAGivenTokenGoesWhereThePersonSaid);
    CPPUNIT_TEST(testANewTokenIsForThePort);
    CPPUNIT_TEST(testDoctorKnocksAtAllAddresses);
    CPPUNIT_TEST_SUITE_END();

public:
    void testADoorListensOnAllItsAddresses() {
        const std::string socket = "unix:" + (places_ / "worker.sock").string();
        const std::string port = freeAddress();
        Daemon daemon({.settings = {{"worker.listen", port + ", " + socket + " ,[::1]:0"},
                                    {"operator.listen", "127.0.0.1:0,[::1]:0"}}});
        CPPUNIT_ASSERT_EQUAL("http://" + port, daemon.worker().address());
        Client operators = operatorClient(daemon);
        const Response status = operators.get("/status");
        // Not the socket that the operator door has by itself: it is beside the data.
        CPPUNIT_ASSERT_EQUAL_MESSAGE(status.describe(), std::size_t{5}, status.size("listeners"));
        for (std::size_t i = 0; i < status.size("listeners"); ++i) {
            const std::string at = "listeners." + std::to_string(i);
            ASSERT_STATUS(200,
                          tests::exchange(Endpoint(status.at(at + ".address")), Request("GET", "/health")));
            CPPUNIT_ASSERT_EQUAL(std::string(i < 3 ? "worker" : "operator"), status.at(at + ".realm"));
            ASSERT_CONTAINS(status.at(at + ".address"), daemon.log());
        }
        // The first is the one that workers are told.
        const Response created = operators.post("/jobs", R"({"task":"t"})");
        ASSERT_CONTAINS("http://" + port + "/worker/", created.at("worker_url"));
        Client worker(Endpoint(socket), "/worker/" + created.at("job_id"), created.at("token"));
        ASSERT_STATUS(200, worker.get("/job"));
    }

    void testTheConnectionsOfADoorAreCountedTogether() {
        const Endpoint socket("unix:" + (places_ / "worker.sock").string());
        Daemon daemon({.settings = {{"worker.listen", "127.0.0.1:0, " + socket.address()},
                                    {"worker.max_connections", "1"}}});
        const CreatedJob job = createJob(daemon);
        Connection first(daemon.worker());
        ASSERT_STATUS(200, first.exchange(workerClient(daemon, job).request("GET", "/job")));
        Connection second(socket);
        ASSERT_STATUS(503, second.exchange(Request("GET", "/health")));
    }

    void testBothFamiliesShareAPort() {
        const std::string port = std::to_string(portOf(boundSocket()));
        Daemon daemon({.settings = {{"worker.listen", "0.0.0.0:" + port + ", [::]:" + port}}});
        for (const std::string host : {"127.0.0.1", "[::1]"}) {
            ASSERT_STATUS(
                200, tests::exchange(Endpoint("http://" + host + ":" + port), Request("GET", "/health")));
        }
        // Alone it takes both.
        daemon.terminate();
        daemon.options().settings["worker.listen"] = "[::]:" + port;
        daemon.start();
        ASSERT_STATUS(200, tests::exchange(Endpoint("http://127.0.0.1:" + port), Request("GET", "/health")));
    }

    void testAddressesThatCannotBeAreRefused() {
        const auto file = places_ / "sallyport.properties";
        for (const std::string setting :
             {"worker.listen = 127.0.0.1:5, 127.0.0.1:5", "worker.listen = 0.0.0.0:5, 127.0.0.1:5",
              "worker.listen = unix:/run/s, unix:/run/s", "worker.listen = 127.0.0.1:5,",
              "worker.listen =", "worker.listen = 127.0.0.1:5, nonsense", "worker.listen = unix:@abstract",
              "worker.listen = unix:relative", "operator.listen = 127.0.0.1:50051",
              "worker.socket_mode = 0888", "worker.socket_mode = 1777", "operator.socket_mode = 0066",
              "operator.socket_mode = rw-rw----"}) {
            writeFile(file, setting + "\n");
            const Finished refused = run(
                {.program = SALLYPORTD_PATH, .arguments = {"--check-config", "--config=" + file.string()}});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(setting + "\n" + refused.describe(), 78, refused.status);
            ASSERT_CONTAINS(setting.substr(0, setting.find(' ')), refused.errors);
            ASSERT_CONTAINS("expected", refused.errors);
        }
        writeFile(file, "worker.listen = 127.0.0.1:0, 127.0.0.1:0\noperator.listen = 127.0.0.1:0\n");
        const Finished good =
            run({.program = SALLYPORTD_PATH, .arguments = {"--check-config", "--config=" + file.string()}});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(good.describe(), 0, good.status);
    }

    void testAnAddressThatIsNotThereYetIsListenedOn() {
        // Of a documentation network (RFC 5737, RFC 3849): nobody has it.
        Daemon daemon({.settings = {{"worker.listen", "127.0.0.1:0, 192.0.2.1:50051, [2001:db8::1]:50051"}}});
        ASSERT_STATUS(200, tests::exchange(daemon.worker(), Request("GET", "/health")));
        ASSERT_CONTAINS("no interface of this machine has the address yet", daemon.log());
        ASSERT_CONTAINS("http://192.0.2.1:50051", operatorClient(daemon).get("/status").body);
        const Finished finished = doctor(daemon);
        ASSERT_CONTAINS("no interface of this machine has the address of http://192.0.2.1:50051",
                        finished.output);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(finished.describe(), 1, finished.status);
    }

    void testOrchestratorPortIsThatOfAllAddresses() {
        const std::string port = std::to_string(portOf(boundSocket()));
        const std::string socket = "unix:" + (places_ / "worker.sock").string();
        const Daemon daemon(
            {.settings = {{"worker.listen", "127.0.0.1:1, " + socket + ", 127.0.0.1:2, [::1]:3"}},
             .environment = {{"ORCHESTRATOR_PORT", port}}});
        const Response status = operatorClient(daemon).get("/status");
        // The first and the third have become one.
        CPPUNIT_ASSERT_EQUAL_MESSAGE(status.describe(), std::size_t{4}, status.size("listeners"));
        ASSERT_FIELD("http://127.0.0.1:" + port, status, "listeners.0.address");
        ASSERT_FIELD(socket, status, "listeners.1.address");
        ASSERT_FIELD("http://[::1]:" + port, status, "listeners.2.address");
    }

    void testSocketsHaveTheModeThatIsSet() {
        const auto worker = places_ / "worker.sock";
        Daemon daemon({.settings = {{"worker.listen", "unix:" + worker.string()}}});
        CPPUNIT_ASSERT_EQUAL(0660U, modeOf(worker));
        CPPUNIT_ASSERT_EQUAL(0660U, modeOf(daemon.dataDirectory() / "operator.sock"));
        daemon.terminate();
        daemon.options().settings["worker.socket_mode"] = "666";
        daemon.options().settings["operator.socket_mode"] = "0600";
        daemon.start();
        CPPUNIT_ASSERT_EQUAL(0666U, modeOf(worker));
        CPPUNIT_ASSERT_EQUAL(0600U, modeOf(daemon.dataDirectory() / "operator.sock"));
    }

    void testASocketOfAnotherProcessStopsTheStart() {
        const std::string socket = (places_ / "worker.sock").string();
        const Daemon first({.settings = {{"worker.listen", "unix:" + socket}}});
        try {
            const Daemon second({.settings = {{"worker.listen", "unix:" + socket}}});
            CPPUNIT_FAIL("two daemons listen on " + socket);
        } catch (const std::runtime_error& error) {
            ASSERT_CONTAINS("cannot listen on unix:" + socket + ": another process does", error.what());
        }
        ASSERT_STATUS(200, tests::exchange(first.worker(), Request("GET", "/health")));
    }

    void testTheOperatorDoorHasASocketByItself() {
        Daemon daemon;
        const auto socket = daemon.dataDirectory() / "operator.sock";
        const auto file = daemon.dataDirectory() / "operator.socket";
        CPPUNIT_ASSERT_EQUAL("unix:" + socket.string(), line(file));
        ASSERT_CONTAINS("http://127.0.0.1:", daemon.operators().address());
        Client operators(Endpoint(line(file)), "/api", daemon.operatorToken());
        ASSERT_STATUS(200, operators.get("/status"));
        // What a killed daemon leaves behind is no obstacle.
        daemon.kill();
        daemon.start();
        ASSERT_STATUS(200, tests::exchange(Endpoint(line(file)), Request("GET", "/health")));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(daemon.log(), 0, daemon.terminate());
        CPPUNIT_ASSERT(!std::filesystem::exists(socket));
        CPPUNIT_ASSERT(!std::filesystem::exists(file));
    }

    void testASocketThatIsNamedIsTheOnlyOne() {
        const std::string socket = "unix:" + (places_ / "operator.sock").string();
        const Daemon daemon({.settings = {{"operator.listen", "127.0.0.1:0, " + socket}}});
        CPPUNIT_ASSERT_EQUAL(socket, line(daemon.dataDirectory() / "operator.socket"));
        CPPUNIT_ASSERT(!std::filesystem::exists(daemon.dataDirectory() / "operator.sock"));
        const Finished found = status(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(found.describe(), 0, found.status);
    }

    void testTheSocketDemandsAToken() {
        const Endpoint socket(line(sharedDaemon().dataDirectory() / "operator.socket"));
        ASSERT_UNAUTHORIZED(tests::exchange(socket, Request("GET", "/api/status")));
        ASSERT_UNAUTHORIZED(tests::exchange(socket, Request("GET", "/api/status").bearer("0a1b")));
    }

    void testTheCommandLinePrefersTheSocket() {
        const Daemon daemon;
        const FileDescriptor other = listeningSocket();
        writeFile(daemon.dataDirectory() / "operator.address",
                  "http://127.0.0.1:" + std::to_string(portOf(other)) + "\n");
        const Finished found = status(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(found.describe(), 0, found.status);
        ASSERT_CONTAINS("operator door", found.output);
        CPPUNIT_ASSERT(!knocked(other));
    }

    void testTheSocketIsFoundWithoutTheFileThatNamesIt() {
        const Daemon daemon;
        std::filesystem::remove(daemon.dataDirectory() / "operator.socket");
        const Finished found = status(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(found.describe(), 0, found.status);
    }

    void testTheTokenIsNotGivenToWhoTookThePort() {
        Daemon daemon;
        const std::uint16_t port = daemon.operators().port();
        const std::string url = daemon.operators().address();
        daemon.kill();
        const FileDescriptor thief = listeningOn(port);
        const std::vector<std::vector<std::string>> commands{
            {"status"}, {"job", "list"}, {"status", "--url", url}, {"token", "create", "x", "--url", url}};
        for (const auto& arguments : commands) {
            const Finished refused = command(daemon, arguments);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 3, refused.status);
            CPPUNIT_ASSERT_MESSAGE(refused.describe(), !knocked(thief));
        }
        ASSERT_CONTAINS("The daemon does not run", status(daemon).errors);
        ASSERT_CONTAINS("--token-file", command(daemon, {"status", "--url", url}).errors);
        // Nor if the file that names the socket is gone, or the socket, too.
        for (const char* name : {"operator.socket", "operator.sock"}) {
            std::filesystem::remove(daemon.dataDirectory() / name);
            const Finished refused = status(daemon);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 3, refused.status);
            CPPUNIT_ASSERT(!knocked(thief));
        }
        ASSERT_CONTAINS("Is the daemon running?", status(daemon).errors);
    }

    void testTheTokenIsNotGivenToAnotherUsersProcess() {
        if (::geteuid() != 0) {
            std::cerr << "skipped: only root can be another user\n";
            return;
        }
        Daemon daemon;
        daemon.kill();
        const auto path = places_ / "nobodys.sock";
        const NobodysSocket thief(path);
        writeFile(daemon.dataDirectory() / "operator.socket", "unix:" + path.string() + "\n");
        for (const std::vector<std::string>& arguments :
             {std::vector<std::string>{"status"}, {"status", "--url", "unix:" + path.string()}}) {
            const Finished refused = command(daemon, arguments);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(refused.describe(), 3, refused.status);
            ASSERT_CONTAINS("of nobody answers at unix:" + path.string(), refused.errors);
            ASSERT_CONTAINS("neither root nor the owner of " + daemon.dataDirectory().string(),
                            refused.errors);
            CPPUNIT_ASSERT(knocked(thief.listening()));
            CPPUNIT_ASSERT_EQUAL(std::string(), takenFrom(thief.listening()));
        }
    }

    void testAGivenTokenGoesWhereThePersonSaid() {
        const Daemon& daemon = sharedDaemon();
        for (const std::string& url :
             {daemon.operators().address(), line(daemon.dataDirectory() / "operator.socket")}) {
            const Finished given = run({.program = SALLYPORT_CLI_PATH,
                                        .arguments = {"--json", "--url", url, "status"},
                                        .environment = {{"SALLYPORT_TOKEN", daemon.operatorToken()}}});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(given.describe(), 0, given.status);
        }
    }

    void testANewTokenIsForThePort() {
        const Finished made = command(sharedDaemon(), {"token", "create", "alice"});
        CPPUNIT_ASSERT_EQUAL_MESSAGE(made.describe(), 0, made.status);
        ASSERT_CONTAINS("export SALLYPORT_URL=" + sharedDaemon().operators().address() + " SALLYPORT_TOKEN=",
                        made.output);
    }

    void testDoctorKnocksAtAllAddresses() {
        const std::string socket = "unix:" + (places_ / "worker.sock").string();
        Daemon daemon({.settings = {{"worker.listen", "127.0.0.1:0, " + socket}}});
        const Finished running = doctor(daemon);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(running.describe(), 0, running.status);
        for (const std::string& address : {daemon.worker().address(), socket, daemon.operators().address(),
                                           line(daemon.dataDirectory() / "operator.socket")}) {
            ASSERT_CONTAINS("answers at " + address, running.output);
        }
        daemon.terminate();
        const Finished stopped = doctor(daemon);
        ASSERT_CONTAINS("127.0.0.1:0 is free", stopped.output);
        ASSERT_CONTAINS(socket + " is free", stopped.output);
    }

private:
    static FileDescriptor listeningOn(std::uint16_t port) {
        FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int on = 1;
        ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CPPUNIT_ASSERT_EQUAL(
            0, ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
        CPPUNIT_ASSERT_EQUAL(0, ::listen(socket.get(), 8));
        return socket;
    }

    static Finished command(const Daemon& daemon, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"--data-dir", daemon.dataDirectory().string()});
        return run({.program = SALLYPORT_CLI_PATH, .arguments = std::move(arguments)});
    }

    static Finished status(const Daemon& daemon) { return command(daemon, {"status"}); }

    static Finished doctor(const Daemon& daemon) {
        std::vector<std::string> words{"doctor", "--offline"};
        const std::vector<std::string> given = daemon.command().arguments;
        words.insert(words.end(), given.begin(), given.end());
        return run({.program = SALLYPORT_CLI_PATH, .arguments = words});
    }

    TemporaryDirectory places_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(DoorsTest);

}  // namespace sallyport::tests
