#include "plugins/llm/upstream/dial.h"

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/connect_proxy.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/loopback.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tls_identity.h"
#include "tests/unit/llm/socket_loop.h"

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;
using namespace tests;

SocketAddress loopback(std::uint16_t port) {
    SocketAddress address;
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(address.storage);
    ipv4.sin_family = AF_INET;
    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ipv4.sin_port = htons(port);
    address.size = sizeof ipv4;
    return address;
}

SocketAddress loopback6(std::uint16_t port) {
    SocketAddress address;
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_addr = in6addr_loopback;
    ipv6.sin6_port = htons(port);
    address.size = sizeof ipv6;
    return address;
}

std::uint16_t portOf(const std::string& url) {
    return static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
}

Route plainRoute() {
    return {false, "api.example", 80, "api.example", std::nullopt, ""};
}

Route tunnelRoute(const std::string& proxy = "proxy.example:3128") {
    return {true, "api.example", 443, "api.example", Proxy::parse(proxy), ""};
}

class DialTest : public CppUnit::TestFixture, private DialListener {
    CPPUNIT_TEST_SUITE(DialTest);
    CPPUNIT_TEST(testConnects);
    CPPUNIT_TEST(testNextAddressAfterARefusedOne);
    CPPUNIT_TEST(testNextAddressBesideOneThatDoesNotAnswer);
    CPPUNIT_TEST(testFirstAnswerEndsTheOthers);
    CPPUNIT_TEST(testAllRefused);
    CPPUNIT_TEST(testAddressesThatCannotBeTried);
    CPPUNIT_TEST(testSocketsThatCannotBeWatched);
    CPPUNIT_TEST(testNotMoreThanAFewAddresses);
    CPPUNIT_TEST(testFamiliesTakeTurns);
    CPPUNIT_TEST(testUnknownName);
    CPPUNIT_TEST(testLookupThatCannotBegin);
    CPPUNIT_TEST(testDestroyedDuringTheLookup);
    CPPUNIT_TEST(testDestroyedWhileConnecting);
    CPPUNIT_TEST(testTellsWhatTheServerSaysAtOnce);
    CPPUNIT_TEST(testTunnel);
    CPPUNIT_TEST(testTunnelToAnAddress);
    CPPUNIT_TEST(testTunnelCredentials);
    CPPUNIT_TEST(testTunnelAnswerInPieces);
    CPPUNIT_TEST(testProxyAnswersThatEndTheDial);
    CPPUNIT_TEST(testProxyThatCloses);
    CPPUNIT_TEST(testProxyWithoutAnEnd);
    CPPUNIT_TEST(testDestroyedInTheTunnel);
    CPPUNIT_TEST(testNoTunnelForHttp);
    CPPUNIT_TEST(testTlsThroughAProxy);
    CPPUNIT_TEST(testServerNames);
    CPPUNIT_TEST(testServerThatEndsTheGreeting);
    CPPUNIT_TEST(testMissingAuthorities);
    CPPUNIT_TEST_SUITE_END();

    using Time = Dial::Time;

    SocketLoop loop_;
    TlsContexts tls_;
    FileDescriptor listener_ = listeningSocket();
    std::string askedFor_;
    Resolver::Done lookup_;
    std::unique_ptr<Dial> dial_;

    std::unique_ptr<Socket> connected_;
    IoEvents events_ = IoEvents::none;
    std::optional<Outcome> failure_;
    std::vector<Time> nextTries_;

    // A dial has to bear with being destroyed at any of these.

    void onConnected(std::unique_ptr<Socket> socket, IoEvents events) override {
        dial_ = nullptr;
        connected_ = std::move(socket);
        events_ = events;
    }
    void onDialFailed(const Outcome& outcome) override {
        failure_ = outcome;
        dial_ = nullptr;
    }
    void onNextTry(Time time) override { nextTries_.push_back(time); }

