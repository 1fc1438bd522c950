// Connections that a plugin takes over, without a socket.
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <vector>

#include <sallyport/errors.h>

#include "host/http/tunnel_session.h"
#include "tests/support/assertions.h"
#include "tests/support/deadline.h"
#include "tests/unit/http/loop_fixture.h"

namespace sallyport::tests {

namespace {

using namespace std::chrono_literals;

/// What happened to a tunnel, in order. [any thread]
class Happened {
public:
    void add(std::string what) {
        const std::lock_guard lock(mutex_);
        // What came in pieces is the same as what came at once.
        if (what.starts_with("data:") && !list_.empty() && list_.back().starts_with("data:")) {
            list_.back() += what.substr(5);
        } else {
            list_.push_back(std::move(what));
        }
        changed_.notify_all();
    }
    /// All of it, once that has happened.
    std::string await(const std::string& what) {
        std::unique_lock lock(mutex_);
        const auto reached = [&] { return std::find(list_.begin(), list_.end(), what) != list_.end(); };
        if (!changed_.wait_for(lock, failureLimit(), reached)) {
            throw std::runtime_error(what + " did not come after " + joined());
        }
        return joined();
    }
    [[nodiscard]] std::string text() const {
        const std::lock_guard lock(mutex_);
        return joined();
    }

private:
    [[nodiscard]] std::string joined() const {
        std::string text;
        for (const auto& what : list_) {
            text += (text.empty() ? "" : " ") + what;
        }
        return text;
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> list_;
};

using Act = std::function<void(TunnelPeer&)>;

/// What a tunnel does, besides telling.
struct Script {
    Act opened = [](TunnelPeer&) {};
    std::function<void(TunnelPeer&, std::string_view)> data = [](TunnelPeer&, std::string_view) {};
    Act finished = [](TunnelPeer&) {};
    Act writable = [](TunnelPeer&) {};
};

class ScriptedTunnel final : public Tunnel {
public:
    ScriptedTunnel(Happened& happened, Script script, std::shared_ptr<TunnelPeer>& peer)
        : happened_(happened), script_(std::move(script)), peer_(peer) {}
    ~ScriptedTunnel() override { happened_.add("destroyed"); }

    void onOpened(std::shared_ptr<TunnelPeer> peer) override {
        peer_ = std::move(peer);
        script_.opened(*peer_);
        happened_.add("opened");
    }
    void onData(std::string_view bytes) override {
        happened_.add("data:" + std::string(bytes));
        script_.data(*peer_, bytes);
    }
    void onPeerFinished() override {
        happened_.add("finished");
        script_.finished(*peer_);
    }
    void onWritable() override {
        happened_.add("writable");
        script_.writable(*peer_);
    }
    void onDrain() override { happened_.add("drain"); }
    void onClosed(TunnelEnd end) override { happened_.add(std::string("closed:") + name(end)); }

private:
    Happened& happened_;
    const Script script_;
    std::shared_ptr<TunnelPeer>& peer_;
};

void echo(TunnelPeer& peer, std::string_view bytes) {
    peer.send(bytes);
}

void finish(TunnelPeer& peer) {
    peer.finish();
}

}  // namespace

class TunnelTest : public LoopFixture {
    CPPUNIT_TEST_SUITE(TunnelTest);
    CPPUNIT_TEST(testLifeOfATunnel);
    CPPUNIT_TEST(testByteByByte);
    CPPUNIT_TEST(testOurSideFinishesFirst);
    CPPUNIT_TEST(testWhatCameBehindTheHeadIsKeptWhilePaused);
    CPPUNIT_TEST(testNothingIsReadWhilePaused);
    CPPUNIT_TEST(testSendingMeetsBackPressure);
    CPPUNIT_TEST(testSendingOnIsAnOverrun);
    CPPUNIT_TEST(testFinishSendsWhatIsLeft);
    CPPUNIT_TEST(testCloseSendsWhatIsLeft);
    CPPUNIT_TEST(testAbortDropsWhatIsLeft);
    CPPUNIT_TEST(testClientThatHasGone);
    CPPUNIT_TEST(testGoneBeforeItOpens);
    CPPUNIT_TEST(testRevokedTokenCutsIt);
    CPPUNIT_TEST(testRevokedTokenOpensNone);
    CPPUNIT_TEST(testPluginThatIsReplaced);
    CPPUNIT_TEST(testDaemonThatStops);
    CPPUNIT_TEST(testExceptionsEndIt);
    CPPUNIT_TEST(testWrongThreadIsNoticed);
    CPPUNIT_TEST(testDeadlines);
    CPPUNIT_TEST(testDeadlineForTheAnswer);
    CPPUNIT_TEST(testContentOfAnAbsoluteForm);
    CPPUNIT_TEST(testContentThatIsBroken);
    CPPUNIT_TEST_SUITE_END();

