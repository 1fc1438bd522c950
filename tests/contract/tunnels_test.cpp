// The worker door as a proxy, and connections that change to another protocol.
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/contract/plugin_files.h"
#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"
#include "tests/support/loopback.h"

namespace sallyport::tests {

namespace {

constexpr std::size_t mib = std::size_t{1024} * 1024;

std::string base64(const std::string& text) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        unsigned bits = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            bits = bits << 8U | (i + j < text.size() ? static_cast<unsigned char>(text[i + j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            result += i + j > text.size() ? '=' : digits[bits >> (18 - 6 * j) & 63U];
        }
    }
    return result;
}

/// What a listening socket accepts. @throws TimedOut
FileDescriptor accepted(const FileDescriptor& listener) {
    Deadline().await(listener.get(), POLLIN, "a connection");
    return FileDescriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

/// Reads until there are that many bytes, or the end. @throws TimedOut
std::string readFrom(const FileDescriptor& socket, std::size_t size = std::string::npos) {
    std::string text;
    std::array<char, 65536> piece{};
    const Deadline deadline;
    while (text.size() < size) {
        deadline.await(socket.get(), POLLIN, "something to read");
        const ssize_t got = ::recv(socket.get(), piece.data(), std::min(piece.size(), size - text.size()), 0);
        if (got <= 0) {
            break;
        }
        text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
}

void writeTo(const FileDescriptor& socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        CPPUNIT_ASSERT(sent > 0);
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

/// Bytes of which no two pieces of the same size are alike.
std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    std::uint64_t x = 88172645463325252;
    for (auto& c : text) {
        x ^= x << 13U;
        x ^= x >> 7U;
        x ^= x << 17U;
        c = static_cast<char>(x);
    }
    return text;
}

/// What a process has in memory.
std::size_t residentBytes(pid_t pid) {
    std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

class TunnelsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(TunnelsTest);
    CPPUNIT_TEST(testWithoutAProxy);
    CPPUNIT_TEST(testNobodyGetsInWithoutAToken);
    CPPUNIT_TEST(testOperatorsHaveNoProxy);
    CPPUNIT_TEST(testTargetsAreStrict);
    CPPUNIT_TEST(testRelaysInBothDirections);
    CPPUNIT_TEST(testEitherSideMayFinishFirst);
    CPPUNIT_TEST(testWhatCameBehindTheHeadComesFirst);
    CPPUNIT_TEST(testMuchIsRelayedWhole);
    CPPUNIT_TEST(testClientThatDoesNotReadCostsNoMemory);
    CPPUNIT_TEST(testServerThatDoesNotReadCostsNoMemory);
    CPPUNIT_TEST(testRefusalsEndTheConnection);
    CPPUNIT_TEST(testEndOfTheJobCutsTunnels);
    CPPUNIT_TEST(testRevokedOperatorTokenCutsTunnels);
    CPPUNIT_TEST(testStoppingCutsTunnels);
    CPPUNIT_TEST(testReplacedPluginCutsItsTunnels);
    CPPUNIT_TEST(testTunnelsCountAsConnections);
    CPPUNIT_TEST(testTunnelsHaveDeadlines);
    CPPUNIT_TEST(testClientThatGoesIsNoticed);
    CPPUNIT_TEST(testPluginThatFailsEndsItsTunnelAlone);
    CPPUNIT_TEST(testChangesOfProtocol);
    CPPUNIT_TEST(testAbsoluteFormIsReadAsHttp);
    CPPUNIT_TEST(testAbsoluteFormIsRelayed);
    CPPUNIT_TEST(testTokensAreNotGivenAway);
    CPPUNIT_TEST(testTwoProxiesAreRefused);
    CPPUNIT_TEST(testRealClient);
    CPPUNIT_TEST_SUITE_END();

    std::optional<PluginFiles> plugins_;
    std::optional<Daemon> daemon_;
    CreatedJob job_;

    void start(std::map<std::string, std::string> settings = {}, bool withProxy = true) {
        plugins_.emplace();
        if (withProxy) {
            plugins_->install("relay_1", "relay");
        }
        settings["plugins.dir"] = SALLYPORT_PLUGIN_PATH ":" + plugins_->path().string();
        daemon_.emplace(Daemon::Options{.settings = std::move(settings)});
        job_ = createJob(*daemon_);
    }

    [[nodiscard]] std::string basic() const { return "Basic " + base64(job_.id + ":" + job_.token); }

    [[nodiscard]] std::string head(const std::string& method, const std::string& target,
                                   const std::string& fields = "") const {
        return method + " " + target + " HTTP/1.1\r\nHost: client\r\nProxy-Authorization: " + basic() +
               "\r\n" + fields + "\r\n";
    }

    /// An open tunnel.
    [[nodiscard]] std::unique_ptr<Connection> connect(const std::string& authority,
                                                      std::optional<int> receiveBuffer = std::nullopt) const {
        auto connection = std::make_unique<Connection>(daemon_->worker(), receiveBuffer);
        connection->send(head("CONNECT", authority));
        const Response answer = connection->receiveHead("CONNECT");
        ASSERT_STATUS(200, answer);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0},
                             answer.count("Content-Length") + answer.count("Transfer-Encoding"));
        return connection;
    }

    /// What a request is answered with, and whether the connection ends with it.
    [[nodiscard]] Response ask(const std::string& bytes, bool closes = true) const {
        Connection connection(daemon_->worker());
        connection.send(bytes);
        Response answer = connection.receive();
        if (closes) {
            CPPUNIT_ASSERT(connection.closedInOrder());
        }
        return answer;
    }

    [[nodiscard]] std::string recorded() const { return operatorClient(*daemon_).get("/relay").body; }

    void awaitRecorded(const std::string& what) const {
        const Deadline deadline;
        while (recorded().find(what) == std::string::npos) {
            CPPUNIT_ASSERT_MESSAGE(what + " in " + recorded(), deadline.pollTimeout() > 0);
        }
    }

    [[nodiscard]] static std::string at(const FileDescriptor& listener) {
        return "127.0.0.1:" + std::to_string(portOf(listener));
    }

public:
    void tearDown() override {
        daemon_.reset();
        plugins_.reset();
    }

    void testWithoutAProxy() {
        start({}, false);
        const Response refused = ask(head("CONNECT", "a:443"));
        ASSERT_ERROR(405, "no_proxy", refused);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, refused.count("Allow"));
        ASSERT_ERROR(405, "no_proxy",
                     ask("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\n"));
        // Absolute form is as good as any other.
        const std::string own = "http://door/worker/" + job_.id + "/job";
        ASSERT_STATUS(200, ask("GET " + own + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + job_.token +
                                   "\r\n\r\n",
                               false));
        ASSERT_UNAUTHORIZED(ask(head("GET", own), false));
        ASSERT_STATUS(200, ask(head("GET", "http://door/health"), false));
    }

