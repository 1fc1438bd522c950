#include "host/plugins/examiner.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>
#include <sallyport/testing/examined.h>

#include "tests/support/assertions.h"

namespace sallyport::host::plugins {

namespace {

using Given = Examination::Given;

std::vector<Inspected> patients() {
    const trust::Trust trust;
    return {inspectFile(SALLYPORT_PATIENT, {}, trust), inspectFile(SALLYPORT_SECOND_PATIENT, {}, trust)};
}

Surroundings surroundings() {
    return {.dataDirectory = "/data",
            .user = "tester",
            .credential = [](std::string_view) { return Given(); },
            .variable = [](const std::string&) { return Given(); },
            .running = [](const std::string&) { return std::nullopt; }};
}

}  // namespace

/// Two plugins, each of which does as its setting says.
class ExaminerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ExaminerTest);
    CPPUNIT_TEST(testTellsWhatEachFinds);
    CPPUNIT_TEST(testWhatIsThrownIsAFinding);
    CPPUNIT_TEST(testWhatCrashesIsNamed);
    CPPUNIT_TEST(testCrashOfTheFirstHidesNothingOfTheOther);
    CPPUNIT_TEST(testCrashOfTheSecondRepeatsNothing);
    CPPUNIT_TEST(testEndOfTheObjectIsLookedAt);
    CPPUNIT_TEST(testWhatDoesNotEndIsEnded);
    CPPUNIT_TEST(testOneHasSomethingForTheOther);
    CPPUNIT_TEST(testNothingIsInherited);
    CPPUNIT_TEST(testPassesOverWhatWouldNotBeLoaded);
    CPPUNIT_TEST_SUITE_END();

    void testTellsWhatEachFinds() {
        CPPUNIT_ASSERT_EQUAL(std::string("ok patient: it is asked how it is\n"
                                         "failed patient: it is ill: treat it\n"
                                         "ok second_patient: it is asked how it is\n"
                                         "warning second_patient: it is to be watched\n"),
                             found("fails", "warns"));
    }

    void testWhatIsThrownIsAFinding() {
        ASSERT_CONTAINS("failed plugins: patient could not be examined: no such luck\n",
                        found("throws", "well"));
        ASSERT_CONTAINS("failed plugins: patient could not be examined: not a std::exception",
                        found("throws anything", "well"));
    }

    void testWhatCrashesIsNamed() {
        ASSERT_CONTAINS("failed plugins: patient could not be examined: it crashed with SIGABRT\n",
                        found("crashes", "well"));
        ASSERT_CONTAINS("failed plugins: patient could not be examined: it ended its process with status 3\n",
                        found("exits", "well"));
    }

    void testCrashOfTheFirstHidesNothingOfTheOther() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("ok patient: it is asked how it is\n"
                        "failed plugins: patient could not be examined: it crashed with SIGABRT\n"
                        "ok second_patient: it is asked how it is\n"
                        "ok second_patient: nobody is there\n"),
            found("crashes", "asks"));
    }

    void testCrashOfTheSecondRepeatsNothing() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("ok patient: it is asked how it is\n"
                        "ok second_patient: it is asked how it is\n"
                        "failed plugins: second_patient could not be examined: it crashed with SIGABRT\n"),
            found("well", "crashes"));
        ASSERT_CONTAINS("patient could not be examined: it crashed", found("crashes", "crashes"));
    }

    void testEndOfTheObjectIsLookedAt() {
        CPPUNIT_ASSERT_EQUAL(
            std::string("ok patient: it is asked how it is\n"
                        "failed plugins: patient could not be examined: it crashed with SIGABRT\n"
                        "ok second_patient: it is asked how it is\n"),
            found("crashes at its end", "well"));
    }

    void testWhatDoesNotEndIsEnded() {
        const std::string all = found("hangs", "well", std::chrono::milliseconds(200));
        ASSERT_CONTAINS("failed plugins: patient could not be examined: it did not come to an end in time\n",
                        all);
        ASSERT_CONTAINS("ok second_patient: it is asked how it is\n", all);
    }

    void testOneHasSomethingForTheOther() {
        ASSERT_CONTAINS("ok second_patient: 37 degrees\n", found("provides", "asks"));
        ASSERT_CONTAINS("ok patient: nobody is there\n", found("asks", "provides"));
        ASSERT_CONTAINS(
            "failed plugins: second_patient could not be examined: the service temperature is provided "
            "already",
            found("provides", "provides"));
    }

    void testNothingIsInherited() {
        const FileDescriptor open(::fcntl(STDERR_FILENO, F_DUPFD, 64));
        CPPUNIT_ASSERT(open.get() >= 64);
        ASSERT_CONTAINS("ok patient: 0 are open\n", found("looks around", "well"));
    }

    void testPassesOverWhatWouldNotBeLoaded() {
        auto inspected = patients();
        inspected[0].problems.emplace_back("it is not trusted");
        inspected[1].disabled = true;
        const config::Configuration configuration("", {});
        CPPUNIT_ASSERT(examine(inspected, configuration, surroundings()).empty());
        inspected[0].problems.clear();
        inspected[0].declaration.reset();
        inspected[0].problems.emplace_back("it is no plugin");
        CPPUNIT_ASSERT(examine(inspected, configuration, surroundings()).empty());
    }

    /// All findings, a line each.
    static std::string found(const std::string& first, const std::string& second,
                             std::chrono::milliseconds patience = patienceWithExamination) {
        const config::Configuration configuration("",
                                                  {{"patient.how", first}, {"second_patient.how", second}});
        std::string text;
        for (const auto& plugin : examine(patients(), configuration, surroundings(), patience)) {
            for (const Finding& finding : plugin.findings) {
                text += testing::describe(finding) + "\n";
            }
        }
        return text;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ExaminerTest);

}  // namespace sallyport::host::plugins
