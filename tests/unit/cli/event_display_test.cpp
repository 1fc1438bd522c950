#include "host/cli/event_display.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/client/scripted_door.h"

namespace sallyport::host::cli {

using namespace client;  // the scripted door

namespace {

std::string statusEvent(int id) {
    return R"({"id":)" + std::to_string(id) + R"(,"event_type":"status","data":{"message":"m)" +
           std::to_string(id) + R"("},"created_at":"t"})";
}

std::string liveEvent(int id) {
    return "id: " + std::to_string(id) +
           "\nevent: job_status\ndata: {\"type\":\"job_status\",\"message\":\"m" + std::to_string(id) +
           "\"}\n\n";
}

std::string stateChange(const std::string& state) {
    return "event: job_state\ndata: {\"type\":\"job_state\",\"state\":\"" + state + "\"}\n\n";
}

std::string shownEvent(int id) {
    return std::string(id < 10 ? "     " : "    ") + std::to_string(id) + "  status       m" +
           std::to_string(id) + "\n";
}

std::string shownState(const std::string& state) {
    return "        state        " + state + "\n";
}

}  // namespace

/// A daemon with one job, whose events and state a test sets, and whose live streams it writes.
class EventDisplayTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EventDisplayTest);
    CPPUNIT_TEST(testShowsTheHistoryOfAJobThatIsOver);
    CPPUNIT_TEST(testTellsByItsCodeHowTheJobEnded);
    CPPUNIT_TEST(testBeginsAfterTheEventNamed);
    CPPUNIT_TEST(testStopsAfterTheHistoryWhenAsked);
    CPPUNIT_TEST(testReadsEveryPageOfTheHistory);
    CPPUNIT_TEST(testGoesOnLive);
    CPPUNIT_TEST(testResumesAfterACutWithoutGapOrRepeat);
    CPPUNIT_TEST(testComesBackAfterSilence);
    CPPUNIT_TEST(testFindsADaemonThatMoved);
    CPPUNIT_TEST(testComesBackWhenTheDaemonDiesBeforeTheStream);
    CPPUNIT_TEST(testFailsAtOnceWhenTheDaemonNeverAnswered);
    CPPUNIT_TEST(testWaitsWhileTheDaemonIsBusy);
    CPPUNIT_TEST(testStopsWhenItsTokenIsRevoked);
    CPPUNIT_TEST(testNoticesAnEndThatNobodyAnnounced);
    CPPUNIT_TEST(testLooksAtTheJobAfterAResult);
    CPPUNIT_TEST(testShowsWhatCameJustBeforeTheEnd);
    CPPUNIT_TEST(testEndsOnCtrlC);
    CPPUNIT_TEST(testEndsOnCtrlCWhileItWaits);
    CPPUNIT_TEST(testFailsAtOnceWhenThereIsNoSuchJob);
    CPPUNIT_TEST(testWritesOneJsonLineAnEvent);
    CPPUNIT_TEST(testStopsWhenNobodyReads);
    CPPUNIT_TEST_SUITE_END();

    using Stream = std::function<void(const ScriptedRequest&, Poco::Net::StreamSocket&)>;

    void testShowsTheHistoryOfAJobThatIsOver() {
        events_ = {1, 2};
        state_ = "completed";
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT_EQUAL(shownEvent(1) + shownEvent(2) + shownState("completed"), out_.str());
        CPPUNIT_ASSERT_EQUAL(0, streams_.load());
    }

    void testTellsByItsCodeHowTheJobEnded() {
        for (const char* state : {"failed", "cancelled", "interrupted"}) {
            state_ = state;
            CPPUNIT_ASSERT(watch() == ExitCode::jobNotCompleted);
        }
    }

    void testBeginsAfterTheEventNamed() {
        events_ = {1, 2, 3};
        state_ = "completed";
        options_.since = 2;
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT_EQUAL(shownEvent(3) + shownState("completed"), out_.str());
    }

    void testStopsAfterTheHistoryWhenAsked() {
        events_ = {1};
        options_.follow = false;
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT_EQUAL(shownEvent(1) + shownState("running"), out_.str());
        CPPUNIT_ASSERT_EQUAL(0, streams_.load());
    }

    void testReadsEveryPageOfTheHistory() {
        greatestPage_ = 2;
        std::string expected;
        for (int id = 1; id <= 5; ++id) {
            events_.push_back(id);
            expected += shownEvent(id);
        }
        state_ = "completed";
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT_EQUAL(expected + shownState("completed"), out_.str());
    }

    void testGoesOnLive() {
        events_ = {1};
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            send(socket, ": hello\n\n" + liveEvent(2) + stateChange("running") + liveEvent(3));
            awaitLooks(2);
            end("completed", {1, 2, 3});
            send(socket, stateChange("completed"));
            awaitClose(socket);
        };
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT_EQUAL(
            shownEvent(1) + shownState("running") + shownEvent(2) + shownEvent(3) + shownState("completed"),
            out_.str());
    }

    void testResumesAfterACutWithoutGapOrRepeat() {
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            if (streams_ == 1) {
                send(socket, liveEvent(3) + liveEvent(4).substr(0, 30));
                return;
            }
            send(socket, liveEvent(3) + liveEvent(4) + liveEvent(5));
            awaitLooks(3);
            end("failed", {3, 4, 5});
            send(socket, stateChange("failed"));
            awaitClose(socket);
        };
        CPPUNIT_ASSERT(watch() == ExitCode::jobNotCompleted);
        CPPUNIT_ASSERT_EQUAL(
            shownState("running") + shownEvent(3) + shownEvent(4) + shownEvent(5) + shownState("failed"),
            out_.str());
        CPPUNIT_ASSERT((std::vector{streamAfter(0), streamAfter(3)}) == opened_);
        CPPUNIT_ASSERT(err_.str().find("trying again") != std::string::npos);
    }

    void testComesBackAfterSilence() {
        options_.idle = std::chrono::milliseconds(20);
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            if (streams_ > 1) {
                end("completed", {});
                send(socket, stateChange("completed"));
            }
            awaitClose(socket);
        };
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT(streams_ > 1);
    }

    void testFindsADaemonThatMoved() {
        stream_ = [](const ScriptedRequest&, Poco::Net::StreamSocket& socket) { openStream(socket); };
        ScriptedDoor before(handler());
        std::unique_ptr<ScriptedDoor> after;
        int attempts = 0;
        const auto connect = [&] {
            ++attempts;
            if (attempts <= 2) {
                return before.client();
            }
            if (attempts <= 4) {
                throw Unreachable("it is starting");
            }
            end("completed", {});
            after = std::make_unique<ScriptedDoor>(handler());
            return after->client();
        };
        CPPUNIT_ASSERT(run(connect) == ExitCode::ok);
        CPPUNIT_ASSERT_EQUAL(5, attempts);
        CPPUNIT_ASSERT_EQUAL(shownState("running") + shownState("completed"), out_.str());
        // One outage is one complaint.
        CPPUNIT_ASSERT_EQUAL(err_.str().find("trying again"), err_.str().rfind("trying again"));
    }

    void testComesBackWhenTheDaemonDiesBeforeTheStream() {
        events_ = {1};
        const ScriptedDoor door([this](const ScriptedRequest& request, Poco::Net::StreamSocket& socket) {
            // It has shown the history, and is gone when it is asked how the job stands.
            if (request.target.find("/events") == std::string::npos && !died_.exchange(true)) {
                return;
            }
            if (died_) {
                end("completed", {1, 2});
            }
            handler()(request, socket);
        });
        CPPUNIT_ASSERT(run([&] { return door.client(); }) == ExitCode::ok);
        CPPUNIT_ASSERT_EQUAL(shownEvent(1) + shownEvent(2) + shownState("completed"), out_.str());
        CPPUNIT_ASSERT(err_.str().find("trying again") != std::string::npos);
    }

    void testFailsAtOnceWhenTheDaemonNeverAnswered() {
        int attempts = 0;
        const auto connect = [&]() -> Client {
            ++attempts;
            throw Unreachable("it is not there");
        };
        CPPUNIT_ASSERT_THROW(static_cast<void>(run(connect)), Unreachable);
        CPPUNIT_ASSERT_EQUAL(1, attempts);
    }

    void testWaitsWhileTheDaemonIsBusy() {
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            if (streams_ < 3) {
                answer(socket, streams_ == 1 ? 503 : 429, R"({"error":{"code":"busy","message":"Later."}})");
                return;
            }
            end("completed", {});
            openStream(socket);
        };
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT_EQUAL(3, streams_.load());
    }

    void testStopsWhenItsTokenIsRevoked() {
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            if (streams_ == 1) {
                openStream(socket);
                return;
            }
            answer(socket, 401, R"({"error":{"code":"unauthorized","message":"No."}})");
        };
        CPPUNIT_ASSERT_THROW(static_cast<void>(watch()), Refused);
        CPPUNIT_ASSERT_EQUAL(2, streams_.load());
    }

    void testNoticesAnEndThatNobodyAnnounced() {
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            // The job ended between the first look at it and the subscription.
            end("interrupted", {7});
            openStream(socket);
            awaitClose(socket);
        };
        CPPUNIT_ASSERT(watch() == ExitCode::jobNotCompleted);
        CPPUNIT_ASSERT_EQUAL(shownState("running") + shownEvent(7) + shownState("interrupted"), out_.str());
    }

    void testLooksAtTheJobAfterAResult() {
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            send(socket, liveEvent(1));
            awaitLooks(2);
            end("completed", {1});
            send(socket, "id: 2\nevent: job_result\ndata: {\"status\":\"done\"}\n\n");
            awaitClose(socket);
        };
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT(out_.str().ends_with("     2  result       done\n" + shownState("completed")));
    }

    void testShowsWhatCameJustBeforeTheEnd() {
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            awaitLooks(2);
            end("completed", {1, 2});
            send(socket, stateChange("completed") + liveEvent(1));
            awaitClose(socket);
        };
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        CPPUNIT_ASSERT(out_.str().ends_with(shownEvent(1) + shownEvent(2) + shownState("completed")));
    }

    void testEndsOnCtrlC() {
        Interruption interruption;
        stream_ = [&](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            send(socket, liveEvent(9));
            interruption.request();
            awaitClose(socket);
        };
        const ScriptedDoor door(handler());
        CPPUNIT_ASSERT(run([&] { return door.client(); }, interruption) == ExitCode::interrupted);
        CPPUNIT_ASSERT(err_.str().find("--since ") != std::string::npos);
    }

    void testEndsOnCtrlCWhileItWaits() {
        Interruption interruption;
        options_.firstPause = std::chrono::hours(1);
        stream_ = [&](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            socket.shutdownSend();
            awaitClose(socket);  // the watcher has seen the end and gone to sleep, or is about to
            interruption.request();
        };
        const ScriptedDoor door(handler());
        CPPUNIT_ASSERT(run([&] { return door.client(); }, interruption) == ExitCode::interrupted);
    }

    void testFailsAtOnceWhenThereIsNoSuchJob() {
        job_ = JobId::random();
        const ScriptedDoor door(canned({}));
        CPPUNIT_ASSERT_THROW(static_cast<void>(run([&] { return door.client(); })), Refused);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, door.asked().size());
    }

    void testWritesOneJsonLineAnEvent() {
        events_ = {1};
        options_.json = true;
        stream_ = [this](const ScriptedRequest&, Poco::Net::StreamSocket& socket) {
            openStream(socket);
            send(socket, liveEvent(2));
            awaitLooks(2);
            end("completed", {1, 2});
            send(socket, stateChange("completed"));
            awaitClose(socket);
        };
        CPPUNIT_ASSERT(watch() == ExitCode::ok);
        const std::string job = R"("job_id":")" + job_.str() + "\"";
        CPPUNIT_ASSERT_EQUAL(R"({"id":1,"type":"job_status",)" + job + R"(,"message":"m1"})" + "\n" +
                                 R"({"type":"job_state",)" + job + R"(,"state":"running"})" + "\n" +
                                 R"({"id":2,"type":"job_status","message":"m2"})" + "\n" +
                                 R"({"type":"job_state",)" + job + R"(,"state":"completed"})" + "\n",
                             out_.str());
    }

    void testStopsWhenNobodyReads() {
        events_ = {1};
        out_.setstate(std::ios::badbit);
        static_cast<void>(watch());
        CPPUNIT_ASSERT_EQUAL(0, streams_.load());
    }

    /// The daemon: one job, its history and its streams.
    ScriptedDoor::Handler handler() {
        return [this](const ScriptedRequest& request, Poco::Net::StreamSocket& socket) {
            if (request.target.starts_with("/api/events")) {
                const std::string after = request.headers.at("last-event-id");
                {
                    const std::lock_guard lock(mutex_);
                    opened_.push_back(request.target + " after " + after);
                }
                ++streams_;
                stream_(request, socket);
            } else if (request.target == "/api/jobs/" + job_.str()) {
                answer(socket, 200, R"({"state":")" + state() + "\"}");
            } else {
                answer(socket, 200, history(request.target));
            }
        };
    }

    std::string history(const std::string& target) {
        const std::lock_guard lock(mutex_);
        const int after = std::stoi(target.substr(target.find("after=") + 6));
        std::string page;
        int count = 0;
        for (const int id : events_) {
            if (id > after && count++ < greatestPage_) {
                page += (page.empty() ? "" : ",") + statusEvent(id);
            }
        }
        return R"({"job_id":"j","events":[)" + page + "]}";
    }

    std::string state() {
        const std::lock_guard lock(mutex_);
        ++looks_;
        looked_.notify_all();
        return state_;
    }

    /// Waits until the watcher has looked at the job so often: once after the history, and once on each
    /// live stream, from which on it learns only from the stream.
    void awaitLooks(int looks) {
        std::unique_lock lock(mutex_);
        looked_.wait(lock, [&] { return looks_ >= looks; });
    }

    [[nodiscard]] std::string streamAfter(int id) const {
        return "/api/events?job_id=" + job_.str() + " after " + std::to_string(id);
    }

    /// The job is over now, and these are its events.
    void end(const std::string& state, const std::vector<int>& events) {
        const std::lock_guard lock(mutex_);
        state_ = state;
        events_ = events;
    }

    ExitCode watch() {
        const ScriptedDoor door(handler());
        return run([&] { return door.client(); });
    }

    ExitCode run(const EventDisplay::Connect& connect) {
        Interruption interruption;
        return run(connect, interruption);
    }

    ExitCode run(const EventDisplay::Connect& connect, Interruption& interruption) {
        Terminal out(out_, {});
        Terminal err(err_, {});
        return EventDisplay(connect, job_, options_, out, err, interruption).run();
    }

public:
    void setUp() override { options_.firstPause = std::chrono::milliseconds(1); }

private:
    JobId job_ = JobId::random();
    EventDisplay::Options options_;
    std::mutex mutex_;
    std::vector<int> events_;
    std::string state_ = "running";
    int greatestPage_ = 1000;
    int looks_ = 0;
    std::condition_variable looked_;
    std::vector<std::string> opened_;
    std::atomic<int> streams_ = 0;
    std::atomic<bool> died_ = false;
    Stream stream_;
    std::ostringstream out_;
    std::ostringstream err_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(EventDisplayTest);

}  // namespace sallyport::host::cli
