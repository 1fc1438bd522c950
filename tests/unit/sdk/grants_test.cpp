#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/grants.h>

namespace sallyport {
namespace {

class GrantsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GrantsTest);
    CPPUNIT_TEST(testReadsGrantsInOrder);
    CPPUNIT_TEST(testNoneWhenLeftOut);
    CPPUNIT_TEST(testRefusesOtherShapes);
    CPPUNIT_TEST_SUITE_END();

    static std::vector<Grant> read(const std::string& text) {
        return readGrants(json::Value::parse(text).object());
    }

    static void testReadsGrantsInOrder() {
        const std::vector<Grant> grants = read(
            R"({"credentials":[{"secret_name":"b","env_var":"B"},{"env_var":"A","secret_name":"a","x":1}]})");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, grants.size());
        CPPUNIT_ASSERT_EQUAL(std::string("b"), grants[0].secretName);
        CPPUNIT_ASSERT_EQUAL(std::string("B"), grants[0].envVar);
        CPPUNIT_ASSERT_EQUAL(std::string("a"), grants[1].secretName);
    }

    static void testNoneWhenLeftOut() {
        CPPUNIT_ASSERT(read("{}").empty());
        CPPUNIT_ASSERT(read(R"({"credentials":null})").empty());
        CPPUNIT_ASSERT(read(R"({"credentials":[]})").empty());
    }

    static void testRefusesOtherShapes() {
        std::string many = R"({"credentials":[)";
        for (int i = 0; i < 101; ++i) {
            many += (i == 0 ? "" : ",") + std::string(R"({"secret_name":"a","env_var":"A"})");
        }
        for (const std::string& text :
             {std::string(R"({"credentials":{}})"), std::string(R"({"credentials":"a=A"})"),
              std::string(R"({"credentials":[7]})"), std::string(R"({"credentials":[{"secret_name":"a"}]})"),
              std::string(R"({"credentials":[{"secret_name":1,"env_var":"A"}]})"), many + "]}"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(text, static_cast<void>(read(text)), RequestError);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(GrantsTest);

}  // namespace
}  // namespace sallyport
