#include "host/daemon/reloader.h"

#include <future>
#include <latch>
#include <semaphore>
#include <stdexcept>
#include <string>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::tests {

using host::Reloader;
using host::plugins::ReloadReport;

class ReloaderTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReloaderTest);
    CPPUNIT_TEST(testWhoWaitsGetsTheReport);
    CPPUNIT_TEST(testWhatTheReloadThrowsIsPassedOn);
    CPPUNIT_TEST(testRequestsMeanwhileShareTheNext);
    CPPUNIT_TEST(testWhoWaitsForAnotherIsToldOfTheEnd);
    CPPUNIT_TEST_SUITE_END();

public:
    void testWhoWaitsGetsTheReport() {
        int reloads = 0;
        Reloader reloader([&reloads] { return numbered(++reloads); });
        CPPUNIT_ASSERT_EQUAL(std::string("1"), reloader.reload().loaded.front());
        CPPUNIT_ASSERT_EQUAL(std::string("2"), reloader.reload().loaded.front());
    }

    void testWhatTheReloadThrowsIsPassedOn() {
        Reloader reloader([]() -> ReloadReport { throw std::logic_error("no"); });
        CPPUNIT_ASSERT_THROW(reloader.reload(), std::logic_error);
        CPPUNIT_ASSERT_THROW(reloader.reload(), std::logic_error);
    }

    void testRequestsMeanwhileShareTheNext() {
        constexpr int requests = 5;
        std::latch begun(1);
        std::counting_semaphore<> goOn(0);
        std::latch answered(requests);
        int reloads = 0;
        std::vector<std::string> answers;
        Reloader reloader([&] {
            if (++reloads == 1) {
                begun.count_down();
            }
            goOn.acquire();
            return numbered(reloads);
        });
        std::promise<std::string> first;
        CPPUNIT_ASSERT(reloader.request([&first](const ReloadReport* report, const std::exception_ptr&) {
            first.set_value(report->loaded.front());
        }));
        begun.wait();
        for (int i = 0; i < requests; ++i) {
            CPPUNIT_ASSERT(reloader.request([&](const ReloadReport* report, const std::exception_ptr&) {
                answers.push_back(report->loaded.front());
                answered.count_down();
            }));
        }
        goOn.release(2);
        CPPUNIT_ASSERT_EQUAL(std::string("1"), first.get_future().get());
        answered.wait();
        for (const auto& answer : answers) {
            CPPUNIT_ASSERT_EQUAL(std::string("2"), answer);
        }
    }

    void testWhoWaitsForAnotherIsToldOfTheEnd() {
        std::latch begun(1);
        std::binary_semaphore goOn(0);
        Reloader reloader([&] {
            begun.count_down();
            goOn.acquire();
            return ReloadReport{};
        });
        std::promise<bool> first;
        std::promise<bool> second;
        const auto tell = [](std::promise<bool>& promise) {
            return [&promise](const ReloadReport* report, const std::exception_ptr&) {
                promise.set_value(report != nullptr);
            };
        };
        CPPUNIT_ASSERT(reloader.request(tell(first)));
        begun.wait();
        CPPUNIT_ASSERT(reloader.request(tell(second)));
        auto stopping = std::async(std::launch::async, [&reloader] { reloader.stop(); });
        // Until the stop has been noticed none is refused; after it all are.
        while (reloader.request([](const ReloadReport*, const std::exception_ptr&) {})) {
        }
        goOn.release();
        stopping.get();
        CPPUNIT_ASSERT(first.get_future().get());
        CPPUNIT_ASSERT(!second.get_future().get());
        CPPUNIT_ASSERT_THROW(reloader.reload(), std::runtime_error);
    }

private:
    static ReloadReport numbered(int number) {
        ReloadReport report;
        report.loaded.push_back(std::to_string(number));
        return report;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ReloaderTest);

}  // namespace sallyport::tests
