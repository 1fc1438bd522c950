// Sockets and timers of plugins on the host's own loop.
#include "host/plugins/plugin_loop.h"

#include <array>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>
#include <sallyport/testing/recording_log.h>

#include "host/entry/entry.h"
#include "host/http/server.h"
#include "host/metrics/registry.h"
#include "tests/support/deadline.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/auth/database_fixture.h"

namespace sallyport::tests {

using namespace host;
using namespace std::chrono_literals;
using host::plugins::PluginLoop;

namespace {

/// A socket of a plugin's, and its peer.
struct Sockets {
    Sockets() {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
            throw std::system_error(errno, std::generic_category());
        }
        own = FileDescriptor(ends[0]);
        peer = FileDescriptor(ends[1]);
    }
    [[nodiscard]] int get() const { return own.get(); }
    void peerSends(const char* text = "x") const {
        CPPUNIT_ASSERT(::send(peer.get(), text, 1, MSG_NOSIGNAL) == 1);
    }
    /// Until it takes no more.
    void fill() const {
        const std::string bytes(4096, 'x');
        while (::send(own.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) {
        }
    }
    static void drain(const FileDescriptor& descriptor) {
        std::array<char, 4096> bytes{};
        while (::recv(descriptor.get(), bytes.data(), bytes.size(), 0) > 0) {
        }
    }

    FileDescriptor own;
    FileDescriptor peer;
};

/// Something that a callback does and a test awaits.
class Happening {
public:
    void happens() {
        if (!std::exchange(happened_, true)) {
            promise_.set_value();
        }
    }
    void await() {
        CPPUNIT_ASSERT(promise_.get_future().wait_for(failureLimit()) == std::future_status::ready);
    }

private:
    bool happened_ = false;  ///< the loop's
    std::promise<void> promise_;
};

}  // namespace

class PluginLoopTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginLoopTest);
    CPPUNIT_TEST(testTellsForAsLongAsItIsSo);
    CPPUNIT_TEST(testTellsOnceOnAnEdge);
    CPPUNIT_TEST(testTellsAgainWhereTheSameIsAskedFor);
    CPPUNIT_TEST(testTellsWhenItTakesBytesAgain);
    CPPUNIT_TEST(testChangesWhatItWatchesForInTheCallback);
    CPPUNIT_TEST(testTellsNothingWhereNothingIsAskedFor);
    CPPUNIT_TEST(testTellsOfTheEndAndOfFailures);
    CPPUNIT_TEST(testEndsAWatchInItsCallback);
    CPPUNIT_TEST(testEndsAnotherWatchThatIsToBeTold);
    CPPUNIT_TEST(testTellsNoLaterDescriptorOfTheSameNumber);
    CPPUNIT_TEST(testWatchesAnewWhatWasClosed);
    CPPUNIT_TEST(testRefusesWhatCannotBeWatched);
    CPPUNIT_TEST(testGivesTheLoopBackBetweenWatches);
    CPPUNIT_TEST(testTimersExpire);
    CPPUNIT_TEST(testTimersAreArmedInTheirCallback);
    CPPUNIT_TEST(testTimersAreCancelledAndDestroyedInTheirCallback);
    CPPUNIT_TEST(testNothingHappensAfterTheEnd);
    CPPUNIT_TEST(testNothingBeginsAfterTheEnd);
    CPPUNIT_TEST(testWhatCallbacksThrowIsLogged);
    CPPUNIT_TEST(testCallbacksAndTheirDestructorsEnterThePlugin);
    CPPUNIT_TEST(testRefusesOtherThreads);
    CPPUNIT_TEST(testBearsATimerThatIsDestroyedElsewhere);
    CPPUNIT_TEST_SUITE_END();

    using Clock = IoTimer::Clock;

    TemporaryDirectory directory_;
    TestStore store_{(directory_ / "sallyport.db").string()};
    auth::WorkerTokens workers_;
    auth::Operators operators_{store_};
    auth::Filter filter_{workers_, operators_};
    bus::LiveHub hub_{1024};
    metrics::Registry registry_;
    std::unique_ptr<Metrics> metrics_ = registry_.of({});
    testing::RecordingLog log_;
    std::unique_ptr<http::Server> server_;
    std::shared_ptr<http::Gate> gate_ = std::make_shared<http::Gate>("looper", "1", &log_);
    std::shared_ptr<PluginLoop> own_;
    std::shared_ptr<IoLoop> loop_;
    Sockets sockets_;
    std::vector<IoEvents> told_;  ///< the loop's

    /// Runs something on the loop, and waits until it has. Throws what that throws.
    void onLoop(const std::function<void()>& function) {
        std::promise<void> done;
        loop_->post([&] {
            try {
                function();
                done.set_value();
            } catch (...) {
                done.set_exception(std::current_exception());
            }
        });
        done.get_future().get();
    }

    /// Waits until the loop has looked for events twice at least: it runs four tasks that are posted one
    /// after another before it does.
    void letTurn() {
        for (int i = 0; i < 10; ++i) {
            onLoop([] {});
        }
    }

    template <class F>
    static std::string complaintOf(F function) {
        try {
            function();
        } catch (const std::logic_error& error) {
            return error.what();
        }
        return "none";
    }

    static std::string where() {
        const auto* const entry = entry::Entry::innermost();
        return entry == nullptr ? "outside" : entry->plugin().name + " " + entry->callback();
    }