    Dial::Parts parts(std::function<void(Resolver::Done)> resolve) {
        return {loop_,
                [this, resolve = std::move(resolve)](const std::string& host, std::uint16_t port,
                                                     Resolver::Done done) {
                    askedFor_ = host + " " + std::to_string(port);
                    resolve(std::move(done));
                },
                tls_};
    }

    void begin(const Route& route, std::function<void(Resolver::Done)> resolve) {
        failure_.reset();
        connected_ = nullptr;
        DialListener& listener = *this;
        dial_ = std::make_unique<Dial>(parts(std::move(resolve)), route, listener);
        dial_->start();
    }

    /// Dials with a name that has these addresses.
    void begin(const Route& route, std::vector<SocketAddress> addresses) {
        begin(route, [addresses = std::move(addresses)](const Resolver::Done& done) {
            done({addresses, ""});
        });
    }
    void beginAtListener(const Route& route) { begin(route, {loopback(tests::portOf(listener_))}); }

    void awaitEnd() {
        loop_.runUntil([this] { return connected_ || failure_; });
    }
    void expectConnected() {
        awaitEnd();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("", std::string(), failure_ ? failure_->detail : std::string());
        CPPUNIT_ASSERT(connected_);
    }
    void expectFailure(UpstreamProblem problem, const std::string& part) {
        awaitEnd();
        CPPUNIT_ASSERT(failure_);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(failure_->detail, std::string(name(problem)),
                                     std::string(name(failure_->problem)));
        CPPUNIT_ASSERT_MESSAGE(failure_->detail, failure_->detail.find(part) != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, loop_.watched());
    }

    FileDescriptor accept() {
        loop_.runUntilReadable(listener_.get());
        return FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    /// Reads from a peer up to and with `end`.
    std::string readUpTo(const FileDescriptor& peer, std::string_view end) {
        std::string text;
        while (!text.ends_with(end)) {
            loop_.runUntilReadable(peer.get());
            char byte = 0;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, ssize_t{1}, ::recv(peer.get(), &byte, 1, 0));
            text += byte;
        }
        return text;
    }
    static void send(const FileDescriptor& peer, std::string_view bytes) {
        CPPUNIT_ASSERT(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                       static_cast<ssize_t>(bytes.size()));
    }
    /// A proxy that has been asked to connect.
    FileDescriptor askedProxy() {
        beginAtListener(tunnelRoute());
        FileDescriptor proxy = accept();
        readUpTo(proxy, "\r\n\r\n");
        return proxy;
    }

    void testConnects() {
        begin(plainRoute(), {loopback(tests::portOf(listener_))});
        expectConnected();
        CPPUNIT_ASSERT_EQUAL(std::string("api.example 80"), askedFor_);
        const FileDescriptor peer = accept();
        CPPUNIT_ASSERT(connected_->write("a", "b").kind == Io::Kind::done);
        CPPUNIT_ASSERT_EQUAL(std::string("ab"), readUpTo(peer, "b"));
        CPPUNIT_ASSERT(nextTries_.empty());
    }

