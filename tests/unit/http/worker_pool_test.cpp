#include "host/http/worker_pool.h"

#include <atomic>
#include <ctime>
#include <future>
#include <latch>
#include <memory>
#include <stdexcept>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/recording_log.h>

#include "tests/support/deadline.h"

namespace sallyport::tests {

using namespace host::http;
using namespace std::chrono_literals;

class WorkerPoolTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(WorkerPoolTest);
    CPPUNIT_TEST(testRunsWhatItIsGiven);
    CPPUNIT_TEST(testWhatATaskThrowsIsLogged);
    CPPUNIT_TEST(testHandlersThatNeverReturnTakeNothingFromOthers);
    CPPUNIT_TEST(testOneThreadIsEnough);
    CPPUNIT_TEST(testThreadsThatComeBackReplaceTheSpareOnes);
    CPPUNIT_TEST(testAPoolWithoutProgressIsStuckUntilItGoesOn);
    CPPUNIT_TEST(testStoppingRunsWhatIsQueued);
    CPPUNIT_TEST(testManyThreadsSubmit);
    CPPUNIT_TEST(testARestingJobGoesOnByItself);
    CPPUNIT_TEST(testStoppingRunsWhatRests);
    CPPUNIT_TEST_SUITE_END();

    /// Handlers that hang until they are let go.
    class Hanging {
    public:
        explicit Hanging(WorkerPool& pool) : pool_(pool) {}
        ~Hanging() { letGo(); }
        Hanging(const Hanging&) = delete;
        Hanging& operator=(const Hanging&) = delete;

        /// Has `count` handlers of the plugin hang, and awaits that they do.
        void hang(const std::string& plugin, std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) {
                auto begun = std::make_shared<std::promise<void>>();
                auto hangs = begun->get_future();
                CPPUNIT_ASSERT(pool_.submit({Lane::worker, plugin + std::to_string(i), plugin},
                                            [begun, released = released_] {
                                                begun->set_value();
                                                released.wait();
                                            }));
                await(hangs);
            }
        }

        void letGo() {
            if (!std::exchange(gone_, true)) {
                release_.set_value();
            }
        }

    private:
        WorkerPool& pool_;
        std::promise<void> release_;
        std::shared_future<void> released_ = release_.get_future().share();
        bool gone_ = false;
    };

    testing::RecordingLog log_;

    static void await(const std::future<void>& future) {
        CPPUNIT_ASSERT(future.wait_for(failureLimit()) == std::future_status::ready);
    }

    static void awaitStuck(const WorkerPool& pool, bool stuck) {
        const Deadline deadline;
        while (pool.stuck() != stuck) {
            CPPUNIT_ASSERT(deadline.pollTimeout() > 0);
            std::this_thread::yield();
        }
    }

    /// A task of that plugin that has been run when the future is ready.
    static std::future<void> submit(WorkerPool& pool, const std::string& plugin) {
        auto done = std::make_shared<std::promise<void>>();
        auto future = done->get_future();
        CPPUNIT_ASSERT(pool.submit({Lane::operators, "ann", plugin}, [done] { done->set_value(); }));
        return future;
    }

    /// Has the job use so much of the processor's time that it must rest, and gives it another task.
    /// @return ready when that has been run.
    static std::future<void> exhaust(WorkerPool& pool, Crowd& crowd) {
        auto burnt = std::make_shared<std::promise<void>>();
        auto ended = burnt->get_future();
        CPPUNIT_ASSERT(pool.submit({Lane::worker, "job", "p"}, [burnt] {
            const auto start = std::clock();
            while (std::clock() - start < CLOCKS_PER_SEC / 50) {
                continue;
            }
            burnt->set_value();
        }));
        await(ended);
        crowd.had(1, Crowd::Clock::now());
        crowd.had(2, Crowd::Clock::now());
        auto done = std::make_shared<std::promise<void>>();
        auto future = done->get_future();
        CPPUNIT_ASSERT(pool.submit({Lane::worker, "job", "p"}, [done] { done->set_value(); }));
        return future;
    }