    Happened happened_;
    std::shared_ptr<TunnelPeer> tunnelPeer_;  ///< what the plugin was given
    const JobId job_ = JobId::random();
    const std::string secret_ = auth::newToken();
    std::optional<ProxyTarget> target_;

    std::shared_ptr<Tunnel> tunnel(Script script) {
        return std::make_shared<ScriptedTunnel>(happened_, std::move(script), tunnelPeer_);
    }

    void addProxy(RouteKind kind, Handler handler) {
        auto route = std::make_shared<Route>();
        route->gate = gate_;
        route->kind = kind;
        route->run = Run::loop;
        route->label = "a proxy";
        route->proxy = [this, handler = std::move(handler)](const Call& call, const ProxyTarget& target) {
            target_ = target;
            return handler(call);
        };
        routes_.push_back(std::move(route));
    }

    [[nodiscard]] std::string request(const std::string& line, const std::string& fields = "") const {
        return line + " HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Bearer " + secret_ + "\r\n" + fields +
               "\r\n";
    }

    /// Sends a CONNECT for which a tunnel is opened.
    void open(const Script& script, const std::string& behind = "", std::size_t piece = std::string::npos) {
        addProxy(RouteKind::connect, [this, script](const Call&) { return Reply::tunnel(tunnel(script)); });
        connect(piece);
        peer_.send(request("CONNECT h:1") + behind);
        happened_.await("opened");
    }

    /// Runs something on the loop's thread, when it has done what was posted before.
    template <class F>
    void onLoop(F function) {
        std::packaged_task<void()> task(std::move(function));
        loop_->post([&task] { task(); });
        task.get_future().get();
    }
    /// Returns when the loop has looked at what was sent before.
    void settle() {
        for (int i = 0; i < 3; ++i) {
            onLoop([] {});
        }
    }

    std::string body() {
        const auto output = peer_.output();
        return output.substr(output.find("\r\n\r\n") + 4);
    }

    std::int64_t number(const std::string& metric, const std::vector<std::string>& values) {
        for (const auto& family : registry_.read()) {
            for (const auto& reading : family.readings) {
                if (family.name == "sallyport_" + metric && reading.values == values) {
                    return reading.number;
                }
            }
        }
        return -1;
    }

public:
    TunnelTest() : LoopFixture(Realm::worker) {}

    void setUp() override {
        auto lease = std::make_shared<auth::Lease>();
        lease->job = job_;
        lease->user = "ann";
        lease->digest = auth::digest(secret_);
        lease->started = true;
        workers_.add(std::move(lease));
    }

    void tearDown() override {
        LoopFixture::tearDown();
        CPPUNIT_ASSERT(gate_->quiet());
    }

