// One job's token opens that job and no other, however many call at once.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/shared_daemon_test.h"

namespace sallyport::tests {

class IsolationTest : public SharedDaemonTest {
    CPPUNIT_TEST_SUITE(IsolationTest);
    CPPUNIT_TEST(testSwappedTokensNeverCrossOver);
    CPPUNIT_TEST(testPromptsNeverCrossOver);
    CPPUNIT_TEST(testOneConnectionMayServeSeveralJobs);
    CPPUNIT_TEST(testRevocationHoldsWhileRequestsAreInFlight);
    CPPUNIT_TEST(testRevocationCutsOffABodyInFlight);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        SharedDaemonTest::setUp();
        jobs_.clear();
        for (std::size_t i = 0; i < jobCount; ++i) {
            jobs_.push_back(createJob(admin()));
        }
    }

    void testSwappedTokensNeverCrossOver() {
        constexpr int rounds = 40;
        std::atomic<int> crossed = 0;
        std::atomic<int> refused = 0;
        inParallel([&](std::size_t own) {
            Client right = workerClient(daemon(), jobs_[own]);
            for (int round = 1; round <= rounds; ++round) {
                const std::size_t other =
                    (own + static_cast<std::size_t>(round) % (jobCount - 1) + 1) % jobCount;
                const std::string event =
                    R"({"event_type":"n","data":{"message":")" + std::to_string(own) + "\"}}";
                if (right.post("/event", event).status != 200) {
                    ++refused;
                }
                // The same connection now presents its own token for another job.
                const std::string path = "/worker/" + jobs_[other].id;
                crossed += right.exchange(Request("POST", path + "/event").bearer(right.token()).json(event))
                               .status != 401;
                crossed += right.exchange(Request("GET", path + "/job").bearer(right.token())).status != 401;
            }
        });
        CPPUNIT_ASSERT_EQUAL_MESSAGE("requests that crossed over", 0, crossed.load());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("rightful requests that were refused", 0, refused.load());
        for (std::size_t i = 0; i < jobCount; ++i) {
            const Response history = admin().get("/jobs/" + jobs_[i].id + "/events?limit=1000");
            CPPUNIT_ASSERT_EQUAL(std::size_t{rounds}, history.size("events"));
            for (std::size_t event = 0; event < rounds; ++event) {
                ASSERT_FIELD(std::to_string(i), history, "events." + std::to_string(event) + ".data.message");
            }
        }
    }

    void testPromptsNeverCrossOver() {
        constexpr int rounds = 20;
        std::atomic<int> wrong = 0;
        inParallel([&](std::size_t own) {
            Client worker = workerClient(daemon(), jobs_[own]);
            Client operators = operatorClient(daemon());
            for (int round = 0; round < rounds; ++round) {
                const std::string content = std::to_string(own) + "." + std::to_string(round);
                operators.post("/jobs/" + jobs_[own].id + "/prompt", R"({"content":")" + content + "\"}");
                wrong += worker.get("/prompt?wait=60").at("content") != content;
            }
        });
        CPPUNIT_ASSERT_EQUAL(0, wrong.load());
    }

    void testOneConnectionMayServeSeveralJobs() {
        Connection connection(daemon().worker());
        for (int round = 0; round < 3; ++round) {
            for (const CreatedJob& job : jobs_) {
                const Response response =
                    connection.exchange(Request("GET", "/worker/" + job.id + "/job").bearer(job.token));
                ASSERT_STATUS(200, response);
                ASSERT_FIELD("Job " + job.id, response, "title");
            }
        }
    }

    /// Workers post without a pause while their jobs are cancelled. Once a cancellation has been answered, no
    /// event of that job is acknowledged, and none that was acknowledged is missing.
    void testRevocationHoldsWhileRequestsAreInFlight() {
        std::vector<std::atomic<bool>> cancelled(jobCount);
        std::vector<std::size_t> acknowledged(jobCount, 0);
        std::atomic<int> tooLate = 0;
        std::atomic<int> strange = 0;
        std::atomic<int> underWay = 0;
        std::vector<std::jthread> workers;
        for (std::size_t i = 0; i < jobCount; ++i) {
            workers.emplace_back([&, i, worker = workerClient(daemon(), jobs_[i])]() mutable {
                while (true) {
                    const bool over = cancelled[i];
                    const Response response = worker.post("/event", R"({"event_type":"n","data":1})");
                    if (response.status != 200) {
                        strange += response.status != 401;
                        return;
                    }
                    tooLate += over;
                    if (++acknowledged[i] == 5) {
                        ++underWay;
                        underWay.notify_one();
                    }
                }
            });
        }
        for (int reached = underWay; reached < static_cast<int>(jobCount); reached = underWay) {
            underWay.wait(reached);
        }
        for (std::size_t i = 0; i < jobCount; ++i) {
            ASSERT_STATUS(200, admin().post("/jobs/" + jobs_[i].id + "/cancel", "{}"));
            cancelled[i] = true;
        }
        workers.clear();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("acknowledged after the cancellation", 0, tooLate.load());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("answers other than 200 and 401", 0, strange.load());
        for (std::size_t i = 0; i < jobCount; ++i) {
            assertStored(jobs_[i], acknowledged[i]);
        }
    }

    /// A request whose token is revoked between its head and the end of its body changes nothing.
    void testRevocationCutsOffABodyInFlight() {
        const std::string body = R"({"event_type":"n","data":1})";
        const CreatedJob& job = jobs_.front();
        Client worker = workerClient(daemon(), job);
        Connection connection(daemon().worker());
        connection.send(worker.request("POST", "/event")
                            .header("Content-Type", "application/json")
                            .header("Expect", "100-continue")
                            .header("Content-Length", std::to_string(body.size()))
                            .bytes());
        ASSERT_STATUS(100, connection.receive());
        ASSERT_STATUS(200, admin().post("/jobs/" + job.id + "/cancel", "{}"));
        connection.trySend(body);
        ASSERT_UNAUTHORIZED(connection.receive());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, admin().get("/jobs/" + job.id + "/events").size("events"));
    }

private:
    static constexpr std::size_t jobCount = 16;

    template <class F>
    static void inParallel(F&& work) {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < jobCount; ++i) {
            threads.emplace_back([&work, i] { work(i); });
        }
    }

    void assertStored(const CreatedJob& job, std::size_t count) {
        std::size_t stored = 0;
        std::string after = "0";
        while (true) {
            const Response page = admin().get("/jobs/" + job.id + "/events?limit=1000&after=" + after);
            ASSERT_STATUS(200, page);
            const std::size_t size = page.size("events");
            if (size == 0) {
                break;
            }
            stored += size;
            after = page.at("events." + std::to_string(size - 1) + ".id");
        }
        // One may have become durable just before its job was over and was then answered 401.
        CPPUNIT_ASSERT_MESSAGE(std::to_string(stored) + " stored, " + std::to_string(count) + " acknowledged",
                               stored >= count && stored <= count + 1);
    }

    std::vector<CreatedJob> jobs_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(IsolationTest);

}  // namespace sallyport::tests
