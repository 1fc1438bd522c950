#include "host/bus/message_bus.h"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <Poco/Exception.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recording_log.h>

namespace sallyport::host::bus {
namespace {

struct Greeting {
    static constexpr const char* topic = "greeting";
    std::string words;
};

struct Farewell {
    static constexpr const char* topic = "farewell";
    int count;
};

class MessageBusTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MessageBusTest);
    CPPUNIT_TEST(testReachesEverySubscriberOfItsType);
    CPPUNIT_TEST(testNobodyListens);
    CPPUNIT_TEST(testGroupEndsItsSubscriptionsOnly);
    CPPUNIT_TEST(testReceiversMayPublishAndSubscribe);
    CPPUNIT_TEST(testThrowingReceiverIsLoggedAndOthersAreCalled);
    CPPUNIT_TEST(testReceiverMayDestroyItsOwnGroup);
    CPPUNIT_TEST(testDestroyingWaitsForCallsOnOtherThreads);
    CPPUNIT_TEST(testDestroyingDestroysReceivers);
    CPPUNIT_TEST(testManyThreadsAtOnce);
    CPPUNIT_TEST(testWake);
    CPPUNIT_TEST(testGroupOutlivesBus);
    CPPUNIT_TEST_SUITE_END();

    testing::RecordingLog log_;
    MessageBus bus_{log_};

    void testReachesEverySubscriberOfItsType() {
        const auto host = bus_.group();
        const auto plugin = bus_.group();
        std::string heard;
        int farewells = 0;
        host->subscribe<Greeting>([&](const Greeting& greeting) { heard += "host:" + greeting.words + " "; });
        plugin->subscribe<Greeting>([&](const Greeting& greeting) { heard += "plugin:" + greeting.words; });
        plugin->subscribe<Farewell>([&](const Farewell& farewell) { farewells += farewell.count; });
        plugin->publish(Greeting{"hello"});
        CPPUNIT_ASSERT_EQUAL(std::string("host:hello plugin:hello"), heard);
        CPPUNIT_ASSERT_EQUAL(0, farewells);
    }

    void testNobodyListens() {
        bus_.group()->publish(Greeting{"hello"});
        CPPUNIT_ASSERT(log_.lines().empty());
    }

    void testGroupEndsItsSubscriptionsOnly() {
        const auto host = bus_.group();
        auto plugin = bus_.group();
        int hostHeard = 0;
        int pluginHeard = 0;
        host->subscribe<Greeting>([&](const Greeting&) { ++hostHeard; });
        plugin->subscribe<Greeting>([&](const Greeting&) { ++pluginHeard; });
        plugin.reset();
        host->publish(Greeting{"hello"});
        CPPUNIT_ASSERT_EQUAL(1, hostHeard);
        CPPUNIT_ASSERT_EQUAL(0, pluginHeard);
    }

    void testReceiversMayPublishAndSubscribe() {
        const auto group = bus_.group();
        int farewells = 0;
        group->subscribe<Greeting>([&](const Greeting&) {
            group->subscribe<Farewell>([&](const Farewell& farewell) { farewells += farewell.count; });
            group->publish(Farewell{2});
        });
        group->publish(Greeting{"hello"});
        CPPUNIT_ASSERT_EQUAL(2, farewells);
    }

    void testThrowingReceiverIsLoggedAndOthersAreCalled() {
        const auto group = bus_.group();
        int called = 0;
        group->subscribe<Greeting>([](const Greeting&) { throw std::runtime_error("no mood"); });
        group->subscribe<Greeting>([](const Greeting&) { throw Poco::NotFoundException("no words"); });
        group->subscribe<Greeting>([](const Greeting&) { throw 1; });
        group->subscribe<Greeting>([&](const Greeting&) { ++called; });
        group->publish(Greeting{"hello"});
        CPPUNIT_ASSERT_EQUAL(1, called);
        CPPUNIT_ASSERT_EQUAL(std::string("subscriber failed topic=greeting error=no mood\n"
                                         "subscriber failed topic=greeting error=Not found: no words\n"
                                         "subscriber failed topic=greeting error=not a std::exception\n"),
                             log_.text());
    }

