#include "host/maintenance/arguments.h"

#include <optional>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include "host/client/failure.h"

namespace sallyport::host::maintenance {

class ArgumentsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ArgumentsTest);
    CPPUNIT_TEST(testGivesEachByItsName);
    CPPUNIT_TEST(testLetsTheLastOfOneNameCount);
    CPPUNIT_TEST(testTellsWhatNobodyTook);
    CPPUNIT_TEST(testRefusesOtherForms);
    CPPUNIT_TEST_SUITE_END();

    void testGivesEachByItsName() {
        Arguments arguments({"--file=a=b --c", "--force", "--define=x", "--empty=", "--define=y"});
        CPPUNIT_ASSERT_EQUAL(std::string("a=b --c"), arguments.require("file"));
        CPPUNIT_ASSERT(arguments.takeFlag("force"));
        CPPUNIT_ASSERT(!arguments.takeFlag("force"));
        CPPUNIT_ASSERT(std::optional<std::string>("") == arguments.take("empty"));
        CPPUNIT_ASSERT(std::nullopt == arguments.take("none"));
        CPPUNIT_ASSERT(std::vector<std::string>({"x", "y"}) == arguments.takeAll("define"));
        arguments.requireAllTaken();
        CPPUNIT_ASSERT_THROW(static_cast<void>(arguments.require("file")), client::UsageError);
    }

    void testLetsTheLastOfOneNameCount() {
        Arguments arguments({"--file=a", "--file=b"});
        CPPUNIT_ASSERT_EQUAL(std::string("b"), arguments.require("file"));
        arguments.requireAllTaken();
    }

    void testTellsWhatNobodyTook() {
        Arguments arguments({"--force", "--farce=1"});
        CPPUNIT_ASSERT(arguments.takeFlag("force"));
        try {
            arguments.requireAllTaken();
            CPPUNIT_FAIL("it was taken");
        } catch (const client::UsageError& wrong) {
            CPPUNIT_ASSERT_EQUAL(std::string("there is no --farce"), std::string(wrong.what()));
        }
    }

    void testRefusesOtherForms() {
        for (const std::string word : {"", "file", "-f", "--", "--=x", "-file=x"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(word, Arguments({word}), client::UsageError);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ArgumentsTest);

}  // namespace sallyport::host::maintenance
