// How much JSON one may send, and what that takes of the memory.
#include <algorithm>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/daemon.h"
#include "tests/support/jobs.h"

namespace sallyport::tests {

namespace {

std::string repeated(std::string_view unit, std::size_t times) {
    std::string text;
    text.reserve(unit.size() * times);
    for (; times > 0; --times) {
        text += unit;
    }
    return text;
}

/// The most memory that the process has had at once, in bytes.
std::size_t peakMemory(pid_t process) {
    std::ifstream in("/proc/" + std::to_string(process) + "/status");
    for (std::string key; in >> key;) {
        if (std::size_t kib = 0; key == "VmHWM:" && in >> kib) {
            return kib * 1024;
        }
    }
    throw std::runtime_error("the process says nothing about its memory");
}

}  // namespace

class JsonLimitsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JsonLimitsTest);
    CPPUNIT_TEST(testTooManyMembersAreRefusedEverywhere);
    CPPUNIT_TEST(testAsManyAsMayBeAreAccepted);
    CPPUNIT_TEST(testOneJobStaysWithinTheMemoryForBodies);
    CPPUNIT_TEST_SUITE_END();

    static constexpr std::size_t most_ = 1000;

    static Daemon& limited() { return sharedDaemon({{"http.max_json_members", std::to_string(most_)}}); }

public:
    void testTooManyMembersAreRefusedEverywhere() {
        Client worker = workerClient(limited(), createJob(limited()));
        const std::string members = repeated(R"(,"x":0)", most_);
        const std::string elements = "[" + repeated("0,", most_) + "0]";
        const auto refused = [](const Response& answer) {
            ASSERT_ERROR(422, "too_many_members", answer);
            ASSERT_CONTAINS("more than 1000 elements and members", answer.at("error.message"));
            ASSERT_CONTAINS("http.max_json_members", answer.at("error.message"));
        };
        refused(worker.post("/event", R"({"event_type":"x","data":)" + elements + "}"));
        refused(worker.post("/event", R"({"event_type":"x","data":{"a":0)" + members + "}}"));
        refused(worker.post("/event", R"({"event_type":"x","data":1)" + members + "}"));
        refused(worker.post("/status", R"({"state":"x","iteration":1)" + members + "}"));
        refused(worker.post("/llm/complete", R"({"messages":[],"x":)" + elements + "}"));
        refused(
            worker.post("/llm/complete_with_tools", R"({"messages":[],"tools":[],"x":)" + elements + "}"));
        const Response native =
            worker.post("/openai/v1/chat/completions", R"({"model":"m","messages":[],"x":)" + elements + "}");
        ASSERT_STATUS(422, native);
        ASSERT_FIELD("too_many_members", native, "error.code");
        Client admin = operatorClient(limited());
        refused(admin.post("/jobs", R"({"task":"x","credentials":)" + elements + "}"));
    }

    void testAsManyAsMayBeAreAccepted() {
        Client worker = workerClient(limited(), createJob(limited()));
        // Beside the elements there are the two members of the body.
        const std::string data = "[" + repeated("0,", most_ - 3) + "0]";
        ASSERT_STATUS(200, worker.post("/event", R"({"event_type":"x","data":)" + data + "}"));
        // What separates nothing does not count.
        const std::string text = '"' + repeated(",[{", most_) + '"';
        ASSERT_STATUS(200, worker.post("/event", R"({"event_type":"x","data":)" + text + "}"));
    }

    void testOneJobStaysWithinTheMemoryForBodies() {
        [[maybe_unused]] constexpr std::size_t megabyte = std::size_t{1024} * 1024;
        Daemon daemon({.settings = {{"http.body_memory", "128MiB"}}});
        const CreatedJob job = createJob(daemon);
        const std::size_t before = peakMemory(daemon.pid());
        for (const auto& [path, body] : std::vector<std::pair<std::string, std::string>>{
                 {"/event", R"({"event_type":"x","data":1)" + repeated(R"(,"":0)", 3'000'000) + "}"},
                 {"/event", R"({"event_type":"x","data":1)" + repeated(R"(,"":0)", 990'000) + "}"},
                 {"/status", R"({"state":"x","iteration":1)" + repeated(R"(,"":0)", 990'000) + "}"},
                 {"/llm/complete", R"({"messages":[{"role":"user","content":"x"})" +
                                       repeated(R"(,{"role":"user","content":"x"})", 330'000) + "]}"},
             }) {
            sendAtOnce(daemon, job, path, body);
        }
        // A little more for what many requests leave behind in the allocator.
        const std::size_t taken = peakMemory(daemon.pid()) - before;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        CPPUNIT_ASSERT_MESSAGE(std::to_string(taken / megabyte) + " MiB", taken < 192 * megabyte);
#else
        static_cast<void>(taken);
#endif
        Client worker = workerClient(daemon, job);
        ASSERT_STATUS(200, worker.post("/event", R"({"event_type":"x","data":1})"));
    }

private:
    /// The same body on six connections. Whatever becomes of it, it is said.
    static void sendAtOnce(const Daemon& daemon, const CreatedJob& job, const std::string& path,
                           const std::string& body) {
        std::vector<std::future<int>> answers;
        for (int i = 0; i < 6; ++i) {
            answers.push_back(std::async(std::launch::async, [&] {
                Client worker = workerClient(daemon, job);
                Request request = worker.request("POST", path);
                request.json(body).header("Connection", "close");
                Connection connection(daemon.worker());
                static_cast<void>(connection.trySend(request.bytes()));
                return connection.receive().status;
            }));
        }
        for (auto& answer : answers) {
            const int status = answer.get();
            CPPUNIT_ASSERT_MESSAGE(path + " " + std::to_string(status), status == 200 || status == 413 ||
                                                                            status == 422 || status == 429 ||
                                                                            status == 503);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(JsonLimitsTest);

}  // namespace sallyport::tests
