#include "plugins/llm/chat.h"

#include <string>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

class ChatTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ChatTest);
    CPPUNIT_TEST(testWithoutTools);
    CPPUNIT_TEST(testWithTools);
    CPPUNIT_TEST(testEvents);
    CPPUNIT_TEST_SUITE_END();

    static void testWithoutTools() {
        Completion completion;
        completion.content = "a \"b\"\n";
        completion.usage = {.input = 10, .output = 20, .cacheRead = 3, .cacheWrite = 4};
        completion.finish = FinishReason::length;
        CPPUNIT_ASSERT_EQUAL(std::string(R"({"content":"a \"b\"\n","input_tokens":10,"output_tokens":20,)"
                                         R"("finish_reason":"length","cache_read_input_tokens":3,)"
                                         R"("cache_creation_input_tokens":4})"),
                             completionJson(completion, false));
        completion.content.reset();
        CPPUNIT_ASSERT(completionJson(completion, false).starts_with(R"({"content":"",)"));
    }

    static void testWithTools() {
        Completion completion;
        completion.finish = FinishReason::toolUse;
        completion.toolCalls = {{"c1", "run", R"({"x":[1]})", {}}, {"c2", "stop", "{}", "enough"}};
        CPPUNIT_ASSERT_EQUAL(
            std::string(R"({"content":null,"tool_calls":[{"id":"c1","name":"run","arguments":{"x":[1]}},)"
                        R"({"id":"c2","name":"stop","arguments":{},"reasoning":"enough"}],)"
                        R"("input_tokens":0,"output_tokens":0,"finish_reason":"tool_use",)"
                        R"("cache_read_input_tokens":0,"cache_creation_input_tokens":0})"),
            completionJson(completion, true));
        CPPUNIT_ASSERT(completionJson({}, true).find(R"("tool_calls":[])") != std::string::npos);
    }

    static void testEvents() {
        CPPUNIT_ASSERT_EQUAL(std::string("event: delta\ndata: {\"content\":\"a\\nb\"}\n\n"),
                             deltaEvent({"a\nb", {}}));
        CPPUNIT_ASSERT_EQUAL(std::string("event: delta\ndata: {\"tool_call\":{\"index\":1,\"id\":\"c\","
                                         "\"name\":\"run\",\"arguments\":\"\"}}\n\n"),
                             deltaEvent({{}, ToolCallDelta{1, "c", "run", {}}}));
        CPPUNIT_ASSERT_EQUAL(
            std::string("event: delta\ndata: {\"tool_call\":{\"index\":1,\"arguments\":\"{\\\"\"}}\n\n"),
            deltaEvent({{}, ToolCallDelta{1, {}, {}, "{\""}}));
        CPPUNIT_ASSERT_EQUAL("event: completion\ndata: " + completionJson({}, true) + "\n\n",
                             completionEvent({}, true));
        CPPUNIT_ASSERT_EQUAL(
            std::string("event: error\ndata: {\"error\":{\"code\":\"llm_failed\",\"message\":\"gone\"}}\n\n"),
            errorEvent("llm_failed", "gone"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ChatTest);

}  // namespace
}  // namespace sallyport::plugins::llm