public:
    void setUp() override {
        server_ =
            std::make_unique<http::Server>(http::Server::Options{}, filter_, nullptr, hub_, *metrics_, log_);
        own_ = std::make_shared<PluginLoop>(*server_->loops().front(), nullptr, gate_);
        loop_ = own_;
    }

    void tearDown() override {
        own_->end();
        CPPUNIT_ASSERT(gate_->waitIdle(failureLimit()));
        server_.reset();
    }

    void testTellsForAsLongAsItIsSo() {
        Happening often;
        sockets_.peerSends();
        onLoop([&] {
            loop_->watch(sockets_.get(), IoEvents::readable, IoTrigger::level, [&](IoEvents events) {
                told_.push_back(events);
                if (told_.size() == 3) {
                    loop_->unwatch(sockets_.get());
                    often.happens();
                }
            });
        });
        often.await();
        letTurn();
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, told_.size());
        CPPUNIT_ASSERT(told_.front() == IoEvents::readable);
    }

    void testTellsOnceOnAnEdge() {
        Happening first;
        onLoop([&] {
            loop_->watch(sockets_.get(), IoEvents::readable | IoEvents::writable, IoTrigger::edge,
                         [&](IoEvents events) {
                             told_.push_back(events);
                             if (has(events, IoEvents::readable)) {
                                 first.happens();
                             }
                         });
        });
        letTurn();
        sockets_.peerSends();
        first.await();
        letTurn();
        onLoop([&] {
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, told_.size());
            CPPUNIT_ASSERT(told_[0] == IoEvents::writable);
            CPPUNIT_ASSERT(has(told_[1], IoEvents::readable));
        });
    }

    void testTellsAgainWhereTheSameIsAskedFor() {
        Happening first;
        Happening again;
        int times = 0;
        onLoop([&] {
            loop_->watch(sockets_.get(), IoEvents::readable, IoTrigger::edge,
                         [&](IoEvents) { ++times == 1 ? first.happens() : again.happens(); });
        });
        sockets_.peerSends();
        first.await();
        onLoop([&] { loop_->change(sockets_.get(), IoEvents::readable); });
        again.await();
    }

    void testTellsWhenItTakesBytesAgain() {
        Happening writable;
        sockets_.fill();
        onLoop([&] {
            loop_->watch(sockets_.get(), IoEvents::writable, IoTrigger::level, [&](IoEvents events) {
                told_.push_back(events);
                loop_->unwatch(sockets_.get());
                writable.happens();
            });
        });
        letTurn();
        onLoop([&] { CPPUNIT_ASSERT(told_.empty()); });
        Sockets::drain(sockets_.peer);
        writable.await();
        onLoop([&] { CPPUNIT_ASSERT(told_.front() == IoEvents::writable); });
    }

    /// From reading to writing and back, as whoever has an answer to send does.
    void testChangesWhatItWatchesForInTheCallback() {
        Happening again;
        sockets_.peerSends();
        onLoop([&] {
            loop_->watch(sockets_.get(), IoEvents::readable, IoTrigger::level, [&](IoEvents events) {
                told_.push_back(events);
                if (told_.size() == 1) {
                    loop_->change(sockets_.get(), IoEvents::writable);
                } else if (told_.size() == 2) {
                    loop_->change(sockets_.get(), IoEvents::readable);
                } else {
                    loop_->change(sockets_.get(), IoEvents::none);
                    again.happens();
                }
            });
        });
        again.await();
        letTurn();
        onLoop([&] {
            CPPUNIT_ASSERT_EQUAL(std::size_t{3}, told_.size());
            CPPUNIT_ASSERT(told_[0] == IoEvents::readable);
            CPPUNIT_ASSERT(told_[1] == IoEvents::writable);
            CPPUNIT_ASSERT(told_[2] == IoEvents::readable);
        });
    }

    void testTellsNothingWhereNothingIsAskedFor() {
        Happening asked;
        sockets_.peerSends();
        sockets_.peer.close();
        onLoop([&] {
            loop_->watch(sockets_.get(), IoEvents::none, IoTrigger::level, [&](IoEvents events) {
                told_.push_back(events);
                loop_->unwatch(sockets_.get());
                asked.happens();
            });
        });
        letTurn();
        onLoop([&] {
            CPPUNIT_ASSERT(told_.empty());
            loop_->change(sockets_.get(), IoEvents::readable);
        });
        asked.await();
    }

    void testTellsOfTheEndAndOfFailures() {
        Happening ended;
        Happening closed;
        const auto watch = [&](int descriptor, IoEvents interest, IoEvents awaited, Happening& happening) {
            onLoop([&] {
                loop_->watch(descriptor, interest, IoTrigger::level,
                             [this, &happening, descriptor, awaited](IoEvents events) {
                                 if ((events & awaited) == awaited) {
                                     loop_->unwatch(descriptor);
                                     happening.happens();
                                 }
                             });
            });
        };
        watch(sockets_.get(), IoEvents::readable, IoEvents::readable | IoEvents::ended, ended);
        ::shutdown(sockets_.peer.get(), SHUT_WR);
        ended.await();
        // A pipe whose reader has gone, and nobody who asked for more than whether it takes bytes.
        std::array<int, 2> pipe{};
        CPPUNIT_ASSERT(::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) == 0);
        const FileDescriptor writer(pipe[1]);
        ::close(pipe[0]);
        watch(writer.get(), IoEvents::writable, IoEvents::failed, closed);
        closed.await();
    }

    void testEndsAWatchInItsCallback() {
        Happening called;
        sockets_.peerSends();
        onLoop([&] {
            auto counted = std::make_shared<std::string>("a text that has a place of its own");
            loop_->watch(sockets_.get(), [this, &called, counted = std::move(counted)] {
                loop_->unwatch(sockets_.get());
                loop_->unwatch(sockets_.get());
                told_.push_back(IoEvents::readable);
                CPPUNIT_ASSERT_EQUAL('a', counted->front());
                called.happens();
            });
        });
        called.await();
        letTurn();
        onLoop([&] { CPPUNIT_ASSERT_EQUAL(std::size_t{1}, told_.size()); });
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, log_.count(LogLevel::error));
    }

    void testEndsAnotherWatchThatIsToBeTold() {
        const Sockets others;
        sockets_.peerSends();
        others.peerSends();
        int calls = 0;
        onLoop([&] {
            // Both are told in the same turn, whichever is first.
            loop_->watch(sockets_.get(), [&] {
                ++calls;
                loop_->unwatch(others.get());
                loop_->unwatch(sockets_.get());
            });
            loop_->watch(others.get(), [&] {
                ++calls;
                loop_->unwatch(others.get());
                loop_->unwatch(sockets_.get());
            });
        });
        letTurn();
        onLoop([&] { CPPUNIT_ASSERT_EQUAL(1, calls); });
    }

    /// What was reported of a descriptor is not for the next one that has its number.
    void testTellsNoLaterDescriptorOfTheSameNumber() {
        const Sockets quiet;
        std::vector<std::unique_ptr<Sockets>> ready;
        for (int i = 0; i < 2; ++i) {
            ready.push_back(std::make_unique<Sockets>());
            ready.back()->peerSends();
        }
        int reused = 0;
        int spurious = 0;
        onLoop([&] {
            for (std::size_t i = 0; i < 2; ++i) {
                // Whoever is first puts a quiet socket in the place of the other one.
                loop_->watch(ready[i]->get(), [&, i] {
                    const int number = ready[1 - i]->get();
                    loop_->unwatch(ready[i]->get());
                    loop_->unwatch(number);
                    CPPUNIT_ASSERT(::dup3(quiet.get(), number, O_CLOEXEC) == number);
                    ++reused;
                    loop_->watch(number, [&, number] {
                        ++spurious;
                        loop_->unwatch(number);
                    });
                });
            }
        });
        letTurn();
        onLoop([&] {
            CPPUNIT_ASSERT_EQUAL(1, reused);
            CPPUNIT_ASSERT_EQUAL(0, spurious);
            for (const auto& sockets : ready) {
                loop_->unwatch(sockets->get());
            }
        });
    }

    /// A plugin that closes first has its next descriptor of that number watched all the same.
    void testWatchesAnewWhatWasClosed() {
        Happening called;
        onLoop([&] {
            const int number = sockets_.get();
            loop_->watch(number, [this] { told_.push_back(IoEvents::readable); });
            const Sockets fresh;
            CPPUNIT_ASSERT(::dup3(fresh.get(), number, O_CLOEXEC) == number);  // which closes it
            fresh.peerSends();
            loop_->watch(number, [this, &called, number] {
                loop_->unwatch(number);
                called.happens();
            });
        });
        called.await();
        onLoop([&] { CPPUNIT_ASSERT(told_.empty()); });
    }

    void testRefusesWhatCannotBeWatched() {
        onLoop([&] {
            CPPUNIT_ASSERT_THROW(loop_->watch(-1, [] {}), std::system_error);
            CPPUNIT_ASSERT_THROW(loop_->watch(1'000'000, [] {}), std::system_error);
            CPPUNIT_ASSERT_EQUAL(std::string("IoLoop::change was called for a descriptor that is not "
                                             "watched: -1"),
                                 complaintOf([&] { loop_->change(-1, IoEvents::readable); }));
            loop_->unwatch(-1);
        });
    }

    /// Other work of the loop is not kept waiting for however many watches there are.
    void testGivesTheLoopBackBetweenWatches() {
        std::vector<std::unique_ptr<Sockets>> sockets;
        Happening all;
        std::size_t told = 0;
        std::size_t toldBefore = 0;
        for (int i = 0; i < 5; ++i) {
            sockets.push_back(std::make_unique<Sockets>());
            sockets.back()->peerSends();
        }
        onLoop([&] {
            for (const auto& one : sockets) {
                loop_->watch(one->get(), [&, descriptor = one->get()] {
                    loop_->unwatch(descriptor);
                    if (++told == 1) {
                        loop_->post([&] { toldBefore = told; });
                    }
                    if (told == sockets.size()) {
                        all.happens();
                    }
                    // More than all of them may have of a turn.
                    for (const auto end = Clock::now() + 1ms; Clock::now() < end;) {
                    }
                });
            }
        });
        all.await();
        onLoop([&] { CPPUNIT_ASSERT_EQUAL(std::size_t{1}, toldBefore); });
    }

    void testTimersExpire() {
        Happening expired;
        const auto begin = Clock::now();
        std::unique_ptr<IoTimer> timer;
        std::unique_ptr<IoTimer> never;
        onLoop([&] {
            never = loop_->timer([this] { told_.push_back(IoEvents::failed); });
            never->arm(begin);
            never->cancel();
            timer = loop_->timer([&] {
                CPPUNIT_ASSERT(!timer->isArmed());
                CPPUNIT_ASSERT(Clock::now() >= begin + 5ms);
                CPPUNIT_ASSERT(own_->isCurrent());
                expired.happens();
            });
            CPPUNIT_ASSERT(!timer->isArmed());
            timer->arm(begin + 1h);
            timer->arm(begin + 5ms);
            CPPUNIT_ASSERT(timer->isArmed());
        });
        expired.await();
        onLoop([&] {
            CPPUNIT_ASSERT(told_.empty());
            timer.reset();
            never.reset();
        });
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, log_.count(LogLevel::error));
    }

    void testTimersAreArmedInTheirCallback() {
        Happening often;
        int times = 0;
        std::unique_ptr<IoTimer> timer;
        onLoop([&] {
            timer = loop_->timer([&] {
                if (++times < 5) {
                    timer->arm(Clock::now() - 1h);
                } else {
                    often.happens();
                }
            });
            timer->arm(Clock::now());
        });
        often.await();
        onLoop([&] { timer.reset(); });
    }

    void testTimersAreCancelledAndDestroyedInTheirCallback() {
        Happening gone;
        int times = 0;
        std::unique_ptr<IoTimer> cancelled;
        std::unique_ptr<IoTimer> destroyed;
        onLoop([&] {
            cancelled = loop_->timer([&] {
                ++times;
                cancelled->arm(Clock::now());
                cancelled->cancel();
            });
            destroyed = loop_->timer([&, text = std::string("a text that has a place of its own")] {
                ++times;
                destroyed->arm(Clock::now());
                destroyed.reset();
                CPPUNIT_ASSERT_EQUAL('a', text.front());
                gone.happens();
            });
            cancelled->arm(Clock::now());
            destroyed->arm(Clock::now());
        });
        gone.await();
        letTurn();
        onLoop([&] {
            CPPUNIT_ASSERT_EQUAL(2, times);
            cancelled.reset();
        });
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, log_.count(LogLevel::error));
    }

    void testNothingHappensAfterTheEnd() {
        std::unique_ptr<IoTimer> pending;
        std::unique_ptr<IoTimer> again;
        Happening running;
        sockets_.peerSends();
        onLoop([&] {
            loop_->watch(sockets_.get(), [this] { told_.push_back(IoEvents::readable); });
            pending = loop_->timer([this] { told_.push_back(IoEvents::failed); });
            pending->arm(Clock::now() + 1h);
            again = loop_->timer([&] {
                told_.push_back(IoEvents::none);
                running.happens();
                again->arm(Clock::now());
            });
            again->arm(Clock::now());
        });
        running.await();
        own_->end();
        // Nothing of it runs on the loop any more, so this thread may look.
        const auto before = told_.size();
        server_->loops().front()->post([] {});
        CPPUNIT_ASSERT(server_->responsive(failureLimit()));
        CPPUNIT_ASSERT_EQUAL(before, told_.size());
        // As a plugin's destructor does, on a thread of the host's.
        pending.reset();
        again.reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, log_.count(LogLevel::error));
    }

    void testNothingBeginsAfterTheEnd() {
        std::promise<void> begun;
        own_->end();
        sockets_.peerSends();
        server_->loops().front()->post([&] {
            loop_->watch(sockets_.get(), [this] { told_.push_back(IoEvents::readable); });
            const auto timer = loop_->timer([this] { told_.push_back(IoEvents::none); });
            timer->arm(Clock::now());
            CPPUNIT_ASSERT(!timer->isArmed());
            begun.set_value();
        });
        begun.get_future().get();
        CPPUNIT_ASSERT(server_->responsive(failureLimit()));
        CPPUNIT_ASSERT(told_.empty());
    }

    void testWhatCallbacksThrowIsLogged() {
        Happening goesOn;
        std::unique_ptr<IoTimer> timer;
        sockets_.peerSends();
        onLoop([&] {
            loop_->watch(sockets_.get(), IoEvents::readable, IoTrigger::level, [&](IoEvents) {
                told_.push_back(IoEvents::readable);
                if (told_.size() == 1) {
                    throw std::runtime_error("no mood to read");
                }
                loop_->unwatch(sockets_.get());
                timer->arm(Clock::now());
            });
            timer = loop_->timer([&] {
                told_.push_back(IoEvents::none);
                if (told_.size() == 3) {
                    timer->arm(Clock::now());
                    throw std::runtime_error("too late");
                }
                goesOn.happens();
            });
        });
        goesOn.await();
        onLoop([&] { timer.reset(); });
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, log_.count(LogLevel::error));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1},
                             log_.count("plugin=looper callback=IoLoop::watch error=no mood to read"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1},
                             log_.count("plugin=looper callback=IoLoop::timer error=too late"));
    }

    void testCallbacksAndTheirDestructorsEnterThePlugin() {
        struct Tells {
            std::string& place;
            ~Tells() { place = where(); }
        };
        Happening over;
        std::string watching;
        std::string expiring;
        std::string watchGone;
        std::string timerGone;
        sockets_.peerSends();
        std::unique_ptr<IoTimer> timer;
        onLoop([&] {
            timer = loop_->timer([&, tells = std::make_shared<Tells>(Tells{timerGone})] {
                expiring = where();
                over.happens();
            });
            loop_->watch(sockets_.get(), [&, tells = std::make_shared<Tells>(Tells{watchGone})] {
                watching = where();
                loop_->unwatch(sockets_.get());
                timer->arm(Clock::now());
            });
        });
        over.await();
        // The plugin's task is over, so that only the host destroys what is left.
        own_->end();
        timer.reset();
        CPPUNIT_ASSERT_EQUAL(std::string("looper IoLoop::watch"), watching);
        CPPUNIT_ASSERT_EQUAL(std::string("looper IoLoop::timer"), expiring);
        CPPUNIT_ASSERT_EQUAL(std::string("looper destructor"), watchGone);
        CPPUNIT_ASSERT_EQUAL(std::string("looper destructor"), timerGone);
    }

    void testRefusesOtherThreads() {
        const std::string rule =
            " was called on another thread than its loop's: do that in a task for IoLoop::post, or in a "
            "callback of the loop";
        std::unique_ptr<IoTimer> timer;
        onLoop([&] { timer = loop_->timer([] {}); });
        CPPUNIT_ASSERT_EQUAL("IoLoop::watch" + rule,
                             complaintOf([&] { loop_->watch(sockets_.get(), [] {}); }));
        CPPUNIT_ASSERT_EQUAL("IoLoop::change" + rule,
                             complaintOf([&] { loop_->change(sockets_.get(), IoEvents::none); }));
        CPPUNIT_ASSERT_EQUAL("IoLoop::unwatch" + rule, complaintOf([&] { loop_->unwatch(sockets_.get()); }));
        CPPUNIT_ASSERT_EQUAL("IoLoop::timer" + rule,
                             complaintOf([&] { static_cast<void>(loop_->timer([] {})); }));
        CPPUNIT_ASSERT_EQUAL("IoTimer::arm" + rule, complaintOf([&] { timer->arm(Clock::now()); }));
        CPPUNIT_ASSERT_EQUAL("IoTimer::cancel" + rule, complaintOf([&] { timer->cancel(); }));
        CPPUNIT_ASSERT_EQUAL("IoTimer::isArmed" + rule,
                             complaintOf([&] { static_cast<void>(timer->isArmed()); }));
        onLoop([&] { timer.reset(); });
    }

    void testBearsATimerThatIsDestroyedElsewhere() {
        std::unique_ptr<IoTimer> timer;
        onLoop([&] {
            timer = loop_->timer([this] { told_.push_back(IoEvents::none); });
            timer->arm(Clock::now() + 1h);
        });
        timer.reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("a plugin's timer was destroyed in the wrong place"));
        letTurn();
        onLoop([&] {
            CPPUNIT_ASSERT(server_->loops().front()->timers().next() == Clock::time_point::max());
            CPPUNIT_ASSERT(told_.empty());
        });
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginLoopTest);

}  // namespace sallyport::tests
