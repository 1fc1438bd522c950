#include "plugins/llm/call_log.h"

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

namespace sallyport::plugins::llm {
namespace {

using namespace std::chrono_literals;

class CallLogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CallLogTest);
    CPPUNIT_TEST(testAllOfARecordIsStored);
    CPPUNIT_TEST(testContentIsStoredWhereItIsGiven);
    CPPUNIT_TEST(testRecordingDoesNotWait);
    CPPUNIT_TEST(testOneWriteForAllThatCameMeanwhile);
    CPPUNIT_TEST(testFullDiskLosesNothing);
    CPPUNIT_TEST(testFullQueueLosesNothing);
    CPPUNIT_TEST(testContentIsNotKeptForALaterTry);
    CPPUNIT_TEST(testWhatIsKeptIsBounded);
    CPPUNIT_TEST(testWhatIsLeftIsStoredAtTheEnd);
    CPPUNIT_TEST(testTellsWhatCouldNotBeStoredAtTheEnd);
    CPPUNIT_TEST(testRecordsWaitForOthers);
    CPPUNIT_TEST(testWhoReadsDoesNotWait);
    CPPUNIT_TEST(testManyThreads);
    CPPUNIT_TEST_SUITE_END();

    testing::FakeHost host_{"llm", {}};
    const JobId job_ = JobId::random();
    std::optional<CallLog> log_;

public:
    void setUp() override { log_.emplace(host_.store(), host_.log()); }
    void tearDown() override { log_.reset(); }

private:
    [[nodiscard]] CallRecord record(const std::string& requestId = "r") const {
        CallRecord record;
        record.at = Timestamp(1234567ms);
        record.job = job_;
        record.user = "alice";
        record.provider = "main";
        record.model = "m";
        record.endpoint = "llm/complete";
        record.requestId = requestId;
        return record;
    }
    [[nodiscard]] CallRecord withContent() const {
        CallRecord with = record();
        with.content = CallContent{"question", "answer"};
        return with;
    }
    std::int64_t stored() { return host_.number("SELECT count(*) FROM llm_call"); }
    std::int64_t storedContents() { return host_.number("SELECT count(*) FROM llm_call_content"); }
    std::size_t errors() { return host_.log().count(LogLevel::error); }

    void testAllOfARecordIsStored() {
        CallRecord call = record("request-1");
        call.outcome = CallOutcome::failed;
        call.reason = "upstream_timeout";
        call.usage = {.input = 10, .output = 20, .cacheRead = 3, .cacheWrite = 4};
        call.costNano = 99;
        call.latency = 250ms;
        log_->record(call);
        log_->flush();
        const Row row =
            host_.store()
                .query(
                    "SELECT at, job_id, user_id, provider, model, endpoint, outcome, reason,"
                    " input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano,"
                    " latency_ms, request_id FROM llm_call")
                .at(0);
        std::string all;
        for (std::size_t column = 0; column < 15; ++column) {
            all += row.text(column) + ' ';
        }
        CPPUNIT_ASSERT_EQUAL(
            "1234567 " + job_.str() +
                " alice main m llm/complete failed upstream_timeout 10 20 3 4 99 250 request-1 ",
            all);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, storedContents());
    }

    void testContentIsStoredWhereItIsGiven() {
        log_->record(record());
        log_->record(withContent());
        log_->flush();
        const Row row = host_.store()
                            .query(
                                "SELECT llm_call.id, request, answer FROM llm_call_content"
                                " JOIN llm_call ON call_id = llm_call.id")
                            .at(0);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, row.integer(0));
        CPPUNIT_ASSERT_EQUAL(std::string("question"), row.text(1));
        CPPUNIT_ASSERT_EQUAL(std::string("answer"), row.text(2));
    }

    void testRecordingDoesNotWait() {
        host_.store().holdWrites();
        log_->record(record());
        host_.store().awaitHeld();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, stored());
        host_.store().letGo();
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, stored());
    }

    void testOneWriteForAllThatCameMeanwhile() {
        host_.store().holdWrites();
        for (int i = 0; i < 1200; ++i) {
            log_->record(record());
        }
        // Only the first is with the store; if the others were too, they would be stored though it is
        // refusing.
        host_.store().refuseWrites(true);
        host_.store().letGo();
        host_.settle();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, stored());
        host_.store().refuseWrites(false);
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1200}, stored());
    }

    void testFullDiskLosesNothing() {
        host_.store().failWrites(true);
        log_->record(record("1"));
        log_->flush();
        log_->record(record("2"));
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, stored());
        CPPUNIT_ASSERT_EQUAL(std::string("calls of models cannot be recorded: 2 wait, 0 are lost"),
                             log_->trouble().value_or("no trouble"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, errors());
        host_.store().failWrites(false);
        log_->record(record("3"));
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, stored());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host_.number("SELECT request_id FROM llm_call WHERE id = 1"));
        CPPUNIT_ASSERT(!log_->trouble());
    }

    void testFullQueueLosesNothing() {
        host_.store().refuseWrites(true);
        log_->record(record("1"));
        log_->flush();
        CPPUNIT_ASSERT(log_->trouble().has_value());
        host_.store().refuseWrites(false);
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, stored());
    }

    void testContentIsNotKeptForALaterTry() {
        host_.store().failWrites(true);
        log_->record(withContent());
        log_->flush();
        log_->record(withContent());
        log_->flush();
        host_.store().failWrites(false);
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, stored());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, storedContents());
        log_->record(withContent());
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, storedContents());
    }

    void testWhatIsKeptIsBounded() {
        host_.store().refuseWrites(true);
        for (std::size_t i = 0; i < CallLog::maxKept + 3; ++i) {
            log_->record(record(std::to_string(i)));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("calls of models cannot be recorded: 10000 wait, 3 are lost"),
                             log_->trouble().value_or("no trouble"));
        host_.store().refuseWrites(false);
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{10000}, stored());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{3}, host_.number("SELECT request_id FROM llm_call WHERE id = 1"));
    }

    void testWhatIsLeftIsStoredAtTheEnd() {
        host_.store().refuseWrites(true);
        log_->record(record());
        host_.store().refuseWrites(false);
        log_.reset();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, stored());
    }

    void testTellsWhatCouldNotBeStoredAtTheEnd() {
        host_.store().refuseWrites(true);
        log_->record(record());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, errors());
        log_.reset();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, errors());
    }

    void testRecordsWaitForOthers() {
        std::vector<std::function<void()>> later;
        log_->delayBy([&](std::function<void()> task) { later.push_back(std::move(task)); });
        log_->record(record());
        log_->record(record());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, later.size());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, stored());
        later[0]();
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, stored());
        log_->record(record());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, later.size());
        log_->delayBy(nullptr);
        log_->record(record());
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4}, stored());
    }

    void testWhoReadsDoesNotWait() {
        log_->delayBy([](const std::function<void()>&) {});
        log_->record(record());
        log_->flush();
        CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, stored());
    }

    void testManyThreads() {
        constexpr int each = 300;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (int j = 0; j < each; ++j) {
                    log_->record(record());
                }
                log_->flush();
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CPPUNIT_ASSERT_EQUAL(std::int64_t{4 * each}, stored());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(CallLogTest);

}  // namespace
}  // namespace sallyport::plugins::llm
