#include "host/cli/job_event.h"

#include <sstream>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

class JobEventTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(JobEventTest);
    CPPUNIT_TEST(testDerivesTheBroadcastForm);
    CPPUNIT_TEST(testFillsInDefaults);
    CPPUNIT_TEST(testKeepsOnlyWholeDecisions);
    CPPUNIT_TEST(testRefusesHistoryThatIsNone);
    CPPUNIT_TEST(testReadsTheStream);
    CPPUNIT_TEST(testWritesJsonLines);
    CPPUNIT_TEST(testShowsEachType);
    CPPUNIT_TEST(testShowsATypeItDoesNotKnow);
    CPPUNIT_TEST(testEscapesWhatAWorkerWrote);
    CPPUNIT_TEST(testCutsToolLinesOnATerminal);
    CPPUNIT_TEST_SUITE_END();

    static std::string shown(const JobEvent& event, Terminal::Options options = {}) {
        std::ostringstream stream;
        Terminal terminal(stream, options);
        show(event, terminal);
        return stream.str();
    }

    /// The broadcast form of a stored event, without type and job.
    [[nodiscard]] std::string derived(const std::string& eventType, const std::string& data) const {
        const std::string stored =
            R"({"id":3,"event_type":")" + eventType + R"(","data":)" + data + R"(,"created_at":"t"})";
        const JobEvent event = fromHistory(job_, json::Value::parse(stored));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, event.id.value());
        const std::string begin = R"({"type":")" + event.type + R"(","job_id":")" + job_.str() + "\"";
        CPPUNIT_ASSERT_EQUAL(begin, event.json.substr(0, begin.size()));
        return event.type + " " + event.json.substr(begin.size());
    }

    void testDerivesTheBroadcastForm() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"(job_message ,"role":"user","content":"hi"})"),
                             derived("message", R"({"role":"user","content":"hi","more":1})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"(job_tool_use ,"tool_name":"sh","input":{"n":1.50,"s":"a b"}})"),
                             derived("tool_use", R"({"tool_name":"sh","input":{"n": 1.50, "s": "a b"}})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"(job_tool_result ,"tool_name":"sh","output":"ok"})"),
                             derived("tool_result", R"({"tool_name":"sh","output":"ok"})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"(job_tool_result ,"tool_name":"sh","output":"{\"a\":1}"})"),
                             derived("tool_result", R"({"tool_name":"sh","output":{"a": 1}})"));
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"(job_result ,"status":"done","session_id":"s","fallback_deliverable":[1]})"),
            derived("result", R"({"status":"done","session_id":"s","fallback_deliverable":[1]})"));
        CPPUNIT_ASSERT_EQUAL(std::string(R"(job_status ,"message":"m"})"),
                             derived("anything", R"({"message":"m"})"));
    }

    void testFillsInDefaults() {
        for (const char* data : {"{}", "null", "7", "\"text\"", "[{}]"}) {
            CPPUNIT_ASSERT_EQUAL(std::string(R"(job_message ,"role":"assistant","content":""})"),
                                 derived("message", data));
            CPPUNIT_ASSERT_EQUAL(std::string(R"(job_tool_use ,"tool_name":"unknown","input":null})"),
                                 derived("tool_use", data));
            CPPUNIT_ASSERT_EQUAL(std::string(R"(job_tool_result ,"tool_name":"unknown","output":""})"),
                                 derived("tool_result", data));
            CPPUNIT_ASSERT_EQUAL(std::string(R"(job_result ,"status":"unknown"})"), derived("result", data));
            CPPUNIT_ASSERT_EQUAL(std::string(R"(job_reasoning ,"narrative":"","decisions":[]})"),
                                 derived("reasoning", data));
            CPPUNIT_ASSERT_EQUAL(std::string(R"(job_status ,"message":""})"), derived("other", data));
        }
    }

    void testKeepsOnlyWholeDecisions() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                R"(job_reasoning ,"narrative":"n","decisions":[{"tool_name":"a","rationale":"r"},{"tool_name":"b","rationale":""}]})"),
            derived("reasoning", R"({"narrative":"n","decisions":[
                {"tool_name":"a","rationale":"r","x":1}, {"tool_name":"a"}, {"tool_name":1,"rationale":"r"},
                7, {"tool_name":"b","rationale":""}]})"));
    }

    void testRefusesHistoryThatIsNone() {
        for (const char* text : {R"({"id":1})", R"({"data":{}})", R"({"id":0,"data":{}})", "[]"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(text, static_cast<void>(fromHistory(job_, json::Value::parse(text))),
                                         Refused);
        }
    }

    void testReadsTheStream() {
        const JobEvent event =
            fromStream({.id = "12", .type = "job_status", .data = "{ \"message\": \"m\"\n}"});
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{12}, event.id.value());
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"message":"m"})"), event.json);
        CPPUNIT_ASSERT(!fromStream({.id = {}, .type = "job_state", .data = "{}"}).id);
        for (const char* id : {"", "0", "x", "1x", "-1"}) {
            CPPUNIT_ASSERT_MESSAGE(id, !fromStream({.id = id, .type = "job_state", .data = "{}"}).id);
        }
        CPPUNIT_ASSERT_THROW(static_cast<void>(fromStream({.id = {}, .type = "job_state", .data = "no"})),
                             Refused);
    }

    void testWritesJsonLines() {
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"id":4,"type":"t"})"),
                             jsonLine({.id = 4, .type = "t", .json = R"({"type":"t"})"}));
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"id":4})"), jsonLine({.id = 4, .type = "t", .json = "{}"}));
        CPPUNIT_ASSERT_EQUAL(R"({"type":"job_state","job_id":")" + job_.str() + R"(","state":"running"})",
                             jsonLine(stateEvent(job_, "running")));
    }

    void testShowsEachType() {
        const auto line = [](const char* type, const char* json) {
            return shown({.id = 12, .type = type, .json = json});
        };
        CPPUNIT_ASSERT_EQUAL(std::string("    12  message      user: hi\n"),
                             line("job_message", R"({"role":"user","content":"hi"})"));
        CPPUNIT_ASSERT_EQUAL(std::string("    12  tool         sh {\"cmd\":\"ls\"}\n"),
                             line("job_tool_use", R"({"tool_name":"sh","input":{"cmd":"ls"}})"));
        CPPUNIT_ASSERT_EQUAL(std::string("    12  tool result  sh a\\nb\n"),
                             line("job_tool_result", R"({"tool_name":"sh","output":"a\nb"})"));
        CPPUNIT_ASSERT_EQUAL(std::string("    12  result       done\n"),
                             line("job_result", R"({"status":"done"})"));
        CPPUNIT_ASSERT_EQUAL(std::string("    12  result       done {\"a\":1}\n"),
                             line("job_result", R"({"status":"done","fallback_deliverable":{"a":1}})"));
        CPPUNIT_ASSERT_EQUAL(
            std::string("    12  reasoning    so [sh: because]\n"),
            line("job_reasoning",
                 R"({"narrative":"so","decisions":[{"tool_name":"sh","rationale":"because"}]})"));
        CPPUNIT_ASSERT_EQUAL(std::string("    12  status       working\n"),
                             line("job_status", R"({"message":"working"})"));
        CPPUNIT_ASSERT_EQUAL(std::string("        state        failed\n"), shown(stateEvent(job_, "failed")));
    }

    void testShowsATypeItDoesNotKnow() {
        CPPUNIT_ASSERT_EQUAL(std::string("     1               job_new {\"a\":1}\n"),
                             shown({.id = 1, .type = "job_new", .json = R"({"a":1})"}));
    }

    void testEscapesWhatAWorkerWrote() {
        const JobEvent event{
            .id = 1, .type = "job_message", .json = R"({"role":"\u001b[31m","content":"\u009b2J\r\u202e"})"};
        CPPUNIT_ASSERT_EQUAL(std::string("     1  message      \\x1b[31m: \\u{9b}2J\\r\\u{202e}\n"),
                             shown(event));
    }

    void testCutsToolLinesOnATerminal() {
        const JobEvent tool{.id = 1,
                            .type = "job_tool_result",
                            .json = R"({"tool_name":"sh","output":")" + std::string(200, 'x') + "\"}"};
        CPPUNIT_ASSERT_EQUAL("     1  tool result  sh " + std::string(15, 'x') + "…\n",
                             shown(tool, {.columns = 40}));
        CPPUNIT_ASSERT_EQUAL("     1  tool result  sh " + std::string(200, 'x') + "\n", shown(tool));
        const JobEvent message{
            .id = 1, .type = "job_message", .json = R"({"content":")" + std::string(200, 'x') + "\"}"};
        CPPUNIT_ASSERT_EQUAL("     1  message      : " + std::string(200, 'x') + "\n",
                             shown(message, {.columns = 40}));
    }

    JobId job_ = JobId::parse("3f2b8c1e-0000-4000-8000-000000000000").value();
};

CPPUNIT_TEST_SUITE_REGISTRATION(JobEventTest);

}  // namespace sallyport::host::cli
