#include "plugins/credentials/grant.h"

#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>

namespace sallyport::plugins {
namespace {

class GrantsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GrantsTest);
    CPPUNIT_TEST(testReadsGrantsInOrder);
    CPPUNIT_TEST(testNoneForNull);
    CPPUNIT_TEST(testRefusesOtherShapes);
    CPPUNIT_TEST(testNamesTheField);
    CPPUNIT_TEST(testIsWrittenAsItIsRead);
    CPPUNIT_TEST_SUITE_END();

    static std::vector<Grant> read(const std::string& text) { return readGrants(json::Value::parse(text)); }

    static void testReadsGrantsInOrder() {
        const std::vector<Grant> grants =
            read(R"([{"secret_name":"b","env_var":"B"},{"env_var":"A","secret_name":"a","x":1}])");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, grants.size());
        CPPUNIT_ASSERT_EQUAL(std::string("b"), grants[0].secretName);
        CPPUNIT_ASSERT_EQUAL(std::string("B"), grants[0].envVar);
        CPPUNIT_ASSERT_EQUAL(std::string("a"), grants[1].secretName);
    }

    static void testNoneForNull() {
        CPPUNIT_ASSERT(read("null").empty());
        CPPUNIT_ASSERT(read("[]").empty());
    }

    static void testRefusesOtherShapes() {
        std::string many = "[";
        for (int i = 0; i < 101; ++i) {
            many += (i == 0 ? "" : ",") + std::string(R"({"secret_name":"a","env_var":"A"})");
        }
        for (const std::string& text : {std::string("{}"), std::string(R"("a=A")"), std::string("[7]"),
                                        std::string(R"([{"secret_name":"a"}])"),
                                        std::string(R"([{"secret_name":1,"env_var":"A"}])"), many + "]"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(text, static_cast<void>(read(text)), RequestError);
        }
    }

    static void testNamesTheField() {
        const auto refusal = [](const std::string& text) -> std::string {
            try {
                static_cast<void>(read(text));
            } catch (const RequestError& error) {
                return error.what();
            }
            return "";
        };
        CPPUNIT_ASSERT_EQUAL(std::string("field 'env_var' is missing"), refusal(R"([{"secret_name":"s"}])"));
        CPPUNIT_ASSERT_EQUAL(std::string("field 'secret_name' must be a string, not null"),
                             refusal(R"([{"secret_name":null,"env_var":"E"}])"));
        CPPUNIT_ASSERT(refusal("{}").starts_with("field 'credentials' must "));
    }

    static void testIsWrittenAsItIsRead() {
        const std::string text = R"([{"secret_name":"b","env_var":"B"},{"secret_name":"a","env_var":"A"}])";
        CPPUNIT_ASSERT_EQUAL(text, grantsJson(read(text)));
        CPPUNIT_ASSERT_EQUAL(std::string("[]"), grantsJson({}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GrantsTest);

}  // namespace
}  // namespace sallyport::plugins
