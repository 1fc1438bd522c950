#include "plugins/events/broadcast.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins {
namespace {

class BroadcastTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BroadcastTest);
    CPPUNIT_TEST(testMessage);
    CPPUNIT_TEST(testToolUse);
    CPPUNIT_TEST(testToolResult);
    CPPUNIT_TEST(testResult);
    CPPUNIT_TEST(testReasoning);
    CPPUNIT_TEST(testAnythingElse);
    CPPUNIT_TEST(testDataThatIsNoObject);
    CPPUNIT_TEST(testPiecesAreKeptAsWritten);
    CPPUNIT_TEST(testOneLine);
    CPPUNIT_TEST(testLastOfRepeatedFieldsCounts);
    CPPUNIT_TEST(testEscapedNames);
    CPPUNIT_TEST(testUnwantedFieldsAreSteppedOver);
    CPPUNIT_TEST_SUITE_END();

    const JobId job_ = *JobId::parse("67e55044-10b1-426f-9247-bb680e5fe0c8");

    void expect(const std::string& type, const std::string& fields, const std::string& eventType,
                const std::string& data) const {
        const Broadcast shown = broadcastOf(job_, eventType, json::Value::parse(data));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(data, type, std::string(shown.type));
        CPPUNIT_ASSERT_EQUAL(
            R"({"type":")" + type + R"(","job_id":"67e55044-10b1-426f-9247-bb680e5fe0c8",)" + fields + "}",
            shown.data);
        static_cast<void>(json::Value::parse(shown.data));
    }

    void testMessage() {
        expect("job_message", R"("role":"user","content":"Hello")", "message",
               R"({"content":"Hello","role":"user"})");
        expect("job_message", R"("role":"assistant","content":"")", "message", "{}");
        expect("job_message", R"("role":"assistant","content":"")", "message",
               R"({"role":7,"content":["x"]})");
        expect("job_message", R"("role":"assistant","content":"")", "message",
               R"({"role":null,"content":null})");
    }

    void testToolUse() {
        expect("job_tool_use", R"("tool_name":"shell","input":{"command":"ls"})", "tool_use",
               R"({"tool_name":"shell","input":{"command":"ls"}})");
        expect("job_tool_use", R"("tool_name":"unknown","input":null)", "tool_use", "{}");
        expect("job_tool_use", R"("tool_name":"unknown","input":false)", "tool_use",
               R"({"tool_name":{},"input":false})");
    }

    void testToolResult() {
        expect("job_tool_result", R"("tool_name":"shell","output":"done\n")", "tool_result",
               R"({"tool_name":"shell","output":"done\n"})");
        expect("job_tool_result", R"("tool_name":"unknown","output":"")", "tool_result", "{}");
        expect("job_tool_result", R"("tool_name":"unknown","output":"{\"a\":[1,\"x y\"]}")", "tool_result",
               R"({"output":{ "a" : [1, "x y"] }})");
        expect("job_tool_result", R"("tool_name":"unknown","output":"42")", "tool_result",
               R"({"output":42})");
        expect("job_tool_result", R"("tool_name":"unknown","output":"null")", "tool_result",
               R"({"output":null})");
    }

    void testResult() {
        expect("job_result", R"("status":"completed","session_id":"s1","fallback_deliverable":{"a":[1]})",
               "result", R"({"status":"completed","session_id":"s1","fallback_deliverable":{"a": [1]}})");
        expect("job_result", R"("status":"unknown")", "result", "{}");
        expect("job_result", R"("status":"unknown")", "result", R"({"status":1,"session_id":2})");
        expect("job_result", R"("status":"unknown")", "result", R"({"session_id":null})");
        expect("job_result", R"("status":"unknown","fallback_deliverable":"x")", "result",
               R"({"fallback_deliverable":"x"})");
    }

    void testReasoning() {
        expect(
            "job_reasoning",
            R"("narrative":"Because","decisions":[{"tool_name":"a","rationale":"x"},{"tool_name":"b","rationale":"y"}])",
            "reasoning",
            R"({"narrative":"Because","decisions":[{"rationale":"x","tool_name":"a","more":1},
                   {"tool_name":"b"},{"rationale":"z"},{"tool_name":1,"rationale":"z"},{"tool_name":"c","rationale":null},
                   "d",null,[],{"tool_name":"b","rationale":"y"}]})");
        expect("job_reasoning", R"("narrative":"","decisions":[])", "reasoning", "{}");
        expect("job_reasoning", R"("narrative":"","decisions":[])", "reasoning",
               R"({"narrative":[],"decisions":{"tool_name":"a","rationale":"x"}})");
        expect("job_reasoning", R"("narrative":"","decisions":[])", "reasoning", R"({"decisions":"none"})");
    }

    void testAnythingElse() {
        for (const char* type : {"status", "custom", "Message", "job_message", ""}) {
            expect("job_status", R"("message":"working")", type, R"({"message":"working","content":"x"})");
            expect("job_status", R"("message":"")", type, R"({"content":"x"})");
            expect("job_status", R"("message":"")", type, R"({"message":{}})");
        }
    }

    void testDataThatIsNoObject() {
        for (const char* data : {"null", "true", "7", "\"message\"", "[{\"content\":\"x\"}]"}) {
            expect("job_message", R"("role":"assistant","content":"")", "message", data);
            expect("job_tool_use", R"("tool_name":"unknown","input":null)", "tool_use", data);
            expect("job_tool_result", R"("tool_name":"unknown","output":"")", "tool_result", data);
            expect("job_result", R"("status":"unknown")", "result", data);
            expect("job_reasoning", R"("narrative":"","decisions":[])", "reasoning", data);
            expect("job_status", R"("message":"")", "other", data);
        }
    }

    void testPiecesAreKeptAsWritten() {
        expect("job_message", R"("role":"assistant","content":"\u00e9\/\u0000")", "message",
               R"({"content":"\u00e9\/\u0000"})");
        expect("job_tool_use",
               R"("tool_name":"unknown","input":{"n":1.50e3,"big":123456789012345678901234567890})",
               "tool_use", R"({"input":{"n":1.50e3,"big":123456789012345678901234567890}})");
    }

    void testOneLine() {
        const Broadcast shown = broadcastOf(
            job_, "tool_use", json::Value::parse("{\"input\":\r\n[1,\n2\n],\n\"tool_name\":\r\"x\"}"));
        CPPUNIT_ASSERT(shown.data.find_first_of("\r\n") == std::string::npos);
    }

    void testEscapedNames() {
        expect("job_status", R"("message":"m")", "x", R"({"mess\u0061ge":"m"})");
        expect("job_reasoning", R"("narrative":"","decisions":[{"tool_name":"t","rationale":"r"}])",
               "reasoning", R"({"decisions":[{"tool\u005fname":"t","rationale":"r"}]})");
    }

    void testUnwantedFieldsAreSteppedOver() {
        std::string many = R"({"message":"m")";
        std::string entries = "[0";
        for (int i = 0; i < 300'000; ++i) {
            many += R"(,"":{"message":[]})";
            entries += ",[{}]";
        }
        many += '}';
        expect("job_status", R"("message":"m")", "x", many);
        expect("job_reasoning", R"("narrative":"","decisions":[])", "reasoning",
               R"({"decisions":)" + entries + "]}");
    }

    void testLastOfRepeatedFieldsCounts() {
        expect("job_status", R"("message":"b")", "status", R"({"message":"a","message":"b"})");
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BroadcastTest);

}  // namespace
}  // namespace sallyport::plugins