    void testNobodyGetsInWithoutAToken() {
        start();
        const CreatedJob other = createJob(*daemon_);
        const std::string authorization = "Authorization: Bearer " + job_.token + "\r\n";
        const std::vector<std::string> refused{
            "",
            authorization,
            "Authorization: " + basic() + "\r\n",
            "X-Api-Key: " + job_.token + "\r\n",
            "Proxy-Authorization: Bearer\r\n",
            "Proxy-Authorization: Bearer " + job_.token.substr(1) + "\r\n",
            "Proxy-Authorization: Bearer " + std::string(64, '0') + "\r\n",
            "Proxy-Authorization: Bearer " + daemon_->operatorToken() + "\r\n",
            "Proxy-Authorization: Basic x\r\n",
            "Proxy-Authorization: Basic " + base64(job_.token) + "\r\n",
            "Proxy-Authorization: Basic " + base64(":" + job_.token) + "\r\n",
            "Proxy-Authorization: Basic " + base64("x:" + job_.token) + "\r\n",
            "Proxy-Authorization: Basic " + base64(other.id + ":" + job_.token) + "\r\n",
            "Proxy-Authorization: Basic " + base64(job_.id + ":" + other.token) + "\r\n",
            "Proxy-Authorization: Digest " + job_.token + "\r\n",
            "Proxy-Authorization: " + basic() + "\r\nProxy-Authorization: " + basic() + "\r\n"};
        for (const auto& fields : refused) {
            for (const std::string line : {"CONNECT echo.test:1", "GET http://show.test/"}) {
                const Response answer =
                    ask(line + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n", line[0] == 'C');
                ASSERT_ERROR(407, "proxy_unauthorized", answer);
                CPPUNIT_ASSERT_EQUAL(std::string(R"(Basic realm="sallyport", Bearer realm="sallyport")"),
                                     answer.header("Proxy-Authenticate"));
                ASSERT_LACKS(job_.token, answer.body);
            }
        }
        CPPUNIT_ASSERT_EQUAL(std::string(), recorded());
        ASSERT_LACKS(job_.token, daemon_->log());
        for (const std::string& credentials :
             {basic(), "bearer " + job_.token, "BASIC " + base64("urn:uuid:" + job_.id + ":" + job_.token)}) {
            Connection connection(daemon_->worker());
            connection.send("CONNECT echo.test:1 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: " + credentials +
                            "\r\n\r\nhello");
            ASSERT_STATUS(200, connection.receiveHead());
            CPPUNIT_ASSERT_EQUAL(std::string("hello"), connection.receiveBytes(5));
        }
        // The worker has called.
        ASSERT_FIELD("running", operatorClient(*daemon_).get("/jobs/" + job_.id), "state");
    }

    void testOperatorsHaveNoProxy() {
        start();
        for (const std::string& credentials : {basic(), "Bearer " + daemon_->operatorToken()}) {
            Connection connection(daemon_->operators());
            connection.send("CONNECT echo.test:1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
                            daemon_->operatorToken() + "\r\nProxy-Authorization: " + credentials +
                            "\r\n\r\n");
            ASSERT_ERROR(405, "no_proxy", connection.receive());
            CPPUNIT_ASSERT(connection.closedInOrder());
        }
        Connection connection(daemon_->operators());
        connection.send("GET http://show.test/health HTTP/1.1\r\nHost: a\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), connection.receive().body);
        CPPUNIT_ASSERT_EQUAL(std::string(), recorded());
    }

    void testTargetsAreStrict() {
        start();
        for (const std::string authority : {"echo.test",      "echo.test:",
                                            "echo.test:0",    "echo.test:65536",
                                            "echo.test:080",  "echo.test:-1",
                                            "echo.test:80x",  ":80",
                                            "a@echo.test:80", "a:b@echo.test:80",
                                            "echo..test:80",  ".echo.test:80",
                                            "echo%2etest:80", "[::1:80",
                                            "[::1]",          "[::1]x:80",
                                            "[::1%25lo]:80",  "[v1.a]:80",
                                            "::1:80",         "127.1:80",
                                            "0x7f.0.0.1:80",  "2130706433:80",
                                            "127.0.0.256:80", "127.0.0.1.:80",
                                            "echo.test:80/x", "http://echo.test:80"}) {
            ASSERT_REFUSED(400, ask(head("CONNECT", authority)));
            const std::string url = "http://" + authority + "/";
            if (authority != "echo.test" && authority != "[::1]" &&
                authority.find('/') == std::string::npos) {
                ASSERT_REFUSED(400, ask(head("GET", url)));
            }
        }
        for (const std::string fields : {"Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"}) {
            ASSERT_REFUSED(400, ask(head("CONNECT", "echo.test:80", fields)));
        }
        ASSERT_REFUSED(400, ask(head("GET", "http://show.test/a#b")));
        ASSERT_REFUSED(400, ask(head("GET", "https://show.test/")));
        CPPUNIT_ASSERT_EQUAL(std::string(), recorded());
        ASSERT_CONTAINS("GET / at show.test:80 ", ask(head("GET", "http://SHOW.Test.")).body);
        CPPUNIT_ASSERT_EQUAL(std::string("x"), [this] {
            const auto tunnel = connect("ECHO.Test.:1");
            tunnel->send("x");
            return tunnel->receiveBytes(1);
        }());
    }

    void testRelaysInBothDirections() {
        start();
        const auto listener = listeningSocket();
        const auto tunnel = connect(at(listener));
        const auto server = accepted(listener);
        for (int i = 0; i < 10; ++i) {
            const std::string text = "message " + std::to_string(i);
            tunnel->send(text);
            CPPUNIT_ASSERT_EQUAL(text, readFrom(server, text.size()));
            writeTo(server, text + " back");
            CPPUNIT_ASSERT_EQUAL(text + " back", tunnel->receiveBytes(text.size() + 5));
        }
        ASSERT_CONTAINS("asked=1 open=1", recorded());
    }

    void testEitherSideMayFinishFirst() {
        start();
        const auto listener = listeningSocket();
        {
            const auto tunnel = connect(at(listener));
            const auto server = accepted(listener);
            tunnel->send("all of it");
            tunnel->finishSending();
            CPPUNIT_ASSERT_EQUAL(std::string("all of it"), readFrom(server));
            writeTo(server, "an answer");
            ::shutdown(server.get(), SHUT_WR);
            CPPUNIT_ASSERT_EQUAL(std::string("an answer"), tunnel->receiveUntilClosed());
            awaitRecorded("finished=1");
        }
        const auto tunnel = connect(at(listener));
        const auto server = accepted(listener);
        writeTo(server, "first");
        ::shutdown(server.get(), SHUT_WR);
        CPPUNIT_ASSERT_EQUAL(std::string("first"), tunnel->receiveUntilClosed());
        tunnel->send("then this");
        tunnel->finishSending();
        CPPUNIT_ASSERT_EQUAL(std::string("then this"), readFrom(server));
        awaitRecorded("finished=2");
        awaitRecorded("open=0");
    }

    void testWhatCameBehindTheHeadComesFirst() {
        start();
        const auto listener = listeningSocket();
        Connection tunnel(daemon_->worker());
        const auto early = pattern(100'000);
        tunnel.send(head("CONNECT", at(listener)) + early);
        const auto server = accepted(listener);
        CPPUNIT_ASSERT(early == readFrom(server, early.size()));
        ASSERT_STATUS(200, tunnel.receiveHead());
    }

    void testMuchIsRelayedWhole() {
        start();
        const auto listener = listeningSocket();
        const auto sent = pattern(64 * mib);
        const auto tunnel = connect(at(listener));
        const auto server = accepted(listener);
        // The server sends back what it gets, in pieces as they come.
        std::thread echoing([&server] {
            std::array<char, 65536> piece{};
            ssize_t size = 0;
            while ((size = ::recv(server.get(), piece.data(), piece.size(), 0)) > 0) {
                writeTo(server, {piece.data(), static_cast<std::size_t>(size)});
            }
            ::shutdown(server.get(), SHUT_WR);
        });
        std::thread sending([&] {
            tunnel->send(sent);
            tunnel->finishSending();
        });
        const auto received = tunnel->receiveUntilClosed();
        sending.join();
        echoing.join();
        CPPUNIT_ASSERT_EQUAL(sent.size(), received.size());
        CPPUNIT_ASSERT(sent == received);
        awaitRecorded("finished=1");
    }

    void testClientThatDoesNotReadCostsNoMemory() {
        start();
        const auto before = residentBytes(daemon_->pid());
        std::vector<std::unique_ptr<Connection>> tunnels;
        for (int i = 0; i < 10; ++i) {
            tunnels.push_back(connect("flood.test:64", 4096));
        }
        awaitRecorded("full=10");
        const std::string counts = recorded();
        const auto flooded = std::stoull(counts.substr(counts.find("flooded=") + 8));
        // What the kernel takes is some megabytes for each; the plugin had 64 of them to send.
        CPPUNIT_ASSERT_MESSAGE(counts, flooded < 10 * 32 * mib);
        CPPUNIT_ASSERT(residentBytes(daemon_->pid()) < before + 16 * mib);
        // Others are served meanwhile.
        ASSERT_STATUS(200, workerClient(*daemon_, job_).get("/job"));
        CPPUNIT_ASSERT(std::string(64 * mib, 'f') == tunnels.front()->receiveUntilClosed());
    }

    void testServerThatDoesNotReadCostsNoMemory() {
        start();
        const auto listener = listeningSocket();
        const auto before = residentBytes(daemon_->pid());
        const auto tunnel = connect(at(listener));
        const auto server = accepted(listener);
        const auto sent = pattern(64 * mib);
        std::thread sending([&] {
            tunnel->send(sent);
            tunnel->finishSending();
        });
        awaitRecorded("paused=1");
        ASSERT_STATUS(200, workerClient(*daemon_, job_).get("/job"));
        CPPUNIT_ASSERT(residentBytes(daemon_->pid()) < before + 16 * mib);
        CPPUNIT_ASSERT(sent == readFrom(server));
        sending.join();
    }

    void testRefusalsEndTheConnection() {
        start();
        // What follows is not taken for a request: the client may have meant it for the tunnel.
        const std::string behind = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
        ASSERT_ERROR(403, "forbidden", ask(head("CONNECT", "refused.test:1") + behind));
        ASSERT_ERROR(500, "internal_error", ask(head("CONNECT", "wrong-kind.test:1") + behind));
        const auto closed = boundSocket();
        ASSERT_ERROR(502, "unreachable", ask(head("CONNECT", at(closed)) + behind));
        ASSERT_ERROR(407, "proxy_unauthorized", ask("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + behind));
        // Of a request whose end is known that is no danger.
        ASSERT_ERROR(403, "forbidden", ask(head("GET", "http://refused.test/"), false));
        ASSERT_CONTAINS("open=0", recorded());
        ASSERT_CONTAINS("a plugin answered with a tunnel that cannot be", daemon_->log());
    }

    void testEndOfTheJobCutsTunnels() {
        start();
        const auto listener = listeningSocket();
        const auto echo = connect("echo.test:1");
        const auto tunnel = connect(at(listener));
        const auto server = accepted(listener);
        Connection waiting(daemon_->worker());
        waiting.send(head("CONNECT", "never.test:1"));
        awaitRecorded("asked=3");
        ASSERT_STATUS(200, operatorClient(*daemon_).post("/jobs/" + job_.id + "/cancel", "{}"));
        CPPUNIT_ASSERT(echo->closedByPeer());
        CPPUNIT_ASSERT(tunnel->closedByPeer());
        CPPUNIT_ASSERT_EQUAL(std::string(), readFrom(server));
        ASSERT_ERROR(407, "proxy_unauthorized", waiting.receive());
        awaitRecorded("abandoned=1 ");
        awaitRecorded("revoked=2 ");
        ASSERT_ERROR(407, "proxy_unauthorized", ask(head("CONNECT", "echo.test:1")));
    }

    void testRevokedOperatorTokenCutsTunnels() {
        start();
        Client admin = operatorClient(*daemon_);
        const Response made = admin.post("/tokens", R"({"name":"t","user_id":"ann","role":"viewer"})");
        ASSERT_STATUS(201, made);
        Connection tunnel(daemon_->operators());
        tunnel.send(Request("GET", "/api/echo")
                        .bearer(made.at("token"))
                        .header("Connection", "Upgrade")
                        .header("Upgrade", "echo")
                        .bytes() +
                    "hello");
        ASSERT_STATUS(101, tunnel.receiveHead());
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), tunnel.receiveBytes(5));
        ASSERT_STATUS(200, admin.remove("/tokens/" + made.at("token_id")));
        CPPUNIT_ASSERT(tunnel.closedByPeer());
        awaitRecorded("revoked=1");
    }

    void testStoppingCutsTunnels() {
        start({{"shutdown.grace", "200ms"}});
        const auto listener = listeningSocket();
        const auto echo = connect("echo.test:1");
        const auto tunnel = connect(at(listener));
        const auto server = accepted(listener);
        daemon_->beginTermination();
        CPPUNIT_ASSERT_EQUAL(std::string("good-bye"), echo->receiveUntilClosed());
        CPPUNIT_ASSERT(tunnel->closedByPeer());
        CPPUNIT_ASSERT_EQUAL(std::string(), readFrom(server));
        CPPUNIT_ASSERT_EQUAL(0, daemon_->awaitExit());
    }

    void testReplacedPluginCutsItsTunnels() {
        start();
        const auto listener = listeningSocket();
        auto tunnel = connect(at(listener));
        const auto server = accepted(listener);
        plugins_->install("relay_2", "relay");
        ASSERT_FIELD("relay", operatorClient(*daemon_).post("/plugins/reload", "{}"), "reloaded.0");
        CPPUNIT_ASSERT(tunnel->closedByPeer());
        CPPUNIT_ASSERT_EQUAL(std::string(), readFrom(server));
        tunnel = connect("echo.test:1");
        tunnel->send("new");
        CPPUNIT_ASSERT_EQUAL(std::string("new"), tunnel->receiveBytes(3));
        std::filesystem::remove(*plugins_ / "relay.so");
        ASSERT_FIELD("relay", operatorClient(*daemon_).post("/plugins/reload", "{}"), "unloaded.0");
        CPPUNIT_ASSERT(tunnel->closedByPeer());
        ASSERT_ERROR(405, "no_proxy", ask(head("CONNECT", "echo.test:1")));
        // Its code has gone.
        std::ifstream maps("/proc/" + std::to_string(daemon_->pid()) + "/maps");
        ASSERT_LACKS("relay", std::string(std::istreambuf_iterator<char>(maps), {}));
    }

    void testTunnelsCountAsConnections() {
        start({{"worker.max_connections_per_job", "2"}});
        const auto one = connect("echo.test:1");
        auto two = connect("echo.test:1");
        ASSERT_ERROR(429, "too_many_connections", ask(head("CONNECT", "echo.test:1")));
        two.reset();
        const Deadline deadline;
        while (ask(head("GET", "http://show.test/")).status != 200) {
            CPPUNIT_ASSERT(deadline.pollTimeout() > 0);
        }
        one->send("still there");
        CPPUNIT_ASSERT_EQUAL(std::string("still there"), one->receiveBytes(11));
    }

    void testTunnelsHaveDeadlines() {
        start({{"tunnels.establish_timeout", "100ms"}, {"tunnels.idle_timeout", "200ms"}});
        ASSERT_ERROR(504, "timeout", ask(head("CONNECT", "never.test:1")));
        awaitRecorded("abandoned=1");
        CPPUNIT_ASSERT(connect("echo.test:1")->closedByPeer());
        awaitRecorded("idle=1");
        daemon_.reset();
        start({{"tunnels.max_lifetime", "100ms"}});
        CPPUNIT_ASSERT(connect("echo.test:1")->closedByPeer());
        awaitRecorded("expired=1");
    }

    void testClientThatGoesIsNoticed() {
        start();
        const auto listener = listeningSocket();
        const auto tunnel = connect(at(listener));
        const auto server = accepted(listener);
        tunnel->reset();
        CPPUNIT_ASSERT_EQUAL(std::string(), readFrom(server));
        awaitRecorded("lost=1");
        Connection waiting(daemon_->worker());
        waiting.send(head("CONNECT", "never.test:1"));
        awaitRecorded("asked=2");
        waiting.reset();
        awaitRecorded("abandoned=1");
    }

    void testPluginThatFailsEndsItsTunnelAlone() {
        start();
        const auto other = connect("echo.test:1");
        auto wrong = connect("wrong.test:1");
        wrong->send("throw");
        CPPUNIT_ASSERT(wrong->closedByPeer());
        awaitRecorded("failed=1");
        ASSERT_CONTAINS("a tunnel that fails", daemon_->log());
        ASSERT_CONTAINS("Tunnel::onData", daemon_->log());
        wrong = connect("wrong.test:1", 4096);
        wrong->send("overrun");
        awaitRecorded("overrun=1");
        other->send("hello");
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), other->receiveBytes(5));
    }

    void testChangesOfProtocol() {
        start();
        const std::vector<std::pair<Endpoint, Request>> doors{
            {daemon_->worker(), Request("GET", "/worker/" + job_.id + "/echo").bearer(job_.token)},
            {daemon_->operators(), Request("GET", "/api/echo").bearer(daemon_->operatorToken())}};
        for (const auto& [door, request] : doors) {
            Connection connection(door);
            // Without asking for it, or for another, or on HTTP/1.0, it is not to be had.
            for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
                     {"X-Nothing", ""}, {"Connection", "Upgrade"}}) {
                Request plain = request;
                const Response answer =
                    connection.exchange(plain.header(name, value).header("Upgrade", "other"));
                ASSERT_ERROR(426, "upgrade_required", answer);
                CPPUNIT_ASSERT_EQUAL(std::string("echo"), answer.header("Upgrade"));
            }
            Request asking = request;
            std::string bytes =
                asking.header("Connection", "keep-alive, upgrade").header("Upgrade", "other, Echo").bytes();
            connection.send(bytes + "early ");
            const Response answer = connection.receiveHead();
            ASSERT_STATUS(101, answer);
            CPPUNIT_ASSERT_EQUAL(std::string("echo"), answer.header("Upgrade"));
            CPPUNIT_ASSERT_EQUAL(std::string("Upgrade"), answer.header("Connection"));
            CPPUNIT_ASSERT_EQUAL(std::string("yes"), answer.header("X-Echo"));
            connection.send("late");
            CPPUNIT_ASSERT_EQUAL(std::string("early late"), connection.receiveBytes(10));
            connection.send("last");
            connection.finishSending();
            CPPUNIT_ASSERT_EQUAL(std::string("last"), connection.receiveUntilClosed());
            bytes.replace(bytes.find("HTTP/1.1"), 8, "HTTP/1.0");
            Connection old(door);
            old.send(bytes);
            ASSERT_ERROR(426, "upgrade_required", old.receive());
        }
        // Who may not come in gets no tunnel, and no other route becomes one.
        ASSERT_UNAUTHORIZED(
            exchange(daemon_->operators(), Request("GET", "/api/echo").header("Upgrade", "echo")));
        ASSERT_ERROR(500, "internal_error", operatorClient(*daemon_).get("/wrong_tunnel"));
    }

