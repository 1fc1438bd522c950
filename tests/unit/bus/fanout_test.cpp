#include "host/bus/fanout.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::bus;

namespace {

/// Keeps what it is sent; can be made full, and slow: then it holds the frames.
class Sink final : public Subscriber {
public:
    bool send(const FramePtr& frame) override {
        if (!send(frame->text)) {
            return false;
        }
        if (slow) {
            waiting += frame->text.size();
            frames.push_back(frame);
        }
        return true;
    }
    bool send(std::string_view text) override {
        if (full) {
            return false;
        }
        received += text;
        return true;
    }
    void take() {
        frames.clear();
        waiting = 0;
    }
    [[nodiscard]] std::size_t backlog() const override { return waiting; }
    void cutOff() override {
        cut = true;
        take();
    }

    std::string received;
    std::vector<FramePtr> frames;
    std::size_t waiting = 0;
    bool full = false;
    bool slow = false;
    bool cut = false;
};

const JobId jobA = *JobId::parse("11111111111111111111111111111111");
const JobId jobB = *JobId::parse("22222222222222222222222222222222");

LiveEvent event(std::uint64_t id, const std::string& user = "ann", const JobId& job = jobA) {
    return {id, user, job, "job_status", "{}"};
}

constexpr std::size_t limit = 1'000'000;

/// A tenth of the memory.
LiveEvent large(std::uint64_t id) {
    return {id, "ann", jobA, "job_status", std::string(limit / 10, 'x')};
}

std::string wire(std::uint64_t id) {
    return (id == 0 ? "" : "id: " + std::to_string(id) + "\n") + "event: job_status\ndata: {}\n\n";
}

}  // namespace

class FanoutTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FanoutTest);
    CPPUNIT_TEST(testFrameText);
    CPPUNIT_TEST(testLiveEventsGoToThoseWhoMaySeeThem);
    CPPUNIT_TEST(testBeginsWithAnIdToResumeAfter);
    CPPUNIT_TEST(testResumesWhatWasMissed);
    CPPUNIT_TEST(testNothingIsLostOrRepeatedAtTheSeam);
    CPPUNIT_TEST(testReadsAgainWhenTooMuchHasPassed);
    CPPUNIT_TEST(testReadsOnOnlyAsTheClientTakesIt);
    CPPUNIT_TEST(testUnnumberedEventsWaitForTheSeam);
    CPPUNIT_TEST(testFailedReadCutsOff);
    CPPUNIT_TEST(testDetachedDuringARead);
    CPPUNIT_TEST(testOneFrameIsForAll);
    CPPUNIT_TEST(testWhatNobodyNeedsIsGone);
    CPPUNIT_TEST(testWhatCameDuringAReadIsGoneAfterwards);
    CPPUNIT_TEST(testTheSlowestIsCutOffFirst);
    CPPUNIT_TEST(testManySmallFramesCountToo);
    CPPUNIT_TEST(testWhoMissesAFrameIsCutOff);
    CPPUNIT_TEST(testWhoResumesReadsWhatWasLost);
    CPPUNIT_TEST(testResumingWaitsForMemory);
    CPPUNIT_TEST(testATurnIsBounded);
    CPPUNIT_TEST(testTurnsKeepTheOrder);
    CPPUNIT_TEST(testDetachedBetweenTurns);
    CPPUNIT_TEST_SUITE_END();

    /// Reads that were asked for, done when the test says so.
    struct Read {
        std::function<StoredEvents()> read;
        std::function<void(const StoredEvents*)> done;
    };
    std::deque<Read> reads_;
    FrameMemory memory_{limit};
    int turns_ = 0;  ///< asked for
    Fanout fanout_{memory_,
                   [this](const auto& owner, auto read, auto done) {
                       CPPUNIT_ASSERT_EQUAL(std::string("p"), owner.plugin);
                       CPPUNIT_ASSERT_EQUAL(std::string("ann"), owner.user);
                       reads_.push_back({std::move(read), std::move(done)});
                   },
                   [this] { ++turns_; }};
    std::vector<LiveEvent> stored_;

    Subscription subscription(std::optional<std::uint64_t> after) {
        return {"ann", std::nullopt, after, [this](std::uint64_t from) {
                    constexpr std::size_t atOnce = 100;
                    StoredEvents found;
                    for (const auto& one : stored_) {
                        if (one.id > from && found.events.size() < atOnce) {
                            found.events.push_back(one);
                        } else {
                            found.more |= one.id > from;
                        }
                    }
                    return found;
                }};
    }

    void publish(std::uint64_t id) {
        if (id != 0) {
            stored_.push_back(event(id));
        }
        fanout_.deliver(memory_.make(event(id)));
    }

    void publish(const LiveEvent& event) {
        stored_.push_back(event);
        fanout_.deliver(memory_.makeWithinLimit(event));
        finishTurns();
    }

    void finishTurns() {
        for (; turns_ > 0; --turns_) {
            fanout_.turn();
        }
    }

    void answerRead() {
        const auto read = std::move(reads_.front());
        reads_.pop_front();
        const auto events = read.read();
        read.done(&events);
    }

