#include "host/entry/crash_journal.h"

#include <string>

#include <unistd.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

using host::entry::CrashHistory;
using host::entry::CrashJournal;

class CrashJournalTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CrashJournalTest);
    CPPUNIT_TEST(testANewOneIsEmpty);
    CPPUNIT_TEST(testWhatTheHandlerWroteIsFoundByTheNext);
    CPPUNIT_TEST(testAcknowledgedCrashesAreSilent);
    CPPUNIT_TEST(testAJobIsQuarantinedFromItsSecondCrashOn);
    CPPUNIT_TEST(testAcknowledgingReleasesNoJob);
    CPPUNIT_TEST(testTornLinesAreLeftOut);
    CPPUNIT_TEST(testALongFileKeepsWhatMatters);
    CPPUNIT_TEST_SUITE_END();

public:
    void testANewOneIsEmpty() {
        CPPUNIT_ASSERT(CrashHistory::in(directory_.path()).crashes.empty());
        const CrashJournal journal(directory_.path());
        CPPUNIT_ASSERT(journal.history().crashes.empty());
        CPPUNIT_ASSERT(journal.history().quarantined.empty());
    }

    void testWhatTheHandlerWroteIsFoundByTheNext() {
        crash("boom", "GET /api/boom");
        for (const auto& history :
             {CrashJournal(directory_.path()).history(), CrashHistory::in(directory_.path())}) {
            CPPUNIT_ASSERT_EQUAL(std::size_t{1}, history.crashes.size());
            const auto& found = history.crashes.front();
            CPPUNIT_ASSERT_EQUAL(std::string("boom"), found.plugin);
            CPPUNIT_ASSERT_EQUAL(std::string("1.0"), found.version);
            CPPUNIT_ASSERT_EQUAL(std::string("GET /api/boom"), found.route);
            CPPUNIT_ASSERT_EQUAL(std::string("SIGSEGV"), found.signal);
            CPPUNIT_ASSERT(found.job == job_);
        }
    }

    void testAcknowledgedCrashesAreSilent() {
        crash("boom");
        crash("boom");
        crash("bang");
        CrashJournal journal(directory_.path());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, journal.acknowledge("other"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, journal.acknowledge("boom"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, journal.acknowledge("boom"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, journal.history().crashes.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, CrashHistory::in(directory_.path()).crashes.size());
        crash("boom");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, CrashHistory::in(directory_.path()).crashes.size());
    }

    void testAJobIsQuarantinedFromItsSecondCrashOn() {
        crash("boom");
        CPPUNIT_ASSERT(CrashHistory::in(directory_.path()).quarantined.empty());
        crash("bang");
        CrashJournal journal(directory_.path());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, journal.history().quarantined.size());
        CPPUNIT_ASSERT(journal.history().quarantined.front() == job_);
        CPPUNIT_ASSERT(!journal.release(JobId::random()));
        CPPUNIT_ASSERT(journal.release(job_));
        CPPUNIT_ASSERT(!journal.release(job_));
        CPPUNIT_ASSERT(CrashHistory::in(directory_.path()).quarantined.empty());
        // It begins anew.
        crash("boom");
        CPPUNIT_ASSERT(CrashHistory::in(directory_.path()).quarantined.empty());
        crash("boom");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, CrashHistory::in(directory_.path()).quarantined.size());
    }

    void testAcknowledgingReleasesNoJob() {
        crash("boom");
        crash("boom");
        CrashJournal(directory_.path()).acknowledge("boom");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, CrashHistory::in(directory_.path()).quarantined.size());
    }

    void testTornLinesAreLeftOut() {
        crash("boom");
        append("{\"event\":\"crash\",\"plug");
        append("\n\n\0\n");
        crash("bang");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, CrashHistory::in(directory_.path()).crashes.size());
    }

    void testALongFileKeepsWhatMatters() {
        crash("boom");
        crash("boom");
        for (int i = 0; i < 2000; ++i) {
            append(R"({"event":"crash","time":"2026-01-01T00:00:00.000Z","plugin":"bang","signal":"SIGBUS"})"
                   "\n");
        }
        append(R"({"event":"acknowledged","plugin":"bang"})"
               "\n"
               R"({"event":"acknowledged","plugin":"boom"})"
               "\n");
        append(std::string(300'000, ' ') + "\n");
        CrashJournal journal(directory_.path());
        CPPUNIT_ASSERT(std::filesystem::file_size(directory_ / "crashes.jsonl") < 10'000);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, journal.history().quarantined.size());
    }

private:
    void append(std::string_view text) const {
        const CrashJournal journal(directory_.path());
        CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(text.size()),
                             ::write(journal.descriptor(), text.data(), text.size()));
    }

    /// As the crash handler does it.
    void crash(const std::string& plugin, const std::string& route = "GET /worker/{job_id}/boom") const {
        append(R"({"event":"crash","time":"2026-11-26T21:00:00.000Z","plugin":")" + plugin +
               R"(","version":"1.0","callback":"handler","route":")" + route + R"(","request":"7","job":")" +
               job_.str() + "\",\"signal\":\"SIGSEGV\"}\n");
    }

    const TemporaryDirectory directory_;
    const JobId job_ = JobId::random();
};

CPPUNIT_TEST_SUITE_REGISTRATION(CrashJournalTest);

}  // namespace sallyport::tests
