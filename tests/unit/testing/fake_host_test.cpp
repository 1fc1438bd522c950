#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/ext/assets.h>
#include <sallyport/ext/io.h>
#include <sallyport/ext/metrics.h>
#include <sallyport/ext/tunnels.h>
#include <sallyport/testing/fake_host.h>
#include <sallyport/testing/recorded_stream.h>

#include "tests/support/assertions.h"

namespace sallyport::testing {

namespace {

constexpr Setting settings[] = {
    {"limit", SettingKind::integer, "3", "a limit", 1, 10},
};

/// A plugin whose start is a function of the test.
class Scripted final : public Plugin {
public:
    explicit Scripted(
        std::function<void(Host&)> script, std::function<void()> stopped = [] {})
        : script_(std::move(script)), stopped_(std::move(stopped)) {}
    void start(Host& host) override { script_(host); }
    void stop() override { stopped_(); }

private:
    std::function<void(Host&)> script_;
    std::function<void()> stopped_;
};

/// A plugin whose examination is a function of the test.
class Examined final : public Plugin {
public:
    explicit Examined(std::function<void(Examination&)> script) : script_(std::move(script)) {}
    void start(Host& /*host*/) override { throw std::logic_error("it was started"); }
    void examine(Examination& examination) override { script_(examination); }

private:
    std::function<void(Examination&)> script_;
};

/// A tunnel that sends back what comes until it is told `end`, and reads no more when it is full.
class Echo final : public Tunnel {
public:
    explicit Echo(std::vector<std::string>& told) : told_(told) {}

    void onOpened(std::shared_ptr<TunnelPeer> peer) override { peer_ = std::move(peer); }
    void onData(std::string_view bytes) override {
        if (bytes == "throw") {
            throw std::runtime_error("no");
        }
        if (bytes == "end") {
            peer_->close();
        } else if (!peer_->send(bytes)) {
            peer_->pauseReading();
        }
    }
    void onWritable() override { peer_->resumeReading(); }
    void onPeerFinished() override { peer_->finish(); }
    void onDrain() override { peer_->send("bye"); }
    void onClosed(TunnelEnd end) override { told_.emplace_back(sallyport::name(end)); }

private:
    std::vector<std::string>& told_;
    std::shared_ptr<TunnelPeer> peer_;
};

/// A service that does nothing.
struct Service {
    static constexpr const char* serviceName = "service";
};

/// An extension that no host has.
struct Unheard {
    static constexpr const char* extensionName = "unheard";
    static constexpr std::uint32_t extensionVersion = 1;
};

/// One that this host has, of a version to come.
struct LaterMetrics {
    static constexpr const char* extensionName = Metrics::extensionName;
    static constexpr std::uint32_t extensionVersion = Metrics::extensionVersion + 1;
};

Reply ok(const Call&) {
    return Reply::empty(200);
}

}  // namespace

/// That the host for tests treats a plugin as the daemon does.
class FakeHostTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FakeHostTest);
    CPPUNIT_TEST(testRoutesAsTheDaemonDoes);
    CPPUNIT_TEST(testGivesParametersAndQueries);
    CPPUNIT_TEST(testLimitsJsonAsTheDaemonDoes);
    CPPUNIT_TEST(testAsksForThePermission);
    CPPUNIT_TEST(testLetsInNobodyWhoseJobIsOver);
    CPPUNIT_TEST(testRefusesRoutesThatTheDaemonRefuses);
    CPPUNIT_TEST(testFillsInTheDefaultsOfARoute);
    CPPUNIT_TEST(testGivesABodyOnlyToRoutesThatTakeOne);
    CPPUNIT_TEST(testChecksSettings);
    CPPUNIT_TEST(testLetsATestSeeWhatIsThrown);
    CPPUNIT_TEST(testAnswersLater);
    CPPUNIT_TEST(testAnswers500WhenAPromiseIsDropped);
    CPPUNIT_TEST(testTellsThatNobodyWaits);
    CPPUNIT_TEST(testStreams);
    CPPUNIT_TEST(testTellsAProducerThatItsClientIsSlowOrGone);
    CPPUNIT_TEST(testPlaysTheClientOfATunnel);
    CPPUNIT_TEST(testReadsAbsoluteFormsAsTheDaemonDoes);
    CPPUNIT_TEST(testForgetsAPluginThatDoesNotStart);
    CPPUNIT_TEST(testTakesBackWhatAPluginRegistered);
    CPPUNIT_TEST(testKeepsLogLines);
    CPPUNIT_TEST(testHasExtensions);
    CPPUNIT_TEST(testSaysWhichExtensionIsMissing);
    CPPUNIT_TEST(testHasALoopAsTheDaemons);
    CPPUNIT_TEST(testRefusesOtherThreadsThanTheLoops);
    CPPUNIT_TEST(testKeepsMetrics);
    CPPUNIT_TEST(testHasAPoolThatMayBeFull);
    CPPUNIT_TEST(testLetsNothingWaitOnALoop);
    CPPUNIT_TEST(testLetsNothingWaitOnTheStoresThread);
    CPPUNIT_TEST(testLetsNoReceiverWait);
    CPPUNIT_TEST(testLetsNothingWaitThatIsToldOnALoop);
    CPPUNIT_TEST(testRefusesAfterTheStartWhatIsForTheStart);
    CPPUNIT_TEST(testKeepsAnExaminationOnItsThread);
    CPPUNIT_TEST(testExaminesAPlugin);
    CPPUNIT_TEST(testExaminesInTheSurroundingsThatATestWants);
    CPPUNIT_TEST(testExaminesWhatWasStored);
    CPPUNIT_TEST(testHasServicesForAnExamination);
    CPPUNIT_TEST(testLetsATestSeeWhatAnExaminationThrows);
    CPPUNIT_TEST_SUITE_END();

