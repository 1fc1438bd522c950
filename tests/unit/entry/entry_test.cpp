#include "host/entry/entry.h"

#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include <Poco/Exception.h>
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recording_log.h>

#include "host/entry/slow_calls.h"
#include "tests/support/assertions.h"

namespace sallyport::tests {

using host::entry::Entry;
using host::entry::guarded;
using host::entry::Origin;
using host::entry::Plugin;
using namespace std::chrono_literals;

class EntryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(EntryTest);
    CPPUNIT_TEST(testWhateverComesOutIsLogged);
    CPPUNIT_TEST(testWhatEndsWellIsNotLogged);
    CPPUNIT_TEST(testAPluginWithoutALogIsGuardedAllTheSame);
    CPPUNIT_TEST(testEntriesNest);
    CPPUNIT_TEST(testTheRequestIsInherited);
    CPPUNIT_TEST(testWhatIsDestroyedIsDestroyedInside);
    CPPUNIT_TEST(testOthersSeeWhatRuns);
    CPPUNIT_TEST(testSlowCallsAreToldOfOnce);
    CPPUNIT_TEST_SUITE_END();

public:
    void testWhateverComesOutIsLogged() {
        CPPUNIT_ASSERT(!guarded(plugin_, "handler", origin(), [] { throw std::runtime_error("no mood"); }));
        CPPUNIT_ASSERT(!guarded(plugin_, "stop", nullptr, [] { throw Poco::NotFoundException("a word"); }));
        CPPUNIT_ASSERT(!guarded(plugin_, "start", nullptr, [] { throw 42; }));
        ASSERT_CONTAINS(
            "plugin=boom callback=handler route=GET /boom request=7 job=00000000-0000-0000-0000-000000000000 "
            "error=no mood",
            log_.text());
        ASSERT_CONTAINS("plugin=boom callback=stop error=Not found: a word", log_.text());
        ASSERT_CONTAINS("plugin=boom callback=start error=not a std::exception", log_.text());
    }

    void testWhatEndsWellIsNotLogged() {
        int calls = 0;
        CPPUNIT_ASSERT(guarded(plugin_, "handler", nullptr, [&calls] { ++calls; }));
        CPPUNIT_ASSERT_EQUAL(1, calls);
        CPPUNIT_ASSERT_EQUAL(std::string(), log_.text());
    }

    void testAPluginWithoutALogIsGuardedAllTheSame() {
        const Plugin silent{"silent", "1", nullptr};
        CPPUNIT_ASSERT(!guarded(silent, "handler", nullptr, [] { throw 42; }));
    }

    void testEntriesNest() {
        CPPUNIT_ASSERT(Entry::innermost() == nullptr);
        const Entry outer(plugin_, "handler");
        const Plugin other{"other", "2", nullptr};
        guarded(other, "Bus::subscribe", nullptr, [&other] {
            CPPUNIT_ASSERT(&Entry::innermost()->plugin() == &other);
            std::thread([] { CPPUNIT_ASSERT(Entry::innermost() == nullptr); }).join();
        });
        CPPUNIT_ASSERT(Entry::innermost() == &outer);
    }

    void testTheRequestIsInherited() {
        const auto request = origin();
        const Entry handler(plugin_, "handler", request);
        const Plugin other{"other", "2", nullptr};
        const Entry subscriber(other, "Bus::subscribe");
        CPPUNIT_ASSERT(subscriber.origin() == request);
        CPPUNIT_ASSERT(Entry::currentOrigin() == request);
    }

    void testWhatIsDestroyedIsDestroyedInside() {
        struct Tells {
            std::string& where;
            ~Tells() { where = Entry::innermost() == nullptr ? "outside" : Entry::innermost()->callback(); }
        };
        std::string where;
        std::function<void()> closure = [tells = std::make_shared<Tells>(where)] {};
        host::entry::destroy(plugin_, "destructor", closure);
        CPPUNIT_ASSERT_EQUAL(std::string("destructor"), where);
        CPPUNIT_ASSERT(closure == nullptr);
        // One that cannot be assigned, too.
        where.clear();
        auto kept = std::make_optional([tells = std::make_shared<Tells>(where)] {});
        host::entry::destroy(plugin_, "destructor", kept);
        CPPUNIT_ASSERT_EQUAL(std::string("destructor"), where);
        CPPUNIT_ASSERT(!kept);
    }

    void testOthersSeeWhatRuns() {
        std::latch inside(1);
        std::promise<void> leave;
        std::thread thread([&] {
            guarded(plugin_, "handler", origin(), [&] {
                inside.count_down();
                leave.get_future().wait();
            });
        });
        inside.wait();
        const auto seen = host::entry::running(0ms);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, seen.size());
        CPPUNIT_ASSERT_EQUAL(std::string("boom"), seen.front().plugin);
        CPPUNIT_ASSERT_EQUAL(std::string("1.2"), seen.front().version);
        CPPUNIT_ASSERT_EQUAL(std::string("GET /boom"), seen.front().route);
        CPPUNIT_ASSERT_EQUAL(std::string("7"), seen.front().request);
        CPPUNIT_ASSERT(host::entry::running(1h).empty());
        leave.set_value();
        thread.join();
        CPPUNIT_ASSERT(host::entry::running(0ms).empty());
    }

    void testSlowCallsAreToldOfOnce() {
        std::latch inside(1);
        std::promise<void> leave;
        std::thread thread([&] {
            guarded(plugin_, "handler", origin(), [&] {
                inside.count_down();
                leave.get_future().wait();
            });
        });
        inside.wait();
        const auto slow = host::entry::newlySlow(0ms);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, slow.size());
        host::entry::logRunning(log_, LogLevel::warn, "slow", slow.front());
        CPPUNIT_ASSERT(host::entry::newlySlow(0ms).empty());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host::entry::running(0ms).size());
        leave.set_value();
        thread.join();
        // Whoever was told of it is told of its end.
        ASSERT_CONTAINS("returned at last plugin=boom callback=handler request=7 job=0000", log_.text());
        ASSERT_CONTAINS("slow plugin=boom version=1.2 callback=handler route=GET /boom job=0000",
                        log_.text());
    }

private:
    [[nodiscard]] static Origin origin() {
        return std::make_shared<const host::entry::Request>(
            host::entry::Request{nullptr, "GET /boom", "7", JobId()});
    }

    testing::RecordingLog log_;
    const Plugin plugin_{"boom", "1.2", &log_};
};

CPPUNIT_TEST_SUITE_REGISTRATION(EntryTest);

}  // namespace sallyport::tests
