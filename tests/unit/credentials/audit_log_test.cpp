#include "plugins/credentials/audit_log.h"

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/testing/fake_host.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::plugins {
namespace {

class AuditLogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AuditLogTest);
    CPPUNIT_TEST(testHashesAsComputedElsewhere);
    CPPUNIT_TEST(testEmptyTrailIsGood);
    CPPUNIT_TEST(testEntriesComeBackNewestFirst);
    CPPUNIT_TEST(testFilters);
    CPPUNIT_TEST(testEntryAndChangeAreThereTogetherOrNotAtAll);
    CPPUNIT_TEST(testLongTrailVerifies);
    CPPUNIT_TEST(testManyWritersMakeOneChain);
    CPPUNIT_TEST(testEveryChangedColumnIsFound);
    CPPUNIT_TEST(testMissingEntryIsFound);
    CPPUNIT_TEST(testSwappedEntriesAreFound);
    CPPUNIT_TEST(testCutTrailIsFoundByTheHead);
    CPPUNIT_TEST(testCutTrailAndHeadAreFoundByTheFile);
    CPPUNIT_TEST(testRewrittenTrailIsFoundByTheFile);
    CPPUNIT_TEST(testSurplusEntryIsFound);
    CPPUNIT_TEST(testEvidenceIsKept);
    CPPUNIT_TEST(testMissingFileIsToldAndMadeAnew);
    CPPUNIT_TEST(testSpoiledFileIsTold);
    CPPUNIT_TEST(testLaggingFileIsGood);
    CPPUNIT_TEST_SUITE_END();

    testing::FakeHost host_{"credentials", {}};
    const std::string anchor_ = host_.dataDirectory() + "/anchor";
    std::unique_ptr<AuditLog> log_ = opened();
    const JobId job_ = JobId::random();

    std::unique_ptr<AuditLog> opened() {
        return std::make_unique<AuditLog>(host_.store(), anchor_, host_.log());
    }

    static AuditEntry entry(const std::string& secret, const std::string& user = "alice") {
        AuditEntry entry{{"operator:" + user, "r"}, audit::create};
        entry.user = user;
        entry.secret = secret;
        return entry;
    }

    void append(int count) {
        for (int i = 0; i < count; ++i) {
            log_->write(entry("s" + std::to_string(i)));
        }
    }

    void execute(const std::string& sql, const std::vector<SqlValue>& values = {}) {
        host_.store().write([&](Transaction& transaction) { transaction.execute(sql, values); });
    }

    /// What somebody does who knows how the trail is made: cuts it and mends the head.
    void cutTo(std::int64_t entries) {
        execute("DELETE FROM audit_log WHERE number > ?", {entries});
        execute("UPDATE audit_log_head SET entries = ?, hash = (SELECT hash FROM audit_log WHERE number = ?)",
                {entries, entries});
    }

    [[nodiscard]] std::string problem() const { return log_->verify().problem; }

    /// Computed with Python's hashlib: sha256(previous + b"".join(b"%d:%s," % (len(f), f) for f in fields)).
    void testHashesAsComputedElsewhere() {
        StoredAuditEntry first;
        first.number = 1;
        first.at = Timestamp(std::chrono::milliseconds(1769903999123));
        first.entry = entry("github");
        first.entry.by.requestId = "r-1";
        first.hash = AuditLog::hashOf(Bytes(32, 0), first);
        CPPUNIT_ASSERT_EQUAL(std::string("ac5e866ac061a6b522a9d9202b88f01489952551a1caf8a1ca865361493b265a"),
                             hex(first.hash));
        StoredAuditEntry second;
        second.number = 2;
        second.at = Timestamp(std::chrono::milliseconds(1769903999124));
        second.entry = {{"worker", "r-2"}, audit::deliver,
                        audit::denied,     "expired",
                        "alice",           JobId::parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
                        "github",          "GITHUB_TOKEN"};
        CPPUNIT_ASSERT_EQUAL(std::string("a3347c5612c59836392b25f527a27abcde81d3d6dbf8315f1e803833aa153b19"),
                             hex(AuditLog::hashOf(first.hash, second)));
    }

    void testEmptyTrailIsGood() {
        CPPUNIT_ASSERT_EQUAL(std::string(), problem());
        CPPUNIT_ASSERT(!log_->trouble());
        CPPUNIT_ASSERT(log_->list({}).empty());
        log_ = opened();
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, host_.log().count(LogLevel::warn));
    }

    void testEntriesComeBackNewestFirst() {
        AuditEntry denied{{"worker", "r-7"}, audit::deliver, audit::denied, "expired",
                          "alice",           job_,           "s",           "V"};
        log_->write(entry("s"));
        log_->write(denied);
        const auto entries = log_->list({});
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, entries.size());
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2}, entries[0].number);
        CPPUNIT_ASSERT_EQUAL(std::string("worker"), entries[0].entry.by.actor);
        CPPUNIT_ASSERT_EQUAL(std::string("r-7"), entries[0].entry.by.requestId);
        CPPUNIT_ASSERT_EQUAL(std::string("deliver"), entries[0].entry.action);
        CPPUNIT_ASSERT_EQUAL(std::string("denied"), entries[0].entry.outcome);
        CPPUNIT_ASSERT_EQUAL(std::string("expired"), entries[0].entry.reason);
        CPPUNIT_ASSERT(entries[0].entry.job == job_);
        CPPUNIT_ASSERT_EQUAL(std::string("V"), entries[0].entry.variable);
        CPPUNIT_ASSERT_EQUAL(std::string("operator:alice"), entries[1].entry.by.actor);
        CPPUNIT_ASSERT(!entries[1].entry.job);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_->list({.before = 2}).size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_->list({.limit = 1}).size());
    }

    void testFilters() {
        log_->write(entry("a", "alice"));
        log_->write(entry("b", "bob"));
        AuditEntry granted = entry("a", "alice");
        granted.job = job_;
        log_->write(granted);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, log_->list({.user = "alice"}).size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_->list({.job = job_}).size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_->list({.secret = "b"}).size());
        CPPUNIT_ASSERT(log_->list({.user = "bob", .job = job_}).empty());
    }

    void testEntryAndChangeAreThereTogetherOrNotAtAll() {
        execute("CREATE TABLE changed (x BIGINT)");
        const auto change = [](Transaction& transaction, AuditLog::Entries& entries) {
            transaction.execute("INSERT INTO changed VALUES (1)");
            entries.push_back(entry("s"));
            throw notFound("no");
        };
        CPPUNIT_ASSERT_THROW(log_->write(change), RequestError);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM changed"));
        CPPUNIT_ASSERT(log_->list({}).empty());
        // And the other way round: what cannot be audited does not happen.
        append(1);
        execute("UPDATE audit_log_head SET entries = 0");
        CPPUNIT_ASSERT_THROW(log_->write([](Transaction& transaction, AuditLog::Entries& entries) {
            transaction.execute("INSERT INTO changed VALUES (1)");
            entries.push_back(entry("s"));
        }),
                             StoreError);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host_.number("SELECT count(*) FROM changed"));
    }

    void testLongTrailVerifies() {
        // More than verify reads at once.
        log_->write([](Transaction&, AuditLog::Entries& entries) {
            for (int i = 0; i < 2500; ++i) {
                entries.push_back(entry("s" + std::to_string(i)));
            }
        });
        const AuditVerdict verdict = log_->verify();
        CPPUNIT_ASSERT_EQUAL(std::string(), verdict.problem);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{2500}, verdict.head.entries);
        execute("UPDATE audit_log SET secret_name = 'x' WHERE number = 2001");
        ASSERT_CONTAINS("entry 2001 has been changed", problem());
    }

    void testManyWritersMakeOneChain() {
        std::vector<std::thread> writers;
        for (int i = 0; i < 4; ++i) {
            writers.emplace_back([this] { append(25); });
        }
        for (std::thread& writer : writers) {
            writer.join();
        }
        const AuditVerdict verdict = log_->verify();
        CPPUNIT_ASSERT_EQUAL(std::string(), verdict.problem);
        CPPUNIT_ASSERT_EQUAL(std::int64_t{100}, verdict.head.entries);
    }

    void testEveryChangedColumnIsFound() {
        AuditEntry full{{"worker", "r"}, audit::deliver, audit::denied, "expired", "alice", job_, "s", "V"};
        for (const char* change :
             {"at = at + 1", "actor = 'daemon'", "action = 'reveal'", "outcome = 'ok'", "reason = ''",
              "user_id = 'bob'", "job_id = ''", "secret_name = 't'", "env_var = 'W'", "request_id = 'q'",
              "hash = zeroblob(32)", "secret_name = secret_name || env_var, env_var = ''"}) {
            log_->write(full);
            append(2);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(change, std::string(), problem());
            const std::int64_t number = log_->list({}).front().number - 2;
            const std::string where = " WHERE number = " + std::to_string(number);
            execute("CREATE TABLE kept AS SELECT * FROM audit_log" + where);
            execute("UPDATE audit_log SET " + std::string(change) + where);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(change, "entry " + std::to_string(number) + " has been changed",
                                         problem());
            execute("DELETE FROM audit_log" + where);
            execute("INSERT INTO audit_log SELECT * FROM kept");
            execute("DROP TABLE kept");
        }
    }

    void testMissingEntryIsFound() {
        append(5);
        execute("DELETE FROM audit_log WHERE number = 3");
        CPPUNIT_ASSERT_EQUAL(std::string("entry 3 is missing"), problem());
        execute("DELETE FROM audit_log WHERE number = 1");
        CPPUNIT_ASSERT_EQUAL(std::string("entry 1 is missing"), problem());
        execute("DELETE FROM audit_log");
        CPPUNIT_ASSERT_EQUAL(std::string("entry 1 is missing"), problem());
    }

    void testSwappedEntriesAreFound() {
        append(4);
        execute("UPDATE audit_log SET number = 99 WHERE number = 2");
        execute("UPDATE audit_log SET number = 2 WHERE number = 3");
        execute("UPDATE audit_log SET number = 3 WHERE number = 99");
        CPPUNIT_ASSERT_EQUAL(std::string("entry 2 has been changed"), problem());
    }

    void testCutTrailIsFoundByTheHead() {
        append(5);
        execute("DELETE FROM audit_log WHERE number > 3");
        CPPUNIT_ASSERT_EQUAL(std::string("entry 4 is missing"), problem());
    }

    void testCutTrailAndHeadAreFoundByTheFile() {
        append(5);
        cutTo(3);
        ASSERT_CONTAINS("has been cut: it has 3 entries, and had 5", problem());
        execute("DELETE FROM audit_log");
        execute("DELETE FROM audit_log_head");
        ASSERT_CONTAINS("has been cut: it has 0 entries, and had 5", problem());
    }

    void testRewrittenTrailIsFoundByTheFile() {
        append(3);
        const std::string noted = tests::readFile(anchor_);
        cutTo(2);
        log_->write(entry("another story"));
        tests::writeFile(anchor_, noted);
        ASSERT_CONTAINS("entry 3 is not the one that was noted", problem());
    }

    void testSurplusEntryIsFound() {
        append(2);
        execute(
            "INSERT INTO audit_log SELECT 3, at, actor, action, outcome, reason, user_id, job_id,"
            " secret_name, env_var, request_id, hash FROM audit_log WHERE number = 2");
        ASSERT_CONTAINS("beyond 2", problem());
    }

    /// The file that gives the cut away must not be brought up to date with the trail that was cut.
    void testEvidenceIsKept() {
        append(5);
        cutTo(1);
        log_ = opened();
        CPPUNIT_ASSERT(log_->trouble().has_value());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.log().count(LogLevel::error));
        append(9);
        ASSERT_CONTAINS("entry 5 is not the one", problem());
        log_ = opened();
        ASSERT_CONTAINS("entry 5 is not the one", problem());
    }

    void testMissingFileIsToldAndMadeAnew() {
        append(3);
        std::filesystem::remove(anchor_);
        ASSERT_CONTAINS("is missing", problem());
        log_ = opened();
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host_.log().count(LogLevel::warn));
        CPPUNIT_ASSERT_EQUAL(std::string(), problem());
        const auto entries = log_->list({});
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, entries.size());
        CPPUNIT_ASSERT_EQUAL(std::string("daemon"), entries.front().entry.by.actor);
        CPPUNIT_ASSERT_EQUAL(std::string("restore"), entries.front().entry.action);
        CPPUNIT_ASSERT_EQUAL(std::string("note_missing"), entries.front().entry.reason);
        // Once: the next start finds the note.
        log_ = opened();
        CPPUNIT_ASSERT_EQUAL(std::size_t{4}, log_->list({}).size());
        cutTo(2);
        ASSERT_CONTAINS("has been cut", problem());
    }

    void testSpoiledFileIsTold() {
        append(3);
        const std::string good = tests::readFile(anchor_);
        for (const std::string& content :
             {std::string(), std::string("x"), good + "x", good.substr(1), std::string(86, '0'),
              std::string(20, '0') + ' ' + std::string(64, 'G') + '\n'}) {
            tests::writeFile(anchor_, content);
            ASSERT_CONTAINS("does not say what it should", problem());
        }
        log_ = opened();
        CPPUNIT_ASSERT(log_->trouble().has_value());
    }

    /// As after a power cut.
    void testLaggingFileIsGood() {
        append(2);
        const std::string early = tests::readFile(anchor_);
        append(3);
        tests::writeFile(anchor_, early);
        CPPUNIT_ASSERT_EQUAL(std::string(), problem());
        log_ = opened();
        CPPUNIT_ASSERT(!log_->trouble());
        CPPUNIT_ASSERT(tests::readFile(anchor_) != early);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AuditLogTest);

}  // namespace
}  // namespace sallyport::plugins
