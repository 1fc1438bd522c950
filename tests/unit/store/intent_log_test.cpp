#include "host/store/intent_log.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/store/fixture.h"

namespace sallyport::host::store {

class IntentLogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(IntentLogTest);
    CPPUNIT_TEST(testNotesOutlastTheProcess);
    CPPUNIT_TEST(testKindsAreKeptApart);
    CPPUNIT_TEST(testIsForTheOwnerOnlyAndNeverGrows);
    CPPUNIT_TEST(testTakesNotesWhereNoFileMayGrow);
    CPPUNIT_TEST(testRefusesWhatDoesNotFit);
    CPPUNIT_TEST(testAHalfWrittenNoteIsNone);
    CPPUNIT_TEST(testWhatIsNoIntentLogHoldsNothing);
    CPPUNIT_TEST(testWithoutAFileNothingIsNoted);
    CPPUNIT_TEST(testReservesWhenThereIsRoom);
    CPPUNIT_TEST_SUITE_END();

public:
    void testNotesOutlastTheProcess() {
        CPPUNIT_ASSERT_EQUAL(std::string("noted"), inChild([this]() -> std::string {
                                 IntentLog log(directory_.file("intents"), log_);
                                 const auto first = log.add("job", "first");
                                 const auto second = log.add("job", "second");
                                 log.remove(first.value());
                                 return second ? "noted" : "refused";
                             }));
        IntentLog log(directory_.file("intents"), log_);
        CPPUNIT_ASSERT_EQUAL(std::string("second"), joined(log, "job"));
        log.remove(log.notes("job").front().place);
        CPPUNIT_ASSERT_EQUAL(std::string(), joined(log, "job"));
        CPPUNIT_ASSERT_EQUAL(std::string(), joined(IntentLog(directory_.file("intents"), log_), "job"));
    }

    void testKindsAreKeptApart() {
        IntentLog log(directory_.file("intents"), log_);
        CPPUNIT_ASSERT(log.add("job", "a"));
        CPPUNIT_ASSERT(log.add("jobs", "b"));
        CPPUNIT_ASSERT(log.add("operator", "job c"));
        CPPUNIT_ASSERT_EQUAL(std::string("a"), joined(log, "job"));
        CPPUNIT_ASSERT_EQUAL(std::string("job c"), joined(log, "operator"));
    }

    void testIsForTheOwnerOnlyAndNeverGrows() {
        IntentLog log(directory_.file("intents"), log_);
        const auto size = std::filesystem::file_size(directory_.file("intents"));
        for (std::size_t note = 0; note < IntentLog::places; ++note) {
            CPPUNIT_ASSERT(log.add("job", std::string(500, 'x')));
        }
        CPPUNIT_ASSERT_EQUAL(size, std::filesystem::file_size(directory_.file("intents")));
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, stat(directory_.file("intents").c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, mode_t{status.st_mode & 07777});
        // All of its space is there already, and no promise of it.
        CPPUNIT_ASSERT(static_cast<std::uintmax_t>(status.st_blocks) * 512 >= size);
    }

    void testTakesNotesWhereNoFileMayGrow() {
        CPPUNIT_ASSERT_EQUAL(std::string("noted"), inChild([this]() -> std::string {
                                 IntentLog log(directory_.file("intents"), log_);
                                 limitFileSize(std::filesystem::file_size(directory_.file("intents")));
                                 return log.add("job", std::string(3000, 'x')) ? "noted" : "refused";
                             }));
        CPPUNIT_ASSERT_EQUAL(std::string(3000, 'x'),
                             joined(IntentLog(directory_.file("intents"), log_), "job"));
    }

    void testRefusesWhatDoesNotFit() {
        IntentLog log(directory_.file("intents"), log_);
        CPPUNIT_ASSERT(!log.add("job", std::string(IntentLog::longest, 'x')));
        for (std::size_t note = 0; note < IntentLog::places; ++note) {
            CPPUNIT_ASSERT(log.add("job", "x"));
        }
        CPPUNIT_ASSERT(!log.add("job", "x"));
        log.remove(7);
        CPPUNIT_ASSERT_EQUAL(IntentLog::Place{7}, log.add("job", "y").value());
    }

    void testAHalfWrittenNoteIsNone() {
        {
            IntentLog log(directory_.file("intents"), log_);
            CPPUNIT_ASSERT(log.add("job", std::string(2000, 'a')));
            CPPUNIT_ASSERT(log.add("job", "whole"));
        }
        std::fstream file(directory_.file("intents"), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(1024);
        file << std::string(512, '\0');
        file.close();
        CPPUNIT_ASSERT_EQUAL(std::string("whole"),
                             joined(IntentLog(directory_.file("intents"), log_), "job"));
    }

    void testWhatIsNoIntentLogHoldsNothing() {
        std::ofstream(directory_.file("intents"), std::ios::binary) << std::string(100'001, 'x');
        IntentLog log(directory_.file("intents"), log_);
        CPPUNIT_ASSERT_EQUAL(std::string(), joined(log, "job"));
        CPPUNIT_ASSERT(log.add("job", "a"));
        CPPUNIT_ASSERT_EQUAL(std::string("a"), joined(IntentLog(directory_.file("intents"), log_), "job"));
    }

    void testWithoutAFileNothingIsNoted() {
        IntentLog log(directory_.file("nowhere/intents"), log_);
        CPPUNIT_ASSERT(!log.add("job", "a"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, log_.count("no file to note revocations in"));
    }

    void testReservesWhenThereIsRoom() {
        CPPUNIT_ASSERT_EQUAL(std::string("noted"), inChild([this]() -> std::string {
                                 limitFileSize(8192);
                                 IntentLog log(directory_.file("intents"), log_);
                                 if (log_.count("could not be reserved") != 1) {
                                     return "nothing was said";
                                 }
                                 limitFileSize(1U << 30U);
                                 log.reserve();
                                 limitFileSize(std::filesystem::file_size(directory_.file("intents")));
                                 for (std::size_t note = 0; note < IntentLog::places; ++note) {
                                     if (!log.add("job", "x")) {
                                         return "refused";
                                     }
                                 }
                                 return "noted";
                             }));
    }

private:
    static std::string joined(const IntentLog& log, std::string_view kind) {
        std::string all;
        for (const auto& note : log.notes(kind)) {
            all += (all.empty() ? "" : ",") + note.text;
        }
        return all;
    }

    TemporaryDirectory directory_;
    testing::RecordingLog log_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(IntentLogTest);

}  // namespace sallyport::host::store