    void testNextAddressAfterARefusedOne() {
        const RefusingPort refusing;
        const SocketAddress bad = loopback(portOf(refusing.url()));
        begin(plainRoute(), {bad, bad, loopback(tests::portOf(listener_)), bad});
        expectConnected();
        accept();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, loop_.watched());
    }

    void testNextAddressBesideOneThatDoesNotAnswer() {
        const UnreachablePort unreachable;
        begin(plainRoute(), {loopback(portOf(unreachable.url())), loopback(tests::portOf(listener_))});
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, loop_.watched());
        const Time next = dial_->nextTry();
        CPPUNIT_ASSERT(next != Time::max());
        CPPUNIT_ASSERT((nextTries_ == std::vector<Time>{next}));
        dial_->tryNext(next);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, loop_.watched());
        CPPUNIT_ASSERT(dial_->nextTry() == Time::max());
        expectConnected();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, loop_.watched());
    }

    void testFirstAnswerEndsTheOthers() {
        // Both answer at the same time.
        const SocketAddress good = loopback(tests::portOf(listener_));
        begin(plainRoute(), {good, good, good});
        dial_->tryNext(dial_->nextTry());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, loop_.watched());
        expectConnected();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, loop_.watched());
    }

    void testAllRefused() {
        const RefusingPort refusing;
        const SocketAddress bad = loopback(portOf(refusing.url()));
        begin(plainRoute(), {bad, bad});
        expectFailure(UpstreamProblem::connect, std::generic_category().message(ECONNREFUSED));
    }

    void testAddressesThatCannotBeTried() {
        const SocketAddress ofNoFamily{.storage = {}, .size = sizeof(sockaddr_in)};
        begin(plainRoute(), {ofNoFamily, loopback(tests::portOf(listener_)), ofNoFamily});
        expectConnected();
        begin(plainRoute(), {ofNoFamily, ofNoFamily});
        expectFailure(UpstreamProblem::connect, std::generic_category().message(EAFNOSUPPORT));
    }

    void testSocketsThatCannotBeWatched() {
        loop_.refuses = true;
        beginAtListener(plainRoute());
        loop_.refuses = false;
        expectFailure(UpstreamProblem::connect, std::generic_category().message(ENOSPC));
        // And it is closed.
        const FileDescriptor peer = accept();
        char byte = 0;
        CPPUNIT_ASSERT_EQUAL(ssize_t{0}, ::recv(peer.get(), &byte, 1, 0));
    }

    void testNotMoreThanAFewAddresses() {
        const RefusingPort refusing;
        std::vector<SocketAddress> addresses(100, loopback(portOf(refusing.url())));
        addresses.push_back(loopback(tests::portOf(listener_)));
        begin(plainRoute(), addresses);
        expectFailure(UpstreamProblem::connect, std::generic_category().message(ECONNREFUSED));
    }

    void testFamiliesTakeTurns() {
        const RefusingPort refusing;
        std::vector<SocketAddress> addresses(100, loopback6(portOf(refusing.url())));
        addresses.push_back(loopback(tests::portOf(listener_)));
        begin(plainRoute(), addresses);
        expectConnected();
    }

    void testUnknownName() {
        begin(plainRoute(), [](const Resolver::Done& done) { done({{}, "api.example: no such name"}); });
        expectFailure(UpstreamProblem::resolve, "api.example: no such name");
    }

    void testLookupThatCannotBegin() {
        begin(plainRoute(), [](const Resolver::Done&) {
            throw std::system_error(EAGAIN, std::generic_category(), "no thread");
        });
        expectFailure(UpstreamProblem::resolve, "no thread");
    }

    void testDestroyedDuringTheLookup() {
        Resolver::Done lookup;
        begin(plainRoute(), [&](Resolver::Done done) { lookup = std::move(done); });
        dial_ = nullptr;
        lookup({{loopback(tests::portOf(listener_))}, ""});
        lookup({{}, "no such name"});
        CPPUNIT_ASSERT(!failure_);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, loop_.watched());
    }

    void testDestroyedWhileConnecting() {
        const UnreachablePort unreachable;
        const SocketAddress deaf = loopback(portOf(unreachable.url()));
        begin(plainRoute(), {deaf, deaf});
        dial_->tryNext(dial_->nextTry());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, loop_.watched());
        dial_ = nullptr;
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, loop_.watched());
    }

    void testTellsWhatTheServerSaysAtOnce() {
        // Events come once: what is there with the connection, nobody would hear of again.
        beginAtListener(plainRoute());
        const FileDescriptor peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        send(peer, "HTTP/1.1 503 Too many\r\n\r\n");
        ::shutdown(peer.get(), SHUT_WR);
        expectConnected();
        CPPUNIT_ASSERT(has(events_, IoEvents::readable));
        CPPUNIT_ASSERT(has(events_, IoEvents::ended));
    }

    void testTunnel() {
        beginAtListener(tunnelRoute());
        CPPUNIT_ASSERT_EQUAL(std::string("proxy.example 3128"), askedFor_);
        const FileDescriptor proxy = accept();
        CPPUNIT_ASSERT_EQUAL(std::string("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"),
                             readUpTo(proxy, "\r\n\r\n"));
        send(proxy, "HTTP/1.1 200 Connection established\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("\x16"), readUpTo(proxy, "\x16"));  // a TLS handshake's first byte
    }

    void testTunnelToAnAddress() {
        Route route = tunnelRoute();
        route.host = "::1";
        route.port = 8443;
        route.authority = "[::1]:8443";
        beginAtListener(route);
        const FileDescriptor proxy = accept();
        CPPUNIT_ASSERT_EQUAL(std::string("CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n"),
                             readUpTo(proxy, "\r\n\r\n"));
    }

    void testTunnelCredentials() {
        beginAtListener(tunnelRoute("http://user:password@proxy.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("proxy.example 1080"), askedFor_);
        const FileDescriptor proxy = accept();
        CPPUNIT_ASSERT_EQUAL(std::string("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n"
                                         "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n\r\n"),
                             readUpTo(proxy, "\r\n\r\n"));
    }

    void testTunnelAnswerInPieces() {
        const FileDescriptor proxy = askedProxy();
        // A length means nothing here (RFC 9110 section 9.3.6).
        const std::string answer =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 299 Fine\r\nContent-Length: 5\r\nVia: x\r\n\r\n";
        for (const char byte : answer) {
            CPPUNIT_ASSERT(!failure_);
            send(proxy, {&byte, 1});
            // One more round of the loop for each.
            FileDescriptor marker = connectedSocket(tests::portOf(listener_));
            accept();
        }
        CPPUNIT_ASSERT_EQUAL(std::string("\x16"), readUpTo(proxy, "\x16"));
    }

    void testProxyAnswersThatEndTheDial() {
        for (const auto& [answer, part] : std::vector<std::pair<std::string, std::string>>{
                 {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno", "407"},
                 {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "502"},
                 {"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n", "302"},
                 {"HTTP/1.1 200 OK\r\n\r\nx", "more than its answer"},
                 {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "another protocol"},
                 {"SSH-2.0-OpenSSH\r\n\r\n", "the proxy's answer"},
                 {"\x15\x03\x01\x02\x02\x28\r\n\r\n", "the proxy's answer"},
                 {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "the proxy's answer"},
             }) {
            const FileDescriptor proxy = askedProxy();
            send(proxy, answer);
            expectFailure(UpstreamProblem::connect, part);
        }
    }

    void testProxyThatCloses() {
        for (const std::string answer : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}) {
            FileDescriptor proxy = askedProxy();
            send(proxy, answer);
            proxy.close();
            expectFailure(UpstreamProblem::connect, "closed");
        }
    }

    void testProxyWithoutAnEnd() {
        // Each goes on for as long as it is listened to.
        for (const std::string piece : {"HTTP/1.1 100 Continue\r\n\r\n", "x"}) {
            const FileDescriptor proxy = askedProxy();
            std::size_t size = 0;
            while (!failure_ && size < 1'000'000) {
                std::string bytes = size == 0 && piece == "x" ? "HTTP/1.1 200 " : "";
                for (int i = 0; i < 100; ++i) {
                    bytes += piece;
                }
                size += bytes.size();
                // It has hung up by then, or not read yet.
                static_cast<void>(
                    ::send(proxy.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
                FileDescriptor marker = connectedSocket(tests::portOf(listener_));
                accept();
            }
            expectFailure(UpstreamProblem::connect, "the proxy's answer");
        }
    }

    void testDestroyedInTheTunnel() {
        const FileDescriptor proxy = askedProxy();
        dial_ = nullptr;
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, loop_.watched());
        loop_.runUntilReadable(proxy.get());
        char byte = 0;
        CPPUNIT_ASSERT_EQUAL(ssize_t{0}, ::recv(proxy.get(), &byte, 1, 0));
    }

    void testNoTunnelForHttp() {
        Route route = plainRoute();
        route.proxy = Proxy::parse("proxy.example:3128");
        beginAtListener(route);
        expectConnected();
        CPPUNIT_ASSERT_EQUAL(std::string("proxy.example 3128"), askedFor_);
    }

    /// Dials a server of that certificate through a proxy, by a name that only the proxy could look up.
    void greetThroughAProxy(const std::string& certified, const std::string& host) {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        const FakeUpstream server(authority.issue(certified));
        const ConnectProxy proxy(server.port());
        Route route = tunnelRoute();
        route.host = host;
        route.caFile = directory / "ca.pem";
        begin(route, {loopback(portOf(proxy.url()))});
        awaitEnd();
        connected_ = nullptr;
        CPPUNIT_ASSERT_EQUAL(std::string("CONNECT " + host + ":443 HTTP/1.1"),
                             proxy.requests().at(0).substr(0, proxy.requests().at(0).find("\r\n")));
    }

    void testTlsThroughAProxy() {
        const TemporaryDirectory directory;
        const CertificateAuthority authority;
        writeFile(directory / "ca.pem", authority.certificate());
        FakeUpstream server(authority.issue("api.example"));
        server.next(scripts::answer(200, "{}"));
        const ConnectProxy proxy(server.port());
        Route route = tunnelRoute();
        route.host = "api.example.";  // given in full
        route.caFile = directory / "ca.pem";
        begin(route, {loopback(portOf(proxy.url()))});
        expectConnected();
        const std::string request = "GET / HTTP/1.1\r\n\r\n";
        CPPUNIT_ASSERT_EQUAL(request.size(), connected_->write(request, "").size);
        const SeenRequest seen = server.awaitRequest(0);
        CPPUNIT_ASSERT_EQUAL(std::string("GET"), seen.method);
        CPPUNIT_ASSERT_EQUAL(std::string("api.example"), seen.serverName);
    }

    void testServerNames() {
        for (const auto& [certified, host] : std::vector<std::pair<std::string, std::string>>{
                 {"api.example", "api.example"},
                 {"api.example", "API.example"},
                 {"api.example", "api.example."},
                 {"*.api.example", "v1.api.example"},
                 {"127.0.0.1", "127.0.0.1"},
             }) {
            greetThroughAProxy(certified, host);
            CPPUNIT_ASSERT_MESSAGE(certified + " " + host + ": " + (failure_ ? failure_->detail : ""),
                                   !failure_);
        }
        for (const auto& [certified, host] : std::vector<std::pair<std::string, std::string>>{
                 {"api.example", "other.example"},
                 {"api.example", "evil.api.example"},
                 {"api.example", "example"},
                 {"*.api.example", "a.b.api.example"},
                 {"v*.api.example", "v1.api.example"},
                 {"127.0.0.1", "127.0.0.2"},
                 {"api.example", "127.0.0.1"},
                 {"127.0.0.1", "api.example"},
                 {"api.example", "."},
                 {"api.example", ""},
             }) {
            greetThroughAProxy(certified, host);
            CPPUNIT_ASSERT_MESSAGE(certified + " " + host, failure_);
            CPPUNIT_ASSERT_EQUAL(std::string("tls"), std::string(name(failure_->problem)));
        }
    }

    void testServerThatEndsTheGreeting() {
        FileDescriptor proxy = askedProxy();
        send(proxy, "HTTP/1.1 200 OK\r\n\r\n");
        readUpTo(proxy, "\x16");
        proxy.close();
        expectFailure(UpstreamProblem::tls, "");
        CPPUNIT_ASSERT(!failure_->detail.empty());
    }

    void testMissingAuthorities() {
        Route route = tunnelRoute();
        route.proxy.reset();
        route.caFile = "/nonexistent/ca.pem";
        beginAtListener(route);
        expectFailure(UpstreamProblem::tls, "/nonexistent/ca.pem");
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DialTest);

}  // namespace
}  // namespace sallyport::plugins::llm