public:
    void testFrameText() {
        CPPUNIT_ASSERT_EQUAL(wire(7), memory_.make(event(7))->text);
        CPPUNIT_ASSERT_EQUAL(wire(0), memory_.make(event(0))->text);
    }

    void testLiveEventsGoToThoseWhoMaySeeThem() {
        Sink ann, bob, annsB;
        fanout_.attach(1, ann, "p", {"ann", std::nullopt, 0, nullptr}, 0);
        fanout_.attach(2, bob, "p", {"bob", std::nullopt, 0, nullptr}, 0);
        fanout_.attach(3, annsB, "p", {"ann", jobB, 0, nullptr}, 0);
        fanout_.deliver(memory_.make(event(1)));
        fanout_.deliver(memory_.make(event(2, "bob")));
        fanout_.deliver(memory_.make(event(3, "ann", jobB)));
        CPPUNIT_ASSERT_EQUAL(wire(1) + wire(3), ann.received);
        CPPUNIT_ASSERT_EQUAL(wire(2), bob.received);
        CPPUNIT_ASSERT_EQUAL(wire(3), annsB.received);
    }

    void testBeginsWithAnIdToResumeAfter() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(std::nullopt), 41);
        CPPUNIT_ASSERT_EQUAL(std::string("id: 41\n\n"), sink.received);
    }

    void testResumesWhatWasMissed() {
        for (std::uint64_t id = 1; id <= 5; ++id) {
            publish(id);
        }
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(3), 5);
        answerRead();
        publish(6);
        CPPUNIT_ASSERT_EQUAL(wire(4) + wire(5) + wire(6), sink.received);
    }

    void testNothingIsLostOrRepeatedAtTheSeam() {
        publish(1);
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 1);
        publish(2);  // after the read was asked for, before it ran: in both
        const auto read = std::move(reads_.front());
        reads_.clear();
        const auto events = read.read();
        publish(3);  // after it ran, before it is answered: only in what has passed
        read.done(&events);
        publish(4);
        CPPUNIT_ASSERT_EQUAL(wire(1) + wire(2) + wire(3) + wire(4), sink.received);
    }

    void testReadsAgainWhenTooMuchHasPassed() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 0);
        const auto read = std::move(reads_.front());
        reads_.clear();
        const auto events = read.read();
        std::string expected;
        for (std::uint64_t id = 1; id <= 3000; ++id) {
            publish(id);
            expected += wire(id);
        }
        read.done(&events);
        while (!reads_.empty()) {
            answerRead();
        }
        publish(3001);
        CPPUNIT_ASSERT_EQUAL(expected + wire(3001), sink.received);
    }

    void testReadsOnOnlyAsTheClientTakesIt() {
        for (std::uint64_t id = 1; id <= 600; ++id) {
            publish(id);
        }
        Sink sink;
        sink.waiting = 10'000'000;
        fanout_.attach(1, sink, "p", subscription(0), 600);
        answerRead();
        CPPUNIT_ASSERT_MESSAGE("waits for the client", reads_.empty());
        CPPUNIT_ASSERT_EQUAL(std::string(), sink.received);
        fanout_.drained(1);
        CPPUNIT_ASSERT_MESSAGE("still", reads_.empty());
        sink.waiting = 0;
        fanout_.drained(1);
        fanout_.drained(1);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, reads_.size());
        std::string expected;
        for (std::uint64_t id = 1; id <= 600; ++id) {
            expected += wire(id);
        }
        while (!reads_.empty()) {
            answerRead();
        }
        CPPUNIT_ASSERT_EQUAL(expected, sink.received);
    }

    void testUnnumberedEventsWaitForTheSeam() {
        publish(1);
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 1);
        publish(0);
        CPPUNIT_ASSERT_EQUAL(std::string(), sink.received);
        answerRead();
        publish(0);
        CPPUNIT_ASSERT_EQUAL(wire(1) + wire(0) + wire(0), sink.received);
    }

    void testFailedReadCutsOff() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 0);
        reads_.front().done(nullptr);
        CPPUNIT_ASSERT(sink.cut);
    }

    void testDetachedDuringARead() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 0);
        publish(1);
        fanout_.detach(1);
        answerRead();
        CPPUNIT_ASSERT_EQUAL(std::string(), sink.received);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, fanout_.size());
    }

    void testOneFrameIsForAll() {
        Sink first, second;
        first.slow = second.slow = true;
        fanout_.attach(1, first, "p", {"ann", std::nullopt, 0, nullptr}, 0);
        fanout_.attach(2, second, "p", {"ann", jobA, 0, nullptr}, 0);
        publish(large(1));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, first.frames.size());
        CPPUNIT_ASSERT(first.frames == second.frames);
        CPPUNIT_ASSERT_MESSAGE("counted once", memory_.used() < 2 * limit / 10);
    }

    void testWhatNobodyNeedsIsGone() {
        Sink sink;
        sink.slow = true;
        fanout_.attach(1, sink, "p", {"ann", std::nullopt, 0, nullptr}, 0);
        for (std::uint64_t id = 1; id <= 100; ++id) {
            publish(large(id));
            fanout_.deliver(memory_.make(event(1000 + id, "bob")));
            sink.take();
            fanout_.drained(1);
        }
        CPPUNIT_ASSERT(!sink.cut);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, memory_.used());
    }

    void testWhatCameDuringAReadIsGoneAfterwards() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 0);
        publish(large(1));
        CPPUNIT_ASSERT(memory_.used() > limit / 10);
        answerRead();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, memory_.used());
        publish(large(2));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, memory_.used());
        CPPUNIT_ASSERT_EQUAL(memory_.make(large(1))->text + memory_.make(large(2))->text, sink.received);
    }

    void testTheSlowestIsCutOffFirst() {
        Sink slow, slower;
        slow.slow = slower.slow = true;
        fanout_.attach(1, slow, "p", {"ann", std::nullopt, 0, nullptr}, 0);
        fanout_.attach(2, slower, "p", {"ann", std::nullopt, 0, nullptr}, 0);
        std::uint64_t id = 0;
        while (id < 4) {
            publish(large(++id));
        }
        slow.take();
        while (!slower.cut) {
            publish(large(++id));
            CPPUNIT_ASSERT(id < 10);
        }
        CPPUNIT_ASSERT(!slow.cut);
        fanout_.detach(2);
        publish(large(++id));
        CPPUNIT_ASSERT(!slow.cut);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("nothing left out", std::size_t{id - 4}, slow.frames.size());
    }

    void testManySmallFramesCountToo() {
        Sink sink;
        sink.slow = true;
        fanout_.attach(1, sink, "p", {"ann", std::nullopt, 0, nullptr}, 0);
        std::uint64_t id = 0;
        while (!sink.cut) {
            publish(event(++id));
            CPPUNIT_ASSERT(id < limit / 250);
        }
        fanout_.detach(1);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, memory_.used());
    }

    void testWhoMissesAFrameIsCutOff() {
        Sink ann, bob;
        fanout_.attach(1, ann, "p", {"ann", std::nullopt, 0, nullptr}, 0);
        fanout_.attach(2, bob, "p", {"bob", std::nullopt, 0, nullptr}, 0);
        std::vector<FramePtr> elsewhere;
        for (int i = 0; i < 10; ++i) {
            elsewhere.push_back(memory_.make(large(1)));
        }
        publish(large(2));
        CPPUNIT_ASSERT(ann.cut);
        CPPUNIT_ASSERT_EQUAL(std::string(), ann.received);
        CPPUNIT_ASSERT(!bob.cut);
        publish(event(3));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("no gap", std::string(), ann.received);
    }

    void testWhoResumesReadsWhatWasLost() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 0);
        const auto read = std::move(reads_.front());
        reads_.clear();
        const auto events = read.read();
        std::vector<FramePtr> elsewhere;
        for (int i = 0; i < 10; ++i) {
            elsewhere.push_back(memory_.make(large(1)));
        }
        publish(large(1));
        elsewhere.clear();
        read.done(&events);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, reads_.size());
        answerRead();
        CPPUNIT_ASSERT_EQUAL(memory_.make(large(1))->text, sink.received);
        CPPUNIT_ASSERT(!sink.cut);
    }

    void testResumingWaitsForMemory() {
        stored_.push_back(event(1));
        std::vector<FramePtr> elsewhere;
        for (int i = 0; i < 10; ++i) {
            elsewhere.push_back(memory_.make(large(1)));
        }
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 1);
        answerRead();
        CPPUNIT_ASSERT_EQUAL(std::string(), sink.received);
        CPPUNIT_ASSERT(reads_.empty());
        elsewhere.clear();
        fanout_.deliver(memory_.make(event(2, "bob")));
        answerRead();
        CPPUNIT_ASSERT_EQUAL(wire(1), sink.received);
    }

    void testATurnIsBounded() {
        std::vector<std::unique_ptr<Sink>> sinks;
        for (Fanout::Key key = 1; key <= 20; ++key) {
            sinks.push_back(std::make_unique<Sink>());
            fanout_.attach(key, *sinks.back(), "p", {"ann", std::nullopt, 0, nullptr}, 0);
        }
        const auto served = [&] {
            return std::count_if(sinks.begin(), sinks.end(),
                                 [](const auto& sink) { return !sink->received.empty(); });
        };
        fanout_.deliver(memory_.make(large(1)));
        CPPUNIT_ASSERT(served() >= 1);
        CPPUNIT_ASSERT(served() <= 3);
        CPPUNIT_ASSERT_EQUAL(1, turns_);
        finishTurns();
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t{20}, served());
    }

    void testTurnsKeepTheOrder() {
        std::vector<std::unique_ptr<Sink>> sinks;
        for (Fanout::Key key = 1; key <= 20; ++key) {
            sinks.push_back(std::make_unique<Sink>());
            fanout_.attach(key, *sinks.back(), "p", {"ann", std::nullopt, 0, nullptr}, 0);
        }
        fanout_.deliver(memory_.make(large(1)));
        fanout_.deliver(memory_.make(event(2)));
        Sink late;
        fanout_.attach(21, late, "p", {"ann", std::nullopt, 1, nullptr}, 2);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("asked for once", 1, turns_);
        finishTurns();
        const auto first = memory_.make(large(1))->text;
        for (const auto& sink : sinks) {
            CPPUNIT_ASSERT_EQUAL(first + wire(2), sink->received);
        }
        CPPUNIT_ASSERT_EQUAL(wire(2), late.received);
    }

    void testDetachedBetweenTurns() {
        std::vector<std::unique_ptr<Sink>> sinks;
        for (Fanout::Key key = 1; key <= 20; ++key) {
            sinks.push_back(std::make_unique<Sink>());
            fanout_.attach(key, *sinks.back(), "p", {"ann", jobA, 0, nullptr}, 0);
        }
        fanout_.deliver(memory_.make(large(1)));
        for (Fanout::Key key = 1; key <= 20; ++key) {
            fanout_.detach(key);
        }
        sinks.clear();
        finishTurns();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, memory_.used());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FanoutTest);

}  // namespace sallyport::tests
