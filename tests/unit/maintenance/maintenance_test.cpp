#include "host/maintenance/maintenance.h"

#include <string>
#include <vector>

#include <build_info.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/json.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::maintenance {

/// The answers, whatever they are about.
class MaintenanceTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MaintenanceTest);
    CPPUNIT_TEST(testAnswersWithADocument);
    CPPUNIT_TEST(testAnswersWithNotes);
    CPPUNIT_TEST(testAnswersWithAFailure);
    CPPUNIT_TEST(testDoesNothingForAnotherVersion);
    CPPUNIT_TEST(testRefusesWhatItDoesNotKnow);
    CPPUNIT_TEST(testIsJsonWhateverFilesAreCalled);
    CPPUNIT_TEST_SUITE_END();

    void testAnswersWithADocument() {
        const Answer answer =
            ask("doctor", {"--define=data.dir=" + (here_ / "none").string(),
                           "--define=plugins.dir=" + (here_ / "none").string(), "--offline"});
        // Without plugins nothing works.
        CPPUNIT_ASSERT_EQUAL(1, answer.exitCode);
        ASSERT_CONTAINS(
            std::string(R"({"version":")") + version + R"(","exit_code":1,"document":{"failures":)",
            answer.document);
        CPPUNIT_ASSERT(answer.document.ends_with("}\n"));
        CPPUNIT_ASSERT_EQUAL(answer.document.size() - 1, answer.document.find('\n'));
    }

    void testAnswersWithNotes() {
        tests::writeFile(here_ / "text.so", "no plugin");
        const Answer answer = ask("verify", {"--file=" + (here_ / "text.so").string()});
        CPPUNIT_ASSERT_EQUAL(1, answer.exitCode);
        ASSERT_CONTAINS(R"("problems":["it is no shared object"]}]},"notes":{"untrusted":false}})",
                        answer.document);
    }

    void testAnswersWithAFailure() {
        const Answer answer =
            ask("backup", {"--data-dir=" + (here_ / "none").string(), "--file=" + (here_ / "b.db").string()});
        CPPUNIT_ASSERT_EQUAL(1, answer.exitCode);
        ASSERT_CONTAINS(R"("exit_code":1,"error":{"message":"cannot read )", answer.document);
        ASSERT_CONTAINS(R"("hints":["Are the data elsewhere? --data-dir DIR, or --config FILE."]}})",
                        answer.document);
        CPPUNIT_ASSERT_EQUAL(2, ask("restore", {}).exitCode);
    }

    void testDoesNothingForAnotherVersion() {
        for (const std::vector<std::string>& words :
             {std::vector<std::string>{"verify"}, {"verify", "--for=0.0.0"}, {"backup", "--for="}}) {
            const Answer answer = maintenance::answer(words);
            CPPUNIT_ASSERT_EQUAL(1, answer.exitCode);
            ASSERT_CONTAINS(std::string("of sallyport asks, and this is sallyportd ") + version,
                            answer.document);
        }
    }

    void testRefusesWhatItDoesNotKnow() {
        CPPUNIT_ASSERT_EQUAL(2, answer({}).exitCode);
        CPPUNIT_ASSERT_EQUAL(2, ask("repair", {}).exitCode);
        CPPUNIT_ASSERT_EQUAL(2, ask("verify", {"--forced"}).exitCode);
        CPPUNIT_ASSERT_EQUAL(2, ask("verify", {"file.so"}).exitCode);
        CPPUNIT_ASSERT_EQUAL(2, ask("doctor", {"--define=nothing"}).exitCode);
    }

    void testIsJsonWhateverFilesAreCalled() {
        const Answer answer = ask("verify", {"--file=/\xe4\"\n/\xff.so"});
        CPPUNIT_ASSERT_EQUAL(1, answer.exitCode);
        const json::Value value = json::Value::parse(answer.document);
        CPPUNIT_ASSERT(value.kind() == json::Kind::object);
        ASSERT_CONTAINS("/\xef\xbf\xbd\\\"\\n/\xef\xbf\xbd.so", answer.document);
    }

    static Answer ask(const std::string& task, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {task, std::string("--for=") + version});
        return answer(arguments);
    }

    tests::TemporaryDirectory here_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(MaintenanceTest);

}  // namespace sallyport::host::maintenance