public:
    void testRunsWhatItIsGiven() {
        WorkerPool pool({}, log_);
        await(submit(pool, "p"));
    }

    void testWhatATaskThrowsIsLogged() {
        WorkerPool pool({.threads = 1}, log_);
        CPPUNIT_ASSERT(pool.submit({Lane::worker, "job", "p"}, [] { throw std::runtime_error("oh no"); }));
        await(submit(pool, "p"));
        pool.stop();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count(LogLevel::error));
    }

    void testHandlersThatNeverReturnTakeNothingFromOthers() {
        WorkerPool pool({.threads = 4, .patience = 1ms}, log_);
        Hanging hanging(pool);
        hanging.hang("bad", 2);
        auto third = submit(pool, "bad");
        hanging.hang("worse", 2);
        await(submit(pool, "good"));
        hanging.hang("worst", 2);
        await(submit(pool, "good"));
        CPPUNIT_ASSERT(third.wait_for(0s) == std::future_status::timeout);
        hanging.letGo();
        await(third);
    }

    void testOneThreadIsEnough() {
        WorkerPool pool({.threads = 1, .patience = 1ms}, log_);
        Hanging hanging(pool);
        hanging.hang("bad", 1);
        await(submit(pool, "good"));
    }

    void testThreadsThatComeBackReplaceTheSpareOnes() {
        WorkerPool pool({.threads = 1, .patience = 1ms}, log_);
        for (int i = 0; i < 20; ++i) {
            Hanging hanging(pool);
            hanging.hang("bad", 1);
            await(submit(pool, "good"));
        }
        await(submit(pool, "bad"));
    }

    void testAPoolWithoutProgressIsStuckUntilItGoesOn() {
        WorkerPool pool({.threads = 1, .patience = 1ms, .stuckAfter = 20ms}, log_);
        Hanging hanging(pool);
        hanging.hang("bad", 1);
        hanging.hang("worse", 1);
        CPPUNIT_ASSERT(!pool.stuck());
        auto waiting = submit(pool, "good");
        awaitStuck(pool, true);
        hanging.letGo();
        await(waiting);
        awaitStuck(pool, false);
        pool.stop();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("stuck, and goes on", std::size_t{2}, log_.lines().size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count(LogLevel::error));
        for (const auto& line : log_.lines()) {
            if (line.level == LogLevel::error) {
                CPPUNIT_ASSERT_EQUAL(std::string("bad (1), worse (1)"), line.fields.at(1).value);
            }
        }
    }

    void testStoppingRunsWhatIsQueued() {
        WorkerPool pool({.threads = 1}, log_);
        std::atomic<int> ran{0};
        {
            Hanging hanging(pool);
            hanging.hang("p", 1);
            for (int i = 0; i < 10; ++i) {
                CPPUNIT_ASSERT(pool.submit({Lane::worker, "job", "p"}, [&ran] { ++ran; }));
            }
        }
        pool.stop();
        CPPUNIT_ASSERT_EQUAL(10, ran.load());
        CPPUNIT_ASSERT(!pool.submit({Lane::worker, "job", "p"}, [] {}));
    }

    void testManyThreadsSubmit() {
        constexpr int each = 2000;
        WorkerPool pool({.threads = 3, .places = 100'000, .patience = 1ms}, log_);
        std::latch done(4 * each);
        std::vector<std::jthread> submitters;
        for (int i = 0; i < 4; ++i) {
            submitters.emplace_back([&, i] {
                for (int n = 0; n < each; ++n) {
                    const Origin origin{Lane::worker, std::to_string(n % 7), std::to_string(i)};
                    while (!pool.submit(origin, [&done] { done.count_down(); })) {
                    }
                }
            });
        }
        done.wait();
    }

    void testARestingJobGoesOnByItself() {
        Crowd crowd;
        WorkerPool pool({.threads = 1, .jobShare = 1}, log_, &crowd);
        await(exhaust(pool, crowd));
    }

    void testStoppingRunsWhatRests() {
        Crowd crowd;
        WorkerPool pool({.threads = 1, .jobShare = 1}, log_, &crowd);
        const auto waiting = exhaust(pool, crowd);
        pool.stop();
        CPPUNIT_ASSERT(waiting.wait_for(0s) == std::future_status::ready);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(WorkerPoolTest);

}  // namespace sallyport::tests