    void testLifeOfATunnel() {
        open({.data = echo, .finished = finish});
        peer_.send("hello");
        peer_.await("hello");
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, number("http_tunnels", {"worker"}));
        peer_.send(" again");
        peer_.finishSending();
        const auto output = peer_.awaitEnd();
        CPPUNIT_ASSERT(output.starts_with("HTTP/1.1 200 OK\r\n"));
        ASSERT_LACKS("Content-Length", output);
        ASSERT_LACKS("Connection", output);
        CPPUNIT_ASSERT_EQUAL(std::string("hello again"), body());
        CPPUNIT_ASSERT_EQUAL(std::string("opened data:hello again finished closed:finished destroyed"),
                             happened_.await("destroyed"));
        peer_.awaitGone();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, number("http_tunnels", {"worker"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{11}, number("http_tunnel_bytes_total", {"worker", "received"}));
        CPPUNIT_ASSERT_EQUAL(std::int64_t{11}, number("http_tunnel_bytes_total", {"worker", "sent"}));
        CPPUNIT_ASSERT_EQUAL(std::string("h:1"), target_->authority());
        // What it was given does nothing any more.
        onLoop([this] {
            CPPUNIT_ASSERT(!tunnelPeer_->send("late"));
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, tunnelPeer_->room());
            tunnelPeer_->finish();
            tunnelPeer_->resumeReading();
            tunnelPeer_->close();
            tunnelPeer_->abort();
        });
    }

    void testByteByByte() {
        open({.data = echo, .finished = finish}, "early", 1);
        peer_.send("late");
        peer_.finishSending();
        peer_.awaitEnd();
        CPPUNIT_ASSERT_EQUAL(std::string("earlylate"), body());
    }

    void testOurSideFinishesFirst() {
        open({.opened = [](TunnelPeer& peer) {
            peer.send("all");
            peer.finish();
            CPPUNIT_ASSERT(!peer.send("more"));
        }});
        peer_.awaitEnd();
        CPPUNIT_ASSERT_EQUAL(std::string("all"), body());
        peer_.send("still");
        happened_.await("data:still");
        peer_.finishSending();
        CPPUNIT_ASSERT_EQUAL(std::string("opened data:still finished closed:finished destroyed"),
                             happened_.await("destroyed"));
    }

    void testWhatCameBehindTheHeadIsKeptWhilePaused() {
        open({.opened = [](TunnelPeer& peer) { peer.pauseReading(); }}, "early");
        peer_.send("late");
        settle();
        CPPUNIT_ASSERT_EQUAL(std::string("opened"), happened_.text());
        onLoop([this] { tunnelPeer_->resumeReading(); });
        happened_.await("data:earlylate");
    }

    void testNothingIsReadWhilePaused() {
        open({.data = [](TunnelPeer& peer, std::string_view) { peer.pauseReading(); }});
        peer_.send("one");
        happened_.await("data:one");
        peer_.send("two");
        peer_.finishSending();
        settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, peer_.unread());
        CPPUNIT_ASSERT_EQUAL(std::string("opened data:one"), happened_.text());
        onLoop([this] { tunnelPeer_->resumeReading(); });
        happened_.await("data:onetwo");
        settle();
        CPPUNIT_ASSERT_EQUAL(std::string("opened data:onetwo"), happened_.text());
        onLoop([this] { tunnelPeer_->resumeReading(); });
        happened_.await("finished");
    }