    void testAbsoluteFormIsReadAsHttp() {
        start();
        const std::string fields =
            "Authorization: Bearer for-the-target\r\nCookie: a=b\r\nX-Api-Key: key\r\nX-Kept: "
            "1\r\nX-Dropped: 1\r\n"
            "Connection: close, X-Dropped\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nKeep-Alive: 5\r\n"
            "Upgrade: h2c\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\n";
        const std::string kept =
            "authorization=Bearer "
            "for-the-target\ncookie=a=b\nx-api-key=key\ncontent-type=text/plain\nx-kept=1\n"
            "expect=100-continue\ncontent:";
        const std::string behind = "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n";
        const std::string url = "http://Show.Test:8080/a%2fb?c=d";
        const std::string line = "POST /a%2fb?c=d at show.test:8080 length ";
        CPPUNIT_ASSERT_EQUAL(
            line + "5 job " + job_.id + "\nhost=show.test:8080\n" + kept + "hello",
            ask(head("POST", url, fields + "Content-Length: 5\r\n") + "hello" + behind).body);
        CPPUNIT_ASSERT_EQUAL(line + "unknown job " + job_.id + "\nhost=show.test:8080\n" + kept + "hello",
                             ask(head("POST", url, fields + "Transfer-Encoding: chunked\r\n") +
                                 "2\r\nhe\r\n3;x\r\nllo\r\n0\r\n\r\n" + behind)
                                 .body);
        awaitRecorded("finished=");
    }

