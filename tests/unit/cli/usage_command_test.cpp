#include <map>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/cli/program.h"
#include "tests/unit/client/scripted_door.h"

namespace sallyport::host::cli {

using namespace client;  // the scripted door

namespace {

const std::string usedJob = "3f2b8c1e-0000-4000-8000-000000000000";

std::string totals(int requests, const std::string& cost) {
    return R"("requests":)" + std::to_string(requests) +
           R"(,"failed":1,"input_tokens":200,"output_tokens":20,"cache_read_input_tokens":100,)"
           R"("cache_creation_input_tokens":10,"cost_usd":)" +
           cost;
}

std::string page(const std::string& groups, const std::string& more = {}) {
    return R"({"total":{)" + totals(5, "1.5") + R"(},"groups":[)" + groups + "]" + more + "}";
}

std::string model(const std::string& name, const std::string& cost = "0.025") {
    return R"({"model":")" + name + R"(",)" + totals(2, cost) + "}";
}

}  // namespace

/// `usage`, and what `job show` says of it.
class UsageCommandTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(UsageCommandTest);
    CPPUNIT_TEST(testShowsATableWithTotals);
    CPPUNIT_TEST(testNamesJobsUsersAndDays);
    CPPUNIT_TEST(testSendsAllThatWasSaid);
    CPPUNIT_TEST(testReadsAllPages);
    CPPUNIT_TEST(testSaysThatThereIsMore);
    CPPUNIT_TEST(testShowsSmallAmounts);
    CPPUNIT_TEST(testSaysThatNothingWasUsed);
    CPPUNIT_TEST(testRefusesWhatItDoesNotKnow);
    CPPUNIT_TEST(testShowsTheUsageOfAJob);
    CPPUNIT_TEST(testLeavesOutWhatAJobLacks);
    CPPUNIT_TEST_SUITE_END();

public:
    void testShowsATableWithTotals() {
        answers_["GET /api/usage?by=model&limit=50"] = page(model("gpt-x") + "," + model("claude\\u001b[2J"));
        CPPUNIT_ASSERT_EQUAL(0, run({"usage", "--by", "model"}));
        CPPUNIT_ASSERT_EQUAL(std::string("REQUESTS  FAILED  INPUT  CACHED  OUTPUT  COST     MODEL\n"
                                         "2         1       200    100     20      $0.0250  gpt-x\n"
                                         "2         1       200    100     20      $0.0250  claude\\x1b[2J\n"
                                         "5         1       200    100     20      $1.5000  total\n"),
                             program_.out);
        CPPUNIT_ASSERT_EQUAL(std::string(), program_.err);
    }

    void testNamesJobsUsersAndDays() {
        const std::map<std::string, std::string> groups{
            {"job", R"("job_id":"thing")"}, {"user", R"("user_id":"thing")"}, {"day", R"("day":"thing")"}};
        for (const auto& [by, member] : groups) {
            answers_["GET /api/usage?by=" + by + "&limit=50"] =
                page("{" + member + "," + totals(1, "0") + "}");
            CPPUNIT_ASSERT_EQUAL(0, run({"usage", "--by", by}));
            CPPUNIT_ASSERT_MESSAGE(program_.out, program_.out.find("$0.0000  thing\n") != std::string::npos);
        }
        CPPUNIT_ASSERT_EQUAL(0, run({"usage"}));
        CPPUNIT_ASSERT_EQUAL(std::string("GET /api/usage?by=job&limit=50"), asked_.front());
        CPPUNIT_ASSERT(program_.out.find(" JOB\n") != std::string::npos);
    }

    void testSendsAllThatWasSaid() {
        answers_["GET /api/usage?by=day&job_id=" + usedJob +
                 "&user_id=u&since=2026-01-31T12%3A00%3A00Z&until=2026-02-28&limit=3"] = page(model("m"));
        CPPUNIT_ASSERT_EQUAL(0, run({"usage", "--by", "day", "--job", usedJob, "--user", "u", "--since",
                                     "2026-01-31T12:00:00Z", "--until", "2026-02-28", "--limit", "3"}));
    }