    void testSendingMeetsBackPressure() {
        services_.limits.tunnelBuffer = 1000;
        open({.writable = [](TunnelPeer& peer) { peer.send("end"); }});
        peer_.await("\r\n\r\n");
        peer_.stopTaking();
        onLoop([this] {
            CPPUNIT_ASSERT_EQUAL(std::size_t{1000}, tunnelPeer_->room());
            CPPUNIT_ASSERT(tunnelPeer_->send(std::string(600, 'x')));
            CPPUNIT_ASSERT_EQUAL(std::size_t{400}, tunnelPeer_->room());
            CPPUNIT_ASSERT(!tunnelPeer_->send(std::string(600, 'x')));
            CPPUNIT_ASSERT_EQUAL(std::size_t{0}, tunnelPeer_->room());
        });
        // Not before there is room for half of it.
        peer_.take(600);
        settle();
        CPPUNIT_ASSERT_EQUAL(std::string("opened"), happened_.text());
        peer_.take(200);
        happened_.await("writable");
        peer_.take(10'000);
        peer_.await("end");
        CPPUNIT_ASSERT_EQUAL(std::string(1200, 'x') + "end", body());
    }

    void testSendingOnIsAnOverrun() {
        services_.limits.tunnelBuffer = 1000;
        open({});
        peer_.await("\r\n\r\n");
        peer_.stopTaking();
        onLoop([this] {
            CPPUNIT_ASSERT(!tunnelPeer_->send(std::string(1500, 'x')));
            CPPUNIT_ASSERT(!tunnelPeer_->send(std::string(501, 'x')));
        });
        CPPUNIT_ASSERT_EQUAL(std::string("opened closed:overrun destroyed"), happened_.await("destroyed"));
        peer_.awaitGone();
        CPPUNIT_ASSERT_EQUAL(std::string(), body());
    }

    void testFinishSendsWhatIsLeft() {
        open({.finished = finish});
        peer_.await("\r\n\r\n");
        peer_.stopTaking();
        onLoop([this] {
            tunnelPeer_->send(std::string(1000, 'x'));
            tunnelPeer_->finish();
        });
        peer_.finishSending();
        happened_.await("finished");
        peer_.take(500);
        settle();
        CPPUNIT_ASSERT_EQUAL(std::string("opened finished"), happened_.text());
        peer_.take(500);
        peer_.awaitEnd();
        CPPUNIT_ASSERT_EQUAL(std::string(1000, 'x'), body());
        happened_.await("closed:finished");
    }

    void testCloseSendsWhatIsLeft() {
        open({.data = [](TunnelPeer& peer, std::string_view) {
            peer.send("good-bye");
            peer.close();
        }});
        peer_.await("\r\n\r\n");
        peer_.stopTaking();
        peer_.send("hello");
        CPPUNIT_ASSERT_EQUAL(std::string("opened data:hello closed:closed destroyed"),
                             happened_.await("destroyed"));
        // Nobody wants that.
        peer_.send("more");
        peer_.take(100);
        peer_.awaitEnd();
        CPPUNIT_ASSERT_EQUAL(std::string("good-bye"), body());
        peer_.finishSending();
        peer_.awaitGone();
    }

    void testAbortDropsWhatIsLeft() {
        open({.data = [](TunnelPeer& peer, std::string_view) {
            peer.send("good-bye");
            peer.abort();
        }});
        peer_.await("\r\n\r\n");
        peer_.stopTaking();
        peer_.send("hello");
        happened_.await("closed:closed");
        peer_.awaitGone();
        CPPUNIT_ASSERT_EQUAL(std::string(), body());
    }

    void testClientThatHasGone() {
        open({.opened = [](TunnelPeer& peer) { peer.pauseReading(); }}, "unread");
        peer_.reset();
        CPPUNIT_ASSERT_EQUAL(std::string("opened closed:lost destroyed"), happened_.await("destroyed"));
    }

    void testGoneBeforeItOpens() {
        std::promise<Promise> promised;
        addProxy(RouteKind::connect, [&](const Call&) {
            return Reply::deferred([&](Promise promise) { promised.set_value(std::move(promise)); });
        });
        connect();
        peer_.send(request("CONNECT h:1"));
        const auto promise = promised.get_future().get();
        peer_.reset();
        peer_.awaitGone();
        promise.fulfil(Reply::tunnel(tunnel({})));
        CPPUNIT_ASSERT_EQUAL(std::string("destroyed"), happened_.await("destroyed"));
    }

    void testRevokedTokenCutsIt() {
        open({});
        workers_.revoke(job_);
        onLoop([this] { loop_->endRevoked(job_); });
        CPPUNIT_ASSERT_EQUAL(std::string("opened closed:revoked destroyed"), happened_.await("destroyed"));
        peer_.awaitGone();
    }

    void testRevokedTokenOpensNone() {
        addProxy(RouteKind::connect, [this](const Call&) {
            workers_.revoke(job_);
            return Reply::tunnel(tunnel({}));
        });
        connect();
        peer_.send(request("CONNECT h:1"));
        ASSERT_CONTAINS("HTTP/1.1 407 ", peer_.awaitEnd());
        CPPUNIT_ASSERT_EQUAL(std::string("destroyed"), happened_.text());
    }

    void testPluginThatIsReplaced() {
        open({});
        gate_->hold();
        onLoop([this] { loop_->endWaits(*gate_); });
        CPPUNIT_ASSERT_EQUAL(std::string("opened closed:stopping destroyed"), happened_.await("destroyed"));
        peer_.awaitGone();
        CPPUNIT_ASSERT(gate_->waitIdle(failureLimit()));
    }

    void testDaemonThatStops() {
        open({.data = echo});
        loop_->drain();
        happened_.await("drain");
        peer_.send("goes on");
        peer_.await("goes on");
        loop_->abortAll();
        CPPUNIT_ASSERT_EQUAL(std::string("opened drain data:goes on closed:stopping destroyed"),
                             happened_.await("destroyed"));
    }

    void testExceptionsEndIt() {
        open({.data = [](TunnelPeer&, std::string_view) { throw std::runtime_error("no"); }});
        peer_.send("x");
        CPPUNIT_ASSERT_EQUAL(std::string("opened data:x closed:failed destroyed"),
                             happened_.await("destroyed"));
        peer_.awaitGone();
    }

    void testWrongThreadIsNoticed() {
        open({});
        CPPUNIT_ASSERT_THROW(tunnelPeer_->send("x"), std::logic_error);
        CPPUNIT_ASSERT_THROW(static_cast<void>(tunnelPeer_->room()), std::logic_error);
        CPPUNIT_ASSERT_THROW(tunnelPeer_->pauseReading(), std::logic_error);
        CPPUNIT_ASSERT_THROW(tunnelPeer_->resumeReading(), std::logic_error);
        CPPUNIT_ASSERT_THROW(tunnelPeer_->finish(), std::logic_error);
        CPPUNIT_ASSERT_THROW(tunnelPeer_->close(), std::logic_error);
        CPPUNIT_ASSERT_THROW(tunnelPeer_->abort(), std::logic_error);
    }

    void testDeadlines() {
        services_.limits.tunnelIdleTimeout = 100ms;
        open({});
        happened_.await("closed:idle");
        peer_.awaitGone();
    }

    void testDeadlineForTheAnswer() {
        services_.limits.tunnelEstablishTimeout = 50ms;
        std::promise<Promise> promised;
        std::promise<void> abandoned;
        addProxy(RouteKind::connect, [&](const Call&) {
            return Reply::deferred([&](Promise promise) {
                promise.onAbandoned([&] { abandoned.set_value(); });
                promised.set_value(std::move(promise));
            });
        });
        connect();
        peer_.send(request("CONNECT h:1"));
        ASSERT_CONTAINS("HTTP/1.1 504 ", peer_.awaitEnd());
        abandoned.get_future().get();
        promised.get_future().get().fulfil(Reply::tunnel(tunnel({})));
        CPPUNIT_ASSERT_EQUAL(std::string("destroyed"), happened_.await("destroyed"));
    }

    void testContentOfAnAbsoluteForm() {
        addProxy(RouteKind::forward, [this](const Call& call) {
            happened_.add(call.method() + " " + call.path());
            return Reply::tunnel(tunnel({.finished = [](TunnelPeer& peer) {
                peer.send("HTTP/1.1 204 No Content\r\n\r\n");
                peer.finish();
            }}));
        });
        connect(3);
        peer_.send(request("PUT http://h/x", "Transfer-Encoding: chunked\r\n") +
                   "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\nGET http://h/second HTTP/1.1\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("HTTP/1.1 204 No Content\r\n\r\n"), peer_.awaitEnd());
        CPPUNIT_ASSERT_EQUAL(std::string("PUT /x opened data:hello! finished closed:finished destroyed"),
                             happened_.await("destroyed"));
        CPPUNIT_ASSERT(!target_->length);
    }

    void testContentThatIsBroken() {
        addProxy(RouteKind::forward, [this](const Call&) { return Reply::tunnel(tunnel({})); });
        connect();
        peer_.send(request("PUT http://h/x", "Content-Length: 10\r\n") + "hello");
        happened_.await("data:hello");
        peer_.finishSending();
        CPPUNIT_ASSERT_EQUAL(std::string("opened data:hello closed:lost destroyed"),
                             happened_.await("destroyed"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{10}, *target_->length);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(TunnelTest);

}  // namespace sallyport::tests