    void testAbsoluteFormIsRelayed() {
        start();
        const auto listener = listeningSocket();
        Connection client(daemon_->worker());
        client.send(head("PUT", "http://" + at(listener) + "/x", "Transfer-Encoding: chunked\r\n"));
        const auto server = accepted(listener);
        client.send("5;x=y\r\nhello\r\n");
        client.send("0\r\nTrailer: x\r\n\r\nGET /secret HTTP/1.1\r\nHost: x\r\n\r\n");
        const std::string request = readFrom(server, [&] {
            return ("PUT /x HTTP/1.1\r\nConnection: close\r\nhost: " + at(listener) +
                    "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
                .size();
        }());
        CPPUNIT_ASSERT_EQUAL("PUT /x HTTP/1.1\r\nConnection: close\r\nhost: " + at(listener) +
                                 "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                             request);
        writeTo(server, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        ::shutdown(server.get(), SHUT_WR);
        const Response answer = client.receive("PUT");
        ASSERT_STATUS(201, answer);
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), answer.body);
        CPPUNIT_ASSERT(client.closedInOrder());
        CPPUNIT_ASSERT_EQUAL(std::string(), readFrom(server));
        awaitRecorded("finished=1");
        // A body whose framing is broken, or whose end does not come, is no whole request.
        for (const std::string rest : {"x\r\n", "5\r\nhel"}) {
            Connection broken(daemon_->worker());
            broken.send(head("PUT", "http://show.test/", "Transfer-Encoding: chunked\r\n") + rest);
            broken.finishSending();
            CPPUNIT_ASSERT(broken.closedByPeer());
        }
        awaitRecorded("lost=2");
    }

    void testTokensAreNotGivenAway() {
        start({{"log.level", "debug"}});
        for (const std::string& fields :
             {"Authorization: Bearer " + job_.token + "\r\n", "X-Api-Key: " + job_.token + "\r\n",
              "Cookie: a=" + job_.token + "; b\r\n"}) {
            ASSERT_ERROR(400, "bad_request", ask(head("GET", "http://show.test/", fields), false));
            ASSERT_ERROR(400, "bad_request", ask(head("CONNECT", "echo.test:1", fields)));
        }
        ASSERT_ERROR(400, "bad_request", ask(head("GET", "http://show.test/" + job_.token), false));
        ASSERT_ERROR(400, "bad_request", ask(head("GET", "http://show.test/?t=" + job_.token), false));
        CPPUNIT_ASSERT_EQUAL(std::string(), recorded());
        ASSERT_LACKS(job_.token, daemon_->log());
    }

    void testTwoProxiesAreRefused() {
        start();
        plugins_->install("relay_2", "other");
        const Response report = operatorClient(*daemon_).post("/plugins/reload", "{}");
        ASSERT_CONTAINS("relay", report.body);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, report.size("refused"));
    }

    void testRealClient() {
        if (!std::filesystem::exists("/usr/bin/curl")) {
            return;
        }
        start();
        const auto listener = listeningSocket();
        const std::string url = "http://" + at(listener) + "/page";
        const std::string proxy =
            "http://" + job_.id + ":" + job_.token + "@127.0.0.1:" + std::to_string(daemon_->worker().port());
        for (const bool tunnel : {true, false}) {
            std::vector<std::string> arguments{"-sS", "-x", proxy, "--data-binary", "hello", url};
            if (tunnel) {
                arguments.insert(arguments.begin(), "--proxytunnel");
            }
            Process curl({.program = "/usr/bin/curl", .arguments = arguments});
            const auto server = accepted(listener);
            std::string request;
            while (!request.ends_with("hello")) {
                request += readFrom(server, 1);
            }
            ASSERT_CONTAINS("POST /page HTTP/1.1\r\n", request);
            ASSERT_LACKS("roxy", request);
            writeTo(server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere");
            ::shutdown(server.get(), SHUT_WR);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(curl.errors(), 0, curl.wait());
            CPPUNIT_ASSERT_EQUAL(std::string("there"), curl.output());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TunnelsTest);

}  // namespace sallyport::tests