public:
    void testHasExtensions() {
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.extension<IoLoops>()->loops().size());
        CPPUNIT_ASSERT(host_.extension<Metrics>() == &host_.require<Metrics>());
        CPPUNIT_ASSERT(host_.extension<Unheard>() == nullptr);
        CPPUNIT_ASSERT(host_.extension<LaterMetrics>() == nullptr);
    }

    void testHasALoopAsTheDaemons() {
        std::shared_ptr<IoLoop> loop;
        std::unique_ptr<IoTimer> timer;
        std::promise<void> expired;
        start([&](Host& host) {
            loop = host.require<IoLoops>().loops().front();
            loop->post([&] {
                timer = loop->timer([&] {
                    expired.set_value();
                    throw std::runtime_error("too late");
                });
                timer->arm(IoTimer::Clock::now());
            });
        });
        expired.get_future().get();
        // What is on the loop ends with the plugin, and the next one has a loop again.
        start([&](Host& host) {
            CPPUNIT_ASSERT(host.require<IoLoops>().loops().front() != loop);
            timer.reset();
        });
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.log().count("callback=IoLoop::timer error=too late"));
    }

    void testRefusesOtherThreadsThanTheLoops() {
        const auto loop = host_.require<IoLoops>().loops().front();
        CPPUNIT_ASSERT_THROW(loop->watch(0, [] {}), std::logic_error);
        CPPUNIT_ASSERT_THROW(static_cast<void>(loop->timer([] {})), std::logic_error);
    }

    void testSaysWhichExtensionIsMissing() {
        try {
            static_cast<void>(host_.require<LaterMetrics>());
            CPPUNIT_FAIL("there is no such extension");
        } catch (const std::runtime_error& error) {
            CPPUNIT_ASSERT_EQUAL(
                std::string("this Sallyport lacks the extension metrics 2, which the plugin needs"),
                std::string(error.what()));
        }
    }

    void testKeepsMetrics() {
        CPPUNIT_ASSERT_THROW(static_cast<void>(host_.metric("asked_total")), std::out_of_range);
        const auto count = [](Host& host) {
            host.require<Metrics>().counters("asked_total", "Asked", {{"how", {}}}).of({"well"}).add(2);
        };
        start(count);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, host_.metric("asked_total", {"well"}));
        start(count);  // as in a reload
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, host_.metric("asked_total", {"well"}));
        CPPUNIT_ASSERT_THROW(static_cast<void>(host_.metric("asked_total", {"badly"})), std::out_of_range);
    }

    void testHasAPoolThatMayBeFull() {
        int ran = 0;
        host_.fillPool(true);
        CPPUNIT_ASSERT(!host_.run([&] { ++ran; }));
        host_.fillPool(false);
        CPPUNIT_ASSERT(host_.run([&] { ++ran; }));
        CPPUNIT_ASSERT_EQUAL(1, ran);
    }

    void testLetsNothingWaitOnALoop() {
        start([](Host& host) {
            Store& store = host.store();
            store.migrate("things", {{1, {"CREATE TABLE things (id {key})"}}});
            const auto query = [&store](const Call&) {
                static_cast<void>(store.query("SELECT count(*) FROM things"));
                return Reply::empty(200);
            };
            const auto find = [&host](const Call& call) {
                static_cast<void>(host.jobs().find(call.caller().job()));
                return Reply::empty(200);
            };
            const auto write = [&store](const Call&) {
                store.write([](Transaction& transaction) { transaction.execute("DELETE FROM things"); });
                return Reply::empty(200);
            };
            const auto run = [&host, query](const Call& call) {
                host.run([&] { static_cast<void>(query(call)); });
                return Reply::empty(200);
            };
            const auto submit = [&store](const Call&) {
                return Reply::whenStored(
                    store, [](Transaction& transaction) { transaction.execute("DELETE FROM things"); },
                    [] { return Reply::empty(200); });
            };
            const auto defer = [&store](const Call&) {
                return Reply::deferred(
                    [&store](const Promise&) { static_cast<void>(store.query("SELECT 1")); });
            };
            for (const auto& [name, mode] : {std::pair("pool", Run::pool), std::pair("loop", Run::loop)}) {
                const std::string prefix = std::string("/") + name;
                host.routes().worker("GET", prefix + "/query", query, {.run = mode});
                host.routes().worker("GET", prefix + "/find", find, {.run = mode});
                host.routes().worker("GET", prefix + "/write", write, {.run = mode});
                host.routes().worker("GET", prefix + "/run", run, {.run = mode});
                host.routes().worker("GET", prefix + "/submit", submit, {.run = mode});
                host.routes().worker("GET", prefix + "/defer", defer, {.run = mode});
            }
        });
        for (const char* path : {"/pool/query", "/pool/find", "/pool/write", "/pool/run", "/pool/submit",
                                 "/loop/run", "/loop/submit"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(path, 200, get(path).status());
        }
        for (const char* path : {"/loop/query", "/loop/find", "/loop/write", "/loop/defer", "/pool/defer"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(path, static_cast<void>(get(path)), std::logic_error);
        }
        try {
            static_cast<void>(get("/loop/query"));
        } catch (const std::logic_error& error) {
            ASSERT_CONTAINS("Store::query may wait for the disk", error.what());
        }
    }

    void testLetsNothingWaitOnTheStoresThread() {
        Store& store = host_.store();
        std::promise<std::string> complaint;
        store.submit(
            [](Transaction&) {},
            [&](const std::exception_ptr&) {
                complaint.set_value(complaintOf([&store] { static_cast<void>(store.query("SELECT 1")); }));
            });
        ASSERT_CONTAINS("Store::query may wait for the disk, and was called on the store's thread",
                        complaint.get_future().get());
    }

    void testLetsNoReceiverWait() {
        std::string complaint;
        start([&](Host& host) {
            host.bus().subscribe<JobFinished>([&](const JobFinished& finished) {
                complaint = complaintOf([&] { static_cast<void>(host.jobs().find(finished.job)); });
            });
        });
        host_.finish(job_.job->id, JobState::completed);
        ASSERT_CONTAINS("was called in a receiver of messages", complaint);
    }

    void testLetsNothingWaitThatIsToldOnALoop() {
        std::string complaint;
        const auto query = [&] {
            complaint = complaintOf([this] { static_cast<void>(host_.store().query("SELECT 1")); });
        };
        const auto assertComplained = [&] {
            ASSERT_CONTAINS("on a thread that serves connections", std::exchange(complaint, {}));
        };
        RecordedStream client;
        client.stall();
        client.write("kept");
        client.onDrained(query);
        client.drain();
        assertComplained();
        client.onClosed(query);
        client.hangUp();
        assertComplained();
        std::optional<Promise> promise;
        deferTo(promise);
        Answer answer = get("/x");
        promise->onAbandoned(query);
        answer.hangUp();
        assertComplained();
        start([&](Host& host) {
            host.routes().worker("GET", "/x", [&](const Call&) {
                return Reply::empty(204).onDelivered([&](bool) { query(); });
            });
        });
        get("/x").delivered(true);
        assertComplained();
        std::promise<void> posted;
        host_.require<IoLoops>().loops().front()->post([&] {
            query();
            posted.set_value();
        });
        posted.get_future().get();
        assertComplained();
    }

    void testRefusesAfterTheStartWhatIsForTheStart() {
        Host* kept = nullptr;
        start([&](Host& host) { kept = &host; });
        const auto refused = [](const std::string& function, const std::function<void()>& call) {
            CPPUNIT_ASSERT_EQUAL(function +
                                     " was called after the plugin's start: do that in Plugin::start, "
                                     "before it returns",
                                 complaintOf(call));
        };
        refused("Routes::worker", [&] { kept->routes().worker("GET", "/x", ok); });
        refused("Routes::operators", [&] { kept->routes().operators("GET", "/x", ok); });
        refused("Host::every", [&] { kept->every(std::chrono::hours(1), [] {}); });
        refused("Host::provide", [&] { kept->provide(std::make_shared<Service>()); });
        refused("Bus::subscribe", [&] { kept->bus().subscribe<JobFinished>([](const JobFinished&) {}); });
        refused("Store::migrate", [&] { kept->store().migrate("things", {}); });
        refused("Assets::serve", [&] { kept->require<Assets>().serve(); });
        // The next one starts anew.
        start([](Host& host) { host.every(std::chrono::hours(1), [] {}); });
    }

    void testKeepsAnExaminationOnItsThread() {
        std::vector<std::string> complaints;
        const auto elsewhere = [&](Examination& examination, auto call) {
            complaints.push_back(std::async(std::launch::async, [&] {
                                     return complaintOf([&] { call(examination); });
                                 }).get());
        };
        static_cast<void>(examine([&](Examination& examination) {
            elsewhere(examination, [](Examination& e) { e.ok("this", "is well"); });
            elsewhere(examination, [](Examination& e) { static_cast<void>(e.query("SELECT 1")); });
            elsewhere(examination, [](Examination& e) { static_cast<void>(e.find<Service>()); });
        }));
        const std::string rule = " was called on another thread than Plugin::examine: do that there";
        CPPUNIT_ASSERT_EQUAL("Examination::add" + rule, complaints.at(0));
        CPPUNIT_ASSERT_EQUAL("Examination::query" + rule, complaints.at(1));
        CPPUNIT_ASSERT_EQUAL("Examination::find" + rule, complaints.at(2));
    }

    void testRoutesAsTheDaemonDoes() {
        start([](Host& host) {
            host.routes().worker("GET", "/a/{x}", [](const Call&) { return Reply::empty(201); });
            host.routes().worker("GET", "/a/b", [](const Call&) { return Reply::empty(202); });
            host.routes().worker("GET", "/files/{rest...}", [](const Call&) { return Reply::empty(203); });
        });
        CPPUNIT_ASSERT_EQUAL(201, get("/a/c").status());
        CPPUNIT_ASSERT_EQUAL(202, get("/a/b").status());
        CPPUNIT_ASSERT_EQUAL(203, get("/files/x/y").status());
        CPPUNIT_ASSERT_EQUAL(404, get("/a").status());
        CPPUNIT_ASSERT_EQUAL(400, get("/a/%zz").status());
        const Answer other = host_.worker(job_, "POST", "/a/b");
        CPPUNIT_ASSERT_EQUAL(405, other.status());
        CPPUNIT_ASSERT_EQUAL(std::string("GET"), other.header("Allow").value().substr(0, 3));
        CPPUNIT_ASSERT_EQUAL(404, host_.operators("alice", Role::admin, "GET", "/a/b").status());
    }

    void testGivesParametersAndQueries() {
        start([](Host& host) {
            host.routes().worker("POST", "/{x}", [](const Call& call) {
                return Reply::text(200, "text/plain",
                                   std::string(call.param("x")) + " " + call.query("q").value_or("-") + " " +
                                       std::string(call.header("X-Kind").value_or("-")) + " " +
                                       call.json().string("text") + " " + call.caller().user());
            });
        });
        const Answer answer =
            host_.worker(job_, "POST", "/a%20b?q=1%2B1", R"({"text":"t"})", {{"x-kind", "k"}});
        CPPUNIT_ASSERT_EQUAL(std::string("a b 1+1 k t alice"), answer.body());
        CPPUNIT_ASSERT_EQUAL(
            415, host_.worker(job_, "POST", "/a", "{}", {{"content-type", "text/plain"}}).status());
    }

    void testLimitsJsonAsTheDaemonDoes() {
        start([](Host& host) {
            host.routes().worker("POST", "/x", [](const Call& call) {
                static_cast<void>(call.json());
                return Reply::empty(200);
            });
        });
        const auto nested = [](std::size_t depth) {
            return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
        };
        CPPUNIT_ASSERT_EQUAL(200, host_.worker(job_, "POST", "/x", nested(64)).status());
        CPPUNIT_ASSERT_EQUAL(400, host_.worker(job_, "POST", "/x", nested(65)).status());
        std::string many = R"({"a":[0)";
        for (int i = 2; i < 1'000'000; ++i) {
            many += ",0";
        }
        CPPUNIT_ASSERT_EQUAL(200, host_.worker(job_, "POST", "/x", many + "]}").status());
        const Answer more = host_.worker(job_, "POST", "/x", many + ",0]}");
        CPPUNIT_ASSERT_EQUAL(422, more.status());
        CPPUNIT_ASSERT_EQUAL(std::string("too_many_members"), more.code());
    }

    void testAsksForThePermission() {
        start([](Host& host) {
            host.routes().operators("GET", "/x", ok);
            host.routes().operators("POST", "/x", ok);
            host.routes().operators("PUT", "/x", ok, {.permission = "scripted.admin"});
            host.routes().operators("DELETE", "/x", ok, {.permission = permission::auditRead});
        });
        CPPUNIT_ASSERT_EQUAL(200, host_.operators("a", Role::viewer, "GET", "/x").status());
        CPPUNIT_ASSERT_EQUAL(403, host_.operators("a", Role::viewer, "POST", "/x").status());
        CPPUNIT_ASSERT_EQUAL(200, host_.operators("a", Role::user, "POST", "/x").status());
        CPPUNIT_ASSERT_EQUAL(403, host_.operators("a", Role::user, "PUT", "/x").status());
        CPPUNIT_ASSERT_EQUAL(200, host_.operators("a", Role::admin, "PUT", "/x").status());
        CPPUNIT_ASSERT_EQUAL(403, host_.operators("a", Role::user, "DELETE", "/x").status());
        CPPUNIT_ASSERT_EQUAL(200, host_.operators("a", Role::auditor, "DELETE", "/x").status());
        CPPUNIT_ASSERT_EQUAL(403, host_.operators("a", Role::runner, "GET", "/x").status());
    }

    void testLetsInNobodyWhoseJobIsOver() {
        start([](Host& host) { host.routes().worker("GET", "/x", ok); });
        const auto caller = host_.callerOf(job_);
        host_.finish(job_.job->id, JobState::cancelled);
        CPPUNIT_ASSERT_EQUAL(401, get("/x").status());
        CPPUNIT_ASSERT_EQUAL(200, host_.worker(caller, "GET", "/x").status());
        CPPUNIT_ASSERT_THROW(static_cast<void>(host_.callerOf(job_)), RequestError);
    }

    void testRefusesRoutesThatTheDaemonRefuses() {
        CPPUNIT_ASSERT_THROW(start([](Host& host) { host.routes().worker("GET", "x", ok); }),
                             std::invalid_argument);
        CPPUNIT_ASSERT_THROW(start([](Host& host) { host.routes().worker("TRACE", "/x", ok); }),
                             std::invalid_argument);
        CPPUNIT_ASSERT_THROW(start([](Host& host) {
                                 host.routes().worker("GET", "/{a}", ok);
                                 host.routes().worker("GET", "/{b}", ok);
                             }),
                             std::invalid_argument);
        for (const char* permission : {"tokens.wrte", "other.read", "scripted.", "read"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(permission, start([permission](Host& host) {
                                             host.routes().operators("GET", "/x", ok,
                                                                     {.permission = permission});
                                         }),
                                         std::invalid_argument);
        }
        CPPUNIT_ASSERT_THROW(
            start([](Host& host) { host.routes().worker("GET", "/x", ok, {.permission = "scripted.read"}); }),
            std::invalid_argument);
        start([](Host&) {});
        CPPUNIT_ASSERT_THROW(host_.routes().worker("GET", "/late", ok), std::logic_error);
    }

    void testFillsInTheDefaultsOfARoute() {
        start([](Host& host) {
            host.routes().operators("GET", "/x", ok, {.run = Run::loop});
            host.routes().operators("POST", "/x", ok);
        });
        CPPUNIT_ASSERT(Run::loop == host_.options(Realm::operators, "GET", "/x").run);
        CPPUNIT_ASSERT("scripted.read" == host_.options(Realm::operators, "GET", "/x").permission);
        CPPUNIT_ASSERT(Body::json == host_.options(Realm::operators, "POST", "/x").body);
        CPPUNIT_ASSERT("scripted.write" == host_.options(Realm::operators, "POST", "/x").permission);
        CPPUNIT_ASSERT_THROW(static_cast<void>(host_.options(Realm::worker, "GET", "/x")), std::out_of_range);
    }

    void testGivesABodyOnlyToRoutesThatTakeOne() {
        const auto echo = [](const Call& call) { return Reply::text(200, "text/plain", call.body()); };
        start([&](Host& host) {
            host.routes().worker("DELETE", "/x", echo);
            host.routes().worker("POST", "/x", echo, {.body = Body::any});
        });
        CPPUNIT_ASSERT_EQUAL(std::string(), host_.worker(job_, "DELETE", "/x", "b").body());
        CPPUNIT_ASSERT_EQUAL(std::string("b"), host_.worker(job_, "POST", "/x", "b").body());
    }

    void testChecksSettings() {
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, host_.settings().integer("limit"));
        const FakeHost set("scripted", settings, {{"scripted.limit", "7"}});
        CPPUNIT_ASSERT_EQUAL(std::int64_t{7}, set.settings().integer("limit"));
        try {
            const FakeHost typo("scripted", settings, {{"scripted.limt", "7"}});
            CPPUNIT_FAIL("a setting that nobody declared");
        } catch (const std::invalid_argument& refusal) {
            ASSERT_CONTAINS("did you mean scripted.limit?", refusal.what());
        }
        CPPUNIT_ASSERT_THROW(FakeHost("scripted", settings, {{"scripted.limit", "70"}}), std::runtime_error);
    }

    void testLetsATestSeeWhatIsThrown() {
        start([](Host& host) {
            host.routes().worker("GET", "/x", [](const Call&) -> Reply { throw std::domain_error("a bug"); });
            host.routes().worker("GET", "/y", [](const Call&) -> Reply { throw conflict("taken", "it is"); });
        });
        CPPUNIT_ASSERT_THROW(get("/x"), std::domain_error);
        CPPUNIT_ASSERT_EQUAL(std::string("taken"), get("/y").code());
    }

    void testAnswersLater() {
        std::optional<Promise> promise;
        deferTo(promise);
        const Answer answer = get("/x");
        CPPUNIT_ASSERT(!answer.answered());
        promise->fulfil(Reply::empty(204));
        CPPUNIT_ASSERT(answer.answered());
        CPPUNIT_ASSERT_EQUAL(204, answer.status());
    }

    void testAnswers500WhenAPromiseIsDropped() {
        std::optional<Promise> promise;
        deferTo(promise);
        const Answer answer = get("/x");
        promise.reset();
        CPPUNIT_ASSERT_EQUAL(500, answer.status());
    }

    void testTellsThatNobodyWaits() {
        std::optional<Promise> promise;
        deferTo(promise);
        Answer answer = get("/x");
        int told = 0;
        promise->onAbandoned([&told] { ++told; });
        answer.hangUp();
        answer.hangUp();
        CPPUNIT_ASSERT_EQUAL(1, told);
    }

    void testStreams() {
        start([](Host& host) {
            host.routes().worker("GET", "/x", [](const Call&) {
                return Reply::stream(200, "text/plain", [](const std::shared_ptr<Stream>& client) {
                    client->write("a");
                    client->write("b");
                    client->end();
                    client->write("c");
                });
            });
        });
        const auto client = get("/x").stream();
        client->awaitEnd();
        CPPUNIT_ASSERT(client->ended());
        CPPUNIT_ASSERT_EQUAL(std::string("ab"), client->written());
    }

    static void testTellsAProducerThatItsClientIsSlowOrGone() {
        RecordedStream client;
        int drained = 0;
        int gone = 0;
        client.onClosed([&gone] { ++gone; });
        client.write("taken");
        client.onDrained([&drained] { ++drained; });
        CPPUNIT_ASSERT_EQUAL(1, drained);
        client.stall();
        client.write("kept");
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, client.pending());
        client.onDrained([&drained] { ++drained; });
        CPPUNIT_ASSERT_EQUAL(1, drained);
        client.drain();
        CPPUNIT_ASSERT_EQUAL(2, drained);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, client.pending());
        client.hangUp();
        CPPUNIT_ASSERT_EQUAL(1, gone);
        CPPUNIT_ASSERT(!client.write("lost"));
        CPPUNIT_ASSERT_EQUAL(std::string("takenkept"), client.written());
        client.onClosed([&gone] { ++gone; });
        CPPUNIT_ASSERT_EQUAL(2, gone);
        RecordedStream cut;
        cut.abort();
        CPPUNIT_ASSERT(cut.aborted() && !cut.ended());
    }

    void testPlaysTheClientOfATunnel() {
        std::vector<std::string> told;
        start([&told](Host& host) {
            const auto loop = host.require<IoLoops>().loops().front();
            host.require<Tunnels>().connect(
                [&told, loop](const Call& call, const ProxyTarget& target) {
                    if (!loop->isCurrent()) {
                        throw std::logic_error("not on the loop");
                    }
                    if (target.host != "h" || call.header("proxy-authorization")) {
                        throw forbidden("no");
                    }
                    return Reply::deferred([&told](const Promise& promise) {
                        promise.fulfil(Reply::tunnel(std::make_shared<Echo>(told)));
                    });
                },
                Run::loop);
            host.routes().worker("GET", "/ws", [&told](const Call&) {
                return Reply::upgrade("websocket", std::make_shared<Echo>(told));
            });
        });
        const auto job = host_.makeJob();
        CPPUNIT_ASSERT_EQUAL(400, host_.connect(job, "h").status());
        CPPUNIT_ASSERT_EQUAL(403, host_.connect(job, "other:1").status());
        auto answer = host_.connect(job, "H:1");
        CPPUNIT_ASSERT(answer.tunnels());
        auto client = answer.open();
        client->send("hello");
        CPPUNIT_ASSERT_EQUAL(std::string("hello"), client->received());
        // Back pressure: it reads nothing more until the client does.
        client->stall();
        const std::string much(RecordedTunnel::buffer, 'x');
        client->send(much);
        client->send("more");
        CPPUNIT_ASSERT_EQUAL(much.size(), client->pending());
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, client->unread());
        client->drain();
        client->awaitReceived(5 + much.size() + 4);
        client->announceStop();
        client->finishSending();
        client->awaitEnd();
        CPPUNIT_ASSERT_EQUAL("hello" + much + "morebye", client->received());
        CPPUNIT_ASSERT(client->finished());
        CPPUNIT_ASSERT(client->ended() == TunnelEnd::finished);
        client = host_.worker(job, "GET", "/ws").open();
        client->send("end");
        client->awaitEnd();
        client = host_.worker(job, "GET", "/ws").open();
        CPPUNIT_ASSERT_THROW(client->send("throw"), std::runtime_error);
        client = host_.worker(job, "GET", "/ws").open();
        client->hangUp(TunnelEnd::idle);
        CPPUNIT_ASSERT_EQUAL(std::string("websocket"), host_.worker(job, "GET", "/ws").protocol());
        CPPUNIT_ASSERT_EQUAL(404, host_.forward(job, "GET", "http://h/").status());
        // One that is open ends with the plugin.
        client = host_.worker(job, "GET", "/ws").open();
        host_.finish(job.job->id, JobState::completed);
        CPPUNIT_ASSERT_EQUAL(407, host_.connect(job, "h:1").status());
        start([](Host&) {});
        CPPUNIT_ASSERT(client->ended() == TunnelEnd::stopping);
        CPPUNIT_ASSERT(told ==
                       (std::vector<std::string>{"finished", "closed", "failed", "idle", "stopping"}));
        CPPUNIT_ASSERT_EQUAL(405, host_.connect(host_.makeJob(), "h:1").status());
    }

    void testReadsAbsoluteFormsAsTheDaemonDoes() {
        std::vector<std::string> told;
        std::string seen;
        start([&](Host& host) {
            host.require<Tunnels>().forward([&](const Call& call, const ProxyTarget& target) {
                seen = call.method() + " " + call.path() + "?" + call.rawQuery() + " " + target.authority() +
                       " " + std::string(call.header("authorization").value_or("none")) + " " +
                       std::string(call.header("host").value_or("none")) + " " +
                       std::to_string(target.length.value_or(99));
                return Reply::tunnel(std::make_shared<Echo>(told));
            });
            CPPUNIT_ASSERT_THROW(host.require<Tunnels>().forward(
                                     [](const Call&, const ProxyTarget&) { return Reply::empty(204); }),
                                 std::invalid_argument);
        });
        const auto job = host_.makeJob();
        CPPUNIT_ASSERT(
            host_.forward(job, "PUT", "http://H:81/p?q", {{"authorization", "mine"}, {"content-length", "3"}})
                .tunnels());
        CPPUNIT_ASSERT_EQUAL(std::string("PUT /p?q h:81 mine h:81 3"), seen);
        CPPUNIT_ASSERT_EQUAL(400, host_.forward(job, "GET", "http://h/?" + job.token).status());
        CPPUNIT_ASSERT_EQUAL(400, host_.forward(job, "GET", "http://u@h/").status());
    }

    void testForgetsAPluginThatDoesNotStart() {
        bool stopped = false;
        CPPUNIT_ASSERT_THROW(
            host_.start(std::make_unique<Scripted>([](Host&) { throw std::runtime_error("no start"); },
                                                   [&stopped] { stopped = true; })),
            std::runtime_error);
        start([](Host& host) { host.routes().worker("GET", "/x", ok); });
        CPPUNIT_ASSERT(!stopped);
        CPPUNIT_ASSERT_EQUAL(200, get("/x").status());
    }

    void testTakesBackWhatAPluginRegistered() {
        int ticks = 0;
        int finished = 0;
        start([&](Host& host) {
            host.routes().worker("GET", "/x", ok);
            host.every(std::chrono::hours(1), [&ticks] { ++ticks; });
            host.bus().subscribe<JobFinished>([&finished](const JobFinished&) { ++finished; });
            host.provide(std::make_shared<Service>());
        });
        host_.tick();
        host_.finish(host_.makeJob().job->id, JobState::completed);
        CPPUNIT_ASSERT(host_.find<Service>());
        start([](Host&) {});
        host_.tick();
        host_.finish(host_.makeJob().job->id, JobState::completed);
        CPPUNIT_ASSERT_EQUAL(1, ticks);
        CPPUNIT_ASSERT_EQUAL(1, finished);
        CPPUNIT_ASSERT(!host_.find<Service>());
        CPPUNIT_ASSERT_EQUAL(404, get("/x").status());
        host_.offer(std::make_shared<Service>());
        CPPUNIT_ASSERT(host_.find<Service>());
        CPPUNIT_ASSERT_THROW(start([](Host& host) { host.provide(std::make_shared<Service>()); }),
                             std::logic_error);
    }

    void testKeepsLogLines() {
        host_.log().warn("it leaks", {{"where", "roof"}, {"drops", 3}});
        const auto line = host_.log().lines().back();
        CPPUNIT_ASSERT(LogLevel::warn == line.level);
        CPPUNIT_ASSERT_EQUAL(std::string("it leaks"), line.message);
        CPPUNIT_ASSERT_EQUAL(std::string("roof"), line.fields.at(0).value);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.log().count(LogLevel::warn));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, host_.log().count(LogLevel::error));
        host_.log().info("it rains");
        CPPUNIT_ASSERT_EQUAL(std::string("it leaks where=roof drops=3"), line.text());
        CPPUNIT_ASSERT(host_.log().text().ends_with("it leaks where=roof drops=3\nit rains\n"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, host_.log().count("it "));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.log().count("where=roof"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, host_.log().count("snow"));
    }

    void testExaminesAPlugin() {
        const auto findings = examine([](Examination& examination) {
            CPPUNIT_ASSERT(examination.scope() == Examination::Scope::everything);
            CPPUNIT_ASSERT(!examination.mayUseNetwork());
            CPPUNIT_ASSERT(examination.hasDaemonsRights());
            CPPUNIT_ASSERT(!examination.running());
            CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, examination.settings().integer("limit"));
            CPPUNIT_ASSERT(examination.variable("HOME").presence == Examination::Given::Presence::absent);
            examination.ok("one", "first");
            examination.warn("two", "second");
            examination.fail("one", "third");
        });
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, findings.size());
        CPPUNIT_ASSERT_EQUAL(std::string("one first"), findings[0].check + " " + findings[0].sentence);
        CPPUNIT_ASSERT(findings[0].verdict == Verdict::ok);
        CPPUNIT_ASSERT(findings[1].verdict == Verdict::warning);
        CPPUNIT_ASSERT(findings[2].verdict == Verdict::failed);
        CPPUNIT_ASSERT(host_.examine(std::make_unique<Scripted>([](Host&) {})).empty());
    }

    void testExaminesInTheSurroundingsThatATestWants() {
        using Presence = Examination::Given::Presence;
        const ExaminationOptions options{.scope = Examination::Scope::configuration,
                                         .network = true,
                                         .daemonsRights = false,
                                         .store = false,
                                         .credentials = {{"sallyport-key", "k"}},
                                         .variables = {{"KEY", "v"}},
                                         .unseen = {"sallyport-other", "OTHER"},
                                         .running = Examination::Running{"it aches"}};
        const auto findings = examine(
            [](Examination& examination) {
                CPPUNIT_ASSERT(examination.scope() == Examination::Scope::configuration);
                CPPUNIT_ASSERT(examination.mayUseNetwork());
                CPPUNIT_ASSERT(!examination.hasDaemonsRights());
                CPPUNIT_ASSERT(!examination.hasStore());
                CPPUNIT_ASSERT(!examination.hasTable("jobs"));
                CPPUNIT_ASSERT_THROW(static_cast<void>(examination.query("SELECT 1")), StoreError);
                CPPUNIT_ASSERT_EQUAL(std::string("k"),
                                     std::string(examination.credential("sallyport-key").value->reveal()));
                CPPUNIT_ASSERT_EQUAL(std::string("v"),
                                     std::string(examination.variable("KEY").value->reveal()));
                CPPUNIT_ASSERT(examination.credential("sallyport-other").presence == Presence::unseen);
                CPPUNIT_ASSERT(examination.variable("OTHER").presence == Presence::unseen);
                CPPUNIT_ASSERT_EQUAL(std::string("it aches"), *examination.running()->trouble);
            },
            options);
        CPPUNIT_ASSERT(findings.empty());
    }

    void testExaminesWhatWasStored() {
        host_.store().migrate("things", {{1, {"CREATE TABLE things (name TEXT NOT NULL)"}}});
        host_.store().write([](Transaction& transaction) {
            transaction.execute("INSERT INTO things (name) VALUES (?)", {std::string("one")});
        });
        static_cast<void>(examine([](Examination& examination) {
            CPPUNIT_ASSERT(examination.hasTable("things"));
            CPPUNIT_ASSERT(!examination.hasTable("thing"));
            CPPUNIT_ASSERT_EQUAL(std::string("one"),
                                 examination.query("SELECT name FROM things").at(0).text(0));
        }));
    }

    void testHasServicesForAnExamination() {
        static_cast<void>(examine(
            [](Examination& examination) {
                CPPUNIT_ASSERT(!examination.find<Service>());
                examination.provide<Service>(std::make_shared<Service>());
                CPPUNIT_ASSERT_THROW(examination.provide<Service>(std::make_shared<Service>()),
                                     std::logic_error);
            },
            {.then = [](Examination& examination) { CPPUNIT_ASSERT(examination.find<Service>()); }}));
        host_.offer<Service>(std::make_shared<Service>());
        static_cast<void>(
            examine([](Examination& examination) { CPPUNIT_ASSERT(examination.find<Service>()); }));
    }

    void testLetsATestSeeWhatAnExaminationThrows() {
        CPPUNIT_ASSERT_THROW(static_cast<void>(examine([](Examination&) { throw std::range_error("no"); })),
                             std::range_error);
    }

private:
    static std::string complaintOf(const std::function<void()>& function) {
        try {
            function();
        } catch (const std::logic_error& error) {
            return error.what();
        }
        return "none";
    }

    std::vector<Finding> examine(std::function<void(Examination&)> script,
                                 const ExaminationOptions& options = {}) {
        return host_.examine(std::make_unique<Examined>(std::move(script)), options);
    }

    void start(std::function<void(Host&)> script) {
        host_.start(std::make_unique<Scripted>(std::move(script)));
    }

    /// A route that leaves its promise with the test.
    void deferTo(std::optional<Promise>& kept) {
        start([&kept](Host& host) {
            host.routes().worker("GET", "/x", [&kept](const Call&) {
                return Reply::deferred([&kept](Promise promise) { kept = std::move(promise); });
            });
        });
    }

    Answer get(const std::string& path) { return host_.worker(job_, "GET", path); }

    FakeHost host_{"scripted", settings};
    CreatedJob job_ = host_.makeJob("alice");
};

CPPUNIT_TEST_SUITE_REGISTRATION(FakeHostTest);

}  // namespace sallyport::testing