    void testReadsAllPages() {
        answers_["GET /api/usage?by=model&limit=200"] = page(model("a"), R"(,"next_cursor":"9-8")");
        answers_["GET /api/usage?by=model&limit=200&cursor=9-8"] = page(model("b"));
        CPPUNIT_ASSERT_EQUAL(0, run({"usage", "--by", "model", "--all"}));
        CPPUNIT_ASSERT(program_.out.find("  a\n") != std::string::npos);
        CPPUNIT_ASSERT(program_.out.find("  b\n") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(0, run({"usage", "--by", "model", "--all", "--json"}));
        CPPUNIT_ASSERT_EQUAL(page(model("a") + "," + model("b")) + "\n", program_.out);
    }

    void testSaysThatThereIsMore() {
        answers_["GET /api/usage?by=model&limit=1"] = page(model("a"), R"(,"next_cursor":"9-8")");
        CPPUNIT_ASSERT_EQUAL(0, run({"usage", "--by", "model", "--limit", "1"}));
        CPPUNIT_ASSERT(program_.err.find("--limit N or --all") != std::string::npos);
        CPPUNIT_ASSERT_EQUAL(0, run({"usage", "--by", "model", "--limit", "1", "--json"}));
        CPPUNIT_ASSERT_EQUAL(page(model("a"), R"(,"next_cursor":"9-8")") + "\n", program_.out);
    }

    void testShowsSmallAmounts() {
        answers_["GET /api/usage?by=model&limit=50"] =
            page(model("a", "0.00001") + "," + model("b", "1e-09"));
        CPPUNIT_ASSERT_EQUAL(0, run({"usage", "--by", "model"}));
        CPPUNIT_ASSERT(program_.out.find("<$0.0001  a\n") != std::string::npos);
        CPPUNIT_ASSERT(program_.out.find("<$0.0001  b\n") != std::string::npos);
    }

    void testSaysThatNothingWasUsed() {
        answers_["GET /api/usage?by=job&limit=50"] = page("");
        CPPUNIT_ASSERT_EQUAL(0, run({"usage"}));
        CPPUNIT_ASSERT_EQUAL(std::string("No calls of models.\n"), program_.err);
        CPPUNIT_ASSERT_EQUAL(std::string(), program_.out);
    }

    void testRefusesWhatItDoesNotKnow() {
        for (const std::vector<std::string>& arguments :
             std::vector<std::vector<std::string>>{{"usage", "--by", "provider"},
                                                   {"usage", "--limit", "0"},
                                                   {"usage", "--all", "--limit", "3"},
                                                   {"usage", "--job", "x"},
                                                   {"usage", "everything"}}) {
            CPPUNIT_ASSERT_EQUAL(2, run(arguments));
            CPPUNIT_ASSERT(asked_.empty());
        }
    }

    void testShowsTheUsageOfAJob() {
        answers_["GET /api/jobs/" + usedJob] =
            R"({"job_id":")" + usedJob + R"(","usage":{)" + totals(12, "0.0123") + "}}";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "show", usedJob}));
        CPPUNIT_ASSERT_MESSAGE(
            program_.out,
            program_.out.find(
                "usage      12 requests (1 failed), 200 input tokens (100 cached), 20 output tokens,"
                " $0.0123\n") != std::string::npos);
        answers_["GET /api/jobs/" + usedJob] = R"({"job_id":"x","usage":{"requests":0,"cost_usd":0}})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "show", usedJob}));
        CPPUNIT_ASSERT(
            program_.out.find("usage      0 requests, 0 input tokens, 0 output tokens, $0.0000\n") !=
            std::string::npos);
    }

    void testLeavesOutWhatAJobLacks() {
        answers_["GET /api/jobs/" + usedJob] = R"({"job_id":")" + usedJob + R"("})";
        CPPUNIT_ASSERT_EQUAL(0, run({"job", "show", usedJob}));
        CPPUNIT_ASSERT(program_.out.find("usage") == std::string::npos);
    }

private:
    /// Runs the program against a door that gives the answers set so far.
    int run(const std::vector<std::string>& arguments) {
        const ScriptedDoor door(canned(answers_));
        program_.environment = {{"SALLYPORT_URL", door.url()}, {"SALLYPORT_TOKEN", "t"}};
        const int code = program_.run(arguments);
        asked_ = door.asked();
        return code;
    }

    std::map<std::string, std::string> answers_;
    Program program_;
    std::vector<std::string> asked_;
};

CPPUNIT_TEST_SUITE_REGISTRATION(UsageCommandTest);

}  // namespace sallyport::host::cli
