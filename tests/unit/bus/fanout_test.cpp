#include "host/bus/fanout.h"

#include <deque>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using namespace host::bus;

namespace {

/// Keeps what it is sent; can be made full.
class Sink final : public Subscriber {
public:
    bool send(std::string_view text) override {
        if (full)
            return false;
        received += text;
        return true;
    }
    [[nodiscard]] std::size_t backlog() const override { return waiting; }
    void cutOff() override { cut = true; }

    std::string received;
    std::size_t waiting = 0;
    bool full = false;
    bool cut = false;
};

const JobId jobA = *JobId::parse("11111111111111111111111111111111");
const JobId jobB = *JobId::parse("22222222222222222222222222222222");

LiveEvent event(std::uint64_t id, const std::string& user = "ann", const JobId& job = jobA) {
    return {id, user, job, "job_status", "{}"};
}

std::string wire(std::uint64_t id) {
    return (id == 0 ? "" : "id: " + std::to_string(id) + "\n") + "event: job_status\ndata: {}\n\n";
}

}  // namespace

class FanoutTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FanoutTest);
    CPPUNIT_TEST(frameText);
    CPPUNIT_TEST(liveEventsGoToThoseWhoMaySeeThem);
    CPPUNIT_TEST(beginsWithAnIdToResumeAfter);
    CPPUNIT_TEST(resumesWhatWasMissed);
    CPPUNIT_TEST(nothingIsLostOrRepeatedAtTheSeam);
    CPPUNIT_TEST(readsAgainWhenTooMuchHasPassed);
    CPPUNIT_TEST(readsOnOnlyAsTheClientTakesIt);
    CPPUNIT_TEST(unnumberedEventsWaitForTheSeam);
    CPPUNIT_TEST(failedReadCutsOff);
    CPPUNIT_TEST(detachedDuringARead);
    CPPUNIT_TEST_SUITE_END();

    /// Reads that were asked for, done when the test says so.
    struct Read {
        std::function<StoredEvents()> read;
        std::function<void(const StoredEvents*)> done;
    };
    std::deque<Read> reads_;
    Fanout fanout_{[this](const auto&, auto read, auto done) {
        reads_.push_back({std::move(read), std::move(done)});
    }};
    std::vector<LiveEvent> stored_;

    Subscription subscription(std::optional<std::uint64_t> after) {
        return {"ann", std::nullopt, after, [this](std::uint64_t from) {
                    constexpr std::size_t atOnce = 100;
                    StoredEvents found;
                    for (const auto& one : stored_) {
                        if (one.id > from && found.events.size() < atOnce)
                            found.events.push_back(one);
                        else
                            found.more |= one.id > from;
                    }
                    return found;
                }};
    }

    void publish(std::uint64_t id) {
        if (id != 0)
            stored_.push_back(event(id));
        fanout_.deliver(makeFrame(event(id)));
    }

    void answerRead() {
        const auto read = std::move(reads_.front());
        reads_.pop_front();
        const auto events = read.read();
        read.done(&events);
    }

public:
    void frameText() {
        CPPUNIT_ASSERT_EQUAL(wire(7), makeFrame(event(7))->text);
        CPPUNIT_ASSERT_EQUAL(wire(0), makeFrame(event(0))->text);
    }

    void liveEventsGoToThoseWhoMaySeeThem() {
        Sink ann, bob, annsB;
        fanout_.attach(1, ann, "p", {"ann", std::nullopt, 0, nullptr}, 0);
        fanout_.attach(2, bob, "p", {"bob", std::nullopt, 0, nullptr}, 0);
        fanout_.attach(3, annsB, "p", {"ann", jobB, 0, nullptr}, 0);
        fanout_.deliver(makeFrame(event(1)));
        fanout_.deliver(makeFrame(event(2, "bob")));
        fanout_.deliver(makeFrame(event(3, "ann", jobB)));
        CPPUNIT_ASSERT_EQUAL(wire(1) + wire(3), ann.received);
        CPPUNIT_ASSERT_EQUAL(wire(2), bob.received);
        CPPUNIT_ASSERT_EQUAL(wire(3), annsB.received);
    }

    void beginsWithAnIdToResumeAfter() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(std::nullopt), 41);
        CPPUNIT_ASSERT_EQUAL(std::string("id: 41\n\n"), sink.received);
    }

    void resumesWhatWasMissed() {
        for (std::uint64_t id = 1; id <= 5; ++id)
            publish(id);
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(3), 5);
        answerRead();
        publish(6);
        CPPUNIT_ASSERT_EQUAL(wire(4) + wire(5) + wire(6), sink.received);
    }

    void nothingIsLostOrRepeatedAtTheSeam() {
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

    void readsAgainWhenTooMuchHasPassed() {
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
        while (!reads_.empty())
            answerRead();
        publish(3001);
        CPPUNIT_ASSERT_EQUAL(expected + wire(3001), sink.received);
    }

    void readsOnOnlyAsTheClientTakesIt() {
        for (std::uint64_t id = 1; id <= 600; ++id)
            publish(id);
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
        for (std::uint64_t id = 1; id <= 600; ++id)
            expected += wire(id);
        while (!reads_.empty())
            answerRead();
        CPPUNIT_ASSERT_EQUAL(expected, sink.received);
    }

    void unnumberedEventsWaitForTheSeam() {
        publish(1);
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 1);
        publish(0);
        CPPUNIT_ASSERT_EQUAL(std::string(), sink.received);
        answerRead();
        publish(0);
        CPPUNIT_ASSERT_EQUAL(wire(1) + wire(0) + wire(0), sink.received);
    }

    void failedReadCutsOff() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 0);
        reads_.front().done(nullptr);
        CPPUNIT_ASSERT(sink.cut);
    }

    void detachedDuringARead() {
        Sink sink;
        fanout_.attach(1, sink, "p", subscription(0), 0);
        publish(1);
        fanout_.detach(1);
        answerRead();
        CPPUNIT_ASSERT_EQUAL(std::string(), sink.received);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, fanout_.size());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FanoutTest);

}  // namespace sallyport::tests