    void testReceiverMayDestroyItsOwnGroup() {
        auto group = bus_.group();
        int first = 0;
        int second = 0;
        group->subscribe<Greeting>([&](const Greeting&) {
            group.reset();
            ++first;
        });
        group->subscribe<Greeting>([&](const Greeting&) { ++second; });
        bus_.group()->publish(Greeting{"hello"});
        bus_.group()->publish(Greeting{"hello"});
        CPPUNIT_ASSERT_EQUAL(1, first);
        CPPUNIT_ASSERT_EQUAL(0, second);
    }

    void testDestroyingWaitsForCallsOnOtherThreads() {
        const auto publisher = bus_.group();
        auto group = bus_.group();
        std::atomic<bool> entered{false};
        std::atomic<bool> finished{false};
        std::atomic<int> probes{0};
        group->subscribe<Farewell>([&](const Farewell&) { ++probes; });
        group->subscribe<Greeting>([&](const Greeting&) {
            entered = true;
            entered.notify_one();
            // Until the group no longer takes calls: then it is being destroyed.
            for (int before = -1; before != probes;) {
                before = probes;
                publisher->publish(Farewell{1});
            }
            for (int i = 0; i < 1000; ++i) {
                publisher->publish(Farewell{1});
            }
            finished = true;
        });
        std::thread publishing([&] { publisher->publish(Greeting{"hello"}); });
        entered.wait(false);
        group.reset();
        CPPUNIT_ASSERT(finished);
        publishing.join();
    }

    void testDestroyingDestroysReceivers() {
        const auto publisher = bus_.group();
        auto group = bus_.group();
        auto held = std::make_shared<int>(1);
        const std::weak_ptr<int> watched = held;
        bool goneInTime = false;
        // The publisher, which is calling the first receiver, still holds the second.
        publisher->subscribe<Greeting>([&](const Greeting&) {
            group.reset();
            goneInTime = watched.expired();
        });
        group->subscribe<Greeting>([held](const Greeting&) {});
        held.reset();
        publisher->publish(Greeting{"hello"});
        CPPUNIT_ASSERT(goneInTime);
    }

    void testManyThreadsAtOnce() {
        constexpr int rounds = 200;
        const auto host = bus_.group();
        std::atomic<int> heard{0};
        host->subscribe<Greeting>([&](const Greeting&) { ++heard; });
        const auto publish = [&] {
            for (int i = 0; i < rounds; ++i) {
                host->publish(Greeting{"hello"});
            }
        };
        std::thread first(publish);
        std::thread second(publish);
        for (int i = 0; i < rounds; ++i) {
            auto plugin = bus_.group();
            auto alive = std::make_unique<std::atomic<int>>(0);
            plugin->subscribe<Greeting>([&counter = *alive](const Greeting&) { ++counter; });
            plugin.reset();
            alive.reset();  // a call after this reads freed memory
        }
        first.join();
        second.join();
        CPPUNIT_ASSERT_EQUAL(2 * rounds, heard.load());
    }

    void testWake() {
        const auto group = bus_.group();
        group->wake("before anyone listens");
        std::string woken;
        bus_.onWake([&](std::string_view topic) { woken += topic; });
        group->wake("prompt/1");
        CPPUNIT_ASSERT_EQUAL(std::string("prompt/1"), woken);
        bus_.onWake(nullptr);
        group->wake("after");
        CPPUNIT_ASSERT_EQUAL(std::string("prompt/1"), woken);
    }

    void testGroupOutlivesBus() {
        auto bus = std::make_unique<MessageBus>(log_);
        const auto group = bus->group();
        int heard = 0;
        group->subscribe<Greeting>([&](const Greeting&) { ++heard; });
        bus.reset();
        group->publish(Greeting{"hello"});
        CPPUNIT_ASSERT_EQUAL(1, heard);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MessageBusTest);

}  // namespace
}  // namespace sallyport::host::bus
