#include "host/plugins/kept.h"

#include <functional>
#include <stdexcept>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recording_log.h>

namespace sallyport::tests {

using host::entry::Entry;
using host::plugins::Callback;
using host::plugins::Kept;
using namespace std::chrono_literals;

class KeptTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(KeptTest);
    CPPUNIT_TEST(testCallsAndDestructorsEnterThePlugin);
    CPPUNIT_TEST(testWhatComesOutIsLoggedOrPassedOn);
    CPPUNIT_TEST(testItCountsAsACallUntilItIsGone);
    CPPUNIT_TEST(testTheCodeOutlivesTheClosure);
    CPPUNIT_TEST(testTheRequestIsCarriedAlong);
    CPPUNIT_TEST(testACallbackMayGoWhileItRuns);
    CPPUNIT_TEST_SUITE_END();

public:
    void testCallsAndDestructorsEnterThePlugin() {
        std::string called;
        std::string destroyed;
        {
            const Callback callback(
                nullptr, gate_, "Host::run",
                std::function<void()>(
                    [&called, tells = std::make_shared<Tells>(Tells{destroyed})] { called = where(); }));
            callback();
        }
        CPPUNIT_ASSERT_EQUAL(std::string("boom Host::run"), called);
        CPPUNIT_ASSERT_EQUAL(std::string("boom destructor"), destroyed);
    }

    void testWhatComesOutIsLoggedOrPassedOn() {
        const Kept kept(nullptr, gate_, "Host::run",
                        std::function<void()>([] { throw std::runtime_error("no mood"); }));
        CPPUNIT_ASSERT_THROW(kept(), std::runtime_error);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, log_.count(LogLevel::debug));
        host::plugins::guarded(kept)();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count(LogLevel::error));
    }

    void testItCountsAsACallUntilItIsGone() {
        {
            const Kept kept(nullptr, gate_, "Host::run", std::function<void()>([] {}));
            const auto copy = kept;
            copy();
            CPPUNIT_ASSERT(!gate_->waitIdle(0ms));
        }
        CPPUNIT_ASSERT(gate_->waitIdle(0ms));
    }

    void testTheCodeOutlivesTheClosure() {
        std::string order;
        auto code = std::shared_ptr<void>(&order, [&order](void*) { order += " unloaded"; });
        auto captured = std::shared_ptr<void>(&order, [&order](void*) { order += " destroyed"; });
        {
            const Kept kept(std::move(code), gate_, "Host::run", [captured = std::move(captured)] {});
        }
        CPPUNIT_ASSERT_EQUAL(std::string(" destroyed unloaded"), order);
    }

    void testTheRequestIsCarriedAlong() {
        const auto origin = std::make_shared<const host::entry::Request>(
            host::entry::Request{nullptr, "GET /boom", "7", std::nullopt});
        std::optional<Kept<std::function<void()>>> kept;
        std::string request;
        {
            const Entry handler(gate_->owner(), "handler", origin);
            kept.emplace(nullptr, gate_, "Host::run",
                         std::function<void()>([&request] { request = Entry::innermost()->origin()->id; }));
        }
        (*kept)();
        CPPUNIT_ASSERT_EQUAL(std::string("7"), request);
    }

    void testACallbackMayGoWhileItRuns() {
        std::optional<Callback<std::function<void()>>> callback;
        std::string captured = "a text that is long enough not to be stored in place";
        std::string seen;
        callback.emplace(nullptr, gate_, "IoLoop::watch",
                         std::function<void()>([&callback, &seen, text = captured] {
                             callback.reset();
                             seen = text;
                         }));
        callback->callGuarded();
        CPPUNIT_ASSERT_EQUAL(captured, seen);
        CPPUNIT_ASSERT(!callback);
    }

private:
    static std::string where() {
        const auto* const entry = Entry::innermost();
        return entry == nullptr ? "outside" : entry->plugin().name + " " + entry->callback();
    }

    struct Tells {
        std::string& place;
        ~Tells() { place = where(); }
    };

    testing::RecordingLog log_;
    const std::shared_ptr<host::http::Gate> gate_ = std::make_shared<host::http::Gate>("boom", "1", &log_);
};

CPPUNIT_TEST_SUITE_REGISTRATION(KeptTest);

}  // namespace sallyport::tests
