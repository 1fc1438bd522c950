#include "host/http/gate.h"

#include <future>
#include <thread>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using host::http::Gate;
using namespace std::chrono_literals;

class GateTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GateTest);
    CPPUNIT_TEST(testAHeldGateLetsNobodyIn);
    CPPUNIT_TEST(testWhoWaitsIsCalledOnRelease);
    CPPUNIT_TEST(testIdleWaitsForCallsAndNotForStreams);
    CPPUNIT_TEST(testMovedTicketsCountOnce);
    CPPUNIT_TEST(testNoCallIsMissedWhileManyEnter);
    CPPUNIT_TEST_SUITE_END();

public:
    void testAHeldGateLetsNobodyIn() {
        const auto gate = std::make_shared<Gate>("p");
        CPPUNIT_ASSERT(gate->enter());
        gate->hold();
        CPPUNIT_ASSERT(!gate->enter());
        gate->release();
        CPPUNIT_ASSERT(gate->enter());
    }

    void testWhoWaitsIsCalledOnRelease() {
        const auto gate = std::make_shared<Gate>("p");
        int calls = 0;
        gate->whenReleased([&] { ++calls; });
        CPPUNIT_ASSERT_EQUAL_MESSAGE("at once while open", 1, calls);
        gate->hold();
        gate->whenReleased([&] { ++calls; });
        gate->whenReleased([&] { ++calls; });
        CPPUNIT_ASSERT_EQUAL(1, calls);
        gate->release();
        CPPUNIT_ASSERT_EQUAL(3, calls);
    }

    void testIdleWaitsForCallsAndNotForStreams() {
        const auto gate = std::make_shared<Gate>("p");
        auto call = gate->enter();
        auto stream = gate->enter();
        auto left = std::make_unique<Gate::Ticket>(gate->enterFromInside());
        stream->linger();
        gate->hold();
        CPPUNIT_ASSERT(!gate->waitIdle(0ms));
        auto idle = std::async(std::launch::async, [&] { return gate->waitIdle(1h); });
        call.reset();
        CPPUNIT_ASSERT(!gate->waitIdle(0ms));
        left.reset();
        CPPUNIT_ASSERT(idle.get());
        CPPUNIT_ASSERT(!gate->quiet());
        stream.reset();
        CPPUNIT_ASSERT(gate->quiet());
    }

    void testMovedTicketsCountOnce() {
        const auto gate = std::make_shared<Gate>("p");
        {
            auto first = *gate->enter();
            auto second = std::move(first);
            second.linger();
            second.linger();
            auto third = *gate->enter();
            third = std::move(second);
            CPPUNIT_ASSERT(!gate->quiet());
        }
        CPPUNIT_ASSERT(gate->quiet());
    }

    void testNoCallIsMissedWhileManyEnter() {
        const auto gate = std::make_shared<Gate>("p");
        std::atomic<bool> closed{false};
        std::atomic<bool> stop{false};
        std::atomic<int> inside{0};
        std::atomic<bool> seenInside{false};
        std::vector<std::thread> callers;
        for (int i = 0; i < 4; ++i) {
            callers.emplace_back([&] {
                while (!stop) {
                    const auto ticket = gate->enter();
                    if (!ticket) {
                        continue;
                    }
                    ++inside;
                    if (closed) {
                        seenInside = true;
                    }
                    --inside;
                }
            });
        }
        for (int i = 0; i < 200; ++i) {
            gate->hold();
            CPPUNIT_ASSERT(gate->waitIdle(1h));
            closed = true;
            CPPUNIT_ASSERT_EQUAL(0, inside.load());
            closed = false;
            gate->release();
        }
        stop = true;
        for (auto& caller : callers) {
            caller.join();
        }
        CPPUNIT_ASSERT(!seenInside);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GateTest);

}  // namespace sallyport::tests
